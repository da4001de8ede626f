// SPDX-License-Identifier: Apache-2.0
//
// Invariants of BatchEngine with everything switched on: prediction, length window, adaptive cap,
// admission control, allowed sizes, host-driven capacity. Random policies, random operations; each
// property is checked after every step.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/batcher/engine.h"
#include "tests/support/batch_simulator.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

MonoTime At(int64_t ns) { return MonoTime::FromNanoseconds(ns); }

BatchPolicy AnyPolicy(SeededRandom* random) {
  BatchPolicy p;
  p.mode = static_cast<BatchMode>(random->Below(3));
  p.max_batch_requests = 1 + random->Below(12);
  p.max_delay = absl::Microseconds(random->Below(2000));
  p.max_concurrent_batches = 1 + random->Below(3);
  p.cost_shape = random->OneIn(2) ? CostShape::kSum : CostShape::kPadded;
  if (random->OneIn(2)) p.token_budget = 20 + random->Between(0, 200);
  p.lookahead = 1 + random->Below(5);
  if (random->OneIn(3)) {
    for (size_t s = 1; s < p.max_batch_requests; s *= 2) p.allowed_batch_sizes.push_back(s);
    p.allowed_batch_sizes.push_back(p.max_batch_requests);
  }
  p.max_queue_requests = 1 + random->Below(60);
  if (random->OneIn(3)) p.max_queue_tokens = 50 + random->Between(0, 300);
  if (random->OneIn(3)) p.max_queue_delay = absl::Microseconds(100 + random->Below(5000));
  p.on_full = static_cast<OnFull>(random->Below(3));
  p.ageing = random->OneIn(4) ? absl::InfiniteDuration() : absl::Microseconds(random->Below(3000));
  p.tenant_weights = {{"a", 2}, {"b", 0.5}};
  p.predictive_expiry = !random->OneIn(4);
  p.cap_at_best_rate = !random->OneIn(4);
  p.form_ahead = random->OneIn(2);
  p.headroom = absl::Microseconds(random->Below(200));
  p.put_back_delay = absl::Microseconds(1 + random->Below(300));
  if (random->OneIn(3)) {
    p.admission.emplace();
    if (random->OneIn(2)) p.admission->max_in_flight = 1 + random->Between(0, 60);
    if (random->OneIn(2)) p.admission->backpressure_threshold = absl::Milliseconds(3);
    if (random->OneIn(2)) p.admission->delay_target = absl::Milliseconds(1);
    if (random->OneIn(2)) p.admission->max_rate = 20000;
    p.admission->interval = absl::Milliseconds(5);
  }
  return p;
}

// Drives an engine and keeps the books that the properties need.
class Walk {
 public:
  explicit Walk(const BatchPolicy& policy, uint64_t seed, uint64_t stream)
      : p_(policy), engine_(*BatchEngine::Create(policy)), random_(stream) {
    (void)seed;
  }

