// SPDX-License-Identifier: Apache-2.0
//
// BoundaryFinder: the forward pass that finds blocks, lines and sentences in text that may still
// be arriving.
//
//   BoundaryFinder finder(options, /*max_unit_bytes=*/65536);
//   finder.Scan(held, base, /*at_end=*/false, &candidates, &headings);   // as often as you like
//
// The text is visited event by event (scan.h); each event is decided from at most kLookahead bytes
// after it and from the current unit before it, never from more, so what is found does not depend
// on how the text arrived. State between events is a few words; nothing is visited twice.
//
// Complexity: linear in the text; each event looks at O(kLookahead) bytes.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_CHUNKER_BOUNDARY_FINDER_H_
#define PENSTOCK_SRC_CHUNKER_BOUNDARY_FINDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/char_class.h"
#include "chunker/language.h"
#include "chunker/scan.h"
#include "penstock/chunker/boundary.h"

namespace penstock::internal {

// A place to cut, with the white space around it: [content_end, next_begin) is all white space.
struct Candidate {
  size_t content_end = 0;
  size_t line_start = 0;  // after the last line end in the gap; content_end when there is none
  size_t next_begin = 0;
  Unit unit = Unit::kSentence;
  uint8_t score = 0;
};

struct Heading {
  size_t byte = 0;  // where the heading's line begins
  int level = 1;    // 1 ... 6
  std::string title;
};

// A word in lower case; of a longer one, the beginning. Not on the heap: made for every period.
class FoldedWord {
 public:
  FoldedWord(std::string_view text, size_t begin, size_t end);
  std::string_view view() const { return {bytes_, size_}; }
  bool operator==(std::string_view other) const { return view() == other; }

 private:
  char bytes_[128];
  size_t size_ = 0;
};

class BoundaryFinder {
 public:
  static constexpr size_t kLookahead = 1024;

  // A unit longer than `max_unit_bytes` gets a boundary of unit kWord forced near that length.
  BoundaryFinder(const BoundaryOptions& options, size_t max_unit_bytes);

  // Goes on in `held`, which is the text from byte `base` on. Appends what became certain, with
  // absolute positions, ascending. The end of the text is not reported.
  // REQUIRES: base <= needed_from(); held extends what earlier calls saw; nothing after at_end.
  void Scan(std::string_view held, size_t base, bool at_end, std::vector<Candidate>* candidates,
            std::vector<Heading>* headings);

  // Absolute position of the first byte that later calls look at.
  size_t needed_from() const { return base_ + unit_begin_; }

 private:
  enum class LineKind : uint8_t { kPlain, kHeading, kSetextRule, kFence, kItem, kTable, kRule };

  struct Line {
    LineKind kind = LineKind::kPlain;
    int level = 0;   // heading
    char fence = 0;  // fence character
    size_t fence_size = 0;
    size_t title_begin = 0, title_end = 0;
  };

  // List marker that began a unit, so that its successor is known inside a line.
  struct ListState {
    char style = 0;  // '1' number, 'a' letter; 0: none
    char tail = 0;   // '.' or ')'
    int value = 0;
  };

  // What follows the characters of a sentence end.
  struct Ending {
    size_t begin = 0;    // first terminator
    size_t run_end = 0;  // after the terminators
    size_t end = 0;      // after closing quotes and brackets
    size_t next = 0;     // next content
    char32_t last = 0;   // last terminator
    int dots = 0;
    bool strong = false;    // ! or ? or a full stop that is no abbreviation mark
    bool no_space = false;  // white space is not needed
    bool closed_quote = false;
  };

  void Rebase(size_t base);
  void StartText();
  void ForceLongUnit(size_t limit);
  size_t HandleEvent(size_t i);

  // boundary_finder_lines.cc
  size_t HandleNewline(size_t i);
  size_t HandleFenceNewline(size_t i, size_t next);
  Line ClassifyLine(size_t line_start, size_t n, bool after_blank) const;
  bool ClassifyHeading(size_t n, bool after_blank, Line* line) const;
  bool ClassifyFenceOrRule(size_t n, Line* line) const;
  bool IsListMarker(size_t n) const;
  bool IsTableDelimiter(size_t n) const;
  size_t SkipSpace(size_t i) const;  // spaces, not line ends
  size_t SkipGap(size_t i, int* newlines, size_t* line_start) const;
  size_t LineEnd(size_t i) const;
  bool SoftLineBreaks(size_t content_end, size_t n) const;
  void BeginLine(const Line& line, size_t n);
  size_t ContentEnd(size_t i) const;

