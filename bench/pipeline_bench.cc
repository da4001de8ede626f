// SPDX-License-Identifier: Apache-2.0
//
// The pipeline end to end, on real threads over a stub of a runtime: what it costs a request, and
// the published asynchronous table through it.
//
//   sh bench/run.sh pipeline_bench [overhead] [async] [seconds=3]
//
//   overhead  a runtime that takes no time. Direct: one thread tokenizes, takes a lease, commits,
//     for one request after the other. Pipeline: the same work for as many requests, 64 in flight.
//     Prompts of 512 tokens, 256 of them shared. Each request's ids are checked first.
//   async  sync 180 ms and 520/s, asynchronous 35 ms and 2100/s, see bench/batch_published.cc: a
//     stub of 1.65 + 0.27 n ms that spins, so many requests in flight, tokenizing and K/V included.
//     Its slot is free when the batch dies (as if the host did nothing), or released by the runner
//     when the stub is done, or 0.1 ms a row before (the stub queues, as a device's stream does),
//     so that completions, or completions and the next leases, run beside it. "idle": microseconds
//     a request for which the stub stood still.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "penstock/pipeline.h"

namespace penstock {
namespace {

constexpr size_t kPromptTokens = 512, kSharedTokens = 256, kBlocks = 4096, kBlockTokens = 16;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One token a byte: what is measured is the pipeline.
class ByteTokenizer final : public Tokenizer {
 public:
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string_view fingerprint() const override { return "bytes"; }

 private:
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>*,
                        const EncodeOptions&, Encoding* encoding) const override {
    for (const Segment& s : first) {
      for (const char c : s.text()) encoding->ids.push_back(static_cast<unsigned char>(c));
    }
    return absl::OkStatus();
  }
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions&) const override {
    return std::string(ids.begin(), ids.end());
  }

  Vocabulary vocabulary_;
};

std::string Prompt(size_t number) {
  std::string text(kSharedTokens, 's');
  text += std::to_string(number) + ":";
  text.resize(kPromptTokens, 'x');
  return text;
}

std::unique_ptr<MemoryBlockStore> Store() {
  MemoryBlockStoreOptions o;
  o.block_tokens = kBlockTokens;
  o.capacity_blocks = kBlocks;
  return *MemoryBlockStore::Create(o);
}

KVCache Cache(BlockStore* store) {
  KVCacheOptions o;
  o.block_tokens = kBlockTokens;
  return *KVCache::Create(store, o);
}

// Nanoseconds a request without a pipeline.
double Direct(size_t requests) {
  const auto store = Store();
  KVCache cache = Cache(store.get());
  const ByteTokenizer tokenizer;
  const double start = Now();
  for (size_t i = 0; i < requests; ++i) {
    const std::string text = Prompt(i);
    const Encoding encoding = *tokenizer.Encode({Untrusted(text)});
    KVRequest request;
    request.tokens = encoding.ids;
    Lease lease = *cache.Acquire(request);
    if (!lease.Commit(encoding.ids.size()).ok()) std::abort();
  }
  return (Now() - start) * 1e9 / static_cast<double>(requests);
}

struct Served {
  double per_second = 0, mean_ms = 0, p50_ms = 0, p99_ms = 0, idle_us = 0;
  PipelineStats stats;
};

// `in_flight` requests, always, until `requests` are done or the time is over. The runtime takes
// fixed + per_row × rows seconds, one batch after the other; its runner releases the slot
// release × rows seconds before that is over (negative: never).
Served ClosedLoop(size_t in_flight, size_t max_batch, double fixed, double per_row, double release,
                  size_t requests, double seconds) {
  const auto store = Store();
  PipelineParts parts;
  parts.tokenizer = std::make_shared<ByteTokenizer>();
  parts.kv_cache = Cache(store.get());
  PipelineOptions options;
  options.max_prompt_tokens = kPromptTokens;
  options.max_in_flight = in_flight;
  options.batching.max_batch_requests = max_batch;
  std::mutex device;
  double free_at = 0, idle = 0;
  const auto runner = [&](PrefillBatch batch) {
    double end = 0;
    if (fixed > 0) {
      const std::lock_guard<std::mutex> lock(device);
      const double now = Now();
      if (free_at > 0 && now > free_at) idle += now - free_at;
      end = free_at = std::max(now, free_at) + fixed + per_row * static_cast<double>(batch.size());
    }
    while (release > 0 && Now() < end - release * static_cast<double>(batch.size())) {
    }
    if (release > 0) batch.ReleaseSlot();
    while (fixed > 0 && Now() < end) {
    }
    if (release == 0) batch.ReleaseSlot();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch.item(i).ids.size() != kPromptTokens) std::abort();
      batch.Complete(i, PrefillResult());
    }
  };
  std::mutex mu;
  std::condition_variable cv;
  size_t free_places = in_flight;
  std::vector<double> latency;
  latency.reserve(1'000'000);
  Served served;
  {
    Pipeline pipeline = *Pipeline::Create(std::move(parts), runner, options);
    const double start = Now();
    for (size_t i = 0; i < requests && Now() < start + seconds; ++i) {
      {
        std::unique_lock<std::mutex> lock(mu);
        cv.wait(lock, [&] { return free_places > 0; });
        --free_places;
      }
      const double sent = Now();
      PipelineRequest request;
      request.segments = {UntrustedText(Prompt(i))};
      const auto ticket =
          pipeline.Submit(std::move(request), [&, sent](absl::StatusOr<PipelineResult> result) {
            if (!result.ok()) std::abort();
            const double took = Now() - sent;
            const std::lock_guard<std::mutex> lock(mu);
            latency.push_back(took);
            ++free_places;
            cv.notify_one();
          });
      if (!ticket.ok()) std::abort();
    }
    if (!pipeline.Drain(absl::Seconds(60)).ok()) std::abort();
    served.per_second = static_cast<double>(latency.size()) / (Now() - start);
    served.stats = pipeline.GetStats();
  }
  double sum = 0;
  for (const double x : latency) sum += x;
  std::sort(latency.begin(), latency.end());
  const auto at = [&](double q) {
    return 1e3 * latency[static_cast<size_t>(q * static_cast<double>(latency.size() - 1))];
  };
  served.mean_ms = 1e3 * sum / static_cast<double>(latency.size());
  served.p50_ms = at(0.5);
  served.p99_ms = at(0.99);
  served.idle_us = 1e6 * idle / static_cast<double>(latency.size());
  return served;
}

