// SPDX-License-Identifier: Apache-2.0
//
// Who is in a batch.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "batcher/engine_rep.h"

namespace penstock {

using internal::kLongAgo;
using internal::kNever;
using internal::kNoSlot;
using internal::SlotState;

namespace {

// A runtime that looks too slow for every deadline is measured again at least this often.
constexpr int64_t kProbeInterval = 100'000'000;

}  // namespace

// Picks candidates in order until `window` of them would be on time in a full batch, or the queue
// is empty. Ends those that no batch can serve in time, and those that the queue-delay control
// sheds.
void BatchEngine::Rep::Gather(size_t limit, size_t window, EngineActions* actions) {
  candidates.clear();
  on_time = 0;
  exhausted = false;
  probe = kNoSlot;
  const bool may_be_late = deadlines.earliest() < LateBefore(std::min(limit, queue.size()));
  late_if_full = may_be_late ? LateBefore(std::min(limit, queue.size())) : kLongAgo;
  const int64_t late_if_alone = may_be_late ? LateBefore(1, 0) : kLongAgo;
  const bool probe_due = running.empty() && now - last_release >= kProbeInterval;
  const int64_t budget = TokenLimit();
  int64_t sum = 0;
  bool budget_reached = budget == kNever;
  while (on_time < window) {
    const uint32_t s = queue.Pick();
    if (s == kNoSlot) {
      exhausted = true;
      return;
    }
    const Slot& slot = SlotAt(slots, s);
    if (admission && queue.size() + candidates.size() >= limit &&
        admission->ShouldShed(MonoTime::FromNanoseconds(now),
                              absl::Nanoseconds(now - slot.submitted))) {
      EndInto(s, Outcome::kShed, actions);
    } else if (slot.deadline < late_if_alone) {
      if (probe_due && probe == kNoSlot) {
        probe = s;
      } else {
        EndInto(s, Outcome::kPredictedLate, actions);
      }
    } else {
      candidates.push_back(s);
      if (slot.deadline < late_if_full) continue;
      ++on_time;
      sum += slot.tokens;
      if (!budget_reached && sum > budget) {
        // As many as fit, times the lookahead, are enough to choose from; a few more cost little.
        budget_reached = true;
        const size_t lookahead = window / limit;
        window =
            std::min(window, (lookahead > 1 ? std::max<size_t>(on_time, 64) : on_time) * lookahead);
      }
    }
  }
}

void BatchEngine::Rep::DropTight(int64_t late_before, EngineActions* actions) {
  size_t kept = 0;
  for (const uint32_t s : candidates) {
    if (SlotAt(slots, s).deadline < late_before) {
      EndInto(s, Outcome::kPredictedLate, actions);
    } else {
      candidates[kept++] = s;
    }
  }
  candidates.resize(kept);
}

// What to do with requests that would be late in a full batch, but not in a small one.
void BatchEngine::Rep::SettleTight(size_t limit, EngineActions* actions) {
  const size_t tight = candidates.size() - on_time;
  if (tight == 0) return;
  if (on_time >= limit || !exhausted) return DropTight(late_if_full, actions);
  // Nobody is lost if they go first, alone, and the others can wait for that.
  const auto latest_first = [this](uint32_t a, uint32_t b) {
    return SlotAt(slots, a).deadline > SlotAt(slots, b).deadline;
  };
  sorted = candidates;
  std::sort(sorted.begin(), sorted.end(), latest_first);
  const auto deadline = [this](size_t i) { return SlotAt(slots, sorted[i]).deadline; };
  if (tight <= limit && deadline(sorted.size() - 1) >= LateBefore(tight) &&
      (on_time == 0 || deadline(on_time - 1) >= LateBefore(tight) + MarginNs(on_time))) {
    pressed = true;
    size_t kept = 0;
    for (const uint32_t s : candidates) {
      if (SlotAt(slots, s).deadline < late_if_full) {
        candidates[kept++] = s;
      } else {
        queue.Unpick(s);
      }
    }
    candidates.resize(kept);
    return;
  }
  // Otherwise the largest batch whose members are on time, on average: nobody waits who could take
  // the place of one in doubt.
  size_t n = std::min(sorted.size(), limit);
  while (n > 0 && deadline(n - 1) < LateBefore(n, 0)) --n;
  DropTight(LateBefore(n, 0), actions);
}

void BatchEngine::Rep::ChooseFirst(size_t limit) {
  const int64_t budget = TokenLimit();
  int64_t sum = 0;
  int64_t longest = 0;
  for (const uint32_t s : candidates) {
    if (chosen.size() == limit) return;
    const int64_t tokens = SlotAt(slots, s).tokens;
    sum += tokens;
    longest = std::max(longest, tokens);
    const int64_t cost = policy.cost_shape == CostShape::kSum
                             ? sum
                             : longest * static_cast<int64_t>(chosen.size() + 1);
    if (cost > budget) {
      full_of_tokens = true;
      return;
    }
    chosen.push_back(s);
  }
}

// The head of the order, and those neighbours of it by length that waste least padding: a run of
// the candidates sorted by length that contains the head. Runs that neither fill the batch nor the
// budget are considered only if none does.
void BatchEngine::Rep::ChooseWindow(size_t limit) {
  const int64_t budget = TokenLimit();
  const size_t n = candidates.size();
  const auto tokens = [this](size_t position) {
    return SlotAt(slots, candidates[position]).tokens;
  };
  sorted.resize(n);
  for (size_t i = 0; i < n; ++i) sorted[i] = static_cast<uint32_t>(i);
  std::sort(sorted.begin(), sorted.end(), [&](uint32_t a, uint32_t b) {
    return tokens(a) != tokens(b) ? tokens(a) < tokens(b) : a < b;
  });
  const size_t head =
      static_cast<size_t>(std::find(sorted.begin(), sorted.end(), 0u) - sorted.begin());
  bool best_full = false;
  double best_score = -1;
  size_t best_begin = head, best_end = head;
  size_t begin = 0;
  int64_t sum = 0;
  for (size_t end = 1; end <= n; ++end) {  // candidates sorted[begin, end)
    const int64_t longest = std::max<int64_t>(tokens(sorted[end - 1]), 1);
    const int64_t fit = std::min(static_cast<int64_t>(limit), budget / longest);
    sum += tokens(sorted[end - 1]);
    while (static_cast<int64_t>(end - begin) > fit) sum -= tokens(sorted[begin++]);
    if (end <= head) continue;
    if (begin > head || fit == 0) break;
    const auto count = static_cast<int64_t>(end - begin);
    const bool full = count == fit;
    const double density = static_cast<double>(std::max<int64_t>(sum, 1)) /
                           (static_cast<double>(longest) * static_cast<double>(count));
    const double score = full ? density : static_cast<double>(count) + density;
    if ((full && !best_full) || (full == best_full && score > best_score)) {
      best_full = full;
      best_score = score;
      best_begin = begin;
      best_end = end;
    }
  }
  sorted.resize(best_end);
  sorted.erase(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(best_begin));
  std::sort(sorted.begin(), sorted.end());
  for (const uint32_t position : sorted) chosen.push_back(candidates[position]);
  full_of_tokens = best_full && chosen.size() < limit && chosen.size() < n;
}

// Pads up to an allowed size or cuts down to one, whichever costs less per request.
void BatchEngine::Rep::FitAllowedSize() {
  rows = chosen.size();
  const auto& sizes = policy.allowed_batch_sizes;
  if (sizes.empty() || chosen.empty()) return;
  const auto up = std::lower_bound(sizes.begin(), sizes.end(), rows);
  if (up != sizes.end() && *up == rows) return;
  if (up == sizes.begin()) {
    rows = *up;
    return;
  }
  const size_t down = *(up - 1);
  if (up != sizes.end()) {
    const double cost_up = PredictSeconds(*up) / static_cast<double>(rows);
    const double cost_down = PredictSeconds(down) / static_cast<double>(down);
    if (!model.ready() || cost_up <= cost_down) {
      rows = *up;
      return;
    }
  }
  rows = down;
  chosen.resize(down);
}

int64_t BatchEngine::Rep::CostOfChosen(int64_t* sum) const {
  int64_t longest = 0;
  *sum = 0;
  for (const uint32_t s : chosen) {
    *sum += SlotAt(slots, s).tokens;
    longest = std::max(longest, SlotAt(slots, s).tokens);
  }
  return longest * static_cast<int64_t>(rows);
}

// The prediction for exactly this batch.
void BatchEngine::Rep::DropLate(EngineActions* actions) {
  if (!Predicts()) return;
  int64_t sum = 0;
  const int64_t padded = CostOfChosen(&sum);
  const double tokens = static_cast<double>(policy.cost_shape == CostShape::kPadded ? padded : sum);
  const double seconds = model.Predict(static_cast<double>(rows), tokens);
  const int64_t late_before = now + starts_in + static_cast<int64_t>(std::min(seconds, 1e9) * 1e9) +
                              absl::ToInt64Nanoseconds(policy.headroom);
  size_t kept = 0;
  for (const uint32_t s : chosen) {
    if (SlotAt(slots, s).deadline < late_before) {
      EndInto(s, Outcome::kPredictedLate, actions);
    } else {
      chosen[kept++] = s;
    }
  }
  chosen.resize(kept);
  if (policy.allowed_batch_sizes.empty()) rows = kept;
}

void BatchEngine::Rep::UnpickUnchosen() {
  for (const uint32_t s : chosen) SlotAt(slots, s).state = SlotState::kChosen;
  for (size_t i = candidates.size(); i-- > 0;) {
    if (SlotAt(slots, candidates[i]).state == SlotState::kPicked) queue.Unpick(candidates[i]);
  }
}

int64_t BatchEngine::Rep::PredictedEnd(const RunningBatch& batch) const {
  if (!model.ready()) return kNever;
  const double seconds =
      model.Predict(static_cast<double>(batch.rows), static_cast<double>(batch.cost_tokens));
  return now + static_cast<int64_t>(std::min(seconds, 1e9) * 1e9);
}

void BatchEngine::Rep::Release(ReleaseReason reason, EngineActions* actions) {
  uint32_t index;
  if (free_batches.empty()) {
    index = static_cast<uint32_t>(batches.size());
    batches.emplace_back();
  } else {
    index = free_batches.back();
    free_batches.pop_back();
  }
  int64_t sum = 0;
  const int64_t padded = CostOfChosen(&sum);
  RunningBatch& batch = batches[index];
  batch = RunningBatch();
  batch.serial = next_serial++;
  batch.start = now;
  batch.requests = batch.unfinished = chosen.size();
  batch.rows = rows;
  batch.cost_tokens = policy.cost_shape == CostShape::kPadded ? padded : sum;
  batch.reason = reason;
  batch.predicted_end = PredictedEnd(batch);
  batch.slot_held = SlotFree();
  batch.ahead = !batch.slot_held;
  if (batch.ahead) {
    ahead_batch = index;
    ++stats.batches_ahead;
  } else {
    running.push_back(index);
  }
  const size_t begin = actions->items.size();
  for (const uint32_t s : chosen) {
    Slot& slot = SlotAt(slots, s);
    deadlines.Remove(s);
    slot.state = SlotState::kInFlight;
    slot.dispatched = now;
    slot.batch = index;
    if (slot.deadline != kNever) flight_deadlines.Push(s);
    LinkInFlight(s);
    actions->items.push_back({{slot.serial, s}, slot.tag});
    const int64_t delay = now - slot.submitted;
    stats.queue_delay_us.Record(static_cast<uint64_t>(delay / 1000));
    if (admission) {
      admission->OnDispatch(MonoTime::FromNanoseconds(now), absl::Nanoseconds(delay), slot.tokens);
    }
  }
  ReleaseCredit(chosen.size(), sum);
  actions->batches.push_back({{batch.serial, index},
                              reason,
                              MonoTime::FromNanoseconds(now),
                              begin,
                              actions->items.size(),
                              sum,
                              padded,
                              rows,
                              batch.ahead});
  if (capacity_requests) {
    *capacity_requests -= std::min(*capacity_requests, chosen.size());
    capacity_tokens -= policy.cost_shape == CostShape::kPadded ? padded : sum;
  }
  last_release = now;
  full_dirty = true;
  const double count = static_cast<double>(chosen.size());
  average_tokens += 0.1 * (static_cast<double>(sum) / count - average_tokens);
  if (sum > 0) {
    padding_factor +=
        0.1 * (static_cast<double>(padded) / static_cast<double>(sum) - padding_factor);
  }
  ++stats.batches[static_cast<size_t>(reason)];
  stats.batched_requests += chosen.size();
  stats.batched_tokens += sum;
  stats.padded_tokens += padded;
  stats.batch_size.Record(chosen.size());
}

// False: nothing changed, so nothing more can leave now.
bool BatchEngine::Rep::FormBatch(ReleaseReason reason, EngineActions* actions) {
  const size_t ended_before = actions->ended.size();
  const size_t hard_limit = RequestLimit();
  const size_t queued_before = queue.size();
  const size_t limit = SizeLimit();
  const bool windowed = policy.cost_shape == CostShape::kPadded && policy.lookahead > 1;
  chosen.clear();
  pressed = full_of_tokens = false;
  Gather(limit, windowed ? limit * policy.lookahead : limit, actions);
  SettleTight(limit, actions);
  if (candidates.empty() && probe != kNoSlot) {
    candidates.push_back(probe);
    chosen.push_back(probe);
    reason = ReleaseReason::kProbe;
    FitAllowedSize();
  } else {
    if (probe != kNoSlot) EndInto(probe, Outcome::kPredictedLate, actions);
    if (windowed && candidates.size() > 1) {
      ChooseWindow(limit);
    } else {
      ChooseFirst(limit);
    }
    FitAllowedSize();
    UnpickUnchosen();
    DropLate(actions);
  }
  if (chosen.empty()) return actions->ended.size() != ended_before;
  if (reason != ReleaseReason::kProbe) {
    if (chosen.size() == hard_limit) {
      reason = ReleaseReason::kFull;
    } else if (full_of_tokens) {
      reason = ReleaseReason::kBudget;
    } else if (pressed) {
      reason = ReleaseReason::kDeadlinePressure;
    } else if (limit < hard_limit && chosen.size() == limit && queued_before > limit) {
      reason = ReleaseReason::kCapped;
    }
  }
  Release(reason, actions);
  return true;
}

}  // namespace penstock
