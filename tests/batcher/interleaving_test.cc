// SPDX-License-Identifier: Apache-2.0
//
// Every interleaving of small cases. First the engine under its lock: submit, cancel, dispatch,
// completion, expiry, drain, in each order that threads can produce. Then a model of what happens
// outside the lock: the ingress, the alarm and the former's sleep, step by step; with each
// safeguard taken out in turn, to see that the search would find a lost wake-up.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/batcher/engine.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

// --- the engine ---

struct World {
  BatchEngine engine;
  EngineActions actions;
  int64_t now = 0;
  RequestId a, b;
  std::optional<BatchId> batch;
  std::map<uint64_t, int> ends;
  int accepted = 0;

  void Offer(uint64_t tag, RequestId* id) {
    EngineRequest r;
    r.tag = tag;
    r.deadline = MonoTime::FromNanoseconds(100);
    const EngineOffer offer = engine.Offer(At(), r, &actions);
    *id = offer.id;
    accepted += offer.verdict.cause == RejectCause::kNone;
    Take();
  }
  void Take() {
    for (const auto& e : actions.ended) ++ends[e.tag];
    if (!actions.batches.empty()) batch = actions.batches.back().id;
    actions.Clear();
  }
  MonoTime At() const { return MonoTime::FromNanoseconds(now); }
};

using Step = std::function<void(World&)>;

// Calls run(order) for every merge of the threads' steps; an order is the thread that goes next,
// each time.
void ForEachMerge(const std::vector<std::vector<Step>>& threads,
                  const std::function<void(const std::vector<size_t>&)>& run) {
  std::vector<size_t> at(threads.size()), order;
  const std::function<void()> go = [&] {
    bool any = false;
    for (size_t t = 0; t < threads.size(); ++t) {
      if (at[t] == threads[t].size()) continue;
      any = true;
      ++at[t];
      order.push_back(t);
      go();
      order.pop_back();
      --at[t];
    }
    if (!any) run(order);
  };
  go();
}

TEST(InterleavingTest, EveryOrderOfSubmitCancelDispatchExpiryAndDrainEndsEachRequestOnce) {
  const std::vector<std::vector<Step>> threads = {
      // A producer that changes its mind.
      {[](World& w) { w.Offer(1, &w.a); },
       [](World& w) { w.ends[1] += w.engine.Cancel(w.At(), w.a); },
       [](World& w) { w.Offer(2, &w.b); }},
      // The runtime.
      {[](World& w) {
         w.engine.Poll(w.At(), &w.actions);
         w.Take();
       },
       [](World& w) { w.ends[1] += w.engine.Complete(w.At(), w.a, Outcome::kOk); },
       [](World& w) { w.engine.PutBack(w.At(), w.b); },
       [](World& w) { w.ends[2] += w.engine.Complete(w.At(), w.b, Outcome::kOk); },
       [](World& w) {
         if (w.batch) w.engine.OnBatchDone(w.At(), *w.batch);
       }},
      // Time, and somebody who shuts down.
      {[](World& w) {
         w.now = 100;
         w.engine.Poll(w.At(), &w.actions);
         w.Take();
       },
       [](World& w) { w.engine.BeginDrain(w.At()); },
       [](World& w) {
         w.engine.FailAll(w.At(), &w.actions);
         w.Take();
       }},
  };
  size_t orders = 0;
  ForEachMerge(threads, [&](const std::vector<size_t>& order) {
    ++orders;
    World w{*BatchEngine::Create(BatchPolicy()), {}, 0, {}, {}, {}, {}, 0};
    std::vector<size_t> at(threads.size());
    for (const size_t t : order) threads[t][at[t]++](w);
    w.engine.FailAll(w.At(), &w.actions);
    w.Take();
    int sum = 0;
    for (const auto& [tag, count] : w.ends) {
      ASSERT_LE(count, 1) << "request " << tag;
      sum += count;
    }
    ASSERT_EQ(sum, w.accepted);
    ASSERT_OK(w.engine.CheckInvariants());
    ASSERT_TRUE(w.engine.idle());
  });
  EXPECT_EQ(orders, 9240u);  // 11! / (3! 5! 3!)
}

