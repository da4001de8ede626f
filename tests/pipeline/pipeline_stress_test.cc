// SPDX-License-Identifier: Apache-2.0
//
// Many threads, a runner that does everything a runner may do, cancels, timeouts, and blocks that
// run out: every accepted request ends exactly once, and nothing is left behind.
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/pipeline/fakes.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

constexpr size_t kProducers = 3;

class Stress {
 public:
  explicit Stress(size_t requests) : requests_(requests), bench_(/*blocks=*/40) {
    bench_.options.max_in_flight = 24;
    bench_.options.max_prompt_tokens = 96;
    bench_.options.preparation_threads = 2;
    bench_.options.over_limit = OverLimit::kSplit;
    bench_.options.batching.max_batch_requests = 4;
    bench_.options.batching.max_concurrent_batches = 2;
    bench_.chunking.emplace();
    bench_.chunking->max_tokens = 80;
    bench_.Open();
  }

  void Run() {
    std::vector<std::thread> threads;
    for (size_t p = 0; p < kProducers; ++p) threads.emplace_back([this, p] { Produce(p); });
    std::thread ticker([this] {
      while (!stop_) {
        bench_.clock.Advance(absl::Milliseconds(1));
        EXPECT_TRUE(bench_.pipeline->GetStats().conserved());
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> workers;
    for (size_t w = 0; w < 2; ++w) workers.emplace_back([this, w] { Work(w); });

    for (std::thread& t : threads) t.join();
    EXPECT_OK(bench_.pipeline->Drain(absl::InfiniteDuration()));
    stop_ = true;
    ticker.join();
    for (std::thread& t : workers) t.join();
  }

  void Check() {
    EXPECT_EQ(ended_.load(), accepted_.load());
    const PipelineStats s = bench_.pipeline->GetStats();
    EXPECT_EQ(s.accepted, accepted_.load());
    EXPECT_EQ(s.cancelled, cancelled_.load());
    EXPECT_GT(s.ok, 0u);
    EXPECT_GT(s.failed, 0u);
    for (size_t stage = 0; stage < kPipelineStages; ++stage) {
      EXPECT_EQ(s.stages[stage].entered, s.stages[stage].left)
          << PipelineStageName(static_cast<PipelineStage>(stage));
    }
    bench_.ExpectQuiet();
    std::printf("%llu accepted: %llu ok, %llu failed, %llu cancelled, %llu expired, %llu waits\n",
                (unsigned long long)s.accepted, (unsigned long long)s.ok,
                (unsigned long long)s.failed, (unsigned long long)s.cancelled,
                (unsigned long long)s.expired, (unsigned long long)s.put_back);
    bench_.pipeline.reset();
    EXPECT_EQ(bench_.store->allocated_blocks(), 0u);
  }

 private:
  void Produce(size_t producer) {
    SeededRandom random(producer);
    for (size_t i = 0; i < requests_; ++i) {
      const std::string id = std::to_string(producer) + "." + std::to_string(i);
      std::string text = "shared beginning " + std::to_string(random.Below(4)) + ". ";
      const size_t sentences = random.OneIn(10) ? 8 : random.Below(3);
      for (size_t n = 0; n < sentences; ++n) {
        text += "Sentence " + std::to_string(random.Below(9)) + ". ";
      }
      PipelineRequest request = PipelineBench::Request(id, text);
      request.tenant = std::to_string(random.Below(2));
      request.priority = static_cast<int>(random.Below(3));
      if (random.OneIn(4)) {
        request.timeout = absl::Milliseconds(static_cast<int64_t>(1 + random.Below(50)));
      }
      auto ends = std::make_shared<std::atomic<int>>(0);
      absl::StatusOr<PipelineTicket> ticket = absl::UnknownError("");
      while (!ticket.ok()) {
        ticket = bench_.pipeline->SubmitStreaming(
            std::move(request),
            [ends](size_t, PrefillResult) {
              EXPECT_EQ(ends->load(), 0) << "a piece after the end";
            },
            [this, ends](absl::StatusOr<PipelineResult>) {
              EXPECT_EQ(ends->fetch_add(1), 0);
              ++ended_;
            });
        if (!ticket.ok()) {
          ASSERT_EQ(ticket.status().code(), absl::StatusCode::kResourceExhausted);
          ASSERT_FALSE(request.segments.empty());
          std::this_thread::yield();
        }
      }
      ++accepted_;
      if (random.OneIn(5)) {
        for (uint64_t n = random.Below(40); n > 0; --n) std::this_thread::yield();
        if (bench_.pipeline->Cancel(*ticket)) ++cancelled_;
      }
    }
  }

  void Work(size_t worker) {
    SeededRandom random(100 + worker);
    while (!stop_) {
      if (bench_.batches.empty()) {
        std::this_thread::yield();
        continue;
      }
      std::optional<PrefillBatch> taken = bench_.batches.TryNext();
      if (!taken.has_value()) continue;
      PrefillBatch batch = *std::move(taken);
      if (random.OneIn(20)) continue;  // drops it
      if (random.OneIn(20)) {
        batch.FailAll(absl::DataLossError("device lost"));
        continue;
      }
      for (size_t i = 0; i < batch.size(); ++i) {
        if (random.OneIn(6) && batch.cancelled(i)) continue;
        while (random.OneIn(3)) batch.Emit(i, PrefillResult());
        if (random.OneIn(30)) continue;  // forgets it
        batch.Complete(i, random.OneIn(12)
                              ? absl::StatusOr<PrefillResult>(absl::UnknownError("one failed"))
                              : PrefillResult());
        if (random.OneIn(10)) batch.Complete(i, PrefillResult());
      }
      if (random.OneIn(4)) batch.ReleaseSlot();
    }
  }

  const size_t requests_;
  PipelineBench bench_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> accepted_{0}, ended_{0}, cancelled_{0};
};

TEST(PipelineStressTest, EveryAcceptedRequestEndsOnceWhateverHappens) {
  Stress stress(Scaled(250));
  stress.Run();
  stress.Check();
}

}  // namespace
}  // namespace penstock
