// SPDX-License-Identifier: Apache-2.0
//
// The published table (no cache 320 ms, 0 %; reuse 180 ms, 65 %; reuse and prefill of frequent
// prompts 110 ms, 89 %) on a workload of our own with a real model, the reference runtime. Ratios
// are compared, never milliseconds.
//
//   sh bench/run.sh kv_published [--requests 2400] [--seed 1] [--budget 40000] [--model no]
//
// Workload: templates by Zipf's law, a unique suffix each, one template in a hundred replaced at
// every restart, the process restarted every R requests with nothing kept. R is calibrated so that
// plain LRU reuse hits 65 ± 1 % of the tokens. Prompts to warm are mined from the first half of the
// log, figures are of the second half. Time to first token is CPU time of the request's own work
// (cache and model), so that other load on the machine does not enter.
#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_set>
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

enum class Mode { kNoCache, kReuse, kMined, kBestOfLog, kClairvoyant };

std::vector<std::vector<TokenId>> MineFrom(absl::Span<const std::vector<TokenId>> prompts,
                                           uint64_t budget, absl::Duration tau, double min_weight) {
  PromptMinerOptions options;
  options.block_tokens = kBlockTokens;
  options.counters = 1 << 16;
  options.tau = tau;
  options.min_weight = min_weight;
  PromptMiner miner = *PromptMiner::Create(options);
  for (size_t i = 0; i < prompts.size(); ++i) miner.Observe({absl::Seconds(i), prompts[i]});
  std::vector<std::vector<TokenId>> result;
  for (MinedPrompt& p : miner.Mine(budget)) result.push_back(std::move(p.tokens));
  return result;
}

absl::Duration FittedTau(absl::Span<const std::vector<TokenId>> log, uint64_t budget) {
  std::vector<LoggedPrompt> prompts;
  for (size_t i = 0; i < log.size(); ++i) prompts.push_back({absl::Seconds(i), log[i]});
  PromptMinerOptions options;
  options.block_tokens = kBlockTokens;
  const absl::Duration candidates[] = {absl::Seconds(100), absl::Seconds(300), absl::Seconds(1000),
                                       absl::Seconds(3000), absl::Hours(10)};
  return *PromptMiner::Fit(prompts, candidates, budget, options);
}

// Cuts each prompt where it goes on as none of the log did. (A token has one place in one text
// here.)
void KeepWhatTheLogHas(absl::Span<const std::vector<TokenId>> log,
                       std::vector<std::vector<TokenId>>* prompts) {
  std::unordered_set<TokenId> known;
  for (const std::vector<TokenId>& p : log) known.insert(p.begin(), p.end());
  for (std::vector<TokenId>& p : *prompts) {
    size_t n = 0;
    while (n < p.size() && known.count(p[n]) != 0) ++n;
    p.resize(n);
  }
}

// One arm: a cache, and what it did with the requests so far. Without a model only hits are
// counted.
class Server {
 public:
  Server(const Workload& w, Mode mode, const ReferenceTransformer* model, uint64_t warm_budget,
         absl::Duration tau)
      : w_(w), mode_(mode), model_(model), warm_budget_(warm_budget), tau_(tau) {
    MemoryBlockStoreOptions options;
    options.block_tokens = kBlockTokens;
    options.capacity_blocks = kCapacity;
    if (model != nullptr) options = model->StoreOptions(kBlockTokens, kCapacity);
    store_ = *MemoryBlockStore::Create(options);
  }

  void Serve(size_t r) {
    const auto restart = std::find(w_.restarts.begin(), w_.restarts.end(), r);
    if (!cache_.has_value() || restart != w_.restarts.end()) Restart(r);
    const std::vector<TokenId>& ids = w_.prompts[r];
    const double start = CpuMillis();
    KVRequest request;
    request.tokens = ids;
    request.read = mode_ != Mode::kNoCache;
    request.publish = mode_ != Mode::kNoCache;
    Lease lease = *cache_->Acquire(request);
    const double acquired = CpuMillis();
    // The same prefill again gives the same bytes: the quickest of a few is the undisturbed one.
    double quickest = 0;
    for (int i = 0; i < (model_ == nullptr ? 1 : kRepeats); ++i) {
      const double before = CpuMillis();
      if (!Compute(ids, lease).ok()) std::abort();
      const double took = CpuMillis() - before;
      quickest = i == 0 ? took : std::min(quickest, took);
    }
    const double computed = CpuMillis();
    if (!lease.Commit(ids.size()).ok()) std::abort();
    const auto total = static_cast<double>(ids.size()),
               matched = static_cast<double>(lease.matched_tokens());
    ttft.push_back(acquired - start + quickest + CpuMillis() - computed);
    missed.push_back(total - matched);
    attended.push_back((total * total - matched * matched) / 2);
    hits_ += lease.matched_tokens();
    asked_ += ids.size();
  }

  double hit_rate() const { return static_cast<double>(hits_) / static_cast<double>(asked_); }
  uint64_t asked() const { return asked_; }
  // Of what Warm computed, how much a request found afterwards.
  uint64_t warm_saved() const { return warm_saved_ + cache_->GetStats().warm_saved_tokens; }

