// SPDX-License-Identifier: Apache-2.0
//
// Units larger than the budget: down the hierarchy until something fits.
#include <algorithm>

#include "chunker/session.h"
#include "chunker/subunits.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// Ends of the graphemes or code points of a stretch of text, absolute and ascending. Where every
// byte is one (ASCII without CR), nothing is stored.
class Ends {
 public:
  // Of `text`, which begins at byte `base`.
  static Ends OfGraphemes(std::string_view text, size_t base) {
    Ends ends(base);
    uint8_t all = 0;
    for (const char c : text) all |= static_cast<uint8_t>(c == '\r' ? 0x80 : c);
    ends.size_ = text.size();
    if (all < 0x80) return ends;
    for (size_t i = 0; i < text.size();) ends.list_.push_back(base + (i = GraphemeEnd(text, i)));
    ends.size_ = ends.list_.size();
    return ends;
  }
  static Ends OfCodePoints(std::string_view text, size_t base) {
    Ends ends(base);
    for (size_t i = 0; i < text.size();) {
      ends.list_.push_back(base + (i += DecodeUtf8(text, i).size));
    }
    ends.size_ = ends.list_.size();
    return ends;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t operator[](size_t index) const { return list_.empty() ? base_ + index + 1 : list_[index]; }
  void pop_back() { --size_; }

  // Index of the first end after `byte` in [low, high), else high.
  size_t UpperBound(size_t low, size_t high, size_t byte) const {
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if ((*this)[middle] <= byte) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  bool Contains(size_t byte) const {
    const size_t after = UpperBound(0, size_, byte);
    return after > 0 && (*this)[after - 1] == byte;
  }

 private:
  explicit Ends(size_t base) : base_(base) {}

  size_t base_;
  size_t size_ = 0;
  std::vector<size_t> list_;  // empty: every byte is an end
};

// Largest k with count(ends[k]) <= budget by interpolation between what is known, or npos.
// `tolerance` below the budget is near enough. Deterministic; about log n counts.
template <class CountTo>
size_t SearchFit(size_t begin, const Ends& ends, size_t budget, size_t tolerance,
                 CountTo count_to) {
  size_t low = 0;  // ends[low - 1] fits; 0: nothing known to fit
  size_t low_count = 0;
  size_t high = ends.size() - 1;  // taken not to fit, unless it turns out to
  size_t high_count = count_to(ends[high]);
  if (high_count <= budget) return high;
  for (size_t step = 0; low < high; ++step) {
    if (low > 0 && low_count + tolerance >= budget) break;
    const size_t low_byte = low == 0 ? begin : ends[low - 1];
    size_t middle = (low + high) / 2;
    if (step % 3 != 2 && high_count > low_count) {
      const double share =
          static_cast<double>(budget - low_count) / static_cast<double>(high_count - low_count);
      const size_t byte =
          low_byte + static_cast<size_t>(share * static_cast<double>(ends[high] - low_byte));
      const size_t guess = ends.UpperBound(low, high, byte);
      middle = std::clamp(guess == 0 ? 0 : guess - 1, low, high - 1);
    }
    const size_t count = count_to(ends[middle]);
    if (count <= budget) {
      low = middle + 1;
      low_count = count;
    } else {
      high = middle;
      high_count = count;
    }
  }
  return low == 0 ? static_cast<size_t>(-1) : low - 1;
}

}  // namespace

// The next core begins inside a unit: nothing before it is a whole one to overlap with.
void Session::EnterUnit(size_t begin, Unit unit) {
  core_begin_ = begin;
  inside_unit_ = true;
  cuts_[0].counted = false;
  past_.clear();
  past_.push_back({begin, unit, 1, 0, false});
}

// Cuts [core_begin_, cuts_[0]), which does not fit, as late as the budget and as strongly as
// min_fill allow.
bool Session::Oversize(Chunk* chunk) {
  const size_t begin = core_begin_;
  const size_t unit_end = cuts_[0].byte;
  CoverFor(begin, 0);
  const auto count_to = [&](size_t end) { return CountUpTo(begin, end); };
  size_t reach = std::min(unit_end, begin + std::max<size_t>(64, 4 * rep_->budget));
  while (reach < unit_end && count_to(reach) <= rep_->budget) {
    reach = std::min(unit_end, reach + (reach - begin));
  }
  while (reach < unit_end && reach > begin + 1 && IsUtf8Continuation(held_[reach - base_])) --reach;

  const std::string_view text = Text(begin, unit_end);
  const std::string_view near = text.substr(0, reach - begin);  // more than fits, or all
  Ends ends = Ends::OfGraphemes(near, begin);
  if (reach < unit_end) ends.pop_back();  // may go on after `reach`
  const size_t tolerance = rep_->budget / 128;
  const size_t none = static_cast<size_t>(-1);
  size_t fit = ends.empty() ? none : SearchFit(begin, ends, rep_->budget, tolerance, count_to);

  chunk->oversize_unit = true;
  chunk->over_budget = false;
  while (fit != none) {
    size_t end = ends[fit];
    Unit unit = Unit::kGrapheme;
    if (end == unit_end) unit = cuts_[0].unit;
    const size_t fill =
        static_cast<size_t>(rep_->options.min_fill * static_cast<double>(end - begin));
    for (const Unit level : {Unit::kLine, Unit::kClause, Unit::kWord}) {
      if (end == unit_end) break;
      const Unit whole = cuts_[0].unit;
      if (level == Unit::kLine && whole != Unit::kCodeFence && whole != Unit::kWord) continue;
      const size_t least = level == Unit::kWord ? fill / 2 : fill;
      const size_t from = least - std::min(least, kMaxUtf8Size);
      const size_t p = LastBoundary(text, from, end - begin, level);
      if (p <= least || !ends.Contains(begin + p)) continue;
      end = begin + p;
      unit = level;
      break;
    }
    const bool slice = meter_.Ids(begin, end, &chunk->ids);
    if (chunk->ids.size() <= rep_->budget) {
      if (slice) rep_->counters.sliced_chunks.fetch_add(1, std::memory_order_relaxed);
      if (end == unit_end) {  // counts and ids disagreed: it fits after all
        chunk->oversize_unit = inside_unit_;
        Fill(begin, end, unit, cuts_[0].score, chunk);
        inside_unit_ = false;
        Forget(0);
        return true;
      }
      Fill(begin, end, unit, 1, chunk);
      EnterUnit(end, unit);
      return true;
    }
    fit = fit == 0 ? none : fit - 1;
  }

  // One grapheme is larger than the budget: code points.
  ends = Ends::OfCodePoints(near, begin);
  fit = SearchFit(begin, ends, rep_->budget, 0, count_to);
  for (;; --fit) {
    if (fit == none) fit = 0;
    meter_.Ids(begin, ends[fit], &chunk->ids);
    if (chunk->ids.size() <= rep_->budget || fit == 0) break;
  }
  chunk->over_budget = chunk->ids.size() > rep_->budget;
  const size_t end = ends[fit];
  const bool last = end == unit_end;
  const bool whole = begin + GraphemeEnd(near, 0) == end && end < reach;
  const Unit weak = whole ? Unit::kGrapheme : Unit::kCodePoint;
  Fill(begin, end, last ? cuts_[0].unit : weak, last ? cuts_[0].score : 1, chunk);
  if (last) {
    past_.clear();
    inside_unit_ = false;
    Forget(0);
  } else {
    EnterUnit(end, weak);
  }
  return true;
}

}  // namespace penstock::internal
