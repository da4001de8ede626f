// SPDX-License-Identifier: Apache-2.0
//
// The threaded shell under real threads (what TSan runs). Time is manual: nothing here sleeps.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "gtest/gtest.h"
#include "penstock/batcher.h"
#include "penstock/testing/manual_clock.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using IntBatch = Batch<uint64_t, uint64_t>;
using IntBatcher = Batcher<uint64_t, uint64_t>;

// Counts down; Wait() returns at zero, and nobody touches it after.
class Countdown {
 public:
  explicit Countdown(size_t count) : left_(count) {}
  void Done() {
    const internal::MutexLock lock(mu_);
    if (--left_ == 0) zero_.NotifyAll();
  }
  void Wait() {
    const internal::MutexLock lock(mu_);
    while (left_ != 0) zero_.Wait(mu_);
  }

 private:
  internal::Mutex mu_;
  internal::CondVar zero_;
  size_t left_ ABSL_GUARDED_BY(mu_);
};

TEST(BatcherThreadsTest, EveryRequestOfManyProducersGetsItsOwnResult) {
  constexpr size_t kProducers = 4;
  const size_t per_producer = Scaled(5000);
  BatcherOptions options;
  options.max_batch_requests = 16;
  options.max_concurrent_batches = 2;
  options.max_queue_requests = 100'000'000;
  Countdown countdown(kProducers * per_producer);
  auto batcher = IntBatcher::Create(options, [](IntBatch batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, batch.request(i) * 3);
  });
  ASSERT_OK(batcher);
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> producers;
  for (size_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (size_t i = 0; i < per_producer; ++i) {
        const uint64_t q = p * per_producer + i;
        auto ticket = batcher->Submit(uint64_t{q}, SubmitOptions(),
                                      [&, q](absl::StatusOr<uint64_t> r, const CompletionInfo&) {
                                        if (!r.ok() || *r != q * 3) wrong.fetch_add(1);
                                        countdown.Done();
                                      });
        EXPECT_OK(ticket);
      }
    });
  }
  for (std::thread& t : producers) t.join();
  countdown.Wait();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_OK(batcher->Drain(absl::InfiniteDuration()));
  const BatcherStats stats = batcher->GetStats();
  EXPECT_EQ(stats.outcome(Outcome::kOk), kProducers * per_producer);
  EXPECT_TRUE(stats.conserved());
}

TEST(BatcherThreadsTest, AfterReleaseSlotTheNextBatchRunsBesideTheRestOfTheCall) {
  BatcherOptions options;
  options.max_batch_requests = 1;
  Countdown second_ran(1), both_ended(2);
  auto batcher = IntBatcher::Create(options, [&](IntBatch batch) {
    if (batch.request(0) == 0) {
      batch.ReleaseSlot();
      second_ran.Wait();
    } else {
      second_ran.Done();
    }
    batch.Complete(0, batch.request(0));
  });
  ASSERT_OK(batcher);
  for (uint64_t q = 0; q < 2; ++q) {
    ASSERT_OK(batcher->Submit(
        uint64_t{q}, SubmitOptions(),
        [&](absl::StatusOr<uint64_t>, const CompletionInfo&) { both_ended.Done(); }));
  }
  both_ended.Wait();
  EXPECT_OK(batcher->Drain(absl::InfiniteDuration()));
}

TEST(BatcherThreadsTest, CallsThatHoldTheirSlotNeverOverlapEvenAfterTheirBatchDied) {
  const size_t requests = Scaled(5000);
  BatcherOptions options;
  options.max_batch_requests = 4;
  options.max_queue_requests = 100'000'000;
  Countdown countdown(requests);
  std::atomic<int> inside{0}, overlaps{0};
  auto batcher = IntBatcher::Create(options, [&](IntBatch batch) {
    if (inside.fetch_add(1) != 0) overlaps.fetch_add(1);
    const bool release = batch.request(0) % 3 == 0;
    if (release) {
      inside.fetch_sub(1);
      batch.ReleaseSlot();
    }
    {
      IntBatch dies = std::move(batch);
      for (size_t i = 0; i < dies.size(); ++i) dies.Complete(i, dies.request(i));
    }
    std::this_thread::yield();
    if (!release) inside.fetch_sub(1);
  });
  ASSERT_OK(batcher);
  for (uint64_t q = 0; q < requests; ++q) {
    ASSERT_OK(batcher->Submit(
        uint64_t{q}, SubmitOptions(),
        [&](absl::StatusOr<uint64_t>, const CompletionInfo&) { countdown.Done(); }));
  }
  countdown.Wait();
  EXPECT_OK(batcher->Drain(absl::InfiniteDuration()));
  EXPECT_EQ(overlaps.load(), 0);
  EXPECT_TRUE(batcher->GetStats().conserved());
}