  void Run(size_t operations) {
    for (size_t i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) {
      now_ += random_.OneIn(2) ? random_.Between(0, 400'000) : 0;
      if (random_.OneIn(2000)) now_ += 5'000'000'000;
      Operate();
      if (random_.OneIn(25)) {
        ASSERT_OK(engine_.CheckInvariants());
        CheckAdmission();
      }
    }
    if (!testing::Test::HasFatalFailure()) Drain();
  }

  const std::string& trace() const { return trace_; }
  BatchEngine& engine() { return engine_; }

 private:
  struct Request {
    RequestId id;
    int64_t submitted, deadline, tokens;
    enum { kQueued, kInFlight, kEnded } state = kQueued;
  };
  struct Running {
    BatchId id;
    std::vector<uint64_t> tags;
    bool ahead = false;  // formed ahead
  };

  void Operate() {
    const uint64_t op = random_.Below(100);
    if (op < 40) {
      Offer();
    } else if (op < 65) {
      Poll();
    } else if (op < 90) {
      FinishSomeBatch();
    } else if (op < 95) {
      CancelSome();
    } else if (op < 98) {
      PutBackSome();
    } else if (capacity_mode_ || random_.OneIn(200)) {
      capacity_mode_ = true;
      free_requests_ = random_.Below(10);
      free_tokens_ = random_.Between(0, 300);
      engine_.SetCapacity(At(now_), free_requests_, free_tokens_);
    }
  }

  void Offer() {
    static const char* const kTenants[] = {"", "a", "b", "c"};
    EngineRequest r;
    r.tag = requests_.size();
    r.tenant = kTenants[random_.Below(4)];
    r.priority = static_cast<int>(random_.Between(-1, 1));
    r.tokens = random_.Between(0, 25);
    if (random_.OneIn(2)) r.deadline = At(now_ + random_.Between(1, 8'000'000));
    const EngineStats before = engine_.GetStats();
    const EngineOffer offer = engine_.Offer(At(now_), r, &actions_);
    Request mine{offer.id, now_, r.deadline.nanoseconds(), r.tokens};
    Evidence(offer.verdict, before, r);
    if (offer.verdict.cause != RejectCause::kNone) mine.state = Request::kEnded;
    requests_.push_back(mine);
    trace_ += "o" + std::to_string(static_cast<int>(offer.verdict.cause));
    Digest();
  }

  // P15: a refusal has a reason that the books show.
  void Evidence(const AdmissionVerdict& v, const EngineStats& before, const EngineRequest& r) {
    switch (v.cause) {
      case RejectCause::kQueueFull:
        ASSERT_TRUE(
            before.queued >= p_.max_queue_requests ||
            (p_.max_queue_tokens && before.queued_tokens + r.tokens > *p_.max_queue_tokens));
        break;
      case RejectCause::kQueueDelay:
      case RejectCause::kPredictedLate:
        ASSERT_GT(v.observed, v.limit);
        break;
      case RejectCause::kInFlight:
        ASSERT_GE(before.admission.in_flight, *p_.admission->max_in_flight);
        break;
      case RejectCause::kInvalid:
        ASSERT_TRUE((p_.token_budget && r.tokens > *p_.token_budget) ||
                    (p_.max_queue_tokens && r.tokens > *p_.max_queue_tokens));
        break;
      case RejectCause::kRate:
        ASSERT_TRUE(p_.admission && p_.admission->max_rate);
        break;
      case RejectCause::kAdaptive:
        // The offer itself may have ended the interval that set the limit.
        ASSERT_GT(engine_.GetStats().admission.inflow_limit_tokens_per_second, 0);
        break;
      case RejectCause::kShutdown:
        ASSERT_TRUE(draining_);
        break;
      case RejectCause::kNone:
        break;
    }
    if (v.cause != RejectCause::kNone) {
      ASSERT_GE(v.retry_after, absl::ZeroDuration());
    }
  }

  void Poll() {
    engine_.Poll(At(now_), &actions_);
    const bool holding = now_ < hold_until_;
    Digest();
    // P14: never a free slot and an eligible request, unless full-or-timeout waits.
    if (p_.mode != BatchMode::kFullOrTimeout && !holding && !capacity_mode_ && !draining_) {
      ASSERT_FALSE(engine_.slot_free() && engine_.queued() > 0);
    }
    // What is due has been done: nothing is scheduled in the past.
    ASSERT_GT(actions_.wake_at.nanoseconds(), now_);
  }

  void FinishSomeBatch() {
    if (running_.empty()) return;
    const size_t which = random_.Below(running_.size());
    Running& batch = running_[which];
    if (batch.ahead && !engine_.holds_slot(batch.id)) {
      engine_.OnBatchPrepared(At(now_), batch.id);
      if (!random_.OneIn(8) && !draining_) return;  // otherwise it is given up
    }
    for (const uint64_t tag : batch.tags) {
      if (random_.OneIn(20)) continue;  // forgotten for now
      const bool alive = requests_[tag].state == Request::kInFlight;
      const bool done = engine_.Complete(At(now_), requests_[tag].id, Outcome::kOk);
      ASSERT_EQ(done, alive);
      if (done) End(tag, Outcome::kOk);
      if (done) hold_until_ = 0;
      // P10: twice is false.
      ASSERT_FALSE(engine_.Complete(At(now_), requests_[tag].id, Outcome::kOk));
    }
    const bool held = engine_.holds_slot(batch.id);
    engine_.OnBatchDone(At(now_), batch.id);
    engine_.OnBatchDone(At(now_), batch.id);
    for (const Running& other : running_) {
      if (held && other.ahead && !capacity_mode_) {
        ASSERT_TRUE(engine_.holds_slot(other.id) || &other == &batch);
      }
    }
    std::vector<uint64_t> left;
    for (const uint64_t tag : batch.tags) {
      if (requests_[tag].state == Request::kInFlight) left.push_back(tag);
    }
    for (const uint64_t tag : left) {
      ASSERT_TRUE(engine_.Complete(At(now_), requests_[tag].id, Outcome::kRuntimeDropped));
      End(tag, Outcome::kRuntimeDropped);
      hold_until_ = 0;
    }
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(which));
  }

