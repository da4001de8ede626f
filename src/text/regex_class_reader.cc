// SPDX-License-Identifier: Apache-2.0
#include "text/regex_class_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/regex_properties.h"

namespace penstock::internal {
namespace {

constexpr int kMaxClassDepth = 32;

}  // namespace

absl::Status RegexClassReader::Error(size_t at, std::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat("pattern, byte ", at, ": ", AbslView(what)));
}

absl::Status RegexClassReader::Unimplemented(size_t at, std::string_view what) const {
  return absl::UnimplementedError(absl::StrCat("pattern, byte ", at, ": ", AbslView(what)));
}

absl::StatusOr<char32_t> RegexClassReader::LiteralChar() {
  const DecodedChar c = DecodeUtf8(pattern_, pos_);
  if (!c.valid) return Error(pos_, "not UTF-8");
  pos_ += c.size;
  return c.code_point;
}

// The digits of \xHH, \uHHHH, or {H…}; pos_ stands on them.
absl::StatusOr<char32_t> RegexClassReader::HexCodePoint(size_t digits, size_t at) {
  const bool braces = Take("{");
  uint32_t value = 0;
  size_t count = 0;
  for (; count < (braces ? 8 : digits); ++count, ++pos_) {
    const char c = Peek();
    const char lower = static_cast<char>(c | 0x20);
    if (!IsDigit(c) && !(lower >= 'a' && lower <= 'f')) break;
    value = value << 4 | static_cast<uint32_t>(IsDigit(c) ? c - '0' : lower - 'a' + 10);
  }
  const bool complete = braces ? count > 0 && Take("}") : count == digits;
  if (!complete || !IsScalarValue(value)) return Error(at, "bad hexadecimal escape");
  return value;
}

absl::StatusOr<std::optional<char32_t>> RegexClassReader::EscapedCodePoint() {
  static constexpr std::pair<char, char> kControlEscapes[] = {
      {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'f', '\f'}, {'v', '\v'}, {'a', '\a'}, {'e', 27}};
  const size_t at = pos_;
  const char c = Peek(1);
  for (const auto& control : kControlEscapes) {
    if (c != control.first) continue;
    pos_ += 2;
    return std::optional<char32_t>(control.second);
  }
  if (c == 'x' || c == 'u') {
    pos_ += 2;
    PENSTOCK_ASSIGN_OR_RETURN(const char32_t value, HexCodePoint(c == 'x' ? 2 : 4, at));
    // Oniguruma's \x80…\xFF are bytes of UTF-8, not characters.
    if (onig_ && c == 'x' && value >= 0x80 && pattern_[at + 2] != '{') {
      return Unimplemented(at, "a byte above 7F");
    }
    return std::optional<char32_t>(value);
  }
  if (c == '0') {
    pos_ += 2;
    if (IsDigit(Peek())) return Unimplemented(at, "octal escape");
    return std::optional<char32_t>(0);
  }
  if (IsAsciiLetter(c) || IsDigit(c)) return std::optional<char32_t>();
  ++pos_;
  PENSTOCK_ASSIGN_OR_RETURN(const char32_t literal, LiteralChar());
  return std::optional<char32_t>(literal);
}

absl::StatusOr<std::optional<CodePointSet>> RegexClassReader::EscapedSet(bool in_class) {
  const size_t at = pos_;
  const char c = Peek(1);
  const char lower = static_cast<char>(c | 0x20);
  if (lower == 'p' && (Peek(2) == '{' || !onig_)) {
    pos_ += 2;
    PENSTOCK_ASSIGN_OR_RETURN(CodePointSet set, Property(c == 'P', at));
    return std::optional<CodePointSet>(std::move(set));
  }
  if ((c == 'N' || c == 'O') && !in_class) {
    pos_ += 2;
    CodePointSet set(0, kMaxCodePoint);
    if (c == 'N') set.Subtract(CodePointSet('\n', '\n'));
    return std::optional<CodePointSet>(std::move(set));
  }
  if (lower != 'd' && lower != 's' && lower != 'w' && lower != 'h') {
    return std::optional<CodePointSet>();
  }
  pos_ += 2;
  // Oniguruma's \w is another one in brackets (measured): without the extras of Latin-1.
  std::optional<CodePointSet> set = onig_ && in_class && lower == 'w'
                                        ? FindPosixClass("word", flavor_)
                                        : FindPerlClass(lower, flavor_);
  if (set.has_value() && c != lower) set->Negate();
  return set;
}

// \p{Name}, \p{^Name}, \pN; pos_ stands behind the p.
absl::StatusOr<CodePointSet> RegexClassReader::Property(bool negated, size_t at) {
  std::string_view name = pattern_.substr(pos_, 1);
  if (Take("{")) {
    const size_t end = pattern_.find('}', pos_);
    if (end == std::string_view::npos) return Error(at, "\\p{ without }");
    if (Take("^")) negated = !negated;
    name = pattern_.substr(pos_, end - pos_);
    pos_ = end + 1;
  } else if (!name.empty()) {
    ++pos_;
  }
  std::optional<CodePointSet> set = FindProperty(name);
  if (!set.has_value()) {
    return Unimplemented(at, "property \"" + std::string(name) + "\" is not known");
  }
  if (flags_.ignore_case && !onig_) set->AddCaseVariants();
  if (negated) set->Negate();
  return *std::move(set);
}

