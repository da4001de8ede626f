// SPDX-License-Identifier: Apache-2.0
//
// A log through a pipeline: nothing is acknowledged whose result did not leave, whatever the log,
// the sink and the runner do.
#include "penstock/pipeline/feed.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/pipeline/memory_log.h"
#include "pipeline/ack_tracker.h"
#include "tests/pipeline/fakes.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<PipelineRequest> DecodeText(const SourceRecord& record) {
  if (record.payload == "poison") return absl::InvalidArgumentError("not a request");
  return PipelineBench::Request(record.payload, record.payload);
}

// Everything but the runner happens inside Poll; batches wait in the book.
class FeedTest : public ::testing::Test {
 protected:
  FeedTest() : log_(2) {
    bench_.with_cache = false;
    bench_.options.executor = InlineExecutor();
    bench_.options.batching.max_batch_requests = 1;
    bench_.options.batching.max_concurrent_batches = 100;
    bench_.Open();
    feed_options_.clock = &bench_.clock;
  }
  void OpenFeed() {
    feed_.reset();
    auto feed = Feed::Create(&*bench_.pipeline, &log_, &sink_, DecodeText, feed_options_);
    ASSERT_OK(feed);
    feed_.emplace(*std::move(feed));
  }
  void Poll() {
    EXPECT_OK(feed_->Poll());
    EXPECT_TRUE(feed_->GetStats().conserved());
  }
  // Batches hold one request each and come in any order.
  PrefillBatch BatchOf(const std::string& id) {
    while (held_.count(id) == 0) {
      PrefillBatch batch = bench_.batches.Next();
      const std::string of = batch.item(0).request.id;
      held_.emplace(of, std::move(batch));
    }
    PrefillBatch batch = std::move(held_.find(id)->second);
    held_.erase(held_.find(id));
    return batch;
  }
  void Complete(const std::string& id) { BatchOf(id).Complete(0, PrefillResult()); }
  std::vector<std::string> Written() const {
    std::vector<std::string> payloads;
    for (const SinkRecord& r : sink_.records()) payloads.push_back(r.payload);
    return payloads;
  }

  PipelineBench bench_;
  MemoryLog log_;
  MemorySink sink_;
  FeedOptions feed_options_;
  std::multimap<std::string, PrefillBatch> held_;
  std::optional<Feed> feed_;
};

TEST_F(FeedTest, ARecordIsAcknowledgedWhenItsResultHasLeft) {
  OpenFeed();
  log_.Append(0, "a");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 0);
  Complete("a");
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a"));
  EXPECT_OK(sink_.records()[0].result);
  EXPECT_EQ(log_.acknowledged(0), 1);
}

TEST_F(FeedTest, ResultsLeaveInAnyOrderButOnlyTheLowWaterMarkIsAcknowledged) {
  OpenFeed();
  for (const char* id : {"a", "b", "c"}) log_.Append(0, id);
  Poll();
  Complete("c");
  Complete("b");
  Poll();
  EXPECT_THAT(Written(), ElementsAre("c", "b"));
  EXPECT_EQ(log_.acknowledged(0), 0);
  Complete("a");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 3);
  EXPECT_EQ(feed_->GetStats().acknowledgements, 1u);
}

TEST_F(FeedTest, NothingIsAcknowledgedBeforeTheSinkHasIt) {
  OpenFeed();
  sink_.Hold(true);
  log_.Append(0, "a");
  Poll();
  Complete("a");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 0);
  EXPECT_EQ(feed_->GetStats().in_flight, 1u);
  sink_.Hold(false);
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 1);
}

TEST_F(FeedTest, WithoutCreditTheSourceIsPausedAndStillPolled) {
  feed_options_.max_in_flight = 2;
  OpenFeed();
  for (const char* id : {"a", "b", "c", "d"}) log_.Append(0, id);
  Poll();
  EXPECT_EQ(feed_->GetStats().in_flight, 2u);
  Poll();
  Poll();
  EXPECT_EQ(feed_->GetStats().fetched, 2u);
  EXPECT_EQ(feed_->GetStats().paused_polls, 2u);
  EXPECT_LE(log_.largest_fetch(), 2u);
  Complete("a");
  Poll();
  EXPECT_EQ(feed_->GetStats().fetched, 3u);
  for (const char* id : {"b", "c"}) Complete(id);
  Poll();
  Complete("d");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 4);
}

