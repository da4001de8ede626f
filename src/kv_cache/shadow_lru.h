// SPDX-License-Identifier: Apache-2.0
//
// Would LRU have hit more? A sampled shadow of an LRU cache of the same size, fed with the same
// requests.
//
//   ShadowLru guard;
//   guard.OnRequest(path, cached_blocks, /*capacity=*/count);
//   if (guard.lru_is_better()) …
//
// Description: blocks are sampled by their name (spatial sampling: Waldspurger et al., SHARDS, FAST
// 2015), so the shadow of 1/2^k of the blocks in 1/2^k of the capacity hits as often as the whole
// would. Hits of the shadow and of the real cache on the sampled blocks are compared in fading
// counts, with a margin on either side. Thread-compatible: const calls may run concurrently, others
// need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
#define PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "absl/types/span.h"

namespace penstock::internal {

class ShadowLru {
 public:
  void OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t capacity);
  bool lru_is_better() const { return lru_mode_; }

 private:
  bool Sampled(uint64_t name) const { return ((name >> 40) & ((uint64_t{1} << shift_) - 1)) == 0; }
  void Resample(size_t capacity);

  unsigned shift_ = 0;
  std::list<uint64_t> order_;  // hot first
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> where_;
  double lru_hits_ = 0, real_hits_ = 0, blocks_ = 0;
  uint64_t requests_ = 0, retry_at_ = 0;
  unsigned losses_ = 0;
  bool lru_mode_ = false;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_SHADOW_LRU_H_
