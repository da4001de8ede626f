// SPDX-License-Identifier: Apache-2.0
//
// What the session policy promises: it learns, it takes hints, it never picks what may not go.
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "kv_cache/ghost_table.h"
#include "kv_cache/reuse_model.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "penstock/testing/manual_clock.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

struct Cache {
  explicit Cache(size_t capacity) {
    MemoryBlockStoreOptions memory;
    memory.block_tokens = 2;
    memory.capacity_blocks = capacity + 1;
    store = *MemoryBlockStore::Create(memory);
    KVCacheOptions options;
    options.block_tokens = 2;
    options.capacity_blocks = capacity + 1;
    options.clock = &clock;
    options.min_partial_tokens.reset();
    cache.emplace(*KVCache::Create(store.get(), options));
  }

  size_t Use(const std::vector<TokenId>& blocks, const ReuseHint& hint = {}) {
    std::vector<TokenId> ids;
    for (TokenId b : blocks) ids.insert(ids.end(), 2, b);
    ids.push_back(0);
    KVRequest request;
    request.tokens = ids;
    request.hint = hint;
    Lease lease = *cache->Acquire(request);
    const size_t hits = lease.matched_tokens() / 2;
    EXPECT_OK(lease.Commit(ids.size()));
    return hits;
  }

  ManualClock clock;
  std::unique_ptr<MemoryBlockStore> store;
  std::optional<KVCache> cache;
};

std::vector<TokenId> Path(TokenId first, size_t n) {
  std::vector<TokenId> ids(n);
  for (size_t i = 0; i < n; ++i) ids[i] = first + static_cast<TokenId>(i);
  return ids;
}

TEST(SessionPolicyTest, WhatTheHostCallsHopelessGoesBeforeWhatItCallsLikely) {
  Cache c(40);
  ReuseHint likely, hopeless;
  likely.p_reuse = 0.95;
  hopeless.p_reuse = 0.02;
  for (TokenId i = 0; i < 4; ++i) c.Use(Path(1000 * i + 1, 5), likely);
  for (TokenId i = 10; i < 40; ++i) {
    c.clock.Advance(absl::Seconds(1));
    c.Use(Path(1000 * i + 1, 5), hopeless);
  }
  for (TokenId i = 0; i < 4; ++i) EXPECT_EQ(c.Use(Path(1000 * i + 1, 5), likely), 5u) << i;
}

TEST(SessionPolicyTest, AnExpiredTimeToLiveGoesFirst) {
  Cache c(20);
  ReuseHint brief;
  brief.ttl = absl::Seconds(10);
  c.Use(Path(1, 5));
  c.Use(Path(101, 5), brief);
  c.Use(Path(201, 5));
  c.clock.Advance(absl::Seconds(11));
  c.Use(Path(301, 10));
  EXPECT_EQ(c.Use(Path(101, 5)), 0u);
}

TEST(SessionPolicyTest, AHigherPriorityStaysLonger) {
  Cache c(20);
  ReuseHint high;
  high.priority = 100;
  c.Use(Path(1, 5), high);
  for (TokenId i = 1; i < 20; ++i) {
    c.clock.Advance(absl::Seconds(1));
    c.Use(Path(1000 * i + 1, 5));
  }
  EXPECT_EQ(c.Use(Path(1, 5)), 5u);
}

// Half of the conversations (those that end in a short turn) come back after a minute, between
// one-off requests.
TEST(SessionPolicyTest, ItLearnsWhichKindComesBackAndBeatsLru) {
  uint64_t hits[2];
  for (const bool lru : {false, true}) {
    Cache c(400);
    if (lru) {
      KVCacheOptions options = c.cache->options();
      options.policy = [] { return NewLruPolicy(); };
      c.cache.emplace(*KVCache::Create(c.store.get(), options));
    }
    std::mt19937_64 rng(7);
    TokenId fresh = 1;
    std::vector<std::vector<TokenId>> sessions;
    for (int step = 0; step < 6000; ++step) {
      c.clock.Advance(absl::Milliseconds(500));
      if (step % 4 == 0) {  // 60 sessions, each every two minutes
        const size_t which = static_cast<size_t>(step / 4) % 60;
        if (sessions.size() <= which) {
          sessions.push_back(Path(fresh, 5));
          fresh += 5;
        }
        for (int i = 0; i < 1; ++i) sessions[which].push_back(fresh++);
        if (sessions[which].size() > 12) sessions[which].resize(4);
        c.Use(sessions[which]);
      } else {
        c.Use(Path(fresh, 4 + rng() % 4));
        fresh += 8;
      }
    }
    EXPECT_OK(c.cache->CheckInvariants());
    hits[lru ? 1 : 0] = c.cache->GetStats().total.hit_tokens;
  }
  EXPECT_GT(hits[0], hits[1] * 2);
}

TEST(SessionPolicyTest, AClockThatGoesBackwardsDoesNoHarm) {
  Cache c(20);
  for (TokenId i = 1; i < 200; ++i) {
    c.clock.Advance(absl::Seconds(i % 2 == 0 ? 100 : -90));
    c.Use(Path(100 * i, 3));
    ASSERT_OK(c.cache->CheckInvariants());
  }
}

