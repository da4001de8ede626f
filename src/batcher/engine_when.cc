// SPDX-License-Identifier: Apache-2.0
//
// When a batch leaves, and how large it may be.
#include <algorithm>
#include <cmath>
#include <limits>

#include "batcher/engine_rep.h"

namespace penstock {

using internal::kLongAgo;
using internal::kNever;

namespace {

// A cap must save this much; a request left behind for less is not worth it.
constexpr double kWorthACap = 0.98;
// A smaller batch must serve so many more a second, beyond what noise explains.
constexpr double kBetterRate = 1.005;
// Forming ahead: waking the threads that do it takes about a tenth of that.
constexpr int64_t kLeastBatchAhead = 1'000'000;
constexpr double kLeastLead = 500'000;

}  // namespace

// --- prediction ---

double BatchEngine::Rep::TypicalTokens(size_t requests) const {
  const double average =
      queue.size() > 0 ? static_cast<double>(queue.tokens()) / static_cast<double>(queue.size())
                       : average_tokens;
  const double sum = average * static_cast<double>(requests);
  return policy.cost_shape == CostShape::kPadded ? sum * padding_factor : sum;
}

// Not extrapolated beyond twice the largest batch seen: a model that wrongly takes large batches
// for too slow would never see one, and never learn.
double BatchEngine::Rep::PredictSeconds(size_t requests) const {
  requests = std::min(requests, static_cast<size_t>(2 * model.largest()) + 1);
  return model.Predict(static_cast<double>(requests), TypicalTokens(requests));
}

int64_t BatchEngine::Rep::MarginNs(size_t requests, double caution) const {
  const double seconds =
      PredictSeconds(requests) * (1 + caution * policy.prediction_sigmas * model.sigma());
  return static_cast<int64_t>(std::min(seconds, 1e9) * 1e9) +
         absl::ToInt64Nanoseconds(policy.headroom);
}

int64_t BatchEngine::Rep::LateBefore(size_t requests, double caution) const {
  return Predicts() ? now + starts_in + MarginNs(requests, caution) : kLongAgo;
}

// How many requests a full batch holds, given the tokens that requests have.
size_t BatchEngine::Rep::TypicalBatch() const {
  size_t limit = policy.max_batch_requests;
  if (!policy.allowed_batch_sizes.empty()) limit = policy.allowed_batch_sizes.back();
  if (policy.token_budget) {
    const double per_request = std::max(TypicalTokens(1), 1e-9);
    const double fit = static_cast<double>(*policy.token_budget) / per_request;
    limit = std::min(limit, static_cast<size_t>(std::max(1.0, std::min(fit, 1e9))));
  }
  return limit;
}

// Until the first slot is free. A batch that is overdue is expected to take as long again as it is
// overdue.
int64_t BatchEngine::Rep::ResidualNs() const {
  if (running.size() < policy.max_concurrent_batches || running.empty()) return 0;
  int64_t least = kNever;
  for (const uint32_t b : running) {
    const int64_t end = batches[b].predicted_end;
    if (end == kNever) return 0;
    least = std::min(least, std::abs(end - now));
  }
  return least;
}

double BatchEngine::Rep::DelaySeconds(std::string_view tenant, int priority,
                                      double* own_seconds) const {
  const auto ahead = queue.CountAhead(tenant, priority);
  const size_t full = TypicalBatch();
  const size_t batches_ahead = ahead.requests / full;
  *own_seconds = PredictSeconds(batches_ahead > 0 ? full : ahead.requests + 1);
  const double formed = ahead_batch
                            ? model.Predict(static_cast<double>(batches[*ahead_batch].rows),
                                            static_cast<double>(batches[*ahead_batch].cost_tokens))
                            : 0;
  return static_cast<double>(ResidualNs()) * 1e-9 + formed +
         static_cast<double>(batches_ahead) * PredictSeconds(full) /
             static_cast<double>(policy.max_concurrent_batches);
}

absl::Duration BatchEngine::PredictQueueDelay(MonoTime now, int priority) const {
  const Rep& r = *rep_;
  if (!r.model.ready()) return absl::ZeroDuration();
  (void)now;
  double own = 0;
  return absl::Seconds(r.DelaySeconds(std::string_view(), priority, &own));
}

absl::Duration BatchEngine::PredictBatchTime(size_t requests, int64_t tokens) const {
  return absl::Seconds(
      rep_->model.Predict(static_cast<double>(requests), static_cast<double>(tokens)));
}

absl::Duration BatchEngine::PredictSlotFree() const {
  return absl::Nanoseconds(rep_->ResidualNs());
}

// --- triggers ---

bool BatchEngine::Rep::SlotFree() const {
  if (capacity_requests) return *capacity_requests > 0 && capacity_tokens > 0;
  return running.size() < policy.max_concurrent_batches;
}

size_t BatchEngine::Rep::RequestLimit() const {
  size_t limit = policy.max_batch_requests;
  if (!policy.allowed_batch_sizes.empty()) limit = policy.allowed_batch_sizes.back();
  return capacity_requests ? std::min(limit, *capacity_requests) : limit;
}

int64_t BatchEngine::Rep::TokenLimit() const {
  const int64_t limit = policy.token_budget.value_or(kNever);
  return capacity_requests ? std::min(limit, capacity_tokens) : limit;
}

// Whether what is queued exceeds or exactly fills the token budget of one batch.
bool BatchEngine::Rep::FullByTokens() {
  const int64_t limit = TokenLimit();
  if (limit == kNever) return false;
  if (queue.tokens() >= limit) return true;
  if (policy.cost_shape == CostShape::kSum) return false;
  if (full_dirty) {
    full_dirty = false;
    int64_t longest = 0;
    int64_t rows_seen = 0;
    full_by_tokens = false;
    queue.ForEach([&](uint32_t s) {
      longest = std::max(longest, SlotAt(slots, s).tokens);
      full_by_tokens = longest * ++rows_seen >= limit;
      return !full_by_tokens;
    });
  }
  return full_by_tokens;
}

std::optional<ReleaseReason> BatchEngine::Rep::Trigger() {
  if (queue.size() == 0 || !SlotFree()) return std::nullopt;
  if (draining) return ReleaseReason::kDrain;
  if (hold_until > now) return std::nullopt;
  if (policy.mode != BatchMode::kFullOrTimeout) return ReleaseReason::kIdleRuntime;
  if (queue.size() >= RequestLimit()) return ReleaseReason::kFull;
  if (FullByTokens()) return ReleaseReason::kBudget;
  if (now - queue.oldest() >= absl::ToInt64Nanoseconds(policy.max_delay)) {
    return ReleaseReason::kTimeout;
  }
  if (!deadlines.empty() && deadlines.earliest() <= LateBefore(queue.size())) {
    return ReleaseReason::kDeadlinePressure;
  }
  return std::nullopt;
}

int64_t BatchEngine::Rep::WakeAt(bool stuck) const {
  int64_t wake = std::min(deadlines.earliest(), flight_deadlines.earliest());
  if (const int64_t ahead_at = AheadAt(); ahead_at > now) wake = std::min(wake, ahead_at);
  if (queue.size() == 0 || stuck || !SlotFree()) return wake;
  if (hold_until > now) return std::min(wake, hold_until);
  if (policy.mode == BatchMode::kFullOrTimeout) {
    const int64_t oldest = queue.oldest();
    const int64_t delay = absl::ToInt64Nanoseconds(policy.max_delay);
    wake = std::min(wake, oldest > kNever - delay ? kNever : oldest + delay);
    if (Predicts() && !deadlines.empty()) {
      const size_t n = std::min(queue.size(), RequestLimit());
      wake = std::min(wake, deadlines.earliest() - MarginNs(n));
    }
  }
  return wake;
}

void BatchEngine::Rep::ExpireDue(EngineActions* actions) {
  while (deadlines.earliest() <= now) EndInto(deadlines.top(), Outcome::kExpired, actions);
  while (flight_deadlines.earliest() <= now) {
    EndInto(flight_deadlines.top(), Outcome::kExpired, actions);
  }
}

void BatchEngine::Poll(MonoTime now, EngineActions* actions) {
  Rep& r = *rep_;
  r.Advance(now);
  r.ExpireDue(actions);
  bool stuck = false;  // the head does not fit what the host can take now
  while (const std::optional<ReleaseReason> reason = r.Trigger()) {
    stuck = !r.FormBatch(*reason, actions);
    if (stuck) break;
  }
  if (r.AheadAt() <= r.now) r.FormAhead(actions);
  actions->wake_at = MonoTime::FromNanoseconds(r.WakeAt(stuck));
}

// --- ahead of time ---

// When a batch should leave ahead, so that it is prepared when the first slot is expected to be
// free. kNever: none.
int64_t BatchEngine::Rep::AheadAt() const {
  if (!policy.form_ahead || policy.mode == BatchMode::kFullOrTimeout || capacity_requests ||
      ahead_batch || running.size() < policy.max_concurrent_batches) {
    return kNever;
  }
  const RunningBatch* first = nullptr;
  for (const uint32_t b : running) {
    if (first == nullptr || batches[b].predicted_end < first->predicted_end) first = &batches[b];
  }
  if (first->predicted_end == kNever) return kNever;
  const int64_t length = first->predicted_end - first->start;
  if (length < kLeastBatchAhead) return kNever;
  const double lead = kLeastLead + ahead_mean_ns + 4 * ahead_spread_ns +
                      2 * model.sigma() * static_cast<double>(length);
  return first->predicted_end -
         static_cast<int64_t>(std::min(lead, static_cast<double>(length) / 2));
}

// Only a batch that nobody else could join leaves ahead.
void BatchEngine::Rep::FormAhead(EngineActions* actions) {
  if (queue.size() == 0 || hold_until > now) return;
  if (queue.size() < SizeLimit() && !FullByTokens()) return;
  ahead_due = std::max(AheadAt(), now - kLeastBatchAhead);
  starts_in = ResidualNs();
  FormBatch(ReleaseReason::kIdleRuntime, actions);
  starts_in = 0;
}

void BatchEngine::OnBatchPrepared(MonoTime now, BatchId id) {
  Rep& r = *rep_;
  r.Advance(now);
  if (r.FindBatch(id) == nullptr) return;
  const double took = static_cast<double>(r.now - r.ahead_due);
  if (r.ahead_mean_ns == 0) {
    r.ahead_mean_ns = took;
    r.ahead_spread_ns = took / 4;
    return;
  }
  // As TCP's estimate of a round trip (V. Jacobson, 1988).
  const double error = took - r.ahead_mean_ns;
  r.ahead_mean_ns += error / 8;
  r.ahead_spread_ns += (std::abs(error) - r.ahead_spread_ns) / 4;
}

bool BatchEngine::holds_slot(BatchId id) const {
  const Rep::RunningBatch* batch = rep_->FindBatch(id);
  return batch != nullptr && batch->slot_held;
}

// The slot that has just become free belongs to the batch that was formed ahead.
void BatchEngine::Rep::Promote() {
  if (!ahead_batch || running.size() >= policy.max_concurrent_batches) return;
  RunningBatch& batch = batches[*ahead_batch];
  batch.ahead = false;
  batch.slot_held = true;
  batch.start = now;
  batch.predicted_end = PredictedEnd(batch);
  running.push_back(*ahead_batch);
  ahead_batch.reset();
}

// --- how large ---

size_t BatchEngine::Rep::SizeLimit() const {
  size_t limit = RequestLimit();
  if (policy.cap_at_best_rate && policy.mode != BatchMode::kFullOrTimeout) {
    limit = BestRateLimit(limit);
  }
  if (policy.mode == BatchMode::kAdaptive && !draining) limit = AdaptiveCap(limit);
  return limit;
}

// The size with the best rate, if larger batches serve fewer a second: on a runtime whose time
// grows faster than the batch, or in steps, they would only feed the queue that made them large.
// The learned curve proposes a size, the times measured size by size may say that a larger one is
// better after all, or a smaller one.
size_t BatchEngine::Rep::BestRateLimit(size_t limit) const {
  const size_t most = std::min(limit, queue.size());
  if (!model.ready() || most < 2) return limit;
  size_t best = BestByCurve(most);
  if (size_times.LargerIsBetter(best, most)) best = most;
  best = std::min(best, size_times.BestSize(most));
  return best < most ? best : limit;
}

// What was never seen is taken to go on at the rate of the largest that can be judged. A curve that
// was learned from smaller batches may be wrong about larger ones: about twice the best size is
// tried before it is believed, and again when that was long ago.
size_t BatchEngine::Rep::BestByCurve(size_t most) const {
  const size_t known = std::min(most, 2 * size_times.Largest() + 1);
  const auto rate = [this](size_t b) {
    return static_cast<double>(b) / model.Predict(static_cast<double>(b), TypicalTokens(b));
  };
  double best = (kBetterRate + 2 * model.sigma()) * rate(known);
  size_t size = most;
  for (size_t b = 1; b < known; b += 1 + b / 16) {
    const double r = rate(b);
    if (r > best) {
      best = r;
      size = b;
    }
  }
  const bool unsure = 2 * size <= most && !size_times.Seen(size + (size + 1) / 2, 3 * size);
  return unsure ? 2 * size : size;
}

// The size b that minimises the mean completion of draining q requests while others arrive: s(b) (q
// / (b - rate s(b)) + 1).
size_t BatchEngine::Rep::AdaptiveCap(size_t limit) const {
  const size_t most = std::min(limit, queue.size());
  if (!model.ready() || most < 2) return limit;
  const double q = static_cast<double>(queue.size());
  const double rate = arrivals.PerSecond();
  const auto mean_at = [&](size_t b) {
    const double s = PredictSeconds(b);
    const double drained = static_cast<double>(b) - rate * s;
    return drained > 0 ? s * (q / drained + 1) : std::numeric_limits<double>::infinity();
  };
  double best = kWorthACap * mean_at(most);
  size_t cap = limit;
  for (size_t b = 1; b < most; b += 1 + b / 64) {
    const double mean = mean_at(b);
    if (mean < best) {
      best = mean;
      cap = b;
    }
  }
  return cap;
}

}  // namespace penstock
