// SPDX-License-Identifier: Apache-2.0
//
// The published tables beside ours, on real threads and, where it says so, in exact virtual time.
//
//   sh bench/run.sh batch_published [sizes] [async] [preprocess=VOCABULARY[,ENCODING]] [seconds=5]
//
// The published figures come without their set-up. What they mean is worked out from them:
//   sizes  batch size 1/8/16/32 at "1000 messages/s": 12/25/40/78 ms and 980/1020/1050/1065 a
//     second. More than what was offered cannot be served, so these are capacities of a closed
//     loop; they fit a runtime of 0.084 + 0.936 n ms.
//   async  sync 180 ms and 520/s, asynchronous 35 ms and 2100/s: 94 and 74 requests in flight
//     (Little). 4.04 times the throughput from a queue alone is impossible; a runtime of 1.65 +
//     0.27 n ms with batches of 8 gives it.
//   preprocess  65 -> 28 ms by preprocessing in batches: padding, truncation, tensors. No batch
//     size, threads or text given; here 32 fixed texts of about 1 kB, arms of one call per text,
//     one call per batch on 1 and on n threads.
// The stub spins on the steady clock for that time. Latency counts from the *intended* send time
// (no coordinated omission). On a machine that does anything else the figures of real threads are
// worth little.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/base/collate.h"
#include "penstock/batcher.h"
#include "penstock/tokenizer.h"
#include "penstock/tokenizer/batch_encoding.h"
#include "penstock/tokenizer/load.h"
#include "tests/support/batch_simulator.h"

namespace penstock {
namespace {

using IntBatch = Batch<int, int>;
using IntBatcher = Batcher<int, int>;

double Now() { return static_cast<double>(Clock::Real()->Now().nanoseconds()) * 1e-9; }

void Spin(double seconds) {
  for (const double end = Now() + seconds; Now() < end;) {
  }
}

void SleepThenSpinUntil(double at) {
  const double left = at - Now();
  if (left > 0.0005) std::this_thread::sleep_for(std::chrono::duration<double>(left - 0.0003));
  while (Now() < at) {
  }
}

struct Row {
  double mean_ms = 0, p50_ms = 0, p99_ms = 0, per_second = 0, batch = 0, ack_p99_us = 0;
};

Row Summary(const std::vector<double>& latency, double seconds, double batch,
            const std::vector<double>& ack) {
  SimResult r;
  r.latency = latency;
  return {1e3 * r.mean(),  1e3 * r.p(0.5),
          1e3 * r.p(0.99), static_cast<double>(latency.size()) / seconds,
          batch,           1e6 * SimResult::Quantile(ack, 0.99)};
}

BatcherOptions Options(BatchMode mode, size_t batch) {
  BatcherOptions o;
  o.mode = mode;
  o.max_batch_requests = batch;
  o.max_queue_requests = 1'000'000;
  return o;
}

IntBatcher Stub(const BatcherOptions& options, const SimCurve& curve) {
  return *IntBatcher::Create(options, [curve](IntBatch batch) {
    const auto n = static_cast<double>(batch.size());
    Spin(curve.Seconds(n, n));
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, 0);
  });
}

// Poisson arrivals at `rate`, whatever the batcher does.
Row OpenLoop(const BatcherOptions& options, const SimCurve& curve, double rate, double seconds,
             double preprocess) {
  IntBatcher batcher = Stub(options, curve);
  const auto arrivals = PoissonArrivals(rate, seconds, 1);
  std::vector<double> latency(arrivals.size(), -1), ack;
  ack.reserve(arrivals.size());
  const double start = Now() + 0.01;
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const double intended = start + arrivals[i].at;
    SleepThenSpinUntil(intended);
    if (preprocess > 0) Spin(preprocess);
    batcher
        .Submit(0, SubmitOptions(),
                [&latency, i, intended](absl::StatusOr<int>, const CompletionInfo&) {
                  latency[i] = Now() - intended;
                })
        .IgnoreError();
    ack.push_back(Now() - intended);
  }
  const double end = Now();
  batcher.Drain(absl::Seconds(10)).IgnoreError();
  latency.erase(std::remove(latency.begin(), latency.end(), -1), latency.end());
  // Throughput while the load was on: what was still queued at its end does not count.
  const BatcherStats stats = batcher.GetStats();
  Row row = Summary(latency, Now() - start, stats.batch_size.mean(), ack);
  row.per_second = static_cast<double>(latency.size()) / std::max(end - start, Now() - start);
  return row;
}

