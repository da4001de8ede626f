// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

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
  std::mt19937_64 rng(7);
  for (int round = 0; round < 50; ++round) {
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
  std::mt19937_64 rng(8);
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

TEST(HistogramTest, TheLargestValueHasABucket) {
  Histogram h;
  h.Record(UINT64_MAX);
  EXPECT_EQ(h.Quantile(1), UINT64_MAX);
  EXPECT_EQ(h.CountAtMost(UINT64_MAX), 1u);
  EXPECT_EQ(h.CountAtMost(UINT64_MAX - 1), 0u);
}

}  // namespace
}  // namespace penstock