// Rust folds each part of a class, Oniguruma the class as a whole.
void RegexClassReader::AddToClass(CodePointSet set, CodePointSet* current) const {
  if (flags_.ignore_case && !onig_) set.AddCaseVariants();
  current->Add(set);
}

// One character, or a set that an escape stands for.
absl::StatusOr<RegexClassReader::Member> RegexClassReader::ClassMember() {
  Member member;
  if (Peek() != '\\') {
    PENSTOCK_ASSIGN_OR_RETURN(member.code_point, LiteralChar());
    return member;
  }
  if (pos_ + 1 >= pattern_.size()) return Error(pos_, "\\ at the end");
  PENSTOCK_ASSIGN_OR_RETURN(std::optional<CodePointSet> set, EscapedSet(true));
  if (set.has_value()) {
    member.is_set = true;
    member.set = *std::move(set);
    return member;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::optional<char32_t> code_point, EscapedCodePoint());
  if (code_point.has_value()) {
    member.code_point = *code_point;
    return member;
  }
  const char c = Peek(1);
  if (c == 'b') {
    member.code_point = '\b';
  } else if (onig_ && IsAsciiLetter(c)) {
    member.code_point = static_cast<char32_t>(c);
  } else {
    return Error(pos_, std::string("\\") + c + " is no escape in a class");
  }
  pos_ += 2;
  return member;
}

// [:name:] or [:^name:]; false and nothing taken if it is not one.
absl::StatusOr<bool> RegexClassReader::PosixClass(CodePointSet* current) {
  const size_t end = pattern_.find(":]", pos_ + 2);
  if (Peek(1) != ':' || end == std::string_view::npos) return false;
  std::string_view name = pattern_.substr(pos_ + 2, end - pos_ - 2);
  const bool negated = !name.empty() && name[0] == '^';
  if (negated) name.remove_prefix(1);
  if (!std::all_of(name.begin(), name.end(), IsAsciiLetter)) return false;
  std::optional<CodePointSet> set = FindPosixClass(name, flavor_);
  if (!set.has_value()) return Error(pos_, "[:" + std::string(name) + ":] is not known");
  if (negated) set->Negate();
  AddToClass(*std::move(set), current);
  pos_ = end + 2;
  return true;
}

absl::Status RegexClassReader::ClassItem(int depth, CodePointSet* current) {
  const size_t at = pos_;
  if (Peek() == '[') {
    PENSTOCK_ASSIGN_OR_RETURN(const bool posix, PosixClass(current));
    if (posix) return absl::OkStatus();
    PENSTOCK_ASSIGN_OR_RETURN(const CodePointSet inner, Class(depth + 1));
    current->Add(inner);
    return absl::OkStatus();
  }
  PENSTOCK_ASSIGN_OR_RETURN(Member first, ClassMember());
  if (first.is_set) {
    current->Add(first.set);
    return absl::OkStatus();
  }
  char32_t last = first.code_point;
  const bool difference = !onig_ && Peek(1) == '-';  // Rust's [a--b]
  if (Peek() == '-' && pos_ + 1 < pattern_.size() && Peek(1) != ']' && !difference) {
    ++pos_;
    PENSTOCK_ASSIGN_OR_RETURN(const Member second, ClassMember());
    if (second.is_set || second.code_point < first.code_point) {
      return Error(at, "bad range in a class");
    }
    last = second.code_point;
  }
  AddToClass(CodePointSet(first.code_point, last), current);
  return absl::OkStatus();
}

absl::StatusOr<CodePointSet> RegexClassReader::Class(int depth) {
  const size_t at = pos_++;
  if (depth >= kMaxClassDepth) return Error(at, "classes nested too deeply");
  const bool negated = Take("^");
  CodePointSet result, current;
  char operation = 0;  // how `current` joins `result`: first, & - ~
  const auto combine = [&](char next) {
    if (operation == 0) {
      result = current;
    } else if (operation == '&') {
      result.Intersect(current);
    } else if (operation == '-') {
      result.Subtract(current);
    } else {
      result.SymmetricDifference(current);
    }
    current = CodePointSet();
    operation = next;
  };
  for (bool first = true;; first = false) {
    if (pos_ >= pattern_.size()) return Error(at, "[ without ]");
    if (Peek() == ']' && !first) break;
    if (Take("&&")) {
      combine('&');
    } else if (!onig_ && !first && Take("--")) {
      combine('-');
    } else if (!onig_ && !first && Take("~~")) {
      combine('~');
    } else {
      PENSTOCK_RETURN_IF_ERROR(ClassItem(depth, &current));
    }
  }
  ++pos_;
  combine(0);
  if (flags_.ignore_case && onig_) result.AddCaseVariants();
  if (negated) result.Negate();
  return result;
}

}  // namespace penstock::internal
