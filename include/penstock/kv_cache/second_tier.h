// SPDX-License-Identifier: Apache-2.0
//
// The second tier: where blocks go that the device has no room for, instead of being forgotten.
//
//   KVCacheOptions options;
//   options.second_tier.emplace();
//   options.second_tier->tier = Tier::kHost;           // or kDisk
//   options.second_tier->capacity_blocks = 100000;     // 0: KVCache::Create: kInvalidArgument
//   PENSTOCK_ASSIGN_OR_RETURN(KVCache cache, KVCache::Create(&blocks, options));
//
// What eviction takes from the device is copied there with one BlockStore::Transfer an eviction,
// and leaves the device when `done` says so; the least recently offloaded leaf of the tier makes
// room. An Acquire that matches offloaded blocks loads them, with one Transfer into blocks of its
// own lease; when `done` comes without an error they are a hit and on the device again, and their
// copies are given back. A block stands in one tier at a time.
//
// Whom it fails: a Transfer that fails out of the device forgets those blocks, as eviction would
// have; one that fails into the device is a miss, and the blocks stay offloaded (kDataLoss: their
// copies are damaged, and forgotten). A request ends in kResourceExhausted because of the second
// tier at most once: when the host's first late offload leaves nothing else to evict.
//
// Hosts that are late. A host that runs `done` before Transfer returns, because its later work
// queues behind the copy, needs nothing more. For one that runs `done` later, nobody waits: the
// eviction takes other blocks, without offloading them, and the Acquire that wanted to load
// computes instead; what was under way still arrives, for the next request.
//
// When not to use it: when computing a block again is faster than moving it.
#ifndef PENSTOCK_KV_CACHE_SECOND_TIER_H_
#define PENSTOCK_KV_CACHE_SECOND_TIER_H_

#include <cstddef>

#include "penstock/kv_cache/block_store.h"

namespace penstock {

struct SecondTierOptions {
  Tier tier = Tier::kHost;     // or kDisk
  size_t capacity_blocks = 0;  // of each group; at least 1

  // Blocks of requests whose hint said p_reuse below this are forgotten instead of offloaded.
  // Requests without that hint are always worth it.
  double min_p_reuse = 0;

  // While a late host has not finished with this many blocks of each group, eviction forgets.
  size_t max_late_blocks = 1024;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_SECOND_TIER_H_
