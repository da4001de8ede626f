// SPDX-License-Identifier: Apache-2.0
//
// The cache with a real model: logits after reuse are those of a run from nothing, bit for bit.
// That wrong blocks would show is proven beside the runtime (tests/reference_runtime); two controls
// are repeated here.
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "examples/reference_runtime/transformer.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

class KVCacheLogitsTest : public ::testing::Test {
 protected:
  KVCacheLogitsTest() {
    TransformerOptions small;
    small.layers = 2;
    small.model_dim = 64;
    small.heads = 4;
    small.kv_heads = 2;
    small.ffn_dim = 96;
    small.logits = 64;
    model_.emplace(*ReferenceTransformer::Create(small));
    store_ = NewStore();
    cache_.emplace(NewCache(store_.get()));
  }

  std::unique_ptr<MemoryBlockStore> NewStore() {
    MemoryBlockStoreOptions options = model_->StoreOptions(8, 64);
    options.host_capacity_blocks = 64;
    options.poison_freed = true;
    return *MemoryBlockStore::Create(options);
  }
  static KVCache NewCache(MemoryBlockStore* store) {
    KVCacheOptions options;
    options.block_tokens = 8;
    return *KVCache::Create(store, options);
  }

  static std::vector<TokenId> Prompt(size_t n, TokenId seed = 1) {
    std::vector<TokenId> ids(n);
    for (size_t i = 0; i < n; ++i) ids[i] = (static_cast<TokenId>(i) * 37 + seed * 101) % 1000;
    return ids;
  }

  Lease Acquire(const std::vector<TokenId>& ids, KVCache* cache = nullptr) {
    KVRequest request;
    request.tokens = ids;
    request.reserve_tokens = 8;
    return *(cache == nullptr ? *cache_ : *cache).Acquire(request);
  }

  // Logits of the last token, computing from `from` on.
  std::vector<float> Compute(const std::vector<TokenId>& ids, size_t from,
                             absl::Span<const BlockId> blocks, MemoryBlockStore* store = nullptr) {
    std::vector<float> logits;
    const PrefillRow row{absl::MakeConstSpan(ids).subspan(from), from, blocks};
    EXPECT_OK(model_->Prefill(store == nullptr ? store_.get() : store, {row}, &logits));
    return logits;
  }

  std::vector<float> FromNothing(const std::vector<TokenId>& ids) {
    auto store = NewStore();
    std::vector<BlockId> blocks(ids.size() / 8 + 1);
    EXPECT_OK(store->Allocate(GroupId{}, Tier::kDevice, absl::MakeSpan(blocks)));
    return Compute(ids, 0, blocks, store.get());
  }

  Lease Put(const std::vector<TokenId>& ids) {
    Lease lease = Acquire(ids);
    Compute(ids, lease.matched_tokens(), lease.blocks());
    EXPECT_OK(lease.Commit(ids.size()));
    return lease;
  }

  static void ExpectSameBits(const std::vector<float>& a, const std::vector<float>& b) {
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
  }

  std::optional<ReferenceTransformer> model_;
  std::unique_ptr<MemoryBlockStore> store_;
  std::optional<KVCache> cache_;
};

TEST_F(KVCacheLogitsTest, AreTheSameAfterAHitAndAPartialBlockCopy) {
  Put(Prompt(40)).Release();
  for (size_t same : {8, 13, 24, 31, 39}) {
    std::vector<TokenId> ids = Prompt(40);
    for (size_t i = same; i < ids.size(); ++i) ids[i] = 999 - ids[i];
    Lease lease = Acquire(ids);
    EXPECT_EQ(lease.matched_tokens(), same);
    ExpectSameBits(Compute(ids, lease.matched_tokens(), lease.blocks()), FromNothing(ids));
  }
  const std::vector<TokenId> equal = Prompt(40);
  Lease lease = Acquire(equal);
  EXPECT_EQ(lease.matched_tokens(), 39u);
  ExpectSameBits(Compute(equal, 39, lease.blocks()), FromNothing(equal));
}

