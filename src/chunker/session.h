// SPDX-License-Identifier: Apache-2.0
//
// Session: one text on its way to chunks; the engine behind Split() and ChunkStream.
//
//   Session session(rep);
//   session.SetText(held, base, at_end);
//   while (session.Next(&chunk)) …          // false: more text is needed, or all is out
//
// What is emitted depends on the text only: every decision is a function of counts of stretches of
// it, and waits until no further text can change it.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_CHUNKER_SESSION_H_
#define PENSTOCK_SRC_CHUNKER_SESSION_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/boundary_finder.h"
#include "chunker/meter.h"
#include "chunker/rep.h"

namespace penstock::internal {

// A place where a chunk may end.
struct Cut {
  size_t byte = 0;
  Unit unit = Unit::kSentence;
  uint8_t score = 0;
  size_t unit_tokens = 0;  // without safe cuts: tokens of the unit that ends here, counted once
  bool counted = false;
};

// Cuts in order: in at the back, out at the front. Amortised O(1), without a heap block per few
// cuts as std::deque has.
class CutQueue {
 public:
  bool empty() const { return size() == 0; }
  size_t size() const { return cuts_.size() - head_; }
  Cut& operator[](size_t index) { return cuts_[head_ + index]; }
  const Cut& operator[](size_t index) const { return cuts_[head_ + index]; }
  const Cut& front() const { return cuts_[head_]; }
  const Cut& back() const { return cuts_.back(); }
  const Cut* begin() const { return cuts_.data() + head_; }
  const Cut* end() const { return cuts_.data() + cuts_.size(); }
  void push_back(const Cut& cut) { cuts_.push_back(cut); }
  void pop_back() { cuts_.pop_back(); }
  void pop_front(size_t count) {
    head_ += count;
    if (head_ < cuts_.size() / 2) return;
    cuts_.erase(cuts_.begin(), cuts_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  void clear() {
    cuts_.clear();
    head_ = 0;
  }

 private:
  std::vector<Cut> cuts_;
  size_t head_ = 0;
};

class Session {
 public:
  explicit Session(const Chunker::Rep* rep);

  // REQUIRES: base <= needed_from(); held extends what was given before.
  void SetText(std::string_view held, size_t base, bool at_end);

  // The next chunk, if it can be known.
  bool Next(Chunk* chunk);

  // Absolute position of the first byte that will be looked at again.
  size_t needed_from() const;

  uint64_t encoded_bytes() const { return meter_.encoded_bytes(); }

 private:
  size_t text_end() const { return base_ + held_.size(); }
  std::string_view Text(size_t begin, size_t end) const {
    return held_.substr(begin - base_, end - begin);
  }
  bool EnsureCut(size_t index);
  void AddCuts();
  void AddCut(size_t byte, Unit unit, uint8_t score);
  size_t CutByte(const Candidate& candidate) const;
  size_t Count(size_t begin, size_t end);      // exact but for Meter::Count()'s caveat
  size_t CountUpTo(size_t begin, size_t end);  // may stop above the budget
  // Bytes that hardly fit the budget.
  size_t LongUnit() const { return 8 * rep_->budget + 256; }
  // Whether a unit counted as over the budget is near enough to it to be counted exactly: only its
  // ends can be wrong.
  bool MayFit(size_t count) const { return count <= rep_->budget + rep_->budget / 8 + 16; }
  void CoverFor(size_t begin, size_t index);
  void Cover(size_t begin, size_t index, size_t window_bytes);
  size_t OverlapBegin(size_t index);
  void Plan();
  bool NextPlanned(Chunk* chunk);
  size_t UnitTokens(size_t index);
  bool FindLimit(size_t begin);  // false: more text is needed
  bool FindLimitBySums(size_t begin);
  size_t CountTo(size_t begin, size_t index);
  size_t Choose(size_t begin);
  bool Emit(size_t begin, size_t index, Chunk* chunk);
  bool Oversize(Chunk* chunk);
  void EnterUnit(size_t begin, Unit unit);
  void Fill(size_t begin, size_t end, Unit unit, uint8_t score, Chunk* chunk);
  void Forget(size_t index);
  ByteRange Trim(ByteRange range) const;
  void SetHeadings(Chunk* chunk);
  void Score(size_t first);

  const Chunker::Rep* rep_;
  BoundaryFinder finder_;
  Meter meter_;
  std::string_view held_;
  size_t base_ = 0;
  bool at_end_ = false;

  size_t scanned_ = 0;  // the finder has seen the text up to here
  bool scan_done_ = false;
  std::vector<Candidate> candidates_;
  std::vector<Heading> new_headings_;
  CutQueue cuts_;  // after core_begin_
  CutQueue past_;  // before or at core_begin_, for overlap; byte 0 counts as one
  // counts_[k]: tokens of a chunk that ends at cuts_[k], where they were asked for.
  std::vector<size_t> counts_;
  size_t last_bytes_ = 4;  // of the last chunk: where the next one may end
  size_t last_tokens_ = 1;
  std::deque<Heading> headings_;
  std::vector<Heading> section_;  // headings around core_begin_, outermost first
  size_t core_begin_ = 0;
  std::deque<size_t> plan_;   // balanced, optimal: numbers of units of the chunks to come
  bool inside_unit_ = false;  // core_begin_ is within an oversize unit
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_SESSION_H_
