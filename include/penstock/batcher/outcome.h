// SPDX-License-Identifier: Apache-2.0
//
// How a request ended, why a batch left, why a request was refused. Every accepted request ends in
// exactly one Outcome.
//
//   batcher->Submit(std::move(q), options, [](absl::StatusOr<Answer> a, const CompletionInfo& i) {
//     if (i.outcome == Outcome::kOk) Count("queued_us", i.queue_delay());
//     else Count(OutcomeName(i.outcome));  // "expired": a label of low cardinality for metrics
//   });
//   if (absl::Status refused = batcher->Submit(…).status(); !refused.ok()) {
//     if (auto wait = RetryAfter(refused)) Reply(429, *wait);  // penstock/batcher/admission.h
//   }
#ifndef PENSTOCK_BATCHER_OUTCOME_H_
#define PENSTOCK_BATCHER_OUTCOME_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"

namespace penstock {

// The status that the callback receives stands beside each.
enum class Outcome : uint8_t {
  kOk,              // the runtime's result
  kRuntimeError,    // the runtime's own status
  kRuntimeDropped,  // kInternal: the batch died without completing it
  kCancelled,       // kCancelled: Cancel() returned true
  kExpired,         // kDeadlineExceeded: its timeout passed, in the queue or while it ran
  kPredictedLate,   // kDeadlineExceeded: would end late; taken out before it cost anything
  kEvicted,         // kResourceExhausted: made room (drop-oldest, evict-lowest)
  kShed,            // kResourceExhausted: the queue-delay control took it out
  kShutdown,        // kUnavailable: still unfinished when the drain's budget ended
};
inline constexpr size_t kOutcomes = 9;

// Why a batch left the queue.
enum class ReleaseReason : uint8_t {
  kFull,              // max_batch_requests, or the free slots the host reported
  kBudget,            // the next request does not fit the token budget
  kIdleRuntime,       // a slot was free and something was queued
  kTimeout,           // the oldest request had waited max_delay
  kDeadlinePressure,  // waiting longer would have made a request late
  kCapped,            // the learned cost model says that a smaller batch finishes the queue sooner
  kProbe,             // everything looked late; one small batch goes out to measure again
  kDrain,
};
inline constexpr size_t kReleaseReasons = 8;

// Why a request was refused (it was never accepted; its callback never runs).
enum class RejectCause : uint8_t {
  kNone,
  kInvalid,        // kInvalidArgument: a negative cost, more tokens than a batch may hold, …
  kQueueFull,      // kResourceExhausted: max_queue_requests or max_queue_tokens
  kQueueDelay,     // kResourceExhausted: predicted queue delay over the threshold
  kPredictedLate,  // kDeadlineExceeded: would end after its own timeout
  kInFlight,       // kResourceExhausted: max_in_flight or max_in_flight_tokens
  kRate,           // kResourceExhausted: the rate limit
  kAdaptive,       // kResourceExhausted: the closed loop on queue delay
  kShutdown,       // kUnavailable: draining
};
inline constexpr size_t kRejectCauses = 9;

PENSTOCK_EXPORT std::string_view OutcomeName(Outcome outcome);
PENSTOCK_EXPORT std::string_view ReleaseReasonName(ReleaseReason reason);
PENSTOCK_EXPORT std::string_view RejectCauseName(RejectCause cause);

// What the callback learns beside the result. Times are on the batcher's clock.
struct CompletionInfo {
  Outcome outcome = Outcome::kOk;
  MonoTime submitted;
  MonoTime dispatched = MonoTime::InfiniteFuture();  // infinite: it never left the queue
  MonoTime finished;
  size_t batch_size = 0;  // of the batch it left in; 0: none
  ReleaseReason reason = ReleaseReason::kIdleRuntime;

  // Submit to dispatch; to the end if it was never dispatched.
  absl::Duration queue_delay() const {
    return (dispatched.is_infinite() ? finished : dispatched) - submitted;
  }
  // Dispatch to completion; zero if it was never dispatched.
  absl::Duration service_time() const {
    return dispatched.is_infinite() ? absl::ZeroDuration() : finished - dispatched;
  }
};

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_OUTCOME_H_