  std::vector<double> ttft, missed, attended;  // by request
  uint64_t warm_tokens = 0;
  double warm_ms = 0;

 private:
  static constexpr size_t kCapacity = 8192;
  static constexpr int kRepeats = 3;

  absl::Status Compute(absl::Span<const TokenId> ids, const Lease& lease) {
    if (model_ == nullptr) return absl::OkStatus();
    const PrefillRow row{ids.subspan(lease.matched_tokens()), lease.matched_tokens(),
                         lease.blocks()};
    return model_->Prefill(store_.get(), {row}, &logits_);
  }

  void Restart(size_t r) {
    KVCacheOptions options;
    options.block_tokens = kBlockTokens;
    options.policy = [] { return NewLruPolicy(); };
    if (cache_.has_value()) warm_saved_ += cache_->GetStats().warm_saved_tokens;
    cache_.reset();
    cache_.emplace(*KVCache::Create(store_.get(), options));
    if (mode_ == Mode::kNoCache || mode_ == Mode::kReuse) return;
    const auto next = std::upper_bound(w_.restarts.begin(), w_.restarts.end(), r);
    const size_t until = next != w_.restarts.end() ? *next : w_.prompts.size();
    const auto all = absl::MakeConstSpan(w_.prompts);
    std::vector<std::vector<TokenId>> future(all.begin() + static_cast<std::ptrdiff_t>(r),
                                             all.begin() + static_cast<std::ptrdiff_t>(until));
    if (mode_ == Mode::kBestOfLog) KeepWhatTheLogHas(all.subspan(0, r), &future);
    const auto prompts = mode_ == Mode::kMined
                             ? MineFrom(all.subspan(0, r), warm_budget_, tau_, 1)
                             : MineFrom(future, warm_budget_, absl::Hours(1000), 0.5);
    const double before = CpuMillis();
    const WarmReport report = cache_->Warm(
        Scope(), prompts, warm_budget_,
        [&](absl::Span<const TokenId> ids, Lease& lease) { return Compute(ids, lease); });
    warm_ms += CpuMillis() - before;
    warm_tokens += report.tokens_prefilled;
  }

  const Workload& w_;
  const Mode mode_;
  const ReferenceTransformer* const model_;
  const uint64_t warm_budget_;
  const absl::Duration tau_;
  std::unique_ptr<MemoryBlockStore> store_;
  std::optional<KVCache> cache_;
  std::vector<float> logits_;
  uint64_t hits_ = 0, asked_ = 0, warm_saved_ = 0;
};

