// SPDX-License-Identifier: Apache-2.0
//
// Single flight, events, snapshots and the miner.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/prompt_miner.h"
#include "tests/kv_cache/small_host.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SingleFlightTest, APromptBeingComputedIsSeenAndItsEndIsTold) {
  Host host(64);
  const std::vector<TokenId> first = Iota(14);
  std::vector<TokenId> second = Iota(10);
  second.push_back(99);
  Lease lease = *host.cache->Acquire(Host::Request(first));
  EXPECT_EQ(host.cache->Peek(Host::Request(second)).in_flight_tokens, 8u);
  EXPECT_EQ(host.cache->Peek(Host::Request(Iota(8, 50))).in_flight_tokens, 0u);
  int called = 0;
  EXPECT_TRUE(host.cache->NotifyWhenComputed(Host::Request(second), [&] { ++called; }));
  EXPECT_FALSE(host.cache->NotifyWhenComputed(Host::Request(Iota(8, 50)), [&] { ++called; }));
  ASSERT_OK(lease.Commit(5));  // one of the two blocks
  EXPECT_EQ(called, 0);
  EXPECT_EQ(host.cache->Peek(Host::Request(second)).in_flight_tokens, 4u);
  ASSERT_OK(lease.Commit(9));
  EXPECT_EQ(called, 1);
  EXPECT_EQ(host.cache->Peek(Host::Request(second)).tokens, 8u);
  EXPECT_EQ(host.cache->Peek(Host::Request(second)).in_flight_tokens, 0u);
}

TEST(SingleFlightTest, WhoWaitsIsCalledWhenThePromptIsAbandoned) {
  Host host(64);
  const std::vector<TokenId> ids = Iota(14);
  std::optional<Lease> lease(*host.cache->Acquire(Host::Request(ids)));
  int called = 0;
  EXPECT_TRUE(host.cache->NotifyWhenComputed(Host::Request(ids), [&] {
    ++called;
    EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 0u);  // no lock is held
  }));
  EXPECT_TRUE(host.cache->NotifyWhenComputed(Host::Request(ids), [&] { ++called; }));
  lease.reset();
  EXPECT_EQ(called, 2);
  Lease again = *host.cache->Acquire(Host::Request(ids));
  EXPECT_TRUE(host.cache->NotifyWhenComputed(Host::Request(ids), [&] { ++called; }));
  ASSERT_OK(again.Truncate(3));
  EXPECT_EQ(called, 3);
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).in_flight_tokens, 0u);
}

TEST(SingleFlightTest, AnotherScopesPromptIsNotSeen) {
  Host host(64);
  const std::vector<TokenId> ids = Iota(14);
  Lease lease = *host.cache->Acquire(Host::Request(ids));
  KVRequest other = Host::Request(ids);
  other.scope.tenant = "b";
  Lease theirs = *host.cache->Acquire(other);
  theirs.Release();
  EXPECT_EQ(host.cache->Peek(other).in_flight_tokens, 0u);
  EXPECT_EQ(host.cache->GetScopeStats(other.scope)->in_flight_tokens, 0u);
  Lease mine = *host.cache->Acquire(Host::Request(ids));
  EXPECT_EQ(host.cache->GetStats().total.in_flight_tokens, 12u);
}

TEST(KVEventsTest, AFollowerThatAppliesEventsKnowsExactlyWhatIsCached) {
  KVCacheOptions options;
  options.event_capacity = 100000;
  options.capacity_blocks = 24;
  Host host(24, options);
  SeededRandom random;
  std::set<StableBlockId> follower, expected;
  std::map<std::vector<TokenId>, std::vector<StableBlockId>> prompts;
  uint64_t next = 0;
  for (size_t step = 0; step < Scaled(300); ++step) {
    std::vector<TokenId> ids(1 + random.Below(30));
    for (TokenId& id : ids) id = random.OneIn(4) ? 1 : 0;
    prompts[ids] = StableBlockIds(Scope(), ids, {}, 4);
    host.Put(ids);
    if (random.OneIn(50)) host.cache->Drop(Scope());
    const KVEventBatch batch = host.cache->EventsSince(next);
    EXPECT_FALSE(batch.gap);
    for (const KVEvent& e : batch.events) {
      EXPECT_EQ(e.sequence, next++);
      if (e.kind == KVEvent::Kind::kStored) {
        EXPECT_TRUE(follower.insert(e.id).second);
      } else {
        EXPECT_EQ(follower.erase(e.id), 1u);
      }
    }
    EXPECT_EQ(batch.next, next);
    EXPECT_EQ(follower.size(), host.cache->GetStats().total.cached_blocks);
  }
  for (const auto& [ids, names] : prompts) {  // the same ids as computed from outside
    std::vector<TokenId> longer = ids;
    longer.push_back(7);
    const size_t cached = host.cache->Peek(Host::Request(longer)).tokens / 4;
    for (size_t i = 0; i < names.size(); ++i)
      EXPECT_EQ(follower.count(names[i]), i < cached ? 1u : 0u);
  }
}

