// SPDX-License-Identifier: Apache-2.0
#include "penstock/testing/manual_clock.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

TEST(ManualClockTest, MovesOnlyWhenToldForwardAndBack) {
  ManualClock clock;
  const MonoTime start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Milliseconds(50));
  EXPECT_EQ(clock.Now() - start, absl::Milliseconds(50));
  clock.Advance(-absl::Milliseconds(20));
  EXPECT_EQ(clock.Now() - start, absl::Milliseconds(30));
}

TEST(ManualClockTest, AnElapsedDeadlineReturnsAtOnceAndARingWins) {
  ManualClock clock;
  Bell bell;
  EXPECT_FALSE(clock.WaitUntil(bell, clock.Now()));
  bell.Ring();
  EXPECT_TRUE(clock.WaitUntil(bell, clock.Now()));
  EXPECT_FALSE(bell.TryTake());
}

TEST(ManualClockTest, AWaiterSleepsUntilItsDeadlineIsReached) {
  ManualClock clock;
  Bell bell;
  const MonoTime deadline = clock.Now() + absl::Milliseconds(10);
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    EXPECT_FALSE(clock.WaitUntil(bell, deadline));
    EXPECT_EQ(clock.Now(), deadline);
    returned = true;
  });
  clock.AwaitWaiters(1);
  EXPECT_EQ(clock.next_deadline(), deadline);
  clock.Advance(absl::Milliseconds(9));
  clock.AwaitWaiters(1);
  EXPECT_FALSE(returned);
  clock.Advance(absl::Milliseconds(1));
  waiter.join();
  EXPECT_TRUE(clock.next_deadline().is_infinite());
}

TEST(ManualClockTest, ARingEndsAWaitThatTimeWouldNot) {
  ManualClock clock;
  Bell bell;
  std::thread waiter([&] { EXPECT_TRUE(clock.WaitUntil(bell, MonoTime::InfiniteFuture())); });
  clock.AwaitWaiters(1);
  bell.Ring();
  waiter.join();
}

TEST(ManualClockTest, OnlyTheWaitersWhoseDeadlineHasComeReturn) {
  ManualClock clock;
  const MonoTime start = clock.Now();
  constexpr int kWaiters = 4;
  std::vector<std::thread> waiters;
  std::atomic<int> returned{0};
  Bell bells[kWaiters];
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&, i] {
      clock.WaitUntil(bells[i], start + absl::Seconds(i + 1));
      ++returned;
    });
  }
  clock.AwaitWaiters(kWaiters);
  for (int i = 0; i < kWaiters; ++i) {
    EXPECT_EQ(clock.next_deadline(), start + absl::Seconds(i + 1));
    clock.Advance(absl::Seconds(1));
    waiters[static_cast<size_t>(i)].join();
    EXPECT_EQ(returned, i + 1);
  }
}

TEST(ManualClockRaceTest, NoDeadlineIsMissedWhileTimeMovesAndBellsRing) {
  ManualClock clock;
  const int rounds = static_cast<int>(Scaled(200));
  constexpr int kWaiters = 3;
  std::vector<std::thread> waiters;
  std::atomic<int> finished{0};
  for (int w = 0; w < kWaiters; ++w) {
    waiters.emplace_back([&, w] {
      Bell bell;
      for (int i = 0; i < rounds; ++i) {
        if ((i + w) % 3 == 0) bell.Ring();
        const MonoTime deadline = clock.Now() + absl::Milliseconds(i % 5);
        const bool rung = clock.WaitUntil(bell, deadline);
        EXPECT_TRUE(rung || clock.Now() >= deadline);
      }
      ++finished;
    });
  }
  while (finished < kWaiters) {
    clock.Advance(absl::Milliseconds(1));
    std::this_thread::yield();
  }
  for (std::thread& waiter : waiters) waiter.join();
}

}  // namespace
}  // namespace penstock
