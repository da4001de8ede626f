// SPDX-License-Identifier: Apache-2.0
//
// Policies of BatchEngine one by one, and the figures that they exist for, on the simulator.
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/batcher/engine.h"
#include "tests/support/batch_simulator.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::ElementsAre;

constexpr int64_t kMs = 1'000'000;

MonoTime At(int64_t ns) { return MonoTime::FromNanoseconds(ns); }

class EnginePolicyTest : public testing::Test {
 protected:
  void Create(const BatchPolicy& policy) { engine_.emplace(*BatchEngine::Create(policy)); }

  RejectCause Offer(int64_t now, uint64_t tag, int64_t tokens = 1, int64_t timeout = 0) {
    EngineRequest r;
    r.tag = tag;
    r.tokens = tokens;
    if (timeout > 0) r.deadline = At(now + timeout);
    return engine_->Offer(At(now), r, &actions_).verdict.cause;
  }
  // Tags of the batch that leaves now; empty if none does.
  std::vector<uint64_t> Poll(int64_t now) {
    actions_.Clear();
    engine_->Poll(At(now), &actions_);
    std::vector<uint64_t> tags;
    for (const auto& item : actions_.items) tags.push_back(item.tag);
    running_ = actions_.items;
    if (!actions_.batches.empty()) last_ = actions_.batches.back();
    return tags;
  }
  void Done(int64_t now) {
    for (const auto& item : running_) engine_->Complete(At(now), item.id, Outcome::kOk);
    engine_->OnBatchDone(At(now), last_.id);
    running_.clear();
  }
  // Teaches the model how long batches take, with about the sizes given.
  void Teach(const std::vector<size_t>& sizes, const SimCurve& curve) {
    for (const size_t size : sizes) {
      for (size_t i = 0; i < size; ++i) Offer(now_, 1'000'000 + i);
      while (engine_->queued() > 0) {
        const auto n = static_cast<double>(Poll(now_).size());
        now_ += static_cast<int64_t>(curve.Seconds(n, n) * 1e9);
        Done(now_);
      }
    }
  }
  std::vector<Outcome> Ends() const {
    std::vector<Outcome> ends;
    for (const auto& e : actions_.ended) ends.push_back(e.info.outcome);
    return ends;
  }

  std::optional<BatchEngine> engine_;
  EngineActions actions_;
  std::vector<EngineActions::Item> running_;
  EngineActions::Released last_{};
  int64_t now_ = kMs;
};

TEST_F(EnginePolicyTest, TheLearnedModelPredictsSizesItHasSeen) {
  BatchPolicy p;
  p.max_batch_requests = 64;
  Create(p);
  Teach({1, 2, 4, 8, 16, 32, 64, 8, 32, 1, 64}, {0.008, 0.0003, 0});
  for (const size_t n : {1, 8, 32, 64}) {
    const double want = 0.008 + 0.0003 * static_cast<double>(n);
    EXPECT_NEAR(absl::ToDoubleSeconds(engine_->PredictBatchTime(n, static_cast<int64_t>(n))), want,
                0.05 * want);
  }
}

TEST_F(EnginePolicyTest, ARequestThatCannotEndInTimeIsRefusedWithTheReason) {
  BatchPolicy p;
  p.max_batch_requests = 4;
  Create(p);
  Teach({1, 4, 2, 4, 1, 4}, {0.008, 0.0005, 0});  // a full batch takes 10 ms
  Offer(now_, 1);
  Poll(now_);
  for (uint64_t i = 0; i < 4; ++i) Offer(now_, 10 + i);
  // 9 ms left of the running batch, 10 ms for the full one ahead, 8.5 ms of its own.
  EngineRequest r;
  r.tag = 99;
  r.deadline = At(now_ + 20 * kMs);
  const EngineOffer refused = engine_->Offer(At(now_), r, &actions_);
  EXPECT_EQ(refused.verdict.cause, RejectCause::kPredictedLate);
  EXPECT_GT(refused.verdict.observed, refused.verdict.limit);
  EXPECT_GT(refused.verdict.retry_after, absl::Milliseconds(1));
  EXPECT_EQ(Offer(now_, 100, 1, 60 * kMs), RejectCause::kNone);
}

