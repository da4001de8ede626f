// SPDX-License-Identifier: Apache-2.0
//
// The slow, obviously right twin of BatchEngine: one vector of requests, scanned for everything. It
// knows no prediction, no admission control, no length window and no adaptive cap.
#ifndef PENSTOCK_TESTS_BATCHER_REFERENCE_BATCHER_H_
#define PENSTOCK_TESTS_BATCHER_REFERENCE_BATCHER_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "penstock/batcher/engine.h"

namespace penstock {

class ReferenceBatcher {
 public:
  struct Request {
    uint64_t tag;
    std::string tenant;
    int priority;
    int64_t submitted, deadline, tokens;
    uint64_t serial;
    enum { kQueued, kInFlight } state = kQueued;
    size_t batch = 0;
  };
  struct Batch {
    ReleaseReason reason;
    std::vector<uint64_t> tags;
    bool slot_held = true;
  };
  using End = std::pair<uint64_t, Outcome>;

  explicit ReferenceBatcher(const BatchPolicy& policy) : policy_(policy) {}

  RejectCause Offer(int64_t now, const EngineRequest& r) {
    Advance(now);
    if (draining_) return RejectCause::kShutdown;
    if (policy_.token_budget && r.tokens > *policy_.token_budget) return RejectCause::kInvalid;
    if (policy_.max_queue_tokens && r.tokens > *policy_.max_queue_tokens) {
      return RejectCause::kInvalid;
    }
    if (r.deadline.nanoseconds() <= now_) return RejectCause::kPredictedLate;
    while (Full(r.tokens)) {
      Request* victim = Victim(r.priority);
      if (victim == nullptr) return RejectCause::kQueueFull;
      EndRequest(victim->tag, Outcome::kEvicted);
    }
    if (Queued(r.priority, std::string(r.tenant)) == 0) Lift(r.priority, std::string(r.tenant));
    requests_.push_back({r.tag, std::string(r.tenant), r.priority, now, r.deadline.nanoseconds(),
                         r.tokens, next_serial_++});
    return RejectCause::kNone;
  }

  void Poll(int64_t now) {
    Advance(now);
    Expire(Request::kQueued);
    Expire(Request::kInFlight);
    while (const auto reason = Trigger()) {
      if (!Form(*reason)) return;
    }
  }

  bool EndInFlight(int64_t now, uint64_t tag, Outcome outcome) {
    Advance(now);
    const Request* r = Find(tag);
    if (r == nullptr || r->state != Request::kInFlight) return false;
    EndRequest(tag, outcome);
    hold_until_ = 0;
    return true;
  }
  bool Cancel(int64_t now, uint64_t tag) {
    Advance(now);
    if (Find(tag) == nullptr) return false;
    EndRequest(tag, Outcome::kCancelled);
    return true;
  }
  bool PutBack(int64_t now, uint64_t tag) {
    Advance(now);
    Request* r = Find(tag);
    if (r == nullptr || r->state != Request::kInFlight) return false;
    r->state = Request::kQueued;
    Counter(*r) -= Charge(*r);
    hold_until_ = now_ + absl::ToInt64Nanoseconds(policy_.put_back_delay);
    return true;
  }
  void BatchDone(int64_t now, size_t batch) {
    Advance(now);
    batches_[batch].slot_held = false;
  }
  void BeginDrain(int64_t now) {
    Advance(now);
    draining_ = true;
  }

  std::vector<Batch>& batches() { return batches_; }
  std::vector<End>& ends() { return ends_; }
  size_t live() const { return requests_.size(); }
  size_t queued() const {
    return static_cast<size_t>(
        std::count_if(requests_.begin(), requests_.end(),
                      [](const Request& r) { return r.state == Request::kQueued; }));
  }

 private:
  using Flow = std::pair<int, std::string>;

  void Advance(int64_t now) { now_ = std::max(now_, now); }

