// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/request_classes.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace penstock::internal {
namespace {

constexpr size_t kTurns = 5;
constexpr double kEndOdds = 0.3;
constexpr uint64_t kStatisticsBits = 18;  // of a key: turn and hints that change the odds

uint64_t Log2(int64_t seconds) {
  uint64_t log = 0;
  for (; seconds > 1 && log < 30; seconds >>= 1) ++log;
  return log;
}

}  // namespace

RequestClasses::RequestClasses() : classes_(SessionRuns::kMaxKinds) {
  for (; used_ < SessionRuns::kSharedKinds; ++used_) {
    classes_[used_].model[0] = model_.AddKind(1, std::nullopt, std::nullopt);
  }
}

uint8_t RequestClasses::Of(size_t turn, const ReuseHint& hint) {
  uint64_t turns = std::min<size_t>(turn, kTurns - 1);
  uint64_t p = 0, gap = 0, ttl = 0;
  if (hint.p_reuse.has_value()) {
    turns = std::min<uint64_t>(turns, 2);
    p = 1 + static_cast<uint64_t>(std::clamp(*hint.p_reuse, 0.0, 1.0) * 5.999);
  }
  if (hint.expected_gap.has_value()) gap = 1 + Log2(absl::ToInt64Seconds(*hint.expected_gap)) / 2;
  if (hint.ttl.has_value()) ttl = 1 + Log2(absl::ToInt64Seconds(*hint.ttl));
  const int priority = std::clamp(hint.priority, -128, 127);
  const uint64_t statistics = 1 | turns << 1 | p << 8 | gap << 12;
  const uint64_t key =
      statistics | ttl << kStatisticsBits | static_cast<uint64_t>(priority + 128) << 26;
  for (size_t k = SessionRuns::kSharedKinds; k < used_; ++k) {
    if (classes_[k].key == key) return static_cast<uint8_t>(k);
  }
  if (used_ == classes_.size()) return SessionRuns::kSharedKinds;
  Class& made = classes_[used_];
  made.key = key;
  made.turn = turns;
  made.priority = priority;
  if (ttl != 0) {
    made.ttl_ms = static_cast<uint32_t>(
        std::min<int64_t>(absl::ToInt64Milliseconds(*hint.ttl), UINT32_MAX - 1));
  }
  for (size_t k = SessionRuns::kSharedKinds; k < used_; ++k) {
    // ttl and priority change the worth, not the odds
    if ((classes_[k].key & ((uint64_t{1} << kStatisticsBits) - 1)) == statistics) {
      std::copy(classes_[k].model, classes_[k].model + SessionRuns::kParts, made.model);
      return static_cast<uint8_t>(used_++);
    }
  }
  AddModels(&made, hint, p != 0, gap != 0);
  return static_cast<uint8_t>(used_++);
}

// Later turns are continued more often, and a last block was often not full: a first guess, soon
// outweighed.
void RequestClasses::AddModels(Class* made, const ReuseHint& hint, bool p, bool gap) {
  std::optional<double> gap_seconds;
  if (gap) gap_seconds = std::max(0.001, absl::ToDoubleSeconds(*hint.expected_gap));
  const double odds = 0.8 + 0.25 * static_cast<double>(made->turn);
  for (size_t part = 0; part < SessionRuns::kParts; ++part) {
    made->model[part] = model_.AddKind(odds * (part == SessionRuns::kEnd ? kEndOdds : 1),
                                       p ? hint.p_reuse : std::nullopt, gap_seconds);
  }
}

double RequestClasses::Worth(size_t kind, size_t part, uint32_t age_ms) const {
  const Class& k = classes_[kind];
  if (age_ms >= k.ttl_ms) return -1;
  const double worth = model_.Worth(k.model[part], age_ms);
  return k.priority == 0 ? worth : worth * std::exp2(k.priority / 8.0);
}

void RequestClasses::CountStart(const GhostEntry& r) {
  mean_length_ += (static_cast<double>(r.length) - mean_length_) / 256;
  const double unit = 1 / std::max(mean_length_, 1.0);
  const Class& c = classes_[r.kind];
  const size_t fresh = r.length - r.known;
  if (r.known > 0) model_.AddStart(c.model[SessionRuns::kPrefix], unit * r.known);
  if (fresh > 1) {
    model_.AddStart(c.model[SessionRuns::kNew], unit * static_cast<double>(fresh - 1));
  }
  if (fresh > 0) model_.AddStart(c.model[SessionRuns::kEnd], unit);
}

void RequestClasses::CountReuse(const GhostEntry& r, size_t known, uint32_t gap_ms) {
  const double unit = 1 / std::max(mean_length_, 1.0);
  const Class& c = classes_[r.kind];
  known = std::min<size_t>(known, r.length);
  const size_t prefix = std::min<size_t>(known, r.known);
  const size_t end = known > prefix && known == r.length ? 1 : 0;
  const size_t fresh = known - prefix - end;
  if (prefix > 0) {
    model_.AddReuse(c.model[SessionRuns::kPrefix], gap_ms, unit * static_cast<double>(prefix));
  }
  if (fresh > 0) {
    model_.AddReuse(c.model[SessionRuns::kNew], gap_ms, unit * static_cast<double>(fresh));
  }
  if (end > 0) model_.AddReuse(c.model[SessionRuns::kEnd], gap_ms, unit);
}

uint8_t RequestClasses::CountShared(const GhostEntry& at, uint32_t now) {
  const bool again = at.kind < SessionRuns::kSharedKinds;
  if (again) model_.AddReuse(classes_[at.kind].model[0], now - at.last, 1);
  const size_t kind = again ? std::min<size_t>(at.kind + 1u, SessionRuns::kSharedKinds - 1) : 0;
  model_.AddStart(classes_[kind].model[0], 1);
  return static_cast<uint8_t>(kind);
}

}  // namespace penstock::internal