TEST_F(EnginePolicyTest, WhatWouldEndLateIsTakenOutBeforeItCostsAnything) {
  BatchPolicy p;
  p.max_batch_requests = 4;
  Create(p);
  Teach({1, 4, 2, 4, 1, 4, 1, 1}, {0.008, 0.0005, 0});
  Offer(now_, 1);
  Poll(now_);
  ASSERT_EQ(Offer(now_, 2, 1, 30 * kMs), RejectCause::kNone);
  now_ += 25 * kMs;  // the runtime was slow; 5 ms are left of 8.5 needed
  Done(now_);
  EXPECT_THAT(Poll(now_), ElementsAre());
  EXPECT_THAT(Ends(), ElementsAre(Outcome::kPredictedLate));
}

TEST_F(EnginePolicyTest, ARuntimeThatLooksTooSlowForEverythingIsProbed) {
  BatchPolicy p;
  p.max_batch_requests = 4;
  Create(p);
  Teach({1, 1, 1, 1}, {5, 0, 0});  // five seconds a batch
  now_ += 1000 * kMs;
  ASSERT_EQ(Offer(now_, 1, 1, 100 * kMs), RejectCause::kNone);
  EXPECT_THAT(Poll(now_), ElementsAre(1));
  EXPECT_EQ(last_.reason, ReleaseReason::kProbe);
  now_ += 8 * kMs;  // it has recovered
  Done(now_);
  for (int i = 0; i < 8; ++i) {
    now_ += 150 * kMs;
    Offer(now_, 2, 1, 100 * kMs);
    Poll(now_);
    now_ += 8 * kMs;
    Done(now_);
  }
  Offer(now_, 3, 1, 100 * kMs);
  EXPECT_THAT(Poll(now_), ElementsAre(3));
  EXPECT_EQ(last_.reason, ReleaseReason::kIdleRuntime) << "trusted again";
}

TEST_F(EnginePolicyTest, RequestsThatCannotWaitGoFirstAloneWhenTheOthersCan) {
  BatchPolicy p;
  p.max_batch_requests = 64;
  Create(p);
  Teach({1, 32, 64, 8, 2, 16, 64, 1, 32, 64}, {0.008, 0.0003, 0});
  Offer(now_, 1);
  Poll(now_);
  for (uint64_t i = 0; i < 60; ++i) Offer(now_, 100 + i, 1, 500 * kMs);
  Offer(now_, 2, 1, 500 * kMs);
  now_ += 2 * kMs;
  EngineRequest tight;
  tight.tag = 7;
  tight.deadline = At(now_ + 16 * kMs);  // a full batch would take 26 ms
  tight.priority = 1;
  // Arrival sees the whole queue of its priority: nothing ahead.
  ASSERT_EQ(engine_->Offer(At(now_), tight, &actions_).verdict.cause, RejectCause::kNone);
  now_ += 5 * kMs;
  Done(now_);
  EXPECT_THAT(Poll(now_), ElementsAre(7));
  EXPECT_EQ(last_.reason, ReleaseReason::kDeadlinePressure);
}

TEST_F(EnginePolicyTest, FullOrTimeoutLeavesEarlyUnderDeadlinePressure) {
  BatchPolicy p;
  p.mode = BatchMode::kFullOrTimeout;
  p.max_batch_requests = 8;
  p.max_delay = absl::Milliseconds(50);
  Create(p);
  Teach({8, 8, 8, 8}, {0.010, 0, 0});
  ASSERT_EQ(Offer(now_, 1, 1, 30 * kMs), RejectCause::kNone);
  EXPECT_THAT(Poll(now_), ElementsAre());
  const int64_t wake = actions_.wake_at.nanoseconds();
  EXPECT_LT(wake, now_ + 20 * kMs + 1);
  EXPECT_THAT(Poll(wake - 1), ElementsAre());
  EXPECT_THAT(Poll(wake), ElementsAre(1));
  EXPECT_EQ(last_.reason, ReleaseReason::kDeadlinePressure);
}

TEST_F(EnginePolicyTest, TheHeadAlwaysLeavesWithItsNeighboursByLength) {
  BatchPolicy p;
  p.cost_shape = CostShape::kPadded;
  p.max_batch_requests = 2;
  p.lookahead = 4;
  Create(p);
  const int64_t lengths[] = {100, 10, 500, 98, 12, 510};
  for (uint64_t i = 0; i < 6; ++i) Offer(now_, i, lengths[i]);
  EXPECT_THAT(Poll(now_), ElementsAre(0, 3));
  Done(now_);
  EXPECT_THAT(Poll(now_), ElementsAre(1, 4));
  Done(now_);
  EXPECT_THAT(Poll(now_), ElementsAre(2, 5));
}

