// SPDX-License-Identifier: Apache-2.0
#include "batcher/size_times.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock::internal {
namespace {

double Tiles(size_t n) { return 0.001 + 0.008 * std::ceil(static_cast<double>(n) / 16); }
double Linear(size_t n) { return 0.008 + 0.0003 * static_cast<double>(n); }
double Convex(size_t n) {
  const double x = static_cast<double>(n);
  return 0.005 + 0.0002 * x + 0.00001 * x * x;  // serves most at 22
}

// Every size up to `most`, often enough that it is clear that nothing is noise.
template <class Curve>
SizeTimes Taught(Curve curve, size_t most) {
  SizeTimes times;
  for (int round = 0; round < 10; ++round) {
    for (size_t n = 1; n <= most; ++n) times.Observe(n, curve(n));
  }
  return times;
}

TEST(SizeTimesTest, WithoutMeasurementsEverythingThatIsQueuedLeaves) {
  SizeTimes times;
  EXPECT_EQ(times.BestSize(64), 64u);
  times.Observe(64, 1);
  EXPECT_EQ(times.BestSize(64), 64u);
  EXPECT_EQ(times.BestSize(3), 3u);
}

TEST(SizeTimesTest, ARuntimeThatAmortisesIsNeverGivenLess) {
  const SizeTimes times = Taught(Linear, 64);
  for (size_t n = 1; n <= 100; ++n) EXPECT_EQ(times.BestSize(n), n);
}

TEST(SizeTimesTest, ATileIsNotExceededByALittle) {
  const SizeTimes times = Taught(Tiles, 64);
  EXPECT_EQ(times.BestSize(15), 15u);
  EXPECT_EQ(times.BestSize(16), 16u);
  EXPECT_EQ(times.BestSize(17), 16u);
  EXPECT_EQ(times.BestSize(34), 32u);
  EXPECT_EQ(times.BestSize(64), 64u);
}

TEST(SizeTimesTest, TheEndOfATileIsFoundBetweenTwoSizesThatWereSeen) {
  SizeTimes times;
  for (int i = 0; i < 50; ++i) times.Observe(11 + 7 * (i % 2), Tiles(11 + 7 * (i % 2)));
  size_t size = 0;
  for (int i = 0; i < 30; ++i) {
    size = times.BestSize(18);
    times.Observe(size, Tiles(size));
  }
  EXPECT_EQ(size, 16u);
}

TEST(SizeTimesTest, ALargeSizeThatServesLessIsTriedOnceOrTwice) {
  SizeTimes times = Taught(Convex, 22);
  size_t large = 0;
  for (int i = 0; i < 500; ++i) {
    const size_t size = times.BestSize(64);
    large += size > 30;
    times.Observe(size, Convex(size));
  }
  EXPECT_LE(large, 3u);
}

TEST(SizeTimesTest, ARuntimeThatBecomesSlowerIsKnownAgainAfterAFewBatches) {
  SizeTimes times = Taught(Tiles, 64);
  for (int i = 0; i < 200; ++i) {
    const size_t size = times.BestSize(20 + static_cast<size_t>(i) % 30);
    times.Observe(size, 3 * Tiles(size));
  }
  EXPECT_EQ(times.BestSize(20), 16u);
  EXPECT_EQ(times.BestSize(40), 32u);
}

TEST(SizeTimesTest, NoiseAloneCutsNoBatch) {
  SeededRandom seed(1);
  std::mt19937_64 rng(seed.Below(1 << 30));
  std::normal_distribution<double> noise(1, 0.1);
  SizeTimes times;
  double lost = 0;
  for (int i = 0; i < 4000; ++i) {
    const size_t queued = 1 + rng() % 64;
    const size_t size = times.BestSize(queued);
    lost += 1 - (static_cast<double>(size) / Linear(size)) /
                    (static_cast<double>(queued) / Linear(queued));
    times.Observe(size, Linear(size) * std::max(0.2, noise(rng)));
  }
  EXPECT_LT(lost / 4000, 0.005);  // of the rate
}

TEST(SizeTimesTest, WhatIsLargerThanTheTableLeaves) {
  SizeTimes times;
  times.Observe(5000, 1);
  times.Observe(10, 1);
  EXPECT_EQ(times.BestSize(5000), 5000u);
}

}  // namespace
}  // namespace penstock::internal
