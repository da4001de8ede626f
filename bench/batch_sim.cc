// SPDX-License-Identifier: Apache-2.0
//
// The batcher's engine against modelled runtimes in virtual time: exact, repeatable, independent of
// the machine.
//
//   sh bench/run.sh batch_sim                              every table
//   sh bench/run.sh batch_sim formation overload noise fairness scale
//   sh bench/run.sh batch_sim curves [--seed=1] [--seconds=N: requests of N thousands a row]
//        formation on random curves of seven kinds, against the same grid
//   sh bench/run.sh batch_sim padding CONV.csv[.gz]        lengths of a real trace
//   sh bench/run.sh batch_sim run --curve=8,0.3[,0.01[,0.002[,8]]]
//        ms fixed, ms a row[, ms a token[, ms a squared row[, rows round up to multiples of]]]
//        [--arrivals=poisson|burst|FILE]  FILE: .csv or .jsonl[.gz] with times (and tokens)
//        [--batch=64] [--slots=1] [--budget=TOKENS] [--padded] [--slo=200] [--noise=0.2] [--slow=3]
//        [--seconds=20] [--seed=1] [--loads=0.1,0.5,0.9,1,2,5] [--no-grid]
//
// A load of 1 is what full batches serve. `FILE` keeps its gaps and is stretched to each load.
#include "bench/batch_sim.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "bench/bench_header.h"
#include "tests/support/batch_simulator.h"
#include "tests/support/batch_trace.h"