  // boundary_finder_sentences.cc
  size_t HandleTerminator(size_t i);
  size_t HandleSpacedEllipsis(size_t i);
  size_t HandleOpen(size_t i, char32_t c, size_t size);
  size_t HandleMarker(size_t i);
  size_t HandleBullet(size_t i);
  int RomanBefore(size_t end, size_t floor, size_t* begin) const;
  bool IsColonFullStop(size_t i);
  void SkipFootnote(Ending* ending) const;
  size_t ReferenceEnd(size_t i) const;
  bool IsOpeningPhrase(size_t end) const;
  size_t ConsumeClosers(Ending* ending) const;
  size_t FindCloser(size_t from, char32_t open, char32_t close, size_t reach);
  uint8_t Decide(const Ending& ending);
  uint8_t DecideIdeographic(const Ending& ending) const;
  uint8_t DecideNoSpace(const Ending& ending);
  uint8_t DecidePeriod(const Ending& ending);
  uint8_t DecideLetter(size_t word, LanguageSet languages, bool starter);
  uint8_t DecideNumber(size_t word, const Ending& ending, LanguageSet languages, bool starter);
  uint8_t DecideAcronym(std::string_view folded, const Ending& ending, bool starter);
  CharClass NextLetter(size_t n, size_t* at) const;
  size_t WordBegin(size_t end) const;
  size_t WordEnd(size_t begin) const;
  const WordFacts& Facts(size_t begin, size_t end) const;
  FoldedWord Folded(size_t begin, size_t end) const;
  bool IsSpeechAfterName(size_t n) const;
  bool IsRomanNumeral(size_t begin, size_t end) const;
  bool BeginsSmall() const;
  LanguageSet LanguagesAt(size_t i);
  LanguageSet FindLanguages(size_t i, LanguageSet script);

  CharClass ClassAt(size_t i, size_t* size) const {
    const auto byte = static_cast<uint8_t>(s_[i]);
    if (byte < 0x80) {
      *size = 1;
      return char_class_internal::kAscii[byte];
    }
    const DecodedChar c = DecodeUtf8(s_, i);
    *size = c.size;
    return ClassifyNonAscii(c.code_point);
  }
  bool AtTextEnd(size_t i) const { return i == held_.size() && at_end_; }
  void Emit(size_t content_end, size_t line_start, size_t next, Unit unit, uint8_t score);

  BoundaryOptions options_;
  size_t max_unit_bytes_;
  Language option_language_;

  // Positions are relative to base_.
  size_t base_ = 0;
  EventScanner scanner_;   // over held_, for one Scan()
  std::string_view held_;  // all that is there
  std::string_view s_;     // what the current event may look at
  bool at_end_ = false;
  std::vector<Candidate>* candidates_ = nullptr;
  std::vector<Heading>* headings_ = nullptr;

  bool started_ = false;
  size_t pos_ = 0;
  size_t unit_begin_ = 0;
  size_t line_begin_ = 0;
  size_t region_end_ = 0;   // end of the quotation or brackets around pos_; 0: none
  size_t widest_line_ = 0;  // in the current paragraph
  bool in_fence_ = false;
  bool fence_closing_ = false;  // the current line closes the fence
  char fence_ = 0;
  size_t fence_size_ = 0;
  LineKind line_kind_ = LineKind::kPlain;
  ListState list_;
  size_t pending_end_ = 0;  // a sentence end right before a line end was judged at this place
  uint8_t pending_score_ = 0;
  LanguageSet detected_latin_ = 0;
  LanguageSet detected_cyrillic_ = 0;
  LanguageSet detected_arabic_ = 0;
  size_t language_from_ = 0;       // position where language_set_ was found
  size_t paragraph_ = 0;           // number of the current one
  size_t language_paragraph_ = 0;  // where language_set_ was found
  LanguageSet language_script_ = 0;
  LanguageSet language_set_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_BOUNDARY_FINDER_H_
