// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/testing/manual_executor.h"
#include "tests/batcher/batcher_fixture.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using BatcherTest = BatcherFixture;

SubmitOptions Tokens(int64_t tokens) {
  SubmitOptions options;
  options.tokens = tokens;
  return options;
}
SubmitOptions Priority(int priority) {
  SubmitOptions options;
  options.priority = priority;
  return options;
}
SubmitOptions Timeout(absl::Duration timeout) {
  SubmitOptions options;
  options.timeout = timeout;
  return options;
}

TEST_F(BatcherTest, AnIdleRuntimeGetsARequestAtOnceAndTheRestWhenItIsFreeAgain) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("b"));
  ASSERT_OK(Submit("c"));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_THAT(Names(batches_[0]), ElementsAre("a"));
  EXPECT_EQ(batches_[0].reason(), ReleaseReason::kIdleRuntime);
  CompleteFirst();
  EXPECT_EQ(*results_["a"].value, "a!");
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_THAT(Names(batches_[0]), ElementsAre("b", "c"));
}

TEST_F(BatcherTest, FullOrTimeoutWaitsExactlyFiftyMilliseconds) {
  BatcherOptions options = Options();
  options.mode = BatchMode::kFullOrTimeout;
  Create(options);
  const MonoTime start = clock_.Now();
  ASSERT_OK(Submit("a"));
  EXPECT_EQ(batcher_->PollOnce(), start + absl::Milliseconds(50));
  clock_.Advance(absl::Milliseconds(50) - absl::Nanoseconds(1));
  batcher_->PollOnce();
  EXPECT_TRUE(batches_.empty());
  clock_.Advance(absl::Nanoseconds(1));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_EQ(batches_[0].reason(), ReleaseReason::kTimeout);
}

TEST_F(BatcherTest, FullOrTimeoutLeavesAtOnceWithTheThousandth) {
  BatcherOptions options = Options();
  options.mode = BatchMode::kFullOrTimeout;
  Create(options);
  for (int i = 0; i < 999; ++i) ASSERT_OK(Submit(std::to_string(i)));
  batcher_->PollOnce();
  EXPECT_TRUE(batches_.empty());
  ASSERT_OK(Submit("the thousandth"));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_EQ(batches_[0].size(), 1000u);
  EXPECT_EQ(batches_[0].reason(), ReleaseReason::kFull);
}

TEST_F(BatcherTest, AFullQueueRefusesAndLeavesBothArgumentsWithTheCaller) {
  BatcherOptions options = Options();
  options.max_queue_requests = 1;
  Create(options);
  ASSERT_OK(Submit("a"));
  std::string request = "a request that is too long for the small string optimisation";
  const std::string copy = request;
  auto owned = std::make_unique<int>(7);
  int* const address = owned.get();
  StringBatcher::Callback callback = [owned = std::move(owned), address](
                                         absl::StatusOr<std::string>, const CompletionInfo&) {
    EXPECT_EQ(owned.get(), address);
  };
  const absl::Status refused =
      batcher_->Submit(std::move(request), SubmitOptions(), std::move(callback)).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(RejectCauseOf(refused), RejectCause::kQueueFull);
  EXPECT_TRUE(RetryAfter(refused).has_value());
  EXPECT_EQ(request, copy);
  ASSERT_TRUE(callback != nullptr);
  std::move(callback)(request, CompletionInfo());
  EXPECT_EQ(batcher_->GetStats().rejected_by(RejectCause::kQueueFull), 1u);
}

TEST_F(BatcherTest, DropOldestMakesRoomAndTellsTheVictim) {
  BatcherOptions options = Options();
  options.max_queue_requests = 2;
  options.on_full = OnFull::kDropOldest;
  Create(options);
  ASSERT_OK(Submit("a"));
  ASSERT_OK(Submit("b"));
  ASSERT_OK(Submit("c"));
  EXPECT_EQ(results_.outcome("a"), Outcome::kEvicted);
  EXPECT_THAT(results_["a"].value, StatusIs(absl::StatusCode::kResourceExhausted));
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("b", "c"));
}

