// SPDX-License-Identifier: Apache-2.0
//
// Pipeline: text in, K/V reused, batches out, asynchronously. The four other parts in one, bounded
// and observable.
//
//   PipelineParts parts;
//   parts.tokenizer = NewCachedTokenizer(tokenizer);
//   parts.chunker = std::move(chunker);           // optional: prompts over the limit are split
//   parts.kv_cache = std::move(kv_cache);         // optional: prefixes are reused
//   auto runner = [&](PrefillBatch batch) { … model.Prefill … batch.Complete(i, result) … };
//   PENSTOCK_ASSIGN_OR_RETURN(Pipeline p, Pipeline::Create(std::move(parts), runner, options));
//
//   auto ticket = p.Submit(std::move(request), [](absl::StatusOr<PipelineResult> result) { … });
//   if (!ticket.ok()) Refuse(request, ticket.status());  // full; `request` was not moved from
//   p.Cancel(*ticket);                                   // true: this call decided the outcome
//   p.Drain(absl::Seconds(5));                           // flush, then fail the rest; none is lost
//
//   text ─ Submit ─ tokenize, split ─ peek ─ batch ─ lease ─ run ─ callback
//           bounded  on some threads  no pin  queue   at       host's
//                                                     dispatch runner
//
// A queued request pins no K/V: the cache is asked before queueing only to count the tokens that
// are left to compute (what the batcher budgets and shares out), and blocks are taken when its
// batch leaves. If there is no room then, the request returns to the head of the queue until
// another one gives blocks back; if nobody can, it fails with kResourceExhausted.
//
// Exactly once: Submit returned OK if and only if the callback runs, once: through cancel, timeout,
// drain, a runner that forgets, fails, completes twice or late. A timeout is exact in the queue and
// the runner; while the request is being tokenized it is noticed at the end of that.
//
// Callbacks and the runner run without any lock of the pipeline and may call Submit, Cancel and
// GetStats. They must not throw (a throw, or a failed allocation, ends the process) and must not
// destroy the pipeline.
//
// Not for a host that has ids already and needs batches only: see penstock/batcher.h.
#ifndef PENSTOCK_PIPELINE_H_
#define PENSTOCK_PIPELINE_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/executor.h"
#include "penstock/base/export.h"
#include "penstock/batcher/policy.h"
#include "penstock/chunker.h"
#include "penstock/kv_cache.h"
#include "penstock/pipeline/prefill_batch.h"
#include "penstock/pipeline/request.h"
#include "penstock/pipeline/stats.h"
#include "penstock/tokenizer.h"

namespace penstock {

// What to do with a prompt of more than max_prompt_tokens.
enum class OverLimit : uint8_t {
  kReject,    // kResourceExhausted
  kTruncate,  // its longest untrusted segment loses its end, at a character
  kSplit,     // that segment is chunked; each part keeps the others, and one result has them all
};

struct PipelineOptions {
  size_t max_prompt_tokens = 8192;             // of one prefill
  std::optional<OverLimit> over_limit;         // none: kSplit with a chunker, else kReject
  size_t max_parts = 64;                       // of one request; more is kResourceExhausted
  size_t max_prompt_bytes = size_t{16} << 20;  // more is refused by Submit

  // Accepted and not finished. At a bound Submit refuses.
  size_t max_in_flight = 256;
  size_t max_in_flight_bytes = size_t{256} << 20;

  // K/V is shared within one scope. The model's name belongs here. Unless share_across_tenants, the
  // request's tenant is made part of it: what one tenant computed speeds up no other, who could
  // otherwise learn of it by timing.
  Scope scope;
  bool share_across_tenants = false;

  // Batches, clock, callback executor. With OnFull::kReject its queue is made large enough for
  // max_in_flight requests, so that what Submit accepted is not refused later for lack of room.
  BatcherOptions batching;

  // While batches are full, the next one takes its K/V blocks shortly before the runner is expected
  // to be done with this one, and what the runner then completes is committed and called back on a
  // thread of the pipeline's own, beside the next call of the runner: a device waits for next to
  // nothing between two batches. Costs that thread, and blocks a little earlier. Only where the
  // batcher has its own threads (batching.executor null, batching.former_thread).
  bool prepare_ahead = true;

  // Where text is tokenized. Null: `preparation_threads` threads of the pipeline's own. An executor
  // must run what it was given, and outlive it.
  Executor* executor = nullptr;
  size_t preparation_threads = 1;

