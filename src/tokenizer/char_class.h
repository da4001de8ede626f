// SPDX-License-Identifier: Apache-2.0
//
// SplitBits: what the pre-tokenizer patterns ask of a character, as bits of one byte.
//
//   SplitBits(U'A') & kSplitUpper
//   SplitBits('\n') == (kSplitSpace | kSplitNewline)
//
// Classes are those of both reference regex engines (text/unicode.h). Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_CHAR_CLASS_H_
#define PENSTOCK_SRC_TOKENIZER_CHAR_CLASS_H_

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace penstock::internal {

enum SplitBit : uint8_t {
  kSplitUpper = 1,        // Lu, Lt
  kSplitLower = 2,        // Ll
  kSplitOtherLetter = 4,  // Lm, Lo
  kSplitMark = 8,         // M
  kSplitNumber = 16,      // N
  kSplitSpace = 32,       // White_Space
  kSplitNewline = 64,     // CR, LF
};
constexpr uint8_t kSplitLetter = kSplitUpper | kSplitLower | kSplitOtherLetter;

// By the byte that ClassOf() gives.
constexpr std::array<uint8_t, 256> MakeSplitBitsTable() {
  std::array<uint8_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    const CategorySet category = CategorySet{1} << (i & kClassCategoryMask);
    uint8_t bits = 0;
    if (category & (kUppercase | kTitlecase)) bits |= kSplitUpper;
    if (category & kLowercase) bits |= kSplitLower;
    if (category & (kModifier | kOtherLetter)) bits |= kSplitOtherLetter;
    if (category & kMark) bits |= kSplitMark;
    if (category & kNumber) bits |= kSplitNumber;
    if (i & kClassWhiteSpace) bits |= kSplitSpace;
    table[i] = bits;
  }
  return table;
}
inline constexpr std::array<uint8_t, 256> kSplitBitsTable = MakeSplitBitsTable();

inline uint8_t SplitBits(char32_t c) {
  const uint8_t bits = kSplitBitsTable[ClassOf(c)];
  return c == '\r' || c == '\n' ? static_cast<uint8_t>(bits | kSplitNewline) : bits;
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_CHAR_CLASS_H_