  void CancelSome() {
    if (requests_.empty()) return;
    const uint64_t tag =
        requests_.size() - 1 - random_.Below(std::min<size_t>(80, requests_.size()));
    const bool alive = requests_[tag].state != Request::kEnded;
    const uint64_t places = static_cast<uint64_t>(engine_.places());
    const bool queued = requests_[tag].state == Request::kQueued;
    const bool cancelled = engine_.Cancel(At(now_), requests_[tag].id);
    ASSERT_EQ(cancelled, alive);
    // P9: its place is free inside the call.
    ASSERT_EQ(static_cast<uint64_t>(engine_.places()), places - (alive && queued ? 1 : 0));
    if (cancelled) End(tag, Outcome::kCancelled);
    ASSERT_FALSE(engine_.Cancel(At(now_), requests_[tag].id));
  }

  void PutBackSome() {
    if (running_.empty()) return;
    Running& batch = running_[random_.Below(running_.size())];
    if (batch.tags.empty() || !engine_.holds_slot(batch.id)) return;
    const uint64_t tag = batch.tags[random_.Below(batch.tags.size())];
    const bool alive = requests_[tag].state == Request::kInFlight;
    ASSERT_EQ(engine_.PutBack(At(now_), requests_[tag].id), alive);
    if (!alive) return;
    requests_[tag].state = Request::kQueued;
    batch.tags.erase(std::find(batch.tags.begin(), batch.tags.end(), tag));
    hold_until_ = now_ + absl::ToInt64Nanoseconds(p_.put_back_delay);
  }

  // P1: at most one end each. P2 is CheckInvariants.
  void End(uint64_t tag, Outcome outcome) {
    ASSERT_NE(requests_[tag].state, Request::kEnded) << "ended twice";
    requests_[tag].state = Request::kEnded;
    trace_ += "e" + std::to_string(tag) + "/" + std::to_string(static_cast<int>(outcome));
  }

  void Digest() {
    for (const EngineActions::Ended& e : actions_.ended) {
      End(e.tag, e.info.outcome);
      if (testing::Test::HasFatalFailure()) return;
      if (e.info.outcome == Outcome::kExpired) {
        ASSERT_LE(requests_[e.tag].deadline, now_) << "early";
      }
    }
    for (const EngineActions::Released& b : actions_.batches) CheckBatch(b);
    actions_.items.clear();
    actions_.batches.clear();
    actions_.ended.clear();
  }

  // P9: admission control counts the requests that have not ended, and their tokens.
  void CheckAdmission() {
    if (!p_.admission) return;
    int64_t live = 0, tokens = 0;
    for (const Request& r : requests_) {
      if (r.state == Request::kEnded) continue;
      ++live;
      tokens += r.tokens;
    }
    const EngineStats stats = engine_.GetStats();
    ASSERT_EQ(stats.admission.in_flight, live);
    ASSERT_EQ(stats.admission.in_flight_tokens, tokens);
  }

  // P3: limits. P5: nothing expired leaves.
  void CheckBatch(const EngineActions::Released& b) {
    Running running{b.id, {}, b.ahead};
    ASSERT_NE(engine_.holds_slot(b.id), b.ahead);
    if (b.ahead) {
      ASSERT_TRUE(p_.form_ahead);
      ASSERT_FALSE(engine_.slot_free());
      for (const Running& other : running_) {
        ASSERT_TRUE(!other.ahead || engine_.holds_slot(other.id)) << "two wait for a slot";
      }
    }
    int64_t sum = 0, longest = 0;
    for (size_t i = b.begin; i < b.end; ++i) {
      const uint64_t tag = actions_.items[i].tag;
      ASSERT_EQ(requests_[tag].state, Request::kQueued);
      ASSERT_GT(requests_[tag].deadline, now_);
      requests_[tag].state = Request::kInFlight;
      sum += requests_[tag].tokens;
      longest = std::max(longest, requests_[tag].tokens);
      running.tags.push_back(tag);
      trace_ += "b" + std::to_string(tag);
    }
    const size_t n = running.tags.size();
    ASSERT_GE(n, 1u);
    ASSERT_LE(n, p_.max_batch_requests);
    ASSERT_EQ(b.tokens, sum);
    ASSERT_EQ(b.padded_tokens, longest * static_cast<int64_t>(b.padded_requests));
    const int64_t cost = p_.cost_shape == CostShape::kSum ? sum : longest * static_cast<int64_t>(n);
    if (p_.token_budget) {
      ASSERT_LE(cost, *p_.token_budget);
    }
    if (capacity_mode_) {
      ASSERT_LE(n, free_requests_);
      ASSERT_LE(cost, free_tokens_);
      free_requests_ -= n;
      free_tokens_ -= p_.cost_shape == CostShape::kSum ? sum : b.padded_tokens;
    }
    if (p_.allowed_batch_sizes.empty()) {
      ASSERT_EQ(b.padded_requests, n);
    } else {
      ASSERT_TRUE(std::count(p_.allowed_batch_sizes.begin(), p_.allowed_batch_sizes.end(),
                             b.padded_requests) == 1);
      ASSERT_GE(b.padded_requests, n);
    }
    running_.push_back(running);
  }

