// SPDX-License-Identifier: Apache-2.0
#include "chunker/session.h"

#include <algorithm>

#include "base/check.h"
#include "chunker/packing.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

constexpr size_t kScanStep = size_t{256} << 10;
constexpr size_t kWindowBytes = size_t{256} << 10;
constexpr size_t kScorerContext = 512;

// Instead of a count.
constexpr size_t kRefused = static_cast<size_t>(-1);     // the ids were more than the count
constexpr size_t kNotCounted = static_cast<size_t>(-2);  // nobody asked yet

}  // namespace

Session::Session(const Chunker::Rep* rep)
    : rep_(rep),
      finder_({rep->options.format, rep->options.language, SentenceRules::kTailored},
              rep->max_unit_bytes),
      meter_(rep->tokenizer.get(), rep->safe_cuts) {
  past_.push_back({0, Unit::kDocument, 255, 0, false});
}

void Session::SetText(std::string_view held, size_t base, bool at_end) {
  held_ = held;
  base_ = base;
  at_end_ = at_end;
  meter_.SetText(held, base);
}

size_t Session::needed_from() const {
  return std::min({core_begin_, past_.front().byte, finder_.needed_from()});
}

// --- Units -------------------------------------------------------------------------------------

size_t Session::CutByte(const Candidate& c) const {
  if (c.content_end == c.next_begin) return c.content_end;
  CutSide side = rep_->cut_policy.spaces;
  if (c.line_start > c.content_end) {
    const bool blank = c.unit >= Unit::kParagraph;
    side = blank ? rep_->cut_policy.blank_lines : rep_->cut_policy.one_line_end;
  }
  switch (side) {
    case CutSide::kContentEnd:
      return c.content_end;
    case CutSide::kLineStart:
      return std::max(c.line_start, c.content_end);
    case CutSide::kNextBegin:
      return c.next_begin;
  }
  return c.content_end;
}

void Session::AddCut(size_t byte, Unit unit, uint8_t score) {
  const size_t last = cuts_.empty() ? core_begin_ : cuts_.back().byte;
  if (byte > last) cuts_.push_back({byte, unit, score, 0, false});
}

void Session::AddCuts() {
  size_t ready = candidates_.size();
  if (rep_->options.scorer != nullptr && !scan_done_) {
    while (ready > 0 && candidates_[ready - 1].next_begin + kScorerContext > scanned_) --ready;
  }
  if (rep_->options.scorer != nullptr && ready > 0) Score(ready);
  for (size_t i = 0; i < ready; ++i) {
    const Candidate& c = candidates_[i];
    AddCut(CutByte(c), c.unit, c.score);
  }
  candidates_.erase(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(ready));
  for (Heading& heading : new_headings_) headings_.push_back(std::move(heading));
  new_headings_.clear();
}

// Lets the host's model score the first `count` candidates.
void Session::Score(size_t count) {
  std::vector<BoundaryContext> contexts;
  std::vector<uint8_t> scores;
  size_t unit_begin = cuts_.empty() ? core_begin_ : cuts_.back().byte;
  for (size_t i = 0; i < count; ++i) {
    const Candidate& c = candidates_[i];
    size_t before = std::max(unit_begin, c.content_end - std::min(c.content_end, kScorerContext));
    while (before < c.content_end && IsUtf8Continuation(held_[before - base_])) ++before;
    size_t after = std::min(text_end(), c.next_begin + kScorerContext);
    while (after > c.next_begin && after < text_end() && IsUtf8Continuation(held_[after - base_])) {
      --after;
    }
    contexts.push_back(
        {Text(before, c.content_end), Text(c.next_begin, after), {c.next_begin, c.unit, c.score}});
    scores.push_back(c.score);
    unit_begin = c.next_begin;
  }
  rep_->options.scorer->Score(contexts, absl::MakeSpan(scores));
  for (size_t i = 0; i < count; ++i) candidates_[i].score = scores[i];
}

