// SPDX-License-Identifier: Apache-2.0
//
// Truncation, windows and layered retention: what each rule keeps, and what it says that it lost.
#include <algorithm>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/kv_cache/small_host.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

// [group 1 has a block there], of the path of `ids`.
std::string Window(Host& host, const std::vector<TokenId>& ids) {
  std::string there;
  const std::string bytes = host.cache->Snapshot();
  const auto u32 = [&](size_t at) {
    uint32_t x = 0;
    for (size_t i = 4; i-- > 0;) x = x << 8 | static_cast<unsigned char>(bytes[at + i]);
    return x;
  };
  constexpr size_t kBlocks = 6 + 4 + 4 + 4 + 4 * 4, kRecord = 4 + 4 + 1 + 4 * 4 + 4 + 2 * 8;
  uint32_t parent = UINT32_MAX;
  for (size_t depth = 0; depth < ids.size() / 4; ++depth) {
    for (uint32_t i = 0; i < u32(kBlocks); ++i) {
      const size_t at = kBlocks + 4 + i * kRecord;
      bool same = u32(at + 4) == parent;
      for (size_t t = 0; t < 4; ++t) {
        same = same && u32(at + 9 + 4 * t) == static_cast<uint32_t>(ids[depth * 4 + t]);
      }
      if (!same) continue;
      there += bytes.compare(at + kRecord - 8, 8, std::string(8, '\xff')) == 0 ? '.' : 'x';
      parent = i;
      break;
    }
  }
  return there;
}

KVCacheOptions WithWindow() {
  KVCacheOptions options;
  options.groups = {Retention::Full(), Retention::SinkWindow(4, 8)};
  options.max_pinned_fraction = 1;
  return options;
}

TEST(RetentionTest, PublicBlocksLeaveTheWindowAndTheWholePrefixStillMatches) {
  Host host(64, WithWindow());
  {
    Lease lease = host.Put(Iota(41));
    EXPECT_EQ(lease.ApplyRetention(), 7u);  // token 41 attends to 34 and later, and to the sink
    EXPECT_EQ(lease.ApplyRetention(), 0u);
  }
  EXPECT_EQ(host.store->allocated_blocks(), 10u + 3u);
  EXPECT_EQ(Window(host, Iota(41)), "x.......xx");
  const Lease next = *host.cache->Acquire(Host::Request(Iota(46)));
  EXPECT_EQ(next.matched_tokens(), 40u);
  EXPECT_EQ(host.cache->GetStats().retention[1].unmatched_tokens, 0u);
  EXPECT_OK(host.cache->CheckInvariants());
}

TEST(RetentionTest, ABlockThatAnotherLeaseNamesStaysUntilThatIsGone) {
  Host host(64, WithWindow());
  Lease lease = host.Put(Iota(41));
  Lease fork = *lease.Fork();                                   // at 41
  Lease other = *host.cache->Acquire(Host::Request(Iota(21)));  // matches 20
  EXPECT_EQ(lease.ApplyRetention(), 5u);  // all but the window of the other lease, 3 and 4
  EXPECT_EQ(Window(host, Iota(41)), "x..xx...xx");
  EXPECT_NE(other.blocks(GroupId{1})[4], kNoBlock);
  other.Release();
  EXPECT_EQ(fork.ApplyRetention(), 2u);
  EXPECT_EQ(Window(host, Iota(41)), "x.......xx");
  EXPECT_OK(host.cache->CheckInvariants());
}

TEST(RetentionTest, WhereAPrefixBranchesItsWindowStays) {
  Host host(64, WithWindow());
  std::vector<TokenId> one = Iota(41), two = Iota(41);
  for (size_t i = 24; i < 41; ++i) two[i] += 1000;
  host.Put(one);
  EXPECT_EQ(host.Put(two).ApplyRetention(), 5u);
  EXPECT_EQ(Window(host, two), "x...xx..xx");
  EXPECT_EQ(Window(host, one), "x...xxxxxx");  // what continues it was not asked
  std::vector<TokenId> three = Iota(30);
  for (size_t i = 24; i < 30; ++i) three[i] += 2000;
  EXPECT_EQ(host.cache->Peek(Host::Request(three)).tokens, 24u);
  EXPECT_OK(host.cache->CheckInvariants());
}

