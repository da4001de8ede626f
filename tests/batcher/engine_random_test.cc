// SPDX-License-Identifier: Apache-2.0
//
// BatchEngine against its slow twin, on random sequences of everything a shell can do to it.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/batcher/engine.h"
#include "tests/batcher/reference_batcher.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

// The engine and the twin side by side; compares after every step.
class Duel {
 public:
  explicit Duel(const BatchPolicy& policy)
      : policy_(policy), engine_(*BatchEngine::Create(policy)), twin_(policy) {}

  void Offer(int64_t now, EngineRequest request) {
    request.tag = next_tag_++;
    const EngineOffer offer = engine_.Offer(At(now), request, &actions_);
    const RejectCause expected = twin_.Offer(now, request);
    ASSERT_EQ(offer.verdict.cause, expected);
    if (expected == RejectCause::kNone) live_[request.tag] = offer.id;
    all_.emplace_back(request.tag, offer.id);
    Compare();
  }
  void Poll(int64_t now) {
    engine_.Poll(At(now), &actions_);
    twin_.Poll(now);
    Compare();
  }
  void Complete(int64_t now, size_t which, Outcome outcome) {
    if (all_.empty()) return;
    const auto [tag, id] = all_[which % all_.size()];
    ASSERT_EQ(engine_.Complete(At(now), id, outcome), twin_.EndInFlight(now, tag, outcome));
    if (twin_.ends().size() > ends_seen_) engine_ends_.emplace_back(tag, outcome);
    Compare();
  }
  void Cancel(int64_t now, size_t which) {
    if (all_.empty()) return;
    const auto [tag, id] = all_[which % all_.size()];
    ASSERT_EQ(engine_.Cancel(At(now), id), twin_.Cancel(now, tag));
    if (twin_.ends().size() > ends_seen_) engine_ends_.emplace_back(tag, Outcome::kCancelled);
    Compare();
  }
  void PutBack(int64_t now, size_t which) {
    if (all_.empty()) return;
    const auto [tag, id] = all_[which % all_.size()];
    ASSERT_EQ(engine_.PutBack(At(now), id), twin_.PutBack(now, tag));
    Compare();
  }
  void BatchDone(int64_t now, size_t which) {
    if (batch_ids_.empty()) return;
    which %= batch_ids_.size();
    engine_.OnBatchDone(At(now), batch_ids_[which]);
    twin_.BatchDone(now, which);
    Compare();
  }
  // The newest of the batches, most likely still running.
  void LastBatchDone(int64_t now) {
    if (!batch_ids_.empty()) BatchDone(now, batch_ids_.size() - 1);
  }
  void Drain(int64_t now) {
    engine_.BeginDrain(At(now));
    twin_.BeginDrain(now);
    for (int round = 0; round < 100000 && twin_.live() > 0; ++round) {
      now += absl::ToInt64Nanoseconds(policy_.put_back_delay);
      Poll(now);
      for (size_t b = batch_ids_.size(); b-- > 0 && b + 8 > batch_ids_.size();) BatchDone(now, b);
      const auto live = live_;
      for (const auto& [tag, id] : live) {
        if (!engine_.wanted(id)) continue;
        ASSERT_EQ(engine_.Complete(At(now), id, Outcome::kOk),
                  twin_.EndInFlight(now, tag, Outcome::kOk));
        engine_ends_.emplace_back(tag, Outcome::kOk);
        Compare();
      }
    }
    EXPECT_TRUE(engine_.idle());
  }
  void CheckInvariants() { ASSERT_OK(engine_.CheckInvariants()); }
  const BatchEngine& engine() const { return engine_; }
  size_t random_recent(SeededRandom* random) const {
    // Mostly recent requests, sometimes any (stale ids).
    const size_t n = all_.size();
    if (n == 0) return 0;
    if (random->OneIn(10)) return random->Below(n);
    return n - 1 - random->Below(std::min<size_t>(n, 60));
  }

 private:
  static MonoTime At(int64_t ns) { return MonoTime::FromNanoseconds(ns); }