TEST_F(FeedTest, AFullPipelineHoldsRecordsBack) {
  bench_.options.max_in_flight = 1;
  bench_.Open();
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  EXPECT_EQ(bench_.pipeline->GetStats().in_flight, 1u);
  Poll();
  Complete("a");
  Poll();
  Complete("b");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 2);
}

TEST_F(FeedTest, AMessageThatIsNoRequestGoesToTheSinkAsAnError) {
  OpenFeed();
  log_.Append(0, "poison");
  log_.Append(0, "b");
  Poll();
  Complete("b");
  Poll();
  ASSERT_EQ(sink_.records().size(), 2u);
  EXPECT_EQ(sink_.records()[0].payload, "poison");
  EXPECT_THAT(sink_.records()[0].result, StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(log_.acknowledged(0), 2);
  EXPECT_EQ(feed_->GetStats().write_errors, 1u);
}

TEST_F(FeedTest, AFailedRequestGoesToTheSinkWithItsStatus) {
  OpenFeed();
  log_.Append(0, "a");
  Poll();
  BatchOf("a").Complete(0, absl::DataLossError("device lost"));
  Poll();
  ASSERT_EQ(sink_.records().size(), 1u);
  EXPECT_THAT(sink_.records()[0].result, StatusIs(StatusCode::kDataLoss));
  EXPECT_EQ(log_.acknowledged(0), 1);
}

TEST_F(FeedTest, ResourceExhaustedIsTriedAgainAndThenGivenToTheSink) {
  feed_options_.max_attempts = 3;
  OpenFeed();
  log_.Append(0, "a");
  for (int attempt = 0; attempt < 3; ++attempt) {
    Poll();
    EXPECT_TRUE(sink_.records().empty());
    BatchOf("a").Complete(0, absl::ResourceExhaustedError("no memory"));
  }
  Poll();
  ASSERT_EQ(sink_.records().size(), 1u);
  EXPECT_THAT(sink_.records()[0].result, StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(feed_->GetStats().retries, 2u);
}

TEST_F(FeedTest, ARequestThatNeverFitsDoesNotBlockTheLog) {
  bench_.options.max_prompt_bytes = 3;
  bench_.Open();
  OpenFeed();
  log_.Append(0, "far too long");
  log_.Append(0, "b");
  Poll();
  Complete("b");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 2);
}

TEST_F(FeedTest, ARevokedPartitionIsCancelledAndNeitherWrittenNorAcknowledged) {
  OpenFeed();
  log_.Append(0, "a");
  log_.Append(1, "other");
  Poll();
  PrefillBatch running = BatchOf("a");
  log_.Revoke(0);
  Poll();
  EXPECT_TRUE(running.cancelled(0));
  running.Complete(0, PrefillResult());  // too late
  Poll();
  EXPECT_TRUE(sink_.records().empty());
  EXPECT_EQ(log_.acknowledged(0), 0);
  EXPECT_EQ(feed_->GetStats().revoked, 1u);
  Complete("other");
  Poll();
  EXPECT_EQ(log_.acknowledged(1), 1);
}

TEST_F(FeedTest, APartitionThatComesBackStartsFromItsAcknowledgement) {
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  Complete("a");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 1);
  const PrefillBatch first = BatchOf("b");  // b runs: cancelled earlier, it would never get here
  log_.Revoke(0);
  log_.Assign(0);
  Poll();  // both in one Fetch: b is cancelled and delivered again
  Poll();
  EXPECT_TRUE(first.cancelled(0));
  Complete("b");
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a", "b"));
  EXPECT_EQ(log_.acknowledged(0), 2);
}