bool Session::EnsureCut(size_t index) {
  while (cuts_.size() <= index) {
    if (scan_done_) return false;
    const size_t to = std::min(text_end(), std::max(scanned_, base_) + kScanStep);
    const bool last = at_end_ && to == text_end();
    if (to == scanned_ && !last) return false;
    finder_.Scan(held_.substr(0, to - base_), base_, last, &candidates_, &new_headings_);
    scanned_ = to;
    scan_done_ = last;
    AddCuts();
    if (last) {
      while (!cuts_.empty() && cuts_.back().byte >= to) cuts_.pop_back();
      AddCut(to, Unit::kDocument, 255);
    }
  }
  return true;
}

// --- Counts ------------------------------------------------------------------------------------

size_t Session::Count(size_t begin, size_t end) { return meter_.Count(begin, end); }

// Like Count(), but a stretch that is certainly over the budget is not encoded to its end: eight
// bytes a token is more than any ordinary text has.
size_t Session::CountUpTo(size_t begin, size_t end) {
  size_t probe = begin + LongUnit();
  for (; probe < end; probe += probe - begin) {
    size_t stop = probe;
    while (stop > begin && IsUtf8Continuation(held_[stop - base_])) --stop;
    const size_t count = meter_.Count(begin, stop);
    if (count > rep_->budget + 16) return count;
  }
  return meter_.Count(begin, end);
}

// Keeps [begin, cuts_[index]) encoded, with what follows as far as units are known.
void Session::CoverFor(size_t begin, size_t index) {
  Cover(std::min(begin, past_.front().byte), index, kWindowBytes);
}

void Session::Cover(size_t begin, size_t index, size_t window_bytes) {
  if (!rep_->safe_cuts || meter_.Covers(begin, cuts_[index].byte)) return;
  size_t preferred = cuts_[index].byte;
  const auto after = std::upper_bound(cuts_.begin(), cuts_.end(), begin + window_bytes,
                                      [](size_t v, const Cut& cut) { return v < cut.byte; });
  if (after != cuts_.begin()) preferred = std::max(preferred, (after - 1)->byte);
  meter_.Cover(begin, cuts_[index].byte, preferred);
}

// Tokens of [begin, cuts_[index]), counted once.
size_t Session::CountTo(size_t begin, size_t index) {
  size_t& count = counts_[index];
  if (count == kNotCounted) {
    CoverFor(begin, index);
    count = Count(begin, cuts_[index].byte);
  }
  return count;
}

// Finds a cut that fits and whose successor does not, and shortens counts_ to them; counts as few
// places as it can, because a place that is no safe cut costs an encoding. Which ones depends on
// the text alone. A first cut that does not fit is the only one then.
bool Session::FindLimit(size_t begin) {
  if (!rep_->safe_cuts) return FindLimitBySums(begin);
  counts_.assign(1, kNotCounted);
  if (CountTo(begin, 0) > rep_->budget) return true;
  const size_t reach =
      begin + std::min(LongUnit(), rep_->budget * last_bytes_ / std::max<size_t>(1, last_tokens_));
  size_t low = 0;  // fits
  size_t high = 1;
  while (EnsureCut(high) && cuts_[high].byte < reach) ++high;
  for (size_t step = 1;; step *= 2) {
    if (!EnsureCut(high)) {
      if (!scan_done_) return false;
      high = cuts_.size();
      if (high == low + 1) break;  // all the rest of the text fits
      --high;
    }
    counts_.resize(std::max(counts_.size(), high + 1), kNotCounted);
    if (CountTo(begin, high) > rep_->budget) break;
    low = high;
    high += step;
  }
  for (size_t step = 1; high - low > 1; step *= 2) {
    const size_t middle = std::max(low + (high - low) / 2, high - std::min(high, step));
    (CountTo(begin, middle) <= rep_->budget ? low : high) = middle;
  }
  counts_.resize(low + 1);
  return true;
}

