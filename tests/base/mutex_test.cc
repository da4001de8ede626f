// SPDX-License-Identifier: Apache-2.0
#include "base/mutex.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock::internal {
namespace {

TEST(MutexRaceTest, IncrementsUnderTheLockAreNotLost) {
  const int rounds = static_cast<int>(Scaled(5000));
  Mutex mu;
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        MutexLock lock(mu);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 3 * rounds);
}

TEST(SharedMutexRaceTest, ReadersNeverSeeAWriteHalfDone) {
  const int rounds = static_cast<int>(Scaled(2000));
  SharedMutex mu;
  int a = 0;
  int b = 0;
  std::atomic<bool> torn{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        ReaderLock lock(mu);
        if (a != b) torn = true;
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < rounds; ++i) {
      WriterLock lock(mu);
      ++a;
      ++b;
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(torn);
  EXPECT_EQ(a, rounds);
}

TEST(CondVarTest, APastDeadlineReportsATimeoutAndTheLockIsHeldAgain) {
  Mutex mu;
  CondVar cv;
  MutexLock lock(mu);
  EXPECT_FALSE(cv.WaitUntil(mu, std::chrono::steady_clock::now() - std::chrono::hours(1)));
}

TEST(CondVarTest, ANotifiedWaiterSeesWhatWasWrittenUnderTheLock) {
  Mutex mu;
  CondVar cv;
  bool ready = false;
  std::thread notifier([&] {
    MutexLock lock(mu);
    ready = true;
    cv.NotifyOne();
  });
  {
    MutexLock lock(mu);
    while (!ready) cv.Wait(mu);
    EXPECT_TRUE(ready);
  }
  notifier.join();
}

}  // namespace
}  // namespace penstock::internal
