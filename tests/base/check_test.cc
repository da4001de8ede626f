// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include "gtest/gtest.h"

namespace penstock {
namespace {

TEST(CheckTest, ATrueConditionCostsNothingAndIsEvaluatedOnce) {
  int evaluated = 0;
  PENSTOCK_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckDeathTest, AFalseConditionEndsTheProcessAndSaysWhichAndWhere) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(PENSTOCK_CHECK(1 + 1 == 3), "check_test.cc:.* penstock check failed: 1 \\+ 1 == 3");
}

TEST(CheckTest, ADebugCheckIsNotEvaluatedInRelease) {
  int evaluated = 0;
  PENSTOCK_DCHECK(++evaluated == 1);
#ifdef NDEBUG
  EXPECT_EQ(evaluated, 0);
#else
  EXPECT_EQ(evaluated, 1);
#endif
}

}  // namespace
}  // namespace penstock
