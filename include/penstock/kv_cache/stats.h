// SPDX-License-Identifier: Apache-2.0
//
// What the cache counted. Plain numbers, pulled.
//
//   KVCacheStats s = cache.GetStats();
//   double hit_rate = double(s.total.hit_tokens) / double(s.total.requested_tokens);
//   // std::nullopt: never seen, or dropped
//   std::optional<KVScopeStats> mine = cache.GetScopeStats(scope);
//
// Counters of warm-up are kept apart, so that it never flatters the hit rate.
#ifndef PENSTOCK_KV_CACHE_STATS_H_
#define PENSTOCK_KV_CACHE_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

// What cutting prompts lost: requests that came with KVRequest::truncated and dropped anything.
// What kReject turns away never reaches the cache.
struct KVTruncationStats {
  uint64_t requests = 0;
  uint64_t dropped_tokens = 0;  // lost to the model
  uint64_t tail_tokens = 0;     // kept from behind the cut
  uint64_t missed_tail_tokens =
      0;                       // of these, computed again: nothing cached was cut at that place
  uint64_t prefix_breaks = 0;  // requests with a tail that hit nothing of it
};

// What the rule of one group lost.
struct KVRetentionStats {
  uint64_t dropped_blocks = 0;  // given back by Lease::ApplyRetention
  uint64_t dropped_tokens = 0;  // in these
  // Tokens of cached prefixes that requests could not use because this group has holes in them;
  // groups with holes at the same place count each.
  uint64_t unmatched_tokens = 0;
};

// Since creation, successful Acquires only (Warm excluded).
// hit_tokens + miss_tokens == requested_tokens; in_flight_tokens is a part of miss_tokens.
struct KVScopeStats {
  uint64_t requests = 0;
  uint64_t requested_tokens = 0;
  uint64_t hit_tokens = 0;
  uint64_t miss_tokens = 0;
  uint64_t in_flight_tokens = 0;  // missed although another live lease was computing them
  uint64_t partial_tokens = 0;    // of hit_tokens, those that a partial-block copy brought
  uint64_t loaded_tokens = 0;     // of hit_tokens, those that were loaded from the second tier
  uint64_t inserted_blocks = 0;
  uint64_t evicted_blocks = 0;  // forgotten to make room; offloading does not count
  uint64_t cached_blocks = 0;   // now, all tiers
  std::array<KVTruncationStats, 5> truncation{};  // by Truncation::Kind
};

struct KVCacheStats {
  KVScopeStats total;  // over all scopes, dropped ones included

  // Now, in blocks of one group each.
  uint64_t device_blocks = 0;  // allocated: cached and leased
  uint64_t device_bytes = 0;
  uint64_t offloaded_blocks = 0;  // columns in the second tier, or on the way there
  uint64_t pinned_blocks = 0;     // columns: one block of every group
  uint64_t live_leases = 0;
  uint64_t live_pins = 0;
  uint64_t scopes = 0;

  // Since creation.
  uint64_t deduped_blocks = 0;    // computed twice: equal ones were published first
  uint64_t refused = 0;           // Acquire, Reserve, Append or Fork ended in kResourceExhausted
  uint64_t store_errors = 0;      // Allocate, Copy or Transfer failed
  uint64_t offloads = 0;          // columns that arrived in the second tier
  uint64_t loads = 0;             // columns that came back from it
  uint64_t lost_offloads = 0;     // columns forgotten because a Transfer or Allocate failed
  uint64_t late_transfers = 0;    // Transfers that were not finished when they returned
  uint64_t false_candidates = 0;  // hash equal, tokens or keys not: rejected by comparing
  uint64_t rehashes = 0;          // new random table key after a run of such

  std::vector<KVRetentionStats> retention;  // by group

  uint64_t warm_prefilled_tokens = 0;  // computed by Warm
  uint64_t warm_saved_tokens =
      0;  // of these, hit by a request before they were evicted: each token once
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_STATS_H_
