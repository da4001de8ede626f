// SPDX-License-Identifier: Apache-2.0
//
// The second tier, one promise a test: hosts that fail, hosts that are late, and what comes back.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/faulty_block_store.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

constexpr size_t kB = 4;

std::vector<TokenId> Iota(size_t n, TokenId first = 1) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

KVRequest Request(const std::vector<TokenId>& ids) {
  KVRequest request;
  request.tokens = ids;
  return request;
}

struct Host {
  explicit Host(size_t capacity, size_t lower, size_t groups = 1, Tier tier = Tier::kHost,
                const std::string& path = "") {
    MemoryBlockStoreOptions store;
    store.block_tokens = kB;
    store.capacity_blocks = capacity;
    store.host_capacity_blocks = store.disk_capacity_blocks = lower;
    store.groups = groups;
    store.disk_path = path;
    store.poison_freed = true;
    memory = *MemoryBlockStore::Create(store);
    faulty = std::make_unique<FaultyBlockStore>(memory.get());
    options.block_tokens = kB;
    options.groups.resize(groups);
    options.capacity_blocks = capacity;
    options.policy = [] { return NewLruPolicy(); };
    options.event_capacity = 1000;
    options.second_tier.emplace();
    options.second_tier->tier = tier;
    options.second_tier->capacity_blocks = lower;
    cache.emplace(*KVCache::Create(faulty.get(), options));
  }

  absl::Status Put(const std::vector<TokenId>& ids, std::optional<double> p = std::nullopt) {
    KVRequest request = Request(ids);
    request.hint.p_reuse = p;
    absl::StatusOr<Lease> lease = cache->Acquire(request);
    if (!lease.ok()) return lease.status();
    Write(*lease, ids);
    return lease->Commit(ids.size());
  }
  void Write(Lease& lease, const std::vector<TokenId>& ids) {
    for (size_t t = lease.matched_tokens(); t < ids.size(); ++t) {
      for (size_t g = 0; g < options.groups.size(); ++g) {
        memory->Keys(lease.blocks(static_cast<GroupId>(g))[t / kB], 0)[t % kB] =
            static_cast<float>(ids[t]);
      }
    }
  }
  void ExpectReadable(const Lease& lease, const std::vector<TokenId>& ids) {
    for (size_t t = 0; t < lease.matched_tokens(); ++t) {
      for (size_t g = 0; g < options.groups.size(); ++g) {
        ASSERT_EQ(memory->Keys(lease.blocks(static_cast<GroupId>(g))[t / kB], 0)[t % kB],
                  static_cast<float>(ids[t]))
            << t;
      }
    }
  }
  void End() {
    EXPECT_OK(cache->CheckInvariants());
    cache.reset();
    EXPECT_EQ(faulty->live(), 0u);
  }

  KVCacheOptions options;
  std::unique_ptr<MemoryBlockStore> memory;
  std::unique_ptr<FaultyBlockStore> faulty;
  std::optional<KVCache> cache;
};

TEST(KVCacheTierTest, WhatWasEvictedIsOffloadedAndLoadedBack) {
  for (Tier tier : {Tier::kHost, Tier::kDisk}) {
    Host host(4, 8, 1, tier);
    ASSERT_OK(host.Put(Iota(16)));
    ASSERT_OK(host.Put(Iota(16, 50)));
    EXPECT_EQ(host.cache->GetStats().offloads, 4u);
    EXPECT_EQ(host.memory->allocated_blocks(tier), 4u);
    std::vector<TokenId> again = Iota(16);
    EXPECT_EQ(host.cache->Peek(Request(again)).tokens, 12u);
    EXPECT_EQ(host.cache->Peek(Request(again)).offloaded_tokens, 12u);
    Lease lease = *host.cache->Acquire(Request(again));
    EXPECT_EQ(lease.matched_tokens(), 12u);
    host.ExpectReadable(lease, again);
    EXPECT_EQ(host.cache->GetStats().total.loaded_tokens, 12u);
    EXPECT_EQ(host.cache->GetStats().total.hit_tokens, 12u);
    lease.Release();
    host.End();
  }
}