TEST_F(BatcherTest, EvictLowestTakesTheNewestOfALowerPriorityOrRefuses) {
  BatcherOptions options = Options();
  options.max_queue_requests = 2;
  options.on_full = OnFull::kEvictLowest;
  Create(options);
  ASSERT_OK(Submit("low 1", Priority(-1)));
  ASSERT_OK(Submit("low 2", Priority(-1)));
  EXPECT_THAT(Submit("low 3", Priority(-1)), StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK(Submit("high", Priority(1)));
  EXPECT_EQ(results_.outcome("low 2"), Outcome::kEvicted);
}

TEST_F(BatcherTest, DegradeAsksOnceAndAcceptsTheCheaperRequest) {
  BatcherOptions options = Options();
  options.max_queue_tokens = 10;
  options.on_full = OnFull::kDegrade;
  int asked = 0;
  Create(options, [&](std::string& request) -> std::optional<int64_t> {
    ++asked;
    request += " (short)";
    return 2;
  });
  ASSERT_OK(Submit("a", Tokens(8)));
  ASSERT_OK(Submit("b", Tokens(8)));
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(Submit("c", Tokens(8)), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(asked, 2);
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("a", "b (short)"));
  EXPECT_EQ(batches_[0].tokens(), 10);
}

TEST_F(BatcherTest, HigherPrioritiesGoFirstAndAgeingBoundsTheirAdvantage) {
  BatcherOptions options = Options();
  options.max_batch_requests = 1;
  options.ageing = absl::Milliseconds(10);
  Create(options);
  ASSERT_OK(Submit("running"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("low", Priority(0)));
  clock_.Advance(absl::Milliseconds(10) - absl::Nanoseconds(1));
  ASSERT_OK(Submit("high, just within the advantage", Priority(1)));
  clock_.Advance(absl::Nanoseconds(2));
  ASSERT_OK(Submit("high, too late to pass", Priority(1)));
  for (int i = 0; i < 4; ++i) {
    CompleteFirst();
    batcher_->PollOnce();
  }
  EXPECT_THAT(results_.order(), ElementsAre("running", "high, just within the advantage", "low",
                                            "high, too late to pass"));
}

TEST_F(BatcherTest, InfiniteAgeingIsStrictPriority) {
  BatcherOptions options = Options();
  options.max_batch_requests = 1;
  options.ageing = absl::InfiniteDuration();
  Create(options);
  ASSERT_OK(Submit("low", Priority(0)));
  clock_.Advance(absl::Hours(1));
  ASSERT_OK(Submit("high", Priority(1)));
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("high"));
}

TEST_F(BatcherTest, ATimeoutEndsAQueuedRequestExactlyAtItsDeadline) {
  Create(Options());
  ASSERT_OK(Submit("running"));
  batcher_->PollOnce();
  const MonoTime start = clock_.Now();
  ASSERT_OK(Submit("a", Timeout(absl::Milliseconds(5))));
  EXPECT_EQ(batcher_->PollOnce(), start + absl::Milliseconds(5));
  clock_.Advance(absl::Milliseconds(5) - absl::Nanoseconds(1));
  batcher_->PollOnce();
  EXPECT_FALSE(results_.has("a"));
  clock_.Advance(absl::Nanoseconds(1));
  batcher_->PollOnce();
  EXPECT_EQ(results_.outcome("a"), Outcome::kExpired);
  EXPECT_THAT(results_["a"].value, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(BatcherTest, ATimeoutEndsARunningRequestAndItsLateResultIsDropped) {
  Create(Options());
  ASSERT_OK(Submit("a", Timeout(absl::Milliseconds(5))));
  batcher_->PollOnce();
  EXPECT_FALSE(batches_[0].cancelled(0));
  clock_.Advance(absl::Milliseconds(5));
  batcher_->PollOnce();
  EXPECT_EQ(results_.outcome("a"), Outcome::kExpired);
  EXPECT_TRUE(batches_[0].cancelled(0));
  CompleteFirst();
  EXPECT_EQ(results_.size(), 1u);
  EXPECT_EQ(batcher_->GetStats().late_results, 1u);
}

TEST_F(BatcherTest, CancelOfAQueuedRequestFreesItsPlaceInsideTheCall) {
  BatcherOptions options = Options();
  options.max_queue_requests = 1;
  Create(options);
  const Ticket a = *Submit("a");
  ASSERT_FALSE(Submit("b").ok());
  EXPECT_TRUE(batcher_->Cancel(a));
  EXPECT_EQ(results_.outcome("a"), Outcome::kCancelled);
  EXPECT_OK(Submit("c"));
  EXPECT_FALSE(batcher_->Cancel(a)) << "cancelled twice";
}

TEST_F(BatcherTest, CancelOfARunningRequestAnswersAtOnce) {
  Create(Options());
  const Ticket a = *Submit("a");
  batcher_->PollOnce();
  EXPECT_TRUE(batcher_->Cancel(a));
  EXPECT_EQ(results_.outcome("a"), Outcome::kCancelled);
  EXPECT_TRUE(batches_[0].cancelled(0));
  EXPECT_EQ(batches_[0].request(0), "a") << "the request lives as long as the batch";
  CompleteFirst();
  EXPECT_FALSE(batcher_->Cancel(a));
}

TEST_F(BatcherTest, ATicketOfAnEndedRequestNeverMatchesANewerOne) {
  Create(Options());
  const Ticket old = *Submit("a");
  batcher_->PollOnce();
  CompleteFirst();
  ASSERT_OK(Submit("b"));
  EXPECT_FALSE(batcher_->Cancel(old));
  EXPECT_FALSE(batcher_->Cancel(Ticket()));
  EXPECT_FALSE(batcher_->Cancel(Ticket{12345, 4'000'000'000u}));
  EXPECT_FALSE(results_.has("b"));
}

TEST_F(BatcherTest, WhatTheRuntimeForgetsIsFailedWhenItsBatchDies) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  ASSERT_OK(Submit("b"));
  batcher_->PollOnce();
  batches_[0].Complete(1, "done");
  batches_.clear();
  EXPECT_EQ(results_.outcome("a"), Outcome::kRuntimeDropped);
  EXPECT_THAT(results_["a"].value, StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(*results_["b"].value, "done");
}

TEST_F(BatcherTest, FailAllGivesEveryUnfinishedRequestTheStatus) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  ASSERT_OK(Submit("b"));
  batcher_->PollOnce();
  batches_[0].Complete(0, "done");
  batches_[0].FailAll(absl::UnavailableError("device lost"));
  EXPECT_EQ(*results_["a"].value, "done");
  EXPECT_EQ(results_.outcome("b"), Outcome::kRuntimeError);
  EXPECT_THAT(results_["b"].value,
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("device lost")));
}

TEST_F(BatcherTest, ASecondCompletionIsCountedAndIgnored) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  batches_[0].Complete(0, "first");
  batches_[0].Complete(0, "second");
  EXPECT_EQ(*results_["a"].value, "first");
  EXPECT_EQ(batcher_->GetStats().late_results, 1u);
}

TEST_F(BatcherTest, APutBackRequestReturnsToTheHeadAndWaitsForACompletion) {
  BatcherOptions options = Options();
  options.max_batch_requests = 2;
  options.max_concurrent_batches = 2;
  Create(options);
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("b"));
  ASSERT_OK(Submit("c"));
  ASSERT_OK(Submit("d"));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 2u);
  EXPECT_TRUE(batches_[1].PutBack(0));
  batches_[1].Complete(1, "c!");  // this completion came after: it may have freed memory
  EXPECT_TRUE(batches_[1].PutBack(0) == false) << "put back twice";
  batches_[1].Complete(0, "late");
  batches_.erase(batches_.begin() + 1);
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 2u);
  EXPECT_THAT(Names(batches_[1]), ElementsAre("b", "d"));
  EXPECT_FALSE(results_.has("b"));
}

