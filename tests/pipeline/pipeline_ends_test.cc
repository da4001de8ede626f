// SPDX-License-Identifier: Apache-2.0
//
// Every accepted request ends exactly once, whatever goes wrong, and K/V blocks end where they
// belong.
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/testing/manual_executor.h"
#include "tests/pipeline/fakes.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- Cancelling ----

TEST(CancelTest, BeforeItIsTokenizedEndsTheRequestInsideTheCall) {
  PipelineBench bench;
  ManualExecutor preparation;
  bench.options.executor = &preparation;
  bench.Open();
  PipelineTicket ticket = bench.Submit("a", "x");
  EXPECT_TRUE(bench.pipeline->Cancel(ticket));
  ASSERT_TRUE(bench.results.Has("a"));
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kCancelled, HasSubstr("\"a\"")));
  EXPECT_FALSE(bench.pipeline->Cancel(ticket));
  preparation.RunAll();
  EXPECT_EQ(bench.pipeline->GetStats().parts, 0u);
  bench.ExpectQuiet();
}

TEST(CancelTest, InTheQueueFreesThePlaceInsideTheCall) {
  PipelineBench bench;
  bench.options.batching.max_batch_requests = 1;
  bench.Open();
  bench.Submit("running", "x");
  PrefillBatch running = bench.batches.Next();
  PipelineTicket ticket = bench.Submit("a", "x");
  while (bench.pipeline->GetStats().batcher.queued < 1) std::this_thread::yield();
  EXPECT_TRUE(bench.pipeline->Cancel(ticket));
  EXPECT_TRUE(bench.results.Has("a"));
  EXPECT_EQ(bench.pipeline->GetStats().batcher.queued, 0u);
  EXPECT_EQ(bench.pipeline->GetStats().in_flight, 1u);
}

TEST(CancelTest, WhileItRunsKeepsTheBlocksUntilTheRunnerIsDone) {
  PipelineBench bench;
  bench.Open();
  PipelineTicket ticket = bench.Submit("a", "some text in five blocks");
  {
    PrefillBatch batch = bench.batches.Next();
    EXPECT_FALSE(batch.cancelled(0));
    EXPECT_TRUE(bench.pipeline->Cancel(ticket));
    EXPECT_TRUE(bench.results.Has("a"));
    EXPECT_TRUE(batch.cancelled(0));
    // The runner may still be writing: its lease lives.
    EXPECT_EQ(bench.pipeline->GetStats().kv_cache.live_leases, 1u);
    EXPECT_FALSE(batch.item(0).blocks().empty());
    batch.Complete(0, PrefillResult());  // late, and dropped; but what it computed is there
  }
  bench.ExpectQuiet();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult again, bench.Serve(PipelineBench::Request(
                                                                "b", "some text in five blocks")));
  EXPECT_GT(again.parts[0].cached_tokens, 0u);
}

TEST(CancelTest, AfterTheEndOrWithoutARequestDoesNothing) {
  PipelineBench bench;
  bench.Open();
  EXPECT_FALSE(bench.pipeline->Cancel(PipelineTicket()));
  const PipelineTicket ticket = bench.Submit("a", "x");
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_FALSE(bench.pipeline->Cancel(ticket));
}

TEST(CancelTest, ATicketOfAnotherPipelineDoesNothing) {
  PipelineBench bench, other;
  bench.Open();
  other.Open();
  const PipelineTicket ticket = bench.Submit("a", "x");
  PrefillBatch batch = bench.batches.Next();
  EXPECT_FALSE(other.pipeline->Cancel(ticket));
  EXPECT_FALSE(batch.cancelled(0));
  batch.Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
}

// ---- Timeouts ----

TEST(TimeoutTest, BeforeItIsTokenizedIsNoticedThere) {
  PipelineBench bench;
  ManualExecutor preparation;
  bench.options.executor = &preparation;
  bench.Open();
  PipelineRequest request = PipelineBench::Request("a", "x");
  request.timeout = absl::Milliseconds(10);
  bench.Submit(std::move(request));
  bench.clock.Advance(absl::Milliseconds(10));
  preparation.RunAll();
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_EQ(bench.pipeline->GetStats().expired, 1u);
  bench.ExpectQuiet();
}