std::string DiskPath(const char* name) {
  const std::string path = ::testing::TempDir() + "penstock_tier_" + name;
  std::remove(path.c_str());
  return path;
}

TEST(KVCacheDiskTest, BlocksComeBackFromAFileThatGoesWithTheStore) {
  const std::string path = DiskPath("back");
  {
    Host host(4, 8, 2, Tier::kDisk, path);
    ASSERT_OK(host.Put(Iota(16)));
    ASSERT_OK(host.Put(Iota(16, 50)));
    EXPECT_EQ(host.cache->GetStats().offloads, 4u);
    EXPECT_TRUE(std::ifstream(path).good());
    for (TokenId first : {1, 50, 1}) {
      Lease lease = *host.cache->Acquire(Request(Iota(16, first)));
      EXPECT_EQ(lease.matched_tokens(), 12u);
      host.ExpectReadable(lease, Iota(16, first));
    }
    host.End();
  }
  EXPECT_FALSE(std::ifstream(path).good());
}

TEST(KVCacheDiskTest, ATruncatedFileIsAMiss) {
  const std::string path = DiskPath("truncated");
  Host host(4, 8, 1, Tier::kDisk, path);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  std::ofstream(path, std::ios::binary | std::ios::trunc) << "x";
  {
    Lease lease = *host.cache->Acquire(Request(Iota(16)));
    EXPECT_EQ(lease.matched_tokens(), 0u);
  }
  EXPECT_EQ(host.cache->Peek(Request(Iota(16))).tokens, 0u);  // damaged copies are forgotten
  ASSERT_OK(host.Put(Iota(16)));                              // and the file serves again
  ASSERT_OK(host.Put(Iota(16, 90)));
  Lease lease = *host.cache->Acquire(Request(Iota(16)));
  EXPECT_EQ(lease.matched_tokens(), 12u);
  host.ExpectReadable(lease, Iota(16));
  lease.Release();
  host.End();
}

TEST(KVCacheDiskTest, OneFlippedBitAnywhereIsAMissAndNeverAWrongBlock) {
  const std::string path = DiskPath("flipped");
  const size_t bytes = kB * 2 * sizeof(float);  // of a block: one key and one value a token
  for (size_t at = 0; at < 4 * bytes; ++at) {
    Host host(5, 8, 1, Tier::kDisk, path);
    ASSERT_OK(host.Put(Iota(16)));
    ASSERT_OK(host.Put(Iota(20, 50)));
    {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const int byte = file.get();
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(byte ^ (1 << at % 8)));
    }
    Lease lease = *host.cache->Acquire(Request(Iota(17)));
    EXPECT_LT(lease.matched_tokens(), 16u) << at;
    host.ExpectReadable(lease, Iota(16));
    lease.Release();
    host.End();
  }
}

TEST(KVCacheDiskTest, BlocksThatChangedPlacesAreAMiss) {
  const std::string path = DiskPath("swapped");
  const size_t bytes = kB * 2 * sizeof(float);
  Host host(5, 8, 1, Tier::kDisk, path);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(20, 50)));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string four(4 * bytes, '\0');
    file.read(&four[0], static_cast<std::streamsize>(four.size()));
    file.seekp(0);
    file << four.substr(bytes, bytes) << four.substr(0, bytes) << four.substr(3 * bytes)
         << four.substr(2 * bytes, bytes);
  }
  Lease lease = *host.cache->Acquire(Request(Iota(17)));
  EXPECT_EQ(lease.matched_tokens(), 0u);
  lease.Release();
  host.End();
}

TEST(KVCacheDiskTest, AFileThatIsThereIsNotTouchedAndAFolderThatIsNotIsAnError) {
  const std::string path = DiskPath("there");
  std::ofstream(path) << "mine";
  MemoryBlockStoreOptions options;
  options.disk_capacity_blocks = 4;
  options.disk_path = path;
  EXPECT_EQ(MemoryBlockStore::Create(options).status().code(), absl::StatusCode::kAlreadyExists);
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "mine");
  std::remove(path.c_str());
  options.disk_path = path + "/no/such/folder";
  EXPECT_EQ(MemoryBlockStore::Create(options).status().code(), absl::StatusCode::kUnavailable);
}

