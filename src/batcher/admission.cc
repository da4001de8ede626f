// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher/admission.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "batcher/verdict.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace {

// The inflow falls by at most 30 % and grows by 5 % an interval.
constexpr double kMaxDecrease = 0.3;
constexpr double kIncrease = 0.05;

absl::Status Expect(bool ok, absl::string_view what) {
  return ok ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("admission: ", what));
}

}  // namespace

absl::Status AdmissionOptions::Validate() const {
  const absl::Duration zero = absl::ZeroDuration();
  PENSTOCK_RETURN_IF_ERROR(
      Expect(!max_in_flight || *max_in_flight >= 1, "max_in_flight below 1, expected at least 1"));
  PENSTOCK_RETURN_IF_ERROR(Expect(!max_in_flight_tokens || *max_in_flight_tokens >= 1,
                                  "max_in_flight_tokens below 1, expected at least 1"));
  PENSTOCK_RETURN_IF_ERROR(Expect(!backpressure_threshold || *backpressure_threshold > zero,
                                  "backpressure_threshold not positive, expected more than zero"));
  PENSTOCK_RETURN_IF_ERROR(Expect(!delay_target || *delay_target > zero,
                                  "delay_target not positive, expected more than zero"));
  PENSTOCK_RETURN_IF_ERROR(Expect(interval > zero && interval < absl::Hours(1),
                                  "interval out of range, expected more than zero to an hour"));
  PENSTOCK_RETURN_IF_ERROR(Expect(!max_rate || (*max_rate > 0 && std::isfinite(*max_rate)),
                                  "max_rate not positive, expected requests a second"));
  return Expect(burst >= 1 && std::isfinite(burst), "burst below 1, expected at least 1");
}

absl::StatusOr<AdmissionController> AdmissionController::Create(const AdmissionOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  return AdmissionController(options);
}

AdmissionController::AdmissionController(const AdmissionOptions& options)
    : options_(options), rate_credit_(options.burst) {}

void AdmissionController::RefillBuckets(MonoTime now) {
  if (!started_) {
    started_ = true;
    last_refill_ = interval_start_ = now;
    return;
  }
  if (now <= last_refill_) return;
  const double seconds = absl::ToDoubleSeconds(now - last_refill_);
  last_refill_ = now;
  if (options_.max_rate) {
    rate_credit_ = std::min(options_.burst, rate_credit_ + seconds * *options_.max_rate);
  }
  const double limit = stats_.inflow_limit_tokens_per_second;
  if (limit > 0) {
    adaptive_credit_ = std::min(limit * absl::ToDoubleSeconds(options_.interval),
                                adaptive_credit_ + seconds * limit);
  }
}

void AdmissionController::EndIntervalIfDue(MonoTime now) {
  const absl::Duration elapsed = now - interval_start_;
  if (elapsed < options_.interval || interval_dispatched_ == 0) return;
  const double seconds = absl::ToDoubleSeconds(elapsed);
  const double served = static_cast<double>(interval_dispatched_tokens_) / seconds;
  // An interval in which the queue was empty says nothing about what the server could do.
  if (!interval_idle_) stats_.service_tokens_per_second = served;
  if (options_.delay_target) {
    const double excess = absl::FDivDuration(interval_min_delay_, *options_.delay_target);
    double& limit = stats_.inflow_limit_tokens_per_second;
    stats_.overloaded = excess > 1 && !interval_idle_;
    if (stats_.overloaded) {
      // Never less than one request an interval: a limit that admits nothing measures nothing.
      const double floor = served / static_cast<double>(interval_dispatched_);
      limit = std::max(served * (1 - std::min(excess - 1, kMaxDecrease)), floor);
    } else if (limit > 0 && excess < 0.5) {
      limit = interval_limited_ ? std::max(limit, served) * (1 + kIncrease) : 0;
    }
  }
  interval_start_ = now;
  interval_min_delay_ = absl::InfiniteDuration();
  interval_dispatched_ = 0;
  interval_dispatched_tokens_ = 0;
  interval_idle_ = stats_.queued == 0;
  interval_limited_ = false;
}

