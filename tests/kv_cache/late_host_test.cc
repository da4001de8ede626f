// SPDX-License-Identifier: Apache-2.0
//
// Random programs with a host that finishes transfers when it likes, in any order, or fails: what a
// lease may read is right after every step, no block is freed under a transfer, nothing leaks.
#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

constexpr size_t kB = 4;

// The bytes move when a transfer ends. Every call may fail, one in `fail_one_in`.
class LateStore final : public BlockStore {
 public:
  LateStore(MemoryBlockStore* inner, uint64_t seed, size_t late_percent, size_t fail_one_in)
      : inner_(inner), rng_(seed), late_percent_(late_percent), fail_one_in_(fail_one_in) {}

  absl::Status Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) override {
    if (Fails()) return absl::UnavailableError("allocate");
    return inner_->Allocate(group, tier, out);
  }
  void Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) override {
    for (const BlockId id : blocks) {
      EXPECT_EQ(busy_.count({tier, id}), 0u) << "freed under a transfer";
    }
    inner_->Free(group, tier, blocks);
  }
  absl::Status Copy(absl::Span<const BlockCopy> copies) override {
    return Fails() ? absl::UnavailableError("copy") : inner_->Copy(copies);
  }
  void Transfer(absl::Span<const BlockCopy> copies, Done done) override {
    pending_.push_back({{copies.begin(), copies.end()}, std::move(done)});
    for (const BlockCopy& c : copies) {
      busy_.insert({c.src_tier, c.src});
      busy_.insert({c.dst_tier, c.dst});
    }
    if (Below(100) >= late_percent_) End(pending_.size() - 1);
  }
  size_t BytesPerBlock(GroupId group, Tier tier) const override {
    return inner_->BytesPerBlock(group, tier);
  }

  size_t pending() const { return pending_.size(); }
  void EndAny() { End(Below(pending_.size())); }

 private:
  struct Pending {
    std::vector<BlockCopy> copies;
    Done done;
  };

  size_t Below(size_t n) { return static_cast<size_t>(rng_() % n); }
  bool Fails() { return fail_one_in_ != 0 && Below(fail_one_in_) == 0; }

  void End(size_t i) {
    Pending p = std::move(pending_[i]);
    pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(i));
    absl::Status status;
    if (Fails()) {
      status = Below(2) == 0 ? absl::UnavailableError("late") : absl::DataLossError("late");
    } else {
      inner_->Transfer(p.copies, [&](absl::Status s) { status = std::move(s); });
    }
    for (const BlockCopy& c : p.copies) {
      busy_.erase(busy_.find({c.src_tier, c.src}));
      busy_.erase(busy_.find({c.dst_tier, c.dst}));
    }
    std::move(p.done)(status);
  }

  MemoryBlockStore* const inner_;
  std::mt19937_64 rng_;
  const size_t late_percent_, fail_one_in_;
  std::vector<Pending> pending_;
  std::multiset<std::pair<Tier, BlockId>> busy_;
};

struct Weather {
  size_t late_percent = 60;
  size_t fail_one_in = 0;
  size_t capacity = 24, lower = 20;
  std::vector<Retention> groups = std::vector<Retention>(1);
};

class Program {
 public:
  Program(const Weather& weather, uint64_t seed) : w_(weather), rng_(seed) {
    MemoryBlockStoreOptions memory;
    memory.block_tokens = kB;
    memory.capacity_blocks = w_.capacity;
    memory.host_capacity_blocks = w_.lower;
    memory.groups = w_.groups.size();
    memory.poison_freed = true;
    memory_ = *MemoryBlockStore::Create(memory);
    store_ = std::make_unique<LateStore>(memory_.get(), seed + 1, w_.late_percent, w_.fail_one_in);
    KVCacheOptions options;
    options.block_tokens = kB;
    options.capacity_blocks = w_.capacity;
    options.groups = w_.groups;
    options.second_tier.emplace();
    options.second_tier->capacity_blocks = w_.lower;
    options.second_tier->max_late_blocks = 12;
    cache_.emplace(*KVCache::Create(store_.get(), options));
  }

