// SPDX-License-Identifier: Apache-2.0
//
// Random programs against the map model: every answer equal, every invariant after every step, and
// every byte of K/V that a lease may read equal to what computing it would have given.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv_cache/create.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/kv_model.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

struct ProgramOptions {
  size_t block_tokens = 4;
  size_t capacity = 24;
  size_t lower_capacity = 0;
  size_t groups = 1;
  size_t steps = 2000;
  uint64_t hash_mask = ~uint64_t{0};
  size_t longest = 30;
  TokenId alphabet = 2;
  size_t check_every = 1;
  std::vector<Retention> windows;  // unset: `groups` groups that keep everything
};

class Program {
 public:
  Program(const ProgramOptions& options, uint64_t seed)
      : o_(options),
        groups_(options.windows.empty() ? std::vector<Retention>(options.groups) : options.windows),
        rng_(seed),
        model_(options.block_tokens, options.capacity, options.lower_capacity, groups_),
        store_(NewStore()),
        cache_(NewCache(store_.get(), seed)) {}

  std::unique_ptr<MemoryBlockStore> NewStore() const {
    MemoryBlockStoreOptions store;
    store.block_tokens = o_.block_tokens;
    store.capacity_blocks = o_.capacity;
    store.host_capacity_blocks = o_.lower_capacity;
    store.groups = groups_.size();
    store.poison_freed = true;
    return *MemoryBlockStore::Create(store);
  }

  KVCache NewCache(MemoryBlockStore* store, uint64_t seed) const {
    KVCacheOptions cache;
    cache.block_tokens = o_.block_tokens;
    cache.capacity_blocks = o_.capacity;
    cache.groups = groups_;
    cache.partial_candidates = 1000;
    cache.max_pinned_fraction = 1;
    cache.policy = [] { return NewLruPolicy(); };
    if (o_.lower_capacity > 0) {
      cache.second_tier.emplace();
      cache.second_tier->capacity_blocks = o_.lower_capacity;
    }
    return *internal::KVCacheAccess::Create(store, cache, seed, o_.hash_mask);
  }

  void Run() {
    for (size_t step = 0; step < o_.steps && !::testing::Test::HasFatalFailure(); ++step) {
      Step();
      SCOPED_TRACE("step " + std::to_string(step) + ", operation " + std::to_string(what_));
      ASSERT_EQ(cache_->GetStats().total.cached_blocks, model_.cached())
          << cache_->GetStats().total.evicted_blocks << " evicted, model " << model_.evicted()
          << "; used " << store_->allocated_blocks() << " model " << model_.used();
      ASSERT_EQ(cache_->GetStats().total.evicted_blocks, model_.evicted());
      ASSERT_EQ(cache_->GetStats().total.hit_tokens, model_.hits());
      ASSERT_EQ(store_->allocated_blocks(), model_.device_blocks());
      ASSERT_EQ(cache_->GetStats().offloaded_blocks, model_.lower_used());
      ASSERT_EQ(store_->allocated_blocks(Tier::kHost), model_.lower_blocks());
      if (step % o_.check_every == 0) {
        const absl::Status sound = cache_->CheckInvariants();
        ASSERT_TRUE(sound.ok()) << sound;
        ASSERT_EQ(cache_->GetStats().live_leases, leases_.size());
        ASSERT_EQ(cache_->GetStats().live_pins, pins_.size());
        for (Held& h : leases_) CheckContent(h, store_.get());
      }
    }
    if (o_.lower_capacity >= o_.capacity && o_.steps >= 1000 && !::testing::Test::HasFailure()) {
      EXPECT_GT(cache_->GetStats().loads,
                o_.windows.empty() ? o_.steps / 100 : 0);  // the tier was used, not only there
    }
    for (const KVRetentionStats& r : cache_->GetStats().retention) {
      dropped_ += r.dropped_blocks;
      unmatched_ += r.unmatched_tokens;
    }
    pins_.clear();
    leases_.clear();
    cache_.reset();
    EXPECT_EQ(store_->allocated_blocks(), 0u);
    EXPECT_EQ(store_->allocated_blocks(Tier::kHost), 0u);
  }

