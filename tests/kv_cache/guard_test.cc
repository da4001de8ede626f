// SPDX-License-Identifier: Apache-2.0
//
// What keeps the session policy near LRU: a shadow of LRU, and how much may be lost against it.
#include <algorithm>
#include <cstdint>
#include <list>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kv_cache/recency_queue.h"
#include "kv_cache/shadow_lru.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

using internal::RecencyQueue;
using internal::ShadowLru;

uint64_t NameOf(uint64_t n) { return (n + 1) * 0x9E3779B97F4A7C15u; }

TEST(RecencyQueueTest, AgreesWithAListOfNamesAndMarks) {
  SeededRandom random;
  RecencyQueue queue;
  std::list<std::pair<uint64_t, bool>> model;  // oldest first; marked
  for (size_t step = 0; step < Scaled(20000); ++step) {
    const uint64_t name = NameOf(random.Below(300));
    const auto at =
        std::find_if(model.begin(), model.end(), [&](const auto& e) { return e.first == name; });
    const RecencyQueue::Found expected = at == model.end() ? RecencyQueue::Found::kNo
                                         : at->second      ? RecencyQueue::Found::kMarked
                                                           : RecencyQueue::Found::kYes;
    ASSERT_EQ(queue.Find(name), expected) << step;
    switch (random.Below(6)) {
      case 0:
        ASSERT_EQ(queue.Erase(name), expected);
        if (at != model.end()) model.erase(at);
        break;
      case 1:
        ASSERT_EQ(queue.Mark(name), at != model.end());
        if (at != model.end()) at->second = true;
        break;
      case 2:
        if (model.empty()) break;
        ASSERT_EQ(queue.PopOldest(), model.front().second) << step;
        model.pop_front();
        break;
      default:
        queue.Touch(name);
        if (at != model.end()) model.erase(at);
        model.push_back({name, false});
    }
    ASSERT_EQ(queue.size(), model.size());
  }
  const auto even = [](uint64_t name) { return (name >> 1) % 2 == 0; };
  size_t marked = 0;
  for (const auto& e : model) marked += even(e.first | 1) && e.second ? 1 : 0;
  EXPECT_EQ(queue.EraseIf(even), marked);
  model.remove_if([&](const auto& e) { return even(e.first | 1); });
  EXPECT_EQ(queue.size(), model.size());
}

// The worst that a policy can do: where LRU holds a loop for good, it evicts the newest block
// whenever it may, and loses every time.
TEST(ShadowLruTest, APolicyThatIsAlwaysWrongLosesNoMoreThanTheAllowanceAtAnyTime) {
  constexpr uint64_t kCapacity = 500, kLoop = 499;  // and a stranger in every round
  ShadowLru guard;
  std::vector<uint64_t> cached;  // oldest first
  uint64_t lost = 0, strays = 0;
  for (uint64_t step = 0; step < 50000; ++step) {
    const uint64_t at_loop = step % (kLoop + 1);
    const bool stranger = at_loop == kLoop;
    const uint64_t name = NameOf(stranger ? kCapacity + step : at_loop);
    const auto at = std::find(cached.begin(), cached.end(), name);
    guard.OnRequest({&name, 1}, at != cached.end() ? 1 : 0, cached.size());
    if (at != cached.end()) {
      cached.erase(at);
    } else {
      if (step > kLoop && !stranger) ++lost;
      if (cached.size() == kCapacity) {
        guard.OnFull(cached.size());
        const bool stray = guard.MayStray(cached.back());
        strays += stray ? 1 : 0;
        const auto victim = stray ? cached.end() - 1 : cached.begin();
        guard.OnEviction(*victim, stray);
        cached.erase(victim);
      }
    }
    cached.push_back(name);
    ASSERT_LE(static_cast<double>(lost), 0.0015 * static_cast<double>(step) + 1) << step;
  }
  EXPECT_GT(strays, 20u);  // it did try
}

}  // namespace
}  // namespace penstock