  void Run(size_t steps) {
    for (size_t step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      Step();
      const absl::Status sound = cache_->CheckInvariants();
      ASSERT_TRUE(sound.ok()) << sound;
      for (Held& h : held_) Check(h);
    }
    const KVCacheStats stats = cache_->GetStats();
    loads_ = stats.loads;
    late_ = stats.late_transfers;
    if (Below(2) == 0) {  // the cache dies first, or the transfers end first
      cache_.reset();
      if (Below(2) == 0) held_.clear();
    }
    while (store_->pending() > 0) store_->EndAny();
    held_.clear();
    cache_.reset();
    EXPECT_EQ(memory_->allocated_blocks(), 0u);
    EXPECT_EQ(memory_->allocated_blocks(Tier::kHost), 0u);
  }

  uint64_t loads() const { return loads_; }
  uint64_t late() const { return late_; }

 private:
  struct Held {
    Lease lease;
    std::vector<TokenId> ids;
    int scope = 0;
  };

  size_t Below(size_t n) { return static_cast<size_t>(rng_() % n); }

  static Scope ScopeOf(int i) {
    Scope scope;
    if (i > 0) scope.tenant = std::string("t");
    return scope;
  }

  static float Expected(const Held& h, size_t position) {
    uint64_t x = 1469598103934665603u + static_cast<uint64_t>(h.scope);
    for (size_t i = 0; i <= position; ++i) {
      x = (x ^ static_cast<uint64_t>(h.ids[i])) * 1099511628211u;
    }
    return static_cast<float>((x >> 20) % 16777216);
  }

  std::vector<TokenId> Tokens(size_t n) {
    std::vector<TokenId> ids(n);
    for (TokenId& id : ids) id = Below(5) == 0 ? 1 : 0;
    return ids;
  }

  void Compute(Held& h, size_t end) {
    for (size_t t = h.lease.committed_tokens(); t < end; ++t) {
      for (size_t g = 0; g < w_.groups.size(); ++g) {
        const BlockId block = h.lease.blocks(static_cast<GroupId>(g))[t / kB];
        ASSERT_NE(block, kNoBlock);
        memory_->Keys(block, 0)[t % kB] = Expected(h, t);
      }
    }
    ASSERT_TRUE(h.lease.Commit(end).ok());
  }

  void Check(const Held& h) {
    const size_t end = h.lease.committed_tokens();
    for (size_t t = 0; t < end; ++t) {
      for (size_t g = 0; g < w_.groups.size(); ++g) {
        const BlockId block = h.lease.blocks(static_cast<GroupId>(g))[t / kB];
        const Retention& rule = w_.groups[g];
        if (rule.kind == Retention::Kind::kSinkWindow && t >= rule.sink_tokens &&
            t + rule.window_tokens <= end && block == kNoBlock) {
          continue;
        }
        ASSERT_NE(block, kNoBlock) << "token " << t << " of " << end;
        ASSERT_EQ(memory_->Keys(block, 0)[t % kB], Expected(h, t)) << "token " << t;
      }
    }
  }

  void Allowed(const absl::Status& status) {
    if (status.ok() || status.code() == absl::StatusCode::kResourceExhausted) return;
    ASSERT_NE(w_.fail_one_in, 0u) << status;
    ASSERT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  }

  void Acquire() {
    Held h;
    h.scope = static_cast<int>(Below(2));
    h.ids = Tokens(1 + Below(40));
    KVRequest request;
    request.scope = ScopeOf(h.scope);
    request.tokens = h.ids;
    request.publish = Below(10) != 0;
    absl::StatusOr<Lease> lease = cache_->Acquire(request);
    Allowed(lease.status());
    if (!lease.ok()) {
      held_.clear();
      return;
    }
    h.lease = *std::move(lease);
    ASSERT_LT(h.lease.matched_tokens(), h.ids.size());
    Check(h);
    if (Below(5) != 0) Compute(h, h.ids.size());
    if (Below(3) != 0) h.lease.ApplyRetention();
    if (Below(3) == 0) held_.push_back(std::move(h));
    while (held_.size() > 3) held_.pop_front();
  }