  uint64_t dropped() const { return dropped_; }
  uint64_t unmatched() const { return unmatched_; }

 private:
  struct Held {
    Lease lease;
    KVModelLease model;
    int scope;
  };

  size_t Below(size_t n) { return static_cast<size_t>(rng_() % n); }

  Scope ScopeOf(int i) {
    Scope scope;
    (i == 0 ? scope.tenant : i == 1 ? scope.adapter : scope.approximation) = "x";
    return scope;
  }

  // What the K/V of a token depends on: scope, all tokens up to it, all keys up to it.
  float Expected(const Held& h, size_t position) {
    uint64_t x = 1469598103934665603u + static_cast<uint64_t>(h.scope);
    for (size_t i = 0; i <= position; ++i)
      x = (x ^ static_cast<uint64_t>(h.model.tokens[i])) * 1099511628211u;
    for (const ExtraKey& e : h.model.extras) {
      if (e.token_offset <= position)
        x = (x ^ (e.token_offset * 256 + e.content[0])) * 1099511628211u;
    }
    return static_cast<float>((x >> 20) % 16777216);
  }

  void Compute(Held& h, size_t end) {
    for (size_t t = h.lease.committed_tokens(); t < end; ++t) {
      for (size_t g = 0; g < groups_.size(); ++g) {
        const BlockId block = h.lease.blocks(static_cast<GroupId>(g))[t / o_.block_tokens];
        ASSERT_NE(block, kNoBlock);
        store_->Keys(block, 0)[t % o_.block_tokens] = Expected(h, t);
        store_->Values(block, 0)[t % o_.block_tokens] = -Expected(h, t);
      }
    }
    ASSERT_TRUE(h.lease.Commit(end).ok());
    model_.Commit(&h.model, end);
  }