TEST(KVEventsTest, OverwrittenEventsAreAGapThatIsSaid) {
  KVCacheOptions options;
  options.event_capacity = 3;
  Host host(64, options);
  host.Put(Iota(20));
  KVEventBatch batch = host.cache->EventsSince(0);
  EXPECT_TRUE(batch.gap);
  ASSERT_EQ(batch.events.size(), 3u);
  EXPECT_EQ(batch.events[0].sequence, 2u);
  EXPECT_FALSE(host.cache->EventsSince(2).gap);
  EXPECT_FALSE(host.cache->EventsSince(batch.next).gap);
  EXPECT_TRUE(host.cache->EventsSince(batch.next).events.empty());
  EXPECT_TRUE(host.cache->EventsSince(1000).gap);
}

// These ids are API: whoever changes this value breaks every router and store that follows.
TEST(KVEventsTest, AStableIdIsTheSha256ThatTheHeaderSpells) {
  Scope scope;
  scope.model = "m";
  std::string root("penstock-kv-1\0", 14);
  root +=
      std::string("\x02\0\0\0", 4) + std::string("\x01\0\0\0\0\0\0\0m", 9) + std::string(24, '\0');
  internal::Sha256 hash;
  hash.Update(root);
  const StableBlockId root_id = hash.Finish();
  std::string block(root_id.begin(), root_id.end());
  block += std::string("\x05\0\0\0\x01\x02\0\0", 8);
  internal::Sha256 second;
  second.Update(block);
  EXPECT_THAT(StableBlockIds(scope, {5, 513}, {}, 2), ElementsAre(second.Finish()));
}

struct Saved {
  std::string snapshot;
  std::map<BlockId, float> first_key;
};

Saved Save(Host& host) {
  Saved saved;
  saved.snapshot = host.cache->Snapshot();
  return saved;
}

TEST(SnapshotTest, WhatWasCachedIsCachedAgainWithItsBytes) {
  Host before(64), after(64);
  KVRequest keyed;
  const std::vector<TokenId> a = Iota(16), b = Iota(12, 50);
  std::vector<TokenId> c = Iota(8);
  c.insert(c.end(), {90, 91, 92, 93});
  for (const auto& ids : {a, b, c}) before.Put(ids);
  const std::string snapshot = Save(before).snapshot;
  size_t loaded = 0;
  const RestoreReport report =
      *after.cache->Restore(snapshot, [&](absl::Span<const RestoredBlock> blocks) {
        for (const RestoredBlock& block : blocks) {
          const absl::Span<float> from = before.store->Keys(block.saved, 0);
          std::copy(from.begin(), from.end(), after.store->Keys(block.now, 0).begin());
          ++loaded;
        }
        return absl::OkStatus();
      });
  EXPECT_EQ(report.restored, 8u);
  EXPECT_EQ(loaded, 8u);
  EXPECT_OK(after.cache->CheckInvariants());
  for (std::vector<TokenId> ids : {a, b, c}) {
    ids.push_back(7);
    Lease lease = *after.cache->Acquire(Host::Request(ids));
    EXPECT_EQ(lease.matched_tokens(), ids.size() - 1);
    for (size_t t = 0; t + 1 < ids.size(); ++t) {
      EXPECT_EQ(after.store->Keys(lease.blocks()[t / 4], 0)[t % 4], static_cast<float>(ids[t]));
    }
  }
  const RestoreReport again =
      *after.cache->Restore(snapshot, [](auto) { return absl::OkStatus(); });
  EXPECT_EQ(again.present, 8u);
  after.cache.reset();
  EXPECT_EQ(after.store->allocated_blocks(), 0u);
}