// `clients` requests in flight, always. One thread prepares them.
Row ClosedLoop(const BatcherOptions& options, const SimCurve& curve, size_t clients, double seconds,
               double preprocess) {
  IntBatcher batcher = Stub(options, curve);
  std::mutex mu;
  std::condition_variable cv;
  size_t free_clients = clients;
  std::vector<double> latency, ack;
  latency.reserve(1'000'000);
  const double start = Now();
  const double end = start + seconds;
  while (Now() < end) {
    {
      std::unique_lock<std::mutex> lock(mu);
      cv.wait(lock, [&] { return free_clients > 0; });
      --free_clients;
    }
    const double sent = Now();
    if (preprocess > 0) Spin(preprocess);
    batcher
        .Submit(0, SubmitOptions(),
                [&, sent](absl::StatusOr<int>, const CompletionInfo&) {
                  const double took = Now() - sent;
                  const std::lock_guard<std::mutex> lock(mu);
                  latency.push_back(took);
                  ++free_clients;
                  cv.notify_one();
                })
        .IgnoreError();
    ack.push_back(Now() - sent);
  }
  const size_t done = [&] {
    const std::lock_guard<std::mutex> lock(mu);
    return latency.size();
  }();
  const double took = Now() - start;
  batcher.Drain(absl::Seconds(10)).IgnoreError();
  latency.resize(done);
  return Summary(latency, took, batcher.GetStats().batch_size.mean(), ack);
}