#ifdef __linux__
TEST(KVCacheDiskTest, AFullDiskIsAnErrorOfTheWrite) {
  // The process' limit on the size of files stands for it.
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  const std::string path = DiskPath("full");
  Host host(4, 8, 1, Tier::kDisk, path);
  ASSERT_OK(host.Put(Iota(16)));
  struct rlimit none = old;
  none.rlim_cur = kB * 2 * sizeof(float) * 2;  // two blocks
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  const absl::Status put = host.Put(Iota(16, 50));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, previous);
  EXPECT_OK(put);
  EXPECT_EQ(host.cache->GetStats().lost_offloads, 4u);
  EXPECT_EQ(host.cache->Peek(Request(Iota(16))).tokens, 0u);
  host.End();
}
#endif

TEST(KVCacheTierTest, ABlockStandsInOneTierAtATimeAndEveryMoveIsAnEvent) {
  Host host(2, 8);
  ASSERT_OK(host.Put(Iota(8)));
  ASSERT_OK(host.Put(Iota(8, 50)));
  { Lease lease = *host.cache->Acquire(Request(Iota(8))); }
  std::vector<KVEvent::Kind> kinds;
  std::vector<Tier> tiers;
  const auto first = StableBlockIds(Scope(), Iota(8), {}, kB)[0];
  for (const KVEvent& e : host.cache->EventsSince(0).events) {
    if (e.id != first) continue;
    kinds.push_back(e.kind);
    tiers.push_back(e.tier);
  }
  using Kind = KVEvent::Kind;
  EXPECT_THAT(kinds, ::testing::ElementsAre(Kind::kStored, Kind::kTierChanged, Kind::kTierChanged));
  EXPECT_THAT(tiers, ::testing::ElementsAre(Tier::kDevice, Tier::kHost, Tier::kDevice));
  host.End();
}

TEST(KVCacheTierTest, WhatIsNotWorthKeepingIsForgotten) {
  Host host(4, 8);
  host.options.second_tier->min_p_reuse = 0.2;
  host.cache.emplace(*KVCache::Create(host.faulty.get(), host.options));
  ASSERT_OK(host.Put(Iota(16), 0.1));
  ASSERT_OK(host.Put(Iota(16, 50), 0.2));
  EXPECT_EQ(host.cache->GetStats().offloads, 0u);
  EXPECT_EQ(host.cache->GetStats().total.evicted_blocks, 4u);
  ASSERT_OK(host.Put(Iota(16, 90)));
  EXPECT_EQ(host.cache->GetStats().offloads, 4u);
  host.End();
}

TEST(KVCacheTierTest, AFullTierForgetsTheOldestLeafFirst) {
  Host host(4, 6);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  ASSERT_OK(host.Put(Iota(16, 90)));  // the tails of the first go
  EXPECT_EQ(host.cache->GetStats().offloaded_blocks, 6u);
  EXPECT_EQ(host.cache->Peek(Request(Iota(17))).tokens, 8u);
  EXPECT_EQ(host.cache->Peek(Request(Iota(17, 50))).tokens, 16u);
  host.End();
}

TEST(KVCacheTierTest, AFailedOffloadIsAnEviction) {
  for (size_t k : {1, 2, 3, 4}) {  // Allocate of two groups, Transfer, the lease's Allocate
    Host host(4, 8, 2);
    ASSERT_OK(host.Put(Iota(16)));
    host.faulty->FailCall(k, absl::UnavailableError("cable pulled"));
    const absl::Status put = host.Put(Iota(16, 50));
    EXPECT_EQ(put.ok(), k < 4) << k;
    EXPECT_EQ(host.cache->GetStats().lost_offloads, k < 4 ? 4u : 0u);
    EXPECT_EQ(host.cache->GetStats().offloaded_blocks, k < 4 ? 0u : 4u);
    EXPECT_OK(host.Put(Iota(16, 90)));
    host.End();
  }
}

