// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/clock.h"

#include <cstdint>
#include <limits>
#include <memory>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST(MonoTimeTest, DifferencesUndoSums) {
  const MonoTime t = MonoTime::FromNanoseconds(1000);
  EXPECT_EQ(t + absl::Nanoseconds(5), MonoTime::FromNanoseconds(1005));
  EXPECT_EQ(t - absl::Nanoseconds(5), MonoTime::FromNanoseconds(995));
  EXPECT_EQ((t + absl::Seconds(3)) - t, absl::Seconds(3));
  EXPECT_EQ(t - (t + absl::Seconds(3)), -absl::Seconds(3));
}

TEST(MonoTimeTest, TheInfiniteFutureAbsorbsEverySum) {
  const MonoTime never = MonoTime::InfiniteFuture();
  EXPECT_TRUE((never + absl::Hours(1)).is_infinite());
  EXPECT_TRUE((never - absl::Hours(1)).is_infinite());
  EXPECT_TRUE((never - absl::InfiniteDuration()).is_infinite());
  EXPECT_TRUE((MonoTime() + absl::InfiniteDuration()).is_infinite());
}

TEST(MonoTimeTest, DistancesToTheInfiniteFutureAreInfinite) {
  const MonoTime never = MonoTime::InfiniteFuture();
  EXPECT_EQ(never - MonoTime(), absl::InfiniteDuration());
  EXPECT_EQ(MonoTime() - never, -absl::InfiniteDuration());
  EXPECT_EQ(never - never, absl::ZeroDuration());
}

TEST(MonoTimeTest, SumsSaturateInsteadOfWrapping) {
  EXPECT_TRUE((MonoTime::FromNanoseconds(kMax - 1) + absl::Nanoseconds(2)).is_infinite());
  EXPECT_EQ((MonoTime::FromNanoseconds(kMin + 1) - absl::Nanoseconds(2)).nanoseconds(), kMin);
  EXPECT_EQ((MonoTime() - absl::InfiniteDuration()).nanoseconds(), kMin);
  EXPECT_EQ(MonoTime::FromNanoseconds(kMax - 1) - MonoTime::FromNanoseconds(kMin),
            absl::Nanoseconds(kMax - 1) - absl::Nanoseconds(kMin));
}

TEST(MonoTimeRandomTest, SumsAgreeWith128BitArithmetic) {
  SeededRandom random;
  for (size_t i = 0; i < Scaled(10000); ++i) {
    const auto draw = [&] { return static_cast<int64_t>(random()) >> random.Below(64); };
    const int64_t a = draw();
    const int64_t b = draw();
    if (a == kMax) continue;
    __extension__ typedef __int128 Wide;
    const Wide sum = static_cast<Wide>(a) + b;
    const int64_t expected = sum > kMax ? kMax : sum < kMin ? kMin : static_cast<int64_t>(sum);
    EXPECT_EQ((MonoTime::FromNanoseconds(a) + absl::Nanoseconds(b)).nanoseconds(), expected);
  }
}

TEST(MonoTimeTest, ComparesAsNumbersDo) {
  const MonoTime a = MonoTime::FromNanoseconds(-1);
  const MonoTime b = MonoTime::FromNanoseconds(1);
  EXPECT_TRUE(a < b && a <= b && b > a && b >= a && a != b && a == a);
  EXPECT_FALSE(b < a || b <= a || a > b || a >= b || a == b || a != a);
  EXPECT_LT(b, MonoTime::InfiniteFuture());
}

TEST(BellTest, ARingWithNobodyWaitingIsKeptAndSeveralCountAsOne) {
  Bell bell;
  EXPECT_FALSE(bell.TryTake());
  bell.Ring();
  bell.Ring();
  EXPECT_TRUE(bell.TryTake());
  EXPECT_FALSE(bell.TryTake());
}

TEST(BellTest, AWaitTakesAKeptRingAtOnce) {
  Bell bell;
  bell.Ring();
  EXPECT_TRUE(bell.WaitFor(absl::InfiniteDuration()));
  EXPECT_FALSE(bell.TryTake());
}

TEST(BellTest, ANudgeEndsAWaitWithoutARing) {
  Bell bell;
  bell.Nudge();
  EXPECT_FALSE(bell.WaitFor(absl::InfiniteDuration()));
}

TEST(BellTest, AWaitOfNoOrNegativeTimeReturnsAtOnce) {
  Bell bell;
  EXPECT_FALSE(bell.WaitFor(absl::ZeroDuration()));
  EXPECT_FALSE(bell.WaitFor(-absl::InfiniteDuration()));
}

TEST(RealClockTest, PastDeadlinesReturnAtOnceAndARingWins) {
  Clock& clock = *Clock::Real();
  Bell bell;
  EXPECT_FALSE(clock.WaitUntil(bell, clock.Now()));
  EXPECT_FALSE(clock.WaitUntil(bell, clock.Now() - absl::InfiniteDuration()));
  bell.Ring();
  EXPECT_TRUE(clock.WaitUntil(bell, clock.Now() - absl::Hours(1)));
  bell.Ring();
  EXPECT_TRUE(clock.WaitUntil(bell, MonoTime::InfiniteFuture()));
}

TEST(RealClockTest, NeverGoesBack) {
  MonoTime last = Clock::Real()->Now();
  for (int i = 0; i < 1000; ++i) {
    const MonoTime now = Clock::Real()->Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace penstock
