// SPDX-License-Identifier: Apache-2.0
//
// The properties behind UAX #29 (text segmentation), Unicode 16.0, and UAX #11 (East Asian width).
//
//   WordBreakOf(U'é') == WordBreak::kALetter
//   BreaksOf(0x1F600).pictographic                        // emoji: Extended_Pictographic
//   EastAsianWidthOf(U'世') == EastAsianWidth::kWide
//   SentenceBreakOf(0x110000) == SentenceBreak::kOther    // not a code point: never fails
//
// Total, O(1), inline. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TEXT_BREAK_PROPERTIES_H_
#define PENSTOCK_SRC_TEXT_BREAK_PROPERTIES_H_

#include <cstdint>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace penstock::internal {

// The orders are those of the generated tables.
enum class GraphemeBreak : uint8_t {
  kOther,
  kCr,
  kLf,
  kControl,
  kExtend,
  kZwj,
  kRegionalIndicator,
  kPrepend,
  kSpacingMark,
  kL,
  kV,
  kT,
  kLv,
  kLvt,
};

enum class WordBreak : uint8_t {
  kOther,
  kCr,
  kLf,
  kNewline,
  kExtend,
  kZwj,
  kFormat,
  kRegionalIndicator,
  kKatakana,
  kHebrewLetter,
  kALetter,
  kSingleQuote,
  kDoubleQuote,
  kMidNumLet,
  kMidLetter,
  kMidNum,
  kNumeric,
  kExtendNumLet,
  kWSegSpace,
};

enum class SentenceBreak : uint8_t {
  kOther,
  kCr,
  kLf,
  kExtend,
  kSep,
  kFormat,
  kSp,
  kLower,
  kUpper,
  kOLetter,
  kNumeric,
  kATerm,
  kSContinue,
  kSTerm,
  kClose,
};

// Indic_Conjunct_Break.
enum class ConjunctBreak : uint8_t { kNone, kConsonant, kLinker, kExtend };

enum class EastAsianWidth : uint8_t {
  kNeutral,
  kAmbiguous,
  kHalfwidth,
  kWide,
  kFullwidth,
  kNarrow
};

// All of them at once: one look-up. The members are the values of the enums above.
inline const BreakRecord& BreaksOf(char32_t c) {
  if (c > kMaxCodePoint) return kBreakRecords[0];
  const uint32_t block = kBreakIndex[c >> kBreakShift];
  return kBreakRecords[kBreakLeaf[(block << kBreakShift) | (c & ((1u << kBreakShift) - 1))]];
}

inline GraphemeBreak GraphemeBreakOf(char32_t c) {
  return static_cast<GraphemeBreak>(BreaksOf(c).grapheme);
}
inline WordBreak WordBreakOf(char32_t c) { return static_cast<WordBreak>(BreaksOf(c).word); }
inline SentenceBreak SentenceBreakOf(char32_t c) {
  return static_cast<SentenceBreak>(BreaksOf(c).sentence);
}
inline ConjunctBreak ConjunctBreakOf(char32_t c) {
  return static_cast<ConjunctBreak>(BreaksOf(c).conjunct);
}
inline bool IsExtendedPictographic(char32_t c) { return BreaksOf(c).pictographic != 0; }
inline EastAsianWidth EastAsianWidthOf(char32_t c) {
  return static_cast<EastAsianWidth>(BreaksOf(c).width);
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_BREAK_PROPERTIES_H_
