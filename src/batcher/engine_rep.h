// SPDX-License-Identifier: Apache-2.0
//
// The state of BatchEngine. engine.cc: what callers do to it; engine_when.cc: when a batch
// leaves; engine_form.cc: who is in it.
#ifndef PENSTOCK_SRC_BATCHER_ENGINE_REP_H_
#define PENSTOCK_SRC_BATCHER_ENGINE_REP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "batcher/arrival_rate.h"
#include "batcher/cost_model.h"
#include "batcher/deadline_heap.h"
#include "batcher/engine_slot.h"
#include "batcher/request_queue.h"
#include "batcher/size_times.h"
#include "batcher/slab.h"
#include "penstock/batcher/engine.h"

namespace penstock {

struct BatchEngine::Rep {
  using Slot = internal::Slot;

  struct RunningBatch {
    uint64_t serial = 0;  // 0: free
    int64_t start = 0;
    int64_t predicted_end = 0;  // kNever: unknown
    size_t requests = 0;
    size_t rows = 0;          // padding rows included
    int64_t cost_tokens = 0;  // as the cost model counts
    size_t unfinished = 0;    // requests without an outcome
    size_t put_back = 0;
    bool slot_held = false;
    bool ahead = false;  // waits for a slot
    ReleaseReason reason = ReleaseReason::kIdleRuntime;
  };

  explicit Rep(const BatchPolicy& policy);

  // engine.cc
  Slot* Find(RequestId id);
  const Slot* Find(RequestId id) const;
  RunningBatch* FindBatch(BatchId id);
  int64_t Advance(MonoTime now);
  void FreeSlot(uint32_t index);
  void ReleaseCredit(size_t requests, int64_t tokens);
  CompletionInfo InfoOf(const Slot& slot, Outcome outcome) const;
  // Ends a queued, picked or in-flight request. Returns what to tell its owner.
  CompletionInfo End(uint32_t index, Outcome outcome);
  void EndInto(uint32_t index, Outcome outcome, EngineActions* actions);
  void MaybeFreeBatch(uint32_t index);
  void LinkInFlight(uint32_t index);
  void UnlinkInFlight(uint32_t index);
  RejectCause CheckRequest(int64_t now, const EngineRequest& request) const;
  bool MakeRoom(const EngineRequest& request, EngineActions* actions);
  bool ReservePlace(const EngineRequest& request, EngineActions* actions);
  AdmissionVerdict Refuse(RejectCause cause, absl::Duration retry_after);
  AdmissionVerdict CheckPrediction(const EngineRequest& request, EngineActions* actions);

  // engine_when.cc
  double PredictSeconds(size_t requests) const;
  // Mean plus `caution` times the policy's margin of uncertainty, plus headroom.
  int64_t MarginNs(size_t requests, double caution = 1) const;
  bool Predicts() const { return policy.predictive_expiry && model.ready(); }
  // A deadline before this cannot be met by a batch of that many requests that leaves now.
  int64_t LateBefore(size_t requests, double caution = 1) const;
  double TypicalTokens(size_t requests) const;
  size_t TypicalBatch() const;
  double DelaySeconds(std::string_view tenant, int priority, double* own_seconds) const;
  int64_t ResidualNs() const;
  bool SlotFree() const;
  size_t RequestLimit() const;
  int64_t TokenLimit() const;
  bool FullByTokens();
  int64_t AheadAt() const;
  size_t SizeLimit() const;
  std::optional<ReleaseReason> Trigger();
  int64_t WakeAt(bool stuck) const;
  void ExpireDue(EngineActions* actions);
  size_t BestRateLimit(size_t limit) const;
  size_t BestByCurve(size_t most) const;
  size_t AdaptiveCap(size_t limit) const;

  // engine_form.cc
  bool FormBatch(ReleaseReason reason, EngineActions* actions);
  void FormAhead(EngineActions* actions);
  void Promote();
  void Learn(const RunningBatch& batch, double seconds);
  void Gather(size_t limit, size_t window, EngineActions* actions);
  void SettleTight(size_t limit, EngineActions* actions);
  void DropTight(int64_t late_before, EngineActions* actions);
  void ChooseFirst(size_t limit);
  void ChooseWindow(size_t limit);
  void FitAllowedSize();
  void DropLate(EngineActions* actions);
  void UnpickUnchosen();
  int64_t CostOfChosen(int64_t* sum) const;
  int64_t PredictedEnd(const RunningBatch& batch) const;
  void Release(ReleaseReason reason, EngineActions* actions);

  const BatchPolicy policy;
  internal::Slab slots;
  internal::RequestQueue queue;
  internal::DeadlineHeap deadlines;         // of queued requests
  internal::DeadlineHeap flight_deadlines;  // of those in flight
  internal::CostModel model;
  internal::SizeTimes size_times;
  std::optional<AdmissionController> admission;

  // Places taken in the queue, reserved ones included.
  std::atomic<int64_t> places{0};
  std::atomic<int64_t> place_tokens{0};

  int64_t now = 0;
  uint64_t next_serial = 1;
  bool draining = false;
  std::vector<RunningBatch> batches;
  std::vector<uint32_t> free_batches;
  std::vector<uint32_t> running;  // batches that hold a slot
  uint32_t in_flight_head = internal::kNoSlot;
  size_t in_flight = 0;
  std::optional<size_t> capacity_requests;  // set: the host drives capacity
  int64_t capacity_tokens = 0;
  int64_t hold_until = 0;  // after a put-back
  // The batch that was formed ahead, and what preparing one takes: mean and mean deviation.
  std::optional<uint32_t> ahead_batch;
  int64_t ahead_due = 0;
  double ahead_mean_ns = 0, ahead_spread_ns = 0;
  int64_t last_release = 0;
  internal::ArrivalRate arrivals;  // kAdaptive only
  // kFullOrTimeout with padded cost: the longest of the first requests, and whether they fill the
  // budget.
  bool full_dirty = true;
  bool full_by_tokens = false;
  double padding_factor = 1;  // padded / real tokens of recent batches

  double average_tokens = 1;  // of dispatched requests, recently
  double tokens_a_row = 0;    // of batches, for long; 0: none yet

  // Scratch of one formation.
  int64_t starts_in = 0;             // ns until its slot is expected to be free
  std::vector<uint32_t> candidates;  // in order
  size_t on_time = 0;                // candidates that a full batch serves in time
  int64_t late_if_full = 0;
  bool exhausted = false;  // every queued request is a candidate
  uint32_t probe = internal::kNoSlot;
  bool pressed = false;  // the batch leaves early to serve those that cannot wait
  bool full_of_tokens = false;
  std::vector<uint32_t> chosen;  // in order
  std::vector<uint32_t> sorted;  // positions in candidates
  size_t rows = 0;

  EngineStats stats;
};

}  // namespace penstock

#endif  // PENSTOCK_SRC_BATCHER_ENGINE_REP_H_
