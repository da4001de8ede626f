// SPDX-License-Identifier: Apache-2.0
//
// Many threads, one small cache: what a lease may read is always what was computed for exactly that
// prefix.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

constexpr size_t kBlock = 4;

float Expected(absl::Span<const TokenId> ids, size_t position) {
  uint32_t x = 2166136261u;
  for (size_t i = 0; i <= position; ++i) x = (x ^ static_cast<uint32_t>(ids[i])) * 16777619u;
  return static_cast<float>(x >> 8);
}

using Groups = std::vector<Retention>;

// What the lease names of tokens [begin, end) is what was computed, and all is named that token
// `end` attends to.
void ExpectComputed(const Groups& groups, MemoryBlockStore& store, const Lease& lease,
                    absl::Span<const TokenId> ids, size_t end) {
  for (size_t g = 0; g < groups.size(); ++g) {
    const absl::Span<const BlockId> blocks = lease.blocks(static_cast<GroupId>(g));
    for (size_t t = 0; t < end; ++t) {
      const bool needed = groups[g].kind == Retention::Kind::kFull || t < groups[g].sink_tokens ||
                          t + groups[g].window_tokens > end;
      if (blocks[t / kBlock] == kNoBlock) {
        ASSERT_FALSE(needed) << "group " << g << " token " << t << " of " << end;
      } else {
        ASSERT_EQ(store.Keys(blocks[t / kBlock], 0)[t % kBlock], Expected(ids, t));
      }
    }
  }
}

void Churn(const Groups& groups, KVCache& cache, MemoryBlockStore& store, uint64_t seed,
           size_t rounds, std::atomic<size_t>& served) {
  std::mt19937_64 rng(seed);
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<TokenId> ids(1 + rng() % 40);
    for (TokenId& id : ids) id = rng() % 8 == 0 ? 1 : 0;
    KVRequest request;
    request.tokens = ids;
    (void)cache.Peek(request);
    absl::StatusOr<Lease> lease = cache.Acquire(request);
    if (!lease.ok()) {
      ASSERT_EQ(lease.status().code(), absl::StatusCode::kResourceExhausted) << lease.status();
      continue;
    }
    ExpectComputed(groups, store, *lease, ids, lease->matched_tokens());
    for (size_t g = 0; g < groups.size(); ++g) {
      const absl::Span<const BlockId> blocks = lease->blocks(static_cast<GroupId>(g));
      for (size_t t = lease->matched_tokens(); t < ids.size(); ++t) {
        store.Keys(blocks[t / kBlock], 0)[t % kBlock] = Expected(ids, t);
      }
    }
    if (rng() % 8 != 0) {
      ASSERT_TRUE(lease->Commit(ids.size()).ok());
    }
    if (groups.size() > 1 && rng() % 2 == 0) lease->ApplyRetention();
    if (rng() % 4 == 0) {
      absl::StatusOr<Lease> fork = lease->Fork();
      if (fork.ok() && fork->Append({2, 3, 4, 5, 6}).ok() && rng() % 2 == 0)
        (void)fork->Truncate(rng() % fork->tokens());
    }
    if (rng() % 64 == 0) (void)cache.Drop(Scope());
    if (rng() % 64 == 0) (void)cache.Shrink(8);
    if (rng() % 16 == 0) (void)cache.GetStats();
    if (rng() % 16 == 0) {
      (void)cache.NotifyWhenComputed(request, [] {});
    }
    if (rng() % 64 == 0) {
      (void)cache.Restore(cache.Snapshot(), [](auto) { return absl::UnavailableError("gone"); });
    }
    if (rng() % 16 == 0) {
      absl::StatusOr<PrefixPin> pin = cache.Pin(request);
      (void)pin;
    }
    if (rng() % 32 == 0) {
      const absl::Status sound = cache.CheckInvariants();
      ASSERT_TRUE(sound.ok()) << sound;
    }
    ExpectComputed(groups, store, *lease, ids, lease->committed_tokens());
    served.fetch_add(1);
  }
}