  void Step() {
    const size_t what = Below(100);
    if (what < 30 && store_->pending() > 0) return store_->EndAny();
    if (held_.empty() || what < 75) return Acquire();
    Held& h = held_.back();
    if (what < 80) {
      Compute(h, h.lease.committed_tokens() + Below(h.ids.size() - h.lease.committed_tokens() + 1));
    } else if (what < 84) {
      const std::vector<TokenId> more = Tokens(1 + Below(6));
      const absl::Status status = h.lease.Append(more);
      Allowed(status);
      if (status.ok()) h.ids.insert(h.ids.end(), more.begin(), more.end());
    } else if (what < 88) {
      const size_t end = Below(h.ids.size() + 1);
      const absl::Status status = h.lease.Truncate(end);
      if (status.code() != absl::StatusCode::kFailedPrecondition || w_.groups.size() == 1) {
        Allowed(status);  // else: into a window that was given back
      }
      if (status.ok()) h.ids.resize(end);
    } else if (what < 91) {
      absl::StatusOr<Lease> fork = h.lease.Fork();
      Allowed(fork.status());
      if (fork.ok()) {
        Held other{*std::move(fork), h.ids, h.scope};
        other.ids.resize(other.lease.committed_tokens());
        held_.push_back(std::move(other));
      }
    } else if (what < 97) {
      held_.pop_back();
    } else if (what < 98) {
      cache_->Drop(ScopeOf(static_cast<int>(Below(2))));
    } else {
      cache_->Shrink(Below(w_.capacity));
    }
  }

  const Weather w_;
  std::mt19937_64 rng_;
  std::unique_ptr<MemoryBlockStore> memory_;
  std::unique_ptr<LateStore> store_;
  std::optional<KVCache> cache_;
  std::list<Held> held_;
  uint64_t loads_ = 0, late_ = 0;
};

void RunPrograms(const Weather& weather, size_t programs) {
  const uint64_t seed = TestSeed();
  uint64_t loads = 0, late = 0;
  for (size_t i = 0; i < Scaled(programs) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("PENSTOCK_TEST_SEED=" + std::to_string(seed) + " program " + std::to_string(i));
    Program program(weather, seed + i * 7919);
    program.Run(1000);
    loads += program.loads();
    late += program.late();
  }
  if (::testing::Test::HasFailure()) return;
  EXPECT_GT(loads, 0u);  // the tier was used, and the host was late
  EXPECT_EQ(late > 0, weather.late_percent > 0);
}

TEST(LateHostTest, WhateverIsLateNothingWrongIsReadAndNothingLeaks) { RunPrograms({}, 6); }

TEST(LateHostTest, AHostThatIsLateAndFailsLeavesTheCacheSoundAndEmptyInTheEnd) {
  Weather weather;
  weather.fail_one_in = 25;
  RunPrograms(weather, 6);
  weather.groups.resize(2);
  weather.capacity = 14;
  weather.lower = 6;
  RunPrograms(weather, 4);
}

TEST(LateHostTest, AHostThatFailsInTimeLeavesTheCacheSound) {
  Weather weather;
  weather.late_percent = 0;
  weather.fail_one_in = 12;
  RunPrograms(weather, 3);
}

TEST(LateHostTest, GroupsWithWindowsAreWholeWhateverIsLateOrFails) {
  Weather weather;
  weather.groups = {Retention::Full(), Retention::SinkWindow(0, 6), Retention::SinkWindow(5, 11)};
  RunPrograms(weather, 3);
  weather.fail_one_in = 12;
  RunPrograms(weather, 4);
  weather.late_percent = 0;
  weather.groups = {Retention::Full(), Retention::SinkWindow(3, 5)};
  RunPrograms(weather, 3);
}

TEST(LateHostTest, AHostThatIsAlwaysLateIsNotWaitedFor) {
  Weather weather;
  weather.late_percent = 100;
  RunPrograms(weather, 3);
}

}  // namespace
}  // namespace penstock
