// SPDX-License-Identifier: Apache-2.0
//
// Hosts that fail, at every call there is; leases used wrongly; sizes at the edges.
#include <numeric>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/faulty_block_store.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

std::vector<TokenId> Iota(size_t n, TokenId first = 1) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

struct Host {
  explicit Host(size_t capacity, size_t groups = 1, size_t block_tokens = 4,
                std::optional<size_t> cache_capacity = std::nullopt) {
    MemoryBlockStoreOptions store;
    store.block_tokens = block_tokens;
    store.capacity_blocks = capacity;
    store.groups = groups;
    store.poison_freed = true;
    memory = *MemoryBlockStore::Create(store);
    faulty = std::make_unique<FaultyBlockStore>(memory.get());
    KVCacheOptions options;
    options.block_tokens = block_tokens;
    options.groups.resize(groups);
    options.capacity_blocks = cache_capacity;
    options.policy = [] { return NewLruPolicy(); };
    cache.emplace(*KVCache::Create(faulty.get(), options));
  }

  static KVRequest Request(const std::vector<TokenId>& ids) {
    KVRequest request;
    request.tokens = ids;
    return request;
  }

  absl::Status Put(const std::vector<TokenId>& ids) {
    absl::StatusOr<Lease> lease = cache->Acquire(Request(ids));
    if (!lease.ok()) return lease.status();
    for (size_t t = lease->matched_tokens(); t < ids.size(); ++t) {
      memory->Keys(lease->blocks()[t / cache->options().block_tokens],
                   0)[t % cache->options().block_tokens] = static_cast<float>(ids[t]);
    }
    return lease->Commit(ids.size());
  }

  void ExpectReadable(const Lease& lease, const std::vector<TokenId>& ids) {
    const size_t b = cache->options().block_tokens;
    for (size_t t = 0; t < lease.matched_tokens(); ++t) {
      ASSERT_EQ(memory->Keys(lease.blocks()[t / b], 0)[t % b], static_cast<float>(ids[t])) << t;
    }
  }

  std::unique_ptr<MemoryBlockStore> memory;
  std::unique_ptr<FaultyBlockStore> faulty;
  std::optional<KVCache> cache;
};

// Everything a host is asked for, in one go. Errors are the test's business.
void Scenario(Host& host) {
  const std::vector<TokenId> a = Iota(13), b = Iota(13, 50);
  std::vector<TokenId> c = a;
  c[10] = 99;  // leaves a cached block in its middle
  for (const auto& ids : {a, b, c, a}) (void)host.Put(ids);
  absl::StatusOr<Lease> lease = host.cache->Acquire(Host::Request(c));
  if (!lease.ok()) return;
  host.ExpectReadable(*lease, c);
  (void)lease->Append(Iota(9, 200));
  (void)lease->Commit(std::min<size_t>(lease->tokens(), 18));
  absl::StatusOr<Lease> fork = lease->Fork();
  if (fork.ok()) (void)fork->Append(Iota(3, 300));
  (void)lease->Truncate(6);
  (void)lease->Append(Iota(9, 400));
  (void)lease->Commit(lease->tokens());
}

TEST(KVCacheFaultTest, AnErrorAtEveryCallLeaksNothingAndBreaksNothing) {
  for (const auto& fault : {absl::ResourceExhaustedError("full"),
                            absl::UnavailableError("cable pulled"), absl::InternalError("bug")}) {
    for (size_t groups : {1, 3}) {
      for (size_t capacity : {6, 12, 64}) {
        for (size_t k = 1; k < 60; ++k) {
          SCOPED_TRACE(testing::Message()
                       << fault << " at call " << k << ", " << groups << " groups, " << capacity);
          Host host(capacity, groups, 4,
                    k % 2 == 0 ? std::optional<size_t>(capacity) : std::nullopt);
          host.faulty->FailCall(k, fault);
          Scenario(host);
          ASSERT_OK(host.cache->CheckInvariants());
          EXPECT_EQ(host.cache->GetStats().live_leases, 0u);
          EXPECT_EQ(host.faulty->live(), host.cache->GetStats().device_blocks);
          host.faulty->FailCall(0, absl::OkStatus());
          EXPECT_OK(host.Put(Iota(13, 7)));  // works again
          host.cache.reset();
          EXPECT_EQ(host.faulty->live(), 0u);
        }
      }
    }
  }
}

