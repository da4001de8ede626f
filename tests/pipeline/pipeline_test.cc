// SPDX-License-Identifier: Apache-2.0
//
// What a Pipeline does when everything goes well, and what it refuses.
#include "penstock/pipeline.h"

#include <algorithm>
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

TEST(PipelineTest, TextReachesTheRunnerAsIdsThatKeepWhoWroteIt) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest request;
  request.id = "a";
  request.segments = {TrustedText("<"), UntrustedText("x"), TrustedText(">")};
  bench.Submit(std::move(request));
  PrefillBatch batch = bench.batches.Next();
  ASSERT_EQ(batch.size(), 1u);
  const PrefillItem item = batch.item(0);
  EXPECT_THAT(item.ids, ElementsAre('<' + 256, 'x', '>' + 256));
  EXPECT_EQ(item.request.id, "a");
  EXPECT_EQ(item.cached_tokens, 0u);
  EXPECT_EQ(item.parts, 1u);
  EXPECT_EQ(item.blocks().size(), 1u);
  batch.Complete(0, PrefillResult{{7}, std::make_shared<int>(42)});
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("a"));
  ASSERT_EQ(result.parts.size(), 1u);
  EXPECT_THAT(result.parts[0].result.output_ids, ElementsAre(7));
  EXPECT_EQ(*static_cast<int*>(result.parts[0].result.value.get()), 42);
  EXPECT_EQ(result.parts[0].prompt_tokens, 3u);
  bench.ExpectQuiet();
}

TEST(PipelineTest, HostDataTravelsWithTheRequest) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest request = PipelineBench::Request("a", "x");
  request.host_data = std::make_shared<int>(5);
  bench.Submit(std::move(request));
  PrefillBatch batch = bench.batches.Next();
  EXPECT_EQ(*static_cast<int*>(batch.item(0).request.host_data.get()), 5);
}

TEST(PipelineTest, AFullPipelineRefusesAndTheRequestStaysWithTheCaller) {
  PipelineBench bench;
  bench.options.max_in_flight = 1;
  bench.Open();
  bench.Submit("a", "first");
  PipelineRequest second = PipelineBench::Request("b", "second");
  Pipeline::Callback callback = bench.results.For("b");
  EXPECT_THAT(bench.pipeline->Submit(std::move(second), std::move(callback)),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("max_in_flight")));
  ASSERT_EQ(second.segments.size(), 1u);
  EXPECT_EQ(second.segments[0].text(), "second");
  ASSERT_TRUE(callback != nullptr);

  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_OK(bench.pipeline->Submit(std::move(second), std::move(callback)));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("b"));
  EXPECT_EQ(bench.pipeline->GetStats().refused, 1u);
  bench.ExpectQuiet();
}

TEST(PipelineTest, BytesInFlightAreBoundedButOneRequestAlwaysFits) {
  PipelineBench bench;
  bench.options.max_in_flight_bytes = 10;
  bench.Open();
  bench.Submit("a", "twelve bytes");
  EXPECT_THAT(bench.TrySubmit(PipelineBench::Request("b", "x")),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("max_in_flight_bytes")));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_OK(bench.TrySubmit(PipelineBench::Request("b", "x")));
}

TEST(PipelineTest, RefusesWhatCanNeverBeServedWithAReason) {
  PipelineBench bench;
  bench.options.max_prompt_bytes = 100;
  bench.Open();
  EXPECT_THAT(bench.pipeline->Submit(PipelineBench::Request("a", "x"), nullptr),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("callback is null")));
  EXPECT_THAT(bench.TrySubmit(PipelineBench::Request("b", "")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("request \"b\": no text")));
  PipelineRequest no_segments;
  no_segments.id = "c";
  EXPECT_THAT(bench.TrySubmit(std::move(no_segments)), StatusIs(StatusCode::kInvalidArgument));
  PipelineRequest late = PipelineBench::Request("d", "x");
  late.timeout = absl::ZeroDuration();
  EXPECT_THAT(bench.TrySubmit(std::move(late)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("timeout")));
  EXPECT_THAT(bench.TrySubmit(PipelineBench::Request("e", std::string(101, 'x'))),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("101 bytes")));
  EXPECT_EQ(bench.pipeline->GetStats().refused, 5u);
  EXPECT_EQ(bench.pipeline->GetStats().accepted, 0u);
}

