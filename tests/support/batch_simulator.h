// SPDX-License-Identifier: Apache-2.0
//
// Runs a BatchEngine, the production one, against a modelled runtime and a list of arrivals, in
// virtual time.
//
//   SimOptions options;
//   options.policy.max_batch_requests = 64;
//   options.curve = {0.008, 0.0003};  // s: fixed, a row[, a token, a squared row, rows a step]
//   options.slo = 0.2;
//   SimResult r = Simulate(options, PoissonArrivals(2 * Capacity(options), 20, seed));
//   r.in_time / 20 / Capacity(options)                           // goodput
#ifndef PENSTOCK_TESTS_SUPPORT_BATCH_SIMULATOR_H_
#define PENSTOCK_TESTS_SUPPORT_BATCH_SIMULATOR_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "penstock/batcher/engine.h"

namespace penstock {

struct SimArrival {
  double at = 0;  // seconds
  int64_t tokens = 1;
  int tenant = 0;
  int priority = 0;
};

struct SimCurve {
  double fixed = 0.008, per_row = 0.0003, per_token = 0, per_squared_row = 0;
  double row_step = 1;  // the runtime computes rows in multiples of this
  double at_least = 0;  // a batch takes no less, however small
  double power = 1;     // of the rows in per_row's term
  double Seconds(double rows, double tokens) const {
    const double computed = std::ceil(rows / row_step) * row_step;
    const double linear = power == 1 ? computed : std::pow(computed, power);
    return std::max(at_least, fixed + per_row * linear + per_token * tokens +
                                  per_squared_row * computed * computed);
  }
};

struct SimOptions {
  BatchPolicy policy;
  SimCurve curve;
  double slo = 0;               // 0: none. What counts as in time
  bool tell_the_engine = true;  // the objective is also the request's timeout
  double noise = 0;             // relative standard deviation of a batch's time
  double slow_from = 0, slow_to = 0, slow_factor = 1;
  size_t clients = 0;  // closed loop: so many in flight, always; arrivals only give the requests
  int retries = 0;     // of a client that was refused or failed, after retry_delay
  double retry_delay = 0.001;
  double until = 1e300;  // when to stop; what is unfinished then does not count
  uint64_t seed = 1;
  std::vector<std::string> tenants = {""};
  std::function<void(const EngineActions&, double now)> on_release;
};

struct SimResult {
  uint64_t offered = 0, in_time = 0, late = 0, refused = 0, dropped = 0;
  double in_time_tokens = 0;
  uint64_t events = 0;  // offers, completions, batches, polls
  double end = 0;
  // Of batches that began while the runtime was slow: what they took, and would have without noise.
  double slow_seconds = 0, slow_seconds_expected = 0;
  std::vector<double> latency;      // of completed requests, seconds, in order of completion
  std::vector<double> finished_at;  // beside it
  std::vector<int> tenant;          // beside it
  std::vector<double> queue_delay;  // beside it
  EngineStats stats;

  double mean() const {
    double sum = 0;
    for (const double x : latency) sum += x;
    return latency.empty() ? 0 : sum / static_cast<double>(latency.size());
  }
  static double Quantile(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    const size_t at = std::min(values.size() - 1, rank == 0 ? 0 : rank - 1);
    std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
    return values[at];
  }
  double p(double q) const { return Quantile(latency, q); }
};

// Requests a second that batches of the best size serve (full ones, unless the curve is convex), of
// `tokens` tokens a request, over all slots.
inline double Capacity(const SimOptions& o, double tokens = 1) {
  double most = 0;
  for (size_t n = 1; n <= o.policy.max_batch_requests; ++n) {
    const double b = static_cast<double>(n);
    most = std::max(most, b / o.curve.Seconds(b, b * tokens));
  }
  return most * static_cast<double>(o.policy.max_concurrent_batches);
}

inline std::vector<SimArrival> PoissonArrivals(double rate, double seconds, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::exponential_distribution<double> gap(rate);
  std::vector<SimArrival> arrivals;
  for (double t = gap(rng); t < seconds; t += gap(rng)) arrivals.push_back({t});
  return arrivals;
}

// Two states: `burst` times the mean rate for 20 % of the time, in stretches of 200 ms on average.
inline std::vector<SimArrival> BurstArrivals(double rate, double seconds, double burst,
                                             uint64_t seed) {
  std::mt19937_64 rng(seed);
  const double low = std::max(0.02, (1 - 0.2 * burst) / 0.8);
  std::vector<SimArrival> arrivals;
  double t = 0;
  bool high = false;
  while (t < seconds) {
    std::exponential_distribution<double> stretch(1 / (high ? 0.2 : 0.8));
    const double end = std::min(seconds, t + stretch(rng));
    std::exponential_distribution<double> gap(rate * (high ? burst : low));
    for (t += gap(rng); t < end; t += gap(rng)) arrivals.push_back({t});
    t = end;
    high = !high;
  }
  return arrivals;
}

class Simulation {
 public:
  Simulation(const SimOptions& options, const std::vector<SimArrival>& arrivals)
      : o_(options), arrivals_(arrivals), engine_(*BatchEngine::Create(o_.policy)), rng_(o_.seed) {}