// Recency is all there is: prompts come back by their rank in it, and first what learning would
// keep turns bad. Bar: 0.3 points.
TEST(SessionPolicyTest, TheGuardKeepsItWithinThreeThousandthsOfLruWhereHabitsTurnRound) {
  uint64_t hits[2], blocks = 0;
  for (const bool lru : {false, true}) {
    Cache c(1000);
    if (lru) {
      KVCacheOptions options = c.cache->options();
      options.policy = [] { return NewLruPolicy(); };
      c.cache.emplace(*KVCache::Create(c.store.get(), options));
    }
    std::mt19937_64 rng(11);
    TokenId fresh = 1;
    std::vector<std::vector<TokenId>> recent;
    blocks = 0;
    for (int step = 0; step < 6000; ++step) {
      c.clock.Advance(absl::Milliseconds(300));
      const double u = static_cast<double>(rng() >> 11) / 9007199254740992.0;
      const auto back = static_cast<size_t>(u * u * 300);
      std::vector<TokenId> prompt;
      if (back < recent.size()) {
        const auto at = recent.end() - 1 - static_cast<std::ptrdiff_t>(back);
        prompt = *at;
        recent.erase(at);
      } else {
        prompt = Path(fresh, 10);
        fresh += 10;
      }
      if (step / 500 % 2 == 1 && prompt.size() < 14) prompt.push_back(fresh++);
      blocks += prompt.size();
      c.Use(prompt);
      recent.push_back(std::move(prompt));
    }
    hits[lru ? 1 : 0] = c.cache->GetStats().total.hit_tokens / 2;
  }
  EXPECT_GE(static_cast<double>(hits[0]),
            static_cast<double>(hits[1]) - 0.003 * static_cast<double>(blocks));
}

// Prompts in turn, one request in five a stranger, and just as much room as LRU needs to hit every
// time: whatever else goes is missed. Bar: 0.3 points.
TEST(SessionPolicyTest, TheGuardKeepsItWithinThreeThousandthsWhereLruJustHoldsALoop) {
  for (const size_t rounds : {3u, 8u, 40u}) {
    uint64_t hits[2], blocks = 0;
    for (const bool lru : {false, true}) {
      Cache c(60 * 10 + 15 * 10);
      if (lru) {
        KVCacheOptions options = c.cache->options();
        options.policy = [] { return NewLruPolicy(); };
        c.cache.emplace(*KVCache::Create(c.store.get(), options));
      }
      TokenId fresh = 100000;
      blocks = 0;
      for (size_t step = 0; step < rounds * 75; ++step) {
        c.clock.Advance(absl::Milliseconds(300));
        const bool stranger = step % 5 == 4;
        c.Use(Path(stranger ? fresh : static_cast<TokenId>((step - step / 5) % 60 * 100 + 1), 10));
        fresh += stranger ? 100 : 0;
        blocks += 10;
      }
      hits[lru ? 1 : 0] = c.cache->GetStats().total.hit_tokens / 2;
    }
    EXPECT_GT(hits[1], 0u);
    EXPECT_GE(static_cast<double>(hits[0]),
              static_cast<double>(hits[1]) - 0.003 * static_cast<double>(blocks))
        << rounds;
  }
}

TEST(SessionPolicyTest, ATimeOfReuseThatTheHostExpectsIsWaitedFor) {
  Cache c(40);
  ReuseHint soon, late;
  soon.p_reuse = late.p_reuse = 0.8;
  soon.expected_gap = absl::Seconds(20);
  late.expected_gap = absl::Hours(8);
  for (TokenId i = 0; i < 4; ++i) c.Use(Path(1000 * i + 1, 5), soon);
  for (TokenId i = 10; i < 20; ++i) {
    c.clock.Advance(absl::Seconds(1));
    c.Use(Path(1000 * i + 1, 5), late);
  }
  for (TokenId i = 0; i < 4; ++i) EXPECT_EQ(c.Use(Path(1000 * i + 1, 5), soon), 5u) << i;
}

TEST(GhostTableTest, FindsWhatWasInsertedLastAndMostOfWhatThereIsRoomFor) {
  SeededRandom random;
  internal::GhostTable table;
  constexpr size_t kCapacity = 8000;
  std::vector<uint64_t> names;  // oldest first
  for (uint32_t step = 0; step < 4 * kCapacity; ++step) {
    names.push_back(random());
    internal::GhostEntry e;
    e.kind = static_cast<uint8_t>(step % 60);
    e.last = step;
    table.Insert(names.back(), e, kCapacity);
    const internal::GhostEntry* const found = table.Find(names.back());
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->last, step);
    ASSERT_EQ(found->kind, step % 60);
    ASSERT_EQ(table.Find(random()), nullptr);
    if (random.OneIn(10)) {
      table.Erase(names.back());
      ASSERT_EQ(table.Find(names.back()), nullptr);
      names.pop_back();
    }
  }
  const auto remembered = [&](size_t newest, size_t count) {
    size_t n = 0;
    for (size_t i = 0; i < count; ++i) {
      n += table.Find(names[names.size() - newest - count + i]) != nullptr ? 1 : 0;
    }
    return static_cast<double>(n) / static_cast<double>(count);
  };
  EXPECT_GT(remembered(0, kCapacity / 4), 0.98);
  EXPECT_GT(remembered(0, kCapacity), 0.75);
  EXPECT_LT(remembered(2 * kCapacity, kCapacity), 0.1);
}

TEST(ReuseModelTest, AKindThatComesBackIsWorthMoreThanOneThatDoesNotAndLessOnceItsTimeHasPassed) {
  internal::ReuseModel model;
  const size_t often = model.AddKind(1, std::nullopt, std::nullopt),
               never = model.AddKind(1, std::nullopt, std::nullopt);
  for (int i = 0; i < 1000; ++i) {
    model.AddStart(often, 1);
    model.AddStart(never, 1);
    model.AddReuse(often, 60000, 1);
  }
  model.Refresh();
  EXPECT_GT(model.Worth(often, 1000), 5 * model.Worth(never, 1000));
  EXPECT_GT(model.Worth(often, 40000), model.Worth(often, 1000));        // nearer
  EXPECT_GT(model.Worth(often, 40000), 5 * model.Worth(often, 600000));  // long past
}

}  // namespace
}  // namespace penstock