TEST_F(KVCacheLogitsTest, AreTheSameInAForkAndAfterATruncation) {
  std::vector<TokenId> ids = Prompt(21);
  Lease lease = Put(ids);
  Lease fork = *lease.Fork();
  for (TokenId next : {5, 6, 7, 8}) {
    ids.push_back(next);
    ASSERT_OK(fork.Append({next}));
    ExpectSameBits(Compute(ids, ids.size() - 1, fork.blocks()), FromNothing(ids));
    ASSERT_OK(fork.Commit(ids.size()));
  }
  std::vector<TokenId> other = Prompt(21);
  other.resize(11);
  other.push_back(77);
  ASSERT_OK(lease.Truncate(11));
  ASSERT_OK(lease.Append({77}));
  ExpectSameBits(Compute(other, 11, lease.blocks()), FromNothing(other));
  ExpectSameBits(Compute(ids, ids.size() - 1, fork.blocks()), FromNothing(ids));  // untouched by it
}

TEST_F(KVCacheLogitsTest, AreTheSameAfterASnapshotAndARestore) {
  Put(Prompt(40)).Release();
  const std::string snapshot = cache_->Snapshot();
  auto fresh = NewStore();
  KVCache restored = NewCache(fresh.get());
  ASSERT_OK(restored.Restore(snapshot, [&](absl::Span<const RestoredBlock> blocks) {
    for (const RestoredBlock& block : blocks) {
      for (size_t layer = 0; layer < 2; ++layer) {
        const auto k = store_->Keys(block.saved, layer), v = store_->Values(block.saved, layer);
        std::copy(k.begin(), k.end(), fresh->Keys(block.now, layer).begin());
        std::copy(v.begin(), v.end(), fresh->Values(block.now, layer).begin());
      }
    }
    return absl::OkStatus();
  }));
  std::vector<TokenId> ids = Prompt(40);
  ids.push_back(3);
  Lease lease = Acquire(ids, &restored);
  EXPECT_EQ(lease.matched_tokens(), 40u);
  ExpectSameBits(Compute(ids, 40, lease.blocks(), fresh.get()), FromNothing(ids));
}

TEST_F(KVCacheLogitsTest, AreTheSameAfterAnOffloadAndALoad) {
  KVCacheOptions options;
  options.block_tokens = 8;
  options.second_tier.emplace();
  options.second_tier->capacity_blocks = 64;
  const std::string path = ::testing::TempDir() + "penstock_logits_tier";
  std::remove(path.c_str());
  for (int run = 0; run < 3; ++run) {  // host memory, with and without the control; a file
    const bool corrupt = run == 1;
    if (run == 2) {
      MemoryBlockStoreOptions file = store_->options();
      file.disk_capacity_blocks = 64;
      file.disk_path = path;
      cache_.reset();  // it uses the old store
      store_ = *MemoryBlockStore::Create(file);
      options.second_tier->tier = Tier::kDisk;
    }
    KVCache cache = *KVCache::Create(store_.get(), options);
    const std::vector<TokenId> ids = Prompt(40);
    {
      Lease lease = Acquire(ids, &cache);
      Compute(ids, 0, lease.blocks());
      ASSERT_OK(lease.Commit(40));
    }
    ASSERT_EQ(cache.Shrink(0), 5u);
    ASSERT_EQ(store_->allocated_blocks(), 0u);
    Lease lease = Acquire(ids, &cache);
    ASSERT_EQ(lease.matched_tokens(), 32u);
    ASSERT_EQ(cache.GetStats().total.loaded_tokens, 32u);
    if (corrupt) {  // the control: one value that the transfer brought wrongly
      store_->Values(lease.blocks()[1], 1)[3] += 1;
      EXPECT_NE(Compute(ids, 32, lease.blocks()), FromNothing(ids));
    } else {
      ExpectSameBits(Compute(ids, 32, lease.blocks()), FromNothing(ids));
    }
  }
}

