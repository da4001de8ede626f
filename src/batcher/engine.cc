// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher/engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "batcher/engine_rep.h"
#include "penstock/base/status_macros.h"

namespace penstock {

using internal::kNever;
using internal::kNoSlot;
using internal::RequestQueue;
using internal::SlotState;

namespace {

// Sums of tokens over any queue stay far from overflow.
constexpr int64_t kMaxTokens = int64_t{1} << 32;

int64_t AgeingNs(absl::Duration ageing) {
  return ageing == absl::InfiniteDuration() ? -1 : absl::ToInt64Nanoseconds(ageing);
}

}  // namespace

void EngineActions::Clear() {
  items.clear();
  batches.clear();
  ended.clear();
}

BatchEngine::Rep::Rep(const BatchPolicy& p)
    : policy(p),
      slots(sizeof(Slot), alignof(Slot)),
      queue(&slots, AgeingNs(p.ageing), p.tenant_weights),
      deadlines(&slots),
      flight_deadlines(&slots) {}

BatchEngine::BatchEngine(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
BatchEngine::BatchEngine(BatchEngine&&) noexcept = default;
BatchEngine& BatchEngine::operator=(BatchEngine&&) noexcept = default;
BatchEngine::~BatchEngine() = default;

absl::StatusOr<BatchEngine> BatchEngine::Create(const BatchPolicy& policy) {
  PENSTOCK_RETURN_IF_ERROR(policy.Validate());
  auto rep = std::make_unique<Rep>(policy);
  if (policy.admission) {
    PENSTOCK_ASSIGN_OR_RETURN(rep->admission, AdmissionController::Create(*policy.admission));
  }
  return BatchEngine(std::move(rep));
}

// --- ids, slots, ends ---

internal::Slot* BatchEngine::Rep::Find(RequestId id) {
  auto* slot = static_cast<Slot*>(slots.At(id.index));
  return slot != nullptr && id.serial != 0 && slot->serial == id.serial ? slot : nullptr;
}

const internal::Slot* BatchEngine::Rep::Find(RequestId id) const {
  return const_cast<Rep*>(this)->Find(id);
}

BatchEngine::Rep::RunningBatch* BatchEngine::Rep::FindBatch(BatchId id) {
  if (id.serial == 0 || id.index >= batches.size()) return nullptr;
  RunningBatch& batch = batches[id.index];
  return batch.serial == id.serial ? &batch : nullptr;
}

int64_t BatchEngine::Rep::Advance(MonoTime to) {
  now = std::max(now, std::min(to.nanoseconds(), kNever - 1));
  return now;
}

void BatchEngine::Rep::ReleaseCredit(size_t requests, int64_t tokens) {
  places.fetch_sub(static_cast<int64_t>(requests));
  if (policy.max_queue_tokens) place_tokens.fetch_sub(tokens);
}

void BatchEngine::Rep::LinkInFlight(uint32_t index) {
  Slot& slot = SlotAt(slots, index);
  slot.prev = kNoSlot;
  slot.next = in_flight_head;
  if (in_flight_head != kNoSlot) SlotAt(slots, in_flight_head).prev = index;
  in_flight_head = index;
  ++in_flight;
}

void BatchEngine::Rep::UnlinkInFlight(uint32_t index) {
  const Slot& slot = SlotAt(slots, index);
  (slot.prev != kNoSlot ? SlotAt(slots, slot.prev).next : in_flight_head) = slot.next;
  if (slot.next != kNoSlot) SlotAt(slots, slot.next).prev = slot.prev;
  --in_flight;
}

CompletionInfo BatchEngine::Rep::InfoOf(const Slot& slot, Outcome outcome) const {
  CompletionInfo info;
  info.outcome = outcome;
  info.submitted = MonoTime::FromNanoseconds(slot.submitted);
  info.finished = MonoTime::FromNanoseconds(now);
  if (slot.state == SlotState::kInFlight) {
    info.dispatched = MonoTime::FromNanoseconds(slot.dispatched);
    info.batch_size = batches[slot.batch].requests;
    info.reason = batches[slot.batch].reason;
  }
  return info;
}

void BatchEngine::Rep::MaybeFreeBatch(uint32_t index) {
  RunningBatch& batch = batches[index];
  if (batch.slot_held || batch.ahead || batch.unfinished != 0) return;
  batch.serial = 0;
  free_batches.push_back(index);
}

CompletionInfo BatchEngine::Rep::End(uint32_t index, Outcome outcome) {
  Slot& slot = SlotAt(slots, index);
  const CompletionInfo info = InfoOf(slot, outcome);
  ++stats.outcomes[static_cast<size_t>(outcome)];
  const MonoTime at = MonoTime::FromNanoseconds(now);
  if (slot.state == SlotState::kInFlight) {
    stats.service_us.Record(static_cast<uint64_t>((now - slot.dispatched) / 1000));
    UnlinkInFlight(index);
    flight_deadlines.Remove(index);
    queue.Forget(index);
    --batches[slot.batch].unfinished;
    MaybeFreeBatch(slot.batch);
    if (admission) admission->OnComplete(at, slot.tokens);
  } else {
    if (slot.state == SlotState::kQueued) {
      queue.Remove(index);
      full_dirty = true;
    } else {
      queue.Unpick(index);  // not served: no charge
      queue.Remove(index);
    }
    deadlines.Remove(index);
    ReleaseCredit(1, slot.tokens);
    if (admission) admission->OnAbandon(at, slot.tokens);
  }
  slot.serial = 0;
  slot.state = SlotState::kFree;
  slots.Free(index);
  return info;
}

void BatchEngine::Rep::EndInto(uint32_t index, Outcome outcome, EngineActions* actions) {
  const Slot& slot = SlotAt(slots, index);
  const RequestId id{slot.serial, index};
  const uint64_t tag = slot.tag;
  actions->ended.push_back({id, tag, End(index, outcome)});
}

// --- admission ---

RejectCause BatchEngine::Rep::CheckRequest(int64_t at, const EngineRequest& request) const {
  if (draining) return RejectCause::kShutdown;
  if (request.priority < -RequestQueue::kMaxPriority ||
      request.priority > RequestQueue::kMaxPriority || request.tokens < 0 ||
      request.tokens > kMaxTokens) {
    return RejectCause::kInvalid;
  }
  if (policy.token_budget && request.tokens > *policy.token_budget) return RejectCause::kInvalid;
  if (policy.max_queue_tokens && request.tokens > *policy.max_queue_tokens) {
    return RejectCause::kInvalid;
  }
  if (request.deadline.nanoseconds() <= at) return RejectCause::kPredictedLate;
  return RejectCause::kNone;
}

AdmissionVerdict BatchEngine::Rep::Refuse(RejectCause cause, absl::Duration retry_after) {
  ++stats.rejected[static_cast<size_t>(cause)];
  AdmissionVerdict verdict;
  verdict.cause = cause;
  verdict.retry_after = std::max(retry_after, absl::Milliseconds(1));
  return verdict;
}

bool BatchEngine::TryReserve(int64_t tokens) {
  Rep& r = *rep_;
  if (r.places.fetch_add(1) >= static_cast<int64_t>(r.policy.max_queue_requests)) {
    r.places.fetch_sub(1);
    return false;
  }
  if (r.policy.max_queue_tokens &&
      r.place_tokens.fetch_add(tokens) > *r.policy.max_queue_tokens - tokens) {
    r.place_tokens.fetch_sub(tokens);
    r.places.fetch_sub(1);
    return false;
  }
  return true;
}

void BatchEngine::CancelReservation(int64_t tokens) {
  rep_->ReleaseCredit(1, tokens);
  if (rep_->admission) rep_->admission->OnAbandon(MonoTime::FromNanoseconds(rep_->now), tokens);
}

bool BatchEngine::reserve_is_admission() const {
  return !rep_->admission && !rep_->policy.max_queue_delay;
}

bool BatchEngine::Rep::MakeRoom(const EngineRequest& request, EngineActions* actions) {
  uint32_t victim = kNoSlot;
  if (policy.on_full == OnFull::kDropOldest) victim = queue.Oldest(request.priority);
  if (policy.on_full == OnFull::kEvictLowest) victim = queue.NewestBelow(request.priority);
  if (victim == kNoSlot) return false;
  EndInto(victim, Outcome::kEvicted, actions);
  return true;
}

// Late by its own timeout, or over the bound of the queue in predicted time.
AdmissionVerdict BatchEngine::Rep::CheckPrediction(const EngineRequest& request,
                                                   EngineActions* actions) {
  const bool timed = policy.predictive_expiry && !request.deadline.is_infinite();
  if (!model.ready() || (!timed && !policy.max_queue_delay)) return AdmissionVerdict();
  double own = 0;
  const double delay = DelaySeconds(request.tenant, request.priority, &own);
  if (timed) {
    const absl::Duration total =
        absl::Seconds((delay + own) * (1 + 0.5 * policy.prediction_sigmas * model.sigma())) +
        policy.headroom;
    const absl::Duration left = request.deadline - MonoTime::FromNanoseconds(now);
    // With nothing ahead it is let in whatever the model says: it may be the batch that corrects
    // it.
    if (total > left && (queue.size() > 0 || !running.empty())) {
      AdmissionVerdict verdict = Refuse(RejectCause::kPredictedLate, total - left);
      verdict.observed = total;
      verdict.limit = left;
      return verdict;
    }
  }
  if (policy.max_queue_delay && absl::Seconds(delay) > *policy.max_queue_delay &&
      !MakeRoom(request, actions)) {
    AdmissionVerdict verdict =
        Refuse(RejectCause::kQueueDelay, absl::Seconds(delay) - *policy.max_queue_delay);
    verdict.observed = absl::Seconds(delay);
    verdict.limit = *policy.max_queue_delay;
    return verdict;
  }
  return AdmissionVerdict();
}

AdmissionVerdict BatchEngine::Admit(MonoTime now, const EngineRequest& request,
                                    EngineActions* actions) {
  Rep& r = *rep_;
  const int64_t at = r.Advance(now);
  if (const RejectCause cause = r.CheckRequest(at, request); cause != RejectCause::kNone) {
    return r.Refuse(cause, absl::ZeroDuration());
  }
  AdmissionVerdict verdict = r.CheckPrediction(request, actions);
  if (verdict.cause != RejectCause::kNone) return verdict;
  while (!TryReserve(request.tokens)) {
    if (r.MakeRoom(request, actions)) continue;
    return r.Refuse(RejectCause::kQueueFull, absl::Nanoseconds(r.ResidualNs()));
  }
  if (r.admission) {
    AdmissionRequest ask;
    ask.tokens = request.tokens;
    ask.priority = request.priority;
    if (r.model.ready()) {
      double own = 0;
      ask.predicted_queue_delay =
          absl::Seconds(r.DelaySeconds(request.tenant, request.priority, &own));
    }
    verdict = r.admission->TryAdmit(MonoTime::FromNanoseconds(at), ask);
    if (verdict.cause != RejectCause::kNone) {
      r.ReleaseCredit(1, request.tokens);
      ++r.stats.rejected[static_cast<size_t>(verdict.cause)];
    }
  }
  return verdict;
}

RequestId BatchEngine::Enqueue(MonoTime now, const EngineRequest& request) {
  Rep& r = *rep_;
  const int64_t at = r.Advance(now);
  const uint32_t index = r.slots.Allocate();
  internal::Slot& slot = SlotAt(r.slots, index);
  slot.serial = r.next_serial++;
  slot.tag = request.tag;
  // The caller's own time, so that a request which waited outside is not younger than it is.
  slot.submitted = std::min(at, now.nanoseconds());
  slot.deadline = request.deadline.nanoseconds();
  slot.dispatched = kNever;
  slot.tokens = request.tokens;
  slot.heap_position = kNoSlot;
  r.queue.Push(index, request.tenant, request.priority);
  if (slot.deadline != kNever) r.deadlines.Push(index);
  r.full_dirty = true;
  ++r.stats.accepted;
  if (r.policy.mode == BatchMode::kAdaptive) r.arrivals.Arrive(at);
  return {slot.serial, index};
}

EngineOffer BatchEngine::Offer(MonoTime now, const EngineRequest& request, EngineActions* actions) {
  EngineOffer offer;
  offer.verdict = Admit(now, request, actions);
  if (offer.verdict.cause == RejectCause::kNone) offer.id = Enqueue(now, request);
  return offer;
}

// --- what happens to requests and batches outside ---

bool BatchEngine::Complete(MonoTime now, RequestId id, Outcome outcome, CompletionInfo* info) {
  Rep& r = *rep_;
  r.Advance(now);
  const internal::Slot* slot = r.Find(id);
  if (slot == nullptr || slot->state != SlotState::kInFlight) {
    ++r.stats.late_results;
    return false;
  }
  const CompletionInfo ended = r.End(id.index, outcome);
  if (info != nullptr) *info = ended;
  r.hold_until = 0;
  return true;
}

void BatchEngine::OnBatchDone(MonoTime now, BatchId id) {
  Rep& r = *rep_;
  r.Advance(now);
  Rep::RunningBatch* batch = r.FindBatch(id);
  if (batch != nullptr && batch->ahead) {  // given up before it ran
    batch->ahead = false;
    r.ahead_batch.reset();
    r.MaybeFreeBatch(id.index);
    return;
  }
  if (batch == nullptr || !batch->slot_held) return;
  batch->slot_held = false;
  r.running.erase(std::find(r.running.begin(), r.running.end(), id.index));
  const int64_t took = r.now - batch->start;
  r.stats.batch_us.Record(static_cast<uint64_t>(took / 1000));
  if (batch->put_back == 0) {
    r.Learn(*batch, static_cast<double>(took) * 1e-9);
  }
  r.MaybeFreeBatch(id.index);
  r.Promote();
}

void BatchEngine::Rep::Learn(const RunningBatch& batch, double seconds) {
  const double n = static_cast<double>(batch.rows);
  const double tokens = static_cast<double>(batch.cost_tokens);
  model.Observe(n, tokens, seconds);
  // Sizes are compared at the same tokens a row.
  tokens_a_row += (tokens_a_row == 0 ? 1 : 0.01) * (tokens / n - tokens_a_row);
  const double predicted = model.Predict(n, tokens);
  if (predicted <= 0) return;
  size_times.Observe(batch.rows, seconds * model.Predict(n, n * tokens_a_row) / predicted);
}

bool BatchEngine::Cancel(MonoTime now, RequestId id, CompletionInfo* info) {
  Rep& r = *rep_;
  r.Advance(now);
  if (r.Find(id) == nullptr) return false;
  const CompletionInfo ended = r.End(id.index, Outcome::kCancelled);
  if (info != nullptr) *info = ended;
  return true;
}

bool BatchEngine::PutBack(MonoTime now, RequestId id) {
  Rep& r = *rep_;
  const int64_t at = r.Advance(now);
  internal::Slot* slot = r.Find(id);
  if (slot == nullptr || slot->state != SlotState::kInFlight) {
    ++r.stats.late_results;
    return false;
  }
  r.UnlinkInFlight(id.index);
  Rep::RunningBatch& batch = r.batches[slot->batch];
  ++batch.put_back;
  --batch.unfinished;
  r.MaybeFreeBatch(slot->batch);
  slot->dispatched = kNever;
  r.flight_deadlines.Remove(id.index);
  r.queue.Unpick(id.index);
  if (slot->deadline != kNever) r.deadlines.Push(id.index);
  // Its place counts again even if the queue filled up meanwhile: it was accepted.
  r.places.fetch_add(1);
  if (r.policy.max_queue_tokens) r.place_tokens.fetch_add(slot->tokens);
  if (r.admission) r.admission->OnPutBack(now, slot->tokens);
  r.hold_until = at + absl::ToInt64Nanoseconds(r.policy.put_back_delay);
  r.full_dirty = true;
  ++r.stats.put_back;
  return true;
}

bool BatchEngine::wanted(RequestId id) const {
  const internal::Slot* slot = rep_->Find(id);
  return slot != nullptr && slot->state == SlotState::kInFlight;
}

void BatchEngine::SetCapacity(MonoTime now, size_t free_requests, int64_t free_tokens) {
  rep_->Advance(now);
  rep_->capacity_requests = free_requests;
  rep_->capacity_tokens = free_tokens;
  rep_->hold_until = 0;
}

void BatchEngine::BeginDrain(MonoTime now) {
  rep_->Advance(now);
  rep_->draining = true;
}

void BatchEngine::FailAll(MonoTime now, EngineActions* actions) {
  Rep& r = *rep_;
  r.Advance(now);
  while (r.in_flight_head != kNoSlot) r.EndInto(r.in_flight_head, Outcome::kShutdown, actions);
  while (true) {
    uint32_t next = kNoSlot;
    r.queue.ForEach([&next](uint32_t s) {
      next = s;
      return false;
    });
    if (next == kNoSlot) return;
    r.EndInto(next, Outcome::kShutdown, actions);
  }
}

void BatchEngine::ReportTokens(std::string_view tenant, int priority, int64_t tokens) {
  if (priority < -RequestQueue::kMaxPriority || priority > RequestQueue::kMaxPriority) return;
  rep_->queue.Charge(tenant, priority, tokens);
}

bool BatchEngine::idle() const { return rep_->queue.size() == 0 && rep_->in_flight == 0; }
bool BatchEngine::slot_free() const { return rep_->SlotFree(); }
uint64_t BatchEngine::queued() const { return rep_->queue.size(); }
int64_t BatchEngine::places() const { return rep_->places.load(); }
const BatchPolicy& BatchEngine::policy() const { return rep_->policy; }

}  // namespace penstock