double HitRate(const Workload& w, Mode mode, uint64_t budget, absl::Duration tau) {
  Server server(w, mode, nullptr, budget, tau);
  for (size_t r = w.prompts.size() / 2; r < w.prompts.size(); ++r) server.Serve(r);
  return server.hit_rate();
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

// time = c[0] + c[1] * missed tokens + c[2] * pairs attended (the third only if `attention`), least
// squares over all requests of all arms, weighted by 1 / time: an error of 5 % weighs the same in
// every arm.
std::array<double, 3> Fit(const std::vector<Server>& arms, bool attention) {
  const size_t n = attention ? 3 : 2;
  double m[3][4] = {};
  for (const Server& arm : arms) {
    for (size_t i = 0; i < arm.ttft.size(); ++i) {
      const double x[3] = {1, arm.missed[i], arm.attended[i]};
      const double weight = 1 / std::max(arm.ttft[i], 1e-3);
      for (size_t a = 0; a < n; ++a) {
        for (size_t b = 0; b < n; ++b) m[a][b] += weight * x[a] * x[b];
        m[a][3] += weight * x[a] * arm.ttft[i];
      }
    }
  }
  for (size_t a = 0; a < n; ++a) {  // positive definite: no pivoting
    for (size_t row = 0; row < n; ++row) {
      if (row == a) continue;
      const double f = m[row][a] / m[a][a];
      for (size_t b = 0; b < 4; ++b) m[row][b] -= f * m[a][b];
    }
  }
  std::array<double, 3> c{};
  for (size_t a = 0; a < n; ++a) c[a] = m[a][3] / m[a][a];
  return c;
}

double Predicted(const Server& arm, const std::array<double, 3>& c) {
  return c[0] + c[1] * Mean(arm.missed) + c[2] * Mean(arm.attended);
}

size_t Calibrate(size_t requests, uint64_t seed, double* rate) {
  // Hits of plain LRU reuse grow with the time between restarts.
  size_t low = 10, high = requests / 2, every = low;
  while (low < high) {
    every = (low + high) / 2;
    *rate = HitRate(Generate(requests, every, seed), Mode::kReuse, 0, absl::Hours(1));
    if (std::fabs(*rate - 0.65) < 0.005) break;
    (*rate < 0.65 ? low : high) = *rate < 0.65 ? every + 1 : every;
  }
  return every;
}

int Main(size_t requests, uint64_t seed, uint64_t budget, bool with_model) {
  double rate = 0;
  const size_t every = Calibrate(requests, seed, &rate);
  const Workload w = Generate(requests, every, seed);
  const absl::Duration tau =
      FittedTau(absl::MakeConstSpan(w.prompts).subspan(0, requests / 2), budget);
  std::printf(
      "%zu requests, second half served; a restart every %zu; plain LRU reuse calibrated to %.1f "
      "%%; fitted tau %.0f requests\n",
      requests, every, 100 * rate, absl::ToDoubleSeconds(tau));
  std::printf(
      "\nhits by warm-up tokens a restart: mined | the best of what the log contains, mined/best "
      "(bar 0.95) | clairvoyant (unheard-of suffixes too), mined/clairvoyant\n");
  for (const uint64_t tokens : {5000, 10000, 20000, 30000, 40000}) {
    const double mined = HitRate(w, Mode::kMined, tokens, tau),
                 best = HitRate(w, Mode::kBestOfLog, tokens, tau),
                 clairvoyant = HitRate(w, Mode::kClairvoyant, tokens, tau);
    std::printf("  %6llu  %5.1f%% | %5.1f%%  %.3f | %5.1f%%  %.3f\n",
                static_cast<unsigned long long>(tokens), 100 * mined, 100 * best, mined / best,
                100 * clairvoyant, mined / clairvoyant);
  }
  if (!with_model) return 0;
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
  std::vector<Server> arms;
  arms.reserve(4);
  for (const auto& row : rows) arms.emplace_back(w, row.mode, &model, budget, tau);
  for (size_t r = requests / 2; r < requests; ++r) {  // side by side: the same weather for all
    for (Server& arm : arms) arm.Serve(r);
  }
  const std::array<double, 3> line = Fit(arms, false), curve = Fit(arms, true);
  std::printf("\n%-28s %6s %9s %8s %8s %6s %15s %15s %9s | %s\n", "", "hits", "ttft mean", "p50",
              "p99", "ratio", "line, error", "curve, error", "warm tok",
              "published: ms, ratio, hits");
  for (size_t i = 0; i < arms.size(); ++i) {
    const Server& arm = arms[i];
    const double mean = Mean(arm.ttft), by_line = Predicted(arm, line),
                 by_curve = Predicted(arm, curve);
    std::printf(
        "%-28s %5.1f%% %7.2fms %6.2fms %6.2fms %6.3f %7.2fms %+5.1f%% %7.2fms %+5.1f%% %9llu",
        rows[i].name, 100 * arm.hit_rate(), mean, Quantile(arm.ttft, 0.5), Quantile(arm.ttft, 0.99),
        mean / Mean(arms[0].ttft), by_line, 100 * (by_line / mean - 1), by_curve,
        100 * (by_curve / mean - 1), static_cast<unsigned long long>(arm.warm_tokens));
    if (rows[i].published_ms > 0) {
      std::printf(" | %3.0f  %.2f  %2.0f%%", rows[i].published_ms, rows[i].published_ms / 320,
                  100 * rows[i].published_rate);
    }
    std::printf("\n");
  }
  std::printf(
      "\nfitted (CPU): line %.3f ms + %.4f ms a token; curve %.3f ms + %.4f ms a token + %.3g ms a "
      "pair attended.\nThe published figures fit no line: 105 ms + 215 ms * misses gives 320 and "
      "180, and 129, not 110, at 89 %%.\n",
      line[0], line[1], curve[0], curve[1], curve[2]);
  const Server& mined = arms[2];
  const auto served = static_cast<double>(mined.ttft.size());
  const double saved = static_cast<double>(mined.warm_saved()) /
                       static_cast<double>(std::max<uint64_t>(mined.warm_tokens, 1));
  std::printf(
      "warm-up inside the cost: %.2f ms a request more, %.2f ms with it (no cache %.2f, reuse "
      "%.2f); %llu tokens computed,\n%llu of them found later: %.2f saved per token computed. It "
      "%s "
      "in tokens; what it buys is the latency after a restart.\n",
      mined.warm_ms / served, Mean(mined.ttft) + mined.warm_ms / served, Mean(arms[0].ttft),
      Mean(arms[1].ttft), static_cast<unsigned long long>(mined.warm_tokens),
      static_cast<unsigned long long>(mined.warm_saved()), saved,
      saved >= 1 ? "paid" : "did not pay");
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  if (!penstock::PrintBenchHeader(argv[0])) return 2;
  size_t requests = 2400;
  uint64_t seed = 1, budget = 40000;
  bool with_model = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--requests") == 0) requests = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--model") == 0) with_model = std::strcmp(argv[i + 1], "no") != 0;
    if (std::strcmp(argv[i], "--budget") == 0) budget = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seed") == 0) seed = std::strtoull(argv[i + 1], nullptr, 10);
  }
  if (requests < 100) {
    std::fprintf(stderr,
                 "usage: kv_published [--requests N] [--seed S] [--budget TOKENS] [--model no]; N "
                 "at least 100\n");
    return 2;
  }
  return penstock::Main(requests, seed, budget, with_model);
}
