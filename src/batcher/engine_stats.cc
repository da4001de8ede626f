// SPDX-License-Identifier: Apache-2.0
//
// What the engine tells about itself: statistics, and whether everything holds.
#include <string>

#include "batcher/engine_rep.h"
#include "penstock/base/status_macros.h"

namespace penstock {

using internal::kNever;
using internal::kNoSlot;
using internal::SlotState;

EngineStats BatchEngine::GetStats() const {
  EngineStats stats = rep_->stats;
  stats.queued = rep_->queue.size();
  stats.queued_tokens = rep_->queue.tokens();
  stats.in_flight = rep_->in_flight;
  stats.predicted_full_batch = absl::Seconds(rep_->PredictSeconds(rep_->TypicalBatch()));
  stats.predicted_sigma = rep_->model.sigma();
  if (rep_->admission) stats.admission = rep_->admission->GetStats();
  return stats;
}

absl::Status BatchEngine::CheckInvariants() const {
  const Rep& r = *rep_;
  const auto fail = [](const char* what) { return absl::InternalError(what); };
  PENSTOCK_RETURN_IF_ERROR(r.queue.CheckInvariants());
  if (!GetStats().conserved()) return fail("engine: accepted != ended + queued + in flight");
  size_t timed = 0, listed = 0, unfinished = 0;
  for (uint32_t s = r.in_flight_head; s != kNoSlot; s = SlotAt(r.slots, s).next) {
    if (SlotAt(r.slots, s).state != SlotState::kInFlight) return fail("engine: in-flight list");
    timed += SlotAt(r.slots, s).heap_position != kNoSlot;
    ++listed;
  }
  r.queue.ForEach([&](uint32_t s) {
    timed += SlotAt(r.slots, s).heap_position != kNoSlot;
    return true;
  });
  if (listed != r.in_flight) return fail("engine: in-flight count");
  if (timed != r.deadlines.size() + r.flight_deadlines.size())
    return fail("engine: a timeout without a request");
  for (const Rep::RunningBatch& batch : r.batches) {
    if (batch.serial != 0) unfinished += batch.unfinished;
  }
  if (unfinished != r.in_flight) return fail("engine: in-flight requests of batches");
  if (r.slots.used() != r.queue.size() + r.in_flight) return fail("engine: a slot leaks");
  if (!r.capacity_requests && r.running.size() > r.policy.max_concurrent_batches) {
    return fail("engine: more batches than slots");
  }
  if (r.ahead_batch && !r.capacity_requests && r.running.size() < r.policy.max_concurrent_batches) {
    return fail("engine: a batch waits beside a free slot");
  }
  if (r.places.load() < static_cast<int64_t>(r.queue.size())) return fail("engine: places");
  if (r.policy.max_queue_tokens && r.place_tokens.load() < r.queue.tokens()) {
    return fail("engine: tokens of places");
  }
  return absl::OkStatus();
}

}  // namespace penstock
