// SPDX-License-Identifier: Apache-2.0
//
// RegexClassReader: a cursor over a pattern that reads literal characters, escapes and bracketed
// classes, the parts of regular expressions that stand for sets of characters.
//
//   "[a-z&&[^aeiou]]"   Class()      the 21 consonants
//   "\\p{^Lu}"          EscapedSet() all but upper-case letters
//   "[a"                Class()      kInvalidArgument "pattern, byte 0: [ without ]"
//
// Implementation of regex_parser.h.
#ifndef PENSTOCK_SRC_TEXT_REGEX_CLASS_READER_H_
#define PENSTOCK_SRC_TEXT_REGEX_CLASS_READER_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "text/code_point_set.h"
#include "text/reference_classes.h"

namespace penstock::internal {

class RegexClassReader {
 protected:
  struct Flags {
    bool ignore_case = false, lines = false, dot_all = false, extended = false;
  };

  RegexClassReader(std::string_view pattern, RegexFlavor flavor)
      : pattern_(pattern), onig_(flavor == RegexFlavor::kOniguruma), flavor_(flavor) {}

  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  static bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  absl::Status Error(size_t at, std::string_view what) const;
  absl::Status Unimplemented(size_t at, std::string_view what) const;

  char Peek(size_t ahead = 0) const {
    return pos_ + ahead < pattern_.size() ? pattern_[pos_ + ahead] : '\0';
  }
  bool Take(std::string_view text) {
    if (pattern_.substr(pos_, text.size()) != text) return false;
    pos_ += text.size();
    return true;
  }

  // The next character.
  absl::StatusOr<char32_t> LiteralChar();
  // An escape for one character: at the backslash. Takes nothing if it is another escape.
  absl::StatusOr<std::optional<char32_t>> EscapedCodePoint();
  // An escape for a set, the same way.
  absl::StatusOr<std::optional<CodePointSet>> EscapedSet(bool in_class);
  // A bracketed class: at the [.
  absl::StatusOr<CodePointSet> Class(int depth);

  const std::string_view pattern_;
  const bool onig_;
  const RegexFlavor flavor_;
  size_t pos_ = 0;
  Flags flags_;

 private:
  // What a class member stands for.
  struct Member {
    bool is_set = false;
    char32_t code_point = 0;
    CodePointSet set;
  };

  absl::StatusOr<char32_t> HexCodePoint(size_t digits, size_t at);
  absl::StatusOr<CodePointSet> Property(bool negated, size_t at);
  absl::StatusOr<Member> ClassMember();
  absl::Status ClassItem(int depth, CodePointSet* current);
  absl::StatusOr<bool> PosixClass(CodePointSet* current);
  void AddToClass(CodePointSet set, CodePointSet* current) const;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_REGEX_CLASS_READER_H_