TEST(TimeoutTest, InTheQueueCountsFromSubmit) {
  PipelineBench bench;
  ManualExecutor preparation;
  bench.options.executor = &preparation;
  bench.options.batching.max_batch_requests = 1;
  bench.Open();
  bench.Submit("running", "x");
  preparation.RunAll();
  PrefillBatch running = bench.batches.Next();
  PipelineRequest request = PipelineBench::Request("a", "x");
  request.timeout = absl::Milliseconds(10);
  bench.Submit(std::move(request));
  bench.clock.Advance(absl::Milliseconds(4));
  preparation.RunAll();
  bench.clock.Advance(absl::Milliseconds(6) - absl::Nanoseconds(1));
  EXPECT_FALSE(bench.results.Has("a"));
  bench.clock.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(TimeoutTest, WhileItRunsKeepsTheBlocksUntilTheRunnerIsDone) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest request = PipelineBench::Request("a", "some text");
  request.timeout = absl::Milliseconds(10);
  bench.Submit(std::move(request));
  {
    PrefillBatch batch = bench.batches.Next();
    EXPECT_FALSE(batch.item(0).deadline.is_infinite());
    bench.clock.Advance(absl::Milliseconds(10));
    EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_EQ(bench.pipeline->GetStats().kv_cache.live_leases, 1u);
  }
  bench.ExpectQuiet();
}

// ---- Runners that misbehave ----

TEST(RunnerTest, ThatDropsItsBatchFailsEachRequestOnce) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "x");
  { const PrefillBatch dropped = bench.batches.Next(); }
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kInternal));
  EXPECT_EQ(bench.pipeline->GetStats().failed, 1u);
  bench.ExpectQuiet();
}

TEST(RunnerTest, ThatCompletesTwiceIsIgnoredTheSecondTime) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "x");
  PrefillBatch batch = bench.batches.Next();
  batch.Complete(0, PrefillResult{{1}, nullptr});
  batch.Complete(0, PrefillResult{{2}, nullptr});
  batch.Complete(0, absl::UnknownError("and an error"));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("a"));
  EXPECT_THAT(result.parts[0].result.output_ids, ElementsAre(1));
  bench.ExpectQuiet();
}

TEST(RunnerTest, ThatFailsEverythingCommitsNothing) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "text that will fail");
  bench.batches.Next().FailAll(absl::DataLossError("device lost"));
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kDataLoss));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult again,
                                bench.Serve(PipelineBench::Request("b", "text that will fail")));
  EXPECT_EQ(again.parts[0].cached_tokens, 0u);
  bench.ExpectQuiet();
}

TEST(RunnerTest, ThatFinishesAfterThePipelineIsGoneHarmsNothing) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "x");
  PrefillBatch batch = bench.batches.Next();
  bench.pipeline.reset();
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kUnavailable));
  EXPECT_TRUE(batch.cancelled(0));
  batch.Complete(0, PrefillResult());
}

TEST(RunnerTest, MayCompleteFromAnotherThread) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "x");
  std::thread([batch = bench.batches.Next()]() mutable {
    batch.Complete(0, PrefillResult());
  }).join();
  EXPECT_OK(bench.results.Await("a"));
  bench.ExpectQuiet();
}

TEST(RunnerTest, ThatReleasesItsSlotGetsTheNextBatchWhileItGoesOn) {
  PipelineBench bench;
  bench.options.batching.max_batch_requests = 1;
  bench.Open();
  bench.Submit("a", "x");
  PrefillBatch decoding = bench.batches.Next();
  bench.Submit("b", "y");
  decoding.ReleaseSlot();
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("b"));
  decoding.Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
}

// ---- Pieces ----

