// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "gtest/gtest.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

TEST(RealClockTimingTest, AWaitEndsAtItsDeadlineAndNotBefore) {
  Clock& clock = *Clock::Real();
  Bell bell;
  for (int i = 0; i < 10; ++i) {
    const MonoTime deadline = clock.Now() + absl::Milliseconds(5);
    EXPECT_FALSE(clock.WaitUntil(bell, deadline));
    EXPECT_GE(clock.Now(), deadline);
    EXPECT_LT(clock.Now() - deadline, absl::Seconds(5));  // a loaded machine is slow, not endless
  }
}

TEST(RealClockTimingTest, ARingEndsAWaitLongBeforeItsDeadline) {
  Clock& clock = *Clock::Real();
  Bell bell;
  const MonoTime start = clock.Now();
  std::thread ringer([&] {
    Bell never;
    clock.WaitUntil(never, start + absl::Milliseconds(5));
    bell.Ring();
  });
  EXPECT_TRUE(clock.WaitUntil(bell, start + absl::Hours(1)));
  EXPECT_GE(clock.Now() - start, absl::Milliseconds(5));
  ringer.join();
}

TEST(RealClockTimingTest, ANudgeDoesNotEndAWaitOfTheRealClock) {
  Clock& clock = *Clock::Real();
  Bell bell;
  bell.Nudge();
  const MonoTime deadline = clock.Now() + absl::Milliseconds(2);
  EXPECT_FALSE(clock.WaitUntil(bell, deadline));
  EXPECT_GE(clock.Now(), deadline);
}

}  // namespace
}  // namespace penstock