  // P12.
  void Drain() {
    engine_.BeginDrain(At(now_));
    draining_ = true;
    Offer();
    ASSERT_EQ(requests_.back().state, Request::kEnded);
    const bool orderly = random_.OneIn(2) && !capacity_mode_;
    for (int round = 0; orderly && !engine_.idle(); ++round) {
      ASSERT_LT(round, 100000) << "the drain does not end";
      now_ += 1'000'000;
      Poll();
      FinishSomeBatch();
      if (testing::Test::HasFatalFailure()) return;
    }
    engine_.FailAll(At(now_), &actions_);
    Digest();
    ASSERT_TRUE(engine_.idle());
    for (const Request& r : requests_) ASSERT_EQ(r.state, Request::kEnded);
    ASSERT_EQ(engine_.places(), 0);
    CheckAdmission();
    ASSERT_OK(engine_.CheckInvariants());
  }

  const BatchPolicy p_;
  BatchEngine engine_;
  SeededRandom random_;
  EngineActions actions_;
  std::vector<Request> requests_;
  std::vector<Running> running_;
  std::string trace_;
  int64_t now_ = 1000;
  int64_t hold_until_ = 0;
  bool capacity_mode_ = false;
  bool draining_ = false;
  size_t free_requests_ = 0;
  int64_t free_tokens_ = 0;
};

TEST(EnginePropertyTest, EveryPropertyHoldsAfterEveryOperation) {
  const size_t rounds = Scaled(150);
  for (size_t round = 0; round < rounds && !HasFatalFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    SeededRandom random(round);
    Walk walk(AnyPolicy(&random), 0, round + 1'000'000);
    walk.Run(1500);
  }
}

TEST(EnginePropertyTest, TheSameOperationsGiveTheSameTrace) {
  for (uint64_t round = 0; round < 10; ++round) {
    SeededRandom random(round);
    const BatchPolicy policy = AnyPolicy(&random);
    Walk a(policy, 0, round), b(policy, 0, round);
    a.Run(1000);
    b.Run(1000);
    ASSERT_EQ(a.trace(), b.trace());
  }
}

// P7: with the length window, the k-th oldest leaves in the k-th batch at the latest.
TEST(EnginePropertyTest, TheKthOldestLeavesWithinKBatches) {
  for (uint64_t round = 0; round < Scaled(50); ++round) {
    SeededRandom random(round);
    BatchPolicy p;
    p.cost_shape = CostShape::kPadded;
    p.lookahead = 1 + random.Below(8);
    p.max_batch_requests = 1 + random.Below(16);
    if (random.OneIn(2)) p.token_budget = 1000 + random.Between(0, 3000);
    BatchEngine engine = *BatchEngine::Create(p);
    EngineActions actions;
    const size_t n = 1 + random.Below(300);
    for (size_t i = 0; i < n; ++i) {
      EngineRequest r;
      r.tag = i;
      r.tokens = random.Between(0, 1000);
      ASSERT_EQ(engine.Offer(At(0), r, &actions).verdict.cause, RejectCause::kNone);
    }
    for (size_t batch = 1; !engine.idle(); ++batch) {
      engine.Poll(At(0), &actions);
      ASSERT_EQ(actions.batches.size(), 1u);
      for (const EngineActions::Item& item : actions.items) {
        ASSERT_LE(batch, item.tag + 1);
        engine.Complete(At(0), item.id, Outcome::kOk);
      }
      engine.OnBatchDone(At(0), actions.batches[0].id);
      actions.Clear();
    }
  }
}

