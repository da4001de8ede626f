// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher/outcome.h"

namespace penstock {

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kRuntimeError:
      return "runtime_error";
    case Outcome::kRuntimeDropped:
      return "runtime_dropped";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kExpired:
      return "expired";
    case Outcome::kPredictedLate:
      return "predicted_late";
    case Outcome::kEvicted:
      return "evicted";
    case Outcome::kShed:
      return "shed";
    case Outcome::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

std::string_view ReleaseReasonName(ReleaseReason reason) {
  switch (reason) {
    case ReleaseReason::kFull:
      return "full";
    case ReleaseReason::kBudget:
      return "budget";
    case ReleaseReason::kIdleRuntime:
      return "idle_runtime";
    case ReleaseReason::kTimeout:
      return "timeout";
    case ReleaseReason::kDeadlinePressure:
      return "deadline_pressure";
    case ReleaseReason::kCapped:
      return "capped";
    case ReleaseReason::kProbe:
      return "probe";
    case ReleaseReason::kDrain:
      return "drain";
  }
  return "unknown";
}

std::string_view RejectCauseName(RejectCause cause) {
  switch (cause) {
    case RejectCause::kNone:
      return "none";
    case RejectCause::kInvalid:
      return "invalid";
    case RejectCause::kQueueFull:
      return "queue_full";
    case RejectCause::kQueueDelay:
      return "queue_delay";
    case RejectCause::kPredictedLate:
      return "predicted_late";
    case RejectCause::kInFlight:
      return "in_flight";
    case RejectCause::kRate:
      return "rate";
    case RejectCause::kAdaptive:
      return "adaptive";
    case RejectCause::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

}  // namespace penstock
