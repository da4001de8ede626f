// SPDX-License-Identifier: Apache-2.0
//
// penstock: the pipe between a request's text and a model's prefill, inside the server that owns
// the model. This page is the map; each door below is the manual of its part.
//
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr tokenizer, LoadTokenizer("model/tokenizer.json"));
//   PENSTOCK_ASSIGN_OR_RETURN(KVCache kv, KVCache::Create(&my_blocks, kv_options));
//   PENSTOCK_ASSIGN_OR_RETURN(Lease lease, kv.Acquire(request));   // longest cached prefix, pinned
//   model.Prefill(ids, /*from=*/lease.matched_tokens(), lease.blocks());
//
//   LoadTokenizer("no/such/file").status()    // NOT_FOUND: no/such/file: …, never an exception
//
//     text ──► Tokenizer ──► Chunker ──► Batcher ──► your model's prefill ──► completion
//               ids, exact    whole       size,             ▲    │
//               and counted   sentences   time, budget      │    ▼
//                             in a budget               KVCache (your blocks, our index)
//     └────────────────────────────── Pipeline: all of it, asynchronous ──────────────────┘
//
// The five doors. Each works without the others.
//   penstock/tokenizer.h   text ⇄ token ids, bit-equal to the reference; any vocabulary file
//   penstock/chunker.h     long text → chunks of whole sentences under an exact token budget
//   penstock/batcher.h     requests from any thread → batches; each completed exactly once
//   penstock/kv_cache.h    prefix index and policy over KV blocks that the host owns
//   penstock/pipeline.h    text in → batch out, with reuse, bounded and observable
//
// What holds everywhere
//   - Errors are absl::Status: what, where, what was expected. Nothing throws; host callbacks must
//     not throw either: a throw, or a failed allocation, ends the process.
//   - Options are aggregates with defaults; std::optional is "none"; Validate() names the field.
//   - GetStats() of each part is a plain struct; nothing is pushed, nothing is exported by itself.
//   - Time comes from a Clock, threads from an Executor: both can be the host's (base/).
//   - A thread rule is one of three sentences: "Immutable; safe to share." / "Thread-safe." /
//     "Thread-compatible: const calls may run concurrently, others need external synchronization."
//
// Glossary
//   token, TokenId         id of a byte string; the vocabulary is the bijection
//   segment                text with its trust: only trusted text can spell control tokens
//   stable, provisional    a token that can no longer change / may change when more text arrives
//   safe cut               a place in a text where both sides encode independently
//   chunk, overlap         piece of a document under a token budget / tokens shared with the last
//   prefill, decode        KV of the prompt / one token per step
//   block, prefix          run of tokens cached as a unit / chain of blocks
//   lease, tier, scope     RAII pin of blocks / where their bytes live / what may share
//   request, batch         unit submitted / unit handed to the model
//   backpressure           refusal (kResourceExhausted) because a budget is full
//   queue delay, TTFT      submit → dispatched / submit → first token
#ifndef PENSTOCK_PENSTOCK_H_
#define PENSTOCK_PENSTOCK_H_

#include "penstock/base/clock.h"
#include "penstock/base/executor.h"
#include "penstock/base/histogram.h"
#include "penstock/base/status_macros.h"
#include "penstock/base/token.h"
#include "penstock/base/version.h"
#include "penstock/batcher.h"
#include "penstock/chunker.h"
#include "penstock/kv_cache.h"
#include "penstock/pipeline.h"
#include "penstock/tokenizer.h"

#endif  // PENSTOCK_PENSTOCK_H_
