// SPDX-License-Identifier: Apache-2.0
//
// What goes wrong around a batcher, one fault a test. Each ends with every accepted request ended
// once.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "batcher/request_queue.h"
#include "batcher/slab.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/batcher.h"
#include "penstock/batcher/collator.h"
#include "tests/batcher/batcher_fixture.h"
#include "tests/support/batch_simulator.h"
#include "tests/support/seed.h"

// Counts allocations of this thread while asked to.
namespace {
thread_local int64_t allocations = -1;
void* CountedAllocation(size_t bytes, size_t align) {
  if (allocations >= 0) ++allocations;
  void* p = align <= alignof(std::max_align_t)
                ? std::malloc(bytes == 0 ? 1 : bytes)
                : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (p == nullptr) std::abort();
  return p;
}
}  // namespace
// noinline: or the compiler sees malloc and free meet, and warns.
__attribute__((noinline)) void* operator new(size_t bytes) { return CountedAllocation(bytes, 1); }
__attribute__((noinline)) void* operator new(size_t bytes, std::align_val_t align) {
  return CountedAllocation(bytes, static_cast<size_t>(align));
}
__attribute__((noinline)) void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return CountedAllocation(bytes, 1);
}
__attribute__((noinline)) void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using BatcherFaultsTest = BatcherFixture;

