// SPDX-License-Identifier: Apache-2.0
//
// Overload on real threads: the arms of `batch_sim overload` with a batcher, its threads, a sending
// thread and a stub of a runtime that sleeps; beside each the same in virtual time.
//
//   sh bench/run.sh batch_overload [seconds=5]
//
// Runtime 8 + 0.3 n ms, batches to 64, objective 200 ms (mixed: 10 ms + 5 us a token, batches of
// 16384 tokens, requests of 1 to 4096). Arrivals are Poisson and do not wait for anybody; latency
// counts from the intended time of sending. Goodput: completions within the objective, as a share
// of what full batches serve. Nothing is tuned: a timeout of 200 ms and the default policy.
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/batcher.h"
#include "tests/support/batch_simulator.h"

namespace penstock {
namespace {

using IntBatch = Batch<int, int>;
using IntBatcher = Batcher<int, int>;

constexpr double kObjective = 0.2;

double Now() { return static_cast<double>(Clock::Real()->Now().nanoseconds()) * 1e-9; }

void SleepUntil(double at) {
  const double left = at - Now();
  if (left > 0) std::this_thread::sleep_for(std::chrono::duration<double>(left));
}

struct Served {
  double goodput = 0, p50_ms = 0, p99_ms = 0, late = 0, refused = 0, failed = 0, sent_late_ms = 0;
};

// One arm: sends `arrivals`, collects what became of them.
class OpenLoop {
 public:
  OpenLoop(const SimOptions& options, const std::vector<SimArrival>& arrivals)
      : o_(options), arrivals_(arrivals), ended_(arrivals.size()) {
    BatcherOptions b;
    static_cast<BatchPolicy&>(b) = o_.policy;
    batcher_ = std::make_unique<IntBatcher>(
        *IntBatcher::Create(b, [this](IntBatch batch) { Run(std::move(batch)); }));
  }

  // Goodput counts what ended in [from, to); `capacity` in requests, or in tokens, a second.
  Served Serve(double from, double to, double capacity, bool in_tokens) {
    start_ = Now() + 0.05;
    for (size_t next = 0; next < arrivals_.size() || !Done();) {
      const double now = Now();
      double wake = now + 0.01;
      for (; next < arrivals_.size() && start_ + arrivals_[next].at <= now; ++next) {
        sent_late_.push_back(now - start_ - arrivals_[next].at);
        Send(next, 0);
      }
      if (next < arrivals_.size()) wake = std::min(wake, start_ + arrivals_[next].at);
      wake = std::min(wake, Retry(now));
      SleepUntil(wake);
    }
    batcher_->Drain(absl::Seconds(10)).IgnoreError();
    return Summary(from, to, capacity, in_tokens);
  }

 private:
  struct End {
    double at = 0;
    bool ok = false;
  };
  struct Again {
    double at;
    size_t which;
    int attempt;
    bool operator<(const Again& other) const { return at > other.at; }
  };

  void Run(IntBatch batch) {
    static thread_local const bool precise = prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0) == 0;
    (void)precise;
    const double now = Now();
    double s =
        o_.curve.Seconds(static_cast<double>(batch.size()), static_cast<double>(batch.tokens()));
    const double since = now - start_;
    if (since >= o_.slow_from && since < o_.slow_to) s *= o_.slow_factor;
    SleepUntil(now + s);
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, 0);
  }

  void Send(size_t which, int attempt) {
    const double sent = start_ + arrivals_[which].at;
    SubmitOptions submit;
    submit.tokens = arrivals_[which].tokens;
    // A client that tries again waits anew, as in the simulator.
    const double from = attempt == 0 ? sent : Now();
    submit.timeout = absl::Seconds(std::max(1e-6, from + kObjective - Now()));
    const auto ticket = batcher_->Submit(
        0, submit, [this, which, attempt, from](absl::StatusOr<int> r, const CompletionInfo& info) {
          if (r.ok()) {
            ended_[which] = {Now() - from, true};
            finished_.fetch_add(1);
          } else {
            late_.fetch_add(info.outcome == Outcome::kExpired && !info.dispatched.is_infinite());
            Failed(which, attempt);
          }
        });
    if (ticket.ok()) return;
    refused_.fetch_add(1);
    Failed(which, attempt);
  }

  void Failed(size_t which, int attempt) {
    if (attempt >= o_.retries) {
      failed_.fetch_add(1);
      finished_.fetch_add(1);
      return;
    }
    const std::lock_guard<std::mutex> lock(mu_);
    again_.push({Now() + o_.retry_delay, which, attempt + 1});
  }

  // Sends what is due; returns when the next is.
  double Retry(double now) {
    while (true) {
      Again next;
      {
        const std::lock_guard<std::mutex> lock(mu_);
        if (again_.empty()) return 1e300;
        if (again_.top().at > now) return again_.top().at;
        next = again_.top();
        again_.pop();
      }
      Send(next.which, next.attempt);
    }
  }

  bool Done() const { return finished_.load() == arrivals_.size(); }