TEST(PipelineTest, CreateRefusesContradictionsAndNamesThem) {
  const auto refusal = [](auto change) {
    PipelineBench bench;
    change(&bench);
    const absl::Status status = bench.TryOpen();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  using Bench = PipelineBench;
  EXPECT_THAT(refusal([](Bench* b) { b->options.max_in_flight = 0; }), HasSubstr("max_in_flight"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.max_parts = 0; }), HasSubstr("max_parts: 0"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.preparation_threads = 0; }),
              HasSubstr("preparation_threads"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.over_limit = OverLimit::kSplit; }),
              HasSubstr("without a chunker"));
  EXPECT_THAT(refusal([](Bench* b) { b->caching.capacity_blocks = 8; }),
              HasSubstr("max_prompt_tokens: 64, expected at most the KV cache's 32"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.batching.token_budget = 10; }),
              HasSubstr("token_budget: 10"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.batching.former_thread = false; }),
              HasSubstr("former_thread"));
  EXPECT_THAT(refusal([](Bench* b) { b->options.batching.max_batch_requests = 0; }),
              HasSubstr("max_batch_requests"));
  EXPECT_THAT(Pipeline::Create(PipelineParts(), [](PrefillBatch) {}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("tokenizer is null")));
  PipelineParts parts;
  parts.tokenizer = std::make_shared<ByteTokenizer>();
  EXPECT_THAT(Pipeline::Create(std::move(parts), nullptr),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("runner is null")));
}

TEST(PipelineTest, WorksWithoutACache) {
  PipelineBench bench;
  bench.with_cache = false;
  bench.Open();
  bench.Submit("a", "text");
  PrefillBatch batch = bench.batches.Next();
  EXPECT_EQ(batch.item(0).lease, nullptr);
  EXPECT_TRUE(batch.item(0).blocks().empty());
  batch.Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("a"));
  EXPECT_EQ(bench.pipeline->kv_cache(), nullptr);
}

TEST(PipelineTest, APromptOverTheLimitIsRejectedWithBothNumbers) {
  PipelineBench bench;
  bench.Open();
  bench.Submit("a", std::string(65, 'x'));
  EXPECT_THAT(bench.results.Await("a"),
              StatusIs(StatusCode::kResourceExhausted,
                       HasSubstr("request \"a\": the prompt has 65 tokens, expected at most 64")));
  bench.Submit("b", std::string(64, 'x'));
  bench.batches.Next().Complete(0, PrefillResult());
  EXPECT_OK(bench.results.Await("b"));
  EXPECT_EQ(bench.pipeline->GetStats().exhausted, 1u);
}

TEST(PipelineTest, TruncationCutsTheLongestUntrustedSegmentAtACharacterAndKeepsTheTemplate) {
  PipelineBench bench;
  bench.options.over_limit = OverLimit::kTruncate;
  bench.options.max_prompt_tokens = 12;
  bench.Open();
  PipelineRequest request;
  request.id = "a";
  request.segments = {TrustedText("<"), UntrustedText("水水水水水水"), UntrustedText("ok"),
                      TrustedText(">")};
  bench.Submit(std::move(request));
  PrefillBatch batch = bench.batches.Next();
  EXPECT_EQ(TextOf(batch.item(0).ids),
            "<水水ok>");  // 12 - 4 leaves 8 bytes: two characters of three
  batch.Complete(0, PrefillResult());
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("a"));
  EXPECT_TRUE(result.parts[0].truncated);
  EXPECT_EQ(bench.pipeline->GetStats().truncated_requests, 1u);
}

class SplitTest : public ::testing::Test {
 protected:
  SplitTest() {
    bench_.chunking.emplace();
    bench_.chunking->max_tokens = 64;
    bench_.chunking->headroom = 1.0;
  }
  static std::string Sentences(size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += "This is a sentence. ";
    return text;
  }
  static PipelineRequest Templated(const std::string& text) {
    PipelineRequest request;
    request.id = "a";
    request.segments = {TrustedText("<|"), UntrustedText("Sum up:"), UntrustedText(text),
                        TrustedText("|>")};
    return request;
  }
  PipelineBench bench_;
};

