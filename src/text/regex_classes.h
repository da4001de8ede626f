// SPDX-License-Identifier: Apache-2.0
//
// Translates patterns written for the reference engines into ones for PCRE2 that ask it nothing
// about Unicode: what matches depends on our tables only, not on the PCRE2 that is installed.
//
//   PENSTOCK_ASSIGN_OR_RETURN(ClassRegex regex,
//                             ClassRegex::Create("\\p{L}+|\\s+(?!\\S)", RegexFlavor::kOniguruma));
//   pcre2_compile(regex.pattern(), …, /*options=*/0, …);     // neither PCRE2_UTF nor PCRE2_UCP
//   regex.Classify(text, &classes);                          // one byte a character
//   pcre2_match(code, classes, …);                           // offsets count characters
//
//   ClassRegex::Create("[a", RegexFlavor::kRust)    // "pattern, byte 0: [ without ]"
//   ClassRegex::Create("(a)\\1", …)               // kUnimplemented: use RewriteClasses() and UTF
//
// Two ways out of the same translation:
//  - ClassRegex sorts all code points by which sets of the pattern hold them, 255 kinds at most;
//    it matches over the kinds: every class test is one bitmap look-up however large the class. It
//    cannot compare characters with each other, so no back-references.
//  - RewriteClasses() spells every class out as ranges for PCRE2 with PCRE2_UTF. Works for all, but
//    PCRE2 before 10.45 walks the ranges one by one: \p{L} has 677.
//
// The dialects differ from PCRE2, and this is undone: Oniguruma's ^ and $ are always for lines, its
// (?m) is PCRE2's (?s), (?i) opens a group up to the next ), {n,m}+ repeats instead of being
// possessive; Rust's $ is \z; both have [a-z&&[^b]], [a[b]] and \h for a hexadecimal digit; case
// folding is ours. Not translated but refused: \X, \y, recursion, conditionals, absent operators,
// back-references by number above 9. Oniguruma's multi-character folding ((?i)ß = ss) is not done.
#ifndef PENSTOCK_SRC_TEXT_REGEX_CLASSES_H_
#define PENSTOCK_SRC_TEXT_REGEX_CLASSES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/reference_classes.h"

namespace penstock::internal {

// For PCRE2 with PCRE2_UTF (and PCRE2_MATCH_INVALID_UTF if need be), without PCRE2_UCP.
// kInvalidArgument: not a pattern of the flavour. kUnimplemented: see above.
// O(pattern * ranges).
absl::StatusOr<std::string> RewriteClasses(std::string_view pattern, RegexFlavor flavor);

// Immutable; safe to share.
class ClassRegex {
 public:
  static constexpr uint8_t kMalformed = 255;  // the kind of bytes that are no character

  // Errors as RewriteClasses(), and kUnimplemented for back-references and for a pattern that tells
  // more than 255 kinds of characters apart. Some milliseconds.
  static absl::StatusOr<ClassRegex> Create(std::string_view pattern, RegexFlavor flavor);

  // For PCRE2 without options.
  const std::string& pattern() const { return pattern_; }

  // Appends the kind of each character of `text`: one byte each. Malformed bytes (a maximal subpart
  // counts as one character) are of a kind that nothing matches, negated classes included. O(n).
  void Classify(std::string_view text, std::string* kinds) const;

  uint8_t KindOf(char32_t c) const {
    return blocks_[size_t{index_[c >> kShift]} << kShift | (c & ((1u << kShift) - 1))];
  }

 private:
  static constexpr int kShift = 7;

  ClassRegex() = default;

  std::string pattern_;
  std::vector<uint16_t> index_;  // 0x110000 >> kShift
  std::vector<uint8_t> blocks_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_REGEX_CLASSES_H_
