// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher/admission.h"

#include <cstdint>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::HasSubstr;

MonoTime Ms(double ms) { return MonoTime::FromNanoseconds(static_cast<int64_t>(ms * 1e6)); }

TEST(AdmissionTest, InFlightIsBoundedInRequestsAndTokens) {
  AdmissionOptions options;
  options.max_in_flight = 2;
  options.max_in_flight_tokens = 100;
  auto control = AdmissionController::Create(options);
  ASSERT_OK(control);
  AdmissionRequest r;
  r.tokens = 60;
  ASSERT_OK(control->Admit(Ms(0), r));
  EXPECT_EQ(RejectCauseOf(control->Admit(Ms(0), r)), RejectCause::kInFlight);
  r.tokens = 40;
  ASSERT_OK(control->Admit(Ms(0), r));
  r.tokens = 0;
  EXPECT_THAT(control->Admit(Ms(0), r), StatusIs(absl::StatusCode::kResourceExhausted));
  control->OnDispatch(Ms(1), absl::Milliseconds(1), 60);
  control->OnComplete(Ms(2), 60);
  EXPECT_OK(control->Admit(Ms(2), r));
}

TEST(AdmissionTest, ThePredictedQueueDelayIsComparedWithTheThreshold) {
  AdmissionOptions options;
  options.backpressure_threshold = absl::Milliseconds(150);
  auto control = AdmissionController::Create(options);
  AdmissionRequest r;
  r.predicted_queue_delay = absl::Milliseconds(150);
  EXPECT_OK(control->Admit(Ms(0), r));
  r.predicted_queue_delay = absl::Milliseconds(180);
  const absl::Status refused = control->Admit(Ms(0), r);
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("180ms, limit 150ms")));
  EXPECT_EQ(RejectCauseOf(refused), RejectCause::kQueueDelay);
  EXPECT_EQ(RetryAfter(refused), absl::Milliseconds(30));
}

TEST(AdmissionTest, TheRateLimitIsATokenBucketAndSaysWhenToComeBack) {
  AdmissionOptions options;
  options.max_rate = 100;
  options.burst = 2;
  auto control = AdmissionController::Create(options);
  EXPECT_OK(control->Admit(Ms(0), {}));
  EXPECT_OK(control->Admit(Ms(0), {}));
  const absl::Status refused = control->Admit(Ms(0), {});
  EXPECT_EQ(RejectCauseOf(refused), RejectCause::kRate);
  EXPECT_EQ(RetryAfter(refused), absl::Milliseconds(10));
  EXPECT_FALSE(control->Admit(Ms(9.9), {}).ok());
  EXPECT_OK(control->Admit(Ms(10), {}));
}

// A server of 1000 requests a second behind a queue, offered `rate`; alone in front of it, without
// any model.
struct LoopResult {
  double served = 0, delay_at_end_ms = 0, refused = 0;
};
LoopResult ClosedLoop(double rate, double seconds) {
  AdmissionOptions options;
  options.delay_target = absl::Milliseconds(50);
  auto control = AdmissionController::Create(options);
  LoopResult result;
  std::vector<double> queue;
  size_t head = 0;
  double next_arrival = 0, next_service = 0;
  while (next_arrival < seconds * 1e3) {
    if (next_arrival <= next_service || head == queue.size()) {
      if (control->Admit(Ms(next_arrival), {}).ok()) {
        queue.push_back(next_arrival);
      } else {
        ++result.refused;
      }
      if (head + 1 == queue.size()) next_service = std::max(next_service, next_arrival);
      next_arrival += 1e3 / rate;
    } else {
      const double delay = next_service - queue[head++];
      control->OnDispatch(Ms(next_service), absl::Milliseconds(delay), 1);
      control->OnComplete(Ms(next_service + 1), 1);
      ++result.served;
      result.delay_at_end_ms = delay;
      next_service += 1;
    }
  }
  return result;
}

TEST(AdmissionTest, TheClosedLoopHoldsTheDelayNearItsTargetAndTheServerBusy) {
  const LoopResult r = ClosedLoop(3000, 10);
  EXPECT_GE(r.served, 0.95 * 10 * 1000);
  EXPECT_LE(r.delay_at_end_ms, 150);
}

TEST(AdmissionTest, BelowCapacityTheClosedLoopRefusesNobody) {
  EXPECT_EQ(ClosedLoop(700, 10).refused, 0);
}

TEST(AdmissionTest, ShedsOnlyWhatWaitedTwiceTheTargetWhileOverloaded) {
  AdmissionOptions options;
  options.delay_target = absl::Milliseconds(50);
  auto control = AdmissionController::Create(options);
  EXPECT_FALSE(control->ShouldShed(Ms(0), absl::Seconds(1))) << "not overloaded";
  for (int i = 0; i < 400; ++i) ASSERT_OK(control->Admit(Ms(0), {}));
  for (int i = 0; i < 300; ++i) control->OnDispatch(Ms(i), absl::Milliseconds(80), 1);
  EXPECT_TRUE(control->GetStats().overloaded);
  EXPECT_TRUE(control->ShouldShed(Ms(300), absl::Milliseconds(101)));
  EXPECT_FALSE(control->ShouldShed(Ms(300), absl::Milliseconds(100)));
}

TEST(AdmissionTest, OptionsOutOfRangeAreNamed) {
  AdmissionOptions options;
  options.max_rate = 0;
  EXPECT_THAT(AdmissionController::Create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_rate")));
  options = AdmissionOptions();
  options.burst = 0.5;
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("burst")));
}

TEST(AdmissionTest, AStatusOfSomebodyElseCarriesNoRetryAfter) {
  EXPECT_EQ(RetryAfter(absl::ResourceExhaustedError("elsewhere")), std::nullopt);
  EXPECT_EQ(RejectCauseOf(absl::OkStatus()), RejectCause::kNone);
}

}  // namespace
}  // namespace penstock