// Everything at once: submits that are refused, cancels, timeouts, a runtime that forgets, puts
// back, completes late and twice, and a shutdown in the middle. Every accepted request ends exactly
// once.
void Storm(uint64_t seed, OnFull on_full) {
  constexpr size_t kProducers = 3;
  const size_t per_producer = Scaled(1500);
  ManualClock clock;
  BatcherOptions options;
  options.clock = &clock;
  options.max_batch_requests = 8;
  options.max_concurrent_batches = 2;
  options.max_queue_requests = 32;
  options.on_full = on_full;
  std::atomic<uint64_t> accepted{0}, ended{0}, twice{0};
  std::vector<std::unique_ptr<std::atomic<int>>> ends;
  for (size_t i = 0; i < kProducers * per_producer; ++i) {
    ends.push_back(std::make_unique<std::atomic<int>>(0));
  }
  auto created = IntBatcher::Create(options, [](IntBatch batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
      switch (batch.request(i) % 7) {
        case 0:
          break;  // forgotten
        case 1:
          batch.PutBack(i);
          break;
        case 2:
          batch.Complete(i, absl::InternalError("no"));
          batch.Complete(i, 1);
          break;
        default:
          if (!batch.cancelled(i)) batch.Complete(i, batch.request(i));
      }
    }
  });
  ASSERT_OK(created);
  auto batcher = std::make_unique<IntBatcher>(*std::move(created));
  std::vector<std::thread> threads;
  for (size_t p = 0; p < kProducers; ++p) {
    threads.emplace_back([&, p] {
      SeededRandom random(seed * 10 + p);
      for (size_t i = 0; i < per_producer; ++i) {
        const size_t q = p * per_producer + i;
        SubmitOptions submit;
        submit.priority = static_cast<int>(random.Between(-1, 1));
        submit.tenant = random.OneIn(2) ? "a" : "b";
        submit.block_for = absl::Microseconds(random.Below(50));
        if (random.OneIn(2)) submit.timeout = absl::Microseconds(1 + random.Below(100));
        auto ticket = batcher->Submit(uint64_t{q}, submit,
                                      [&, q](absl::StatusOr<uint64_t>, const CompletionInfo&) {
                                        if (ends[q]->fetch_add(1) != 0) twice.fetch_add(1);
                                        ended.fetch_add(1);
                                      });
        if (ticket.ok()) accepted.fetch_add(1);
        if (random.OneIn(3)) clock.Advance(absl::Microseconds(random.Below(40)));
        if (ticket.ok() && random.OneIn(4)) batcher->Cancel(*ticket);
        if (random.OneIn(50)) {
          EXPECT_TRUE(batcher->GetStats().conserved());
        }
      }
    });
  }
  std::atomic<bool> stop{false};
  std::thread time([&] {
    while (!stop.load()) {
      clock.Advance(absl::Microseconds(20));
      std::this_thread::yield();
    }
  });
  for (std::thread& t : threads) t.join();
  batcher->Drain(absl::Milliseconds(1)).IgnoreError();
  EXPECT_TRUE(batcher->GetStats().conserved());
  EXPECT_OK(batcher->CheckInvariants());
  batcher.reset();
  stop.store(true);
  time.join();
  EXPECT_EQ(ended.load(), accepted.load());
  EXPECT_EQ(twice.load(), 0u);
}

TEST(BatcherThreadsTest, AStormWithRejectionLosesNothing) { Storm(1, OnFull::kReject); }
TEST(BatcherThreadsTest, AStormWithDropOldestLosesNothing) { Storm(2, OnFull::kDropOldest); }
TEST(BatcherThreadsTest, AStormWithEvictionLosesNothing) { Storm(3, OnFull::kEvictLowest); }
TEST(BatcherThreadsTest, AStormWithBlockedProducersLosesNothing) { Storm(4, OnFull::kBlock); }

TEST(BatcherThreadsTest, ABlockedProducerGoesOnWhenAPlaceIsFree) {
  ManualClock clock;
  BatcherOptions options;
  options.clock = &clock;
  options.max_queue_requests = 1;
  options.on_full = OnFull::kBlock;
  std::vector<IntBatch> batches;
  Bell got_batch;
  auto batcher = IntBatcher::Create(options, [&](IntBatch batch) {
    batches.push_back(std::move(batch));
    got_batch.Ring();
  });
  ASSERT_OK(batcher);
  const auto ignore = [](absl::StatusOr<uint64_t>, const CompletionInfo&) {};
  ASSERT_OK(batcher->Submit(1, SubmitOptions(), ignore));
  got_batch.WaitFor(absl::InfiniteDuration());
  ASSERT_OK(batcher->Submit(2, SubmitOptions(), ignore));
  std::thread producer([&] {
    SubmitOptions submit;
    submit.block_for = absl::Hours(1);
    EXPECT_OK(batcher->Submit(3, submit, ignore));
  });
  clock.AwaitWaiters(2);                  // the former, and the producer
  std::vector<IntBatch>().swap(batches);  // the slot is free; 2 leaves; 3 enters
  producer.join();
  EXPECT_EQ(batcher->GetStats().blocked_submits, 1u);
  got_batch.WaitFor(absl::InfiniteDuration());
  batcher->Drain(absl::ZeroDuration()).IgnoreError();
}

