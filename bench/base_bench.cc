// SPDX-License-Identifier: Apache-2.0
//
// base: what every other part pays: a histogram's record, a task's way through the pool, the ring
// of a bell, the check of UTF-8.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "penstock/base/clock.h"
#include "penstock/base/executor.h"
#include "penstock/base/histogram.h"
#include "tests/support/utf8_oracle.h"
#include "text/utf8.h"

namespace penstock {
namespace {

std::vector<uint64_t> Values(uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::vector<uint64_t> values(1 << 14);
  for (uint64_t& v : values) v = rng() >> (rng() % 64);
  return values;
}

void BM_HistogramRecord(benchmark::State& state) {
  const std::vector<uint64_t> values = Values(1);
  Histogram h;
  size_t i = 0;
  for (auto _ : state) h.Record(values[i++ % values.size()]);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_HistogramRecord);

void BM_HistogramMerge(benchmark::State& state) {
  Histogram a, b;
  for (uint64_t v : Values(1)) a.Record(v);
  for (uint64_t v : Values(2)) b.Record(v);
  for (auto _ : state) a.Merge(b);
}
BENCHMARK(BM_HistogramMerge);

void BM_HistogramQuantile(benchmark::State& state) {
  Histogram h;
  for (uint64_t v : Values(1)) h.Record(v);
  for (auto _ : state) benchmark::DoNotOptimize(h.Quantile(0.99));
}
BENCHMARK(BM_HistogramQuantile);

// Schedule-to-done of a task when one is in flight.
void BM_ThreadPoolRoundTrip(benchmark::State& state) {
  const std::unique_ptr<Executor> pool = NewThreadPool(1);
  Bell done;
  for (auto _ : state) {
    pool->Schedule([&done] { done.Ring(); });
    Clock::Real()->WaitUntil(done, MonoTime::InfiniteFuture());
  }
}
BENCHMARK(BM_ThreadPoolRoundTrip)->UseRealTime();

// Tasks per second with many in flight.
void BM_ThreadPoolThroughput(benchmark::State& state) {
  const size_t threads = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    std::atomic<int> ran{0};
    auto pool = NewThreadPool(threads);
    for (int i = 0; i < 10000; ++i) {
      pool->Schedule([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
    }
    pool.reset();
    if (ran != 10000) state.SkipWithError("a task was lost");
  }
  state.SetItemsProcessed(state.iterations() * 10000);
}
BENCHMARK(BM_ThreadPoolThroughput)->Arg(1)->Arg(2)->UseRealTime();

void BM_BellRingNobodyWaiting(benchmark::State& state) {
  Bell bell;
  for (auto _ : state) bell.Ring();
}
BENCHMARK(BM_BellRingNobodyWaiting);

// Text of which every `period`-th character is Chinese.
std::string Text(size_t bytes, size_t period) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) {
    if (i % period == 0) {
      internal::AppendUtf8(static_cast<char32_t>(0x4E00 + i % 5000), &text);
    } else {
      text.push_back(static_cast<char>('a' + i % 26));
    }
  }
  return text;
}

void BM_Utf8Validate(benchmark::State& state) {
  const std::string text = Text(1 << 16, static_cast<size_t>(state.range(0)));
  if (OracleReplace(text) != internal::ReplaceInvalidUtf8(text)) state.SkipWithError("not equal");
  for (auto _ : state) benchmark::DoNotOptimize(internal::ValidUtf8Prefix(text));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(BM_Utf8Validate)->ArgName("one_cjk_in")->Arg(1)->Arg(8)->Arg(1 << 20);

}  // namespace
}  // namespace penstock
