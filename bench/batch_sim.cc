// SPDX-License-Identifier: Apache-2.0
//
// The batcher's engine against modelled runtimes in virtual time: exact, repeatable, independent of
// the machine.
//
//   sh bench/run.sh batch_sim                              every table
//   sh bench/run.sh batch_sim formation overload fairness scale
//   sh bench/run.sh batch_sim padding CONV.csv[.gz]        lengths of a real trace
//   sh bench/run.sh batch_sim run --curve=8,0.3[,0.01]     ms fixed, ms a row[, ms a token]
//        [--arrivals=poisson|burst|FILE]  FILE: .csv or .jsonl[.gz] with times (and tokens)
//        [--batch=64] [--slots=1] [--budget=TOKENS] [--padded] [--slo=200] [--noise=0.2] [--slow=3]
//        [--seconds=20] [--seed=1] [--loads=0.1,0.5,0.9,1,2,5] [--no-grid]
//
// A load of 1 is what full batches serve. `FILE` keeps its gaps and is stretched to each load.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
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

void Formation() {
  struct Curve {
    const char* name;
    SimCurve curve;
  };
  const Curve curves[] = {{"GPU-like 8+0.3b", {0.008, 0.0003, 0}},
                          {"tokenizer-like .05+.005b", {0.00005, 0.000005, 0}},
                          {"a=2b 0.6+0.3b", {0.0006, 0.0003, 0}},
                          {"near-linear .084+.936b", {0.000084, 0.000936, 0}}};
  std::printf(
      "\nBatch formation: mean latency in ms; the grid is all pairs of 10 sizes and 8 timeouts\n"
      "%-25s %-8s %5s | %9s %-11s %9s | %9s %7s %7s | %9s %7s | %9s %7s\n",
      "curve", "arrivals", "load", "best mean", "(size,ms)", "best p99", "default", "/best", "p99/",
      "adaptive", "/best", "full|50ms", "/deflt");
  for (const Curve& c : curves) {
    for (const bool burst : {false, true}) {
      for (const double load : {0.1, 0.3, 0.5, 0.7, 0.9, 0.95}) {
        SimOptions o;
        o.curve = c.curve;
        o.policy.max_batch_requests = 64;
        o.policy.max_queue_requests = 10'000'000;
        o.policy.predictive_expiry = false;
        const double rate = load * Capacity(o);
        const double seconds = 40000 / rate;
        const auto arrivals = burst ? BurstArrivals(rate, std::max(seconds, 20.0), 3, 1)
                                    : PoissonArrivals(rate, seconds, 1);
        const auto some = arrivals.size() > 60000
                              ? std::vector<SimArrival>(arrivals.begin(), arrivals.begin() + 60000)
                              : arrivals;
        const Best best = BestFixed(o, some);
        const SimResult greedy = RunMode(o, BatchMode::kWorkConserving, some);
        const SimResult adaptive = RunMode(o, BatchMode::kAdaptive, some);
        const SimResult fixed = RunMode(o, BatchMode::kFullOrTimeout, some);
        char pair[32];
        std::snprintf(pair, sizeof(pair), "(%zu,%g)", best.batch, best.delay_ms);
        std::printf(
            "%-25s %-8s %5.2f | %9.3f %-11s %9.3f | %9.3f %7.3f %7.3f | %9.3f %7.3f | %9.3f "
            "%7.1f\n",
            c.name, burst ? "bursts" : "poisson", load, 1e3 * best.mean, pair, 1e3 * best.p99,
            1e3 * greedy.mean(), greedy.mean() / best.mean, greedy.p(0.99) / best.p99,
            1e3 * adaptive.mean(), adaptive.mean() / best.mean, 1e3 * fixed.mean(),
            fixed.mean() / greedy.mean());
        std::fflush(stdout);
      }
    }
  }
}

struct Arm {
  const char* name;
  std::function<void(SimOptions*)> set;
};

const std::vector<Arm>& Arms() {
  static const std::vector<Arm>* const arms = new std::vector<Arm>{
      {"no control",
       [](SimOptions* o) {
         o->tell_the_engine = false;
         o->policy.max_queue_requests = 100'000'000;
       }},
      {"queue 1000, reject", [](SimOptions* o) { o->tell_the_engine = false; }},
      {"queue 1000, drop oldest",
       [](SimOptions* o) {
         o->tell_the_engine = false;
         o->policy.on_full = OnFull::kDropOldest;
       }},
      {"timeout, no prediction",
       [](SimOptions* o) {
         o->policy.predictive_expiry = false;
         o->policy.max_queue_requests = 100'000'000;
       }},
      {"timeout (default policy)",
       [](SimOptions* o) { o->policy.max_queue_requests = 100'000'000; }},
      {"timeout, headroom slo/2",
       [](SimOptions* o) {
         o->policy.max_queue_requests = 100'000'000;
         o->policy.headroom = absl::Seconds(o->slo / 2);
       }},
      {"no timeout, delay target",
       [](SimOptions* o) {
         o->tell_the_engine = false;
         o->policy.max_queue_requests = 100'000'000;
         o->policy.admission.emplace();
         o->policy.admission->delay_target = absl::Seconds(o->slo / 4);
       }},
      {"no timeout, threshold",
       [](SimOptions* o) {
         o->tell_the_engine = false;
         o->policy.max_queue_requests = 100'000'000;
         o->policy.admission.emplace();
         o->policy.admission->backpressure_threshold = absl::Seconds(o->slo * 0.6);
       }},
  };
  return *arms;
}