// --- the alarm ---

struct Safeguards {
  bool look_again = true;         // the former looks at the ingress after it set the alarm
  bool thief_wakes = true;        // whoever empties the ingress without polling wakes the former
  bool alarm_before_look = true;  // sets the alarm first, then looks
};

// Two producers, the former, and a thief (GetStats) that moves the ingress into the engine without
// polling. Each step is one atomic access of src/batcher/shell.cc; the critical section is one
// step.
struct Model {
  int ingress = 0, engine = 0, done = 0;
  bool alarm = false;  // an arrival must ring
  bool bell = false;
  int producer[2] = {0, 0};  // 0 push, 1 read alarm (and take it), 2 ring, 3 done
  int former = 0;            // 0 step, 1 set alarm, 2 look again, 3 asleep
  int thief = 0;             // 0 move, 1 wake, 2 done

  auto Key() const {
    return std::make_tuple(ingress, engine, done, alarm, bell, producer[0], producer[1], former,
                           thief);
  }
};

// The states reachable by one step of one thread.
std::vector<Model> Next(const Model& m, const Safeguards& s) {
  std::vector<Model> next;
  const auto add = [&next](Model n) { next.push_back(n); };
  for (int p = 0; p < 2; ++p) {
    Model n = m;
    if (m.producer[p] == 0) {
      ++n.ingress;
      n.producer[p] = 1;
    } else if (m.producer[p] == 1) {
      n.producer[p] = m.alarm ? 2 : 3;
      n.alarm = false;
    } else if (m.producer[p] == 2) {
      n.bell = true;
      n.producer[p] = 3;
    } else {
      continue;
    }
    add(n);
  }
  Model f = m;
  const int set = s.alarm_before_look ? 1 : 2, look = s.alarm_before_look ? 2 : 1;
  if (m.former == 0) {
    f.engine += m.ingress;  // the critical section: move and poll
    f.ingress = 0;
    f.done += f.engine;
    f.engine = 0;
    f.former = 1;
    add(f);
  } else if (m.former == set) {
    f.alarm = true;
    f.former = m.former + 1;
    add(f);
  } else if (m.former == look) {
    f.former = s.look_again && m.ingress > 0 ? 0 : m.former + 1;
    add(f);
  } else if (m.former == 3 && m.bell) {
    f.bell = false;
    f.former = 0;
    add(f);
  }
  Model t = m;
  if (m.thief == 0) {
    const bool moved = m.ingress > 0;
    t.engine += m.ingress;
    t.ingress = 0;
    t.thief = moved && s.thief_wakes ? 1 : 2;
    add(t);
  } else if (m.thief == 1) {
    t.bell = true;
    t.thief = 2;
    add(t);
  }
  return next;
}

// Whether every schedule ends with both requests served.
bool NeverLosesAWakeUp(const Safeguards& s) {
  std::set<decltype(Model().Key())> seen;
  std::vector<Model> stack = {Model()};
  while (!stack.empty()) {
    const Model m = stack.back();
    stack.pop_back();
    if (!seen.insert(m.Key()).second) continue;
    const std::vector<Model> next = Next(m, s);
    if (next.empty() && m.done != 2) return false;  // the former sleeps, a request waits
    stack.insert(stack.end(), next.begin(), next.end());
  }
  return true;
}

TEST(InterleavingTest, NoScheduleOfProducersFormerAndThiefLosesAWakeUp) {
  EXPECT_TRUE(NeverLosesAWakeUp(Safeguards()));
}

TEST(InterleavingTest, TheSearchFindsTheLostWakeUpOfEachMissingSafeguard) {
  Safeguards s;
  s.look_again = false;
  EXPECT_FALSE(NeverLosesAWakeUp(s));
  s = Safeguards();
  s.thief_wakes = false;
  EXPECT_FALSE(NeverLosesAWakeUp(s));
  s = Safeguards();
  s.alarm_before_look = false;
  EXPECT_FALSE(NeverLosesAWakeUp(s));
}

}  // namespace
}  // namespace penstock
