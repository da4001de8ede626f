// SPDX-License-Identifier: Apache-2.0
//
// PipelineOptions::prepare_ahead: leases that are taken before the runner is free, and completions
// that another thread carries out.
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/pipeline/fakes.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using absl::StatusCode;

// Batches of one that take 10 ms of the test's clock.
class AheadTest : public testing::Test {
 protected:
  void Open() {
    bench_.options.batching.max_batch_requests = 1;
    bench_.Open();
    for (int i = 0; i < 20; ++i) {
      const std::string id = "teach" + std::to_string(i);
      bench_.Submit(id, id);
      PrefillBatch batch = bench_.batches.Next();
      bench_.clock.Advance(absl::Milliseconds(10));
      batch.Complete(0, PrefillResult());
    }
    taught_ = bench_.pipeline->GetStats();
  }
  uint64_t LeasesTaken() {
    const auto now = bench_.pipeline->GetStats().stages[static_cast<size_t>(PipelineStage::kLease)];
    return now.left - taught_.stages[static_cast<size_t>(PipelineStage::kLease)].left;
  }
  // "a" runs; "b" leaves ahead.
  PrefillBatch RunAAndFormB(const std::string& a, const std::string& b) {
    bench_.Submit("a", a);
    PrefillBatch first = bench_.batches.Next();
    ticket_ = bench_.Submit("b", b);
    while (bench_.pipeline->GetStats().batcher.queued == 0) std::this_thread::yield();
    bench_.clock.Advance(absl::Microseconds(9900));
    const uint64_t ahead = taught_.batcher.batches_ahead + 1;
    while (bench_.pipeline->GetStats().batcher.batches_ahead < ahead) std::this_thread::yield();
    return first;
  }
  static void End(PrefillBatch batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, PrefillResult());
  }

  PipelineBench bench_;
  PipelineStats taught_;
  PipelineTicket ticket_;
};

TEST_F(AheadTest, TheNextBatchHasItsBlocksBeforeTheRunnerIsFree) {
  Open();
  PrefillBatch first = RunAAndFormB("first text", "second text");
  while (LeasesTaken() < 2) std::this_thread::yield();
  EXPECT_TRUE(bench_.batches.empty());
  End(std::move(first));
  PrefillBatch next = bench_.batches.Next();
  EXPECT_EQ(next.item(0).request.id, "b");
  ASSERT_NE(next.item(0).lease, nullptr);
  EXPECT_EQ(LeasesTaken(), 2u);  // none at dispatch
  End(std::move(next));
  EXPECT_OK(bench_.results.Await("a"));
  EXPECT_OK(bench_.results.Await("b"));
}

TEST_F(AheadTest, APrefixThatTheRunningBatchHasYetToCommitIsNotMissed) {
  Open();
  PrefillBatch first = RunAAndFormB("the same prefix: a", "the same prefix: b");
  End(std::move(first));
  PrefillBatch next = bench_.batches.Next();
  EXPECT_EQ(next.item(0).cached_tokens, 16u);
  End(std::move(next));
}

TEST_F(AheadTest, TheFirstOfTwoCompletionsCountsAndNothingIsEmittedAfterIt) {
  Open();
  PrefillBatch first = RunAAndFormB("first text", "second text");
  while (LeasesTaken() < 2) std::this_thread::yield();
  first.Complete(0, PrefillResult());
  EXPECT_TRUE(first.cancelled(0));
  EXPECT_FALSE(first.Emit(0, PrefillResult()));
  first.Complete(0, absl::UnknownError("too late"));
  first.FailAll(absl::UnknownError("too late as well"));
  EXPECT_OK(bench_.results.Await("a"));
  { const PrefillBatch done = std::move(first); }
  End(bench_.batches.Next());
  EXPECT_OK(bench_.results.Await("b"));
  while (bench_.pipeline->GetStats().in_flight > 0) std::this_thread::yield();
  EXPECT_EQ(bench_.pipeline->GetStats().batcher.late_results, 1u);
}

TEST_F(AheadTest, ACancelOfAPreparedRequestIsAnsweredAtOnceAndItsBlocksComeBack) {
  Open();
  PrefillBatch first = RunAAndFormB("first text", "second text");
  while (LeasesTaken() < 2) std::this_thread::yield();
  EXPECT_TRUE(bench_.pipeline->Cancel(ticket_));
  EXPECT_THAT(bench_.results.Await("b"), StatusIs(StatusCode::kCancelled));
  End(std::move(first));
  EXPECT_OK(bench_.results.Await("a"));
  EXPECT_OK(bench_.Serve(PipelineBench::Request("c", "third text")));
  EXPECT_OK(bench_.pipeline->Drain(absl::Seconds(5)));
  bench_.ExpectQuiet();
}

TEST_F(AheadTest, WhoFindsNoRoomAheadFindsItWhenTheOneBeforeIsDone) {
  bench_.options.max_prompt_tokens = 32;
  MemoryBlockStoreOptions o;
  o.block_tokens = 4;
  o.capacity_blocks = 8;
  bench_.store = *MemoryBlockStore::Create(o);
  Open();
  PrefillBatch first = RunAAndFormB(std::string(24, 'a'), std::string(24, 'b'));
  while (LeasesTaken() < 2) std::this_thread::yield();  // the second attempt failed
  End(std::move(first));
  End(bench_.batches.Next());
  EXPECT_OK(bench_.results.Await("a"));
  EXPECT_OK(bench_.results.Await("b"));
  EXPECT_OK(bench_.pipeline->Drain(absl::Seconds(5)));
  bench_.ExpectQuiet();
}

TEST_F(AheadTest, DestructionEndsWhatWaitsPreparedAndABatchMayOutliveIt) {
  Open();
  PrefillBatch first = RunAAndFormB("first text", "second text");
  while (LeasesTaken() < 2) std::this_thread::yield();
  bench_.pipeline.reset();
  EXPECT_THAT(bench_.results.Await("b"), StatusIs(StatusCode::kUnavailable));
  End(std::move(first));
  EXPECT_THAT(bench_.results.Await("a"), StatusIs(StatusCode::kUnavailable));
}

TEST_F(AheadTest, WithoutItLeasesAreTakenAtDispatch) {
  bench_.options.prepare_ahead = false;
  Open();
  bench_.Submit("a", "first text");
  PrefillBatch first = bench_.batches.Next();
  bench_.Submit("b", "second text");
  bench_.clock.Advance(absl::Microseconds(9900));
  EXPECT_EQ(bench_.pipeline->GetStats().batcher.batches_ahead, 0u);
  End(std::move(first));
  End(bench_.batches.Next());
}

}  // namespace
}  // namespace penstock
