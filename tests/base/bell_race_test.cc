// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/base/clock.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

// A lost wake-up would hang here (and the test's timeout would report it).
TEST(BellRaceTest, NoRingIsLostBetweenManyRingersAndOneWaiter) {
  constexpr int kRingers = 3;
  const int rings = static_cast<int>(Scaled(2000));
  Bell bell;
  std::atomic<int> published{0};
  std::vector<std::thread> ringers;
  for (int r = 0; r < kRingers; ++r) {
    ringers.emplace_back([&] {
      for (int i = 0; i < rings; ++i) {
        published.fetch_add(1, std::memory_order_relaxed);
        bell.Ring();
      }
    });
  }
  while (published.load(std::memory_order_relaxed) < kRingers * rings) {
    // All rings may already be taken together with the last publication: look again before waiting.
    if (!Clock::Real()->WaitUntil(bell, MonoTime::InfiniteFuture())) break;
  }
  for (std::thread& ringer : ringers) ringer.join();
  EXPECT_EQ(published.load(), kRingers * rings);
}

TEST(BellRaceTest, WhatWasWrittenBeforeTheRingIsSeenAfterTheWait) {
  for (size_t i = 0; i < Scaled(200); ++i) {
    int value = 0;  // not atomic: TSan sees a missing edge
    Bell bell;
    std::thread ringer([&] {
      value = 42;
      bell.Ring();
    });
    EXPECT_TRUE(Clock::Real()->WaitUntil(bell, MonoTime::InfiniteFuture()));
    EXPECT_EQ(value, 42);
    ringer.join();
  }
}

TEST(BellRaceTest, TheWaiterMayDestroyTheBellAsSoonAsItHasTheRing) {
  for (size_t i = 0; i < Scaled(200); ++i) {
    auto bell = std::make_unique<Bell>();
    std::thread ringer([b = bell.get()] { b->Ring(); });
    EXPECT_TRUE(Clock::Real()->WaitUntil(*bell, MonoTime::InfiniteFuture()));
    bell.reset();
    ringer.join();
  }
}

}  // namespace
}  // namespace penstock