  SimResult Run() {
    for (size_t c = 0; c < o_.clients; ++c) Offer(0, next_++, 0);
    if (o_.clients > 0) Poll(0);
    while (true) {
      const bool open = o_.clients == 0 && next_ < arrivals_.size();
      const double arrival = open ? arrivals_[next_].at : kNever;
      const double retry = retries_.empty() ? kNever : retries_.top().first;
      const double done = running_.empty() ? kNever : running_.top().at;
      const double now = std::min({arrival, retry, done, wake_});
      if (now == kNever || now > o_.until) break;
      ++result_.events;
      if (now == done) {
        Finish(now);
      } else if (now == arrival) {
        Offer(now, next_++, 0);
      } else if (now == retry) {
        const auto [at, who] = retries_.top();
        retries_.pop();
        Offer(now, who.first, who.second);
      }
      Poll(now);
    }
    result_.stats = engine_.GetStats();
    return std::move(result_);
  }

 private:
  static constexpr double kNever = 1e299;
  struct Running {
    double at;
    BatchId id;
    std::vector<EngineActions::Item> items;
    bool operator<(const Running& other) const { return at > other.at; }
  };
  struct Live {
    size_t arrival;
    int attempt;
    double submitted;
    double dispatched;
  };

  static MonoTime At(double seconds) {
    return MonoTime::FromNanoseconds(static_cast<int64_t>(std::llround(seconds * 1e9)));
  }

  void Offer(double now, size_t arrival, int attempt) {
    const SimArrival& a = arrivals_[arrival];
    if (attempt == 0) ++result_.offered;
    EngineRequest r;
    if (free_.empty()) {
      r.tag = live_.size();
      live_.emplace_back();
    } else {
      r.tag = free_.back();
      free_.pop_back();
    }
    live_[r.tag] = {arrival, attempt, now, 0};
    r.tenant = o_.tenants[static_cast<size_t>(a.tenant) % o_.tenants.size()];
    r.priority = a.priority;
    r.tokens = a.tokens;
    if (o_.slo > 0 && o_.tell_the_engine) r.deadline = At(now) + absl::Seconds(o_.slo);
    const EngineOffer offer = engine_.Offer(At(now), r, &actions_);
    if (offer.verdict.cause != RejectCause::kNone) {
      Failed(now, r.tag, &result_.refused);
    }
  }

  void Failed(double now, uint64_t tag, uint64_t* counter) {
    const Live who = live_[tag];
    free_.push_back(tag);
    if (who.attempt < o_.retries) {
      retries_.push({now + o_.retry_delay, {who.arrival, who.attempt + 1}});
    } else {
      ++*counter;
    }
  }

  void Poll(double now) {
    engine_.Poll(At(now), &actions_);
    wake_ = actions_.wake_at.is_infinite()
                ? kNever
                : std::max(now, static_cast<double>(actions_.wake_at.nanoseconds()) * 1e-9);
    for (const EngineActions::Ended& e : actions_.ended) {
      Failed(now, e.tag,
             e.info.outcome == Outcome::kExpired && !e.info.dispatched.is_infinite()
                 ? &result_.late
                 : &result_.dropped);
    }
    if (o_.on_release && !actions_.batches.empty()) o_.on_release(actions_, now);
    for (const EngineActions::Released& b : actions_.batches) Start(now, b);
    actions_.Clear();
  }

  void Start(double now, const EngineActions::Released& b) {
    const double tokens = static_cast<double>(
        o_.policy.cost_shape == CostShape::kPadded ? b.padded_tokens : b.tokens);
    double s = o_.curve.Seconds(static_cast<double>(b.padded_requests), tokens);
    const double luck =
        o_.noise > 0 ? std::max(0.2, 1 + o_.noise * std::normal_distribution<double>()(rng_)) : 1;
    if (now >= o_.slow_from && now < o_.slow_to) {
      s *= o_.slow_factor;
      result_.slow_seconds += s * luck;
      result_.slow_seconds_expected += s;
    }
    s *= luck;
    Running running{now + s, b.id, {}};
    running.items.assign(actions_.items.begin() + static_cast<ptrdiff_t>(b.begin),
                         actions_.items.begin() + static_cast<ptrdiff_t>(b.end));
    for (const auto& item : running.items) live_[item.tag].dispatched = now;
    running_.push(std::move(running));
  }

  void Finish(double now) {
    const Running batch = running_.top();
    running_.pop();
    for (const EngineActions::Item& item : batch.items) {
      if (!engine_.Complete(At(now), item.id, Outcome::kOk)) continue;
      const Live& who = live_[item.tag];
      const double latency = now - who.submitted;
      const bool in_time = o_.slo <= 0 || latency <= o_.slo + 1e-9;
      ++(in_time ? result_.in_time : result_.late);
      if (in_time) result_.in_time_tokens += static_cast<double>(arrivals_[who.arrival].tokens);
      result_.latency.push_back(latency);
      result_.finished_at.push_back(now);
      result_.tenant.push_back(arrivals_[who.arrival].tenant);
      result_.queue_delay.push_back(who.dispatched - who.submitted);
      free_.push_back(item.tag);
      ++result_.events;
    }
    engine_.OnBatchDone(At(now), batch.id);
    for (size_t i = 0; o_.clients > 0 && i < batch.items.size() && next_ < arrivals_.size(); ++i) {
      Offer(now, next_++, 0);
    }
    result_.end = now;
  }

  const SimOptions& o_;
  const std::vector<SimArrival>& arrivals_;
  BatchEngine engine_;
  std::mt19937_64 rng_;
  EngineActions actions_;
  size_t next_ = 0;
  double wake_ = kNever;
  std::priority_queue<Running> running_;
  using Retry = std::pair<double, std::pair<size_t, int>>;
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;
  std::vector<Live> live_;
  std::vector<uint64_t> free_;
  SimResult result_;
};

inline SimResult Simulate(const SimOptions& options, const std::vector<SimArrival>& arrivals) {
  return Simulation(options, arrivals).Run();
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_BATCH_SIMULATOR_H_
