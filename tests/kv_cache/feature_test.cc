// SPDX-License-Identifier: Apache-2.0
//
// Single flight, events, snapshots, the miner, truncation and layered retention.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "penstock/kv_cache/prompt_miner.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<TokenId> Iota(size_t n, TokenId first = 1) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

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

TEST(TruncationTest, EachRuleKeepsWhatItSays) {
  const std::vector<TokenId> ids = Iota(10, 0);
  const auto cut = [&](Truncation::Kind kind, size_t limit, size_t sink, size_t stride) {
    Truncation rule;
    rule.kind = kind;
    rule.limit_tokens = limit;
    rule.sink_tokens = sink;
    rule.stride_tokens = stride;
    return TruncatePrompt(ids, rule);
  };
  using K = Truncation::Kind;
  EXPECT_THAT(cut(K::kReject, 9, 0, 0),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("10 tokens")));
  EXPECT_EQ(cut(K::kReject, 10, 0, 0)->dropped_tokens, 0u);
  EXPECT_THAT(cut(K::kKeepHead, 4, 0, 0)->tokens, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(cut(K::kKeepTail, 4, 0, 0)->tokens, ElementsAre(6, 7, 8, 9));
  EXPECT_THAT(cut(K::kSinkTail, 4, 1, 0)->tokens, ElementsAre(0, 7, 8, 9));
  EXPECT_THAT(cut(K::kStride, 6, 1, 3)->tokens, ElementsAre(0, 7, 8, 9));
  EXPECT_EQ(cut(K::kStride, 6, 1, 3)->dropped_tokens, 6u);
  EXPECT_THAT(cut(K::kStride, 6, 1, 6),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stride_tokens")));
  EXPECT_THAT(cut(K::kSinkTail, 6, 6, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sink_tokens")));
  EXPECT_THAT(cut(K::kReject, 0, 0, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit_tokens")));
}

// A chat that grows by 6 tokens a turn, in a context of 64.
size_t HitsOfAGrowingChat(Truncation::Kind kind) {
  Host host(400);
  Truncation rule;
  rule.kind = kind;
  rule.limit_tokens = 64;
  rule.sink_tokens = 8;
  rule.stride_tokens = 24;
  for (size_t turn = 1; turn <= 40; ++turn) {
    host.Put(TruncatePrompt(Iota(6 * turn), rule)->tokens);
  }
  return host.cache->GetStats().total.hit_tokens;
}

TEST(TruncationTest, StridesKeepReuseWhereATailLosesIt) {
  EXPECT_GT(HitsOfAGrowingChat(Truncation::Kind::kStride),
            2 * HitsOfAGrowingChat(Truncation::Kind::kSinkTail));
}

TEST(TruncationTest, WhatEachRuleLostIsCountedApartAndByScope) {
  KVCacheOptions options;
  options.capacity_blocks = 40;
  Host host(40, options);
  Truncation tail;
  tail.kind = Truncation::Kind::kSinkTail;
  tail.limit_tokens = 16;
  tail.sink_tokens = 4;
  Truncation stride = tail;
  stride.kind = Truncation::Kind::kStride;
  stride.stride_tokens = 8;
  const auto use = [&](size_t prompt, const Truncation& rule, const char* tenant) {
    const Truncated cut = *TruncatePrompt(Iota(prompt), rule);
    KVRequest request = Host::Request(cut.tokens);
    request.scope.tenant = tenant;
    request.truncated = &cut;
    Lease lease = *host.cache->Acquire(request);
    EXPECT_OK(lease.Commit(cut.tokens.size()));
    EXPECT_OK(host.cache->CheckInvariants());
  };
  use(12, tail, "a");    // fits: not cut
  use(18, tail, "a");    // keeps 1..4, 7..18; hits the sink
  use(20, tail, "a");    // cut elsewhere: the tail is computed again
  use(20, stride, "b");  // keeps 1..4, 13..20
  use(22, stride, "b");  // cut at the same place: hits 13..20, not 21, 22
  const auto of = [&](const KVScopeStats& s, Truncation::Kind kind) {
    return s.truncation[static_cast<size_t>(kind)];
  };
  const KVTruncationStats a = of(host.cache->GetStats().total, Truncation::Kind::kSinkTail);
  EXPECT_EQ(a.requests, 2u);
  EXPECT_EQ(a.dropped_tokens, 2u + 4u);
  EXPECT_EQ(a.tail_tokens, 12u + 12u);
  EXPECT_EQ(a.missed_tail_tokens, 12u + 12u);
  EXPECT_EQ(a.prefix_breaks, 2u);
  const KVTruncationStats b = of(host.cache->GetStats().total, Truncation::Kind::kStride);
  EXPECT_EQ(b.requests, 2u);
  EXPECT_EQ(b.dropped_tokens, 8u + 8u);
  EXPECT_EQ(b.tail_tokens, 8u + 10u);
  EXPECT_EQ(b.missed_tail_tokens, 8u + 2u);
  EXPECT_EQ(b.prefix_breaks, 1u);
  Scope scope;
  scope.tenant = "b";
  const KVScopeStats mine = *host.cache->GetScopeStats(scope);
  EXPECT_EQ(of(mine, Truncation::Kind::kStride).dropped_tokens, 16u);
  EXPECT_EQ(of(mine, Truncation::Kind::kSinkTail).requests, 0u);
  EXPECT_EQ(of(mine, Truncation::Kind::kKeepHead).requests, 0u);
  const std::vector<TokenId> huge = Iota(400);  // refused: nothing is counted
  const Truncated cut = *TruncatePrompt(huge, [] {
    Truncation rule;
    rule.kind = Truncation::Kind::kKeepHead;
    rule.limit_tokens = 300;
    return rule;
  }());
  KVRequest refused = Host::Request(cut.tokens);
  refused.truncated = &cut;
  EXPECT_FALSE(host.cache->Acquire(refused).ok());
  EXPECT_EQ(of(host.cache->GetStats().total, Truncation::Kind::kKeepHead).requests, 0u);
}

TEST(FitRetentionTest, BytesGoWhereAttentionIs) {
  AttentionProfile near, far;
  near.mass_by_distance.assign(100, 0);
  for (size_t d = 0; d < 10; ++d) near.mass_by_distance[d] = 1;
  far.mass_by_distance.assign(100, 0.5);
  const FittedRetention fitted = *FitRetention({near, far}, 0, 60);
  EXPECT_EQ(fitted.groups[0].window_tokens, 10u);
  EXPECT_EQ(fitted.groups[1].window_tokens, 50u);
  EXPECT_DOUBLE_EQ(fitted.kept_mass[0], 1);
  EXPECT_DOUBLE_EQ(fitted.kept_mass[1], 0.5);
  EXPECT_DOUBLE_EQ(fitted.bytes, 60);
  EXPECT_EQ(FitRetention({near, far}, 0, 1000)->groups[1].kind, Retention::Kind::kFull);
  EXPECT_THAT(FitRetention({near}, 4, 4),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("budget_bytes")));
  EXPECT_THAT(FitRetention({}, 0, 4),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("profiles")));
}

TEST(FitRetentionTest, NoOtherSplitOfTheBudgetKeepsMore) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(200); ++round) {
    std::vector<AttentionProfile> profiles(2);
    for (AttentionProfile& p : profiles) {
      double mass = 1000;
      for (int d = 0; d < 12; ++d) {  // falling, as attention does
        p.mass_by_distance.push_back(mass);
        mass *= static_cast<double>(random.Below(100)) / 100;
      }
    }
    const size_t budget = 2 + random.Below(22);
    const FittedRetention fitted = *FitRetention(profiles, 0, static_cast<double>(budget));
    const auto kept = [&](size_t a, size_t b) {
      return std::accumulate(profiles[0].mass_by_distance.begin(),
                             profiles[0].mass_by_distance.begin() + static_cast<ptrdiff_t>(a),
                             0.0) +
             std::accumulate(profiles[1].mass_by_distance.begin(),
                             profiles[1].mass_by_distance.begin() + static_cast<ptrdiff_t>(b), 0.0);
    };
    const auto window = [&](size_t g) {
      return fitted.groups[g].kind == Retention::Kind::kFull ? 12 : fitted.groups[g].window_tokens;
    };
    double best = 0;
    for (size_t a = 1; a <= 12 && a < budget; ++a)
      best = std::max(best, kept(a, std::min<size_t>(12, budget - a)));
    EXPECT_GE(kept(window(0), window(1)), best * (1 - 1e-12));
  }
}

TEST(RetentionTest, AWindowGroupGivesBackWhatNoLaterTokenSees) {
  KVCacheOptions options;
  options.groups = {Retention::Full(), Retention::SinkWindow(4, 8)};
  Host host(64, options);
  KVRequest request;
  const std::vector<TokenId> ids = Iota(30);
  request.tokens = ids;
  request.publish = false;
  Lease lease = *host.cache->Acquire(request);
  ASSERT_OK(lease.Commit(30));
  EXPECT_EQ(lease.ApplyRetention(),
            4u);  // of 8 blocks the sink's and those of tokens 23 .. 30 stay
  const absl::Span<const BlockId> window = lease.blocks(static_cast<GroupId>(1));
  for (size_t i = 0; i < window.size(); ++i)
    EXPECT_EQ(window[i] == kNoBlock, i >= 1 && i <= 4) << i;
  for (BlockId id : lease.blocks()) EXPECT_NE(id, kNoBlock);
  EXPECT_EQ(lease.ApplyRetention(), 0u);
  EXPECT_OK(host.cache->CheckInvariants());
  lease.Release();
  EXPECT_EQ(host.store->allocated_blocks(), 0u);
  const KVCacheStats stats = host.cache->GetStats();
  ASSERT_EQ(stats.retention.size(), 2u);
  EXPECT_EQ(stats.retention[0].dropped_blocks, 0u);
  EXPECT_EQ(stats.retention[1].dropped_blocks, 4u);
  EXPECT_EQ(stats.retention[1].dropped_tokens, 16u);
}

TEST(RetentionTest, ATruncationIntoAWindowThatWasGivenBackIsRefused) {
  for (const bool publish : {false, true}) {
    KVCacheOptions options;
    options.groups = {Retention::Full(), Retention::SinkWindow(4, 8)};
    Host host(64, options);
    KVRequest request;
    const std::vector<TokenId> ids = Iota(30);
    request.tokens = ids;
    request.publish = publish;
    Lease lease = *host.cache->Acquire(request);
    ASSERT_OK(lease.Commit(30));
    lease.ApplyRetention();  // group 1 keeps the sink, block 0, and blocks 5 .. 7
    const std::vector<BlockId> before(lease.blocks(GroupId{1}).begin(),
                                      lease.blocks(GroupId{1}).end());
    for (const size_t end : {26u, 10u, 5u}) {  // token 26 attends 19 .. 26: block 4
      EXPECT_THAT(lease.Truncate(end),
                  StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("group 1")))
          << end;
    }
    EXPECT_EQ(lease.tokens(), 30u);
    EXPECT_EQ(
        std::vector<BlockId>(lease.blocks(GroupId{1}).begin(), lease.blocks(GroupId{1}).end()),
        before);
    EXPECT_OK(lease.Truncate(27));  // attends 20 .. 27: blocks 5, 6
    EXPECT_OK(lease.Truncate(27));
    for (size_t i = 5; i < 7; ++i) EXPECT_NE(lease.blocks(GroupId{1})[i], kNoBlock);
    EXPECT_OK(host.cache->CheckInvariants());
  }
}

