// SPDX-License-Identifier: Apache-2.0
//
// What hosts ask of the shell beside Submit: cancel, drain, close, statistics; and what batches
// report to it.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "batcher/shell.h"
#include "batcher/verdict.h"

namespace penstock::internal {

// --- hosts ---

bool BatcherShared::Cancel(Ticket ticket) {
  const auto self = shared_from_this();  // the callback may drop the Batcher
  std::unique_ptr<Work> work;
  const MonoTime now = options_.clock->Now();
  bool cancelled = false;
  bool wake = false;
  BatcherNode* node = nullptr;
  CompletionInfo info;
  {
    MutexLock lock(mu_);
    // The former looks at the ingress before it sleeps: who empties it must wake it.
    wake = MoveIngress();
    node = pool_.Find(ticket);
    cancelled = node != nullptr && engine_.Cancel(now, node->id, &info);
    if (cancelled && (node->in_batch || node->in_part)) {
      work = TakeWork();
      NoteEnd(node, info, work.get());
    } else if (cancelled) {
      callbacks_.fetch_add(1);
    }
    NotifyWaiters();
  }
  if (work != nullptr) {
    Act(std::move(work));
  } else if (cancelled) {
    // It was queued: nobody else holds it.
    ops_->fail(payload(node), StatusOf(info.outcome), info, options_.callback_executor);
    ops_->destroy(payload(node));
    pool_.Free(&node, 1);
    CallbackDone(1);
  }
  if (wake) Wake();
  return cancelled;
}

absl::Status BatcherShared::Drain(absl::Duration budget) {
  if (CallbackScope::active()) {
    return absl::FailedPreconditionError(
        "Drain: called from a callback or RunBatch, which it would wait for");
  }
  const auto self = shared_from_this();
  const MonoTime start = options_.clock->Now();
  const MonoTime deadline = start + std::max(budget, absl::ZeroDuration());
  Bell bell;
  {
    MutexLock lock(mu_);
    draining_.store(true);
    engine_.BeginDrain(start);
    somebody_waits_.store(true);
    idle_waiters_.push_back(&bell);
  }
  bool idle = false;
  while (true) {
    const MonoTime step_at = PollOnce();
    {
      MutexLock lock(mu_);
      idle = IdleLocked();
    }
    if (idle || options_.clock->Now() >= deadline) break;
    const bool alone = !options_.former_thread;
    options_.clock->WaitUntil(bell, alone ? std::min(deadline, step_at) : deadline);
  }
  std::unique_ptr<Work> work;
  size_t unfinished = 0;
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    idle_waiters_.erase(std::find(idle_waiters_.begin(), idle_waiters_.end(), &bell));
    if (idle) return absl::OkStatus();
    failed_ = true;
    work = TakeWork();
    MoveIngress();
    engine_.FailAll(now, &work->actions);
    // Those inside Submit have a place and end as kShutdown when they arrive.
    unfinished =
        work->actions.ended.size() + static_cast<size_t>(std::max<int64_t>(engine_.places(), 0));
    Translate(work.get());
    NotifyWaiters();
  }
  Act(std::move(work));
  if (unfinished == 0) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "Drain: ", unfinished, " requests unfinished after ", absl::FormatDuration(budget)));
}

void BatcherShared::Close() {
  std::unique_ptr<Work> work;
  UntypedBatch prepared;
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    draining_.store(true);
    engine_.BeginDrain(now);
    failed_ = true;
    stop_ = true;
    work = TakeWork();
    MoveIngress();
    engine_.FailAll(now, &work->actions);
    Translate(work.get());
    NotifyWaiters();
    prepared = std::move(prepared_);
  }
  prepared = UntypedBatch();  // its requests have ended
  Act(std::move(work));
  former_bell_.Ring();
  {
    MutexLock lock(run_mu_);
    run_stop_ = true;
  }
  run_cv_.NotifyAll();
  // A callback may drop the Batcher on one of its own threads, which then ends by itself.
  for (std::thread& thread : threads_) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  threads_.clear();
  if (!CallbackScope::active()) WaitForCallbacks();
}

void BatcherShared::WaitForCallbacks() {
  Bell bell;
  {
    MutexLock lock(mu_);
    somebody_waits_.store(true);
    idle_waiters_.push_back(&bell);
  }
  while (callbacks_.load() != 0) {
    options_.clock->WaitUntil(bell, MonoTime::InfiniteFuture());
  }
  MutexLock lock(mu_);
  idle_waiters_.erase(std::find(idle_waiters_.begin(), idle_waiters_.end(), &bell));
}

void BatcherShared::SetCapacity(size_t free_requests, int64_t free_tokens) {
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    engine_.SetCapacity(now, free_requests, free_tokens);
  }
  Wake();
}

void BatcherShared::ReportTokens(const SubmitOptions& options, int64_t tokens) {
  MutexLock lock(mu_);
  engine_.ReportTokens(options.tenant, options.priority, tokens);
}

