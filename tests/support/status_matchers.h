// SPDX-License-Identifier: Apache-2.0
//
// Matchers for absl::Status and absl::StatusOr.
//
//   ASSERT_OK(store.Open());
//   EXPECT_THAT(Load("no such file"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no such
//   file"))); EXPECT_THAT(Parse("7"), IsOkAndHolds(7)); PENSTOCK_ASSERT_OK_AND_ASSIGN(TokenizerPtr
//   tokenizer, LoadTokenizer(path));   // a declaration; ends the test if not OK
#ifndef PENSTOCK_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define PENSTOCK_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace test_internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

template <class ValueMatcher>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(ValueMatcher matcher) : matcher_(std::move(matcher)) {}

  template <class ResultT>
  operator testing::Matcher<ResultT>() const {  // NOLINT: gmock's way
    return testing::Matcher<ResultT>(new Impl<ResultT>(matcher_));
  }

 private:
  template <class ResultT>
  class Impl : public testing::MatcherInterface<ResultT> {
   public:
    using Value = typename std::remove_cv_t<std::remove_reference_t<ResultT>>::value_type;

    explicit Impl(const ValueMatcher& matcher)
        : matcher_(testing::SafeMatcherCast<const Value&>(matcher)) {}
    void DescribeTo(std::ostream* os) const override {
      *os << "is OK and holds a value that ";
      matcher_.DescribeTo(os);
    }
    bool MatchAndExplain(ResultT result, testing::MatchResultListener* listener) const override {
      if (!result.ok()) {
        *listener << "whose status is " << result.status().ToString();
        return false;
      }
      return matcher_.MatchAndExplain(*result, listener);
    }

   private:
    testing::Matcher<const Value&> matcher_;
  };

  ValueMatcher matcher_;
};

}  // namespace test_internal

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  const absl::Status& status = test_internal::StatusOf(arg);
  if (!status.ok()) *result_listener << "which is " << status.ToString();
  return status.ok();
}

MATCHER_P(StatusIs, code, "has the code " + absl::StatusCodeToString(code)) {
  const absl::Status& status = test_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code;
}

// `message` is a string or a matcher of std::string.
MATCHER_P2(StatusIs, code, message,
           "has the code " + absl::StatusCodeToString(code) + " and a message that " +
               testing::DescribeMatcher<std::string>(message)) {
  const absl::Status& status = test_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code &&
         testing::SafeMatcherCast<std::string>(testing::Matcher<std::string>(message))
             .Matches(std::string(status.message()));
}

template <class ValueMatcher>
test_internal::IsOkAndHoldsMatcher<std::decay_t<ValueMatcher>> IsOkAndHolds(
    ValueMatcher&& matcher) {
  return test_internal::IsOkAndHoldsMatcher<std::decay_t<ValueMatcher>>(
      std::forward<ValueMatcher>(matcher));
}

}  // namespace penstock

#ifndef ASSERT_OK
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::penstock::IsOk())
#endif
#ifndef EXPECT_OK
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::penstock::IsOk())
#endif

#define PENSTOCK_ASSERT_OK_AND_ASSIGN(declaration, ...)                                         \
  PENSTOCK_TEST_ASSERT_OK_AND_ASSIGN(PENSTOCK_INTERNAL_CONCAT(penstock_test_result_, __LINE__), \
                                     declaration, __VA_ARGS__)
#define PENSTOCK_TEST_ASSERT_OK_AND_ASSIGN(result, declaration, ...) \
  auto result = (__VA_ARGS__);                                       \
  ASSERT_OK(result);                                                 \
  declaration = *std::move(result)

#endif  // PENSTOCK_TESTS_SUPPORT_STATUS_MATCHERS_H_