// Without safe cuts: all counts up to the first that is over the budget, as sums of units that were
// counted alone. They are a little too high or low: look a little further.
bool Session::FindLimitBySums(size_t begin) {
  counts_.clear();
  const size_t slack = rep_->budget / 32 + 2;
  size_t sum = begin < core_begin_ ? Count(begin, core_begin_) : 0;
  for (size_t k = 0;; ++k) {
    if (!EnsureCut(k)) return scan_done_;
    Cut& cut = cuts_[k];
    if (!cut.counted) {
      cut.unit_tokens = CountUpTo(k == 0 ? core_begin_ : cuts_[k - 1].byte, cut.byte);
      cut.counted = true;
    }
    const size_t saving = sum == 0 ? 0 : std::min(rep_->joint_saving, cut.unit_tokens);
    sum += cut.unit_tokens - saving;
    counts_.push_back(sum);
    if (sum > rep_->budget + slack) return true;
  }
}

// Where the extent of a chunk that ends at cuts_[index] begins.
size_t Session::OverlapBegin(size_t index) {
  const ChunkerOptions& options = rep_->options;
  if (options.overlap_tokens == 0 || inside_unit_ || past_.size() < 2) return core_begin_;
  size_t best = core_begin_;
  size_t units = 0;
  for (size_t i = past_.size() - 1; i-- > 0;) {
    const Cut& cut = past_[i];
    if (cut.unit < options.overlap_unit && cut.byte > 0) continue;
    CoverFor(cut.byte, index);
    if (Count(cut.byte, core_begin_) > options.overlap_tokens) break;
    if (Count(cut.byte, cuts_[index].byte) > rep_->budget) break;
    best = cut.byte;
    ++units;
    if (options.overlap_units.has_value() && units >= *options.overlap_units) break;
  }
  return best;
}

// --- Packing -----------------------------------------------------------------------------------

// The index at which the chunk ends; counts_.size() when none fits. Goes from the fullest chunk
// down, for as long as a less full one, which leaves more unused, can still cost less.
size_t Session::Choose(size_t begin) {
  const ChunkerOptions& options = rep_->options;
  const size_t budget = rep_->budget + (rep_->safe_cuts ? 0 : rep_->budget / 32 + 2);
  const auto cost_of = [&](double cut_cost, size_t tokens) {
    return ChunkCost(cut_cost, tokens, rep_->budget, options.min_fill);
  };
  const size_t none = counts_.size();
  size_t best = none;
  double best_cost = 0;
  size_t least = budget;  // tokens of the last candidate looked at
  for (size_t i = counts_.size(); i-- > 0;) {
    if (best != none && cost_of(0, least) >= best_cost) break;
    if (counts_[i] == kRefused) continue;
    const Cut& cut = cuts_[i];
    const double cut_cost = CutCost(cut.unit, cut.score);
    if (best != none && cost_of(cut_cost, least) >= best_cost) continue;
    const size_t count = CountTo(begin, i);
    if (count > budget) continue;
    if (options.packing == Packing::kGreedy || cut.unit == Unit::kDocument) return i;
    least = std::min(least, count);
    const double cost = cost_of(cut_cost, count);
    if (best == none || cost < best_cost) {
      best = i;
      best_cost = cost;
    }
  }
  return best;
}

bool Session::Next(Chunk* chunk) {
  if (!EnsureCut(0)) return false;
  // The rest of an oversize unit, if long, is oversize unseen: counting it for each of its chunks
  // would cost the square of its length.
  if (inside_unit_ && cuts_[0].byte - core_begin_ > LongUnit()) return Oversize(chunk);
  if (rep_->options.packing == Packing::kBalanced || rep_->options.packing == Packing::kOptimal) {
    if (NextPlanned(chunk)) return true;
  }
  size_t begin = OverlapBegin(0);
  for (;;) {
    if (!FindLimit(begin)) return false;
    if (counts_[0] > rep_->budget) {
      if (MayFit(counts_[0]) && meter_.ExactCount(begin, cuts_[0].byte) <= rep_->budget) {
        counts_.assign(1, rep_->budget);
      } else if (begin == core_begin_) {
        return Oversize(chunk);
      }
    }
    for (size_t index = Choose(begin); index < counts_.size(); index = Choose(begin)) {
      if (Emit(begin, index, chunk)) return true;
      counts_[index] = kRefused;
    }
    if (begin == core_begin_) return Oversize(chunk);
    begin = core_begin_;  // no room for overlap
  }
}