absl::Duration BatcherShared::PredictQueueDelay(int priority) {
  const MonoTime now = options_.clock->Now();
  bool wake = false;
  absl::Duration delay;
  {
    MutexLock lock(mu_);
    wake = MoveIngress();
    delay = engine_.PredictQueueDelay(now, priority);
  }
  if (wake) Wake();
  return delay;
}

BatcherStats BatcherShared::GetStats() {
  BatcherStats stats;
  bool wake = false;
  {
    MutexLock lock(mu_);
    wake = MoveIngress();
    static_cast<EngineStats&>(stats) = engine_.GetStats();
    stats.rejected[static_cast<size_t>(RejectCause::kQueueFull)] += fast_refusals_.load();
  }
  if (wake) Wake();
  stats.former_wakeups = former_wakeups_.load();
  stats.blocked_submits = blocked_submits_.load();
  stats.degraded_submits = degraded_submits_.load();
  return stats;
}

absl::Status BatcherShared::CheckInvariants() {
  bool wake = false;
  absl::Status status;
  {
    MutexLock lock(mu_);
    wake = MoveIngress();
    status = engine_.CheckInvariants();
  }
  if (wake) Wake();
  return status;
}

// --- batches ---

bool BatcherShared::Finish(BatchRep* rep, size_t i, Outcome outcome, CompletionInfo* info) {
  bool held = false;
  bool finished = false;
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    // After PutBack the request may be in another batch already.
    const RequestId id = rep->nodes[i] == nullptr ? RequestId() : rep->ids[i];
    finished = engine_.Complete(now, id, outcome, info);
    if (finished) callbacks_.fetch_add(1);
    held = finished && engine_.queued() > 0 && engine_.slot_free();
    NotifyWaiters();
  }
  if (held) Wake();  // put-back requests waited for a completion
  return finished;
}

bool BatcherShared::PutBack(BatchRep* rep, size_t i) {
  const MonoTime now = options_.clock->Now();
  MutexLock lock(mu_);
  BatcherNode* node = rep->nodes[i];
  if (node == nullptr || !engine_.PutBack(now, rep->ids[i])) return false;
  node->in_batch = false;
  rep->nodes[i] = nullptr;
  return true;
}

bool BatcherShared::Wanted(const BatchRep* rep, size_t i) {
  MutexLock lock(mu_);
  return rep->nodes[i] != nullptr && engine_.wanted(rep->ids[i]);
}

void BatcherShared::ReleaseSlot(BatchRep* rep) {
  LeaveRunning();  // the next batch runs beside what is left of this call
  const MonoTime now = options_.clock->Now();
  UntypedBatch next;
  {
    MutexLock lock(mu_);
    engine_.OnBatchDone(now, rep->id);
    next = TakePromoted();
  }
  if (next.size() > 0) HandOut(std::move(next));
  StepSoon();
}

bool BatcherShared::BeginPart(BatchRep* rep, size_t i) {
  MutexLock lock(mu_);
  if (rep->nodes[i] == nullptr || !engine_.wanted(rep->ids[i])) return false;
  rep->nodes[i]->in_part = true;
  return true;
}

void BatcherShared::EndPart(BatchRep* rep, size_t i) {
  std::unique_ptr<Work> work;
  {
    MutexLock lock(mu_);
    BatcherNode* node = rep->nodes[i];
    node->in_part = false;
    const auto held = std::find_if(held_ends_.begin(), held_ends_.end(),
                                   [node](const Work::End& end) { return end.node == node; });
    if (held == held_ends_.end()) return;
    work = TakeWork();
    work->ends.push_back(*held);
    held_ends_.erase(held);
  }
  Act(std::move(work));
}

void BatcherShared::Destroy(BatchRep* rep) {
  const auto self = std::move(rep->shared);
  std::unique_ptr<Work> work;
  UntypedBatch next;
  const MonoTime now = options_.clock->Now();
  {
    MutexLock lock(mu_);
    work = TakeWork();
    for (size_t i = 0; i < rep->nodes.size(); ++i) {
      BatcherNode* node = rep->nodes[i];
      if (node == nullptr) continue;
      CompletionInfo info;
      if (engine_.wanted(rep->ids[i]) &&
          engine_.Complete(now, rep->ids[i], Outcome::kRuntimeDropped, &info)) {
        NoteEnd(node, info, work.get());
      }
      node->in_batch = false;
      Unreference(node, work.get());
    }
    engine_.OnBatchDone(now, rep->id);
    next = TakePromoted();
    rep->nodes.clear();
    rep->ids.clear();
    spare_batches_.emplace_back(rep);
    NotifyWaiters();
  }
  if (next.size() > 0) HandOut(std::move(next));
  Act(std::move(work));
  StepSoon();
}

}  // namespace penstock::internal
