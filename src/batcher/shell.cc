// SPDX-License-Identifier: Apache-2.0
#include "batcher/shell.h"

#include <algorithm>
#include <utility>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/check.h"
#include "batcher/verdict.h"

namespace penstock::internal {
namespace {

EngineRequest RequestOf(const BatcherNode& node) {
  EngineRequest request;
  request.tag = reinterpret_cast<uint64_t>(&node);
  request.tenant = node.tenant;
  request.priority = node.priority;
  request.deadline = node.deadline;
  request.tokens = node.tokens;
  return request;
}

// The shell whose runner call, without a released slot, this thread is in.
thread_local const BatcherShared* running_for = nullptr;

BatcherNode* NodeOf(uint64_t tag) { return reinterpret_cast<BatcherNode*>(tag); }

}  // namespace

BatcherShared::BatcherShared(const BatcherOptions& options, const RequestOps* ops,
                             BatcherCore::Run run, BatcherCore::Degrade degrade,
                             BatcherCore::Run prepare, BatchEngine engine)
    : options_(options),
      ops_(ops),
      run_(std::move(run)),
      degrade_(std::move(degrade)),
      prepare_(std::move(prepare)),
      own_runners_(options.executor == nullptr && options.former_thread),
      fast_ingress_(engine.reserve_is_admission()),
      pool_(ops),
      full_status_(&QueueFullStatus(absl::Milliseconds(1))),
      engine_(std::move(engine)) {}

BatcherShared::~BatcherShared() = default;

void BatcherShared::Start() {
  if (!options_.former_thread) return;
  const auto self = shared_from_this();
  threads_.emplace_back([self] { self->Former(); });
  if (!own_runners_) return;
  // As many again for calls that go on after they released their slot.
  for (size_t i = 0; i < 2 * options_.max_concurrent_batches; ++i) {
    threads_.emplace_back([self] { self->Runner(); });
  }
}

// --- the engine's results, translated under the lock and acted upon without it ---

std::unique_ptr<BatcherShared::Work> BatcherShared::TakeWork() {
  if (spare_work_.empty()) return std::make_unique<Work>();
  std::unique_ptr<Work> work = std::move(spare_work_.back());
  spare_work_.pop_back();
  return work;
}

bool BatcherShared::MoveIngress() {
  BatcherNode* node = ingress_.exchange(nullptr);
  bool urgent = node != nullptr && engine_.slot_free();
  BatcherNode* oldest = nullptr;
  while (node != nullptr) {
    BatcherNode* next = node->next;
    node->next = oldest;
    // What Enqueue and the batch touch of it, while the walk waits for the next node.
    __builtin_prefetch(reinterpret_cast<const std::byte*>(node) + 64, 1);
    oldest = node;
    node = next;
  }
  for (node = oldest; node != nullptr; node = node->next) {
    urgent = urgent || !node->deadline.is_infinite();
    node->id = engine_.Enqueue(node->submitted, RequestOf(*node));
  }
  return urgent;
}

// The request's owner loses it; its callback runs as soon as no part is being delivered.
void BatcherShared::NoteEnd(BatcherNode* node, const CompletionInfo& info, Work* work) {
  callbacks_.fetch_add(1);
  if (node->in_batch) ++node->references;
  (node->in_part ? held_ends_ : work->ends).push_back({node, info});
}

void BatcherShared::Unreference(BatcherNode* node, Work* work) {
  if (--node->references == 0) work->dead.push_back(node);
}

UntypedBatch BatcherShared::MakeBatch(const EngineActions& actions,
                                      const EngineActions::Released& released) {
  std::unique_ptr<BatchRep> rep;
  if (spare_batches_.empty()) {
    rep = std::make_unique<BatchRep>();
  } else {
    rep = std::move(spare_batches_.back());
    spare_batches_.pop_back();
  }
  rep->shared = shared_from_this();
  rep->id = released.id;
  rep->reason = released.reason;
  rep->dispatched = released.at;
  rep->tokens = released.tokens;
  rep->padded_tokens = released.padded_tokens;
  rep->padded_requests = released.padded_requests;
  rep->ahead = released.ahead;
  for (size_t i = released.begin; i < released.end; ++i) {
    BatcherNode* node = NodeOf(actions.items[i].tag);
    node->in_batch = true;
    rep->nodes.push_back(node);
    rep->ids.push_back(actions.items[i].id);
  }
  return UntypedBatch(rep.release());
}

void BatcherShared::Translate(Work* work) {
  for (const EngineActions::Ended& ended : work->actions.ended) {
    NoteEnd(NodeOf(ended.tag), ended.info, work);
  }
  for (const EngineActions::Released& released : work->actions.batches) {
    (released.ahead ? work->aheads : work->runs).push_back(MakeBatch(work->actions, released));
  }
  work->actions.Clear();
}

void BatcherShared::SetAlarm(MonoTime wake_at) {
  int64_t ring_at = 0;
  if (!engine_.slot_free()) {
    ring_at = kDoNotRing;
  } else if (options_.mode == BatchMode::kFullOrTimeout && !options_.token_budget &&
             engine_.queued() > 0 && options_.allowed_batch_sizes.empty()) {
    ring_at = static_cast<int64_t>(options_.max_batch_requests);
  }
  // Full-or-timeout releases before a deadline: every deadline matters.
  const bool all = options_.mode == BatchMode::kFullOrTimeout;
  ring_before_.store(all ? INT64_MAX : wake_at.nanoseconds());
  ring_at_.store(ring_at);
}

bool BatcherShared::IdleLocked() const {
  return engine_.idle() && engine_.places() == 0 && ingress_.load() == nullptr &&
         callbacks_.load() == 0;
}

void BatcherShared::NotifyWaiters() {
  if (!place_waiters_.empty() &&
      (engine_.places() < static_cast<int64_t>(options_.max_queue_requests) || failed_)) {
    for (Bell* bell : place_waiters_) bell->Ring();
  }
  if (!idle_waiters_.empty() && IdleLocked()) {
    for (Bell* bell : idle_waiters_) bell->Ring();
  }
}

void BatcherShared::FreeNodes(std::vector<BatcherNode*>* dead) {
  if (dead->empty()) return;
  for (BatcherNode* node : *dead) ops_->destroy(pool_.payload(node));
  pool_.Free(dead->data(), dead->size());
  dead->clear();
}

void BatcherShared::Act(std::unique_ptr<Work> work) {
  for (const Work::End& end : work->ends) {
    ops_->fail(pool_.payload(end.node), StatusOf(end.info.outcome), end.info,
               options_.callback_executor);
  }
  for (UntypedBatch& batch : work->runs) HandOut(std::move(batch));
  work->runs.clear();
  for (UntypedBatch& batch : work->aheads) Prepare(std::move(batch));
  work->aheads.clear();
  CallbackDone(static_cast<int64_t>(work->ends.size()));
  const bool wake = std::exchange(work->wake, false);
  if (!work->ends.empty()) {
    MutexLock lock(mu_);
    for (const Work::End& end : work->ends) Unreference(end.node, work.get());
  }
  work->ends.clear();
  FreeNodes(&work->dead);
  {
    MutexLock lock(mu_);
    spare_work_.push_back(std::move(work));
  }
  if (wake) Wake();
}

void BatcherShared::HandOut(UntypedBatch batch) {
  if (options_.executor != nullptr) {
    options_.executor->Schedule(
        [self = shared_from_this(), batch = std::move(batch)]() mutable noexcept {
          self->RunOne(std::move(batch));
        });
    return;
  }
  bool ready = false;
  {
    MutexLock lock(run_mu_);
    run_queue_.push_back(std::move(batch));
    ready = running_calls_ < options_.max_concurrent_batches;
  }
  if (ready) run_cv_.NotifyOne();  // otherwise the next call that ends takes it, on its thread
}

void BatcherShared::Prepare(UntypedBatch batch) {
  if (prepare_ == nullptr) return batch.Ready();
  CallbackScope scope;
  prepare_(std::move(batch));
}

void BatcherShared::Ready(BatchRep* rep) {
  UntypedBatch batch(rep);
  const MonoTime now = options_.clock->Now();
  bool stopped = false;
  {
    MutexLock lock(mu_);
    stopped = stop_;
    if (!stopped) {
      engine_.OnBatchPrepared(now, rep->id);
      prepared_ = std::move(batch);
      prepared_id_ = rep->id;
      batch = TakePromoted();
    }
  }
  if (stopped) return;  // its requests have ended
  if (batch.size() > 0) HandOut(std::move(batch));
}

UntypedBatch BatcherShared::TakePromoted() {
  return engine_.holds_slot(prepared_id_) ? std::move(prepared_) : UntypedBatch();
}

void BatcherShared::RunOne(UntypedBatch batch) noexcept {
  CallbackScope scope;
  run_(std::move(batch));
}

// --- stepping ---

bool BatcherShared::StepOnce(MonoTime* wake_at) {
  std::unique_ptr<Work> work;
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    work = TakeWork();
    MoveIngress();
    if (failed_) engine_.FailAll(now, &work->actions);
    engine_.Poll(now, &work->actions);
    *wake_at = work->actions.wake_at;
    SetAlarm(*wake_at);
    full_status_.store(&QueueFullStatus(engine_.PredictSlotFree()), std::memory_order_relaxed);
    const bool idle = work->actions.empty();
    Translate(work.get());
    NotifyWaiters();
    if (idle) {
      spare_work_.push_back(std::move(work));
      return false;
    }
  }
  Act(std::move(work));
  return true;
}