  void Compare() {
    for (const EngineActions::Released& b : actions_.batches) {
      std::vector<uint64_t> tags;
      for (size_t i = b.begin; i < b.end; ++i) tags.push_back(actions_.items[i].tag);
      ASSERT_LT(batch_ids_.size(), twin_.batches().size()) << "a batch too many";
      const ReferenceBatcher::Batch& expected = twin_.batches()[batch_ids_.size()];
      ASSERT_EQ(tags, expected.tags);
      ASSERT_EQ(ReleaseReasonName(b.reason), ReleaseReasonName(expected.reason));
      batch_ids_.push_back(b.id);
    }
    ASSERT_EQ(batch_ids_.size(), twin_.batches().size()) << "a batch is missing";
    for (const EngineActions::Ended& e : actions_.ended) {
      engine_ends_.emplace_back(e.tag, e.info.outcome);
    }
    actions_.Clear();
    ASSERT_EQ(engine_ends_.size(), twin_.ends().size());
    for (; ends_seen_ < engine_ends_.size(); ++ends_seen_) {
      ASSERT_EQ(engine_ends_[ends_seen_], twin_.ends()[ends_seen_]);
      ASSERT_EQ(live_.erase(engine_ends_[ends_seen_].first), 1u) << "ended twice";
    }
    ASSERT_EQ(engine_.queued(), twin_.queued());
    ASSERT_EQ(live_.size(), twin_.live());
  }

  const BatchPolicy policy_;
  BatchEngine engine_;
  ReferenceBatcher twin_;
  EngineActions actions_;
  uint64_t next_tag_ = 1;
  std::map<uint64_t, RequestId> live_;
  std::vector<std::pair<uint64_t, RequestId>> all_;
  std::vector<BatchId> batch_ids_;
  std::vector<ReferenceBatcher::End> engine_ends_;
  size_t ends_seen_ = 0;
};

BatchPolicy RandomPolicy(SeededRandom* random) {
  BatchPolicy p;
  p.predictive_expiry = false;
  p.cap_at_best_rate = false;
  p.lookahead = 1;
  p.mode = random->OneIn(2) ? BatchMode::kWorkConserving : BatchMode::kFullOrTimeout;
  p.max_batch_requests = 1 + random->Below(6);
  p.max_delay = absl::Nanoseconds(random->Below(200));
  p.max_concurrent_batches = 1 + random->Below(3);
  p.cost_shape = random->OneIn(2) ? CostShape::kSum : CostShape::kPadded;
  if (random->OneIn(2)) p.token_budget = 10 + random->Between(0, 40);
  p.max_queue_requests = 1 + random->Below(30);
  if (random->OneIn(3)) p.max_queue_tokens = 20 + random->Between(0, 100);
  p.on_full = static_cast<OnFull>(random->Below(3));
  p.ageing = random->OneIn(4) ? absl::InfiniteDuration() : absl::Nanoseconds(random->Below(300));
  p.tenant_weights = {{"a", 1}, {"b", 2}, {"c", 0.5}};
  p.put_back_delay = absl::Nanoseconds(1 + random->Below(50));
  return p;
}

EngineRequest RandomRequest(SeededRandom* random, int64_t now) {
  static const char* const kTenants[] = {"", "a", "b", "c", "a tenant with a long name"};
  EngineRequest r;
  r.tenant = kTenants[random->Below(5)];
  r.priority = static_cast<int>(random->Between(-1, 1));
  r.tokens = random->Between(0, 15);
  if (random->OneIn(3)) r.deadline = MonoTime::FromNanoseconds(now + random->Between(1, 400));
  return r;
}

void RunDuel(SeededRandom* random, size_t operations) {
  Duel duel(RandomPolicy(random));
  int64_t now = 1000;
  for (size_t i = 0; i < operations && !testing::Test::HasFatalFailure(); ++i) {
    if (random->OneIn(2)) now += random->Between(0, 60);
    if (random->OneIn(1000)) now += 5'000'000'000;  // the machine stood still
    if (random->OneIn(1000)) now -= 50;             // a clock that misbehaves
    const uint64_t op = random->Below(100);
    if (op < 35) {
      duel.Offer(now, RandomRequest(random, now));
    } else if (op < 60) {
      duel.Poll(now);
    } else if (op < 78) {
      duel.Complete(now, duel.random_recent(random),
                    random->OneIn(5) ? Outcome::kRuntimeError : Outcome::kOk);
    } else if (op < 92) {
      duel.LastBatchDone(now);
      if (random->OneIn(2)) duel.BatchDone(now, random->Below(1000));
    } else if (op < 96) {
      duel.Cancel(now, duel.random_recent(random));
    } else {
      duel.PutBack(now, duel.random_recent(random));
    }
    if (random->OneIn(20)) duel.CheckInvariants();
  }
  if (!testing::Test::HasFatalFailure()) duel.Drain(now);
  duel.CheckInvariants();
}

TEST(EngineRandomTest, EveryDecisionEqualsThatOfTheSlowTwin) {
  const size_t rounds = Scaled(120);
  for (size_t round = 0; round < rounds && !HasFatalFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    SeededRandom random(round);
    RunDuel(&random, 1500);
  }
}

}  // namespace
}  // namespace penstock
