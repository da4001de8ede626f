// SPDX-License-Identifier: Apache-2.0
//
// The batcher without time, threads or types: the production code and the simulator are the same
// object.
//
//   PENSTOCK_ASSIGN_OR_RETURN(BatchEngine engine, BatchEngine::Create(policy));
//   EngineActions actions;               // reused: nothing is allocated in the steady state
//   EngineOffer offer = engine.Offer(now, {.tag = 7, .tokens = 128}, &actions);
//   if (offer.verdict.cause != RejectCause::kNone) …     // e.g. kQueueFull, with a retry_after
//   engine.Poll(now, &actions);
//   for (const EngineActions::Released& batch : actions.batches) Run(batch, actions);
//   for (const EngineActions::Ended& e : actions.ended) Tell(e.tag, e.outcome);
//   … sleep until actions.wake_at, or until something happens, and Poll again
//   engine.Complete(now, id, Outcome::kOk);  engine.OnBatchDone(now, batch_id);
//
// Order: within one (tenant, priority) first come, first served. Between tenants of one priority
// the one that received least service in proportion to its weight (virtual counters, Y. Sheng et
// al., Fairness in Serving Large Language Models, 2024). Between priorities a static key, arrival -
// priority × ageing, which is linear ageing without sorting. Complexity: Offer, Cancel, Complete
// O(log n) with a timeout, else O(1) amortised plus the number of priorities in use; Poll O(1) when
// nothing is due, else O(lookahead × batch × log tenants). Memory about 150 bytes a request, given
// back.
#ifndef PENSTOCK_BATCHER_ENGINE_H_
#define PENSTOCK_BATCHER_ENGINE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/base/histogram.h"
#include "penstock/batcher/admission.h"
#include "penstock/batcher/outcome.h"
#include "penstock/batcher/policy.h"

namespace penstock {

// Names one request or batch of one engine for ever: a stale id matches nothing.
struct EngineId {
  uint64_t serial = 0;  // 0: none
  uint32_t index = 0;
  friend bool operator==(EngineId a, EngineId b) {
    return a.serial == b.serial && a.index == b.index;
  }
  friend bool operator!=(EngineId a, EngineId b) { return !(a == b); }
};
using RequestId = EngineId;
using BatchId = EngineId;

struct EngineRequest {
  uint64_t tag = 0;  // the caller's own name for it; comes back in EngineActions
  std::string_view tenant;
  int priority = 0;
  MonoTime deadline = MonoTime::InfiniteFuture();
  int64_t tokens = 1;
};

struct EngineOffer {
  AdmissionVerdict verdict;
  RequestId id;  // none if refused
};

// What the engine wants done. Calls append; the caller clears.
struct PENSTOCK_EXPORT EngineActions {
  struct Item {
    RequestId id;
    uint64_t tag;
  };
  struct Released {
    BatchId id;
    ReleaseReason reason;
    MonoTime at;
    size_t begin, end;       // its requests: items[begin, end)
    int64_t tokens;          // sum over its requests
    int64_t padded_tokens;   // longest × rows, padding rows included
    size_t padded_requests;  // rows after padding up to an allowed size
    bool ahead;              // formed ahead: must not run before holds_slot(id)
  };
  struct Ended {
    RequestId id;
    uint64_t tag;
    CompletionInfo info;
  };
  std::vector<Item> items;
  std::vector<Released> batches;
  std::vector<Ended> ended;
  MonoTime wake_at =
      MonoTime::InfiniteFuture();  // set by Poll: when to call it again if nothing happens before

  bool empty() const { return batches.empty() && ended.empty(); }
  void Clear();
};

struct EngineStats {
  // Conservation: accepted = sum(outcomes) + queued + in_flight, after every call.
  uint64_t accepted = 0;
  std::array<uint64_t, kOutcomes> outcomes{};
  std::array<uint64_t, kRejectCauses> rejected{};
  uint64_t queued = 0, in_flight = 0;  // in_flight: left in a batch and without an outcome yet
  int64_t queued_tokens = 0;

  std::array<uint64_t, kReleaseReasons> batches{};
  uint64_t batched_requests = 0;  // put back and batched again counts twice
  int64_t batched_tokens = 0, padded_tokens = 0;
  uint64_t batches_ahead = 0;  // of `batches`, formed ahead
  uint64_t put_back = 0;
  uint64_t late_results = 0;  // completions of requests that had ended already

  Histogram batch_size;
  Histogram queue_delay_us;  // of dispatched requests
  Histogram service_us;      // dispatch to completion
  Histogram batch_us;        // dispatch to OnBatchDone

  // The learned model: predicted time of a full batch, relative standard deviation; zero before the
  // first batch.
  absl::Duration predicted_full_batch;
  double predicted_sigma = 0;
  AdmissionStats admission;