  void CheckContent(Held& h, MemoryBlockStore* store) {
    ASSERT_EQ(h.lease.matched_tokens(), h.model.matched);
    ASSERT_EQ(h.lease.committed_tokens(), h.model.committed);
    ASSERT_EQ(h.lease.tokens(), h.model.tokens.size());
    ASSERT_EQ(h.lease.reserved_tokens(), h.model.reserved() * o_.block_tokens);
    ASSERT_EQ(h.lease.deduped_blocks(), h.model.deduped);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const absl::Span<const BlockId> blocks = h.lease.blocks(static_cast<GroupId>(g));
      for (size_t i = 0; i < blocks.size(); ++i) {
        ASSERT_EQ(blocks[i] == kNoBlock, h.model.table[g][i] == KVModelLease::kNone)
            << "group " << g << " block " << i;
      }
    }
    CheckBytes(h, store);
  }

  // What the next token attends to is there, and what is there is right.
  void CheckBytes(Held& h, MemoryBlockStore* store) {
    const size_t end = h.lease.committed_tokens();
    for (size_t t = 0; t < end; ++t) {
      const float expected = Expected(h, t);
      for (size_t g = 0; g < groups_.size(); ++g) {
        const BlockId block = h.lease.blocks(static_cast<GroupId>(g))[t / o_.block_tokens];
        const Retention& rule = groups_[g];
        if (block == kNoBlock) {
          ASSERT_TRUE(rule.kind == Retention::Kind::kSinkWindow && t >= rule.sink_tokens &&
                      t + rule.window_tokens <= end)
              << "group " << g << " token " << t << " of " << end;
          continue;
        }
        ASSERT_EQ(store->Keys(block, 0)[t % o_.block_tokens], expected) << "token " << t;
        ASSERT_EQ(store->Values(block, 0)[t % o_.block_tokens], -expected) << "token " << t;
      }
    }
  }

  // A second cache, restored from a snapshot, answers as this one does.
  void CheckSnapshot() {
    auto store = NewStore();
    KVCache cache = NewCache(store.get(), 77);
    const auto load = [&](absl::Span<const RestoredBlock> blocks) {
      for (const RestoredBlock& b : blocks) {
        const auto k = store_->Keys(b.saved, 0), v = store_->Values(b.saved, 0);
        std::copy(k.begin(), k.end(), store->Keys(b.now, 0).begin());
        std::copy(v.begin(), v.end(), store->Values(b.now, 0).begin());
      }
      return absl::OkStatus();
    };
    const absl::StatusOr<RestoreReport> report = cache.Restore(cache_->Snapshot(), load);
    ASSERT_TRUE(report.ok()) << report.status();
    const absl::Status sound = cache.CheckInvariants();
    ASSERT_TRUE(sound.ok()) << sound;
    std::list<Held> asked;
    for (int i = 0; i < 10; ++i) {
      Held& h = asked.emplace_back();
      h.scope = static_cast<int>(Below(3));
      h.model.tokens = Tokens(1 + Below(o_.longest));
      KVRequest request;
      request.scope = ScopeOf(h.scope);
      request.tokens = h.model.tokens;
      if (report->skipped > 0) continue;  // columns with holes need room for whole ones at first
      ASSERT_EQ(cache.Peek(request).tokens, cache_->Peek(request).tokens);
    }
    for (Held& h : asked) {  // these evict
      KVRequest request;
      request.scope = ScopeOf(h.scope);
      request.tokens = h.model.tokens;
      const size_t matched = cache.Peek(request).tokens;
      absl::StatusOr<Lease> lease = cache.Acquire(request);
      ASSERT_TRUE(lease.ok() || absl::IsResourceExhausted(lease.status())) << lease.status();
      if (!lease.ok()) continue;
      h.lease = *std::move(lease);
      ASSERT_EQ(h.lease.matched_tokens(), matched);
      CheckBytes(h, store.get());
    }
  }

  std::vector<TokenId> Tokens(size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids)
      id = Below(4) == 0 ? static_cast<TokenId>(Below(static_cast<size_t>(o_.alphabet))) : 0;
    return ids;
  }

  Held& AnyLease() {
    auto it = leases_.begin();
    std::advance(it, static_cast<ptrdiff_t>(Below(leases_.size())));
    return *it;
  }

  void Acquire() {
    Held h;
    h.scope = static_cast<int>(Below(3));
    std::vector<TokenId> tokens = Tokens(1 + Below(o_.longest));
    std::vector<ExtraKey> extras;
    if (Below(5) == 0) {
      ExtraKey key;
      key.token_offset = Below(tokens.size());
      key.token_len = Below(tokens.size() - key.token_offset + 1);
      key.content[0] = static_cast<uint8_t>(Below(2));
      extras.push_back(key);
    }
    KVRequest request;
    request.scope = ScopeOf(h.scope);
    request.tokens = tokens;
    request.extra_keys = extras;
    request.reserve_tokens = Below(3) == 0 ? Below(10) : 0;
    request.read = Below(10) != 0;
    request.publish = Below(10) != 0;
    const std::string name = std::to_string(h.scope);
    ASSERT_EQ(cache_->Peek(request).tokens, request.read ? model_.Peek(name, tokens, extras) : 0);
    absl::StatusOr<Lease> lease = cache_->Acquire(request);
    std::optional<KVModelLease> expected =
        model_.Acquire(name, tokens, extras, request.reserve_tokens, request.read, request.publish);
    ASSERT_EQ(lease.ok(), expected.has_value()) << lease.status();
    if (!lease.ok()) {
      ASSERT_EQ(lease.status().code(), absl::StatusCode::kResourceExhausted);
      return;
    }
    h.lease = *std::move(lease);
    h.model = *std::move(expected);
    leases_.push_back(std::move(h));
    Held& held = leases_.back();
    CheckContent(held, store_.get());
    if (Below(4) != 0) Compute(held, held.model.tokens.size());
    if (!o_.windows.empty() && Below(3) == 0) {
      ASSERT_EQ(held.lease.ApplyRetention(), model_.ApplyRetention(&held.model));
    }
  }

  void Step() {
    const size_t what = what_ = Below(100);
    if (leases_.empty() || what < 30) return Acquire();
    Held& h = AnyLease();
    if (what < 50) {
      Compute(h, h.model.committed + Below(h.model.tokens.size() - h.model.committed + 1));
    } else if (what < 60) {
      const std::vector<TokenId> more = Tokens(Below(7));
      const absl::Status status = h.lease.Append(more);
      ASSERT_EQ(status.ok(), model_.Append(&h.model, more)) << status;
    } else if (what < 66) {
      const size_t end = Below(h.model.tokens.size() + 1);
      const absl::Status status = h.lease.Truncate(end);
      ASSERT_EQ(status.ok(), model_.Truncate(&h.model, end)) << status;
    } else if (what < 72) {
      Held fork;
      fork.scope = h.scope;
      absl::StatusOr<Lease> lease = h.lease.Fork();
      ASSERT_EQ(lease.ok(), model_.Fork(h.model, &fork.model)) << lease.status();
      if (lease.ok()) {
        fork.lease = *std::move(lease);
        leases_.push_back(std::move(fork));
      }
    } else if (what < 80 && !o_.windows.empty()) {
      ASSERT_EQ(h.lease.ApplyRetention(), model_.ApplyRetention(&h.model));
    } else if (what < 94) {
      model_.Release(h.model);
      h.lease.Release();
      leases_.remove_if([](const Held& held) { return held.lease.released(); });
    } else if (what < 96) {
      const int scope = static_cast<int>(Below(3));
      ASSERT_EQ(cache_->Drop(ScopeOf(scope)), model_.Drop(std::to_string(scope)));
    } else if (what < 97) {
      const size_t blocks = Below(o_.capacity);
      ASSERT_EQ(cache_->Shrink(blocks), model_.Shrink(blocks));
      if (!o_.windows.empty() && o_.lower_capacity == 0) CheckSnapshot();
    } else if (pins_.empty()) {
      KVRequest request;
      request.scope = ScopeOf(h.scope);
      request.tokens = h.model.tokens;
      request.extra_keys = h.model.extras;
      if (h.model.tokens.empty()) return;
      for (const ExtraKey& e : h.model.extras) {
        if (e.token_offset + e.token_len > h.model.tokens.size()) return;  // cut by a truncation
      }
      KVModelLease model;
      const size_t blocks =
          model_.Pin(std::to_string(h.scope), h.model.tokens, h.model.extras, &model);
      absl::StatusOr<PrefixPin> pin = cache_->Pin(request);
      ASSERT_EQ(pin.ok(), blocks > 0) << pin.status();
      if (pin.ok()) {
        ASSERT_EQ(pin->tokens(), blocks * o_.block_tokens);
        pins_.emplace_back(*std::move(pin), std::move(model));
      }
    } else {
      model_.Release(pins_.back().second);
      pins_.pop_back();
    }
  }

  const ProgramOptions o_;
  const std::vector<Retention> groups_;
  std::mt19937_64 rng_;
  size_t what_ = 0;
  uint64_t dropped_ = 0, unmatched_ = 0;
  KVModel model_;
  std::unique_ptr<MemoryBlockStore> store_;
  std::optional<KVCache> cache_;
  std::list<Held> leases_;
  std::vector<std::pair<PrefixPin, KVModelLease>> pins_;
};