TEST_F(SplitTest, EachPartKeepsTheOtherSegmentsAndTheChunksAreTheText) {
  bench_.Open();
  const std::string text = Sentences(10);
  bench_.Submit(Templated(text));
  std::vector<std::string> seen;
  size_t parts = 1;
  while (seen.size() < parts) {
    PrefillBatch batch = bench_.batches.Next();
    for (size_t i = 0; i < batch.size(); ++i) {
      const PrefillItem item = batch.item(i);
      EXPECT_LE(item.ids.size(), 64u);
      parts = item.parts;
      seen.resize(std::max(seen.size(), item.part + 1));
      seen[item.part] = TextOf(item.ids);
      batch.Complete(i, PrefillResult{{static_cast<TokenId>(item.part)}, nullptr});
    }
  }
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench_.results.Await("a"));
  ASSERT_EQ(result.parts.size(), parts);
  EXPECT_GT(parts, 3u);
  std::string joined;
  for (size_t p = 0; p < parts; ++p) {
    ASSERT_TRUE(result.parts[p].chunk.has_value());
    const std::string chunk(result.parts[p].chunk->In(text));
    EXPECT_EQ(seen[p], "<|Sum up:" + chunk + "|>");
    EXPECT_EQ(result.parts[p].result.output_ids[0], static_cast<TokenId>(p));
    joined += chunk;
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(bench_.pipeline->GetStats().split_requests, 1u);
  bench_.ExpectQuiet();
}

TEST_F(SplitTest, APromptWithinTheLimitIsNotSplit) {
  bench_.Open();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result,
                                bench_.Serve(Templated("One sentence.")));
  EXPECT_EQ(result.parts.size(), 1u);
  EXPECT_FALSE(result.parts[0].chunk.has_value());
}

TEST_F(SplitTest, TooManyPartsAreRefused) {
  bench_.options.max_parts = 2;
  bench_.Open();
  bench_.Submit(Templated(Sentences(20)));
  EXPECT_THAT(bench_.results.Await("a"),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("max_parts")));
}

TEST_F(SplitTest, SegmentsThatLeaveNoRoomAreRefused) {
  bench_.Open();
  PipelineRequest request;
  request.id = "a";
  request.segments = {TrustedText(std::string(70, 't')), UntrustedText("some text")};
  bench_.Submit(std::move(request));
  EXPECT_THAT(bench_.results.Await("a"),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("all but its longest untrusted segment are 70")));
}

TEST_F(SplitTest, OnlyTrustedTextOverTheLimitIsRefused) {
  bench_.Open();
  PipelineRequest request;
  request.id = "a";
  request.segments = {TrustedText(std::string(70, 't'))};
  bench_.Submit(std::move(request));
  EXPECT_THAT(bench_.results.Await("a"), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(SplitTest, OneFailedPartFailsTheRequestOnceAndCancelsTheOthers) {
  bench_.options.batching.max_batch_requests = 1;
  bench_.Open();
  bench_.Submit(Templated(Sentences(10)));
  {
    PrefillBatch first = bench_.batches.Next();
    first.Complete(0, absl::UnknownError("broken"));
  }
  EXPECT_THAT(bench_.results.Await("a"), StatusIs(StatusCode::kUnknown, HasSubstr("broken")));
  EXPECT_EQ(bench_.pipeline->GetStats().batcher.queued, 0u);
  bench_.ExpectQuiet();
}

TEST(PipelineReuseTest, ASecondRequestComputesOnlyWhatIsNew) {
  PipelineBench bench;
  bench.Open();
  ASSERT_OK(bench.Serve(PipelineBench::Request("a", "a common beginning, one end")));
  bench.Submit("b", "a common beginning, another end");
  PrefillBatch batch = bench.batches.Next();
  const PrefillItem item = batch.item(0);
  EXPECT_GE(item.cached_tokens, 20u);
  EXPECT_LT(item.cached_tokens, item.ids.size());
  EXPECT_EQ(batch.compute_tokens(), item.ids.size() - item.cached_tokens);
  batch.Complete(0, PrefillResult());
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("b"));
  EXPECT_GE(result.parts[0].cached_tokens, 20u);
  const PipelineStats s = bench.pipeline->GetStats();
  EXPECT_EQ(s.time_to_first_token_reused_us.count(), 1u);
  EXPECT_EQ(s.time_to_first_token_fresh_us.count(), 1u);
  EXPECT_GT(s.peeked_tokens, 0u);
  bench.ExpectQuiet();
}

TEST(PipelineReuseTest, TheBatcherCountsUncachedTokensOnly) {
  PipelineBench bench;
  bench.Open();
  const std::string text = "exactly thirty-two tokens here..";
  ASSERT_OK(bench.Serve(PipelineBench::Request("a", text)));
  const int64_t before = bench.pipeline->GetStats().batcher.batched_tokens;
  EXPECT_EQ(before, 32);
  ASSERT_OK(bench.Serve(PipelineBench::Request("b", text)));
  EXPECT_LE(bench.pipeline->GetStats().batcher.batched_tokens - before, 4);
}

TEST(PipelineReuseTest, TenantsShareNothingUnlessTold) {
  for (const bool share : {false, true}) {
    PipelineBench bench;
    bench.options.share_across_tenants = share;
    bench.Open();
    PipelineRequest first = PipelineBench::Request("a", "the same text for both");
    first.tenant = "one";
    ASSERT_OK(bench.Serve(std::move(first)));
    PipelineRequest second = PipelineBench::Request("b", "the same text for both");
    second.tenant = "two";
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.Serve(std::move(second)));
    EXPECT_EQ(result.parts[0].cached_tokens > 0, share);
  }
}