TEST_F(BatcherTest, APutBackRequestIsOfferedAgainAfterTheDelayAtTheLatest) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  const MonoTime start = clock_.Now();
  EXPECT_TRUE(batches_[0].PutBack(0));
  batches_.clear();
  EXPECT_EQ(batcher_->PollOnce(), start + absl::Milliseconds(1));
  EXPECT_TRUE(batches_.empty());
  clock_.Advance(absl::Milliseconds(1));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_EQ(batcher_->GetStats().put_back, 1u);
}

TEST_F(BatcherTest, PartsArriveInOrderAndBeforeTheCompletion) {
  Create(Options());
  std::vector<std::string> seen;
  ASSERT_OK(batcher_->SubmitStreaming(
      "a", SubmitOptions(), [&](std::string&& part) { seen.push_back(part); },
      [&](absl::StatusOr<std::string> value, const CompletionInfo&) { seen.push_back(*value); }));
  ASSERT_OK(Submit("b"));
  batcher_->PollOnce();
  EXPECT_TRUE(batches_[0].Emit(0, "one"));
  EXPECT_TRUE(batches_[0].Emit(0, "two"));
  EXPECT_FALSE(batches_[0].Emit(1, "not streaming"));
  batches_[0].Complete(0, "end");
  EXPECT_FALSE(batches_[0].Emit(0, "too late"));
  EXPECT_THAT(seen, ElementsAre("one", "two", "end"));
}