TEST(StreamingTest, PiecesComeInOrderBeforeTheResult) {
  PipelineBench bench;
  bench.Open();
  std::vector<TokenId> pieces;
  ASSERT_OK(bench.pipeline->SubmitStreaming(
      PipelineBench::Request("a", "x"),
      [&](size_t part, PrefillResult piece) {
        EXPECT_EQ(part, 0u);
        EXPECT_FALSE(bench.results.Has("a"));
        pieces.push_back(piece.output_ids[0]);
      },
      bench.results.For("a")));
  PrefillBatch batch = bench.batches.Next();
  bench.clock.Advance(absl::Milliseconds(5));
  EXPECT_TRUE(batch.Emit(0, PrefillResult{{1}, nullptr}));
  bench.clock.Advance(absl::Milliseconds(5));
  EXPECT_TRUE(batch.Emit(0, PrefillResult{{2}, nullptr}));
  batch.Complete(0, PrefillResult());
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("a"));
  EXPECT_THAT(pieces, ElementsAre(1, 2));
  EXPECT_EQ(result.parts[0].time_to_first_token, absl::Milliseconds(5));
  EXPECT_EQ(result.parts[0].service_time, absl::Milliseconds(10));
}

TEST(StreamingTest, NoPieceComesAfterTheEnd) {
  PipelineBench bench;
  bench.Open();
  size_t pieces = 0;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(
      PipelineTicket ticket, bench.pipeline->SubmitStreaming(
                                 PipelineBench::Request("a", "x"),
                                 [&](size_t, PrefillResult) { ++pieces; }, bench.results.For("a")));
  PrefillBatch batch = bench.batches.Next();
  EXPECT_TRUE(bench.pipeline->Cancel(ticket));
  EXPECT_FALSE(batch.Emit(0, PrefillResult()));
  EXPECT_EQ(pieces, 0u);
}

TEST(StreamingTest, APieceCallbackMayCancelItsOwnRequest) {
  PipelineBench bench;
  bench.Open();
  PipelineTicket ticket;
  bool ended_inside = true;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(ticket, bench.pipeline->SubmitStreaming(
                                            PipelineBench::Request("a", "x"),
                                            [&](size_t, PrefillResult) {
                                              EXPECT_TRUE(bench.pipeline->Cancel(ticket));
                                              ended_inside = bench.results.Has("a");
                                            },
                                            bench.results.For("a")));
  PrefillBatch batch = bench.batches.Next();
  batch.Emit(0, PrefillResult());
  EXPECT_FALSE(ended_inside);  // the result never overtakes the piece
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kCancelled));
}

// ---- No room ----

TEST(RoomTest, ARequestWaitsForTheBlocksOfAnother) {
  PipelineBench bench(/*blocks=*/8);
  bench.options.max_prompt_tokens = 32;
  bench.options.batching.max_concurrent_batches = 2;
  bench.Open();
  bench.Submit("a", std::string(24, 'a'));
  PrefillBatch first = bench.batches.Next();
  bench.Submit("b", std::string(24, 'b'));
  while (bench.pipeline->GetStats().batcher.put_back == 0) std::this_thread::yield();
  EXPECT_TRUE(bench.batches.empty());
  EXPECT_FALSE(bench.results.Has("b"));
  first.Complete(0, absl::UnknownError("frees its blocks"));
  PrefillBatch second = bench.batches.Next();
  EXPECT_EQ(second.item(0).request.id, "b");
  second.Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("b"));
  bench.ExpectQuiet();
}

TEST(RoomTest, ARequestThatNobodyCanMakeRoomForFailsAndTheOthersGoOn) {
  PipelineBench bench(/*blocks=*/8);
  bench.Open();
  bench.Submit("large", std::string(60, 'l'));  // fifteen blocks
  EXPECT_THAT(bench.results.Await("large"),
              StatusIs(StatusCode::kResourceExhausted,
                       HasSubstr("request \"large\": no K/V blocks for 60 tokens")));
  EXPECT_OK(bench.Serve(PipelineBench::Request("small", "fits")));
  bench.ExpectQuiet();
}

TEST(RoomTest, SmallRequestsBehindALargeOneDoNotStarveIt) {
  PipelineBench bench(/*blocks=*/8);
  bench.options.max_prompt_tokens = 32;
  bench.options.batching.max_batch_requests = 1;
  bench.options.batching.max_concurrent_batches = 2;
  bench.Open();
  bench.Submit("first", "1234");
  PrefillBatch first = bench.batches.Next();
  bench.Submit("large", std::string(32, 'l'));  // all eight
  while (bench.pipeline->GetStats().batcher.put_back == 0) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) bench.Submit("small" + std::to_string(i), "abcd");
  first.Complete(0, PrefillResult());
  { const PrefillBatch done = std::move(first); }
  PrefillBatch next = bench.batches.Next();
  EXPECT_EQ(next.item(0).request.id, "large");
}

