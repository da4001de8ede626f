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
  if (after != cuts_.begin()) preferred = std::max(preferred, std::prev(after)->byte);
  meter_.Cover(begin, cuts_[index].byte, preferred);
}

// counts[k] = tokens of [begin, cuts_[k]), up to the first that is over the budget.
bool Session::FindLimit(size_t begin, std::vector<size_t>* counts) {
  counts->clear();
  // Sums of units that were counted alone are a little too high or low: look a little further.
  const size_t slack = rep_->safe_cuts ? 0 : rep_->budget / 32 + 2;
  size_t sum = 0;
  if (!rep_->safe_cuts && begin < core_begin_) sum = Count(begin, core_begin_);
  for (size_t k = 0;; ++k) {
    if (!EnsureCut(k)) return scan_done_;
    size_t count = 0;
    if (rep_->safe_cuts) {
      CoverFor(begin, k);
      count = Count(begin, cuts_[k].byte);
    } else {
      Cut& cut = cuts_[k];
      if (!cut.counted) {
        cut.unit_tokens = CountUpTo(k == 0 ? core_begin_ : cuts_[k - 1].byte, cut.byte);
        cut.counted = true;
      }
      const size_t saving = sum == 0 ? 0 : std::min(rep_->joint_saving, cut.unit_tokens);
      sum += cut.unit_tokens - saving;
      count = sum;
    }
    counts->push_back(count);
    if (count > rep_->budget + slack) return true;
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

// The index at which the chunk ends; counts.size() when none fits.
size_t Session::Choose(const std::vector<size_t>& counts) const {
  const size_t budget = rep_->budget + (rep_->safe_cuts ? 0 : rep_->budget / 32 + 2);
  size_t best = counts.size();
  double best_cost = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > budget) continue;
    const Cut& cut = cuts_[i];
    if (rep_->options.packing == Packing::kGreedy || cut.unit == Unit::kDocument) {
      best = i;
      best_cost = -1;
      continue;
    }
    const double cost =
        ChunkCost(CutCost(cut.unit, cut.score), counts[i], rep_->budget, rep_->options.min_fill);
    if (best == counts.size() || cost <= best_cost) {
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
  std::vector<size_t> counts;
  for (;;) {
    if (!FindLimit(begin, &counts)) return false;
    if (counts[0] > rep_->budget) {
      if (MayFit(counts[0]) && meter_.ExactCount(begin, cuts_[0].byte) <= rep_->budget) {
        counts.assign(1, rep_->budget);
      } else if (begin == core_begin_) {
        return Oversize(chunk);
      }
    }
    for (size_t index = Choose(counts); index < counts.size(); index = Choose(counts)) {
      if (Emit(begin, index, chunk)) return true;
      counts[index] = static_cast<size_t>(-1);
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
  ChunkerCounters& counters = rep_->counters;
  counters.chunks.fetch_add(1, std::memory_order_relaxed);
  counters.bytes.fetch_add(chunk->core.size(), std::memory_order_relaxed);
  counters.tokens.fetch_add(chunk->ids.size(), std::memory_order_relaxed);
  if (chunk->oversize_unit) counters.oversize_chunks.fetch_add(1, std::memory_order_relaxed);
}

void Session::Forget(size_t index) {
  core_begin_ = cuts_[index].byte;
  for (size_t i = 0; i <= index; ++i) {
    past_.push_back(cuts_.front());
    cuts_.pop_front();
  }
  // A whole unit is rarely longer than this for its tokens; what is farther back is not offered.
  const size_t reach =
      rep_->options.overlap_tokens == 0 ? 0 : 64 * rep_->options.overlap_tokens + 4096;
  while (past_.size() > 1 && past_.front().byte + reach < core_begin_) past_.pop_front();
  if (rep_->options.overlap_tokens == 0) past_.erase(past_.begin(), std::prev(past_.end()));
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
