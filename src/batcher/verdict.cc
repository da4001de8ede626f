// SPDX-License-Identifier: Apache-2.0
#include "batcher/verdict.h"

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

absl::Status StatusOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kRuntimeDropped:
      return absl::InternalError("batcher: the runtime dropped the batch without a result");
    case Outcome::kCancelled:
      return absl::CancelledError("batcher: cancelled");
    case Outcome::kExpired:
      return absl::DeadlineExceededError("batcher: timeout");
    case Outcome::kPredictedLate:
      return absl::DeadlineExceededError("batcher: would have ended after its timeout");
    case Outcome::kEvicted:
      return absl::ResourceExhaustedError("batcher: evicted from the full queue");
    case Outcome::kShed:
      return absl::ResourceExhaustedError("batcher: shed, the queue delay is over its target");
    case Outcome::kShutdown:
      return absl::UnavailableError("batcher: shut down before it ended");
    case Outcome::kOk:
    case Outcome::kRuntimeError:
      break;
  }
  return absl::InternalError("batcher: no result");
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