MonoTime BatcherShared::Step() {
  MonoTime wake_at;
  while (StepOnce(&wake_at) || ingress_.load() != nullptr) {
  }
  return wake_at;
}

void BatcherShared::Wake() {
  if (options_.former_thread) {
    former_bell_.Ring();
  } else if (options_.wake) {
    options_.wake();
  }
}

// A batch's own runner thread forms the next batch itself and takes it without a hand-off.
void BatcherShared::StepSoon() {
  if (!own_runners_) return Wake();
  const int64_t alarm_before = ring_before_.load();
  MonoTime wake_at;
  StepOnce(&wake_at);
  if (wake_at.nanoseconds() < alarm_before || ingress_.load() != nullptr ||
      options_.mode == BatchMode::kFullOrTimeout) {
    Wake();
  }
}

// The last callback that somebody waits for tells him.
void BatcherShared::CallbackDone(int64_t count) {
  if (count == 0 || callbacks_.fetch_sub(count) != count || !somebody_waits_.load()) return;
  MutexLock lock(mu_);
  NotifyWaiters();
}

void BatcherShared::Former() {
#ifdef __linux__
  prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);  // 1 µs instead of 50
#endif
  while (true) {
    const MonoTime wake_at = Step();
    {
      MutexLock lock(mu_);
      if (stop_) return;
    }
    options_.clock->WaitUntil(former_bell_, wake_at);
    former_wakeups_.fetch_add(1, std::memory_order_relaxed);
  }
}