TEST(RetentionTest, AForkHasNoBlocksWhereItsParentGaveThemBack) {
  KVCacheOptions options;
  options.groups = {Retention::Full(), Retention::SinkWindow(4, 8)};
  Host host(64, options);
  KVRequest request;
  const std::vector<TokenId> ids = Iota(30);
  request.tokens = ids;
  request.publish = false;
  Lease lease = *host.cache->Acquire(request);
  ASSERT_OK(lease.Commit(30));
  lease.ApplyRetention();
  const size_t one = host.store->allocated_blocks();
  Lease fork = *lease.Fork();
  EXPECT_EQ(host.store->allocated_blocks(), 2 * one);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(fork.blocks(GroupId{1})[i] == kNoBlock, i >= 1 && i <= 4) << i;
  }
  EXPECT_THAT(fork.Truncate(10),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("group 1")));
  EXPECT_OK(host.cache->CheckInvariants());
  lease.Release();
  fork.Release();
  EXPECT_EQ(host.store->allocated_blocks(), 0u);
}

// No lease of ours publishes a hole; a snapshot may bring one where the group's rule allows it.
TEST(RetentionTest, APrefixThatNeedsAMissingBlockIsCutShortAndCounted) {
  KVCacheOptions options;
  options.groups = {Retention::Full(), Retention::SinkWindow(4, 8)};
  Host before(64, options), after(64, options);
  before.Put(Iota(28));
  std::string bytes = before.cache->Snapshot();
  bytes.resize(bytes.size() - 32);
  constexpr size_t kRecord = 4 + 4 + 1 + 4 * 4 + 4 + 2 * 8;  // one of 7, its last 8 bytes group 1's
  bytes.replace(bytes.size() - 2 * kRecord - 8, 8, 8, '\xff');  // the block of tokens 16 .. 19
  internal::Sha256 hash;
  hash.Update(bytes);
  const auto digest = hash.Finish();
  bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  ASSERT_OK(after.cache->Restore(bytes, [](auto) { return absl::OkStatus(); }).status());
  EXPECT_OK(after.cache->CheckInvariants());
  {
    const Lease lease = *after.cache->Acquire(Host::Request(Iota(30)));
    EXPECT_EQ(lease.matched_tokens(), 28u);  // token 28 attends 21 and later
    EXPECT_EQ(lease.blocks(static_cast<GroupId>(1))[4], kNoBlock);
  }
  EXPECT_EQ(after.cache->GetStats().retention[1].unmatched_tokens, 0u);
  {
    const Lease lease = *after.cache->Acquire(Host::Request(Iota(25)));
    EXPECT_EQ(lease.matched_tokens(), 16u);  // token 24 attends 17, which is not there
  }
  const KVCacheStats stats = after.cache->GetStats();
  EXPECT_EQ(stats.retention[0].unmatched_tokens, 0u);
  EXPECT_EQ(stats.retention[1].unmatched_tokens, 8u);
}

}  // namespace
}  // namespace penstock