  Request* Find(uint64_t tag) {
    for (Request& r : requests_) {
      if (r.tag == tag) return &r;
    }
    return nullptr;
  }
  size_t Queued(int priority, const std::string& tenant) const {
    size_t n = 0;
    for (const Request& r : requests_) {
      n += r.state == Request::kQueued && r.priority == priority && r.tenant == tenant;
    }
    return n;
  }
  double Charge(const Request& r) const {
    const auto it = policy_.tenant_weights.find(r.tenant);
    const double weight = it == policy_.tenant_weights.end() ? 1 : it->second;
    return static_cast<double>(std::max<int64_t>(r.tokens, 1)) / weight;
  }
  double& Counter(const Request& r) { return counters_[{r.priority, r.tenant}]; }

  // A tenant that becomes active starts at the smallest active counter, or at that of the tenant
  // that left last.
  void Lift(int priority, const std::string& tenant) {
    std::optional<double> least;
    for (const Request& r : requests_) {
      if (r.state != Request::kQueued || r.priority != priority) continue;
      const double c = Counter(r);
      if (!least || c < *least) least = c;
    }
    double& floor = floors_[priority];
    floor = std::max(floor, least.value_or(last_left_[priority]));
    double& counter = counters_[{priority, tenant}];
    counter = std::max(counter, floor);
  }

  bool Full(int64_t tokens) const {
    size_t n = 0;
    int64_t sum = 0;
    for (const Request& r : requests_) {
      if (r.state != Request::kQueued) continue;
      ++n;
      sum += r.tokens;
    }
    return n >= policy_.max_queue_requests ||
           (policy_.max_queue_tokens && sum + tokens > *policy_.max_queue_tokens);
  }

  Request* Victim(int priority) {
    Request* victim = nullptr;
    for (Request& r : requests_) {
      if (r.state != Request::kQueued) continue;
      if (policy_.on_full == OnFull::kDropOldest) {
        if (r.priority > priority) continue;
        if (victim == nullptr || std::make_pair(r.priority, r.serial) <
                                     std::make_pair(victim->priority, victim->serial)) {
          victim = &r;
        }
      } else if (policy_.on_full == OnFull::kEvictLowest) {
        if (r.priority >= priority) continue;
        if (victim == nullptr || r.priority < victim->priority ||
            (r.priority == victim->priority && r.serial > victim->serial)) {
          victim = &r;
        }
      }
    }
    return victim;
  }

  void NoteLeft(const Request& r) {
    if (Queued(r.priority, r.tenant) == 0) last_left_[r.priority] = Counter(r);
  }

  void EndRequest(uint64_t tag, Outcome outcome) {
    const Request r = *Find(tag);
    requests_.erase(requests_.begin() + (Find(tag) - requests_.data()));
    if (r.state == Request::kQueued) NoteLeft(r);
    ends_.emplace_back(tag, outcome);
  }

  void Expire(int state) {
    while (true) {
      const Request* due = nullptr;
      for (const Request& r : requests_) {
        if (r.state != state || r.deadline > now_) continue;
        if (due == nullptr ||
            std::make_pair(r.deadline, r.serial) < std::make_pair(due->deadline, due->serial)) {
          due = &r;
        }
      }
      if (due == nullptr) return;
      EndRequest(due->tag, Outcome::kExpired);
    }
  }