TEST_F(FeedTest, AResultOfAnOldAssignmentDoesNotAcknowledgeTheNewOne) {
  OpenFeed();
  log_.Append(0, "a");
  Poll();
  sink_.Hold(true);
  Complete("a");
  Poll();  // at the sink, not confirmed
  log_.Revoke(0);
  log_.Assign(0);
  Poll();
  sink_.Hold(false);  // confirmed now, for an assignment that is over
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 0);
  Complete("a");
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a", "a"));  // at least once
  EXPECT_EQ(log_.acknowledged(0), 1);
}

TEST_F(FeedTest, AcknowledgementsBeforeTheNewsOfARevocationDoNotStopTheNextAssignment) {
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  log_.Revoke(0);
  log_.Assign(0);  // begins at a again
  for (const char* id : {"a", "b"}) Complete(id);
  Poll();  // acknowledges both, then hears of the revocation and gets both again
  EXPECT_EQ(log_.acknowledged(0), 2);
  Complete("a");
  Poll();  // acknowledges a alone
  EXPECT_EQ(log_.acknowledged(0), 2);
  Complete("b");
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a", "b", "a", "b"));  // at least once
}

TEST_F(FeedTest, ARecordDeliveredAgainIsProcessedOnce) {
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  log_.Rewind(0, 0);
  Poll();
  EXPECT_EQ(feed_->GetStats().duplicates, 2u);
  for (const char* id : {"a", "b"}) Complete(id);
  Poll();
  log_.Rewind(0, 1);
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a", "b"));
  EXPECT_EQ(feed_->GetStats().duplicates, 3u);
}

TEST_F(FeedTest, AStalledSourceCostsNothingAndComesBack) {
  OpenFeed();
  log_.Append(0, "a");
  log_.Stall(true);
  Poll();
  EXPECT_EQ(feed_->GetStats().fetched, 0u);
  log_.Stall(false);
  Poll();
  Complete("a");
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 1);
}

TEST_F(FeedTest, AnErrorOfTheSourceStopsTheFeedAfterWhatWasFetchedHasLeft) {
  OpenFeed();
  log_.Append(0, "a");
  Poll();
  log_.FailNext(absl::InternalError("broker gone"));
  Poll();
  Complete("a");
  EXPECT_THAT(feed_->Poll(), StatusIs(StatusCode::kInternal, HasSubstr("broker gone")));
  EXPECT_EQ(log_.acknowledged(0), 1);
  EXPECT_THAT(feed_->Poll(), StatusIs(StatusCode::kInternal));
}

// A log whose commits fail when told to.
class FailingCommits final : public Source {
 public:
  explicit FailingCommits(MemoryLog* log) : log_(log) {}
  absl::Status Fetch(size_t records, size_t bytes, FetchResult* out) override {
    return log_->Fetch(records, bytes, out);
  }
  absl::Status Acknowledge(int32_t partition, int64_t next_offset) override {
    return fail ? absl::InternalError("commit refused") : log_->Acknowledge(partition, next_offset);
  }
  bool fail = true;

 private:
  MemoryLog* log_;
};

TEST_F(FeedTest, ACommitThatFailsStopsTheFeedAndTheRecordsComeAgain) {
  FailingCommits source(&log_);
  const auto open = [&] {
    feed_.reset();
    auto feed = Feed::Create(&*bench_.pipeline, &source, &sink_, DecodeText, feed_options_);
    ASSERT_OK(feed);
    feed_.emplace(*std::move(feed));
  };
  open();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  const PrefillBatch running = BatchOf("b");  // b runs: cancelled earlier, it would never get here
  Complete("a");
  EXPECT_THAT(feed_->Poll(), StatusIs(StatusCode::kInternal, HasSubstr("commit refused")));
  EXPECT_THAT(feed_->Poll(), StatusIs(StatusCode::kInternal));
  EXPECT_TRUE(feed_->GetStats().conserved());
  EXPECT_TRUE(running.cancelled(0));
  EXPECT_EQ(log_.acknowledged(0), 0);

  source.fail = false;
  log_.Assign(0);
  open();
  Poll();
  for (const char* id : {"a", "b"}) Complete(id);
  Poll();
  EXPECT_THAT(Written(), ElementsAre("a", "a", "b"));  // at least once
  EXPECT_EQ(log_.acknowledged(0), 2);
}