TEST(RetentionTest, ARequestThatFindsHolesFillsThemWithItsOwnBlocks) {
  Host host(64, WithWindow());
  host.Put(Iota(41)).ApplyRetention();
  std::vector<TokenId> other = Iota(30);
  for (size_t i = 24; i < 30; ++i) other[i] += 1000;
  EXPECT_EQ(host.cache->Peek(Host::Request(other)).tokens, 4u);  // the sink, and before a window
  {
    Lease lease = host.Put(other);
    EXPECT_EQ(lease.matched_tokens(), 4u);
    EXPECT_EQ(lease.deduped_blocks(), 5u);  // its full blocks 1 .. 5; the others filled the holes
    EXPECT_EQ(Window(host, Iota(41)), "xxxxxx..xx");
    EXPECT_EQ(host.store->allocated_blocks(), 10u + 8u + 5u + 2u + 2u);
    EXPECT_OK(host.cache->CheckInvariants());
  }
  EXPECT_EQ(host.store->allocated_blocks(), 10u + 8u + 2u);
  std::vector<TokenId> third = Iota(30);
  for (size_t i = 24; i < 30; ++i) third[i] += 2000;
  EXPECT_EQ(host.cache->Peek(Host::Request(third)).tokens, 24u);
}

TEST(RetentionTest, ATruncationBehindAFilledHoleTakesOnlyWhatIsTheLeasesOwn) {
  Host host(64, WithWindow());
  host.Put(Iota(41)).ApplyRetention();
  Lease lease = host.Put(Iota(31));
  ASSERT_OK(lease.Truncate(18));  // within a block whose window group it gave away
  EXPECT_EQ(Window(host, Iota(41)), "xxxxxxx.xx");
  EXPECT_OK(host.cache->CheckInvariants());
  ASSERT_OK(lease.Append(Iota(9, 500)));
  ASSERT_OK(lease.Commit(27));
  EXPECT_OK(host.cache->CheckInvariants());
  lease.Release();
  host.cache->Shrink(0);
  EXPECT_EQ(host.store->allocated_blocks(), 0u);
}

TEST(RetentionTest, APinKeepsTheWindowBeforeItsEnd) {
  Host host(64, WithWindow());
  Lease lease = host.Put(Iota(41));
  const PrefixPin pin = *host.cache->Pin(Host::Request(Iota(24)));
  EXPECT_EQ(lease.ApplyRetention(), 5u);
  EXPECT_EQ(Window(host, Iota(41)), "x...xx..xx");
  EXPECT_EQ(host.cache->Peek(Host::Request(Iota(25))).tokens, 24u);
}

TEST(RetentionTest, TheSamePromptAgainMatchesAllButItsLastToken) {
  Host host(64, WithWindow());
  host.Put(Iota(40)).ApplyRetention();  // nine blocks alone have no whole window any more
  const Lease lease = *host.cache->Acquire(Host::Request(Iota(40)));
  EXPECT_EQ(lease.matched_tokens(), 39u);
}

// A hole that a snapshot brings.
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

// Two leases compute one prompt: the second keeps its own blocks, so that nobody holds the public
// ones, and the first gives them back.
TEST(RetentionTest, AForkAfterATruncationHasTheWindowBeforeItsEnd) {
  MemoryBlockStoreOptions memory;
  memory.block_tokens = 1;
  memory.groups = 2;
  const auto store = *MemoryBlockStore::Create(memory);
  KVCacheOptions options;
  options.block_tokens = 1;
  options.groups = {Retention::Full(), Retention::SinkWindow(0, 2)};
  KVCache cache = *KVCache::Create(store.get(), options);
  const std::vector<TokenId> tokens = {1, 2, 3, 4, 5, 6};
  KVRequest request;
  request.tokens = tokens;
  absl::StatusOr<Lease> first = cache.Acquire(request), second = cache.Acquire(request);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(first->Commit(6).ok());
  ASSERT_TRUE(second->Commit(6).ok());
  EXPECT_GT(first->ApplyRetention(), 0u);
  ASSERT_TRUE(second->Truncate(3).ok());
  absl::StatusOr<Lease> fork = second->Fork();
  ASSERT_TRUE(fork.ok()) << fork.status();
  EXPECT_NE(fork->blocks(GroupId{1})[2], kNoBlock);
  EXPECT_EQ(fork->blocks(GroupId{1})[2], second->blocks(GroupId{1})[2]);  // shared, not missing
  EXPECT_TRUE(cache.CheckInvariants().ok());
}

}  // namespace
}  // namespace penstock
