// SPDX-License-Identifier: Apache-2.0
//
// What a request tells the cache: whose prefix, which tokens, what else they depend on, and how
// likely it comes back.
//
//   KVRequest request;
//   // anything that changes K/V belongs into the scope
//   request.scope.model = "llama3-8b:q8:rope500k:kv-f16";
//   // set by the server, never by the end client
//   request.scope.tenant = tenant_of_connection;
//   request.tokens = prompt_ids;                             // borrowed for the call
//   request.hint.p_reuse = 0.8;                              // "a follow-up turn is likely"
//   cache.Acquire(request);
//   // past tokens.size(): kInvalidArgument
//   request.extra_keys = {{900, 200, sha}};
#ifndef PENSTOCK_KV_CACHE_REQUEST_H_
#define PENSTOCK_KV_CACHE_REQUEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/retention.h"

namespace penstock {

// Nothing is ever shared between two scopes that differ in any field, and no call reports another
// scope's hits.
struct Scope {
  std::string model;    // fingerprint of weights, K/V type, rope, layout: the host's
  std::string adapter;  // LoRA names and scales
  std::string tenant;   // who may share; empty = everyone who says empty
  // Empty: exact K/V. Otherwise the name of the approximation that made it (a retention rule the
  // model was not built for, a shifted window): approximate results live in scopes of their own, so
  // no exact request can hit them.
  std::string approximation;

  friend bool operator==(const Scope& a, const Scope& b) {
    return a.model == b.model && a.adapter == b.adapter && a.tenant == b.tenant &&
           a.approximation == b.approximation;
  }
};

// K/V of tokens [token_offset, token_offset + token_len) depend on more than their ids: an image,
// audio, an embedding. `content` is a digest of it, compared in full. Blocks that overlap the range
// match only if every such key agrees.
struct ExtraKey {
  size_t token_offset = 0;
  size_t token_len = 0;
  std::array<uint8_t, 32> content{};
};

// What the host knows about the future; every field optional, none affects correctness. Policies
// use what they can: see penstock/kv_cache/eviction.h.
struct ReuseHint {
  std::optional<double> p_reuse;  // probability that this prefix is asked for again, 0 .. 1
  std::optional<absl::Duration> expected_gap;  // until then
  std::optional<absl::Duration> ttl;           // worthless afterwards: first to go
  int priority = 0;                            // higher stays longer; clamped to -128 .. 127
};

struct KVRequest {
  Scope scope;
  absl::Span<const TokenId> tokens;  // the prompt; borrowed for the call
  absl::Span<const ExtraKey>
      extra_keys;  // ordered by token_offset, inside the prompt; borrowed for the call
  // Set when `tokens` are what TruncatePrompt left: what that lost is counted then, by its rule
  // (KVTruncationStats). Borrowed for the call.
  const Truncated* truncated = nullptr;
  ReuseHint hint;
  size_t reserve_tokens = 0;  // room for decode beyond the prompt
  bool read = true;           // false: match nothing
  bool publish = true;        // false: Commit shares nothing
};

// What a prompt would find. Token counts of the prompt, from its first token on.
struct Match {
  size_t tokens =
      0;  // K/V at hand, all tiers; at most tokens.size() - 1, the last one is left for logits
  size_t offloaded_tokens = 0;  // of `tokens`, those that Acquire has to load from the second tier
  size_t in_flight_tokens = 0;  // beyond `tokens`, being computed under a live lease right now
  uint64_t bytes = 0;           // of K/V that need not be computed, all groups; whole blocks
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_REQUEST_H_
