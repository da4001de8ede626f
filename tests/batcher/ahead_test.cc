// SPDX-License-Identifier: Apache-2.0
//
// BatchPolicy::form_ahead: in the engine, and through a Batcher with threads on a clock that the
// test moves.
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/batcher.h"
#include "penstock/testing/manual_clock.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

constexpr int64_t kMs = 1'000'000;

MonoTime At(int64_t ns) { return MonoTime::FromNanoseconds(ns); }

// Batches of two that take 10 ms.
class EngineAheadTest : public testing::Test {
 protected:
  EngineAheadTest() {
    BatchPolicy policy;
    policy.form_ahead = true;
    policy.max_batch_requests = 2;
    engine_.emplace(*BatchEngine::Create(policy));
    for (int i = 0; i < 20; ++i) {
      Offer(2);
      const auto batch = Poll();
      now_ += 10 * kMs;
      Finish(batch[0]);
    }
  }
  void Offer(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      EngineRequest r;
      r.tag = next_tag_++;
      ids_.push_back(engine_->Offer(At(now_), r, &actions_).id);
    }
  }
  struct Left {
    BatchId id;
    bool ahead;
    std::vector<RequestId> requests;
  };
  std::vector<Left> Poll() {
    actions_.Clear();
    engine_->Poll(At(now_), &actions_);
    std::vector<Left> left;
    for (const auto& b : actions_.batches) {
      left.push_back({b.id, b.ahead, {}});
      for (size_t i = b.begin; i < b.end; ++i) left.back().requests.push_back(actions_.items[i].id);
    }
    EXPECT_OK(engine_->CheckInvariants());
    return left;
  }
  void Finish(const Left& batch) {
    for (const RequestId id : batch.requests) engine_->Complete(At(now_), id, Outcome::kOk);
    engine_->OnBatchDone(At(now_), batch.id);
    EXPECT_OK(engine_->CheckInvariants());
  }
  // The batch that leaves ahead of the one that runs, at the time that the engine asks for.
  Left FormAhead() {
    Poll();
    EXPECT_GT(actions_.wake_at.nanoseconds(), now_);
    now_ = actions_.wake_at.nanoseconds();
    const auto left = Poll();
    EXPECT_EQ(left.size(), 1u);
    return left.empty() ? Left() : left[0];
  }

  std::optional<BatchEngine> engine_;
  EngineActions actions_;
  std::vector<RequestId> ids_;
  uint64_t next_tag_ = 0;
  int64_t now_ = kMs;
};

TEST_F(EngineAheadTest, AFullBatchLeavesShortlyBeforeTheSlotIsFreeAndThenOwnsIt) {
  const int64_t start = now_;
  Offer(4);
  const auto running = Poll();
  ASSERT_EQ(running.size(), 1u);
  EXPECT_FALSE(running[0].ahead);
  EXPECT_TRUE(engine_->holds_slot(running[0].id));
  const Left next = FormAhead();
  EXPECT_TRUE(next.ahead);
  EXPECT_EQ(next.requests.size(), 2u);
  EXPECT_GE(now_, start + 5 * kMs);
  EXPECT_LT(now_, start + 10 * kMs);
  EXPECT_FALSE(engine_->holds_slot(next.id));
  now_ = start + 10 * kMs;
  Finish(running[0]);
  EXPECT_TRUE(engine_->holds_slot(next.id));
  EXPECT_FALSE(engine_->slot_free());
  EXPECT_EQ(engine_->GetStats().batches_ahead, 1u);
}

TEST_F(EngineAheadTest, WhatAnotherCouldJoinDoesNotLeaveAhead) {
  Offer(3);
  Poll();
  now_ += 9900'000;
  EXPECT_TRUE(Poll().empty());
}

TEST_F(EngineAheadTest, OnlyOneBatchLeavesAhead) {
  Offer(8);
  Poll();
  FormAhead();
  now_ += kMs / 10;
  EXPECT_TRUE(Poll().empty());
}

TEST_F(EngineAheadTest, TheTimeOfABatchCountsFromWhenItHasItsSlot) {
  Offer(4);
  const auto running = Poll();
  const int64_t start = now_;
  const Left next = FormAhead();
  now_ = start + 10 * kMs;
  Finish(running[0]);
  now_ += 10 * kMs;
  Finish(next);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(engine_->PredictBatchTime(2, 2)), 10, 0.1);
}

TEST_F(EngineAheadTest, ACancelReachesABatchThatWaitsAndTheBatchStillGetsItsSlot) {
  Offer(4);
  const auto running = Poll();
  const Left next = FormAhead();
  EXPECT_TRUE(engine_->Cancel(At(now_), next.requests[0]));
  EXPECT_TRUE(engine_->Cancel(At(now_), next.requests[1]));
  EXPECT_OK(engine_->CheckInvariants());
  Finish(running[0]);
  EXPECT_TRUE(engine_->holds_slot(next.id));
  engine_->OnBatchDone(At(now_), next.id);
  EXPECT_TRUE(engine_->slot_free());
  EXPECT_TRUE(engine_->idle());
}

TEST_F(EngineAheadTest, ABatchGivenUpBeforeItRanLeavesTheSlotAlone) {
  Offer(6);
  const auto running = Poll();
  const Left next = FormAhead();
  for (const RequestId id : next.requests) {
    EXPECT_TRUE(engine_->Complete(At(now_), id, Outcome::kRuntimeDropped));
  }
  engine_->OnBatchDone(At(now_), next.id);
  EXPECT_TRUE(engine_->holds_slot(running[0].id));
  EXPECT_EQ(Poll().size(), 1u);  // the next ones go ahead
}

