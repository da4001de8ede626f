// SPDX-License-Identifier: Apache-2.0
//
// The tour of penstock/kv_cache.h, as a host would write it.
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"

namespace penstock {
namespace {

std::unique_ptr<MemoryBlockStore> Store(size_t blocks, size_t block_tokens = 4) {
  MemoryBlockStoreOptions options;
  options.block_tokens = block_tokens;
  options.capacity_blocks = blocks;
  options.poison_freed = true;
  return *MemoryBlockStore::Create(options);
}

KVCacheOptions Options(size_t block_tokens = 4) {
  KVCacheOptions options;
  options.block_tokens = block_tokens;
  return options;
}

std::vector<TokenId> Iota(size_t n, TokenId first = 1) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

TEST(KVCacheTest, ASecondEqualPromptFindsEverythingButTheLastToken) {
  auto store = Store(16);
  KVCache cache = *KVCache::Create(store.get(), Options());
  const std::vector<TokenId> ids = Iota(10);
  KVRequest request;
  request.tokens = ids;
  {
    Lease lease = *cache.Acquire(request);
    EXPECT_EQ(lease.matched_tokens(), 0u);
    EXPECT_EQ(lease.blocks().size(), 3u);
    ASSERT_TRUE(lease.Commit(10).ok());
  }
  EXPECT_EQ(cache.Peek(request).tokens, 8u);
  request.tokens = absl::MakeConstSpan(ids).subspan(0, 8);
  Lease lease = *cache.Acquire(request);
  EXPECT_EQ(lease.matched_tokens(), 7u);  // one block shared, three tokens of the next one copied
  EXPECT_TRUE(cache.CheckInvariants().ok()) << cache.CheckInvariants();
  EXPECT_EQ(cache.GetStats().total.hit_tokens, 7u);
}

TEST(KVCacheTest, AFullCacheEvictsTheLeastRecentLeaf) {
  auto store = Store(4);
  KVCacheOptions options = Options();
  options.capacity_blocks = 4;
  options.policy = [] { return NewLruPolicy(); };
  KVCache cache = *KVCache::Create(store.get(), options);
  for (TokenId first : {100, 200, 300, 400, 500}) {
    const std::vector<TokenId> ids = Iota(8, first);
    KVRequest request;
    request.tokens = ids;
    auto lease = cache.Acquire(request);
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(lease->Commit(8).ok());
    ASSERT_TRUE(cache.CheckInvariants().ok()) << cache.CheckInvariants();
  }
  EXPECT_EQ(store->allocated_blocks(), 4u);
  EXPECT_EQ(cache.GetStats().total.evicted_blocks, 6u);
}

}  // namespace
}  // namespace penstock