TEST_F(KVCacheLogitsTest, DifferWhenAMatchIsOverstatedOrBlocksAreSwapped) {
  Put(Prompt(40)).Release();
  std::vector<TokenId> ids = Prompt(40);
  for (size_t i = 20; i < ids.size(); ++i) ids[i] = 999 - ids[i];
  Lease lease = Acquire(ids);
  ASSERT_EQ(lease.matched_tokens(), 20u);
  Compute(ids, 20, lease.blocks());
  Compute(Prompt(21), 20, lease.blocks());  // position 20 as the cached prompt had it
  EXPECT_NE(Compute(ids, 21, lease.blocks()), FromNothing(ids));
  Compute(ids, 20, lease.blocks());
  std::vector<BlockId> swapped(lease.blocks().begin(), lease.blocks().end());
  std::swap(swapped[0], swapped[1]);
  EXPECT_NE(Compute(ids, 39, swapped), FromNothing(ids));
  ExpectSameBits(Compute(ids, 39, lease.blocks()), FromNothing(ids));
}

// Full layers beside layers with a window of 13 tokens, as Gemma or gpt-oss have them.
class KVCacheWindowLogitsTest : public ::testing::Test {
 protected:
  static constexpr size_t kWindow = 13;
  static constexpr size_t kBlock = 8;

  KVCacheWindowLogitsTest() {
    TransformerOptions small;
    small.layers = 4;
    small.model_dim = 64;
    small.heads = 4;
    small.kv_heads = 2;
    small.ffn_dim = 96;
    small.logits = 64;
    small.window_tokens = kWindow;
    model_.emplace(*ReferenceTransformer::Create(small));
    store_ = NewStore();
    KVCacheOptions options;
    options.block_tokens = kBlock;
    options.groups = {Retention::Full(), Retention::SinkWindow(0, kWindow)};
    options.second_tier.emplace();
    options.second_tier->capacity_blocks = 64;
    cache_.emplace(*KVCache::Create(store_.get(), options));
  }

  std::unique_ptr<MemoryBlockStore> NewStore() {
    MemoryBlockStoreOptions options = model_->StoreOptions(kBlock, 64);
    options.host_capacity_blocks = 64;
    options.poison_freed = true;
    return *MemoryBlockStore::Create(options);
  }

  static std::vector<TokenId> Prompt(size_t n, size_t same = SIZE_MAX) {
    std::vector<TokenId> ids(n);
    for (size_t i = 0; i < n; ++i)
      ids[i] = static_cast<TokenId>(i * 37 % 1000 + (i < same ? 0 : 1));
    return ids;
  }

  Lease Acquire(const std::vector<TokenId>& ids) {
    KVRequest request;
    request.tokens = ids;
    return *cache_->Acquire(request);
  }

  std::vector<float> Compute(const std::vector<TokenId>& ids, size_t from,
                             absl::Span<const BlockId> blocks, absl::Span<const BlockId> window,
                             MemoryBlockStore* store = nullptr) {
    std::vector<float> logits;
    const PrefillRow row{absl::MakeConstSpan(ids).subspan(from), from, blocks, window};
    EXPECT_OK(model_->Prefill(store == nullptr ? store_.get() : store, {row}, &logits));
    return logits;
  }

  // Prefills what is not matched; the logits are right.
  void Run(const std::vector<TokenId>& ids, Lease* lease) {
    ExpectSameBits(
        Compute(ids, lease->matched_tokens(), lease->blocks(), lease->blocks(GroupId{1})),
        FromNothing(ids));
    EXPECT_OK(lease->Commit(ids.size()));
    EXPECT_OK(cache_->CheckInvariants());
  }

