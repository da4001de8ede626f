// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/executor.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/base/clock.h"
#include "penstock/testing/manual_executor.h"
#include "tests/support/seed.h"

namespace penstock {
namespace {

void Await(Bell& bell) { ASSERT_TRUE(Clock::Real()->WaitUntil(bell, MonoTime::InfiniteFuture())); }

TEST(ThreadPoolTest, RunsEveryTaskExactlyOnceBeforeItsDestructorReturns) {
  const size_t tasks = Scaled(1000);
  std::vector<std::atomic<int>> ran(tasks);
  {
    const auto pool = NewThreadPool(3);
    std::vector<std::thread> schedulers;
    for (size_t s = 0; s < 4; ++s) {
      schedulers.emplace_back([&, s] {
        for (size_t i = s; i < tasks; i += 4) {
          pool->Schedule([&ran, i] { ++ran[i]; });
        }
      });
    }
    for (std::thread& scheduler : schedulers) scheduler.join();
  }
  for (size_t i = 0; i < tasks; ++i) EXPECT_EQ(ran[i], 1) << i;
}

TEST(ThreadPoolTest, OneThreadRunsTasksInTheOrderScheduled) {
  std::vector<int> order;
  {
    const auto pool = NewThreadPool(1);
    for (int i = 0; i < 100; ++i) pool->Schedule([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadPoolTest, TasksScheduledByTasksRunEvenWhileThePoolCloses) {
  std::atomic<int> depth{0};
  {
    const auto pool = NewThreadPool(2);
    Executor* const executor = pool.get();
    struct Recursive {
      Executor* executor;
      std::atomic<int>* depth;
      void operator()() {
        if (++*depth < 50) executor->Schedule(Recursive{executor, depth});
      }
    };
    executor->Schedule(Recursive{executor, &depth});
  }
  EXPECT_EQ(depth, 50);
}

TEST(ThreadPoolTest, AsManyTasksRunAtOnceAsThereAreThreads) {
  const auto pool = NewThreadPool(2);
  Bell first, second, first_done, second_done;
  // Each waits for the other: with one thread this would hang.
  pool->Schedule([&] {
    second.Ring();
    Await(first);
    first_done.Ring();
  });
  pool->Schedule([&] {
    first.Ring();
    Await(second);
    second_done.Ring();
  });
  Await(first_done);
  Await(second_done);
}

TEST(ThreadPoolTest, ATaskIsDestroyedAfterItRanAndNotKept) {
  const auto pool = NewThreadPool(1);
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watch = token;
  pool->Schedule([token = std::move(token)] { EXPECT_EQ(*token, 7); });
  Bell next;
  pool->Schedule([&] { next.Ring(); });
  Await(next);
  EXPECT_TRUE(watch.expired());
}

TEST(InlineExecutorTest, RunsTheTaskInsideSchedule) {
  bool ran = false;
  const std::thread::id caller = std::this_thread::get_id();
  InlineExecutor()->Schedule([&] { ran = std::this_thread::get_id() == caller; });
  EXPECT_TRUE(ran);
}

TEST(ManualExecutorTest, RunsNothingUntilToldAndThenInOrder) {
  ManualExecutor executor;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) executor.Schedule([&order, i] { order.push_back(i); });
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(executor.pending(), 3u);
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(order, std::vector<int>({0}));
  EXPECT_EQ(executor.RunAll(), 2u);
  EXPECT_EQ(order, std::vector<int>({0, 1, 2}));
  EXPECT_FALSE(executor.RunOne());
}

TEST(ManualExecutorTest, RunAllAlsoRunsWhatTasksSchedule) {
  ManualExecutor executor;
  int ran = 0;
  executor.Schedule([&] {
    ++ran;
    executor.Schedule([&] { ++ran; });
  });
  EXPECT_EQ(executor.RunAll(), 2u);
  EXPECT_EQ(ran, 2);
}

TEST(ManualExecutorTest, TheDestructorRunsWhatIsLeft) {
  int ran = 0;
  {
    ManualExecutor executor;
    executor.Schedule([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace penstock