TEST(PipelineReuseTest, ARequestCanOptOutOfReadingAndOfPublishing) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest secret = PipelineBench::Request("a", "nobody may reuse this");
  secret.publish = false;
  ASSERT_OK(bench.Serve(std::move(secret)));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(PipelineResult result,
                                bench.Serve(PipelineBench::Request("b", "nobody may reuse this")));
  EXPECT_EQ(result.parts[0].cached_tokens, 0u);
  PipelineRequest fresh = PipelineBench::Request("c", "nobody may reuse this");
  fresh.read_cache = false;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(result, bench.Serve(std::move(fresh)));
  EXPECT_EQ(result.parts[0].cached_tokens, 0u);
  PENSTOCK_ASSERT_OK_AND_ASSIGN(result,
                                bench.Serve(PipelineBench::Request("d", "nobody may reuse this")));
  EXPECT_GT(result.parts[0].cached_tokens, 0u);
}

TEST(PipelineReuseTest, ReserveTokensMakesRoomForDecoding) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest request = PipelineBench::Request("a", "four");
  request.reserve_tokens = 9;
  bench.Submit(std::move(request));
  PrefillBatch batch = bench.batches.Next();
  EXPECT_EQ(batch.item(0).blocks().size(), 4u);  // 13 tokens in blocks of 4
  EXPECT_OK(batch.item(0).lease->Append({1, 2, 3}));
}

TEST(PipelineTest, PriorityDecidesWhoIsInTheNextBatch) {
  PipelineBench bench;
  bench.options.batching.max_batch_requests = 1;
  bench.options.batching.ageing = absl::InfiniteDuration();
  bench.Open();
  bench.Submit("running", "x");
  PrefillBatch running = bench.batches.Next();
  bench.Submit("low", "low");
  PipelineRequest high = PipelineBench::Request("high", "high");
  high.priority = 5;
  bench.Submit(std::move(high));
  // Both are queued before the slot is free.
  while (bench.pipeline->GetStats().batcher.queued < 2) std::this_thread::yield();
  running.Complete(0, PrefillResult());
  { const PrefillBatch done = std::move(running); }
  PrefillBatch next = bench.batches.Next();
  EXPECT_EQ(next.item(0).request.id, "high");
}