// Each of `clients` threads prepares, then calls the runtime and waits: one at a time, batches of
// one.
Row Synchronous(const SimCurve& curve, size_t clients, double seconds, double preprocess) {
  std::mutex runtime, mu;
  std::vector<double> latency;
  std::vector<std::thread> threads;
  const double start = Now();
  for (size_t c = 0; c < clients; ++c) {
    threads.emplace_back([&] {
      while (Now() < start + seconds) {
        const double sent = Now();
        Spin(preprocess);
        {
          const std::lock_guard<std::mutex> lock(runtime);
          Spin(curve.Seconds(1, 1));
        }
        const std::lock_guard<std::mutex> lock(mu);
        latency.push_back(Now() - sent);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  return Summary(latency, Now() - start, 1, {});
}

void Print(const char* name, const Row& r) {
  std::printf("  %-52s %9.1f %9.1f %9.1f %9.0f %7.1f %9.1f\n", name, r.mean_ms, r.p50_ms, r.p99_ms,
              r.per_second, r.batch, r.ack_p99_us);
  std::fflush(stdout);
}

void Head(const char* title) {
  std::printf("\n%s\n  %-52s %9s %9s %9s %9s %7s %9s\n", title, "", "mean ms", "p50 ms", "p99 ms",
              "per s", "batch", "ack99 us");
}

// The same open loop in virtual time: exact, on any machine.
Row Exact(BatchMode mode, size_t batch, const SimCurve& curve, double rate) {
  SimOptions o;
  o.curve = curve;
  o.policy = Options(mode, batch);
  const double seconds = 200;
  o.until = seconds;
  const SimResult r = Simulate(o, PoissonArrivals(rate, seconds, 1));
  return Summary(r.latency, seconds, r.stats.batch_size.mean(), {});
}

Row ExactClosed(size_t batch, const SimCurve& curve, size_t clients) {
  SimOptions o;
  o.curve = curve;
  o.policy = Options(BatchMode::kWorkConserving, batch);
  o.clients = clients;
  const SimResult r = Simulate(o, std::vector<SimArrival>(100'000));
  return Summary(r.latency, r.end, r.stats.batch_size.mean(), {});
}

void Sizes(double seconds) {
  const SimCurve curve{0.000084, 0.000936, 0};
  std::printf(
      "\nBatch size at 1000 messages/s. Runtime stub 0.084 + 0.936 n ms, one slot.\n"
      "  published: size 1: 12 ms, 980/s   8: 25 ms, 1020/s   16: 40 ms, 1050/s   "
      "32: 78 ms, 1065/s\n");
  Head("Virtual time, exact: 200 s of Poisson arrivals at 1000/s");
  for (const size_t b : {1, 8, 16, 32}) {
    Print(("their policy: full or 50 ms, size " + std::to_string(b)).c_str(),
          Exact(BatchMode::kFullOrTimeout, b, curve, 1000));
  }
  Print("default (work-conserving), size to 32",
        Exact(BatchMode::kWorkConserving, 32, curve, 1000));
  Print("adaptive, size to 32", Exact(BatchMode::kAdaptive, 32, curve, 1000));
  Head("Virtual time, exact: closed loop at the published number in flight (12, 26, 42, 83)");
  for (const size_t clients : {12, 26, 42, 83}) {
    Print(("default, size to 1000, " + std::to_string(clients) + " clients").c_str(),
          ExactClosed(1000, curve, clients));
    Print(("default, size to half of them, " + std::to_string(clients) + " clients").c_str(),
          ExactClosed(clients / 2, curve, clients));
  }
  Head("Real threads, open loop");
  for (const double rate : {500.0, 900.0, 950.0, 1000.0, 1050.0}) {
    for (const size_t b : {1, 8, 16, 32}) {
      if (rate != 1000.0) continue;
      Print(("full or 50 ms, size " + std::to_string(b) + ", 1000/s offered").c_str(),
            OpenLoop(Options(BatchMode::kFullOrTimeout, b), curve, rate, seconds, 0));
    }
    Print(("default, size to 32, " + std::to_string(static_cast<int>(rate)) + "/s offered").c_str(),
          OpenLoop(Options(BatchMode::kWorkConserving, 32), curve, rate, seconds, 0));
  }
  Head("Real threads, closed loop at the published number in flight (12, 26, 42, 83)");
  for (const size_t clients : {12, 26, 42, 83}) {
    Print(("default, size to 32, " + std::to_string(clients) + " clients").c_str(),
          ClosedLoop(Options(BatchMode::kWorkConserving, 32), curve, clients, seconds, 0));
  }
}

void Async(double seconds) {
  const SimCurve curve{0.00165, 0.00027, 0};
  const double preprocess = 0.0003;
  std::printf(
      "\nSynchronous to asynchronous. Runtime stub 1.65 + 0.27 n ms, one slot; 0.3 ms of CPU "
      "before each request.\n  published: sync 180 ms, 520/s; async 35 ms, 2100/s\n"
      "  capacity of the stub: 521/s with batches of 1, %.0f/s of 8, %.0f/s of 32\n",
      8 / curve.Seconds(8, 8), 32 / curve.Seconds(32, 32));
  Head("Virtual time, exact, without the preparation: 94 and 74 in flight");
  Print("B  batches of 1, 94 in flight", ExactClosed(1, curve, 94));
  Print("C  batches to 8, 74 in flight", ExactClosed(8, curve, 74));
  Print("C  batches to 32, 74 in flight", ExactClosed(32, curve, 74));
  Head("Real threads, three arms");
  Print("A  94 threads, one blocking call each", Synchronous(curve, 94, seconds, preprocess));
  Print("B  asynchronous, batches of 1, 94 in flight",
        ClosedLoop(Options(BatchMode::kWorkConserving, 1), curve, 94, seconds, preprocess));
  Print("C  asynchronous, batches to 8, 74 in flight",
        ClosedLoop(Options(BatchMode::kWorkConserving, 8), curve, 74, seconds, preprocess));
  Print("C  asynchronous, batches to 32, 74 in flight",
        ClosedLoop(Options(BatchMode::kWorkConserving, 32), curve, 74, seconds, preprocess));
  Print("C  batches to 32, open loop, 2100/s offered",
        OpenLoop(Options(BatchMode::kWorkConserving, 32), curve, 2100, seconds, preprocess));
  std::printf("  (acknowledged: Submit has returned; includes the 0.3 ms of preparation)\n");
}

// Median milliseconds of one batch of 32, and the tensors for comparison.
template <class F>
double MedianMs(double seconds, F run) {
  run();
  std::vector<double> times;
  for (const double end = Now() + seconds; Now() < end || times.size() < 5;) {
    const double start = Now();
    run();
    times.push_back(1e3 * (Now() - start));
  }
  return SimResult::Quantile(times, 0.5);
}

int Preprocess(const std::string& vocabulary, double seconds) {
  const size_t comma = vocabulary.find(',');
  LoadOptions load;
  if (comma != std::string::npos) load.encoding = vocabulary.substr(comma + 1);
  const absl::StatusOr<TokenizerPtr> tokenizer = LoadTokenizer(vocabulary.substr(0, comma), load);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", std::string(tokenizer.status().message()).c_str());
    return 1;
  }
  static const char* const kSentences[] = {
      "The penstock carries water from the reservoir to the turbine, and the gate decides how "
      "much. ",
      "Please summarise the following meeting in three bullet points for the finance team. ",
      "\xe8\xaf\xb7\xe7\x94\xa8\xe4\xb8\x80\xe5\x8f\xa5\xe8\xaf\x9d\xe6\x80\xbb\xe7"
      "\xbb\x93\xe4\xb8\x8b\xe9\x9d\xa2\xe7\x9a\x84\xe6\x96\x87\xe7\xab\xa0\xe3\x80\x82",
      "for (size_t i = 0; i < rows.size(); ++i) sum += rows[i].tokens;\n",
      "Invoice 2024-0817: 1,250.00 EUR due on 30 September; account 00417-22. "};
  std::vector<std::string> texts(32);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t k = 0; texts[i].size() < 700 + 20 * i; ++k)
      texts[i] += kSentences[(i + k * (i + 1)) % 5];
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  // The arms differ in who is called for the ids; all lay them out in the same two tensors, whose
  // memory is kept from batch to batch.
  std::vector<int64_t> ids, mask;
  size_t longest = 0;
  const auto lay_out = [&](const std::vector<CollateRow>& rows) {
    const size_t elements = ShapeOf(rows)->elements();
    longest = elements / rows.size();
    ids.resize(elements);
    mask.resize(elements);
    PaddedBuffers<int64_t> out;
    out.input_ids = ids.data();
    out.attention_mask = mask.data();
    if (!CollateInto(rows, CollateOptions(), out).ok()) std::abort();
  };
  const auto per_text = [&] {
    std::vector<std::vector<TokenId>> rows;
    for (const std::string_view text : views) rows.push_back((*tokenizer)->EncodeIds(text));
    std::vector<CollateRow> borrowed;
    for (const auto& row : rows) borrowed.push_back({row});
    lay_out(borrowed);
  };
  const auto batched = [&](Executor* executor) {
    const BatchEncoding batch = *EncodeBatch(**tokenizer, views, EncodeOptions(), executor);
    std::vector<CollateRow> borrowed;
    for (const Encoding& e : batch.encodings) borrowed.push_back({e.ids});
    lay_out(borrowed);
  };
  per_text();
  const std::vector<int64_t> expected_ids = ids, expected_mask = mask;
  batched(nullptr);
  if (expected_ids != ids || expected_mask != mask) {
    std::fprintf(stderr, "the arms disagree\n");
    return 1;
  }
  size_t bytes = 0;
  for (const std::string& t : texts) bytes += t.size();
  std::printf(
      "\nBatch preprocessing, 32 texts, %zu bytes, [%zu, %zu] tokens, warm\n"
      "  published: 65 -> 28 ms (2.3x), set-up not given\n",
      bytes, texts.size(), longest);
  const double one = MedianMs(seconds, per_text);
  std::printf("  one call per text, 1 thread      %8.3f ms\n", one);
  const double batch = MedianMs(seconds, [&] { batched(nullptr); });
  std::printf("  one call per batch, 1 thread     %8.3f ms  %.2fx\n", batch, one / batch);
  const size_t threads = std::max(2u, std::thread::hardware_concurrency());
  const std::unique_ptr<Executor> pool = NewThreadPool(threads);
  const double many = MedianMs(seconds, [&] { batched(pool.get()); });
  std::printf("  one call per batch, %2zu threads   %8.3f ms  %.2fx\n", threads, many, one / many);
  return 0;
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  double seconds = 5;
  bool sizes = false, async = false;
  std::string vocabulary;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "seconds=", 8) == 0) {
      seconds = std::strtod(argv[i] + 8, nullptr);
    } else if (std::strcmp(argv[i], "sizes") == 0) {
      sizes = true;
    } else if (std::strcmp(argv[i], "async") == 0) {
      async = true;
    } else if (std::strncmp(argv[i], "preprocess=", 11) == 0) {
      vocabulary = argv[i] + 11;
    } else {
      std::fprintf(stderr, "%s: expected sizes, async, preprocess=FILE or seconds=N\n", argv[i]);
      return 1;
    }
  }
  const bool all = !sizes && !async && vocabulary.empty();
  if (sizes || all) Sizes(seconds);
  if (async || all) Async(seconds);
  const char* const data = std::getenv("PENSTOCK_TEST_DATA");
  if (all && data != nullptr)
    vocabulary = std::string(data) + "/vocab/llama3/tokenizer.model,llama3";
  if (!vocabulary.empty()) return Preprocess(vocabulary, seconds);
  if (all) std::printf("\npreprocess: skipped, give a vocabulary or set PENSTOCK_TEST_DATA\n");
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