  // The next in order: per priority the tenant with the least counter, its oldest; then the
  // smallest key.
  Request* Next() {
    std::map<int, Request*, std::greater<>> per_priority;
    for (Request& r : requests_) {
      if (r.state != Request::kQueued) continue;
      Request*& best = per_priority[r.priority];
      if (best == nullptr) {
        best = &r;
        continue;
      }
      const Request& head = *Head(r.priority, r.tenant);
      if (std::make_pair(Counter(r), head.serial) <
          std::make_pair(Counter(*best), Head(best->priority, best->tenant)->serial)) {
        best = Head(r.priority, r.tenant);
      }
    }
    Request* next = nullptr;
    for (auto& [priority, r] : per_priority) {
      r = Head(priority, r->tenant);
      if (next == nullptr) {
        next = r;
        if (policy_.ageing == absl::InfiniteDuration()) return next;
      } else if (Key(*r) < Key(*next)) {
        next = r;
      }
    }
    return next;
  }
  Request* Head(int priority, const std::string& tenant) {
    Request* head = nullptr;
    for (Request& r : requests_) {
      if (r.state == Request::kQueued && r.priority == priority && r.tenant == tenant &&
          (head == nullptr || r.serial < head->serial)) {
        head = &r;
      }
    }
    return head;
  }
  bool IsFirstOfItsPriority(const Request& r) const {
    for (const Request& other : requests_) {
      if (other.state == Request::kQueued && other.priority == r.priority &&
          other.serial < r.serial) {
        return false;
      }
    }
    return true;
  }
  int64_t Key(const Request& r) const {
    return r.submitted - r.priority * absl::ToInt64Nanoseconds(policy_.ageing);
  }

  size_t Running() const {
    return static_cast<size_t>(std::count_if(batches_.begin(), batches_.end(),
                                             [](const Batch& b) { return b.slot_held; }));
  }

  std::optional<ReleaseReason> Trigger() {
    const size_t queued_now = queued();
    if (queued_now == 0 || Running() >= policy_.max_concurrent_batches) return std::nullopt;
    if (draining_) return ReleaseReason::kDrain;
    if (hold_until_ > now_) return std::nullopt;
    if (policy_.mode != BatchMode::kFullOrTimeout) return ReleaseReason::kIdleRuntime;
    if (queued_now >= policy_.max_batch_requests) return ReleaseReason::kFull;
    int64_t sum = 0, longest = 0, oldest = INT64_MAX;
    for (const Request& r : requests_) {
      if (r.state != Request::kQueued) continue;
      sum += r.tokens;
      longest = std::max(longest, r.tokens);
      if (IsFirstOfItsPriority(r)) oldest = std::min(oldest, r.submitted);
    }
    const int64_t cost =
        policy_.cost_shape == CostShape::kSum ? sum : longest * static_cast<int64_t>(queued_now);
    if (policy_.token_budget && cost >= *policy_.token_budget) return ReleaseReason::kBudget;
    if (now_ - oldest >= absl::ToInt64Nanoseconds(policy_.max_delay)) {
      return ReleaseReason::kTimeout;
    }
    return std::nullopt;
  }

  bool Form(ReleaseReason reason) {
    Batch batch;
    int64_t sum = 0, longest = 0;
    bool budget = false;
    while (batch.tags.size() < policy_.max_batch_requests) {
      Request* r = Next();
      if (r == nullptr) break;
      sum += r->tokens;
      longest = std::max(longest, r->tokens);
      const int64_t cost = policy_.cost_shape == CostShape::kSum
                               ? sum
                               : longest * static_cast<int64_t>(batch.tags.size() + 1);
      if (policy_.token_budget && cost > *policy_.token_budget) {
        budget = true;
        break;
      }
      Counter(*r) += Charge(*r);
      r->state = Request::kInFlight;
      r->batch = batches_.size();
      batch.tags.push_back(r->tag);
      NoteLeft(*r);
    }
    batch.reason = batch.tags.size() == policy_.max_batch_requests ? ReleaseReason::kFull
                   : budget                                        ? ReleaseReason::kBudget
                                                                   : reason;
    batches_.push_back(batch);
    return true;
  }

  const BatchPolicy policy_;
  std::vector<Request> requests_;
  std::vector<Batch> batches_;
  std::vector<End> ends_;
  std::map<Flow, double> counters_;
  std::map<int, double> floors_, last_left_;
  int64_t now_ = 0;
  int64_t hold_until_ = 0;
  uint64_t next_serial_ = 1;
  bool draining_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_BATCHER_REFERENCE_BATCHER_H_
