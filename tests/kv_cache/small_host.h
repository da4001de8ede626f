// SPDX-License-Identifier: Apache-2.0
//
//   Host host(64);                     // a store of 64 blocks and a cache over it
//   Lease lease = host.Put(Iota(10));  // computed and committed
#ifndef PENSTOCK_TESTS_KV_CACHE_SMALL_HOST_H_
#define PENSTOCK_TESTS_KV_CACHE_SMALL_HOST_H_

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/status_matchers.h"

namespace penstock {

inline std::vector<TokenId> Iota(size_t n, TokenId first = 1) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

// Blocks of four tokens; what a prompt computes is its tokens.
struct Host {
  explicit Host(size_t capacity, const KVCacheOptions& base = {}) {
    MemoryBlockStoreOptions memory;
    memory.block_tokens = 4;
    memory.capacity_blocks = capacity;
    memory.poison_freed = true;
    memory.groups = std::max<size_t>(1, base.groups.size());
    store = *MemoryBlockStore::Create(memory);
    KVCacheOptions options = base;
    options.block_tokens = 4;
    cache.emplace(*KVCache::Create(store.get(), options));
  }

  static KVRequest Request(const std::vector<TokenId>& ids) {
    KVRequest request;
    request.tokens = ids;
    return request;
  }

  Lease Put(const std::vector<TokenId>& ids) {
    Lease lease = *cache->Acquire(Request(ids));
    for (size_t t = lease.matched_tokens(); t < ids.size(); ++t) {
      store->Keys(lease.blocks()[t / 4], 0)[t % 4] = static_cast<float>(ids[t]);
    }
    EXPECT_OK(lease.Commit(ids.size()));
    return lease;
  }

  std::unique_ptr<MemoryBlockStore> store;
  std::optional<KVCache> cache;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_KV_CACHE_SMALL_HOST_H_