TEST(SnapshotTest, AFailingLoadAndAFullCacheSkipWhatFollows) {
  Host before(64);
  before.Put(Iota(40));
  const std::string snapshot = before.cache->Snapshot();
  for (size_t k = 0; k < 12; ++k) {
    Host after(64);
    size_t call = 0;
    const RestoreReport report = *after.cache->Restore(snapshot, [&](auto) {
      return call++ == k ? absl::UnavailableError("disk") : absl::OkStatus();
    });
    EXPECT_EQ(report.restored + report.skipped + report.failed, 10u);
    EXPECT_EQ(report.restored, std::min<size_t>(k, 10));
    EXPECT_OK(after.cache->CheckInvariants());
    EXPECT_EQ(after.store->allocated_blocks(), report.restored);
  }
  KVCacheOptions small;
  small.capacity_blocks = 4;
  Host after(64, small);
  const RestoreReport report =
      *after.cache->Restore(snapshot, [](auto) { return absl::OkStatus(); });
  EXPECT_EQ(report.restored, 4u);
  EXPECT_EQ(after.cache->Peek(Host::Request(Iota(40))).tokens, 16u);
}

TEST(SnapshotTest, DamagedOrForeignBytesAreRefusedWhole) {
  Host before(64);
  KVRequest request = Host::Request(Iota(20));
  before.Put(Iota(20));
  const std::string snapshot = before.cache->Snapshot();
  Host after(64);
  const auto restore = [&](const std::string& bytes) {
    return after.cache->Restore(bytes, [](auto) { return absl::OkStatus(); }).status();
  };
  for (size_t i = 0; i < snapshot.size(); ++i) {
    std::string bad = snapshot;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    ASSERT_THAT(restore(bad), StatusIs(absl::StatusCode::kDataLoss)) << "bit of byte " << i;
    ASSERT_THAT(restore(snapshot.substr(0, i)), StatusIs(absl::StatusCode::kDataLoss))
        << "cut at " << i;
  }
  EXPECT_EQ(after.cache->GetStats().total.cached_blocks, 0u);
  MemoryBlockStoreOptions memory;
  memory.block_tokens = 8;
  auto store = *MemoryBlockStore::Create(memory);
  KVCacheOptions options;
  options.block_tokens = 8;
  KVCache other = *KVCache::Create(store.get(), options);
  EXPECT_THAT(other.Restore(snapshot, [](auto) { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("4 tokens a block")));
}

// A snapshot whose checksum is right and whose content is not.
TEST(SnapshotTest, RandomContentUnderARightChecksumNeverBreaksTheCache) {
  Host before(64);
  before.Put(Iota(20));
  before.Put(Iota(12, 30));
  const std::string snapshot = before.cache->Snapshot();
  SeededRandom random;
  for (size_t i = 0; i < Scaled(2000); ++i) {
    std::string bytes = snapshot.substr(0, snapshot.size() - 32);
    for (uint64_t k = 1 + random.Below(4); k > 0; --k) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random());
    }
    if (random.OneIn(4)) bytes.resize(random.Below(bytes.size()));
    internal::Sha256 hash;
    hash.Update(bytes);
    const auto digest = hash.Finish();
    bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    Host after(64);
    (void)after.cache->Restore(bytes, [](auto) { return absl::OkStatus(); });
    ASSERT_OK(after.cache->CheckInvariants());
    EXPECT_EQ(after.store->allocated_blocks(), after.cache->GetStats().total.cached_blocks);
  }
}

TEST(PromptMinerTest, TheMostFrequentPrefixesComeFirstAndFillTheBudget) {
  PromptMinerOptions options;
  options.block_tokens = 4;
  PromptMiner miner = *PromptMiner::Create(options);
  TokenId fresh = 10000;
  for (int i = 0; i < 100; ++i) {
    for (const auto& [first, times] : {std::pair<TokenId, int>{100, 3}, {200, 2}, {300, 1}}) {
      for (int k = 0; k < times; ++k) {
        std::vector<TokenId> ids = Iota(12, first);
        for (int j = 0; j < 8; ++j) ids.push_back(fresh++);
        miner.Observe({absl::Seconds(i), ids});
      }
    }
  }
  const std::vector<MinedPrompt> all = miner.Mine(1000);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].tokens, Iota(12, 100));
  EXPECT_EQ(all[1].tokens, Iota(12, 200));
  EXPECT_EQ(all[2].tokens, Iota(12, 300));
  EXPECT_EQ(all[0].new_tokens, 12u);
  EXPECT_GT(all[0].weight, all[1].weight);
  const std::vector<MinedPrompt> some = miner.Mine(16);
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[1].tokens, Iota(4, 200));
  EXPECT_TRUE(miner.Mine(3).empty());
}

