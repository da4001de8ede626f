// SPDX-License-Identifier: Apache-2.0
//
// Character classes exactly as the reference implementations see them. The name says whose class it
// is; README.md ("Which Unicode version") says how each was established: by asking the installed
// reference about every code point.
//
//   IsHuggingFacePunctuation(U'$')         // true: all ASCII punctuation and symbols count
//   IsHuggingFacePunctuation(U'\u2E43')    // false: its crate knows Unicode 8.0 only
//   IsSpace(0x1C, RegexFlavor::kPython)    // true;  kRust and kOniguruma: false
//
// Total, O(1) or O(log 592). Immutable; safe to share.
#ifndef PENSTOCK_SRC_TEXT_REFERENCE_CLASSES_H_
#define PENSTOCK_SRC_TEXT_REFERENCE_CLASSES_H_

#include "text/unicode.h"

namespace penstock::internal {

// Punctuation and BertPreTokenizer: ASCII punctuation (symbols included) or \p{P} of Unicode 8.0.
inline bool IsHuggingFacePunctuation(char32_t c) {
  if (c < 0x80) return IsIn(c, kPunctuation | kSymbol);
  return IsIn(c, kPunctuation, UnicodeVersion::k8);
}

// What BertNormalizer's clean_text removes, besides U+0000 and U+FFFD: Cc, Cf, Co of Unicode 8.0
// except tab, line feed and carriage return. Unassigned code points stay.
inline bool IsHuggingFaceControl(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  constexpr CategorySet kSet =
      kControls | SetOf(GeneralCategory::kFormat) | SetOf(GeneralCategory::kPrivateUse);
  return IsIn(c, kSet, UnicodeVersion::k8);
}

// What BertNormalizer's strip_accents removes (after NFD): Mn of Unicode 8.0.
inline bool IsHuggingFaceBertAccent(char32_t c) { return IsIn(c, kNonspacing, UnicodeVersion::k8); }

// What the StripAccents normalizer removes: \p{M} of Unicode 9.0.
inline bool IsHuggingFaceAccent(char32_t c) { return IsIn(c, kMark, UnicodeVersion::k9); }

// The Digits pre-tokenizer: Rust's char::is_numeric, \p{N} of Unicode 17.0.
inline bool IsHuggingFaceDigit(char32_t c) { return IsIn(c, kNumber, UnicodeVersion::k17); }

// The UnicodeScripts pre-tokenizer's table: Script of Unicode 9.0; kUnknown is its "Any".
inline Script HuggingFaceScript(char32_t c) { return ScriptOf(c, UnicodeVersion::k9); }

// Oniguruma's \w (Hugging Face's Split and Replace patterns): UTS #18 without the two joiners, and
// with the superscript digits and fractions of Latin-1.
inline bool IsOnigurumaWord(char32_t c) {
  if (c == 0x200C || c == 0x200D) return false;
  if (c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE)) return true;
  return IsWord(c);
}

// Whose pattern language a pattern is written in.
enum class RegexFlavor : uint8_t {
  kRust,       // regex and fancy-regex crates: tiktoken, Hugging Face's Whitespace
  kOniguruma,  // Hugging Face's Split, Replace and ByteLevel
  kPython,     // the re module (str patterns)
};

// \s of the flavour. Python's str.isspace() adds the four information separators U+001C..U+001F.
inline bool IsSpace(char32_t c, RegexFlavor flavor) {
  if (flavor == RegexFlavor::kPython && c >= 0x1C && c <= 0x1F) return true;
  return IsWhiteSpace(c);
}

// \w of the flavour. Python's is str.isalnum() or '_': letters and numbers, no marks.
inline bool IsWord(char32_t c, RegexFlavor flavor) {
  switch (flavor) {
    case RegexFlavor::kOniguruma:
      return IsOnigurumaWord(c);
    case RegexFlavor::kPython:
      return c == '_' || IsIn(c, kLetter | kNumber);
    case RegexFlavor::kRust:
      break;
  }
  return IsWord(c);
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_REFERENCE_CLASSES_H_