TEST(KVCacheFaultTest, AReserveOverManyGroupsTakesAllOrNothing) {
  Host host(8, 3);
  ASSERT_OK(host.Put(Iota(8)));
  const std::vector<TokenId> other = Iota(12, 40);
  for (size_t k = 1; k <= 3; ++k) {
    const size_t before = host.faulty->live();
    host.faulty->FailCall(k, absl::UnavailableError("gone"));
    EXPECT_THAT(host.cache->Acquire(Host::Request(other)),
                StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(host.faulty->live(), before);
    EXPECT_OK(host.cache->CheckInvariants());
  }
}

TEST(KVCacheFaultTest, AFullStoreMakesTheCacheEvictAndAskAgain) {
  Host host(6);
  ASSERT_OK(host.Put(Iota(16)));
  ASSERT_OK(host.Put(Iota(16, 40)));
  EXPECT_EQ(host.cache->GetStats().total.evicted_blocks, 4u);
  EXPECT_EQ(host.cache->Peek(Host::Request(Iota(16, 40))).tokens, 15u);
}

TEST(KVCacheFaultTest, AStoreThatIsAlwaysFullEndsInAStatusNotInALoop) {
  Host host(64);
  ASSERT_OK(host.Put(Iota(16)));
  host.faulty->FailAlways(absl::ResourceExhaustedError("always"));
  EXPECT_THAT(host.Put(Iota(16, 40)), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(host.cache->CheckInvariants());
}

TEST(KVCacheFaultTest, AFailedPartialCopyOnlyCostsThoseTokens) {
  Host host(16);
  ASSERT_OK(host.Put(Iota(13)));
  std::vector<TokenId> other = Iota(13);
  other[6] = 99;
  host.faulty->FailCall(2, absl::InternalError("copy"));  // 1 = Allocate
  absl::StatusOr<Lease> lease = host.cache->Acquire(Host::Request(other));
  ASSERT_OK(lease);
  EXPECT_EQ(lease->matched_tokens(), 4u);
  EXPECT_EQ(host.cache->GetStats().total.hit_tokens, 4u);
  EXPECT_EQ(host.cache->GetStats().store_errors, 1u);
  EXPECT_OK(host.cache->CheckInvariants());
}

TEST(KVCacheFaultTest, ARequestLargerThanTheCacheEvictsNothing) {
  Host host(8, 1, 4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  EXPECT_THAT(host.Put(Iota(40, 60)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("10 blocks")));
  EXPECT_EQ(host.cache->GetStats().total.evicted_blocks, 0u);
}

TEST(KVCacheFaultTest, ARequestThatLeasesKeepFromRoomEvictsNothing) {
  Host host(8, 1, 4, 8);
  ASSERT_OK(host.Put(Iota(8)));  // two blocks, could go
  const std::vector<TokenId> ids = Iota(12, 30);
  absl::StatusOr<Lease> lease = host.cache->Acquire(Host::Request(ids));
  ASSERT_OK(lease);
  EXPECT_THAT(host.Put(Iota(24, 60)), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(host.cache->GetStats().total.evicted_blocks, 0u);
  EXPECT_EQ(host.cache->GetStats().refused, 1u);
}

TEST(KVCacheFaultTest, CapacityZeroRefusesEverythingAndOneBlockServesOneBlock) {
  Host none(8, 1, 4, 0);
  EXPECT_THAT(none.Put(Iota(1)), StatusIs(absl::StatusCode::kResourceExhausted));
  Host one(8, 1, 4, 1);
  EXPECT_OK(one.Put(Iota(4)));
  EXPECT_OK(one.Put(Iota(4, 9)));
  EXPECT_THAT(one.Put(Iota(5)), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(one.cache->CheckInvariants());
}

TEST(KVCacheFaultTest, PromptsAroundTheBlockSizeLeaveTheirLastToken) {
  for (size_t block : {1, 4, 16}) {
    for (size_t n : {size_t{1}, block - 1, block, block + 1, 2 * block}) {
      if (n == 0) continue;
      Host host(64, 1, block);
      ASSERT_OK(host.Put(Iota(n)));
      const Match match = host.cache->Peek(Host::Request(Iota(n)));
      EXPECT_EQ(match.tokens, std::min(n - 1, n / block * block))
          << n << " tokens, blocks of " << block;
      ASSERT_OK(host.Put(Iota(n)));
      EXPECT_OK(host.cache->CheckInvariants());
    }
  }
}

TEST(KVCacheFaultTest, TheLargestBlockAndAMillionTokensWork) {
  Host host(40, 1, 65536);
  const std::vector<TokenId> ids = Iota(1000000);
  ASSERT_OK(host.Put(ids));
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 1000000u / 65536 * 65536);
  Host small(100000, 1, 16);
  ASSERT_OK(small.Put(ids));
  EXPECT_EQ(small.cache->Peek(Host::Request(ids)).tokens, 999999u);
}

TEST(KVCacheFaultTest, BadRequestsSayWhatAndWhere) {
  Host host(8);
  EXPECT_THAT(host.cache->Acquire(KVRequest()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(host.Put({1, 2, -3}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tokens[2]: -3")));
  const std::vector<TokenId> ids = Iota(6);
  KVRequest request = Host::Request(ids);
  ExtraKey keys[2];
  keys[0].token_offset = 4;
  keys[0].token_len = 3;
  request.extra_keys = absl::MakeConstSpan(keys, 1);
  EXPECT_THAT(host.cache->Acquire(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("extra_keys[0]")));
  EXPECT_EQ(host.cache->Peek(request).tokens, 0u);
  keys[0].token_len = 1;
  keys[1].token_offset = 2;
  request.extra_keys = keys;
  EXPECT_THAT(host.cache->Acquire(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("in order")));
  request.extra_keys = {};
  request.reserve_tokens = SIZE_MAX;
  EXPECT_THAT(host.cache->Acquire(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reserve_tokens")));
  EXPECT_EQ(host.cache->GetStats().total.requests, 0u);
}

TEST(KVCacheFaultTest, BadOptionsSayWhichField) {
  MemoryBlockStoreOptions memory;
  auto store = *MemoryBlockStore::Create(memory);
  EXPECT_THAT(KVCache::Create(nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("store")));
  KVCacheOptions options;
  options.block_tokens = 0;
  EXPECT_THAT(KVCache::Create(store.get(), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("block_tokens")));
  options = {};
  options.policy = [] { return nullptr; };
  EXPECT_THAT(KVCache::Create(store.get(), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("policy")));
  options = {};
  options.groups = {Retention::SinkWindow(4, 0)};
  EXPECT_THAT(KVCache::Create(store.get(), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("window_tokens")));
  options = {};
  options.max_pinned_fraction = 1.5;
  EXPECT_THAT(KVCache::Create(store.get(), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_pinned_fraction")));
}

TEST(KVCacheFaultTest, CommitsBeyondOrBackwardsAreRefusedAndTwiceIsOnce) {
  Host host(16);
  const std::vector<TokenId> ids = Iota(10);
  Lease lease = *host.cache->Acquire(Host::Request(ids));
  EXPECT_THAT(lease.Commit(11), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("0 (committed) .. 10 (named)")));
  ASSERT_OK(lease.Commit(8));
  EXPECT_OK(lease.Commit(8));
  EXPECT_THAT(lease.Commit(7), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(host.cache->GetStats().total.inserted_blocks, 2u);
}

TEST(KVCacheFaultTest, NothingUncommittedIsEverVisible) {
  Host host(16);
  const std::vector<TokenId> ids = Iota(12);
  Lease lease = *host.cache->Acquire(Host::Request(ids));
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 0u);
  ASSERT_OK(lease.Commit(7));  // one block and three quarters of the next
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 4u);
  lease.Release();
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 4u);
  EXPECT_EQ(host.faulty->live(), 1u);
}

TEST(KVCacheFaultTest, AReleasedOrMovedLeaseAnswersAndDoesNothing) {
  Host host(16);
  const std::vector<TokenId> ids = Iota(10);
  Lease lease = *host.cache->Acquire(Host::Request(ids));
  Lease moved = std::move(lease);
  for (Lease* dead : {&lease}) {
    EXPECT_TRUE(dead->released());
    EXPECT_EQ(
        dead->tokens() + dead->matched_tokens() + dead->reserved_tokens() + dead->blocks().size(),
        0u);
    EXPECT_THAT(dead->Commit(0), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(dead->Append({1}), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(dead->Reserve(1), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(dead->Truncate(0), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_THAT(dead->Fork(), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(dead->ApplyRetention(), 0u);
    dead->Release();
    dead->Release();
  }
  moved = Lease();
  EXPECT_EQ(host.faulty->live(), 0u);
}

TEST(KVCacheFaultTest, ALeaseMayOutliveTheCache) {
  Host host(16);
  ASSERT_OK(host.Put(Iota(10)));
  ASSERT_OK(host.Put(Iota(10, 90)));  // half of what is cached may be pinned
  const std::vector<TokenId> ids = Iota(14);
  std::optional<Lease> lease(*host.cache->Acquire(Host::Request(ids)));
  std::optional<PrefixPin> pin(*host.cache->Pin(Host::Request(ids)));
  host.cache.reset();
  EXPECT_EQ(lease->matched_tokens(), 8u);
  EXPECT_EQ(host.memory->Keys(lease->blocks()[1], 0)[3], 8.f);
  EXPECT_OK(lease->Append({1, 2, 3}));
  EXPECT_OK(lease->Commit(17));
  lease.reset();
  EXPECT_EQ(host.faulty->live(), 2u);  // the pin's
  pin.reset();
  EXPECT_EQ(host.faulty->live(), 0u);
}

TEST(KVCacheFaultTest, ADroppedScopeMatchesNoMoreButItsLeasesKeepTheirBlocks) {
  Host host(16);
  ASSERT_OK(host.Put(Iota(10)));
  const std::vector<TokenId> ids = Iota(10);
  Lease lease = *host.cache->Acquire(Host::Request(ids));
  EXPECT_EQ(host.cache->Drop(Scope()), 2u);
  EXPECT_EQ(host.cache->Drop(Scope()), 0u);
  EXPECT_EQ(host.cache->Peek(Host::Request(ids)).tokens, 0u);
  EXPECT_EQ(host.cache->GetScopeStats(Scope()), std::nullopt);
  host.ExpectReadable(lease, ids);
  EXPECT_OK(lease.Commit(10));
  EXPECT_OK(host.cache->CheckInvariants());
  ASSERT_OK(host.Put(Iota(10)));  // the same scope again, another generation
  lease.Release();
  EXPECT_OK(host.cache->CheckInvariants());
  EXPECT_EQ(host.faulty->live(), 2u);
}

TEST(KVCacheFaultTest, ScopesAreBoundedAndTheIdleOneGoes) {
  Host host(64);
  KVCacheOptions options = host.cache->options();
  options.max_scopes = 3;
  host.cache.emplace(*KVCache::Create(host.faulty.get(), options));
  const std::vector<TokenId> ids = Iota(8);
  const size_t scopes = Scaled(20000);
  for (size_t i = 0; i < scopes; ++i) {
    KVRequest request = Host::Request(ids);
    request.scope.tenant = std::to_string(i);
    Lease lease = *host.cache->Acquire(request);
    EXPECT_EQ(lease.matched_tokens(), 0u);
    ASSERT_OK(lease.Commit(8));
  }
  EXPECT_EQ(host.cache->GetStats().scopes, 3u);
  EXPECT_EQ(host.faulty->live(), 6u);
  EXPECT_OK(host.cache->CheckInvariants());
  std::vector<Lease> leases;
  for (int i = 0; i < 3; ++i) {
    KVRequest request = Host::Request(ids);
    request.scope.model = std::to_string(i);
    leases.push_back(*host.cache->Acquire(request));
  }
  EXPECT_THAT(host.Put(ids),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_scopes")));
}

TEST(KVCacheFaultTest, ScopesShareNothingAndEqualScopesShare) {
  Host host(64);
  const std::vector<TokenId> ids = Iota(9);
  std::vector<Scope> scopes(6);
  scopes[1].model = scopes[2].adapter = scopes[3].tenant = scopes[4].approximation = "x";
  scopes[5].model = "x";
  scopes[5].adapter = "x";
  for (const Scope& scope : scopes) {
    KVRequest request = Host::Request(ids);
    request.scope = scope;
    EXPECT_EQ(host.cache->Peek(request).tokens, 0u);
    Lease lease = *host.cache->Acquire(request);
    ASSERT_OK(lease.Commit(9));
  }
  for (const Scope& scope : scopes) {
    KVRequest request = Host::Request(ids);
    request.scope = scope;
    EXPECT_EQ(host.cache->Peek(request).tokens, 8u);
    EXPECT_EQ(host.cache->GetScopeStats(scope)->hit_tokens, 0u);
  }
}

TEST(KVCacheFaultTest, ForksOfForksAreIndependentBelowTheForkPoint) {
  Host host(64);
  const std::vector<TokenId> ids = Iota(10);
  Lease a = *host.cache->Acquire(Host::Request(ids));
  ASSERT_OK(a.Commit(10));
  Lease b = *a.Fork();
  Lease c = *b.Fork();
  ASSERT_OK(b.Truncate(5));
  ASSERT_OK(b.Append({70, 71, 72, 73}));
  ASSERT_OK(b.Commit(9));
  EXPECT_EQ(c.tokens(), 10u);
  EXPECT_EQ(a.blocks()[0], c.blocks()[0]);
  EXPECT_NE(a.blocks()[2], c.blocks()[2]);  // the partial tail was copied
  EXPECT_NE(b.blocks()[1], a.blocks()[1]);
  EXPECT_OK(host.cache->CheckInvariants());
  a.Release();
  c.Release();
  std::vector<TokenId> branch = Iota(5);
  branch.insert(branch.end(), {70, 71, 72, 73});
  EXPECT_EQ(host.cache->Peek(Host::Request(branch)).tokens, 8u);
}

TEST(KVCacheFaultTest, PinsHoldTheirPrefixUpToTheCap) {
  Host host(8, 1, 4, 8);
  ASSERT_OK(host.Put(Iota(16)));
  EXPECT_THAT(host.cache->Pin(Host::Request(Iota(8, 90))), StatusIs(absl::StatusCode::kNotFound));
  PrefixPin pin = *host.cache->Pin(Host::Request(Iota(16)));
  EXPECT_EQ(pin.tokens(), 16u);
  ASSERT_OK(host.Put(Iota(16, 50)));
  EXPECT_THAT(host.cache->Pin(Host::Request(Iota(16, 50))),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_pinned_fraction")));
  PrefixPin again = *host.cache->Pin(Host::Request(Iota(16)));  // costs nothing more
  ASSERT_OK(host.Put(Iota(16, 70)));
  EXPECT_EQ(host.cache->Peek(Host::Request(Iota(16))).tokens, 15u);
  EXPECT_EQ(host.cache->Shrink(0), 4u);
  pin.Release();
  EXPECT_EQ(host.cache->Shrink(0), 0u);
  again.Release();
  EXPECT_EQ(host.cache->Shrink(0), 4u);
  EXPECT_EQ(host.faulty->live(), 0u);
}

TEST(KVCacheFaultTest, WarmSpendsItsBudgetAndIsNotCountedAsTraffic) {
  Host host(64);
  const std::vector<std::vector<TokenId>> prompts = {Iota(12), Iota(12), Iota(40, 100),
                                                     Iota(8, 50)};
  size_t computed = 0;
  const WarmReport report =
      host.cache->Warm(Scope(), prompts, 24, [&](absl::Span<const TokenId> tokens, Lease& lease) {
        computed += tokens.size() - lease.matched_tokens();
        return absl::OkStatus();
      });
  EXPECT_EQ(report.prompts, 2u);
  EXPECT_EQ(report.prompts_cached, 1u);
  EXPECT_EQ(report.prompts_skipped, 1u);
  EXPECT_EQ(report.tokens_prefilled, 20u);
  EXPECT_EQ(computed, 20u);
  EXPECT_EQ(host.cache->GetStats().total.requests, 0u);
  EXPECT_EQ(host.cache->GetStats().warm_prefilled_tokens, 20u);
  std::vector<TokenId> longer = Iota(12);
  longer.push_back(77);
  ASSERT_OK(host.Put(longer));
  ASSERT_OK(host.Put(longer));
  EXPECT_EQ(host.cache->GetStats().warm_saved_tokens, 12u);  // once
  const WarmReport failed = host.cache->Warm(
      Scope(), {Iota(9, 500)}, 100,
      [](absl::Span<const TokenId>, Lease&) { return absl::InternalError("model"); });
  EXPECT_EQ(failed.prompts_failed, 1u);
  EXPECT_THAT(failed.first_error, StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(host.cache->Peek(Host::Request(Iota(9, 500))).tokens, 0u);
}

TEST(KVCacheFaultTest, EqualCommitsKeepOneBlockPublicAndEveryLeaseItsOwn) {
  Host host(64);
  const std::vector<TokenId> ids = Iota(8);
  std::vector<Lease> leases;
  for (int i = 0; i < 5; ++i) leases.push_back(*host.cache->Acquire(Host::Request(ids)));
  for (Lease& lease : leases) {
    const std::vector<BlockId> before(lease.blocks().begin(), lease.blocks().end());
    ASSERT_OK(lease.Commit(8));
    EXPECT_EQ(std::vector<BlockId>(lease.blocks().begin(), lease.blocks().end()), before);
  }
  EXPECT_EQ(host.cache->GetStats().total.cached_blocks, 2u);
  EXPECT_EQ(host.cache->GetStats().deduped_blocks, 8u);
  leases.clear();
  EXPECT_EQ(host.faulty->live(), 2u);
}

TEST(KVCacheFaultTest, TheStoreIsCalledWithoutTheLock) {
  Host host(8, 1, 4, 8);
  const std::vector<TokenId> ids = Iota(13);
  host.faulty->OnCall([&] {
    (void)host.cache->GetStats();
    (void)host.cache->Peek(Host::Request(ids));
    (void)host.cache->CheckInvariants();
  });
  Scenario(host);  // a held lock would deadlock here
  host.faulty->OnCall(nullptr);
}

TEST(KVCacheFaultTest, TheSameRequestsEvictTheSameBlocksInTheSameOrder) {
  std::vector<std::vector<size_t>> runs;
  for (int run = 0; run < 2; ++run) {
    Host host(16, 1, 4, 16);
    std::mt19937_64 rng(5);
    std::vector<size_t> seen;
    for (int i = 0; i < 500; ++i) {
      const std::vector<TokenId> ids = Iota(4 + rng() % 30, static_cast<TokenId>(rng() % 6));
      seen.push_back(host.cache->Peek(Host::Request(ids)).tokens);
      ASSERT_OK(host.Put(ids));
    }
    runs.push_back(seen);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

}  // namespace
}  // namespace penstock