TEST(KVCacheTierTest, AFailedLoadIsAMissAndLosesNothing) {
  Host host(4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(8, 50)));
  ASSERT_EQ(host.cache->Peek(Request(Iota(16))).offloaded_tokens, 4u);
  host.faulty->FailTransfers(Tier::kDevice, absl::UnavailableError("cable pulled"));
  {
    Lease lease = *host.cache->Acquire(Request(Iota(16)));
    EXPECT_EQ(lease.matched_tokens(), 8u);
    host.ExpectReadable(lease, Iota(16));
    EXPECT_EQ(host.cache->GetStats().total.loaded_tokens, 0u);
  }
  EXPECT_EQ(host.cache->Peek(Request(Iota(16))).tokens, 12u);
  host.faulty->FailTransfers(Tier::kDevice, absl::OkStatus());
  Lease lease = *host.cache->Acquire(Request(Iota(16)));
  EXPECT_EQ(lease.matched_tokens(), 12u);
  host.ExpectReadable(lease, Iota(16));
  lease.Release();
  host.End();
}

TEST(KVCacheTierTest, DamagedCopiesAreForgotten) {
  Host host(4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  host.faulty->FailTransfers(Tier::kDevice, absl::DataLossError("checksum"));
  { EXPECT_EQ(host.cache->Acquire(Request(Iota(16)))->matched_tokens(), 0u); }
  EXPECT_EQ(host.cache->Peek(Request(Iota(16))).tokens, 0u);
  host.End();
}

TEST(KVCacheTierTest, ACommitOfAnOffloadedBlockBringsItBackWithoutALoad) {
  Host host(4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  KVRequest request = Request(Iota(16));
  const std::vector<TokenId> ids = Iota(16);
  request.tokens = ids;
  request.read = false;
  Lease lease = *host.cache->Acquire(request);
  host.Write(lease, ids);
  ASSERT_OK(lease.Commit(16));
  EXPECT_EQ(lease.deduped_blocks(), 0u);
  EXPECT_EQ(host.cache->GetStats().offloaded_blocks, 4u);  // the other prompt's
  EXPECT_EQ(host.cache->GetStats().loads, 0u);
  lease.Release();
  host.End();
}

TEST(KVCacheTierTest, NobodyWaitsForALateOffload) {
  Host host(8, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  host.faulty->HoldTransfers(true);
  ASSERT_OK(host.Put(Iota(8, 90)));  // two move, two others go
  EXPECT_EQ(host.cache->GetStats().late_transfers, 1u);
  EXPECT_EQ(host.cache->GetStats().total.evicted_blocks, 2u);
  EXPECT_EQ(host.cache->GetStats().device_blocks, 8u);
  EXPECT_OK(host.cache->CheckInvariants());
  EXPECT_EQ(host.cache->Peek(Request(Iota(17))).tokens, 0u);  // its tail moves, its head is gone
  host.faulty->HoldTransfers(false);
  host.faulty->Deliver(absl::OkStatus());
  EXPECT_EQ(host.cache->GetStats().device_blocks, 6u);
  EXPECT_EQ(host.cache->GetStats().offloaded_blocks, 0u);
  host.End();
}

TEST(KVCacheTierTest, ALateLoadIsAMissNowAndAHitLater) {
  Host host(8, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(32, 50)));
  host.faulty->HoldTransfers(true);
  {
    Lease lease = *host.cache->Acquire(Request(Iota(12)));
    EXPECT_EQ(lease.matched_tokens(), 0u);
    EXPECT_OK(host.cache->CheckInvariants());
  }
  host.faulty->HoldTransfers(false);
  host.faulty->Deliver(absl::OkStatus());
  EXPECT_OK(host.cache->CheckInvariants());
  const Match match = host.cache->Peek(Request(Iota(12)));
  EXPECT_EQ(match.tokens, 8u);
  EXPECT_EQ(match.offloaded_tokens, 0u);
  Lease lease = *host.cache->Acquire(Request(Iota(12)));
  host.ExpectReadable(lease, Iota(12));
  lease.Release();
  host.End();
}

TEST(KVCacheTierTest, ATransferThatEndsAfterTheCacheOrItsScopeFreesEverything) {
  for (bool whole_cache : {false, true}) {
    for (const absl::Status& end : {absl::OkStatus(), absl::InternalError("late bug")}) {
      Host host(8, 16);
      ASSERT_OK(host.Put(Iota(16)));
      ASSERT_OK(host.Put(Iota(32, 50)));
      host.faulty->HoldTransfers(true);
      { absl::StatusOr<Lease> lease = host.cache->Acquire(Request(Iota(12))); }  // a load
      ASSERT_OK(host.Put(Iota(8, 200)));                                         // an offload
      if (whole_cache) {
        host.cache.reset();
      } else {
        host.cache->Drop(Scope());
        EXPECT_OK(host.cache->CheckInvariants());
      }
      host.faulty->HoldTransfers(false);
      host.faulty->Deliver(end);
      if (!whole_cache) {
        EXPECT_OK(host.cache->CheckInvariants());
        EXPECT_OK(host.Put(Iota(16)));
        host.cache.reset();
      }
      EXPECT_EQ(host.faulty->live(), 0u);
    }
  }
}

TEST(KVCacheTierTest, ACommitOvertakesAMoveUnderWay) {
  Host host(8, 16);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  host.faulty->HoldTransfers(true);
  ASSERT_OK(host.Put(Iota(4, 90)));  // the tail of the first moves out, late
  ASSERT_OK(host.Put(Iota(16)));     // and is computed again meanwhile
  EXPECT_OK(host.cache->CheckInvariants());
  host.faulty->HoldTransfers(false);
  host.faulty->Deliver(absl::OkStatus());
  EXPECT_OK(host.cache->CheckInvariants());
  Lease lease = *host.cache->Acquire(Request(Iota(16)));
  EXPECT_EQ(lease.matched_tokens(), 15u);
  host.ExpectReadable(lease, Iota(16));
  lease.Release();
  host.End();
}

TEST(KVCacheTierTest, AnErrorAtEveryCallLeaksNothingAndBreaksNothing) {
  for (const auto& fault :
       {absl::ResourceExhaustedError("full"), absl::UnavailableError("cable pulled"),
        absl::DataLossError("checksum")}) {
    for (size_t groups : {1, 2}) {
      for (size_t k = 1; k < 50; ++k) {
        SCOPED_TRACE(testing::Message() << fault << " at call " << k << ", " << groups);
        Host host(8, 6, groups);
        host.faulty->FailCall(k, fault);
        for (TokenId first : {1, 100, 200, 1, 300, 100, 1, 200}) {
          const std::vector<TokenId> ids = Iota(17, first);
          absl::StatusOr<Lease> lease = host.cache->Acquire(Request(ids));
          if (!lease.ok()) continue;
          host.ExpectReadable(*lease, ids);
          host.Write(*lease, ids);
          ASSERT_OK(lease->Commit(17));
          ASSERT_OK(host.cache->CheckInvariants());
        }
        const KVCacheStats s = host.cache->GetStats();
        EXPECT_EQ(host.faulty->live(), s.device_blocks + s.offloaded_blocks * groups);
        host.faulty->FailCall(0, absl::OkStatus());
        EXPECT_OK(host.Put(Iota(13, 7)));
        host.End();
      }
    }
  }
}

TEST(KVCacheTierTest, SnapshotAndRestoreKeepBothTiers) {
  Host host(4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 50)));
  const std::string snapshot = host.cache->Snapshot();
  Host fresh(4, 8);
  const RestoreReport report =
      *fresh.cache->Restore(snapshot, [&](absl::Span<const RestoredBlock> blocks) {
        for (const RestoredBlock& b : blocks) {
          const auto from = host.memory->Keys(b.saved, 0);
          std::copy(from.begin(), from.end(), fresh.memory->Keys(b.now, 0).begin());
        }
        return absl::OkStatus();
      });
  EXPECT_EQ(report.restored, 8u);
  EXPECT_EQ(fresh.cache->GetStats().offloaded_blocks, 4u);
  EXPECT_OK(fresh.cache->CheckInvariants());
  for (TokenId first : {1, 50}) {
    Lease lease = *fresh.cache->Acquire(Request(Iota(16, first)));
    EXPECT_EQ(lease.matched_tokens(), 12u);
    fresh.ExpectReadable(lease, Iota(16, first));
  }
  fresh.End();
}

}  // namespace
}  // namespace penstock