TEST(PipelineTest, AnImageIsPartOfWhatIsReused) {
  PipelineBench bench;
  bench.Open();
  OwnedSegment::Digest cat{}, dog{};
  dog[31] = 1;
  const auto cached_tokens_of = [&](const std::string& id, std::optional<OwnedSegment::Digest> c) {
    PipelineRequest request;
    request.id = id;
    request.segments = {UntrustedText("look: "), TrustedText("[image]", c), UntrustedText(" ok?")};
    auto result = bench.Serve(std::move(request));
    EXPECT_OK(result);
    return result.ok() ? result->parts[0].cached_tokens : 999;
  };
  EXPECT_EQ(cached_tokens_of("first", cat), 0u);
  EXPECT_GE(cached_tokens_of("same image", cat), 12u);
  EXPECT_EQ(cached_tokens_of("another image", dog), 6u);  // what stands before it
  EXPECT_EQ(cached_tokens_of("no image", std::nullopt), 6u);
}

TEST(PipelineTest, AnImageWithoutTokensIsRefused) {
  PipelineBench bench;
  bench.Open();
  PipelineRequest request = PipelineBench::Request("a", "look: ");
  request.segments.push_back(TrustedText("", OwnedSegment::Digest()));
  bench.Submit(std::move(request));
  EXPECT_THAT(bench.results.Await("a"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("segment 1 has content")));
}

TEST(PipelineTest, CallbacksRunOnTheExecutorTheyAreGiven) {
  ManualExecutor callbacks;
  PipelineBench bench;
  bench.options.batching.callback_executor = &callbacks;
  bench.Open();
  PipelineTicket ticket = bench.Submit("a", "x");
  PrefillBatch held = bench.batches.Next();
  EXPECT_TRUE(bench.pipeline->Cancel(ticket));
  EXPECT_FALSE(bench.results.Has("a"));
  callbacks.RunAll();
  EXPECT_TRUE(bench.results.Has("a"));
}

TEST(PipelineTest, AFutureBringsTheResultOnce) {
  PipelineBench bench;
  bench.Open();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(PipelineFuture future,
                                bench.pipeline->SubmitForFuture(PipelineBench::Request("a", "x")));
  EXPECT_FALSE(future.ready());
  bench.batches.Next().Complete(0, PrefillResult{{3}, nullptr});
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, future.Get());
  EXPECT_THAT(result.parts[0].result.output_ids, ElementsAre(3));
  EXPECT_THAT(future.Get(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_FALSE(bench.pipeline->Cancel(future.ticket()));
}

TEST(PipelineTest, AFutureCanCancelItsRequest) {
  PipelineBench bench;
  bench.Open();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(PipelineFuture future,
                                bench.pipeline->SubmitForFuture(PipelineBench::Request("a", "x")));
  EXPECT_TRUE(bench.pipeline->Cancel(future.ticket()));
  EXPECT_THAT(future.Get(), StatusIs(StatusCode::kCancelled));
}

TEST(PipelineTest, StagesAreCountedAndTimedByTheInjectedClock) {
  PipelineBench bench;
  ManualExecutor preparation;
  bench.options.executor = &preparation;
  bench.Open();
  bench.Submit("a", "x");
  bench.clock.Advance(absl::Milliseconds(3));
  preparation.RunAll();
  PrefillBatch batch = bench.batches.Next();
  bench.clock.Advance(absl::Milliseconds(20));
  batch.Complete(0, PrefillResult());
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PipelineResult result, bench.results.Await("a"));
  EXPECT_EQ(result.parts[0].preparation_time, absl::Milliseconds(3));
  EXPECT_EQ(result.parts[0].service_time, absl::Milliseconds(20));
  EXPECT_EQ(result.parts[0].time_to_first_token, absl::Milliseconds(23));
  const PipelineStats s = bench.pipeline->GetStats();
  EXPECT_EQ(s.stage(PipelineStage::kTokenize).queue_delay_us.max(), 3000u);
  EXPECT_EQ(s.stage(PipelineStage::kRun).service_us.max(), 20000u);
  for (const PipelineStage stage :
       {PipelineStage::kTokenize, PipelineStage::kPeek, PipelineStage::kBatch,
        PipelineStage::kLease, PipelineStage::kRun}) {
    EXPECT_EQ(s.stage(stage).entered, 1u) << PipelineStageName(stage);
    EXPECT_EQ(s.stage(stage).left, 1u) << PipelineStageName(stage);
  }
}

}  // namespace
}  // namespace penstock