void Overhead(double seconds) {
  constexpr size_t kRequests = 20'000;
  Direct(kRequests / 10);
  const double direct = Direct(kRequests);
  ClosedLoop(64, 32, 0, 0, -1, kRequests / 10, seconds);
  const Served s = ClosedLoop(64, 32, 0, 0, -1, 1'000'000, seconds);
  std::printf(
      "\nOverhead: %zu-token prompts, half shared, runtime of no time\n"
      "  direct, one thread      %8.0f ns a request = %8.0f requests/s\n"
      "  pipeline, 64 in flight  %8.0f ns a request = %8.0f requests/s, p50 %.2f ms, p99 %.2f ms\n"
      "  %-10s %12s %12s %12s %12s   microseconds\n",
      kPromptTokens, direct, 1e9 / direct, 1e9 / s.per_second, s.per_second, s.p50_ms, s.p99_ms,
      "stage", "delay p50", "delay p99", "service p50", "service p99");
  for (size_t i = 0; i < kPipelineStages; ++i) {
    const StageStats& stage = s.stats.stages[i];
    std::printf("  %-10s %12.0f %12.0f %12.0f %12.0f\n",
                std::string(PipelineStageName(static_cast<PipelineStage>(i))).c_str(),
                static_cast<double>(stage.queue_delay_us.Quantile(0.5)),
                static_cast<double>(stage.queue_delay_us.Quantile(0.99)),
                static_cast<double>(stage.service_us.Quantile(0.5)),
                static_cast<double>(stage.service_us.Quantile(0.99)));
  }
  std::printf("  mean batch %.1f\n", s.stats.batcher.batch_size.mean());
}

void Async(double seconds) {
  struct Arm {
    const char* name;
    size_t in_flight, max_batch;
    double release;
  };
  const Arm arms[] = {{"batches of 1, 94 in flight (published: sync 180 ms, 520/s)", 94, 1, -1},
                      {"batches to 8, 74 in flight (published: async 35 ms, 2100/s)", 74, 8, -1},
                      {"  slot released when the stub is done", 74, 8, 0},
                      {"  slot released 0.1 ms a row before", 74, 8, 0.0001},
                      {"batches to 32, 74 in flight", 74, 32, -1},
                      {"  slot released when the stub is done", 74, 32, 0},
                      {"  slot released 0.1 ms a row before", 74, 32, 0.0001}};
  std::printf(
      "\nAsync: runtime 1.65 + 0.27 n ms, through the whole pipeline\n  %-60s %9s %9s %9s %9s "
      "%9s %9s %9s\n",
      "", "mean ms", "p50 ms", "p99 ms", "per s", "of stub", "idle us", "ahead");
  for (const Arm& a : arms) {
    const Served s =
        ClosedLoop(a.in_flight, a.max_batch, 0.00165, 0.00027, a.release, 1'000'000'000, seconds);
    const double n = static_cast<double>(a.max_batch);
    const double stub = n / (0.00165 + 0.00027 * n);
    const EngineStats& b = s.stats.batcher;
    std::printf(
        "  %-60s %9.1f %9.1f %9.1f %9.0f %8.1f%% %9.1f %8.1f%%\n", a.name, s.mean_ms, s.p50_ms,
        s.p99_ms, s.per_second, 100 * s.per_second / stub, s.idle_us,
        100 * static_cast<double>(b.batches_ahead) / static_cast<double>(b.batch_size.count()));
    std::fflush(stdout);
  }
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  double seconds = 3;
  bool overhead = false, async = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "seconds=", 8) == 0) {
      seconds = std::max(0.1, std::strtod(argv[i] + 8, nullptr));
    } else if (std::strcmp(argv[i], "overhead") == 0) {
      overhead = true;
    } else if (std::strcmp(argv[i], "async") == 0) {
      async = true;
    } else {
      std::fprintf(stderr, "%s: not known, expected overhead, async or seconds=N\n", argv[i]);
      return 1;
    }
  }
  if (overhead || !async) Overhead(seconds);
  if (async || !overhead) Async(seconds);
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