TEST_F(BatcherTest, ACancelFromInsideAPartIsAnsweredAfterThePart) {
  Create(Options());
  std::vector<std::string> seen;
  Ticket ticket;
  ticket = *batcher_->SubmitStreaming(
      "a", SubmitOptions(),
      [&](std::string&&) {
        EXPECT_TRUE(batcher_->Cancel(ticket));
        seen.push_back("part");
      },
      [&](absl::StatusOr<std::string> value, const CompletionInfo&) {
        EXPECT_THAT(value, StatusIs(absl::StatusCode::kCancelled));
        seen.push_back("end");
      });
  batcher_->PollOnce();
  EXPECT_TRUE(batches_[0].Emit(0, "x"));
  EXPECT_THAT(seen, ElementsAre("part", "end"));
}

TEST_F(BatcherTest, ASlotCanBeReleasedBeforeItsResultsAreComplete) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("b"));
  batches_[0].ReleaseSlot();
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 2u);
  CompleteAll(batches_[1]);
  CompleteAll(batches_[0]);
  EXPECT_THAT(results_.order(), ElementsAre("b", "a"));
}

TEST_F(BatcherTest, TheHostDrivesCapacityForContinuousBatching) {
  BatcherOptions options = Options();
  Create(options);
  batcher_->SetCapacity(2, 100);
  for (const char* name : {"a", "b", "c", "d"}) ASSERT_OK(Submit(name, Tokens(40)));
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_THAT(Names(batches_[0]), ElementsAre("a", "b"));
  batcher_->SetCapacity(5, 39);
  batcher_->PollOnce();
  EXPECT_EQ(batches_.size(), 1u) << "the head does not fit and nobody passes it";
  batcher_->SetCapacity(5, 80);
  batcher_->PollOnce();
  ASSERT_EQ(batches_.size(), 2u);
  EXPECT_THAT(Names(batches_[1]), ElementsAre("c", "d"));
}

TEST_F(BatcherTest, TheTokenBudgetEndsABatchAndSaysSo) {
  BatcherOptions options = Options();
  options.token_budget = 100;
  Create(options);
  for (const char* name : {"a", "b", "c"}) ASSERT_OK(Submit(name, Tokens(40)));
  EXPECT_THAT(Submit("too long", Tokens(101)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tokens: 101")));
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("a", "b"));
  EXPECT_EQ(batches_[0].reason(), ReleaseReason::kBudget);
}

TEST_F(BatcherTest, APaddedBudgetCountsLongestTimesRows) {
  BatcherOptions options = Options();
  options.token_budget = 100;
  options.cost_shape = CostShape::kPadded;
  options.lookahead = 1;
  Create(options);
  ASSERT_OK(Submit("a", Tokens(10)));
  ASSERT_OK(Submit("b", Tokens(40)));
  ASSERT_OK(Submit("c", Tokens(30)));
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("a", "b"));
  EXPECT_EQ(batches_[0].padded_tokens(), 80);
}

TEST_F(BatcherTest, DrainFlushesAndThenRefuses) {
  BatcherOptions options = Options();
  options.mode = BatchMode::kFullOrTimeout;
  auto batcher = StringBatcher::Create(options, [this](StringBatch batch) {
    EXPECT_EQ(batch.reason(), ReleaseReason::kDrain);
    CompleteAll(batch);
  });
  ASSERT_OK(batcher);
  ASSERT_OK(batcher->Submit("a", SubmitOptions(), results_.For("a")));
  EXPECT_OK(batcher->Drain(absl::Seconds(1)));
  EXPECT_EQ(results_.outcome("a"), Outcome::kOk);
  const absl::Status refused = batcher->Submit("b", SubmitOptions(), results_.For("b")).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(RejectCauseOf(refused), RejectCause::kShutdown);
}

TEST_F(BatcherTest, DrainFailsWhatIsLeftAtItsDeadline) {
  Create(Options());
  ASSERT_OK(Submit("running"));
  batcher_->PollOnce();
  ASSERT_OK(Submit("queued"));
  const absl::Status drained = batcher_->Drain(absl::ZeroDuration());
  EXPECT_THAT(drained, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("2 requests")));
  EXPECT_EQ(results_.outcome("running"), Outcome::kShutdown);
  EXPECT_EQ(results_.outcome("queued"), Outcome::kShutdown);
  CompleteFirst();
  EXPECT_EQ(results_.size(), 2u);
}