void BatcherShared::Runner() {
  while (true) {
    UntypedBatch batch;
    {
      MutexLock lock(run_mu_);
      if (std::exchange(running_for, nullptr) == this) --running_calls_;  // the last one returned
      while (!run_stop_ &&
             (run_queue_.empty() || running_calls_ == options_.max_concurrent_batches)) {
        run_cv_.Wait(run_mu_);
      }
      if (run_queue_.empty()) return;
      batch = std::move(run_queue_.front());
      run_queue_.erase(run_queue_.begin());
      if (run_stop_) continue;  // its requests have ended
      ++running_calls_;
    }
    running_for = this;
    RunOne(std::move(batch));
  }
}

void BatcherShared::LeaveRunning() {
  if (running_for != this) return;
  running_for = nullptr;
  bool ready = false;
  {
    MutexLock lock(run_mu_);
    --running_calls_;
    ready = !run_queue_.empty();
  }
  if (ready) run_cv_.NotifyOne();
}

MonoTime BatcherShared::PollOnce() {
  while (true) {
    const MonoTime wake_at = Step();
    if (own_runners_ || options_.executor != nullptr) return wake_at;
    UntypedBatch batch;
    {
      MutexLock lock(run_mu_);
      if (run_queue_.empty()) return wake_at;
      batch = std::move(run_queue_.front());
      run_queue_.erase(run_queue_.begin());
    }
    RunOne(std::move(batch));
  }
}

}  // namespace penstock::internal
