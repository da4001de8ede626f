// SPDX-License-Identifier: Apache-2.0
//
// What a character does to a sentence: a coarse view of Unicode's Sentence_Break classes.
//
//   ClassifyChar(U'é') == CharClass::kLower      ClassifyChar(U'。') == CharClass::kFullStop
#ifndef PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_
#define PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/utf8.h"

namespace penstock::internal {

enum class CharClass : uint8_t {
  kUpper,  // and title case
  kLower,
  kOtherLetter,  // scripts without case
  kIdeograph,    // Han, kana, Hangul: words are not separated by spaces or need no case
  kDigit,
  kSpace,  // no line separator
  kNewline,
  kPeriod,    // . and its full-width and small forms: may also mark an abbreviation
  kBang,      // ! ? in ASCII: white space is expected after it
  kFullStop,  // ends a sentence without white space: 。！？ । ؟ ۔ ። ...
  kEllipsis,  // … ‥
  kOpen,      // brackets and opening quotation marks
  kClose,
  kQuote,     // " ' and ’: either side
  kContinue,  // , ; : and relatives: the sentence goes on
  kDash,
  kExtend,  // combining marks, joiners, format characters
  kOther,
};

namespace char_class_internal {
extern const CharClass kAscii[128];
}  // namespace char_class_internal

CharClass ClassifyNonAscii(char32_t c);
inline CharClass ClassifyChar(char32_t c) {
  return c < 0x80 ? char_class_internal::kAscii[c] : ClassifyNonAscii(c);
}

inline bool IsLetter(CharClass cls) {
  return cls == CharClass::kUpper || cls == CharClass::kLower || cls == CharClass::kOtherLetter ||
         cls == CharClass::kIdeograph;
}

// The partner of an opening bracket or directional quotation mark; 0 where `c` opens nothing.
// U+201C opens for most languages and closes for those that open with U+201E.
char32_t ClosingPartner(char32_t c);

// Lower case; of the one character that becomes two, the first.
char32_t FoldCase(char32_t c);

// The character that ends at `end`. REQUIRES: end > floor. O(1).
struct CharBefore {
  char32_t code_point = 0;
  size_t begin = 0;
};
CharBefore DecodeBefore(std::string_view text, size_t end, size_t floor);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_