namespace penstock {
namespace {

constexpr double kDelaysMs[] = {0, 0.25, 0.5, 1, 2, 5, 10, 50};
constexpr size_t kSizes[] = {1, 2, 4, 8, 12, 16, 24, 32, 48, 64};

std::vector<SimArrival> Stretch(std::vector<SimArrival> arrivals, double rate) {
  const double span = arrivals.back().at - arrivals.front().at;
  const double factor = static_cast<double>(arrivals.size()) / rate / (span > 0 ? span : 1);
  const double start = arrivals.front().at;
  for (SimArrival& a : arrivals) a.at = (a.at - start) * factor;
  return arrivals;
}

struct Best {
  double mean = 1e300, p99 = 1e300;
  size_t batch = 0;
  double delay_ms = 0;
};

// The best fixed (size, timeout) pair in hindsight.
Best BestFixed(const SimOptions& base, const std::vector<SimArrival>& arrivals) {
  Best best;
  for (const size_t batch : kSizes) {
    if (batch > base.policy.max_batch_requests) continue;
    for (const double delay : kDelaysMs) {
      SimOptions o = base;
      o.policy.mode = BatchMode::kFullOrTimeout;
      o.policy.max_batch_requests = batch;
      o.policy.max_delay = absl::Milliseconds(delay);
      const SimResult r = Simulate(o, arrivals);
      const double mean = r.mean();
      if (mean < best.mean) {
        best.mean = mean;
        best.batch = batch;
        best.delay_ms = delay;
      }
      best.p99 = std::min(best.p99, r.p(0.99));
    }
  }
  return best;
}

SimResult RunMode(SimOptions o, BatchMode mode, const std::vector<SimArrival>& arrivals) {
  o.policy.mode = mode;
  return Simulate(o, arrivals);
}

struct NamedCurve {
  const char* name;
  SimCurve curve;
};

// Amortising, in between, hardly amortising, convex (a squared term), stepped (tiles of 8 rows).
const NamedCurve kCurves[] = {{"8+.3b", {0.008, 0.0003}},
                              {".05+.005b", {0.00005, 0.000005}},
                              {".6+.3b", {0.0006, 0.0003}},
                              {".084+.936b", {0.000084, 0.000936}},
                              {".5+b", {0.0005, 0.001}},
                              {"5+.2b+.01bb", {0.005, 0.0002, 0, 0.00001}},
                              {"2+.02b+.002bb", {0.002, 0.00002, 0, 0.000002}},
                              {"4+.25 steps of 8", {0.004, 0.00025, 0, 0, 8}},
                              {"1+.5 steps of 16", {0.001, 0.0005, 0, 0, 16}}};

void FormationRow(const NamedCurve& c, const std::string& kind,
                  const std::vector<SimArrival>& trace, double load) {
  SimOptions o;
  o.curve = c.curve;
  o.policy.max_batch_requests = 64;
  o.policy.max_queue_requests = 10'000'000;
  o.policy.predictive_expiry = false;
  const double rate = load * Capacity(o);
  const double seconds = 40000 / rate;
  std::vector<SimArrival> arrivals;
  if (kind == "poisson") arrivals = PoissonArrivals(rate, seconds, 1);
  if (kind == "bursts") arrivals = BurstArrivals(rate, std::max(seconds, 20.0), 3, 1);
  if (kind == "trace") arrivals = Stretch(trace, rate);
  if (arrivals.size() > 60000) arrivals.resize(60000);
  const Best best = BestFixed(o, arrivals);
  const SimResult greedy = RunMode(o, BatchMode::kWorkConserving, arrivals);
  const SimResult adaptive = RunMode(o, BatchMode::kAdaptive, arrivals);
  const SimResult fixed = RunMode(o, BatchMode::kFullOrTimeout, arrivals);
  char pair[32];
  std::snprintf(pair, sizeof(pair), "(%zu,%g)", best.batch, best.delay_ms);
  std::printf("%-17s %-8s %5.2f | %9.3f %-11s %9.3f | %9.3f %7.3f %7.3f | %9.3f %7.3f | %7.1f\n",
              c.name, kind.c_str(), load, 1e3 * best.mean, pair, 1e3 * best.p99,
              1e3 * greedy.mean(), greedy.mean() / best.mean, greedy.p(0.99) / best.p99,
              1e3 * adaptive.mean(), adaptive.mean() / best.mean, fixed.mean() / greedy.mean());
  std::fflush(stdout);
}

// `trace`: a file of arrivals, or empty.
void Formation(const std::string& trace_path) {
  const std::vector<SimArrival> trace =
      trace_path.empty() ? std::vector<SimArrival>() : ReadTrace(trace_path);
  std::printf(
      "\nBatch formation: mean latency in ms; the grid is all pairs of 10 sizes and 8 timeouts; "
      "a load of 1 is what the best size serves\n"
      "%-17s %-8s %5s | %9s %-11s %9s | %9s %7s %7s | %9s %7s | %7s\n",
      "curve, ms", "arrivals", "load", "best mean", "(size,ms)", "best p99", "default", "/best",
      "p99/", "adaptive", "/best", "full|50");
  for (const NamedCurve& c : kCurves) {
    for (const char* kind : {"poisson", "bursts", "trace"}) {
      if (std::string(kind) == "trace" && trace.size() < 2) continue;
      for (const double load : {0.1, 0.3, 0.5, 0.7, 0.9, 0.95}) FormationRow(c, kind, trace, load);
    }
  }
}

// Curves nobody has looked at: drawn from `seed`, eight of each kind.
struct CurveKind {
  const char* name;
  SimCurve (*draw)(const std::function<double(double, double)>& log_uniform);
};
const CurveKind kKinds[] = {
    {"amortising a + b n, a/b 3..100",
     [](const auto& u) {
       return SimCurve{1e-3 * u(3, 100), 1e-3};
     }},
    {"hardly amortising, a/b 0.05..3",
     [](const auto& u) {
       return SimCurve{1e-3 * u(0.05, 3), 1e-3};
     }},
    {"convex, best size 6..60",
     [](const auto& u) {
       const double best = u(6, 60), squared = 1e-5 * u(0.2, 5);
       return SimCurve{squared * best * best, 1e-3 * u(0.01, 1), 0, squared};
     }},
    {"tiles of 4, 8, 16 or 32 rows",
     [](const auto& u) {
       return SimCurve{1e-3 * u(0.3, 20), 1e-3 * u(0.1, 1), 0, 0,
                       std::exp2(std::floor(std::log2(u(4, 63))))};
     }},
    {"flat to a knee at 4..48, then linear",
     [](const auto& u) {
       const double knee = u(4, 48);
       return SimCurve{1e-3 * u(0.1, 2), 1e-3, 0, 0, 1, 1e-3 * knee};
     }},
    {"concave, a + b n^(0.4..0.9)",
     [](const auto& u) { return SimCurve{1e-3 * u(1, 10), 1e-3, 0, 0, 1, 0, u(0.4, 0.9)}; }},
    {"amortising with noise 0.1",
     [](const auto& u) {
       return SimCurve{1e-3 * u(3, 100), 1e-3};
     }},
};

void Curves(uint64_t seed, size_t requests) {
  std::printf(
      "\nRandom curves: mean latency over that of the best of 80 fixed (size, timeout) pairs, in "
      "hindsight; eight curves a kind, each with Poisson arrivals and bursts, seed %llu\n"
      "%-38s | %9s %9s %9s | %9s %9s | worst row\n",
      static_cast<unsigned long long>(seed), "kind", "default", "median", "p99 worst", "adaptive",
      "median");
  for (const CurveKind& kind : kKinds) {
    std::mt19937_64 rng(seed);
    const std::function<double(double, double)> log_uniform = [&rng](double from, double to) {
      return std::exp(std::uniform_real_distribution<double>(std::log(from), std::log(to))(rng));
    };
    std::vector<double> plain, tail, adaptive;
    std::string worst;
    for (int i = 0; i < 16; ++i) {
      SimOptions o;
      static SimCurve curve;
      if (i % 2 == 0) curve = kind.draw(log_uniform);
      o.curve = curve;
      if (std::strstr(kind.name, "noise") != nullptr) o.noise = 0.1;
      o.policy.max_batch_requests = 64;
      o.policy.max_queue_requests = 10'000'000;
      o.policy.predictive_expiry = false;
      const double load = std::uniform_real_distribution<double>(0.2, 0.95)(rng);
      const double rate = load * Capacity(o);
      const double seconds = static_cast<double>(requests) / rate;
      std::vector<SimArrival> arrivals =
          i % 2 == 0 ? PoissonArrivals(rate, seconds, seed + 1)
                     : BurstArrivals(rate, std::max(seconds, 20.0), 3, seed + 1);
      if (arrivals.size() > 3 * requests) arrivals.resize(3 * requests);
      const Best best = BestFixed(o, arrivals);
      const SimResult greedy = RunMode(o, BatchMode::kWorkConserving, arrivals);
      plain.push_back(greedy.mean() / best.mean);
      tail.push_back(greedy.p(0.99) / best.p99);
      adaptive.push_back(RunMode(o, BatchMode::kAdaptive, arrivals).mean() / best.mean);
      if (plain.back() == *std::max_element(plain.begin(), plain.end())) {
        char text[160];
        std::snprintf(
            text, sizeof(text),
            "%s %.2f x, ms %.3g + %.3g n^%.2g + %.3g nn, step %g, least %.3g; best (%zu,%g)",
            i % 2 == 0 ? "poisson" : "bursts", load, 1e3 * curve.fixed, 1e3 * curve.per_row,
            curve.power, 1e3 * curve.per_squared_row, curve.row_step, 1e3 * curve.at_least,
            best.batch, best.delay_ms);
        worst = text;
      }
    }
    const auto most = [](const std::vector<double>& v) {
      return *std::max_element(v.begin(), v.end());
    };
    std::printf("%-38s | %9.3f %9.3f %9.3f | %9.3f %9.3f | %s\n", kind.name, most(plain),
                SimResult::Quantile(plain, 0.5), most(tail), most(adaptive),
                SimResult::Quantile(adaptive, 0.5), worst.c_str());
    std::fflush(stdout);
  }
}

void Padding(const std::string& path) {
  std::vector<SimArrival> trace = ReadTrace(path);
  if (trace.empty()) {
    std::printf("padding: no requests in %s\n", path.c_str());
    return;
  }
  std::printf("\nPadding, %zu prompts of %s, all queued, oldest first\n%10s %10s %14s %8s %22s\n",
              trace.size(), path.c_str(), "lookahead", "batch", "padded/real", "batches",
              "k-th oldest left by");
  for (const bool budget : {false, true}) {
    for (const size_t lookahead : {1, 2, 4, 8}) {
      BatchPolicy policy;
      policy.cost_shape = CostShape::kPadded;
      policy.lookahead = lookahead;
      policy.max_queue_requests = 100'000'000;
      policy.max_batch_requests = budget ? 256 : 32;
      if (budget) policy.token_budget = 16384;
      BatchEngine engine = *BatchEngine::Create(policy);
      EngineActions actions;
      for (size_t i = 0; i < trace.size(); ++i) {
        EngineRequest r;
        r.tag = i;
        r.tokens = trace[i].tokens;
        engine.Offer(MonoTime(), r, &actions);
      }
      bool bound = true;
      size_t batches = 0;
      std::vector<size_t> left(trace.size());
      while (!engine.idle()) {
        engine.Poll(MonoTime(), &actions);
        if (actions.batches.empty()) break;
        ++batches;
        for (const EngineActions::Item& item : actions.items) {
          engine.Complete(MonoTime(), item.id, Outcome::kOk);
          // The k-th oldest (tag k-1) leaves in the k-th batch at the latest.
          bound = bound && batches <= item.tag + 1;
        }
        engine.OnBatchDone(MonoTime(), actions.batches[0].id);
        actions.Clear();
      }
      const EngineStats s = engine.GetStats();
      std::printf("%10zu %10s %14.3f %8zu %22s\n", lookahead, budget ? "16384 tok" : "32",
                  static_cast<double>(s.padded_tokens) / static_cast<double>(s.batched_tokens),
                  batches, bound ? "batch k: holds" : "BROKEN");
    }
  }
}

void Scale() {
  SimOptions o;
  o.policy.max_batch_requests = 64;
  o.slo = 0.2;
  std::printf("\nScale (wall clock of this machine)\n");
  for (const double load : {0.5, 2.0}) {
    const double rate = load * Capacity(o);
    const auto arrivals = PoissonArrivals(rate, 1e6 / rate, 1);
    const auto start = std::chrono::steady_clock::now();
    const SimResult r = Simulate(o, arrivals);
    const double s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("  load %.1f: %.2f M events in %.2f s = %.2f M events/s\n", load,
                static_cast<double>(r.events) * 1e-6, s, static_cast<double>(r.events) * 1e-6 / s);
  }
}

struct RunFlags {
  SimOptions options;
  std::string arrivals = "poisson";
  double seconds = 20;
  std::vector<double> loads = {0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1, 2, 5};
  bool grid = true;
};

std::vector<double> Numbers(const char* text) {
  std::vector<double> numbers;
  for (char* end = nullptr; *text != '\0'; text = *end == ',' ? end + 1 : end) {
    numbers.push_back(std::strtod(text, &end));
    if (end == text) break;
  }
  return numbers;
}

bool ParseFlag(const char* arg, RunFlags* f) {
  const char* const equals = std::strchr(arg, '=');
  const std::string name(arg, equals == nullptr ? std::strlen(arg) : equals - arg);
  const char* const value = equals == nullptr ? "" : equals + 1;
  SimOptions& o = f->options;
  if (name == "--curve") {
    const auto ms = Numbers(value);
    if (ms.size() < 2) return false;
    o.curve = {ms[0] / 1e3, ms[1] / 1e3};
    if (ms.size() > 2) o.curve.per_token = ms[2] / 1e3;
    if (ms.size() > 3) o.curve.per_squared_row = ms[3] / 1e3;
    if (ms.size() > 4) o.curve.row_step = std::max(1.0, ms[4]);
  } else if (name == "--arrivals") {
    f->arrivals = value;
  } else if (name == "--batch") {
    o.policy.max_batch_requests = std::strtoull(value, nullptr, 10);
  } else if (name == "--slots") {
    o.policy.max_concurrent_batches = std::strtoull(value, nullptr, 10);
  } else if (name == "--budget") {
    o.policy.token_budget = std::strtoll(value, nullptr, 10);
  } else if (name == "--padded") {
    o.policy.cost_shape = CostShape::kPadded;
  } else if (name == "--slo") {
    o.slo = std::strtod(value, nullptr) / 1e3;
  } else if (name == "--noise") {
    o.noise = std::strtod(value, nullptr);
  } else if (name == "--slow") {
    o.slow_factor = std::strtod(value, nullptr);
  } else if (name == "--seconds") {
    f->seconds = std::strtod(value, nullptr);
  } else if (name == "--seed") {
    o.seed = std::strtoull(value, nullptr, 10);
  } else if (name == "--loads") {
    f->loads = Numbers(value);
  } else if (name == "--no-grid") {
    f->grid = false;
  } else {
    return false;
  }
  return true;
}

std::vector<SimArrival> ArrivalsOf(const RunFlags& f, const std::vector<SimArrival>& trace,
                                   double rate) {
  if (!trace.empty()) return Stretch(trace, rate);
  return f.arrivals == "burst" ? BurstArrivals(rate, f.seconds, 3, f.options.seed)
                               : PoissonArrivals(rate, f.seconds, f.options.seed);
}

int Run(RunFlags f) {
  std::vector<SimArrival> trace;
  if (f.arrivals != "poisson" && f.arrivals != "burst") {
    trace = ReadTrace(f.arrivals);
    if (trace.size() < 2) {
      std::fprintf(stderr, "--arrivals=%s: no requests with times, expected .csv or .jsonl[.gz]\n",
                   f.arrivals.c_str());
      return 1;
    }
  }
  double tokens = 0;
  for (const SimArrival& a : trace) tokens += static_cast<double>(a.tokens);
  tokens = trace.empty() ? 1 : tokens / static_cast<double>(trace.size());
  if (f.options.slo == 0) f.options.slo = 0.2;
  SimOptions full = f.options;
  if (full.policy.token_budget) {
    full.policy.max_batch_requests = std::max<size_t>(
        1, std::min(full.policy.max_batch_requests,
                    static_cast<size_t>(static_cast<double>(*full.policy.token_budget) / tokens)));
  }
  const double capacity = Capacity(full, tokens);
  std::printf(
      "capacity %.1f requests/s (full batches of %.0f tokens a request), objective %.0f ms\n"
      "%5s | %9s %9s %9s %7s %8s %7s | %9s %9s | %9s %9s %-10s\n",
      capacity, tokens, 1e3 * f.options.slo, "load", "mean ms", "p99 ms", "goodput", "late",
      "refused", "batch", "adaptive", "full|50", "best fix", "mean/best", "(size,ms)");
  for (const double load : f.loads) {
    const auto arrivals = ArrivalsOf(f, trace, load * capacity);
    SimOptions o = f.options;
    o.policy.max_queue_requests = 100'000'000;
    if (o.slow_factor > 1) {
      o.slow_from = arrivals.back().at / 4;
      o.slow_to = 3 * arrivals.back().at / 4;
    }
    const SimResult r = Simulate(o, arrivals);
    const double seconds = arrivals.back().at - arrivals.front().at;
    std::printf("%5.2f | %9.3f %9.3f %9.4f %7.4f %8.4f %7.1f |", load, 1e3 * r.mean(),
                1e3 * r.p(0.99), static_cast<double>(r.in_time) / seconds / capacity,
                static_cast<double>(r.late) / static_cast<double>(r.offered),
                static_cast<double>(r.refused + r.dropped) / static_cast<double>(r.offered),
                r.stats.batch_size.mean());
    if (load >= 1) {
      std::printf("\n");
      continue;
    }
    SimOptions plain = o;
    plain.tell_the_engine = false;
    const double greedy = RunMode(plain, BatchMode::kWorkConserving, arrivals).mean();
    std::printf(" %9.3f %9.3f |", 1e3 * RunMode(plain, BatchMode::kAdaptive, arrivals).mean(),
                1e3 * RunMode(plain, BatchMode::kFullOrTimeout, arrivals).mean());
    if (f.grid) {
      const Best best = BestFixed(plain, arrivals);
      std::printf(" %9.3f %9.4f (%zu,%g)", 1e3 * best.mean, greedy / best.mean, best.batch,
                  best.delay_ms);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  if (argc > 1 && std::strcmp(argv[1], "run") == 0) {
    RunFlags flags;
    flags.options.policy.max_batch_requests = 64;
    for (int i = 2; i < argc; ++i) {
      if (!ParseFlag(argv[i], &flags)) {
        std::fprintf(stderr, "%s: not known; see the top of bench/batch_sim.cc\n", argv[i]);
        return 1;
      }
    }
    return Run(std::move(flags));
  }
  if (argc > 1 && std::strcmp(argv[1], "curves") == 0) {
    RunFlags flags;
    for (int i = 2; i < argc; ++i) {
      if (!ParseFlag(argv[i], &flags)) {
        std::fprintf(stderr, "%s: not known; see the top of bench/batch_sim.cc\n", argv[i]);
        return 1;
      }
    }
    Curves(flags.options.seed, static_cast<size_t>(1000 * flags.seconds));
    return 0;
  }
  const bool all = argc == 1;
  const auto asked = [&](const char* name) {
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], name) == 0) return true;
    }
    return all;
  };
  const char* const data = std::getenv("PENSTOCK_TEST_DATA");
  if (asked("formation")) {
    Formation(data == nullptr ? "" : std::string(data) + "/traces/azure2023_conv.csv.gz");
  }
  if (asked("overload")) SimOverload();
  if (asked("noise")) SimNoise();
  if (asked("fairness")) SimFairness();
  if (asked("scale")) Scale();
  std::string path = data == nullptr ? "" : std::string(data) + "/traces/azure2023_conv.csv.gz";
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "padding") == 0) path = argv[i + 1];
  }
  if (asked("padding")) {
    if (path.empty()) {
      std::printf("\npadding: skipped, give a trace or set PENSTOCK_TEST_DATA\n");
    } else {
      Padding(path);
    }
  }
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