// Completions within the objective that finished in [from, to), as a share of `capacity` requests a
// second.
double Goodput(const SimResult& r, double slo, double from, double to, double capacity) {
  double n = 0;
  for (size_t i = 0; i < r.latency.size(); ++i) {
    n += r.latency[i] <= slo + 1e-9 && r.finished_at[i] >= from && r.finished_at[i] < to;
  }
  return n / (to - from) / capacity;
}

// Seconds from the end of the overload until every later completion is in time.
double Recovery(const SimResult& r, double slo, double from) {
  double last = from;
  for (size_t i = 0; i < r.latency.size(); ++i) {
    if (r.finished_at[i] > from && r.latency[i] > slo) last = std::max(last, r.finished_at[i]);
  }
  return last - from;
}

void OverloadRow(const Arm& arm, const char* what, SimOptions o, double slo,
                 const std::vector<SimArrival>& arrivals, double from, double to, double capacity) {
  o.slo = slo;
  arm.set(&o);
  o.until = arrivals.back().at + 5;
  const SimResult r = Simulate(o, arrivals);
  const double offered = static_cast<double>(r.offered);
  std::printf("%-26s %-28s | %7.3f %7.1f %7.1f %8.4f %9.4f %8.4f %8.2f\n", arm.name, what,
              Goodput(r, slo, from, to, capacity), 1e3 * r.p(0.5), 1e3 * r.p(0.99),
              static_cast<double>(r.late) / offered, static_cast<double>(r.refused) / offered,
              static_cast<double>(r.dropped) / offered, Recovery(r, slo, to));
  std::fflush(stdout);
}

std::vector<SimArrival> TwoRates(double first, double second, double change, double end) {
  std::vector<SimArrival> arrivals = PoissonArrivals(first, change, 1);
  for (SimArrival a : PoissonArrivals(second, end - change, 2)) {
    a.at += change;
    arrivals.push_back(a);
  }
  return arrivals;
}

void Overload() {
  std::printf(
      "\nOverload: runtime 8+0.3b ms, batches to 64, objective 200 ms. Goodput = completions in "
      "time "
      "/ capacity\n%-26s %-28s | %7s %7s %7s %8s %9s %8s %8s\n",
      "policy", "scenario", "goodput", "p50 ms", "p99 ms", "late", "refused", "dropped",
      "recovery");
  const double slo = 0.2;
  for (const Arm& arm : Arms()) {
    SimOptions o;
    o.policy.max_batch_requests = 64;
    const double c = Capacity(o);
    for (const double load : {0.7, 1.0, 2.0, 5.0}) {
      char what[64];
      std::snprintf(what, sizeof(what), "%.1fx", load);
      OverloadRow(arm, what, o, slo, PoissonArrivals(load * c, 20, 1), 0, 20, c);
    }
    OverloadRow(arm, "2x for 10 s, then 0.5x", o, slo, TwoRates(2 * c, 0.5 * c, 10, 20), 0, 10, c);
    {
      SimOptions s = o;
      s.slow_from = 5;
      s.slow_to = 15;
      s.slow_factor = 3;
      OverloadRow(arm, "runtime 3x slower 5..15 s", s, slo, PoissonArrivals(0.9 * c, 20, 1), 5, 15,
                  c / 3);
      s.noise = 0.2;
      double mean = 0;
      for (uint64_t seed = 1; seed <= 5; ++seed) {
        SimOptions n = s;
        n.seed = seed;
        n.slo = slo;
        arm.set(&n);
        mean += Goodput(Simulate(n, PoissonArrivals(0.9 * c, 20, seed)), slo, 5, 15, c / 3) / 5;
      }
      std::printf("%-26s %-28s | %7.3f\n", arm.name, "the same, mean of 5 seeds", mean);
      OverloadRow(arm, "the same, noise 0.2", s, slo, PoissonArrivals(0.9 * c, 20, 1), 5, 15,
                  c / 3);
    }
    {
      SimOptions s = o;
      s.retries = 3;
      OverloadRow(arm, "retry storm: 1.2x, 3 retries", s, slo, TwoRates(1.2 * c, 0.8 * c, 10, 20),
                  0, 10, c);
    }
    {
      SimOptions s = o;
      s.policy.max_concurrent_batches = 4;
      const double c4 = Capacity(s);
      OverloadRow(arm, "4 slots, 2x", s, slo, PoissonArrivals(2 * c4, 20, 1), 0, 20, c4);
    }
    {
      // 1 … 4096 tokens, log-uniform; a budget of 16384 tokens a batch; 10 ms + 5 µs a token.
      SimOptions s = o;
      s.curve = {0.010, 0, 0.000005};
      s.policy.token_budget = 16384;
      s.policy.max_batch_requests = 256;
      std::mt19937_64 rng(3);
      std::uniform_real_distribution<double> log_tokens(0, std::log(4096.0));
      const double mean_tokens = 4095 / std::log(4096.0);
      const double tokens_per_second = 16384 / s.curve.Seconds(0, 16384);
      auto arrivals = PoissonArrivals(2 * tokens_per_second / mean_tokens, 20, 1);
      for (SimArrival& a : arrivals) a.tokens = std::lround(std::exp(log_tokens(rng)));
      s.slo = slo;
      arm.set(&s);
      s.until = 25;
      const SimResult r = Simulate(s, arrivals);
      std::printf("%-26s %-28s | %7.3f %7.1f %7.1f %8.4f   (in tokens)\n", arm.name,
                  "mixed 1..4096 tokens, 2x", r.in_time_tokens / 20 / tokens_per_second,
                  1e3 * r.p(0.5), 1e3 * r.p(0.99),
                  static_cast<double>(r.late) / static_cast<double>(r.offered));
    }
  }
}