void RunChurn(std::optional<size_t> capacity, bool lru, size_t lower = 0,
              const Groups& groups = {Retention::Full()}) {
  MemoryBlockStoreOptions options;
  options.block_tokens = kBlock;
  options.capacity_blocks = 64;
  options.host_capacity_blocks = lower;
  options.poison_freed = true;
  options.groups = groups.size();
  auto store = *MemoryBlockStore::Create(options);
  KVCacheOptions cache_options;
  cache_options.block_tokens = kBlock;
  cache_options.capacity_blocks = capacity;
  cache_options.groups = groups;
  if (lower > 0) {
    cache_options.second_tier.emplace();
    cache_options.second_tier->capacity_blocks = lower;
  }
  if (lru) cache_options.policy = [] { return NewLruPolicy(); };
  {
    KVCache cache = *KVCache::Create(store.get(), cache_options);
    std::atomic<size_t> served{0};
    std::vector<std::thread> threads;
    const uint64_t seed = TestSeed();
    for (uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back(
          [&, t] { Churn(groups, cache, *store, seed + t, Scaled(1500), served); });
    }
    for (std::thread& t : threads) t.join();
    EXPECT_GT(served.load(), Scaled(1500));
    const absl::Status sound = cache.CheckInvariants();
    EXPECT_TRUE(sound.ok()) << sound;
    EXPECT_EQ(cache.GetStats().live_leases, 0u);
    EXPECT_EQ(cache.GetStats().device_blocks, store->allocated_blocks());
    const size_t columns =
        cache.GetStats().offloaded_blocks;  // with holes, where there are windows
    EXPECT_GE(store->allocated_blocks(Tier::kHost), columns);
    EXPECT_LE(store->allocated_blocks(Tier::kHost), columns * groups.size());
    if (lower > 0) {
      EXPECT_GT(cache.GetStats().loads, 0u);
    }
  }
  EXPECT_EQ(store->allocated_blocks(), 0u);
}

TEST(KVCacheThreadsTest, FourThreadsUnderACapacityReadOnlyWhatWasComputed) { RunChurn(60, true); }
TEST(KVCacheThreadsTest, FourThreadsUnderAFullStoreReadOnlyWhatWasComputed) {
  RunChurn(std::nullopt, true);
}
TEST(KVCacheThreadsTest, FourThreadsUnderTheDefaultPolicyReadOnlyWhatWasComputed) {
  RunChurn(60, false);
}
TEST(KVCacheThreadsTest, FourThreadsOverTwoTiersReadOnlyWhatWasComputed) {
  RunChurn(48, true, 40);
  RunChurn(48, false, 12);
  RunChurn(std::nullopt, true, 40);
}

TEST(KVCacheThreadsTest, FourThreadsWithWindowsReadOnlyWhatWasComputed) {
  const Groups groups = {Retention::Full(), Retention::SinkWindow(0, 6),
                         Retention::SinkWindow(5, 9)};
  RunChurn(60, true, 0, groups);
  RunChurn(60, false, 0, groups);
  RunChurn(48, true, 40, groups);
}

TEST(KVCacheThreadsTest, OnePrefixCommittedByManyThreadsAtOnceIsPublicOnce) {
  MemoryBlockStoreOptions options;
  options.block_tokens = kBlock;
  options.capacity_blocks = 4096;
  auto store = *MemoryBlockStore::Create(options);
  KVCacheOptions cache_options;
  cache_options.block_tokens = kBlock;
  KVCache cache = *KVCache::Create(store.get(), cache_options);
  const std::vector<TokenId> ids(101, 7);
  std::atomic<size_t> ready{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 64; ++t) {
    threads.emplace_back([&] {
      KVRequest request;
      request.tokens = ids;
      request.read = false;
      Lease lease = *cache.Acquire(request);
      ready.fetch_add(1);
      while (ready.load() < 64) std::this_thread::yield();
      EXPECT_TRUE(lease.Commit(101).ok());
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(store->allocated_blocks(), 25u);
  EXPECT_EQ(cache.GetStats().deduped_blocks, 63u * 25);
  EXPECT_TRUE(cache.CheckInvariants().ok());
}

}  // namespace
}  // namespace penstock