// Batches of one for a runtime that the test plays; what was formed ahead waits for the test too.
class BatcherAheadTest : public testing::Test {
 protected:
  using IntBatch = Batch<int, int>;
  using Book = std::deque<IntBatch>;

  BatcherAheadTest() {
    BatcherOptions options;
    options.clock = &clock_;
    options.max_batch_requests = 1;
    options.form_ahead = true;
    batcher_.emplace(*Batcher<int, int>::Create(
        options, [this](IntBatch batch) { Add(&running_, std::move(batch)); }, nullptr,
        [this](IntBatch batch) { Add(&preparing_, std::move(batch)); }));
    for (int i = 0; i < 20; ++i) {
      Submit();
      IntBatch batch = Take(&running_);
      clock_.Advance(absl::Milliseconds(10));
      batch.Complete(0, 0);
    }
  }
  Ticket Submit() {
    const int name = submitted_++;
    return *batcher_->Submit(int{name}, SubmitOptions(),
                             [this, name](absl::StatusOr<int>, const CompletionInfo& info) {
                               const std::lock_guard<std::mutex> lock(mu_);
                               EXPECT_TRUE(ends_.emplace(name, info.outcome).second);
                               changed_.notify_all();
                             });
  }
  void Add(Book* book, IntBatch batch) {
    const std::lock_guard<std::mutex> lock(mu_);
    book->push_back(std::move(batch));
    changed_.notify_all();
  }
  IntBatch Take(Book* book) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [book] { return !book->empty(); });
    IntBatch batch = std::move(book->front());
    book->pop_front();
    return batch;
  }
  bool Empty(const Book& book) {
    const std::lock_guard<std::mutex> lock(mu_);
    return book.empty();
  }
  Outcome AwaitEnd(int name) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [&] { return ends_.count(name) == 1; });
    return ends_[name];
  }
  // One runs, and the next waits in Prepare.
  void RunOneAndPrepareOne() {
    Submit();
    first_.emplace(Take(&running_));
    second_ = Submit();
    clock_.Advance(absl::Microseconds(9900));
    next_.emplace(Take(&preparing_));
  }

  ManualClock clock_;
  std::mutex mu_;
  std::condition_variable changed_;
  Book running_, preparing_;
  std::map<int, Outcome> ends_;
  int submitted_ = 0;
  std::optional<Batcher<int, int>> batcher_;
  std::optional<IntBatch> first_, next_;
  Ticket second_;
};

TEST_F(BatcherAheadTest, APreparedBatchRunsWhenTheSlotIsFreeAndNotBefore) {
  RunOneAndPrepareOne();
  IntBatch::Ready(*std::move(next_));
  ASSERT_OK(batcher_->CheckInvariants());
  EXPECT_TRUE(Empty(running_));
  first_->Complete(0, 0);
  EXPECT_TRUE(Empty(running_));
  first_.reset();
  IntBatch next = Take(&running_);
  EXPECT_EQ(next.request(0), 21);
  next.Complete(0, 0);
  EXPECT_EQ(AwaitEnd(21), Outcome::kOk);
}

TEST_F(BatcherAheadTest, ABatchWhoseSlotIsFreeBeforeItIsPreparedRunsAsSoonAsItIs) {
  RunOneAndPrepareOne();
  first_.reset();
  Submit();  // cannot overtake it
  EXPECT_TRUE(Empty(running_));
  IntBatch::Ready(*std::move(next_));
  EXPECT_EQ(Take(&running_).request(0), 21);
}

TEST_F(BatcherAheadTest, ABatchThatPrepareDropsFailsAndTheOthersGoOn) {
  RunOneAndPrepareOne();
  next_.reset();
  EXPECT_EQ(AwaitEnd(21), Outcome::kRuntimeDropped);
  Submit();
  first_.reset();
  EXPECT_EQ(Take(&running_).request(0), 22);
}

TEST_F(BatcherAheadTest, ACancelIsAnsweredAtOnceAndTheRuntimeSeesIt) {
  RunOneAndPrepareOne();
  EXPECT_TRUE(batcher_->Cancel(second_));
  EXPECT_EQ(AwaitEnd(21), Outcome::kCancelled);
  IntBatch::Ready(*std::move(next_));
  first_.reset();
  EXPECT_TRUE(Take(&running_).cancelled(0));
}

TEST_F(BatcherAheadTest, AReleasedSlotStartsThePreparedBatchBesideTheCall) {
  RunOneAndPrepareOne();
  IntBatch::Ready(*std::move(next_));
  first_->ReleaseSlot();
  EXPECT_EQ(Take(&running_).request(0), 21);
}

TEST_F(BatcherAheadTest, ClosingEndsWhatWaitsPrepared) {
  RunOneAndPrepareOne();
  IntBatch::Ready(*std::move(next_));
  batcher_.reset();
  EXPECT_EQ(AwaitEnd(21), Outcome::kShutdown);
  first_.reset();
}

TEST_F(BatcherAheadTest, ABatchThatIsReadyAfterTheEndIsDropped) {
  RunOneAndPrepareOne();
  batcher_.reset();
  EXPECT_EQ(AwaitEnd(21), Outcome::kShutdown);
  IntBatch::Ready(*std::move(next_));
  first_.reset();
  EXPECT_TRUE(Empty(running_));
}

TEST_F(BatcherAheadTest, DrainFinishesWhatWaitsPrepared) {
  RunOneAndPrepareOne();
  IntBatch::Ready(*std::move(next_));
  std::thread drain([this] { EXPECT_OK(batcher_->Drain(absl::Seconds(5))); });
  first_->Complete(0, 0);
  first_.reset();
  Take(&running_).Complete(0, 0);
  drain.join();
  EXPECT_EQ(AwaitEnd(21), Outcome::kOk);
}

}  // namespace
}  // namespace penstock