// Invariants and contents are checked after every step, or every PENSTOCK_TEST_CHECK_EVERY steps;
// answers and counts always. Long runs say how far they are.
void RunPrograms(ProgramOptions options, size_t programs) {
  const uint64_t seed = TestSeed();
  if (const char* every = std::getenv("PENSTOCK_TEST_CHECK_EVERY"); every != nullptr) {
    options.check_every = std::strtoull(every, nullptr, 10);
  }
  uint64_t dropped = 0, unmatched = 0;
  for (size_t i = 0; i < Scaled(programs) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("PENSTOCK_TEST_SEED=" + std::to_string(seed) + " program " + std::to_string(i));
    Program program(options, seed + i * 7919);
    program.Run();
    dropped += program.dropped();
    unmatched += program.unmatched();
    static size_t operations = 0;
    const size_t before = operations;
    operations += options.steps;
    if (operations / 1000000 != before / 1000000) {
      std::printf("%zu operations agree\n", operations);
      std::fflush(stdout);
    }
  }
  if (options.windows.empty() || ::testing::Test::HasFailure()) return;
  EXPECT_GT(dropped, 0u);  // there were holes, and they were in the way
  EXPECT_GT(unmatched, 0u);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModel) { RunPrograms(ProgramOptions(), 8); }

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelWhereEveryHashCollides) {
  ProgramOptions options;
  options.hash_mask = 0;
  RunPrograms(options, 4);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelWhereManyHashesCollide) {
  ProgramOptions options;
  options.hash_mask = 0x8000000000000001u;
  RunPrograms(options, 4);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelInTwoGroups) {
  ProgramOptions options;
  options.groups = 2;
  RunPrograms(options, 3);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelWithASecondTier) {
  ProgramOptions options;
  options.lower_capacity = 30;
  RunPrograms(options, 4);
  options.capacity = 12;
  options.lower_capacity = 3;  // smaller than what one eviction brings
  options.groups = 2;
  RunPrograms(options, 3);
  options.capacity = 16;
  options.lower_capacity = 1000;
  options.hash_mask = 0;
  RunPrograms(options, 2);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelWhereGroupsHaveWindows) {
  ProgramOptions options;
  options.capacity = 36;
  options.longest = 50;
  options.windows = {Retention::Full(), Retention::SinkWindow(4, 8)};
  RunPrograms(options, 4);
  options.windows = {Retention::SinkWindow(0, 13), Retention::Full(), Retention::SinkWindow(5, 1)};
  RunPrograms(options, 3);
  options.windows = {Retention::SinkWindow(0, 6), Retention::SinkWindow(9, 17)};  // none is full
  RunPrograms(options, 3);
  options.capacity = 24;
  options.longest = 30;
  options.lower_capacity = 40;
  options.windows = {Retention::Full(), Retention::SinkWindow(0, 9)};
  options.hash_mask = 0x8000000000000001u;
  RunPrograms(options, 3);
  options.lower_capacity = 5;
  options.windows = {Retention::SinkWindow(3, 10), Retention::Full(), Retention::SinkWindow(0, 21)};
  RunPrograms(options, 2);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelWhereBlocksOfOneTokenHaveWindows) {
  ProgramOptions options;
  options.block_tokens = 1;
  options.capacity = 60;
  options.longest = 16;
  options.windows = {Retention::Full(), Retention::SinkWindow(1, 3), Retention::SinkWindow(0, 1)};
  RunPrograms(options, 3);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelAtBlocksOfOneToken) {
  ProgramOptions options;
  options.block_tokens = 1;
  options.capacity = 60;
  options.longest = 12;
  RunPrograms(options, 3);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelInATinyCache) {
  ProgramOptions options;
  options.capacity = 5;
  options.longest = 18;
  RunPrograms(options, 5);
}

TEST(KVCacheRandomTest, ProgramsAgreeWithTheModelInALargeCache) {
  ProgramOptions options;
  options.capacity = 400;
  options.alphabet = 5;
  options.longest = 60;
  options.steps = 1500;
  options.check_every = 10;
  RunPrograms(options, 2);
}

}  // namespace
}  // namespace penstock