  uint64_t ended() const {
    uint64_t sum = 0;
    for (const uint64_t n : outcomes) sum += n;
    return sum;
  }
  uint64_t outcome(Outcome o) const { return outcomes[static_cast<size_t>(o)]; }
  uint64_t batches_by(ReleaseReason r) const { return batches[static_cast<size_t>(r)]; }
  uint64_t rejected_by(RejectCause c) const { return rejected[static_cast<size_t>(c)]; }
  bool conserved() const { return accepted == ended() + queued + in_flight; }
};

// `now` may be any monotonic axis; a smaller `now` than before is read as the largest seen.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
// TryReserve alone is thread-safe.
class PENSTOCK_EXPORT BatchEngine {
 public:
  // kInvalidArgument: see BatchPolicy::Validate.
  static absl::StatusOr<BatchEngine> Create(const BatchPolicy& policy);
  BatchEngine(BatchEngine&&) noexcept;
  BatchEngine& operator=(BatchEngine&&) noexcept;
  ~BatchEngine();

  // Accepts or refuses. A refusal changes nothing but statistics. OnFull::kDropOldest and
  // kEvictLowest may append ends to `actions`; kBlock and kDegrade refuse here (waiting and
  // degrading are the shell's). Equals Admit, then Enqueue.
  EngineOffer Offer(MonoTime now, const EngineRequest& request, EngineActions* actions);

  // The halves of Offer, for shells that must do something in between. Admit reserves a place,
  // Enqueue fills it (and must follow), CancelReservation gives it back.
  AdmissionVerdict Admit(MonoTime now, const EngineRequest& request, EngineActions* actions);
  RequestId Enqueue(MonoTime now, const EngineRequest& request);
  void CancelReservation(int64_t tokens);

  // Admit for a policy without prediction or admission control: reserves a place if the queue's
  // bounds allow. Thread-safe; wait-free.
  bool TryReserve(int64_t tokens);
  // Whether TryReserve decides as Admit would for requests without a timeout.
  bool reserve_is_admission() const;

  // Ends what is due and releases every batch that may leave now. Sets actions->wake_at.
  void Poll(MonoTime now, EngineActions* actions);

  // Ends a dispatched request. False (and counted as late) if it had ended already or was put back.
  bool Complete(MonoTime now, RequestId id, Outcome outcome, CompletionInfo* info = nullptr);

  // The runtime's slot is free again, whether or not all requests have completed. Idempotent.
  // Requests of the batch that never complete stay in flight until Complete, Cancel, their timeout
  // or FailAll.
  void OnBatchDone(MonoTime now, BatchId id);

  // BatchPolicy::form_ahead: a batch that left ahead is ready to run (teaches how early to form the
  // next one), and whether it may: a slot became its own in OnBatchDone of another batch. One that
  // is given up instead is told by OnBatchDone.
  void OnBatchPrepared(MonoTime now, BatchId id);
  bool holds_slot(BatchId id) const;

  // True: this call decided the outcome (kCancelled), and the place in the queue is free again.
  bool Cancel(MonoTime now, RequestId id, CompletionInfo* info = nullptr);

  // A dispatched request returns to the head of its queue, keeping its arrival time. False if it
  // had ended already.
  bool PutBack(MonoTime now, RequestId id);

  // Whether a dispatched request still wants its result.
  bool wanted(RequestId id) const;

  // The host drives capacity (continuous batching): until the next call at most this many requests
  // and tokens leave, in as many batches as arrive; max_concurrent_batches no longer matters.
  void SetCapacity(MonoTime now, size_t free_requests, int64_t free_tokens);

  // From now on Offer refuses (kShutdown) and nothing waits for a trigger.
  void BeginDrain(MonoTime now);
  // Everything unfinished ends as kShutdown.
  void FailAll(MonoTime now, EngineActions* actions);

  // Charges a tenant for work that became known later (e.g. tokens generated).
  void ReportTokens(std::string_view tenant, int priority, int64_t tokens);

  bool idle() const;        // nothing queued, nothing in flight
  bool slot_free() const;   // a batch could leave now
  uint64_t queued() const;  // without places that are reserved and not filled yet
  int64_t places() const;   // with them. Thread-safe
  // Predicted delay until a newcomer of this priority would leave; zero while nothing was measured.
  absl::Duration PredictQueueDelay(MonoTime now, int priority = 0) const;
  absl::Duration PredictBatchTime(size_t requests, int64_t tokens) const;
  absl::Duration PredictSlotFree() const;  // until the first batch ends; zero while unknown
  const BatchPolicy& policy() const;
  EngineStats GetStats() const;

  // Walks everything: links, sums, bounds, conservation. For tests. kInternal: what does not hold.
  absl::Status CheckInvariants() const;

 private:
  struct Rep;
  explicit BatchEngine(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_ENGINE_H_