TEST_F(EnginePolicyTest, ABatchIsPaddedUpOrCutDownByMeasuredCost) {
  BatchPolicy p;
  p.allowed_batch_sizes = {1, 8, 16};
  p.max_batch_requests = 16;
  Create(p);
  for (uint64_t i = 0; i < 9; ++i) Offer(now_, i);
  EXPECT_EQ(Poll(now_).size(), 9u) << "nothing measured: padded up";
  EXPECT_EQ(last_.padded_requests, 16u);
  now_ += 20 * kMs;
  Done(now_);
  // Time in proportion to rows: 16 rows for 9 requests cost more than 8 for 8.
  Teach({16, 8, 1, 16, 8, 1, 16, 8, 1}, {0, 0.001, 0});
  for (uint64_t i = 0; i < 9; ++i) Offer(now_, i);
  EXPECT_EQ(Poll(now_).size(), 8u);
  EXPECT_EQ(last_.padded_requests, 8u);
}

TEST_F(EnginePolicyTest, TheAdaptiveCapIsTheSmallBatchWhereBatchingDoesNotPay) {
  BatchPolicy p;
  p.mode = BatchMode::kAdaptive;
  p.max_batch_requests = 64;
  Create(p);
  Teach({1, 2, 4, 8, 16, 32, 64, 32, 16, 8, 4, 2, 1}, {0.000001, 0.001, 0});
  now_ += 100'000 * kMs;  // the arrivals of the lesson are forgotten
  for (uint64_t i = 0; i < 32; ++i) Offer(now_, i);
  EXPECT_LE(Poll(now_).size(), 4u);
  EXPECT_EQ(last_.reason, ReleaseReason::kCapped);
  Create(p);
  Teach({1, 2, 4, 8, 16, 32, 64, 32, 16, 8, 4, 2, 1}, {0.008, 0.0003, 0});
  now_ += 100'000 * kMs;
  for (uint64_t i = 0; i < 32; ++i) Offer(now_, i);
  EXPECT_EQ(Poll(now_).size(), 32u);
}

TEST_F(EnginePolicyTest, TheQueueIsBoundedInPredictedTime) {
  BatchPolicy p;
  p.max_batch_requests = 2;
  p.max_queue_delay = absl::Milliseconds(35);
  Create(p);
  Teach({2, 1, 2, 1, 2, 2}, {0.010, 0, 0});
  Offer(now_, 0);
  Poll(now_);
  int accepted = 0;
  while (Offer(now_, 1) == RejectCause::kNone && accepted < 100) ++accepted;
  EXPECT_EQ(accepted, 6) << "10 ms of the running batch, and two full batches";
  EXPECT_EQ(engine_->GetStats().rejected_by(RejectCause::kQueueDelay), 1u);
}