TEST(PromptMinerTest, FewCountersStillFindWhatIsFrequentAmongOneOffs) {
  PromptMinerOptions options;
  options.block_tokens = 4;
  options.counters = 64;
  PromptMiner miner = *PromptMiner::Create(options);
  TokenId fresh = 10000;
  for (int i = 0; i < 2000; ++i) {
    miner.Observe({absl::Milliseconds(i), Iota(8, 100)});
    const std::vector<TokenId> once = Iota(16, fresh);
    fresh += 16;
    miner.Observe({absl::Milliseconds(i), once});
  }
  const std::vector<MinedPrompt> mined = miner.Mine(100);
  ASSERT_EQ(mined.size(), 1u);
  EXPECT_EQ(mined[0].tokens, Iota(8, 100));
}

// Space-Saving never reports more than was certainly seen, and what is heavier than 1/counters of
// everything is in it: checked against exact decayed counts, with ten times as many prefixes as
// counters.
TEST(PromptMinerTest, WeightsAreNeverAboveTheExactDecayedCountsAndCloseToThemForTheHeavy) {
  SeededRandom random;
  PromptMinerOptions options;
  options.block_tokens = 2;
  options.counters = 100;
  options.tau = absl::Seconds(400);
  options.min_weight = 0.001;
  PromptMiner miner = *PromptMiner::Create(options);
  std::map<TokenId, double> exact;  // one block each
  double total = 0;
  const int steps = 4000;
  for (int t = 0; t < steps; ++t) {
    // A quarter each to ten favourites in falling order, the rest to a thousand others.
    const TokenId id = random.OneIn(2) ? static_cast<TokenId>(random.Below(1 + random.Below(10)))
                                       : static_cast<TokenId>(100 + random.Below(1000));
    const std::vector<TokenId> prompt = {id, id};
    miner.Observe({absl::Seconds(t), prompt});
    const double weight = std::exp(static_cast<double>(t - (steps - 1)) / 400);
    exact[id] += weight;
    total += weight;
  }
  std::map<TokenId, double> mined;
  for (const MinedPrompt& p : miner.Mine(1000)) mined[p.tokens[0]] = p.weight;
  for (const auto& [id, weight] : mined) EXPECT_LE(weight, exact[id] * (1 + 1e-9)) << id;
  for (const auto& [id, weight] : exact) {
    if (weight > 2 * total / 100) {
      EXPECT_GE(mined[id], weight - total / 100) << id;
    }
  }
}

TEST(PromptMinerTest, OldFavouritesFadeAndTimeMayRunForEver) {
  PromptMinerOptions options;
  options.block_tokens = 4;
  options.tau = absl::Seconds(10);
  PromptMiner miner = *PromptMiner::Create(options);
  for (int i = 0; i < 1000; ++i) miner.Observe({absl::Milliseconds(i), Iota(4, 1)});
  for (int i = 0; i < 20; ++i) miner.Observe({absl::Seconds(100000 + i), Iota(4, 50)});
  const std::vector<MinedPrompt> mined = miner.Mine(100);
  ASSERT_EQ(mined.size(), 1u);
  EXPECT_EQ(mined[0].tokens, Iota(4, 50));
}

TEST(PromptMinerTest, FitPrefersTheDecayThatPredictsTheEnd) {
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < 1000; ++i) prompts.push_back(Iota(8, std::max(1, i / 100) * 1000 + 1));
  std::vector<LoggedPrompt> log;
  for (int i = 0; i < 1000; ++i)
    log.push_back({absl::Seconds(i), prompts[static_cast<size_t>(i < 850 ? i : 799)]});
  const std::vector<absl::Duration> taus = {absl::Hours(10), absl::Seconds(30)};
  PromptMinerOptions options;
  options.block_tokens = 4;
  EXPECT_EQ(*PromptMiner::Fit(log, taus, 8, options), absl::Seconds(30));
  EXPECT_THAT(PromptMiner::Fit(log, {}, 8, options), StatusIs(absl::StatusCode::kInvalidArgument));
  options.counters = 0;
  EXPECT_THAT(PromptMiner::Create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("counters")));
}

}  // namespace
}  // namespace penstock
