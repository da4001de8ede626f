// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/status_macros.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::HasSubstr;
using testing::Not;

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  PENSTOCK_ASSIGN_OR_RETURN(const int half, Half(n));
  int quarter = -1;
  PENSTOCK_ASSIGN_OR_RETURN(quarter, Half(half));
  return quarter;
}

TEST(StatusMacrosTest, AssignOrReturnDeclaresAssignsOrReturnsTheError) {
  EXPECT_THAT(Quarter(12), IsOkAndHolds(3));
  EXPECT_THAT(Quarter(6), StatusIs(absl::StatusCode::kInvalidArgument, "odd"));
  EXPECT_THAT(Quarter(3), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("od")));
}

absl::StatusOr<std::map<int, int>> Pairs() { return std::map<int, int>{{1, 2}}; }
absl::StatusOr<std::unique_ptr<int>> Boxed(int n) { return std::make_unique<int>(n); }

absl::StatusOr<int> Unbox(int n) {
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<int> box, Boxed(n));
  // Commas inside the expression are fine; in the declaration use an alias.
  PENSTOCK_ASSIGN_OR_RETURN(auto pairs, (true ? Pairs() : absl::StatusOr<std::map<int, int>>()));
  return *box + pairs[1];
}

TEST(StatusMacrosTest, AssignOrReturnMovesWhatCannotBeCopied) {
  EXPECT_THAT(Unbox(5), IsOkAndHolds(7));
}

absl::Status Chain(const absl::Status& first, int* reached) {
  PENSTOCK_RETURN_IF_ERROR(first);
  ++*reached;
  if (*reached > 0) PENSTOCK_RETURN_IF_ERROR(absl::OkStatus());
  return absl::OkStatus();
}

TEST(StatusMacrosTest, ReturnIfErrorReturnsTheErrorAndOnlyTheError) {
  int reached = 0;
  EXPECT_OK(Chain(absl::OkStatus(), &reached));
  EXPECT_EQ(reached, 1);
  EXPECT_THAT(Chain(absl::NotFoundError("gone"), &reached),
              StatusIs(absl::StatusCode::kNotFound, "gone"));
  EXPECT_EQ(reached, 1);
}

TEST(StatusMatchersTest, AMatcherThatDoesNotMatchSaysSo) {
  EXPECT_THAT(Half(3), Not(IsOk()));
  EXPECT_THAT(Half(3), Not(IsOkAndHolds(1)));
  EXPECT_THAT(Half(4), Not(IsOkAndHolds(1)));
  EXPECT_THAT(Half(3), Not(StatusIs(absl::StatusCode::kNotFound)));
  EXPECT_THAT(Half(3), Not(StatusIs(absl::StatusCode::kInvalidArgument, "even")));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const int half, Half(4));
  EXPECT_EQ(half, 2);
}

}  // namespace
}  // namespace penstock