TEST_F(EnginePolicyTest, AHundredThousandEqualDeadlinesAreOneWakeUp) {
  BatchPolicy p;
  p.max_queue_requests = 1'000'000;
  p.max_batch_requests = 1;
  Create(p);
  Offer(now_, 0);
  Poll(now_);
  for (uint64_t i = 0; i < 100'000; ++i) Offer(now_, i, 1, 5 * kMs);
  Poll(now_);
  EXPECT_EQ(actions_.wake_at, At(now_ + 5 * kMs));
  Poll(now_ + 5 * kMs);
  EXPECT_EQ(actions_.ended.size(), 100'000u);
  EXPECT_TRUE(actions_.wake_at.is_infinite());
}

TEST_F(EnginePolicyTest, AMachineThatStoodStillReleasesOneBatchAndJudgesDeadlinesOnce) {
  BatchPolicy p;
  p.mode = BatchMode::kFullOrTimeout;
  Create(p);
  for (uint64_t i = 0; i < 10; ++i) Offer(now_, i, 1, i < 5 ? 100 * kMs : 0);
  Poll(now_);
  EXPECT_EQ(Poll(now_ + 5000 * kMs).size(), 5u);
  EXPECT_EQ(actions_.batches.size(), 1u);
  EXPECT_EQ(Ends(), std::vector<Outcome>(5, Outcome::kExpired));
}

TEST_F(EnginePolicyTest, CostsOfZeroNegativeAndHugeAreHandled) {
  BatchPolicy p;
  Create(p);
  EXPECT_EQ(Offer(now_, 1, 0), RejectCause::kNone);
  EXPECT_EQ(Offer(now_, 2, -1), RejectCause::kInvalid);
  EXPECT_EQ(Offer(now_, 3, INT64_MAX), RejectCause::kInvalid);
  EXPECT_THAT(Poll(now_), ElementsAre(1));
}

TEST_F(EnginePolicyTest, EveryEndGivesBackWhatAdmissionControlCounted) {
  BatchPolicy p;
  p.max_batch_requests = 1;
  p.predictive_expiry = false;
  p.admission.emplace();
  p.admission->max_in_flight = 2;
  p.admission->max_in_flight_tokens = 20;
  Create(p);
  for (int round = 0; round < 3; ++round) {
    EngineRequest r;
    r.tokens = 10;
    const RequestId running = engine_->Offer(At(now_), r, &actions_).id;
    Poll(now_);
    const RequestId queued = engine_->Offer(At(now_), r, &actions_).id;
    EXPECT_EQ(Offer(now_, 1), RejectCause::kInFlight);
    EXPECT_TRUE(engine_->Cancel(At(now_), queued));
    EXPECT_EQ(Offer(now_, 2, 10, kMs), RejectCause::kNone) << "the place is free inside the call";
    EXPECT_EQ(Offer(now_, 3), RejectCause::kInFlight);
    now_ += kMs;
    Poll(now_);  // 2 has expired in the queue
    EXPECT_EQ(engine_->GetStats().admission.in_flight_tokens, 10);
    if (round == 0) {
      EXPECT_TRUE(engine_->Cancel(At(now_), running));
    } else {
      EXPECT_TRUE(engine_->Complete(At(now_), running, Outcome::kOk));
    }
    engine_->OnBatchDone(At(now_), last_.id);
    EXPECT_EQ(engine_->GetStats().admission.in_flight, 0);
    EXPECT_EQ(engine_->GetStats().admission.in_flight_tokens, 0);
  }
}

TEST_F(EnginePolicyTest, ReportedTokensCountForFairness) {
  BatchPolicy p;
  p.max_batch_requests = 1;
  Create(p);
  const auto offer = [&](const char* tenant, uint64_t tag) {
    EngineRequest r;
    r.tenant = tenant;
    r.tag = tag;
    engine_->Offer(At(now_), r, &actions_);
  };
  for (int i = 0; i < 3; ++i) offer("a", 1);
  for (int i = 0; i < 3; ++i) offer("b", 2);
  engine_->ReportTokens("a", 0, 2);
  std::vector<uint64_t> order;
  for (int i = 0; i < 6; ++i) {
    order.push_back(Poll(now_).at(0));
    Done(now_);
  }
  EXPECT_THAT(order, ElementsAre(2, 2, 1, 2, 1, 1));
}

// --- the figures that the policies exist for; see bench/batch_sim.cc for the tables ---

SimOptions Overload() {
  SimOptions o;
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 1'000'000;
  o.slo = 0.2;
  return o;
}

TEST(BatchGoodputTest, AtTwiceAndFiveTimesTheCapacityGoodputIsFull) {
  const SimOptions o = Overload();
  const double c = Capacity(o);
  for (const double load : {2.0, 5.0}) {
    const SimResult r = Simulate(o, PoissonArrivals(load * c, 5, 1));
    EXPECT_GE(static_cast<double>(r.in_time) / 5 / c, 0.97);
    EXPECT_LE(r.p(0.99), o.slo);
    EXPECT_EQ(r.late, 0u);
  }
}

TEST(BatchGoodputTest, AtSeventyPercentNobodyIsRefused) {
  const SimOptions o = Overload();
  const SimResult r = Simulate(o, PoissonArrivals(0.7 * Capacity(o), 20, 1));
  EXPECT_LE(static_cast<double>(r.refused + r.dropped), 1e-4 * static_cast<double>(r.offered));
}

TEST(BatchGoodputTest, ARuntimeThatBecomesThreeTimesSlowerKeepsItsGoodput) {
  SimOptions o = Overload();
  o.slow_from = 3;
  o.slow_to = 9;
  o.slow_factor = 3;
  const double c = Capacity(o);
  const SimResult r = Simulate(o, PoissonArrivals(0.9 * c, 9, 1));
  double n = 0;
  for (size_t i = 0; i < r.latency.size(); ++i) {
    n += r.latency[i] <= o.slo && r.finished_at[i] >= 3 && r.finished_at[i] < 9;
  }
  EXPECT_GE(n / 6 / (c / 3), 0.95);
  EXPECT_LE(static_cast<double>(r.late), 0.01 * static_cast<double>(r.offered));
}

TEST(BatchGoodputTest, ASlowAndNoisyRuntimeKeepsItsGoodput) {
  SimOptions o = Overload();
  o.slow_from = 3;
  o.slow_to = 9;
  o.slow_factor = 3;
  o.noise = 0.2;
  const double c = Capacity(o);
  double mean = 0;
  for (o.seed = 1; o.seed <= 10; ++o.seed) {
    const SimResult r = Simulate(o, PoissonArrivals(0.9 * c, 9, o.seed));
    double n = 0;
    for (size_t i = 0; i < r.latency.size(); ++i) {
      n += r.latency[i] <= o.slo && r.finished_at[i] >= 3 && r.finished_at[i] < 9;
    }
    // Of what the runtime was worth with this seed's noise.
    mean += n / 6 / (c / 3) * r.slow_seconds / r.slow_seconds_expected / 10;
  }
  EXPECT_GE(mean, 0.96);
}

// 5 + 0.2 n + 0.01 n² ms: batches of 64 serve a third fewer than those of 22, and would only keep
// the queue full that made them large.
TEST(BatchGoodputTest, ABacklogOnAQuadraticRuntimeEnds) {
  SimOptions o;
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 1'000'000;
  o.curve = {0.005, 0.0002, 0, 0.00001};
  const double c = Capacity(o);
  auto arrivals = PoissonArrivals(3 * c, 1, 1);  // two seconds of work too much
  for (SimArrival a : PoissonArrivals(0.8 * c, 29, 2)) {
    a.at += 1;
    arrivals.push_back(a);
  }
  const SimResult r = Simulate(o, arrivals);
  EXPECT_LE(r.latency.back(), 0.05);
  o.policy.cap_at_best_rate = false;
  EXPECT_GE(Simulate(o, arrivals).latency.back(), 1) << "the simulator is too kind";
}

TEST(BatchGoodputTest, ARetryStormDoesNotFeedItself) {
  SimOptions o = Overload();
  o.retries = 3;
  const double c = Capacity(o);
  const SimResult r = Simulate(o, PoissonArrivals(1.2 * c, 5, 1));
  EXPECT_GE(static_cast<double>(r.in_time) / 5 / c, 0.95);
}

TEST(BatchGoodputTest, WithoutPredictionATimeoutAloneSavesNothing) {
  SimOptions o = Overload();
  o.policy.predictive_expiry = false;
  const double c = Capacity(o);
  const SimResult r = Simulate(o, PoissonArrivals(2 * c, 5, 1));
  EXPECT_LE(static_cast<double>(r.in_time) / 5 / c, 0.2) << "the simulator is too kind";
}

// 3 + 0.0825 n + 0.0223 n² ms serves most in batches of 12, a fifth of that in those of 64: a queue
// that bursts made must not be served in large batches, known from one or two of them.
TEST(BatchGoodputTest, OnAConvexRuntimeBurstsAreServedInTheBestSize) {
  SimOptions o;
  o.curve = {0.003, 0.0000825, 0, 0.0000223};
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 1'000'000;
  size_t large = 0;
  o.on_release = [&](const EngineActions& actions, double) {
    for (const EngineActions::Released& b : actions.batches) large += b.end - b.begin > 18;
  };
  const auto arrivals = BurstArrivals(0.44 * Capacity(o), 20, 3, 2);
  const double ours = Simulate(o, arrivals).mean();
  EXPECT_LE(large, 8u);
  SimOptions best = o;
  best.on_release = nullptr;
  best.policy.max_batch_requests = 12;
  EXPECT_LE(ours, 1.1 * Simulate(best, arrivals).mean());
}

TEST(BatchGoodputTest, WorkConservingIsWithinOnePercentOfTheBestFixedPair) {
  SimOptions o;
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 1'000'000;
  for (const double load : {0.3, 0.9}) {
    const auto arrivals = PoissonArrivals(load * Capacity(o), 5, 2);
    const double ours = Simulate(o, arrivals).mean();
    double best = 1e9;
    for (const size_t size : {4, 16, 64}) {
      for (const double ms : {0.0, 1.0, 5.0}) {
        SimOptions fixed = o;
        fixed.policy.mode = BatchMode::kFullOrTimeout;
        fixed.policy.max_batch_requests = size;
        fixed.policy.max_delay = absl::Milliseconds(ms);
        best = std::min(best, Simulate(fixed, arrivals).mean());
      }
    }
    EXPECT_LE(ours, 1.01 * best);
  }
}

}  // namespace
}  // namespace penstock
