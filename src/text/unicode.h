// SPDX-License-Identifier: Apache-2.0
//
// What Unicode says of one code point: category, white space, script, lower case.
//
//   CategoryOf(U'é') == GeneralCategory::kLowercaseLetter
//   IsIn(U'é', kLetter | kNumber)                          // [\p{L}\p{N}] in one test
//   CategoryOf(0x110000) == GeneralCategory::kUnassigned   // not a code point: never fails
//   for (char32_t c : ToLower(U'İ')) …                     // "i̇": the one that becomes two
//   ScriptOf(U'漢') == Script::kHan
//
// Three names come with a version, because the reference implementations do not agree among
// themselves (measured; README.md, "Which Unicode version"): regex classes are Unicode 16.0,
// lower case and numeric are 17.0, and a few Hugging Face components still see 8.0 or 9.0. Code
// that asks for "the category" without a version gets what both reference regex engines use.
//
// Every function here is total over char32_t, allocates nothing and is O(1) unless it says
// otherwise. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TEXT_UNICODE_H_
#define PENSTOCK_SRC_TEXT_UNICODE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "text/script.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace penstock::internal {

// General_Category; the order is that of the generated tables.
enum class GeneralCategory : uint8_t {
  kUnassigned,
  kUppercaseLetter,
  kLowercaseLetter,
  kTitlecaseLetter,
  kModifierLetter,
  kOtherLetter,
  kNonspacingMark,
  kSpacingMark,
  kEnclosingMark,
  kDecimalNumber,
  kLetterNumber,
  kOtherNumber,
  kConnectorPunctuation,
  kDashPunctuation,
  kOpenPunctuation,
  kClosePunctuation,
  kInitialPunctuation,
  kFinalPunctuation,
  kOtherPunctuation,
  kMathSymbol,
  kCurrencySymbol,
  kModifierSymbol,
  kOtherSymbol,
  kSpaceSeparator,
  kLineSeparator,
  kParagraphSeparator,
  kControl,
  kFormat,
  kSurrogate,
  kPrivateUse,
};
inline constexpr int kGeneralCategoryCount = 30;

// A set of categories: bit i is the category with value i.
using CategorySet = uint32_t;
constexpr CategorySet SetOf(GeneralCategory c) { return CategorySet{1} << static_cast<int>(c); }
inline constexpr CategorySet kUnassigned = SetOf(GeneralCategory::kUnassigned);
inline constexpr CategorySet kUppercase = SetOf(GeneralCategory::kUppercaseLetter);  // \p{Lu}
inline constexpr CategorySet kLowercase = SetOf(GeneralCategory::kLowercaseLetter);  // \p{Ll}
inline constexpr CategorySet kTitlecase = SetOf(GeneralCategory::kTitlecaseLetter);  // \p{Lt}
inline constexpr CategorySet kModifier = SetOf(GeneralCategory::kModifierLetter);    // \p{Lm}
inline constexpr CategorySet kOtherLetter = SetOf(GeneralCategory::kOtherLetter);    // \p{Lo}
inline constexpr CategorySet kCased = kUppercase | kLowercase | kTitlecase;          // \p{LC}
inline constexpr CategorySet kLetter = kCased | kModifier | kOtherLetter;            // \p{L}
inline constexpr CategorySet kNonspacing = SetOf(GeneralCategory::kNonspacingMark);
inline constexpr CategorySet kMark = kNonspacing | SetOf(GeneralCategory::kSpacingMark) |
                                     SetOf(GeneralCategory::kEnclosingMark);  // \p{M}
inline constexpr CategorySet kDecimal = SetOf(GeneralCategory::kDecimalNumber);
inline constexpr CategorySet kNumber = kDecimal | SetOf(GeneralCategory::kLetterNumber) |
                                       SetOf(GeneralCategory::kOtherNumber);  // \p{N}
inline constexpr CategorySet kPunctuation =
    SetOf(GeneralCategory::kConnectorPunctuation) | SetOf(GeneralCategory::kDashPunctuation) |
    SetOf(GeneralCategory::kOpenPunctuation) | SetOf(GeneralCategory::kClosePunctuation) |
    SetOf(GeneralCategory::kInitialPunctuation) | SetOf(GeneralCategory::kFinalPunctuation) |
    SetOf(GeneralCategory::kOtherPunctuation);  // \p{P}
inline constexpr CategorySet kSymbol =
    SetOf(GeneralCategory::kMathSymbol) | SetOf(GeneralCategory::kCurrencySymbol) |
    SetOf(GeneralCategory::kModifierSymbol) | SetOf(GeneralCategory::kOtherSymbol);  // \p{S}