TEST_F(FeedTest, ARecordThatTheSinkRefusedComesAgainToTheNextConsumer) {
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  const PrefillBatch first = BatchOf("b");  // b runs: cancelled earlier, it would never get here
  Complete("a");
  sink_.FailNext(absl::DataLossError("disk full"));
  EXPECT_THAT(feed_->Poll(), StatusIs(StatusCode::kDataLoss, HasSubstr("partition 0, offset 0")));
  EXPECT_TRUE(feed_->GetStats().conserved());
  EXPECT_EQ(log_.acknowledged(0), 0);
  EXPECT_TRUE(first.cancelled(0));

  log_.Assign(0);
  OpenFeed();
  Poll();
  for (const char* id : {"a", "b"}) Complete(id);
  Poll();
  EXPECT_EQ(log_.acknowledged(0), 2);
}

TEST_F(FeedTest, APipelineThatShutsDownLeavesRecordsUnacknowledged) {
  OpenFeed();
  for (const char* id : {"a", "b"}) log_.Append(0, id);
  Poll();
  Complete("b");
  Poll();
  EXPECT_THAT(bench_.pipeline->Drain(absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_OK(feed_->Run());  // nothing more can be done
  EXPECT_THAT(Written(), ElementsAre("b"));
  EXPECT_EQ(log_.acknowledged(0), 0);
  EXPECT_EQ(feed_->GetStats().abandoned, 1u);
}

TEST_F(FeedTest, DrainFetchesNothingNewAndSaysWhatDidNotLeave) {
  OpenFeed();
  log_.Append(0, "a");
  Poll();
  log_.Append(0, "b");
  EXPECT_THAT(feed_->Drain(absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("1 records")));
  EXPECT_EQ(feed_->GetStats().fetched, 1u);
  EXPECT_TRUE(feed_->GetStats().conserved());
}

TEST_F(FeedTest, CreateNamesWhatIsMissing) {
  EXPECT_THAT(Feed::Create(nullptr, &log_, &sink_, DecodeText),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("pipeline is null")));
  EXPECT_THAT(Feed::Create(&*bench_.pipeline, &log_, &sink_, nullptr),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("decode is null")));
  feed_options_.max_in_flight = 0;
  EXPECT_THAT(Feed::Create(&*bench_.pipeline, &log_, &sink_, DecodeText, feed_options_),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("max_in_flight")));
}