absl::Duration AdmissionController::PredictQueueDelay() const {
  if (stats_.service_tokens_per_second <= 0) return absl::ZeroDuration();
  return absl::Seconds(static_cast<double>(stats_.queued_tokens) /
                       stats_.service_tokens_per_second);
}

AdmissionVerdict AdmissionController::TryAdmit(MonoTime now, const AdmissionRequest& request) {
  RefillBuckets(now);
  EndIntervalIfDue(now);
  AdmissionVerdict verdict;
  const absl::Duration delay = request.predicted_queue_delay.value_or(PredictQueueDelay());
  const auto refuse = [&verdict](RejectCause cause, absl::Duration wait, int64_t* counter) {
    verdict.cause = cause;
    verdict.retry_after = std::max(wait, absl::Milliseconds(1));
    ++*counter;
    return verdict;
  };
  if ((options_.max_in_flight && stats_.in_flight >= *options_.max_in_flight) ||
      (options_.max_in_flight_tokens && stats_.in_flight > 0 &&
       stats_.in_flight_tokens + request.tokens > *options_.max_in_flight_tokens)) {
    return refuse(RejectCause::kInFlight, delay, &stats_.rejected_in_flight);
  }
  if (options_.backpressure_threshold && delay > *options_.backpressure_threshold) {
    verdict.observed = delay;
    verdict.limit = *options_.backpressure_threshold;
    return refuse(RejectCause::kQueueDelay, delay - *options_.backpressure_threshold,
                  &stats_.rejected_delay);
  }
  const double limit = stats_.inflow_limit_tokens_per_second;
  if (limit > 0 && adaptive_credit_ <= 0) {
    interval_limited_ = true;
    return refuse(RejectCause::kAdaptive, absl::Seconds((1 - adaptive_credit_) / limit),
                  &stats_.rejected_adaptive);
  }
  if (options_.max_rate && rate_credit_ < 1) {
    return refuse(RejectCause::kRate, absl::Seconds((1 - rate_credit_) / *options_.max_rate),
                  &stats_.rejected_rate);
  }
  if (limit > 0) adaptive_credit_ -= static_cast<double>(request.tokens);
  if (options_.max_rate) rate_credit_ -= 1;
  ++stats_.admitted;
  ++stats_.in_flight;
  ++stats_.queued;
  stats_.in_flight_tokens += request.tokens;
  stats_.queued_tokens += request.tokens;
  return verdict;
}

absl::Status AdmissionController::Admit(MonoTime now, const AdmissionRequest& request) {
  if (request.tokens < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("admission: tokens: ", request.tokens, ", expected 0 or more"));
  }
  const AdmissionVerdict verdict = TryAdmit(now, request);
  return verdict.cause == RejectCause::kNone ? absl::OkStatus() : internal::StatusOf(verdict);
}

void AdmissionController::OnDispatch(MonoTime now, absl::Duration queue_delay, int64_t tokens) {
  --stats_.queued;
  stats_.queued_tokens -= tokens;
  interval_min_delay_ = std::min(interval_min_delay_, queue_delay);
  ++interval_dispatched_;
  interval_dispatched_tokens_ += tokens;
  if (stats_.queued == 0) interval_idle_ = true;
  EndIntervalIfDue(now);
}

void AdmissionController::OnPutBack(MonoTime, int64_t tokens) {
  ++stats_.queued;
  stats_.queued_tokens += tokens;
}

void AdmissionController::OnComplete(MonoTime, int64_t tokens) {
  --stats_.in_flight;
  stats_.in_flight_tokens -= tokens;
}

void AdmissionController::OnAbandon(MonoTime, int64_t tokens) {
  --stats_.queued;
  stats_.queued_tokens -= tokens;
  --stats_.in_flight;
  stats_.in_flight_tokens -= tokens;
}

bool AdmissionController::ShouldShed(MonoTime, absl::Duration queue_delay) const {
  return stats_.overloaded && queue_delay > 2 * *options_.delay_target;
}

}  // namespace penstock