  Served Summary(double from, double to, double capacity, bool in_tokens) const {
    Served s;
    std::vector<double> latency;
    double good = 0;
    for (size_t i = 0; i < ended_.size(); ++i) {
      if (!ended_[i].ok) continue;
      latency.push_back(ended_[i].at);
      const double when = arrivals_[i].at + ended_[i].at;
      if (ended_[i].at > kObjective || when < from || when >= to) continue;
      good += in_tokens ? static_cast<double>(arrivals_[i].tokens) : 1;
    }
    const double offered = static_cast<double>(arrivals_.size());
    s.goodput = good / (to - from) / capacity;
    s.p50_ms = 1e3 * SimResult::Quantile(latency, 0.5);
    s.p99_ms = 1e3 * SimResult::Quantile(latency, 0.99);
    s.late = static_cast<double>(late_.load()) / offered;
    s.refused = static_cast<double>(refused_.load()) / offered;
    s.failed = static_cast<double>(failed_.load()) / offered;
    s.sent_late_ms = 1e3 * SimResult::Quantile(sent_late_, 0.99);
    return s;
  }

  const SimOptions& o_;
  const std::vector<SimArrival>& arrivals_;
  double start_ = 0;
  std::vector<End> ended_;  // each element is written once, by its callback
  std::vector<double> sent_late_;
  std::atomic<size_t> finished_{0}, failed_{0}, refused_{0}, late_{0};
  std::mutex mu_;
  std::priority_queue<Again> again_;
  std::unique_ptr<IntBatcher> batcher_;
};

void Arm(const char* name, SimOptions o, const std::vector<SimArrival>& arrivals, double from,
         double to, double capacity, bool in_tokens = false) {
  o.slo = kObjective;
  o.policy.max_queue_requests = 1'000'000;
  const Served s = OpenLoop(o, arrivals).Serve(from, to, capacity, in_tokens);
  o.until = arrivals.back().at + 5;
  const SimResult r = Simulate(o, arrivals);
  double exact = in_tokens ? r.in_time_tokens : 0;  // those of the last 0.2 s included
  for (size_t i = 0; !in_tokens && i < r.latency.size(); ++i) {
    exact += r.latency[i] <= kObjective + 1e-9 && r.finished_at[i] >= from && r.finished_at[i] < to;
  }
  std::printf("%-40s | %8.3f %8.3f | %7.1f %7.1f %8.4f %9.4f %8.4f | %8.2f\n", name, s.goodput,
              exact / (to - from) / capacity, s.p50_ms, s.p99_ms, s.late, s.refused, s.failed,
              s.sent_late_ms);
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

void MixedTokens(double seconds) {
  SimOptions o;
  o.curve = {0.010, 0, 0.000005};
  o.policy.token_budget = 16384;
  o.policy.max_batch_requests = 256;
  std::mt19937_64 rng(3);
  std::uniform_real_distribution<double> log_tokens(0, std::log(4096.0));
  const double capacity = 16384 / o.curve.Seconds(0, 16384);
  const double mean_tokens = 4095 / std::log(4096.0);
  auto arrivals = PoissonArrivals(2 * capacity / mean_tokens, seconds, 1);
  for (SimArrival& a : arrivals) a.tokens = std::lround(std::exp(log_tokens(rng)));
  Arm("mixed 1..4096 tokens, 2x (in tokens)", o, arrivals, 0, seconds, capacity, true);
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  double seconds = 5;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "seconds=", 8) != 0) {
      std::fprintf(stderr, "%s: not known, expected seconds=N\n", argv[i]);
      return 1;
    }
    seconds = std::max(1.0, std::strtod(argv[i] + 8, nullptr));
  }
  std::printf(
      "\nOverload on real threads: runtime 8 + 0.3 n ms (sleeping), batches to 64, objective 200 "
      "ms, %.0f s an arm\n%-40s | %8s %8s | %7s %7s %8s %9s %8s | %8s\n",
      seconds, "", "goodput", "virtual", "p50 ms", "p99 ms", "late", "refused", "failed",
      "sent +ms");
  SimOptions o;
  o.policy.max_batch_requests = 64;
  const double c = Capacity(o);
  Arm("0.7x", o, PoissonArrivals(0.7 * c, seconds, 1), 0, seconds, c);
  Arm("2x", o, PoissonArrivals(2 * c, seconds, 1), 0, seconds, c);
  Arm("5x", o, PoissonArrivals(5 * c, seconds, 1), 0, seconds, c);
  {
    SimOptions s = o;
    s.slow_from = seconds / 4;
    s.slow_to = 1e9;
    s.slow_factor = 3;
    // Of the slow capacity, from when it becomes slow to the end.
    Arm("0.9x, runtime 3x slower from a quarter on", s, PoissonArrivals(0.9 * c, seconds, 1),
        s.slow_from, seconds, c / 3);
  }
  {
    SimOptions s = o;
    s.policy.max_concurrent_batches = 4;
    Arm("4 slots, 2x", s, PoissonArrivals(2 * Capacity(s), seconds, 1), 0, seconds, Capacity(s));
  }
  MixedTokens(seconds);
  {
    SimOptions s = o;
    s.retries = 3;
    Arm("1.2x and 3 retries each, then 0.8x", s, TwoRates(1.2 * c, 0.8 * c, seconds / 2, seconds),
        0, seconds / 2, c);
  }
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