// Everything at once: revocations, rewinds, stalls, held sinks, consumers that die, random runners.
TEST_F(FeedTest, WhateverHappensEveryAcknowledgedRecordHasLeft) {
  SeededRandom random;
  const size_t steps = Scaled(4000);
  std::vector<std::string> appended[2];
  feed_options_.max_in_flight = 8;
  OpenFeed();
  const auto check = [&] {
    std::set<std::string> written;
    for (const SinkRecord& r : sink_.records()) written.insert(r.payload);
    for (int p = 0; p < 2; ++p) {
      for (int64_t o = 0; o < log_.acknowledged(p); ++o) {
        ASSERT_TRUE(written.count(appended[p][static_cast<size_t>(o)]) == 1) << p << "/" << o;
      }
    }
  };
  const auto run_some = [&](size_t one_in) {
    while (std::optional<PrefillBatch> batch = bench_.batches.TryNext()) {
      const std::string id = batch->item(0).request.id;
      held_.emplace(id, *std::move(batch));
    }
    for (auto it = held_.begin(); it != held_.end();) {
      if (!random.OneIn(one_in)) {
        ++it;
        continue;
      }
      if (!random.OneIn(15)) {
        it->second.Complete(0, random.OneIn(10)
                                   ? absl::StatusOr<PrefillResult>(absl::UnknownError("bad"))
                                   : PrefillResult());
      }
      it = held_.erase(it);
    }
  };
  for (size_t step = 0; step < steps; ++step) {
    const int p = static_cast<int>(random.Below(2));
    switch (random.Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const std::string payload = std::to_string(p) + "/" + std::to_string(appended[p].size());
        appended[p].push_back(payload);
        log_.Append(p, payload);
        break;
      }
      case 4:
        if (random.OneIn(4)) {
          log_.Revoke(p);
          log_.Assign(p);
        }
        break;
      case 5:
        if (random.OneIn(4)) log_.Rewind(p, log_.acknowledged(p));
        break;
      case 6:
        log_.Stall(random.OneIn(2));
        break;
      case 7:
        sink_.Hold(random.OneIn(3));
        break;
      case 8:
        if (random.OneIn(20)) {  // the consumer dies; another one takes over
          OpenFeed();
          for (const int q : {0, 1}) log_.Assign(q);
        }
        break;
      case 9:
      case 10:
      case 11:
        run_some(2);
        break;
      default:
        Poll();
    }
    if (step % 64 == 0) check();
  }
  log_.Stall(false);
  sink_.Hold(false);
  const auto all_acknowledged = [&] {
    return log_.acknowledged(0) == static_cast<int64_t>(appended[0].size()) &&
           log_.acknowledged(1) == static_cast<int64_t>(appended[1].size());
  };
  while (!all_acknowledged()) {
    run_some(1);
    Poll();
  }
  check();
  EXPECT_EQ(feed_->GetStats().in_flight, 0u);
}

TEST_F(FeedTest, RunsOnItsOwnThreadUntilTheLogEnds) {
  OpenFeed();
  const size_t count = Scaled(200);
  for (size_t i = 0; i < count; ++i) log_.Append(static_cast<int32_t>(i % 2), std::to_string(i));
  log_.Close();
  std::thread runner([&] {
    for (size_t i = 0; i < count; ++i) bench_.batches.Next().Complete(0, PrefillResult());
  });
  std::thread ticker_of_idle_polls([&] {
    while (log_.acknowledged(0) + log_.acknowledged(1) < static_cast<int64_t>(count)) {
      bench_.clock.Advance(absl::Milliseconds(1));
      std::this_thread::yield();
    }
  });
  EXPECT_OK(feed_->Run());
  runner.join();
  ticker_of_idle_polls.join();
  EXPECT_EQ(sink_.records().size(), count);
  EXPECT_EQ(feed_->GetStats().written, count);
}

TEST_F(FeedTest, StopEndsRunFromAnotherThread) {
  OpenFeed();
  std::thread stopper([&] {
    bench_.clock.AwaitWaiters(1);
    feed_->Stop();
  });
  EXPECT_OK(feed_->Run());
  stopper.join();
}

TEST(AckTrackerTest, AgreesWithASetForEveryOrderOfSixRecords) {
  std::vector<int> order = {0, 1, 2, 3, 4, 5};
  const int64_t offsets[] = {3, 4, 7, 8, 9, 20};  // with gaps
  do {
    internal::AckTracker tracker;
    for (const int64_t offset : offsets) EXPECT_TRUE(tracker.Add(offset));
    std::set<int> done;
    for (const int i : order) {
      const auto low = [&] {
        int n = 0;
        while (done.count(n) == 1) ++n;
        return n;
      };
      const int before = low();
      done.insert(i);
      const int after = low();
      const std::optional<int64_t> next = tracker.Done(offsets[i]);
      ASSERT_EQ(next.has_value(), after > before);
      if (next.has_value()) {
        ASSERT_EQ(*next, offsets[after - 1] + 1);
      }
      ASSERT_FALSE(tracker.Add(offsets[i]));
      ASSERT_EQ(tracker.Done(offsets[i]), std::nullopt);
    }
    EXPECT_EQ(tracker.pending(), 0u);
  } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace penstock
