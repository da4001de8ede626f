// SPDX-License-Identifier: Apache-2.0
//
// How far a cache may depart from LRU. A shadow of an LRU cache of the same size gets the same
// requests; what departing gained and lost against it is counted, and what it may still lose.
//
//   ShadowLru guard;
//   guard.OnRequest(path, cached_blocks, /*count=*/cached);
//   guard.OnFull(/*count=*/cached);
//   const bool stray = victim != oldest && guard.MayStray(name);    // false: evict the oldest
//   guard.OnEviction(name, stray);
//
// Description: a block that is evicted although LRU would keep it is a stray until LRU lets it go
// as well or a request brings it back; only strays can make the cache hit less than LRU. The
// balance holds what was gained against LRU less what was lost, and 0.15 % of the block references
// so far. A block may stray while the balance covers what the strays at large are expected to cost:
// their number times the share that came to harm per life in the shadow; and, however harmless they
// have been, those of one mean request. Nothing is known at first, so that a stray counts as lost:
// a cold cache is LRU's, trials are as large as the allowance, and gains pay for more. Where every
// stray is counted as lost this bounds the loss by the allowance, whatever comes (Blum & Burch,
// On-line learning and the metrical task system problem, 2000: following a better expert costs at
// most the state that has to be moved back). Gains of the past count only so far (Page's CUSUM), or
// a turn for the worse would be paid out of them for long.
//
// Blocks are sampled by their name above 32 768 (SHARDS: Waldspurger et al., FAST 2015).
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
#define PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "kv_cache/recency_queue.h"

namespace penstock::internal {

class ShadowLru {
 public:
  // A request found `cached_blocks` of its path; `count` blocks are cached. O(path).
  void OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t count);

  // Something has to go, of `count` blocks: before each eviction. O(1); the first time O(cached).
  void OnFull(size_t count);

  // May a block go that is not the least recently used one? O(1).
  bool MayStray(uint64_t name) const;

  // A block is evicted: because it was least recently used, unless `stray`. O(1).
  void OnEviction(uint64_t name, bool stray);

  // The host says what will come back: the first time that is worth a trial before anything was
  // learned.
  void OnHint();

 private:
  bool Sampled(uint64_t name) const { return ((name >> 40) & ((uint64_t{1} << shift_) - 1)) == 0; }
  double scale() const { return static_cast<double>(uint64_t{1} << shift_); }
  bool has_been_full() const { return capacity_ != SIZE_MAX; }
  void Resample();
  void SampleBy(unsigned shift);
  void Shrink();
  double Harm() const;

  RecencyQueue recent_;  // as long as nothing is evicted, everything; strays are marked
  unsigned shift_ = 0;
  size_t capacity_ = SIZE_MAX;
  bool evicted_ = false;  // since the last request
  // In blocks, sampled ones times scale().
  double balance_ = 0, strays_ = 0;
  double harmed_ = 0, lives_ = 0;  // of strays, fading
  double mean_blocks_ = 0;         // of a request
  uint64_t requests_ = 0;
  bool hinted_ = false;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
