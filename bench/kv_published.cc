// SPDX-License-Identifier: Apache-2.0
//
// The published table (no cache 320 ms, 0 %; reuse 180 ms, 65 %; reuse and prefill of frequent
// prompts 110 ms, 89 %) on a workload of our own with a real model, the reference runtime. Ratios
// are compared, never milliseconds.
//
//   sh bench/run.sh kv_published [--requests 600] [--seed 1]
//
// Workload: templates by Zipf's law, a unique suffix each, one template in a hundred replaced at
// every restart, the process restarted every R requests with nothing kept. R is calibrated so that
// plain LRU reuse hits 65 ± 1 % of the tokens. Prompts to warm are mined from the first half of the
// log, figures are of the second half. Time to first token is CPU time of the request's own work
// (cache and model), so that other load on the machine does not enter.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/bench_header.h"
#include "examples/reference_runtime/transformer.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/prompt_miner.h"

namespace penstock {
namespace {

constexpr size_t kBlockTokens = 16, kTemplates = 120;

double CpuMillis() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

struct Workload {
  std::vector<std::vector<TokenId>> prompts;
  std::vector<size_t> restarts;  // a restart comes before these requests
};

Workload Generate(size_t requests, size_t restart_every, uint64_t seed) {
  std::mt19937_64 rng(seed);
  TokenId fresh = 1;
  const auto text = [&](size_t low, size_t high) {
    std::vector<TokenId> ids(low + rng() % (high - low + 1));
    for (TokenId& id : ids) id = fresh++;
    return ids;
  };
  std::vector<std::vector<TokenId>> templates;
  std::vector<double> cumulated;
  double sum = 0;
  for (size_t k = 0; k < kTemplates; ++k) {
    templates.push_back(text(64, 640));
    cumulated.push_back(sum += 1.0 / static_cast<double>(k + 1));
  }
  Workload w;
  for (size_t r = 0; r < requests; ++r) {
    if (r % restart_every == 0) {
      w.restarts.push_back(r);
      templates[rng() % kTemplates] = text(64, 640);
    }
    const double u = static_cast<double>(rng() >> 11) / 9007199254740992.0 * sum;
    const size_t k = static_cast<size_t>(std::lower_bound(cumulated.begin(), cumulated.end(), u) -
                                         cumulated.begin());
    std::vector<TokenId> prompt = templates[std::min(k, kTemplates - 1)];
    const std::vector<TokenId> suffix = text(6, 40);
    prompt.insert(prompt.end(), suffix.begin(), suffix.end());
    w.prompts.push_back(std::move(prompt));
  }
  return w;
}

enum class Mode { kNoCache, kReuse, kMined, kClairvoyant };

struct Result {
  double hit_rate = 0;
  std::vector<double> ttft;
  std::vector<double> missed;
  uint64_t warm_tokens = 0;
  double warm_ms = 0;
  uint64_t saved = 0;
};

std::vector<std::vector<TokenId>> MineFrom(absl::Span<const std::vector<TokenId>> prompts,
                                           uint64_t budget, double min_weight) {
  PromptMinerOptions options;
  options.block_tokens = kBlockTokens;
  options.counters = 1 << 16;
  options.tau = absl::Hours(1000);
  options.min_weight = min_weight;
  PromptMiner miner = *PromptMiner::Create(options);
  for (size_t i = 0; i < prompts.size(); ++i) miner.Observe({absl::Seconds(i), prompts[i]});
  std::vector<std::vector<TokenId>> result;
  for (MinedPrompt& p : miner.Mine(budget)) result.push_back(std::move(p.tokens));
  return result;
}

// Serves [begin, end) of the workload. Without a model only hits are counted.
Result Serve(const Workload& w, size_t begin, Mode mode, const ReferenceTransformer* model,
             uint64_t warm_budget) {
  Result result;
  uint64_t hits = 0, asked = 0;
  const size_t capacity = 8192;
  MemoryBlockStoreOptions store_options;
  if (model != nullptr) {
    store_options = model->StoreOptions(kBlockTokens, capacity);
  } else {
    store_options.block_tokens = kBlockTokens;
    store_options.capacity_blocks = capacity;
  }
  auto store = *MemoryBlockStore::Create(store_options);
  std::optional<KVCache> cache;
  std::vector<float> logits;
  const auto compute = [&](absl::Span<const TokenId> ids, const Lease& lease) {
    if (model == nullptr) return absl::OkStatus();
    const PrefillRow row{ids.subspan(lease.matched_tokens()), lease.matched_tokens(),
                         lease.blocks()};
    return model->Prefill(store.get(), {row}, &logits);
  };
  for (size_t r = begin; r < w.prompts.size(); ++r) {
    const auto restart = std::find(w.restarts.begin(), w.restarts.end(), r);
    if (!cache.has_value() || restart != w.restarts.end()) {
      KVCacheOptions options;
      options.block_tokens = kBlockTokens;
      options.policy = [] { return NewLruPolicy(); };
      cache.reset();
      cache.emplace(*KVCache::Create(store.get(), options));
      if (mode == Mode::kMined || mode == Mode::kClairvoyant) {
        const size_t until = restart != w.restarts.end() && restart + 1 != w.restarts.end()
                                 ? *(restart + 1)
                                 : w.prompts.size();
        const auto all = absl::MakeConstSpan(w.prompts);
        const auto prompts = mode == Mode::kMined
                                 ? MineFrom(all.subspan(0, r), warm_budget, 2)
                                 : MineFrom(all.subspan(r, until - r), warm_budget, 1.5);
        const double before = CpuMillis();
        const WarmReport report = cache->Warm(Scope(), prompts, warm_budget, compute);
        result.warm_ms += CpuMillis() - before;
        result.warm_tokens += report.tokens_prefilled;
      }
    }
    const std::vector<TokenId>& ids = w.prompts[r];
    const double start = CpuMillis();
    KVRequest request;
    request.tokens = ids;
    request.read = mode != Mode::kNoCache;
    request.publish = mode != Mode::kNoCache;
    Lease lease = *cache->Acquire(request);
    if (!compute(ids, lease).ok() || !lease.Commit(ids.size()).ok()) std::abort();
    result.ttft.push_back(CpuMillis() - start);
    result.missed.push_back(static_cast<double>(ids.size() - lease.matched_tokens()));
    hits += lease.matched_tokens();
    asked += ids.size();
  }
  result.hit_rate = static_cast<double>(hits) / static_cast<double>(asked);
  return result;
}

double Quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[std::min(v.size() - 1, static_cast<size_t>(q * static_cast<double>(v.size())))];
}
double Mean(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

int Main(size_t requests, uint64_t seed) {
  // Calibration: hits of plain LRU reuse grow with the time between restarts.
  size_t low = 10, high = requests / 2;
  size_t every = low;
  double rate = 0;
  while (low < high) {
    every = (low + high) / 2;
    rate = Serve(Generate(requests, every, seed), requests / 2, Mode::kReuse, nullptr, 0).hit_rate;
    if (std::fabs(rate - 0.65) < 0.005) break;
    (rate < 0.65 ? low : high) = rate < 0.65 ? every + 1 : every;
  }
  const Workload w = Generate(requests, every, seed);
  std::printf(
      "%zu requests, second half scored; a restart every %zu; plain LRU reuse calibrated to %.1f "
      "%%\n",
      requests, every, 100 * rate);
  const uint64_t budget = 40000;
  TransformerOptions small;
  small.layers = 2;
  small.model_dim = 96;
  small.heads = 4;
  small.kv_heads = 2;
  small.ffn_dim = 256;
  const ReferenceTransformer model = *ReferenceTransformer::Create(small);
  const struct {
    const char* name;
    Mode mode;
    double published_ms, published_rate;
  } rows[] = {{"no cache", Mode::kNoCache, 320, 0},
              {"reuse", Mode::kReuse, 180, 0.65},
              {"reuse + mined prefill", Mode::kMined, 110, 0.89},
              {"reuse + clairvoyant prefill", Mode::kClairvoyant, 0, 0}};
  std::vector<Result> results;
  for (const auto& row : rows) results.push_back(Serve(w, requests / 2, row.mode, &model, budget));

  double sx = 0, sy = 0, sxx = 0, sxy = 0,
         n = 0;  // time to first token = fixed + per_token * missed, least squares
  for (const Result& r : results) {
    for (size_t i = 0; i < r.ttft.size(); ++i) {
      sx += r.missed[i];
      sy += r.ttft[i];
      sxx += r.missed[i] * r.missed[i];
      sxy += r.missed[i] * r.ttft[i];
      n += 1;
    }
  }
  const double per_token = (n * sxy - sx * sy) / (n * sxx - sx * sx),
               fixed = (sy - per_token * sx) / n;
  std::printf("\n%-28s %6s %9s %8s %8s %7s %9s %9s %10s | %s\n", "", "hits", "ttft mean", "p50",
              "p99", "ratio", "fit mean", "fit error", "warm tok", "published: ms, ratio, hits");
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    const double mean = Mean(r.ttft), predicted = fixed + per_token * Mean(r.missed);
    std::printf("%-28s %5.1f%% %8.2fms %6.2fms %6.2fms %7.3f %7.2fms %8.1f%% %10llu", rows[i].name,
                100 * r.hit_rate, mean, Quantile(r.ttft, 0.5), Quantile(r.ttft, 0.99),
                mean / Mean(results[0].ttft), predicted, 100 * (predicted / mean - 1),
                static_cast<unsigned long long>(r.warm_tokens));
    if (rows[i].published_ms > 0) {
      std::printf(" | %3.0f  %.2f  %2.0f%%", rows[i].published_ms, rows[i].published_ms / 320,
                  100 * rows[i].published_rate);
    }
    std::printf("\n");
  }
  std::printf(
      "\nfitted: %.3f ms + %.4f ms a token (CPU). The published figures fit no such line: 105 ms + "
      "215 ms * misses\n"
      "gives 320 and 180, and 129, not 110, at 89 %%.\n",
      fixed, per_token);
  std::printf("mined / clairvoyant hits: %.3f (bar 0.95)\n",
              results[2].hit_rate / results[3].hit_rate);
  const double served = static_cast<double>(results[2].ttft.size());
  std::printf(
      "warm-up inside the cost: %.2f ms a request more, %.2f ms with it (no cache %.2f, reuse "
      "%.2f): it buys the first\n"
      "requests' latency with idle time, and pays in tokens only if it is below reuse.\n",
      results[2].warm_ms / served, Mean(results[2].ttft) + results[2].warm_ms / served,
      Mean(results[0].ttft), Mean(results[1].ttft));
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  if (!penstock::PrintBenchHeader(argv[0])) return 2;
  size_t requests = 600;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--requests") == 0) requests = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  if (requests < 100) {
    std::fprintf(stderr, "usage: kv_published [--requests N] [--seed S]; N at least 100\n");
    return 2;
  }
  return penstock::Main(requests, seed);
}