TEST(RoomTest, NobodyInTheSameBatchOvertakesARequestThatWaitsForRoom) {
  PipelineBench bench(/*blocks=*/8);
  bench.options.max_prompt_tokens = 32;
  bench.options.batching.max_batch_requests = 2;
  bench.options.batching.max_concurrent_batches = 2;
  bench.Open();
  bench.Submit("first", "1234");
  PrefillBatch first = bench.batches.Next();
  bench.Submit("second", "5678");
  PrefillBatch second = bench.batches.Next();
  bench.Submit("large", std::string(32, 'l'));  // all eight
  bench.Submit("small", "abcd");
  while (bench.pipeline->GetStats().batcher.queued < 2) std::this_thread::yield();
  second.Complete(0, PrefillResult());
  { const PrefillBatch done = std::move(second); }  // large and small leave together
  while (bench.pipeline->GetStats().batcher.put_back == 0) std::this_thread::yield();
  first.Complete(0, PrefillResult());
  { const PrefillBatch done = std::move(first); }
  PrefillBatch next = bench.batches.Next();
  EXPECT_EQ(next.item(0).request.id, "large");
}

TEST(RoomTest, AWaitingRequestTimesOut) {
  PipelineBench bench(/*blocks=*/8);
  bench.options.max_prompt_tokens = 32;
  bench.options.batching.max_concurrent_batches = 2;
  bench.Open();
  bench.Submit("a", std::string(32, 'a'));
  PrefillBatch first = bench.batches.Next();
  PipelineRequest second = PipelineBench::Request("b", std::string(32, 'b'));
  second.timeout = absl::Milliseconds(50);
  bench.Submit(std::move(second));
  while (bench.pipeline->GetStats().batcher.put_back == 0) std::this_thread::yield();
  bench.clock.Advance(absl::Milliseconds(50));
  EXPECT_THAT(bench.results.Await("b"), StatusIs(StatusCode::kDeadlineExceeded));
  first.Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  bench.ExpectQuiet();
}

// A store that fails one allocation or copy.
class FaultyStore final : public BlockStore {
 public:
  explicit FaultyStore(BlockStore* store) : store_(store) {}
  absl::Status Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) override {
    return Fails() ? error_ : store_->Allocate(group, tier, out);
  }
  void Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) override {
    store_->Free(group, tier, blocks);
  }
  absl::Status Copy(absl::Span<const BlockCopy> copies) override {
    return Fails() ? error_ : store_->Copy(copies);
  }
  void Transfer(absl::Span<const BlockCopy> copies, Done done) override {
    store_->Transfer(copies, std::move(done));
  }
  size_t BytesPerBlock(GroupId group, Tier tier) const override {
    return store_->BytesPerBlock(group, tier);
  }
  void FailCall(size_t k, absl::Status error) {
    fail_at_ = calls_ + k;
    error_ = std::move(error);
  }
  size_t calls() const { return calls_; }

 private:
  bool Fails() { return calls_++ == fail_at_; }

  BlockStore* store_;
  std::atomic<size_t> calls_{0};
  size_t fail_at_ = SIZE_MAX;
  absl::Status error_;
};

TEST(RoomTest, AStoreThatFailsAtAnyCallLosesNoRequestAndNoBlock) {
  for (const StatusCode code : {StatusCode::kResourceExhausted, StatusCode::kUnknown}) {
    for (size_t k = 0; k < 12; ++k) {
      PipelineBench bench(/*blocks=*/12);
      FaultyStore faulty(bench.store.get());
      bench.other_store = &faulty;
      bench.Open();
      faulty.FailCall(k, absl::Status(code, "injected"));
      for (int i = 0; i < 6; ++i) {
        const std::string id = std::to_string(i);
        bench.Submit(id, "common beginning, " + std::to_string(i % 3) + " and an end");
        while (!bench.results.Has(id)) {
          if (bench.batches.empty()) continue;
          PrefillBatch batch = bench.batches.Next();
          for (size_t j = 0; j < batch.size(); ++j) batch.Complete(j, PrefillResult());
        }
      }
      bench.ExpectQuiet();
      EXPECT_EQ(bench.results.size(), 6u);
      bench.pipeline.reset();
      EXPECT_EQ(bench.store->allocated_blocks(), 0u);
    }
  }
}