TEST(BatcherThreadsTest, ABlockedProducerIsRefusedAtItsDeadlineAndAtShutdown) {
  ManualClock clock;
  BatcherOptions options;
  options.clock = &clock;
  options.former_thread = false;
  options.wake = [] {};
  options.max_queue_requests = 1;
  options.on_full = OnFull::kBlock;
  auto batcher = IntBatcher::Create(options, [](IntBatch) {});
  ASSERT_OK(batcher);
  const auto ignore = [](absl::StatusOr<uint64_t>, const CompletionInfo&) {};
  ASSERT_OK(batcher->Submit(1, SubmitOptions(), ignore));
  SubmitOptions submit;
  submit.block_for = absl::Seconds(1);
  std::thread late([&] {
    EXPECT_THAT(batcher->Submit(2, submit, ignore), StatusIs(absl::StatusCode::kResourceExhausted));
  });
  clock.AwaitWaiters(1);
  clock.Advance(absl::Seconds(1));
  late.join();
  std::thread caught([&] {
    EXPECT_THAT(batcher->Submit(3, submit, ignore), StatusIs(absl::StatusCode::kUnavailable));
  });
  clock.AwaitWaiters(1);
  batcher->Drain(absl::ZeroDuration()).IgnoreError();
  caught.join();
}

TEST(BatcherThreadsTest, ABatchAndItsBatcherMayDieAtTheSameTime) {
  constexpr uint64_t kRequests = 3;
  for (size_t round = 0; round < Scaled(200); ++round) {
    ManualClock clock;
    BatcherOptions options;
    options.clock = &clock;
    options.former_thread = false;
    std::optional<IntBatch> batch;
    auto created = IntBatcher::Create(options, [&](IntBatch b) { batch.emplace(std::move(b)); });
    ASSERT_OK(created);
    std::optional<IntBatcher> batcher(*std::move(created));
    std::vector<std::atomic<int>> ends(2 * kRequests);
    for (uint64_t i = 0; i < ends.size(); ++i) {
      if (i == kRequests) batcher->PollOnce();  // half of them run, half of them wait
      ASSERT_OK(batcher->Submit(
          uint64_t{i}, SubmitOptions(),
          [&ends, i](absl::StatusOr<uint64_t>, const CompletionInfo&) { ends[i].fetch_add(1); }));
    }
    ASSERT_TRUE(batch.has_value());
    std::atomic<int> ready{0};
    const auto together = [&ready] {
      ready.fetch_add(1);
      while (ready.load() < 2) std::this_thread::yield();
    };
    std::thread other([&] {
      together();
      if (round % 2 == 0) batch->Complete(0, 1);
      batch.reset();
    });
    together();
    batcher.reset();
    other.join();
    for (const std::atomic<int>& count : ends) ASSERT_EQ(count.load(), 1);
  }
}

TEST(BatcherThreadsTest, ACallbackOnTheBatchersOwnThreadMayDestroyIt) {
  BatcherOptions options;
  auto created = IntBatcher::Create(options, [](IntBatch batch) { batch.Complete(0, 1); });
  ASSERT_OK(created);
  auto batcher = std::make_unique<IntBatcher>(*std::move(created));
  Bell destroyed;
  std::atomic<bool> submitted{false};
  Bell go;
  ASSERT_OK(
      batcher->Submit(1, SubmitOptions(), [&](absl::StatusOr<uint64_t>, const CompletionInfo&) {
        go.WaitFor(absl::InfiniteDuration());  // Submit has returned
        batcher.reset();
        destroyed.Ring();
      }));
  go.Ring();
  destroyed.WaitFor(absl::InfiniteDuration());
  EXPECT_EQ(batcher, nullptr);
}

TEST(BatcherThreadsTest, AnIdleBatcherCausesNoWakeUps) {
  ManualClock clock;
  BatcherOptions options;
  options.clock = &clock;
  auto batcher = IntBatcher::Create(options, [](IntBatch batch) { batch.Complete(0, 1); });
  ASSERT_OK(batcher);
  clock.AwaitWaiters(1);
  EXPECT_EQ(clock.next_deadline(), MonoTime::InfiniteFuture());
  clock.Advance(absl::Hours(24));
  EXPECT_EQ(batcher->GetStats().former_wakeups, 0u);
}

TEST(BatcherThreadsTest, StatisticsAndCancelNeverSwallowAWakeUp) {
  // Whoever empties the ingress while the former is about to sleep must wake it.
  BatcherOptions options;
  options.max_batch_requests = 1;
  auto batcher = IntBatcher::Create(options, [](IntBatch batch) { batch.Complete(0, 1); });
  ASSERT_OK(batcher);
  std::atomic<bool> stop{false};
  std::thread meddler([&] {
    while (!stop.load()) {
      batcher->GetStats();
      batcher->Cancel(Ticket{1, 1});
    }
  });
  for (size_t i = 0; i < Scaled(3000); ++i) {
    Countdown countdown(1);
    ASSERT_OK(batcher->Submit(
        1, SubmitOptions(),
        [&](absl::StatusOr<uint64_t>, const CompletionInfo&) { countdown.Done(); }));
    countdown.Wait();
  }
  stop.store(true);
  meddler.join();
}

}  // namespace
}  // namespace penstock