inline constexpr CategorySet kSeparator = SetOf(GeneralCategory::kSpaceSeparator) |
                                          SetOf(GeneralCategory::kLineSeparator) |
                                          SetOf(GeneralCategory::kParagraphSeparator);  // \p{Z}
inline constexpr CategorySet kControls = SetOf(GeneralCategory::kControl);
inline constexpr CategorySet kOthers = kUnassigned | kControls | SetOf(GeneralCategory::kFormat) |
                                       SetOf(GeneralCategory::kSurrogate) |
                                       SetOf(GeneralCategory::kPrivateUse);  // \p{C}

// One byte per code point, all of it Unicode 16.0: category (5 bits), White_Space, word character
// of UTS #18 (\w), and whether the category differs in another of the versions below.
inline constexpr uint8_t kClassCategoryMask = 31;
inline constexpr uint8_t kClassWhiteSpace = 32;
inline constexpr uint8_t kClassWord = 64;
inline constexpr uint8_t kClassDiffers = 128;

inline uint8_t ClassOf(char32_t c) {
  if (c < 0x80) return kClassLeaf[c];  // the first block is block 0
  if (c > kMaxCodePoint) return 0;
  const uint32_t block = kClassIndex[c >> kClassShift];
  return kClassLeaf[(block << kClassShift) | (c & ((1u << kClassShift) - 1))];
}

// General_Category of Unicode 16.0, the version of both reference regex engines.
inline GeneralCategory CategoryOf(char32_t c) {
  return static_cast<GeneralCategory>(ClassOf(c) & kClassCategoryMask);
}

inline bool IsIn(char32_t c, CategorySet set) {
  return (set >> (ClassOf(c) & kClassCategoryMask)) & 1;
}

inline bool IsLetter(char32_t c) { return IsIn(c, kLetter); }  // \p{L}
inline bool IsNumber(char32_t c) { return IsIn(c, kNumber); }  // \p{N}
inline bool IsMark(char32_t c) { return IsIn(c, kMark); }      // \p{M}

// White_Space: 25 code points, the same since Unicode 6.3. This is \s of Rust's regex crate and of
// Oniguruma, and Rust's char::is_whitespace.
inline bool IsWhiteSpace(char32_t c) { return (ClassOf(c) & kClassWhiteSpace) != 0; }

// \w of UTS #18 (Alphabetic, M, Nd, Pc, Join_Control), as in Rust's regex crate. Oniguruma's \w
// is IsOnigurumaWord() in reference_classes.h.
inline bool IsWord(char32_t c) { return (ClassOf(c) & kClassWord) != 0; }

// Versions whose categories the reference implementations show (README.md says which and where).
enum class UnicodeVersion : uint8_t { k8, k9, k16, k17 };

// Category in a given version; kUnassigned where the code point is newer.
// O(1) where the versions agree, else O(log 592).
GeneralCategory CategoryOf(char32_t c, UnicodeVersion version);

inline bool IsIn(char32_t c, CategorySet set, UnicodeVersion version) {
  return (set >> static_cast<int>(CategoryOf(c, version))) & 1;
}

// Script property (not Script_Extensions) of Unicode 17.0.
inline Script ScriptOf(char32_t c) {
  if (c > kMaxCodePoint) return Script::kUnknown;
  const uint32_t block = kScriptIndex[c >> kScriptShift];
  return static_cast<Script>(
      kScriptLeaf[(block << kScriptShift) | (c & ((1u << kScriptShift) - 1))]);
}

// Script in a given version. REQUIRES: version is not k8.
Script ScriptOf(char32_t c, UnicodeVersion version);

// "Han", "Old_Italic", …: the long names of the Unicode Character Database.
std::string_view ScriptName(Script script);

// The script of a long name; case, '_', '-' and ' ' do not matter (UAX #44-LM3). Empty if unknown.
std::optional<Script> FindScript(std::string_view name);

// One or two code points; iterate over it.
struct LowerCase {
  char32_t code_points[2];
  size_t size;

  const char32_t* begin() const { return code_points; }
  const char32_t* end() const { return code_points + size; }
};

// Full, context-free lower case of Unicode 17.0: Rust's char::to_lowercase. No final-sigma rule
// (neither reference has one), no language rules. What has no lower case is returned as it is.
// O(1) for ASCII, else O(log 185).
LowerCase ToLower(char32_t c);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_UNICODE_H_