// P8: service of two backlogged tenants, in proportion to their weights, never differs by more than
// 2 max(cost, budget).
TEST(EnginePropertyTest, TheServiceGapOfBackloggedTenantsIsBounded) {
  for (uint64_t round = 0; round < Scaled(20); ++round) {
    SeededRandom random(round);
    const double weight = 1 + static_cast<double>(random.Below(4));
    BatchPolicy p;
    p.token_budget = 200;
    p.tenant_weights = {{"b", weight}};
    p.max_queue_requests = 10'000;
    BatchEngine engine = *BatchEngine::Create(p);
    EngineActions actions;
    std::map<uint64_t, std::pair<int, int64_t>> costs;
    uint64_t tag = 0;
    double served[2] = {0, 0};
    int waiting[2] = {0, 0};
    for (int batch = 0; batch < 600; ++batch) {
      for (int tenant = 0; tenant < 2; ++tenant) {
        while (waiting[tenant] < 400) {
          EngineRequest r;
          r.tag = ++tag;
          r.tenant = tenant == 0 ? "a" : "b";
          r.tokens = random.Between(1, tenant == 0 ? 200 : 20);
          ASSERT_EQ(engine.Offer(At(0), r, &actions).verdict.cause, RejectCause::kNone);
          costs[r.tag] = {tenant, r.tokens};
          ++waiting[tenant];
        }
      }
      engine.Poll(At(0), &actions);
      for (const EngineActions::Item& item : actions.items) {
        const auto [tenant, cost] = costs[item.tag];
        served[tenant] += static_cast<double>(cost) / (tenant == 1 ? weight : 1);
        --waiting[tenant];
        engine.Complete(At(0), item.id, Outcome::kOk);
        ASSERT_LE(std::abs(served[0] - served[1]), 2 * 200);
      }
      engine.OnBatchDone(At(0), actions.batches[0].id);
      actions.Clear();
    }
    EXPECT_NEAR(served[0] / served[1], 1, 0.02);
  }
}

TEST(EnginePropertyTest, ATenantThatComesBackGainsNoMoreThanABatch) {
  BatchPolicy p;
  p.max_batch_requests = 8;
  p.max_queue_requests = 10'000;
  BatchEngine engine = *BatchEngine::Create(p);
  EngineActions actions;
  const auto offer = [&](const char* tenant, uint64_t tag) {
    EngineRequest r;
    r.tenant = tenant;
    r.tag = tag;
    engine.Offer(At(0), r, &actions);
  };
  for (int i = 0; i < 2000; ++i) offer("steady", 0);
  int served[2] = {0, 0};
  for (int batch = 0; batch < 200; ++batch) {
    if (batch == 100) {
      for (int i = 0; i < 1000; ++i) offer("late", 1);
    }
    engine.Poll(At(0), &actions);
    for (const EngineActions::Item& item : actions.items) {
      if (batch >= 100) ++served[item.tag];
      engine.Complete(At(0), item.id, Outcome::kOk);
    }
    engine.OnBatchDone(At(0), actions.batches[0].id);
    actions.Clear();
  }
  EXPECT_LE(served[1] - served[0], 8) << "credit for the time it was away";
  EXPECT_GE(served[1] - served[0], -8);
}

TEST(EnginePropertyTest, AMillionTenantsLeaveNoMemoryBehind) {
  BatchPolicy p;
  BatchEngine engine = *BatchEngine::Create(p);
  EngineActions actions;
  for (size_t i = 0; i < Scaled(100'000); ++i) {
    const std::string tenant = "tenant " + std::to_string(i);
    EngineRequest r;
    r.tenant = tenant;
    engine.Offer(At(0), r, &actions);
    engine.Poll(At(0), &actions);
    for (const EngineActions::Item& item : actions.items) {
      engine.Complete(At(0), item.id, Outcome::kOk);
    }
    for (const auto& batch : actions.batches) engine.OnBatchDone(At(0), batch.id);
    actions.Clear();
  }
  EXPECT_OK(engine.CheckInvariants());  // and counts flows: see RequestQueueTest
}

// P16: more slots, or a faster runtime, never serve fewer in time.
TEST(EnginePropertyTest, MoreCapacityNeverLowersGoodput) {
  SimOptions o;
  o.policy.max_batch_requests = 32;
  o.policy.max_queue_requests = 1'000'000;
  o.slo = 0.15;
  const auto arrivals = PoissonArrivals(1.5 * Capacity(o), 5, TestSeed());
  double last = 0;
  for (const size_t slots : {1, 2, 3, 4}) {
    o.policy.max_concurrent_batches = slots;
    const double in_time = static_cast<double>(Simulate(o, arrivals).in_time);
    EXPECT_GE(in_time, 0.99 * last) << slots << " slots";
    last = in_time;
  }
}

}  // namespace
}  // namespace penstock