  std::vector<float> FromNothing(const std::vector<TokenId>& ids) {
    auto store = NewStore();
    std::vector<BlockId> blocks[2];
    for (size_t g = 0; g < 2; ++g) {
      blocks[g].resize(ids.size() / kBlock + 1);
      EXPECT_OK(store->Allocate(static_cast<GroupId>(g), Tier::kDevice, absl::MakeSpan(blocks[g])));
    }
    return Compute(ids, 0, blocks[0], blocks[1], store.get());
  }

  static void ExpectSameBits(const std::vector<float>& a, const std::vector<float>& b) {
    ASSERT_EQ(a.size(), b.size());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
  }

  std::optional<ReferenceTransformer> model_;
  std::unique_ptr<MemoryBlockStore> store_;
  std::optional<KVCache> cache_;
};

TEST_F(KVCacheWindowLogitsTest, AreTheSameAfterAHitOverBlocksThatWereGivenBack) {
  {
    const std::vector<TokenId> ids = Prompt(64);
    Lease lease = Acquire(ids);
    Run(ids, &lease);
    EXPECT_EQ(lease.ApplyRetention(), 6u);  // token 64 attends to 52 and later: blocks 6 and 7
  }
  EXPECT_EQ(store_->allocated_blocks(), 8u + 2u);
  const std::vector<TokenId> longer = Prompt(75);
  Lease next = Acquire(longer);
  EXPECT_EQ(next.matched_tokens(), 64u);
  EXPECT_EQ(next.blocks(GroupId{1})[5], kNoBlock);
  Run(longer, &next);
  // A prompt that ends inside finds no window there: it computes all, and fills the holes.
  const std::vector<TokenId> other = Prompt(50, 40);
  Lease fill = Acquire(other);
  EXPECT_EQ(fill.matched_tokens(), 0u);
  Run(other, &fill);
  fill.Release();
  const auto matched = [&](size_t same) {
    const std::vector<TokenId> again = Prompt(52, same);
    Lease lease = Acquire(again);
    const size_t tokens = lease.matched_tokens();
    Run(again, &lease);
    return tokens;
  };
  EXPECT_EQ(matched(37), 37u);  // a part of a block that was filled
  EXPECT_EQ(matched(44), 40u);  // behind it the first prompt's block is still missing
  EXPECT_EQ(matched(40), 48u);  // the second prompt's is there
}

TEST_F(KVCacheWindowLogitsTest, AreTheSameAfterAHitThatComesFromTheSecondTierWithItsHoles) {
  const std::vector<TokenId> ids = Prompt(64), longer = Prompt(75);
  Lease lease = Acquire(ids);
  Run(ids, &lease);
  lease.ApplyRetention();
  lease.Release();
  EXPECT_EQ(cache_->Shrink(3), 5u);
  Lease next = Acquire(longer);
  EXPECT_EQ(next.matched_tokens(), 64u);
  EXPECT_EQ(cache_->GetStats().total.loaded_tokens, 40u);
  Run(longer, &next);
}

TEST_F(KVCacheWindowLogitsTest, DifferWhereABlockOfTheWindowIsNotTheRightOne) {
  const std::vector<TokenId> ids = Prompt(64), longer = Prompt(70);
  Lease lease = Acquire(ids);
  Run(ids, &lease);
  lease.ApplyRetention();
  lease.Release();
  Lease next = Acquire(longer);
  ASSERT_EQ(next.matched_tokens(), 64u);
  std::vector<BlockId> window(next.blocks(GroupId{1}).begin(), next.blocks(GroupId{1}).end());
  std::swap(window[6], window[7]);
  EXPECT_NE(Compute(longer, 64, next.blocks(), window), FromNothing(longer));
  std::swap(window[6], window[7]);
  std::swap(window[5], window[6]);  // as if the window had begun a block later
  window[6] = window[7];
  EXPECT_NE(Compute(longer, 64, next.blocks(), window), FromNothing(longer));
  Run(longer, &next);
}

}  // namespace
}  // namespace penstock
