// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

TEST(HistogramTest, AnEmptyHistogramIsAllZero) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.min(), 0u);
  EXPECT_EQ(h.max(), 0u);
  EXPECT_EQ(h.Quantile(0.5), 0u);
}

TEST(HistogramTest, ValuesBelow64AreExact) {
  Histogram h;
  for (uint64_t v = 0; v < 64; ++v) h.Record(v);
  for (uint64_t v = 0; v < 64; ++v) EXPECT_EQ(h.Quantile((static_cast<double>(v) + 1) / 64), v);
}

TEST(HistogramTest, QuantilesStayWithinOneThirtySecondOfTheSortedValues) {
  SeededRandom rng;
  for (size_t round = 0; round < Scaled(50); ++round) {
    Histogram h;
    std::vector<uint64_t> values(1000);
    for (uint64_t& v : values) {
      v = rng() >> (rng() % 64);
      h.Record(v);
    }
    std::sort(values.begin(), values.end());
    for (double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const uint64_t exact = values[static_cast<size_t>(std::ceil(q * 1000)) - 1];
      const uint64_t got = h.Quantile(q);
      EXPECT_GE(got, exact);
      EXPECT_LE(static_cast<double>(got - exact), static_cast<double>(exact) / 32 + 1);
    }
  }
}

TEST(HistogramTest, MergingEqualsRecordingEverythingInOne) {
  SeededRandom rng;
  Histogram a, b, all;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t v = rng() >> (rng() % 64);
    (i % 3 == 0 ? a : b).Record(v);
    all.Record(v);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), all.count());
  EXPECT_EQ(a.min(), all.min());
  EXPECT_EQ(a.max(), all.max());
  for (double q = 0; q <= 1; q += 0.01) EXPECT_EQ(a.Quantile(q), all.Quantile(q));
}

TEST(HistogramTest, CountAtMostCountsWholeBucketsOnly) {
  SeededRandom rng;
  Histogram h;
  std::vector<uint64_t> values(2000);
  for (uint64_t& v : values) {
    v = rng() >> (rng() % 64);
    h.Record(v);
  }
  for (size_t i = 0; i < Scaled(500); ++i) {
    const uint64_t limit = rng() >> (rng() % 64);
    const auto at_most = [&](double border) {
      return static_cast<uint64_t>(std::count_if(values.begin(), values.end(), [&](uint64_t v) {
        return static_cast<double>(v) <= border;
      }));
    };
    EXPECT_LE(h.CountAtMost(limit), at_most(static_cast<double>(limit)));
    EXPECT_GE(h.CountAtMost(limit), at_most(static_cast<double>(limit) * 31 / 32 - 1));
  }
}

TEST(HistogramTest, RecordingManyTimesEqualsRecordingOneByOne) {
  Histogram once, many;
  for (int i = 0; i < 5; ++i) once.Record(1000);
  many.Record(1000, 5);
  many.Record(7, 0);
  EXPECT_EQ(many.count(), once.count());
  EXPECT_EQ(many.min(), 1000u);
  EXPECT_EQ(many.sum(), once.sum());
  EXPECT_EQ(many.mean(), 1000);
}

TEST(HistogramTest, QuantilesOutsideZeroToOneAreClamped) {
  Histogram h;
  h.Record(3);
  h.Record(5000);
  EXPECT_EQ(h.Quantile(-1), 3u);
  EXPECT_EQ(h.Quantile(2), 5000u);
  EXPECT_EQ(h.Quantile(std::nan("")), 3u);
}

TEST(HistogramTest, TheLargestValueHasABucket) {
  Histogram h;
  h.Record(UINT64_MAX);
  EXPECT_EQ(h.Quantile(1), UINT64_MAX);
  EXPECT_EQ(h.CountAtMost(UINT64_MAX), 1u);
  EXPECT_EQ(h.CountAtMost(UINT64_MAX - 1), 0u);
}

}  // namespace
}  // namespace penstock
