// SPDX-License-Identifier: Apache-2.0
//
// Congestion control: who may enter so that those inside finish in time. The batcher runs one when
// BatcherOptions::admission is set; it works alone in front of anything that has a queue.
//
//   AdmissionOptions options;
//   options.backpressure_threshold = absl::Milliseconds(150);     // on *predicted queue delay*
//   PENSTOCK_ASSIGN_OR_RETURN(AdmissionController control, AdmissionController::Create(options));
//   absl::Status verdict = control.Admit(now, {.tokens = 1});
//   if (!verdict.ok()) return Reply(429, RetryAfter(verdict));  // "queue delay 180ms, limit 150ms"
//   …  control.OnDispatch(now, queue_delay, tokens);  // it left the queue for the server
//   …  control.OnComplete(now, tokens);                           // it ended
//
// The signal is the delay *before* dispatch. Round-trip time is never used: batching moves it
// without any congestion, and limiters built on its gradient refuse a quarter of the requests of a
// healthy batching server.
#ifndef PENSTOCK_BATCHER_ADMISSION_H_
#define PENSTOCK_BATCHER_ADMISSION_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/batcher/outcome.h"

namespace penstock {

struct AdmissionOptions {
  // Accepted and not finished.
  std::optional<int64_t> max_in_flight;
  std::optional<int64_t> max_in_flight_tokens;

  // Refuse when the predicted queue delay of the newcomer exceeds this.
  std::optional<absl::Duration> backpressure_threshold;

  // Closed loop on queue delay (CoDel, K. Nichols and V. Jacobson, 2012): when even the smallest
  // delay of an interval exceeded the target, requests that waited longer than twice the target are
  // shed and the inflow is lowered in proportion to the excess; it recovers as the delay falls.
  // Needs no model and catches a wrong one.
  std::optional<absl::Duration> delay_target;
  absl::Duration interval = absl::Milliseconds(100);

  // Token bucket: requests a second, and how many may come at once.
  std::optional<double> max_rate;
  double burst = 1;

  PENSTOCK_EXPORT absl::Status Validate() const;
};

struct AdmissionRequest {
  int64_t tokens = 1;
  int priority = 0;
  std::optional<absl::Duration>
      predicted_queue_delay;  // from a better model than the controller's own
};

struct AdmissionStats {
  int64_t admitted = 0;
  int64_t rejected_in_flight = 0;
  int64_t rejected_delay = 0;
  int64_t rejected_rate = 0;
  int64_t rejected_adaptive = 0;
  int64_t in_flight = 0, in_flight_tokens = 0;
  int64_t queued = 0, queued_tokens = 0;
  double service_tokens_per_second = 0;       // measured while saturated; 0: unknown yet
  double inflow_limit_tokens_per_second = 0;  // 0: no limit in force
  bool overloaded = false;
};

// A verdict without a Status: what the engine counts before anything is allocated.
struct AdmissionVerdict {
  RejectCause cause = RejectCause::kNone;  // kNone: admitted
  absl::Duration retry_after;
  absl::Duration observed, limit;  // kQueueDelay: the prediction and the threshold
};

// A state machine without clock or lock: `now` is an argument, never smaller than before.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
class PENSTOCK_EXPORT AdmissionController {
 public:
  // kInvalidArgument: see AdmissionOptions::Validate.
  static absl::StatusOr<AdmissionController> Create(const AdmissionOptions& options);

  // OK: the request counts as queued and in flight until OnDispatch and OnComplete (or OnAbandon).
  // kResourceExhausted: refused, with cause and RetryAfter; nothing is counted. O(1).
  absl::Status Admit(MonoTime now, const AdmissionRequest& request);
  AdmissionVerdict TryAdmit(MonoTime now, const AdmissionRequest& request);

  // The request left the queue for the server after `queue_delay`.
  void OnDispatch(MonoTime now, absl::Duration queue_delay, int64_t tokens);
  // A dispatched request returned to the queue.
  void OnPutBack(MonoTime now, int64_t tokens);
  // A dispatched request ended, however.
  void OnComplete(MonoTime now, int64_t tokens);
  // An admitted request left the queue without being dispatched (cancelled, expired, shed).
  void OnAbandon(MonoTime now, int64_t tokens);

  // Whether a queued request that has waited `queue_delay` should be dropped now (delay_target is
  // set and exceeded).
  bool ShouldShed(MonoTime now, absl::Duration queue_delay) const;

  // Predicted queue delay of a request that came now; zero while the service rate is unknown.
  absl::Duration PredictQueueDelay() const;

  AdmissionStats GetStats() const { return stats_; }

 private:
  explicit AdmissionController(const AdmissionOptions& options);
  void EndIntervalIfDue(MonoTime now);
  void RefillBuckets(MonoTime now);

  AdmissionOptions options_;
  AdmissionStats stats_;
  MonoTime last_refill_;
  bool started_ = false;
  double rate_credit_ = 0;      // requests
  double adaptive_credit_ = 0;  // tokens
  // The interval that runs.
  MonoTime interval_start_;
  absl::Duration interval_min_delay_ = absl::InfiniteDuration();
  int64_t interval_dispatched_ = 0;
  int64_t interval_dispatched_tokens_ = 0;
  bool interval_idle_ = true;      // the queue was empty at some time
  bool interval_limited_ = false;  // the inflow limit refused somebody
};

// How long to wait before trying again, if the refusal says so. Reads the payload that Submit and
// Admit attach.
PENSTOCK_EXPORT std::optional<absl::Duration> RetryAfter(const absl::Status& status);
// The machine-readable cause of a refusal; kNone if the status carries none.
PENSTOCK_EXPORT RejectCause RejectCauseOf(const absl::Status& status);

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_ADMISSION_H_