void Fairness() {
  std::printf("\nFairness: two tenants, 10:1 offered, both more than their share\n");
  for (const double weight : {1.0, 3.0}) {
    SimOptions o;
    o.policy.max_batch_requests = 32;
    o.policy.max_queue_requests = 10'000'000;
    o.tenants = {"greedy", "modest"};
    o.policy.tenant_weights = {{"modest", weight}};
    const double c = Capacity(o);
    std::vector<SimArrival> arrivals = PoissonArrivals(22 * c, 10, 1);
    std::mt19937_64 rng(2);
    for (SimArrival& a : arrivals) a.tenant = rng() % 11 == 0 ? 1 : 0;
    o.until = 10;
    double gap = 0, served[2] = {0, 0};
    o.on_release = [&](const EngineActions& actions, double) { (void)actions; };
    const SimResult r = Simulate(o, arrivals);
    for (size_t i = 0; i < r.tenant.size(); ++i) {
      served[r.tenant[i]] += 1;
      gap = std::max(gap, std::abs(served[0] - served[1] / weight));
    }
    std::printf(
        "  weight 1:%g  served %.0f : %.0f = 1:%.4f, largest gap at any time %.0f requests "
        "(batch 32)\n",
        weight, served[0], served[1], served[1] / served[0], gap);
  }
  // A victim at 20 % of capacity beside an aggressor at 10x.
  SimOptions o;
  o.policy.max_batch_requests = 32;
  o.policy.max_queue_requests = 10'000'000;
  o.tenants = {"victim", "aggressor"};
  const double c = Capacity(o);
  const auto victim = PoissonArrivals(0.2 * c, 10, 5);
  o.until = 10;
  const double solo = Simulate(o, victim).p(0.99);
  std::vector<SimArrival> both = victim;
  for (SimArrival a : PoissonArrivals(10 * c, 10, 6)) {
    a.tenant = 1;
    both.push_back(a);
  }
  std::sort(both.begin(), both.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  const auto p99 = [](const SimResult& r) {
    std::vector<double> latency;
    for (size_t i = 0; i < r.tenant.size(); ++i) {
      if (r.tenant[i] == 0) latency.push_back(r.latency[i]);
    }
    return SimResult::Quantile(latency, 0.99);
  };
  const double fair = p99(Simulate(o, both));
  o.tenants = {"same"};
  const double fifo = p99(Simulate(o, both));
  std::printf(
      "  victim's p99: alone %.1f ms; beside an aggressor %.1f ms (%.2fx); first come first "
      "served %.0f ms\n  (a full batch alone takes %.1f ms)\n",
      1e3 * solo, 1e3 * fair, fair / solo, 1e3 * fifo, 1e3 * o.curve.Seconds(32, 32));
  // Ageing: low priority beside 95 % of high.
  SimOptions a;
  a.policy.max_batch_requests = 32;
  a.policy.max_queue_requests = 10'000'000;
  std::vector<SimArrival> mixed = PoissonArrivals(1.0 * Capacity(a), 20, 7);
  std::mt19937_64 rng(8);
  for (SimArrival& x : mixed) x.priority = rng() % 20 == 0 ? 0 : 10;
  for (const bool strict : {false, true}) {
    a.policy.ageing = strict ? absl::InfiniteDuration() : absl::Milliseconds(100);
    const SimResult r = Simulate(a, mixed);
    double longest = 0;
    for (const double d : r.queue_delay) longest = std::max(longest, d);
    std::printf("  5 %% low priority at load 1.0, %s: longest wait %.0f ms\n",
                strict ? "strict" : "ageing 100 ms x 10 levels", 1e3 * longest);
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
    o.curve = {ms[0] / 1e3, ms[1] / 1e3, ms.size() > 2 ? ms[2] / 1e3 : 0};
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
  const bool all = argc == 1;
  const auto asked = [&](const char* name) {
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], name) == 0) return true;
    }
    return all;
  };
  if (asked("formation")) Formation();
  if (asked("overload")) Overload();
  if (asked("fairness")) Fairness();
  if (asked("scale")) Scale();
  const char* const data = std::getenv("PENSTOCK_TEST_DATA");
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
