// SPDX-License-Identifier: Apache-2.0
//
// What a character does to a sentence: a coarse view of Unicode's Sentence_Break classes.
//
//   ClassifyChar(U'é') == CharClass::kLower      ClassifyChar(U'。') == CharClass::kFullStop
#ifndef PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_
#define PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_

#include <atomic>
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

// Classes of the code points below U+10000 that were asked for, plus one; 0: not asked for yet.
// Filled by any thread; all write the same.
extern std::atomic<uint8_t> known[0x10000];

CharClass FindClass(char32_t c);
}  // namespace char_class_internal

inline CharClass ClassifyNonAscii(char32_t c) {
  if (c >= 0x10000) return char_class_internal::FindClass(c);
  const uint8_t known = char_class_internal::known[c].load(std::memory_order_relaxed);
  return known != 0 ? static_cast<CharClass>(known - 1) : char_class_internal::FindClass(c);
}
inline CharClass ClassifyChar(char32_t c) {
  return c < 0x80 ? char_class_internal::kAscii[c] : ClassifyNonAscii(c);
}
inline bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsAsciiLetterOrDigit(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (static_cast<uint8_t>((byte | 0x20) - 'a') < 26) || static_cast<uint8_t>(byte - '0') < 10;
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
CharBefore DecodeNonAsciiBefore(std::string_view text, size_t end, size_t floor);
inline CharBefore DecodeBefore(std::string_view text, size_t end, size_t floor) {
  const auto last = static_cast<uint8_t>(text[end - 1]);
  if (last < 0x80) return {last, end - 1};
  return DecodeNonAsciiBefore(text, end, floor);
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_CHAR_CLASS_H_
