// SPDX-License-Identifier: Apache-2.0
//
// Would LRU have hit more? A sampled shadow of an LRU cache of the same size, fed with the same
// requests.
//
//   ShadowLru guard;
//   guard.OnRequest(path, cached_blocks, /*capacity=*/count);
//   if (guard.lru_is_better()) …
//   guard.OnEviction();                           // the cache is full
//
// Description: blocks are sampled by their name (spatial sampling: Waldspurger et al., SHARDS, FAST
// 2015), so the shadow of 1/2^k of the blocks in 1/2^k of the capacity hits as often as the whole
// would. What LRU would have hit more is a debt, which every block reference pays back by a
// five-hundredth. LRU takes over when the debt exceeds a limit, until it is paid; sooner where all
// trials together have gained enough for another one. A bad eviction is seen only when the block
// would have been used again, so a trial that fails costs what it costs: the dearer it was, the
// later the next one. Gains of the past count against a debt only so far, or a turn for the worse
// would be noticed late (Page's CUSUM). The first requests are LRU's, unless the host gives hints:
// what comes back of a cold cache is not what comes back later. Thread-compatible: const calls may
// run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
#define PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "kv_cache/ghost_table.h"

namespace penstock::internal {

class ShadowLru {
 public:
  void OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t capacity);
  void OnEviction() { full_ = true; }
  void OnHint() {
    if (!hinted_ && retry_at_ == 0) lru_mode_ = false;
    hinted_ = true;
  }
  bool lru_is_better() const { return lru_mode_; }

 private:
  bool Sampled(uint64_t name) const { return ((name >> 40) & ((uint64_t{1} << shift_) - 1)) == 0; }
  void Resample(size_t capacity);

  unsigned shift_ = 0;
  GhostTable recent_;  // as long as nothing is evicted, everything
  bool full_ = false;  // since the last request
  // Blocks that LRU would have hit more: with what is paid back and forgotten; at most, since LRU
  // took over; of all times.
  double debt_ = 0, worst_ = 0, lost_ = 0;
  double mean_blocks_ = 0;
  uint64_t requests_ = 0, retry_at_ = 0;
  unsigned losses_ = 0;
  bool hinted_ = false;
  bool lru_mode_ = true;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
