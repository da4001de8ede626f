// SPDX-License-Identifier: Apache-2.0
//
// Overload, noise and fairness in virtual time; see batch_sim.cc.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/batch_sim.h"
#include "tests/support/batch_simulator.h"

namespace penstock {
namespace {

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

}  // namespace

void SimOverload() {
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

// The default with a timeout against a runtime that is three times slower for half of the time, for
// several strengths of noise.
void SimNoise() {
  constexpr uint64_t kSeeds = 40;
  const double slo = 0.2;
  std::printf(
      "\nNoise: 0.9x, runtime 8+0.3b ms, three times slower 5..15 s, objective 200 ms, %d seeds. "
      "Goodput of the slow capacity, and of what it was with the luck of the seed\n"
      "%-8s %6s | %7s %7s | %7s %7s | %9s %9s\n",
      static_cast<int>(kSeeds), "factor", "noise", "mean", "least", "mean", "least", "late",
      "p99 ms");
  for (const double factor : {1.0, 3.0, 10.0}) {
    for (const double noise : {0.0, 0.1, 0.2, 0.3, 0.4}) {
      std::vector<double> goodput, of_possible;
      double late = 0, p99 = 0;
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        SimOptions o;
        o.policy.max_batch_requests = 64;
        o.policy.max_queue_requests = 100'000'000;
        const double c = Capacity(o);
        o.slo = slo;
        o.noise = noise;
        o.seed = seed;
        o.slow_from = 5;
        o.slow_to = 15;
        o.slow_factor = factor;
        o.until = 25;
        // Without a slow-down: twice the capacity, so that the limit is at work.
        const double load = factor > 1 ? 0.9 : 2;
        const SimResult r = Simulate(o, PoissonArrivals(load * c, 20, seed));
        goodput.push_back(Goodput(r, slo, 5, 15, c / factor));
        // The noise itself makes ten seconds of this runtime worth more or less.
        of_possible.push_back(goodput.back() * r.slow_seconds / r.slow_seconds_expected);
        late += static_cast<double>(r.late) / static_cast<double>(r.offered) / kSeeds;
        p99 += 1e3 * r.p(0.99) / kSeeds;
      }
      double mean = 0, mean_of_possible = 0;
      for (const double g : goodput) mean += g / kSeeds;
      for (const double g : of_possible) mean_of_possible += g / kSeeds;
      std::printf("%-8.0f %6.2f | %7.3f %7.3f | %7.3f %7.3f | %9.4f %9.1f\n", factor, noise, mean,
                  SimResult::Quantile(goodput, 0), mean_of_possible,
                  SimResult::Quantile(of_possible, 0), late, p99);
      std::fflush(stdout);
    }
  }
}

void SimFairness() {
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
  std::printf(
      "  the same with smaller batches, for a runtime that cannot be interrupted (%.1f ms is "
      "1.2x):\n",
      1.2e3 * solo);
  for (const size_t limit : {32, 24, 16, 12, 8, 4}) {
    SimOptions s = o;
    s.tenants = {"victim", "aggressor"};
    s.policy.max_batch_requests = limit;
    const SimResult r = Simulate(s, both);
    std::printf("    batches to %2zu: victim's p99 %.1f ms (%.2fx), served %.2f of capacity\n",
                limit, 1e3 * p99(r), p99(r) / solo, static_cast<double>(r.latency.size()) / 10 / c);
  }
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

}  // namespace penstock
