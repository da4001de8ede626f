// SPDX-License-Identifier: Apache-2.0
//
// Real time. Never early is a promise; how late is a matter of the machine, so it is compared with
// a bare condition variable in the same run, turn by turn.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/batcher.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using IntBatch = Batch<int, int>;
using IntBatcher = Batcher<int, int>;

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

// Microseconds that a thread wakes after the time it asked for.
double BareLatenessUs(std::chrono::nanoseconds wait) {
  double late = 0;
  std::thread waiter([&] {
    std::mutex mu;
    std::condition_variable cv;
    std::unique_lock<std::mutex> lock(mu);
    const auto due = std::chrono::steady_clock::now() + wait;
    while (cv.wait_until(lock, due) != std::cv_status::timeout) {
    }
    late =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - due).count();
  });
  waiter.join();
  return late;
}

void TimeoutPrecision(absl::Duration delay, size_t rounds) {
  BatcherOptions options;
  options.mode = BatchMode::kFullOrTimeout;
  options.max_delay = delay;
  std::vector<double> late, bare;
  Bell done;
  auto batcher = IntBatcher::Create(options, [](IntBatch batch) { batch.Complete(0, 1); });
  ASSERT_OK(batcher);
  for (size_t i = 0; i < rounds; ++i) {
    ASSERT_OK(
        batcher->Submit(1, SubmitOptions(), [&](absl::StatusOr<int>, const CompletionInfo& info) {
          EXPECT_GE(info.queue_delay(), delay) << "early";
          late.push_back(absl::ToDoubleMicroseconds(info.queue_delay() - delay));
          done.Ring();
        }));
    while (!done.WaitFor(absl::Seconds(60))) {
    }
    bare.push_back(BareLatenessUs(absl::ToChronoNanoseconds(delay)));
  }
  const double ours = Quantile(late, 0.99), theirs = Quantile(bare, 0.99);
  std::printf(
      "%s: late p50 %.0f us, p99 %.0f us; bare condition variable p50 %.0f us, p99 %.0f us\n",
      absl::FormatDuration(delay).c_str(), Quantile(late, 0.5), ours, Quantile(bare, 0.5), theirs);
  // A machine that does something else at the same time is late by whole time slices, at random.
  if (theirs < 1000) {
    EXPECT_LE(ours, 1.3 * theirs + 200);
  }
}

TEST(BatcherTimingTest, AOneMillisecondTimeoutIsNeverEarlyAndLateAsABareConditionVariable) {
  TimeoutPrecision(absl::Milliseconds(1), Scaled(200));
}

TEST(BatcherTimingTest, AFiftyMillisecondTimeoutIsNeverEarlyAndLateAsABareConditionVariable) {
  TimeoutPrecision(absl::Milliseconds(50), Scaled(20));
}

TEST(BatcherTimingTest, IdleBatchersDoNotWakeUp) {
  std::vector<IntBatcher> batchers;
  for (int i = 0; i < 16; ++i) {
    batchers.push_back(*IntBatcher::Create(BatcherOptions(), [](IntBatch) {}));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // they fall asleep
  uint64_t before = 0, after = 0;
  for (const IntBatcher& b : batchers) before += b.GetStats().former_wakeups;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  for (const IntBatcher& b : batchers) after += b.GetStats().former_wakeups;
  EXPECT_EQ(after, before);
}

// A sleeping runtime of 4 + 0.5 n ms, offered twice its capacity, on real threads.
TEST(BatcherTimingTest, AtTwiceTheCapacityRealThreadsKeepTheirGoodput) {
  BatcherOptions options;
  options.max_batch_requests = 16;
  options.max_queue_requests = 100'000;
  auto batcher = IntBatcher::Create(options, [](IntBatch batch) {
    std::this_thread::sleep_for(std::chrono::microseconds(4000 + 500 * batch.size()));
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, 1);
  });
  ASSERT_OK(batcher);
  SubmitOptions submit;
  submit.timeout = absl::Milliseconds(100);
  std::atomic<int> in_time{0};
  const auto start = std::chrono::steady_clock::now();
  const auto gap = std::chrono::microseconds(375);  // 2667/s; capacity 16 / 12 ms = 1333/s
  auto next = start;
  while (next < start + std::chrono::seconds(2)) {
    std::this_thread::sleep_until(next);
    for (; next <= std::chrono::steady_clock::now(); next += gap) {
      batcher
          ->Submit(1, submit,
                   [&](absl::StatusOr<int> r, const CompletionInfo&) { in_time += r.ok(); })
          .IgnoreError();
    }
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  batcher->Drain(absl::Seconds(5)).IgnoreError();
  const BatcherStats stats = batcher->GetStats();
  // The capacity of this run: sleeps are late on a busy machine.
  const double batch_s = stats.batch_us.mean() * 1e-6;
  const double share = in_time / seconds / (16 / batch_s);
  std::printf("goodput %.3f of the capacity of full batches at the measured batch time %.2f ms\n",
              share, 1e3 * batch_s);
  EXPECT_GE(share, 0.8);
}

}  // namespace
}  // namespace penstock