bool Session::Emit(size_t begin, size_t index, Chunk* chunk) {
  const Cut cut = cuts_[index];
  const bool slice = meter_.Ids(begin, cut.byte, &chunk->ids);
  if (chunk->ids.size() > rep_->budget) return false;
  if (slice) rep_->counters.sliced_chunks.fetch_add(1, std::memory_order_relaxed);
  chunk->oversize_unit = inside_unit_;
  chunk->over_budget = false;
  Fill(begin, cut.byte, cut.unit, cut.score, chunk);
  if (inside_unit_) past_.clear();  // what began inside a unit is no whole one
  inside_unit_ = false;
  Forget(index);
  return true;
}

void Session::Fill(size_t begin, size_t end, Unit unit, uint8_t score, Chunk* chunk) {
  chunk->core = {core_begin_, end};
  chunk->extent = {begin, end};
  chunk->text = Trim(chunk->extent);
  chunk->tokens = chunk->ids.size() + rep_->overhead;
  chunk->cut = unit;
  chunk->score = score;
  SetHeadings(chunk);
  last_bytes_ = chunk->extent.size();
  last_tokens_ = chunk->ids.size();
  ChunkerCounters& counters = rep_->counters;
  counters.chunks.fetch_add(1, std::memory_order_relaxed);
  counters.bytes.fetch_add(chunk->core.size(), std::memory_order_relaxed);
  counters.tokens.fetch_add(chunk->ids.size(), std::memory_order_relaxed);
  if (chunk->oversize_unit) counters.oversize_chunks.fetch_add(1, std::memory_order_relaxed);
}

void Session::Forget(size_t index) {
  core_begin_ = cuts_[index].byte;
  if (rep_->options.overlap_tokens == 0) {
    past_.clear();
    past_.push_back(cuts_[index]);
  } else {
    for (size_t i = 0; i <= index; ++i) past_.push_back(cuts_[i]);
    // A whole unit is rarely longer than this for its tokens; what is farther back is not offered.
    const size_t reach = 64 * rep_->options.overlap_tokens + 4096;
    size_t old = 0;
    while (old + 1 < past_.size() && past_[old].byte + reach < core_begin_) ++old;
    past_.pop_front(old);
  }
  cuts_.pop_front(index + 1);
}

ByteRange Session::Trim(ByteRange range) const {
  while (range.begin < range.end) {
    const DecodedChar c = DecodeUtf8(held_.substr(0, range.end - base_), range.begin - base_);
    const CharClass cls = ClassifyChar(c.code_point);
    if (cls != CharClass::kSpace && cls != CharClass::kNewline) break;
    range.begin += c.size;
  }
  while (range.begin < range.end) {
    const CharBefore c = DecodeBefore(held_, range.end - base_, range.begin - base_);
    const CharClass cls = ClassifyChar(c.code_point);
    if (cls != CharClass::kSpace && cls != CharClass::kNewline) break;
    range.end = c.begin + base_;
  }
  return range;
}

void Session::SetHeadings(Chunk* chunk) {
  const size_t content = Trim(chunk->core).begin;
  while (!headings_.empty() && headings_.front().byte <= content) {
    while (!section_.empty() && section_.back().level >= headings_.front().level) {
      section_.pop_back();
    }
    section_.push_back(std::move(headings_.front()));
    headings_.pop_front();
  }
  chunk->headings.clear();
  for (const Heading& heading : section_) chunk->headings.push_back(heading.title);
}

}  // namespace penstock::internal