TEST_F(BatcherFaultsTest, ARuntimeThatNeverReturnsDoesNotHoldTheDrainBack) {
  Create(Options());
  ASSERT_OK(Submit("stalled"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("behind it"));
  EXPECT_THAT(batcher_->Drain(absl::ZeroDuration()), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(results_.outcome("stalled"), Outcome::kShutdown);
  EXPECT_EQ(results_.outcome("behind it"), Outcome::kShutdown);
  batcher_.reset();
  CompleteFirst();  // it returns after all
  EXPECT_EQ(results_.size(), 2u);
}

TEST_F(BatcherFaultsTest, ARuntimeMayCompleteFromAnyThreadInAnyOrder) {
  Create(Options());
  for (int i = 0; i < 64; ++i) ASSERT_OK(Submit(std::to_string(i)));
  batcher_->PollOnce();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  // Results write to one map: the callbacks of this test run one after the other.
  internal::Mutex mu;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 64; i-- > 0;) {
        if (i % 4 != t) continue;
        const internal::MutexLock lock(mu);
        batches_[0].Complete(i, batches_[0].request(i) + "!");
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(results_.size(), 64u);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(*results_[std::to_string(i)].value, std::to_string(i) + "!");
  }
}

TEST_F(BatcherFaultsTest, AnExecutorThatDropsTheBatchFailsItsRequests) {
  class Dropping final : public Executor {
   public:
    void Schedule(Task) override {}
  } executor;
  BatcherOptions options = Options();
  options.executor = &executor;
  Create(options);
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  EXPECT_EQ(results_.outcome("a"), Outcome::kRuntimeDropped);
  ASSERT_OK(Submit("b"));
  batcher_->PollOnce();
  EXPECT_EQ(results_.outcome("b"), Outcome::kRuntimeDropped) << "the slot was given back";
}

TEST_F(BatcherFaultsTest, ADegradeFunctionThatMakesTheRequestDearerIsNotBelieved) {
  BatcherOptions options = Options();
  options.max_queue_tokens = 10;
  options.on_full = OnFull::kDegrade;
  int64_t answer = 20;
  Create(options, [&](std::string&) { return std::optional<int64_t>(answer); });
  SubmitOptions eight;
  eight.tokens = 8;
  ASSERT_OK(Submit("a", eight));
  EXPECT_THAT(Submit("b", eight), StatusIs(absl::StatusCode::kResourceExhausted));
  answer = -5;
  EXPECT_THAT(Submit("c", eight), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(BatcherFaultsTest, ACancelStormFromACallbackEndsEachOnce) {
  Create(Options());
  std::vector<Ticket> tickets;
  ASSERT_OK(batcher_->Submit("first", SubmitOptions(),
                             [&](absl::StatusOr<std::string>, const CompletionInfo&) {
                               for (const Ticket& t : tickets) EXPECT_TRUE(batcher_->Cancel(t));
                               for (const Ticket& t : tickets) EXPECT_FALSE(batcher_->Cancel(t));
                             }));
  batcher_->PollOnce();
  for (int i = 0; i < 500; ++i) tickets.push_back(*Submit(std::to_string(i)));
  CompleteFirst();
  EXPECT_EQ(results_.size(), 500u);
  EXPECT_TRUE(batcher_->GetStats().conserved());
  EXPECT_OK(batcher_->CheckInvariants());
}

TEST_F(BatcherFaultsTest, MassCancelWhileFullLetsAsManyInAgain) {
  const size_t many = Scaled(20'000);
  BatcherOptions options = Options();
  options.max_queue_requests = many;
  Create(options);
  size_t ended = 0;
  const auto count = [&](absl::StatusOr<std::string>, const CompletionInfo&) { ++ended; };
  for (int round = 0; round < 2; ++round) {
    std::vector<Ticket> tickets;
    for (size_t i = 0; i < many; ++i) {
      tickets.push_back(*batcher_->Submit("x", SubmitOptions(), count));
    }
    EXPECT_FALSE(batcher_->Submit("x", SubmitOptions(), count).ok());
    for (const Ticket& t : tickets) EXPECT_TRUE(batcher_->Cancel(t));
  }
  EXPECT_EQ(ended, 2 * many);
}

TEST_F(BatcherFaultsTest, AClockThatGoesBackEndsNothingEarlyAndLosesNothing) {
  Create(Options());
  SubmitOptions timed;
  timed.timeout = absl::Milliseconds(10);
  ASSERT_OK(Submit("running"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("a", timed));
  clock_.Advance(-absl::Milliseconds(5));
  ASSERT_OK(Submit("b", timed));
  batcher_->PollOnce();
  EXPECT_EQ(results_.size(), 0u);
  CompleteFirst();
  batcher_->PollOnce();
  EXPECT_TRUE(batcher_->GetStats().conserved());
  EXPECT_OK(batcher_->CheckInvariants());
}

TEST_F(BatcherFaultsTest, ARuntimeThatCompletesInsideRunBatchMayUseAnInlineExecutor) {
  BatcherOptions options = Options();
  options.executor = InlineExecutor();
  auto batcher = StringBatcher::Create(options, [this](StringBatch batch) { CompleteAll(batch); });
  ASSERT_OK(batcher);
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK(batcher->Submit(std::to_string(i), SubmitOptions(), results_.For(std::to_string(i))));
    batcher->PollOnce();
  }
  EXPECT_EQ(results_.size(), 100u);
}

TEST_F(BatcherFaultsTest, MoveOnlyRequestsAndResultsWork) {
  using Unique = std::unique_ptr<int>;
  auto batcher = Batcher<Unique, Unique>::Create(Options(), [](Batch<Unique, Unique> batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
      batch.Complete(i, std::make_unique<int>(*batch.request(i) + 1));
    }
  });
  ASSERT_OK(batcher);
  int seen = 0;
  ASSERT_OK(batcher->Submit(std::make_unique<int>(41), SubmitOptions(),
                            [&](absl::StatusOr<Unique> r, const CompletionInfo&) { seen = **r; }));
  batcher->PollOnce();
  EXPECT_EQ(seen, 42);
}

// A request whose owner is interrupted while the batcher takes it over: after its place was
// counted, before it can be seen. The hook runs there.
struct Interrupted {
  explicit Interrupted(std::function<void()> h = nullptr) : hook(std::move(h)) {}
  Interrupted(Interrupted&& other) noexcept {
    if (auto h = std::exchange(other.hook, nullptr)) h();
  }
  std::function<void()> hook;
};
using InterruptedBatcher = Batcher<Interrupted, int>;

TEST_F(BatcherFaultsTest, AProducerThatStandsStillInsideSubmitHoldsUpNobodyElse) {
  BatcherOptions options = Options();
  options.max_queue_requests = 2;
  auto batcher = InterruptedBatcher::Create(options, [](Batch<Interrupted, int> batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, 1);
  });
  ASSERT_OK(batcher);
  int ended = 0;
  const auto count = [&](absl::StatusOr<int> r, const CompletionInfo&) { ended += r.ok(); };
  const auto others = [&] {
    for (int round = 1; round <= 3; ++round) {
      EXPECT_OK(batcher->Submit(Interrupted(), SubmitOptions(), count));
      EXPECT_THAT(batcher->Submit(Interrupted(), SubmitOptions(), count),
                  StatusIs(absl::StatusCode::kResourceExhausted))
          << "one of two places is his";
      batcher->PollOnce();
      EXPECT_EQ(ended, round);
    }
  };
  ASSERT_OK(batcher->Submit(Interrupted(others), SubmitOptions(), count));
  EXPECT_EQ(ended, 3);
  batcher->PollOnce();
  EXPECT_EQ(ended, 4);
  EXPECT_TRUE(batcher->GetStats().conserved());
  EXPECT_OK(batcher->CheckInvariants());
}

TEST_F(BatcherFaultsTest, AProducerThatADrainOvertakesInsideSubmitStillGetsItsEnd) {
  auto batcher = InterruptedBatcher::Create(Options(), [](Batch<Interrupted, int>) {});
  ASSERT_OK(batcher);
  int ended = 0;
  const auto drain = [&] {
    EXPECT_THAT(batcher->Drain(absl::ZeroDuration()),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
    EXPECT_EQ(ended, 0);
  };
  EXPECT_OK(batcher->Submit(Interrupted(drain), SubmitOptions(),
                            [&](absl::StatusOr<int>, const CompletionInfo& info) {
                              EXPECT_EQ(info.outcome, Outcome::kShutdown);
                              ++ended;
                            }));
  batcher->PollOnce();
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(batcher->GetStats().conserved());
  EXPECT_OK(batcher->CheckInvariants());
}

TEST_F(BatcherFaultsTest, AStalledRuntimeThatReturnsLateEndsNothingTwiceAndGivesItsSlotBack) {
  Create(Options());
  SubmitOptions timed;
  timed.timeout = absl::Milliseconds(10);
  ASSERT_OK(Submit("a", timed));
  batcher_->PollOnce();
  ASSERT_OK(Submit("behind it"));
  clock_.Advance(absl::Hours(1));
  batcher_->PollOnce();
  EXPECT_EQ(results_.outcome("a"), Outcome::kExpired);
  EXPECT_EQ(batches_.size(), 1u) << "its slot is not free";
  CompleteFirst();
  EXPECT_EQ(batcher_->GetStats().late_results, 1u);
  batcher_->PollOnce();
  CompleteFirst();
  EXPECT_EQ(results_.outcome("behind it"), Outcome::kOk);
  EXPECT_EQ(results_.size(), 2u);
  EXPECT_TRUE(batcher_->GetStats().conserved());
}

TEST_F(BatcherFaultsTest, NothingIsAllocatedPerRequestInTheSteadyState) {
  BatcherOptions options = Options();
  options.max_batch_requests = 32;
  auto batcher = Batcher<uint64_t, uint64_t>::Create(options, [](Batch<uint64_t, uint64_t> batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, batch.request(i));
  });
  ASSERT_OK(batcher);
  SubmitOptions submit;
  submit.tenant = "a tenant";
  submit.timeout = absl::Seconds(10);
  uint64_t sum = 0;
  const auto round = [&] {
    for (uint64_t i = 0; i < 100; ++i) {
      batcher
          ->Submit(uint64_t{i}, submit,
                   [&sum](absl::StatusOr<uint64_t> r, const CompletionInfo&) { sum += *r; })
          .IgnoreError();
    }
    batcher->PollOnce();
  };
  for (int i = 0; i < 50; ++i) round();
  allocations = 0;
  for (int i = 0; i < 100; ++i) round();
  const int64_t counted = std::exchange(allocations, -1);
  EXPECT_EQ(counted, 0);
  EXPECT_EQ(sum, 150u * 4950u);
}

struct Prompt {
  std::vector<TokenId> ids;
  size_t cached = 0;
};

CollateRow RowOf(const Prompt& p) { return {p.ids, p.cached, 0}; }

TEST(CollatorTest, ABatchBecomesTensorsOfItsSuffixesAndAllowedRows) {
  BatcherOptions options;
  options.former_thread = false;
  options.max_batch_requests = 4;
  options.allowed_batch_sizes = {4};
  Collator<int64_t> collator;
  auto batcher = Batcher<Prompt, int>::Create(options, [&](Batch<Prompt, int> batch) {
    const auto padded = collator.Pad(batch, RowOf);
    ASSERT_OK(padded);
    EXPECT_EQ(padded->shape.batch, 4u);
    EXPECT_EQ(padded->shape.padded_len, 2u);
    EXPECT_THAT(padded->input_ids, ElementsAre(7, 8, 11, 0, 0, 0, 0, 0));
    EXPECT_THAT(padded->attention_mask, ElementsAre(1, 1, 1, 0, 0, 0, 0, 0));
    EXPECT_THAT(padded->position_ids, ElementsAre(0, 1, 2, 0, 0, 0, 0, 0));
    EXPECT_THAT(padded->lengths, ElementsAre(2, 1, 0, 0));
    const auto packed = collator.Pack(batch, RowOf);
    ASSERT_OK(packed);
    EXPECT_THAT(packed->input_ids, ElementsAre(7, 8, 11));
    EXPECT_THAT(packed->position_ids, ElementsAre(0, 1, 2));
    EXPECT_THAT(packed->cu_seqlens, ElementsAre(0, 2, 3));
    EXPECT_EQ(packed->max_len, 2u);
    const auto bad = [](const Prompt& p) { return CollateRow{p.ids, p.ids.size() + 1, 0}; };
    EXPECT_THAT(collator.Pack(batch, bad), StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(collator.Pad(batch, bad), StatusIs(absl::StatusCode::kInvalidArgument));
  });
  ASSERT_OK(batcher);
  const auto nothing = [](absl::StatusOr<int>, const CompletionInfo&) {};
  ASSERT_OK(batcher->Submit(Prompt{{7, 8}, 0}, SubmitOptions(), nothing));
  ASSERT_OK(batcher->Submit(Prompt{{9, 10, 11}, 2}, SubmitOptions(), nothing));
  batcher->PollOnce();
}

TEST(CollatorTest, NothingIsAllocatedInTheSteadyState) {
  BatcherOptions options;
  options.former_thread = false;
  Collator<int32_t> collator;
  int64_t counted = -1;
  auto batcher = Batcher<Prompt, int>::Create(options, [&](Batch<Prompt, int> batch) {
    allocations = 0;
    EXPECT_TRUE(collator.Pad(batch, RowOf).ok());
    EXPECT_TRUE(collator.Pack(batch, RowOf).ok());
    counted = std::exchange(allocations, -1);
  });
  ASSERT_OK(batcher);
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < 20; ++i) {
      Prompt p{std::vector<TokenId>(100 + i, 5), i};
      ASSERT_OK(batcher->Submit(std::move(p), SubmitOptions(),
                                [](absl::StatusOr<int>, const CompletionInfo&) {}));
    }
    batcher->PollOnce();
  }
  EXPECT_EQ(counted, 0);
}

TEST(SlabTest, MemoryIsGivenBackWhenItIsNoLongerNeeded) {
  internal::Slab slab(100, 8);
  std::vector<uint32_t> indices;
  for (int i = 0; i < 100'000; ++i) indices.push_back(slab.Allocate());
  EXPECT_EQ(slab.used(), 100'000u);
  EXPECT_GE(slab.held_chunks(), 97u);
  for (const uint32_t i : indices) slab.Free(i);
  EXPECT_EQ(slab.used(), 0u);
  EXPECT_LE(slab.held_chunks(), 2u);
  EXPECT_EQ(slab.At(4'000'000'000u), nullptr);
  EXPECT_NE(slab.At(slab.Allocate()), nullptr);
}

TEST(RequestQueueTest, FlowsOfTenantsThatLeftAreForgotten) {
  internal::Slab slab(sizeof(internal::Slot), alignof(internal::Slot));
  internal::RequestQueue queue(&slab, 0, {});
  for (uint64_t i = 1; i <= 100'000; ++i) {
    const uint32_t s = slab.Allocate();
    internal::Slot& slot = internal::SlotAt(slab, s);
    slot.serial = i;
    slot.tokens = static_cast<int64_t>(i % 100);
    queue.Push(s, "tenant " + std::to_string(i), 0);
    EXPECT_EQ(queue.Pick(), s);
    queue.Forget(s);
    slab.Free(s);
  }
  EXPECT_LE(queue.flows(), 4097u);
  EXPECT_OK(queue.CheckInvariants());
}

TEST(BatchFaultSimulation, ARuntimeThirtyTimesSlowerRecoversByItself) {
  SimOptions o;
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 1'000'000;
  o.slo = 0.2;
  o.slow_from = 2;
  o.slow_to = 4;
  o.slow_factor = 30;  // 816 ms a full batch: nothing can be in time
  const double c = Capacity(o);
  const SimResult r = Simulate(o, PoissonArrivals(0.7 * c, 10, 1));
  EXPECT_EQ(r.stats.accepted, r.stats.ended());
  double after = 0;
  for (size_t i = 0; i < r.latency.size(); ++i) {
    after += r.finished_at[i] > 6 && r.finished_at[i] <= 10 && r.latency[i] <= o.slo;
  }
  EXPECT_GE(after / 4 / (0.7 * c), 0.98) << "two seconds after the fault all is as before";
}

}  // namespace
}  // namespace penstock