  // kInvalidArgument: names the field, the value and what was expected.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

struct PipelineParts {
  TokenizerPtr tokenizer;          // required
  std::optional<Chunker> chunker;  // with the same tokenizer
  std::optional<KVCache> kv_cache;
};

namespace internal {
class PipelineCore;
struct PipelineWork;
}  // namespace internal

// Names an accepted request, for Pipeline::Cancel. A plain copyable value; keeps nothing alive.
// Immutable; safe to share.
class PENSTOCK_EXPORT PipelineTicket {
 public:
  PipelineTicket() = default;  // names nothing

 private:
  friend class internal::PipelineCore;
  explicit PipelineTicket(std::weak_ptr<internal::PipelineWork> work) : work_(std::move(work)) {}
  std::weak_ptr<internal::PipelineWork> work_;
};

// The result of SubmitForFuture, for hosts that wait. Move-only; dropping it does not cancel.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
class PENSTOCK_EXPORT PipelineFuture {
 public:
  PipelineFuture(PipelineFuture&&) noexcept;
  PipelineFuture& operator=(PipelineFuture&&) noexcept;
  ~PipelineFuture();

  bool ready() const;
  // Waits for the result and moves it out. kFailedPrecondition: called for the second time. Not
  // inside a callback.
  absl::StatusOr<PipelineResult> Get();
  const PipelineTicket& ticket() const ABSL_ATTRIBUTE_LIFETIME_BOUND;  // for Pipeline::Cancel

 private:
  friend class Pipeline;
  struct Rep;
  explicit PipelineFuture(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

// Move-only. Thread-safe, except that it must not be moved or destroyed while other calls run.
class PENSTOCK_EXPORT Pipeline {
 public:
  using Runner = absl::AnyInvocable<void(PrefillBatch) const>;
  using Callback = absl::AnyInvocable<void(absl::StatusOr<PipelineResult>) &&>;
  using OnPiece = absl::AnyInvocable<void(size_t part, PrefillResult piece)>;

  // kInvalidArgument: no tokenizer, a null runner, an option out of range, kSplit without a
  // chunker, or a KV cache whose capacity cannot hold one prompt of max_prompt_tokens.
  static absl::StatusOr<Pipeline> Create(PipelineParts parts, Runner runner,
                                         const PipelineOptions& options = PipelineOptions());

  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  // Everything unfinished ends as kUnavailable; waits for running callbacks, runner calls and
  // tokenizing.
  ~Pipeline();

  // OK: `callback` runs exactly once. Otherwise it never runs, and neither argument was moved from:
  //   kInvalidArgument    a null callback, a request without text, a timeout that is not positive
  //   kResourceExhausted  max_in_flight, max_in_flight_bytes or max_prompt_bytes
  //   kUnavailable        draining
  // The callback's status may also be
  //   kInvalidArgument    the text has no tokens; all but its longest segment exceeds the limit
  //   kResourceExhausted  over max_prompt_tokens (kReject) or max_parts; refused by admission
  //                       control; no room for its K/V that anybody in flight could make
  //   kDeadlineExceeded   its timeout
  //   kCancelled, kUnavailable (drain), kInternal (dropped by the runner), the runner's own
  // Costs one hand-off to a preparation thread. Never blocks.
  absl::StatusOr<PipelineTicket> Submit(PipelineRequest&& request, Callback&& callback);

  // The same, and `on_piece` receives what the runner emits before it completes
  // (PrefillBatch::Emit), in order for each part; different parts may call at once.
  absl::StatusOr<PipelineTicket> SubmitStreaming(PipelineRequest&& request, OnPiece&& on_piece,
                                                 Callback&& callback);

  // The same, for a caller that waits.
  absl::StatusOr<PipelineFuture> SubmitForFuture(PipelineRequest&& request);

  // True: the request ended as kCancelled through this call. Its callback has run (or was handed to
  // the callback executor; or runs when the piece that is being delivered returns), and its places
  // are free (or, if a thread is just queueing it, as soon as that is done).
  // False: it had ended already, or the ticket is not this pipeline's.
  bool Cancel(const PipelineTicket& ticket);

  // Refuses new requests, finishes what was accepted, and after `budget` ends the rest as
  // kUnavailable. OK: all ended by themselves. kDeadlineExceeded: says how many did not.
  // kFailedPrecondition: called from a callback or the runner. The pipeline stays closed.
  absl::Status Drain(absl::Duration budget);

  PipelineStats GetStats() const;

  // The cache, for Warm, Pin, Drop and Shrink; null without one. Lives as long as the pipeline.
  KVCache* kv_cache() ABSL_ATTRIBUTE_LIFETIME_BOUND;

 private:
  explicit Pipeline(std::shared_ptr<internal::PipelineCore> core);
  std::shared_ptr<internal::PipelineCore> core_;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_H_
