// SPDX-License-Identifier: Apache-2.0
//
// What a producer does in Submit: checks, a place in the queue, a node, the push.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "batcher/request_queue.h"
#include "batcher/shell.h"
#include "batcher/verdict.h"

namespace penstock::internal {

absl::Status BatcherShared::CheckSubmit(const SubmitOptions& o) const {
  const auto bad = [](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("Submit: ", what...));
  };
  if (o.timeout && *o.timeout <= absl::ZeroDuration()) {
    return bad("timeout: ", absl::FormatDuration(*o.timeout), ", expected more than zero");
  }
  if (o.priority < -RequestQueue::kMaxPriority || o.priority > RequestQueue::kMaxPriority) {
    return bad("priority: ", o.priority, ", expected -100 to 100");
  }
  if (o.tokens < 0 || o.tokens > (int64_t{1} << 32)) {
    return bad("tokens: ", o.tokens, ", expected 0 to 2^32");
  }
  if (options_.token_budget && o.tokens > *options_.token_budget) {
    return bad("tokens: ", o.tokens, ", expected at most the token budget ",
               *options_.token_budget);
  }
  if (options_.max_queue_tokens && o.tokens > *options_.max_queue_tokens) {
    return bad("tokens: ", o.tokens, ", expected at most max_queue_tokens ",
               *options_.max_queue_tokens);
  }
  return absl::OkStatus();
}

absl::Status BatcherShared::Reserve(const SubmitOptions& options, void* request,
                                    Reservation* reservation) {
  if (absl::Status status = CheckSubmit(options); !status.ok()) return status;
  int64_t tokens = options.tokens;
  const bool fast = fast_ingress_ && (!options.timeout || !options_.predictive_expiry) &&
                    !draining_.load(std::memory_order_relaxed);
  const bool reserved = fast && engine_.TryReserve(tokens);
  if (fast && !reserved && options_.on_full == OnFull::kReject) {
    fast_refusals_.fetch_add(1, std::memory_order_relaxed);
    return *full_status_.load(std::memory_order_relaxed);
  }
  const MonoTime now = options_.clock->Now();
  const MonoTime deadline = options.timeout ? now + *options.timeout : MonoTime::InfiniteFuture();
  if (!reserved) {
    absl::Status status = ReserveSlowly(options, request, now, deadline, &tokens);
    if (!status.ok()) return status;
  }
  BatcherNode* node = pool_.Allocate();
  node->priority = options.priority;
  node->tokens = tokens;
  node->submitted = now;
  node->deadline = deadline;
  if (!options.tenant.empty()) node->tenant = options.tenant;
  reservation->node = node;
  reservation->payload = pool_.payload(node);
  return absl::OkStatus();
}

absl::Status BatcherShared::ReserveSlowly(const SubmitOptions& options, void* request, MonoTime now,
                                          MonoTime deadline, int64_t* tokens) {
  const auto self = shared_from_this();  // a callback of an evicted request may drop the Batcher
  const MonoTime give_up = now + options.block_for;
  bool degraded = false;
  while (true) {
    EngineRequest ask;
    ask.tenant = options.tenant;
    ask.priority = options.priority;
    ask.deadline = deadline;
    ask.tokens = *tokens;
    std::optional<Bell> bell;  // allocates
    AdmissionVerdict verdict;
    std::unique_ptr<Work> work;
    bool wait = false;
    now = options_.clock->Now();
    {
      MutexLock lock(mu_);
      work = TakeWork();
      work->wake = MoveIngress();
      verdict = engine_.Admit(now, ask, &work->actions);
      Translate(work.get());
      wait = verdict.cause == RejectCause::kQueueFull && options_.on_full == OnFull::kBlock &&
             now < give_up;
      if (wait) place_waiters_.push_back(&bell.emplace());
    }
    Act(std::move(work));
    if (verdict.cause == RejectCause::kNone) return absl::OkStatus();
    if (wait) {
      blocked_submits_.fetch_add(1, std::memory_order_relaxed);
      if (!options_.former_thread) Wake();
      options_.clock->WaitUntil(*bell, std::min(give_up, deadline));
      MutexLock lock(mu_);
      place_waiters_.erase(std::find(place_waiters_.begin(), place_waiters_.end(), &*bell));
      continue;
    }
    const bool full =
        verdict.cause == RejectCause::kQueueFull || verdict.cause == RejectCause::kQueueDelay;
    if (full && options_.on_full == OnFull::kDegrade && !degraded) {
      degraded = true;
      const std::optional<int64_t> cheaper = degrade_(request);
      if (cheaper && *cheaper >= 0 && *cheaper < *tokens) {
        degraded_submits_.fetch_add(1, std::memory_order_relaxed);
        *tokens = *cheaper;
        continue;
      }
    }
    return StatusOf(verdict);
  }
}

Ticket BatcherShared::Publish(BatcherNode* node) {
  const Ticket ticket{node->serial, node->index};
  const int64_t deadline = node->deadline.nanoseconds();
  BatcherNode* head = ingress_.load(std::memory_order_relaxed);
  do {
    node->next = head;
  } while (!ingress_.compare_exchange_weak(head, node));
  // From here on the node may be gone.
  const bool ring = ring_at_.load() <= engine_.places();
  if (ring || deadline < ring_before_.load()) {
    if (!ring || ring_at_.exchange(kDoNotRing) != kDoNotRing) Wake();
  }
  return ticket;
}

}  // namespace penstock::internal
