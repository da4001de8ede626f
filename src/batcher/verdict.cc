// SPDX-License-Identifier: Apache-2.0
#include "batcher/verdict.h"

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"

namespace penstock {
namespace {

// Payload: the number of the cause, a blank, the wait in nanoseconds.
constexpr char kPayload[] = "type.googleapis.com/penstock.RetryAfter";

bool ReadPayload(const absl::Status& status, RejectCause* cause, absl::Duration* wait) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return false;
  const std::string text(*payload);
  const size_t blank = text.find(' ');
  int number = 0;
  int64_t ns = 0;
  if (blank == std::string::npos || !absl::SimpleAtoi(text.substr(0, blank), &number) ||
      !absl::SimpleAtoi(text.substr(blank + 1), &ns) || number < 0 ||
      number >= static_cast<int>(kRejectCauses)) {
    return false;
  }
  *cause = static_cast<RejectCause>(number);
  *wait = absl::Nanoseconds(ns);
  return true;
}

absl::StatusCode CodeOf(RejectCause cause) {
  switch (cause) {
    case RejectCause::kInvalid:
      return absl::StatusCode::kInvalidArgument;
    case RejectCause::kPredictedLate:
      return absl::StatusCode::kDeadlineExceeded;
    case RejectCause::kShutdown:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kResourceExhausted;
  }
}

absl::string_view TextOf(RejectCause cause) {
  switch (cause) {
    case RejectCause::kInvalid:
      return "a priority, a number of tokens or a timeout out of range";
    case RejectCause::kQueueFull:
      return "queue full";
    case RejectCause::kQueueDelay:
      return "predicted queue delay over the limit";
    case RejectCause::kPredictedLate:
      return "predicted completion after the timeout";
    case RejectCause::kInFlight:
      return "too many requests in flight";
    case RejectCause::kRate:
      return "rate limit";
    case RejectCause::kAdaptive:
      return "inflow limited until the queue delay falls";
    case RejectCause::kShutdown:
      return "shutting down";
    case RejectCause::kNone:
      break;
  }
  return "refused";
}

}  // namespace

namespace internal {

absl::Status StatusOf(const AdmissionVerdict& verdict) {
  std::string message = absl::StrCat("batcher: ", TextOf(verdict.cause));
  if (verdict.limit > absl::ZeroDuration()) {
    absl::StrAppend(&message, ": ", absl::FormatDuration(verdict.observed), ", limit ",
                    absl::FormatDuration(verdict.limit));
  }
  absl::Status status(CodeOf(verdict.cause), message);
  status.SetPayload(kPayload,
                    absl::Cord(absl::StrCat(static_cast<int>(verdict.cause), " ",
                                            absl::ToInt64Nanoseconds(verdict.retry_after))));
  return status;
}

// Made once: to hand one out costs a reference, not an allocation.
const absl::Status& StatusOf(Outcome outcome) {
  static const auto* const statuses = [] {
    auto* s = new std::array<absl::Status, kOutcomes>;
    s->fill(absl::InternalError("batcher: no result"));
    const auto set = [s](Outcome o, absl::Status status) { (*s)[static_cast<size_t>(o)] = status; };
    set(Outcome::kRuntimeDropped,
        absl::InternalError("batcher: the runtime dropped the batch without a result"));
    set(Outcome::kCancelled, absl::CancelledError("batcher: cancelled"));
    set(Outcome::kExpired, absl::DeadlineExceededError("batcher: timeout"));
    set(Outcome::kPredictedLate,
        absl::DeadlineExceededError("batcher: would have ended after its timeout"));
    set(Outcome::kEvicted, absl::ResourceExhaustedError("batcher: evicted from the full queue"));
    set(Outcome::kShed,
        absl::ResourceExhaustedError("batcher: shed, the queue delay is over its target"));
    set(Outcome::kShutdown, absl::UnavailableError("batcher: shut down before it ended"));
    return s;
  }();
  return (*statuses)[static_cast<size_t>(outcome)];
}

const absl::Status& QueueFullStatus(absl::Duration retry_after) {
  constexpr size_t kSteps = 20;  // 1 ms, 2 ms, 4 ms, … nine minutes
  static const auto* const statuses = [] {
    auto* s = new std::array<absl::Status, kSteps>;
    for (size_t i = 0; i < kSteps; ++i) {
      AdmissionVerdict verdict;
      verdict.cause = RejectCause::kQueueFull;
      verdict.retry_after = absl::Milliseconds(int64_t{1} << i);
      (*s)[i] = StatusOf(verdict);
    }
    return s;
  }();
  size_t step = 0;
  while (step + 1 < kSteps && absl::Milliseconds(int64_t{1} << step) < retry_after) ++step;
  return (*statuses)[step];
}

}  // namespace internal

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  RejectCause cause;
  absl::Duration wait;
  if (!ReadPayload(status, &cause, &wait)) return std::nullopt;
  if (cause == RejectCause::kInvalid || cause == RejectCause::kShutdown) return std::nullopt;
  return wait;
}

RejectCause RejectCauseOf(const absl::Status& status) {
  RejectCause cause = RejectCause::kNone;
  absl::Duration wait;
  return ReadPayload(status, &cause, &wait) ? cause : RejectCause::kNone;
}

}  // namespace penstock