TEST_F(BatcherTest, ABatchMayOutliveItsBatcher) {
  Create(Options());
  ASSERT_OK(Submit("a"));
  batcher_->PollOnce();
  batcher_.reset();
  EXPECT_EQ(results_.outcome("a"), Outcome::kShutdown);
  EXPECT_TRUE(batches_[0].cancelled(0));
  EXPECT_EQ(batches_[0].request(0), "a");
  CompleteFirst();
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(BatcherTest, DrainFromACallbackIsRefused) {
  Create(Options());
  absl::Status drained;
  ASSERT_OK(batcher_->Submit("a", SubmitOptions(),
                             [&](absl::StatusOr<std::string>, const CompletionInfo&) {
                               drained = batcher_->Drain(absl::Seconds(1));
                             }));
  batcher_->PollOnce();
  CompleteFirst();
  EXPECT_THAT(drained, StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(BatcherTest, CallbacksMaySubmitCancelAndAskForStatistics) {
  Create(Options());
  const Ticket other = *Submit("other");
  ASSERT_OK(batcher_->Submit("a", SubmitOptions(),
                             [&](absl::StatusOr<std::string>, const CompletionInfo&) {
                               EXPECT_TRUE(batcher_->Cancel(other));
                               EXPECT_OK(Submit("again"));
                               EXPECT_TRUE(batcher_->GetStats().conserved());
                             }));
  batcher_->PollOnce();
  batches_[0].Complete(1, "x");
  EXPECT_EQ(results_.outcome("other"), Outcome::kCancelled);
  batches_.clear();
  batcher_->PollOnce();
  EXPECT_THAT(Names(batches_[0]), ElementsAre("again"));
}

TEST_F(BatcherTest, ACallbackMayDestroyTheBatcher) {
  Create(Options());
  ASSERT_OK(batcher_->Submit(
      "a", SubmitOptions(),
      [&](absl::StatusOr<std::string>, const CompletionInfo&) { batcher_.reset(); }));
  ASSERT_OK(Submit("b"));
  batcher_->PollOnce();
  batches_[0].Complete(0, "x");
  EXPECT_EQ(results_.outcome("b"), Outcome::kShutdown);
  batches_.clear();
}

TEST_F(BatcherTest, BadArgumentsAreNamed) {
  Create(Options());
  EXPECT_THAT(Submit("a", Tokens(-1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tokens: -1")));
  EXPECT_THAT(Submit("a", Priority(101)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("priority: 101")));
  EXPECT_THAT(Submit("a", Timeout(absl::ZeroDuration())),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("timeout: 0")));
  EXPECT_THAT(batcher_->Submit("a", SubmitOptions(), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("callback is null")));
  EXPECT_THAT(StringBatcher::Create(Options(), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("run is null")));
  BatcherOptions options = Options();
  options.max_batch_requests = 0;
  EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument,
                                           HasSubstr("max_batch_requests: 0, expected")));
  options = Options();
  options.on_full = OnFull::kDegrade;
  EXPECT_THAT(StringBatcher::Create(options, [](StringBatch) {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("kDegrade")));
}

TEST_F(BatcherTest, CallbacksRunOnTheExecutorTheHostNames) {
  ManualExecutor executor;
  BatcherOptions options = Options();
  options.callback_executor = &executor;
  Create(options);
  ASSERT_OK(Submit("a"));
  const Ticket b = *Submit("b");
  batcher_->PollOnce();
  CompleteFirst();
  EXPECT_FALSE(batcher_->Cancel(b));
  EXPECT_EQ(results_.size(), 0u);
  EXPECT_EQ(executor.RunAll(), 2u);
  EXPECT_EQ(results_.size(), 2u);
}

TEST_F(BatcherTest, WakeIsCalledWhenThereIsSomethingToPollFor) {
  int woken = 0;
  BatcherOptions options = Options();
  options.wake = [&] { ++woken; };
  Create(options);
  batcher_->PollOnce();
  ASSERT_OK(Submit("a"));
  EXPECT_EQ(woken, 1);
  batcher_->PollOnce();
  ASSERT_OK(Submit("b"));
  EXPECT_EQ(woken, 1) << "no slot is free: nothing to do before the batch ends";
  CompleteFirst();
  EXPECT_EQ(woken, 2);
}

TEST_F(BatcherTest, TheStatisticsObeyTheConservationLaw) {
  Create(Options());
  for (int i = 0; i < 5; ++i) ASSERT_OK(Submit(std::to_string(i)));
  batcher_->PollOnce();
  batches_[0].Complete(0, "x");
  batches_[0].Complete(1, absl::InternalError("y"));
  const BatcherStats stats = batcher_->GetStats();
  EXPECT_EQ(stats.accepted, 5u);
  EXPECT_EQ(stats.outcome(Outcome::kOk), 1u);
  EXPECT_EQ(stats.outcome(Outcome::kRuntimeError), 1u);
  EXPECT_EQ(stats.in_flight, 3u);
  EXPECT_TRUE(stats.conserved());
  EXPECT_OK(batcher_->CheckInvariants());
}

}  // namespace
}  // namespace penstock
