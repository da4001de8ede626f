// SPDX-License-Identifier: Apache-2.0
//
// Where graphemes, words and sentences begin: the default rules of UAX #29 (Unicode 16.0, extended
// grapheme clusters).
//
//   for (SentenceIterator it("Dr. No said 3.5. He left."); it.Next();) Use(it.segment());
//   GraphemeIterator it("e\u0301\xFFz");       // "é", the bad byte (as U+FFFD), "z"
//
// For text that arrives in pieces, feed a breaker one character at a time:
//
//   SentenceBreaker breaker;
//   for (each character c at byte pos) for (size_t at : breaker.Push(c, pos)) /* border at `at` */;
//   for (size_t at : breaker.Finish()) …       // what only the end of the text decides
//
// A breaker looks at each character once, holds O(1) state and allocates nothing; it is a plain
// value: a copy is a snapshot to resume from. Graphemes are decided at once. Words and sentences
// may have one border pending until later characters decide it ("3.5", "etc. and"), a sentence's
// for any length of text without letters. A chunker that needs more than the default rules
// (abbreviations, lists) looks at the candidates these give.
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_TEXT_SEGMENTATION_H_
#define PENSTOCK_SRC_TEXT_SEGMENTATION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "penstock/base/token.h"
#include "text/break_properties.h"

namespace penstock::internal {

// Up to two borders, ascending; iterate over it.
class Borders {
 public:
  void Add(size_t at) { at_[size_++] = at; }
  const size_t* begin() const { return at_; }
  const size_t* end() const { return at_ + size_; }
  size_t size() const { return size_; }

 private:
  size_t at_[2] = {};
  size_t size_ = 0;
};

// In all three: Push() takes the next character and its position and returns the borders that are
// now certain, each the position of some character pushed (the start of the text is none). Finish()
// returns a border still pending, decided as at the end of the text (the end itself is none).
// Malformed bytes: push U+FFFD for each maximal subpart. O(1).
class GraphemeBreaker {
 public:
  Borders Push(char32_t c, size_t pos);
  Borders Finish() const { return {}; }

 private:
  bool BreaksBefore(const BreakRecord& next) const;

  enum class Emoji : uint8_t { kNone, kPictograph, kJoined };    // GB11
  enum class Conjunct : uint8_t { kNone, kConsonant, kLinked };  // GB9c
  bool started_ = false;
  bool odd_indicators_ = false;  // GB12, GB13
  GraphemeBreak last_ = GraphemeBreak::kOther;
  Emoji emoji_ = Emoji::kNone;
  Conjunct conjunct_ = Conjunct::kNone;
};

class WordBreaker {
 public:
  Borders Push(char32_t c, size_t pos);
  Borders Finish() const;
  // The border that later characters decide, if there is one.
  std::optional<size_t> pending() const {
    return has_pending_ ? std::optional(pending_) : std::nullopt;
  }

 private:
  bool JoinsAcrossMiddle(WordBreak next) const;
  bool Joins(WordBreak next, bool pictographic) const;
  bool OpensMiddle(WordBreak next) const;

  bool started_ = false;
  bool odd_indicators_ = false;           // WB15, WB16
  bool in_middle_ = false;                // base_ is a mid character after before_
  bool has_pending_ = false;              // and the border before it is undecided
  WordBreak last_ = WordBreak::kOther;    // the character before
  WordBreak base_ = WordBreak::kOther;    // the same, skipping Extend, Format, ZWJ (WB4)
  WordBreak before_ = WordBreak::kOther;  // in_middle_: what stands before base_
  size_t pending_ = 0;
};

class SentenceBreaker {
 public:
  Borders Push(char32_t c, size_t pos);
  Borders Finish() const;
  std::optional<size_t> pending() const {
    return has_pending_ ? std::optional(pending_) : std::nullopt;
  }

 private:
  bool BreaksAfterTerminator(SentenceBreak next, size_t pos);
  void Advance(SentenceBreak next);

  // How far "SATerm Close* Sp*" has come.
  enum class Stage : uint8_t { kNone, kTerm, kClose, kSpace };
  bool started_ = false;
  bool cased_before_ = false;  // SB7: the character before ATerm is Upper or Lower
  bool has_pending_ = false;   // SB8: a Lower must follow to join
  bool is_aterm_ = false;
  Stage stage_ = Stage::kNone;
  SentenceBreak last_ = SentenceBreak::kOther;  // skipping Extend and Format (SB5)
  size_t pending_ = 0;
};

// Walks the segments of a whole text; the text must outlive it. O(n) in total.
template <class Breaker>
class SegmentIterator {
 public:
  explicit SegmentIterator(std::string_view text) : text_(text) {}

  // Moves to the next segment; false when there is none.
  bool Next() {
    range_.begin = range_.end;
    if (range_.begin == text_.size()) return false;
    for (;;) {
      if (next_ < borders_.size()) {
        range_.end = borders_.begin()[next_++];
        return true;
      }
      next_ = 0;
      if (pos_ == text_.size()) {
        borders_ = finished_ ? Borders() : breaker_.Finish();
        finished_ = true;
        if (borders_.size() != 0) continue;
        range_.end = text_.size();
        return true;
      }
      const DecodedChar c = DecodeUtf8(text_, pos_);
      borders_ = breaker_.Push(c.code_point, pos_);
      pos_ += c.size;
    }
  }

  ByteRange range() const { return range_; }
  std::string_view segment() const { return range_.In(text_); }

 private:
  std::string_view text_;
  Breaker breaker_;
  Borders borders_;
  size_t next_ = 0;  // of borders_
  size_t pos_ = 0;
  bool finished_ = false;
  ByteRange range_;
};

using GraphemeIterator = SegmentIterator<GraphemeBreaker>;
using WordIterator = SegmentIterator<WordBreaker>;
using SentenceIterator = SegmentIterator<SentenceBreaker>;

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_SEGMENTATION_H_
