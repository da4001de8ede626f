// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "penstock/batcher/policy.h"

namespace penstock {
namespace {

using internal::AbslView;

template <class T>
absl::Status Bad(std::string_view field, const T& value, std::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(AbslView(field), ": ", value, ", expected ", AbslView(expected)));
}

absl::Status BadDuration(std::string_view field, absl::Duration value, std::string_view expected) {
  return Bad(field, absl::FormatDuration(value), expected);
}

absl::Status CheckSizes(const BatchPolicy& p) {
  size_t previous = 0;
  for (const size_t size : p.allowed_batch_sizes) {
    if (size <= previous) return Bad("allowed_batch_sizes", size, "positive sizes, ascending");
    previous = size;
  }
  if (previous > p.max_batch_requests) {
    return Bad("allowed_batch_sizes", previous,
               "sizes up to max_batch_requests = " + std::to_string(p.max_batch_requests));
  }
  return absl::OkStatus();
}

absl::Status CheckBounds(const BatchPolicy& p) {
  if (p.max_batch_requests < 1 || p.max_batch_requests > 1'000'000) {
    return Bad("max_batch_requests", p.max_batch_requests, "1 to 1000000");
  }
  if (p.max_concurrent_batches < 1 || p.max_concurrent_batches > 1024) {
    return Bad("max_concurrent_batches", p.max_concurrent_batches, "1 to 1024");
  }
  if (p.max_queue_requests < 1 || p.max_queue_requests > 100'000'000) {
    return Bad("max_queue_requests", p.max_queue_requests, "1 to 100000000");
  }
  if (p.token_budget && *p.token_budget < 1) {
    return Bad("token_budget", *p.token_budget, "at least 1");
  }
  if (p.max_queue_tokens && *p.max_queue_tokens < 1) {
    return Bad("max_queue_tokens", *p.max_queue_tokens, "at least 1");
  }
  if (p.lookahead < 1 || p.lookahead > 1024) return Bad("lookahead", p.lookahead, "1 to 1024");
  return absl::OkStatus();
}

absl::Status CheckTimes(const BatchPolicy& p) {
  if (p.max_delay < absl::ZeroDuration()) {
    return BadDuration("max_delay", p.max_delay, "zero or more");
  }
  if (p.max_queue_delay && *p.max_queue_delay <= absl::ZeroDuration()) {
    return BadDuration("max_queue_delay", *p.max_queue_delay, "more than zero");
  }
  if (p.ageing < absl::ZeroDuration() ||
      (p.ageing > absl::Hours(24 * 365) && p.ageing != absl::InfiniteDuration())) {
    return BadDuration("ageing", p.ageing, "zero to a year, or infinite");
  }
  if (!(p.prediction_sigmas >= 0 && p.prediction_sigmas <= 100)) {
    return Bad("prediction_sigmas", p.prediction_sigmas, "0 to 100");
  }
  if (p.headroom < absl::ZeroDuration()) {
    return BadDuration("headroom", p.headroom, "zero or more");
  }
  if (p.put_back_delay <= absl::ZeroDuration()) {
    return BadDuration("put_back_delay", p.put_back_delay, "more than zero");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BatchPolicy::Validate() const {
  PENSTOCK_RETURN_IF_ERROR(CheckBounds(*this));
  PENSTOCK_RETURN_IF_ERROR(CheckSizes(*this));
  PENSTOCK_RETURN_IF_ERROR(CheckTimes(*this));
  for (const auto& [tenant, weight] : tenant_weights) {
    if (!(weight > 0) || !std::isfinite(weight)) {
      return Bad("tenant_weights[\"" + tenant + "\"]", weight, "a positive number");
    }
  }
  if (admission) PENSTOCK_RETURN_IF_ERROR(admission->Validate());
  return absl::OkStatus();
}

absl::Status BatcherOptions::Validate() const {
  PENSTOCK_RETURN_IF_ERROR(BatchPolicy::Validate());
  if (clock == nullptr) return absl::InvalidArgumentError("clock: null, expected a clock");
  if (former_thread && wake) {
    return absl::InvalidArgumentError(
        "wake: set together with former_thread, expected only one of them");
  }
  if (!former_thread && on_full == OnFull::kBlock && !wake) {
    return absl::InvalidArgumentError(
        "on_full: kBlock without former_thread, expected wake to be set: blocked producers wait "
        "for PollOnce");
  }
  return absl::OkStatus();
}

}  // namespace penstock
