// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/token.h"

#include "gtest/gtest.h"

namespace penstock {
namespace {

TEST(ByteRangeTest, NamesTheBytesBetweenItsEnds) {
  const ByteRange range{6, 11};
  EXPECT_EQ(range.In("Hello world"), "world");
  EXPECT_EQ(range.size(), 5u);
  EXPECT_FALSE(range.empty());
}

TEST(ByteRangeTest, AnEmptyRangeMayStandAtTheEndOfTheText) {
  const ByteRange range{3, 3};
  EXPECT_TRUE(range.empty());
  EXPECT_EQ(range.In("abc"), "");
  EXPECT_EQ(ByteRange(), (ByteRange{0, 0}));
  EXPECT_NE(range, ByteRange());
}

}  // namespace
}  // namespace penstock