// ---- Shutting down ----

TEST(DrainTest, FinishesWhatWasAcceptedAndRefusesWhatIsNew) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", "x");
  std::thread runner([&] { bench.batches.Next().Complete(0, PrefillResult()); });
  EXPECT_OK(bench.pipeline->Drain(absl::Seconds(5)));
  runner.join();
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_THAT(bench.TrySubmit(PipelineBench::Request("b", "x")),
              StatusIs(StatusCode::kUnavailable, HasSubstr("draining")));
  bench.ExpectQuiet();
}

TEST(DrainTest, EndsTheRestWhenItsBudgetIsSpent) {
  PipelineBench bench;
  bench.options.batching.max_batch_requests = 1;
  ManualExecutor preparation;
  bench.options.executor = &preparation;
  bench.Open();
  bench.Submit("running", "x");
  bench.Submit("queued", "y");
  preparation.RunAll();
  PrefillBatch running = bench.batches.Next();
  bench.Submit("not tokenized", "z");
  EXPECT_THAT(bench.pipeline->Drain(absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("3 requests")));
  for (const char* id : {"running", "queued", "not tokenized"}) {
    EXPECT_THAT(bench.results.Await(id), StatusIs(StatusCode::kUnavailable)) << id;
  }
  preparation.RunAll();
  EXPECT_EQ(bench.pipeline->GetStats().unavailable, 3u);
  EXPECT_TRUE(running.cancelled(0));
}

TEST(DrainTest, InsideACallbackOrTheRunnerIsRefused) {
  PipelineBench bench;
  bench.Open();
  absl::Status inside;
  ASSERT_OK(bench.pipeline->Submit(PipelineBench::Request("a", "x"),
                                   [&](absl::StatusOr<PipelineResult> result) {
                                     inside = bench.pipeline->Drain(absl::Seconds(1));
                                     bench.results.Add("a", std::move(result));
                                   }));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_THAT(inside, StatusIs(StatusCode::kFailedPrecondition));
}

TEST(DestructionTest, EndsEverythingAndWaitsForNobodyElse) {
  PipelineBench bench;
  bench.options.batching.max_batch_requests = 1;
  bench.Open();
  bench.Submit("running", "x");
  PrefillBatch running = bench.batches.Next();
  bench.Submit("queued", "y");
  bench.pipeline.reset();
  for (const char* id : {"running", "queued"}) {
    EXPECT_THAT(bench.results.Await(id), StatusIs(StatusCode::kUnavailable)) << id;
  }
}

TEST(DestructionTest, OfAPipelineWhoseExecutorNeverRanIsClean) {
  ManualExecutor preparation;
  PipelineBench bench;
  bench.options.executor = &preparation;
  bench.Open();
  bench.Submit("a", "x");
  bench.pipeline.reset();
  EXPECT_THAT(bench.results.Await("a"), StatusIs(StatusCode::kUnavailable));
  preparation.RunAll();  // finds that its request has ended
}

TEST(CallbackTest, MaySubmitCancelAndLook) {
  PipelineBench bench;
  bench.options.max_in_flight = 1;
  bench.Open();
  PipelineTicket ticket;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(
      ticket, bench.pipeline->Submit(PipelineBench::Request("a", "x"),
                                     [&](absl::StatusOr<PipelineResult> result) {
                                       EXPECT_FALSE(bench.pipeline->Cancel(ticket));
                                       // Its own place is free already.
                                       EXPECT_EQ(bench.pipeline->GetStats().in_flight, 0u);
                                       bench.Submit("b", "y");
                                       bench.results.Add("a", std::move(result));
                                     }));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("b"));
}

}  // namespace
}  // namespace penstock
