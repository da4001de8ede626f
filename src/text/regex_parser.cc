// SPDX-License-Identifier: Apache-2.0
#include "text/regex_parser.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/regex_class_reader.h"
#include "text/regex_properties.h"

namespace penstock::internal {
namespace {

constexpr size_t kMaxGroups = 64;
constexpr size_t kNoAtom = static_cast<size_t>(-1);

class Parser : private RegexClassReader {
 public:
  Parser(std::string_view pattern, RegexFlavor flavor) : RegexClassReader(pattern, flavor) {}

  absl::StatusOr<RegexProgram> Parse() {
    groups_.push_back({kNoAtom, {}, 0});
    while (pos_ < pattern_.size()) PENSTOCK_RETURN_IF_ERROR(Step());
    if (groups_.size() > 1) return Error(pos_, "( without )");
    CloseOptionGroups();
    return std::move(program_);
  }

 private:
  struct Group {
    size_t begin;         // index of its first item
    Flags flags_outside;  // what holds again after it
    int option_groups;    // groups that Oniguruma's (?i) opened inside
  };

  // ------------------------------------------------------------------------------ output
  void Syntax(std::string text) { program_.items.push_back({std::move(text), -1}); }
  void SetItem(const CodePointSet& set) {
    auto& sets = program_.sets;
    const auto it = std::find(sets.begin(), sets.end(), set);
    const int index = static_cast<int>(it - sets.begin());
    if (it == sets.end()) sets.push_back(set);
    program_.items.push_back({{}, index});
  }
  void BeginAtom() {
    atom_ = program_.items.size();
    quantified_ = false;
  }
  void Atom(const CodePointSet& set) {
    BeginAtom();
    SetItem(set);
  }
  void Literal(char32_t c) {
    CodePointSet set(c, c);
    if (flags_.ignore_case) set.AddCaseVariants();
    Atom(set);
  }
  // A piece that no quantifier may follow.
  void Assertion(std::string text) {
    Syntax(std::move(text));
    atom_ = kNoAtom;
  }

  absl::Status Step();
  absl::Status Escape();
  absl::Status EscapedAssertion(char c, bool* done);
  absl::Status Reference(char c, size_t at);
  absl::Status OpenGroup();
  absl::Status OptionGroup(size_t at);
  absl::Status CloseGroup();
  void CloseOptionGroups();
  absl::Status Quantifier();
  bool IsInterval(size_t at, size_t* end) const;
  void LineBegin();
  void LineEnd();
  void WordBoundary(bool negated);

  CodePointSet NewLine() const { return CodePointSet('\n', '\n'); }

  std::vector<Group> groups_;
  size_t atom_ = kNoAtom;    // first item of what a quantifier would repeat
  bool quantified_ = false;  // it has one already
  RegexProgram program_;
};

absl::Status Parser::Step() {
  const char c = Peek();
  if (flags_.extended) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      ++pos_;
      return absl::OkStatus();
    }
    if (c == '#') {
      while (pos_ < pattern_.size() && pattern_[pos_] != '\n') ++pos_;
      return absl::OkStatus();
    }
  }
  size_t end = 0;
  switch (c) {
    case '\\':
      return Escape();
    case '[': {
      PENSTOCK_ASSIGN_OR_RETURN(const CodePointSet set, Class(0));
      Atom(set);
      return absl::OkStatus();
    }
    case '(':
      return OpenGroup();
    case ')':
      return CloseGroup();
    case '|':
      ++pos_;
      Assertion("|");
      return absl::OkStatus();
    case '.': {
      ++pos_;
      CodePointSet set(0, kMaxCodePoint);
      if (!flags_.dot_all) set.Subtract(NewLine());
      Atom(set);
      return absl::OkStatus();
    }
    case '^':
      ++pos_;
      LineBegin();
      return absl::OkStatus();
    case '$':
      ++pos_;
      LineEnd();
      return absl::OkStatus();
    case '*':
    case '+':
    case '?':
      return Quantifier();
    case '{':
      if (IsInterval(pos_, &end)) return Quantifier();
      if (!onig_) return Error(pos_, "{ without a number");
      break;
    default:
      break;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const char32_t literal, LiteralChar());
  Literal(literal);
  return absl::OkStatus();
}

// ----------------------------------------------------------------------------- assertions

void Parser::LineBegin() {
  if (!onig_ && !flags_.lines) return Assertion("\\A");
  Syntax("(?:\\A|(?<=");
  SetItem(NewLine());
  Assertion(onig_ ? ")(?!\\z))" : "))");  // Oniguruma: not after a newline that ends the text
}

void Parser::LineEnd() {
  if (!onig_ && !flags_.lines) return Assertion("\\z");
  Syntax("(?=");
  SetItem(NewLine());
  Assertion("|\\z)");
}

void Parser::WordBoundary(bool negated) {
  const CodePointSet word = *FindPerlClass('w', flavor_);
  const auto look = [&](const char* open) {
    Syntax(open);
    SetItem(word);
    Syntax(")");
  };
  Syntax("(?:");
  look("(?<=");
  look(negated ? "(?=" : "(?!");
  Syntax("|");
  look("(?<!");
  look(negated ? "(?!" : "(?=");
  Assertion(")");
}

absl::Status Parser::EscapedAssertion(char c, bool* done) {
  *done = true;
  switch (c) {
    case 'A':
    case 'z':
    case 'G':
    case 'K':
      Assertion(std::string("\\") + c);
      return absl::OkStatus();
    case 'Z':
      Syntax("(?=");
      SetItem(NewLine());
      Assertion("?\\z)");
      return absl::OkStatus();
    case 'b':
    case 'B':
      if (Peek() == '{') return Unimplemented(pos_, "\\b{…}");
      WordBoundary(c == 'B');
      return absl::OkStatus();
    default:
      *done = false;
      return absl::OkStatus();
  }
}

// -------------------------------------------------------------------------------- escapes

absl::Status Parser::Escape() {
  const size_t at = pos_;
  if (pos_ + 1 >= pattern_.size()) return Error(at, "\\ at the end");
  PENSTOCK_ASSIGN_OR_RETURN(const std::optional<CodePointSet> set, EscapedSet(false));
  if (set.has_value()) {
    Atom(*set);
    return absl::OkStatus();
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::optional<char32_t> code_point, EscapedCodePoint());
  if (code_point.has_value()) {
    Literal(*code_point);
    return absl::OkStatus();
  }
  const char c = Peek(1);
  pos_ += 2;
  bool done = false;
  PENSTOCK_RETURN_IF_ERROR(EscapedAssertion(c, &done));
  if (done) return absl::OkStatus();
  switch (c) {
    case 'R': {
      BeginAtom();
      Syntax("(?>");
      SetItem(CodePointSet('\r', '\r'));
      SetItem(NewLine());
      Syntax("|");
      CodePointSet ends('\n', '\r');
      ends.Add(0x85, 0x85);
      ends.Add(0x2028, 0x2029);
      SetItem(ends);
      Syntax(")");
      return absl::OkStatus();
    }
    case 'k':
    case 'g':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      return Reference(c, at);
    case 'X':
    case 'y':
    case 'Y':
    case 'c':
    case 'C':
    case 'M':
    case 'U':
      return Unimplemented(at, std::string("\\") + c);
    default:
      break;
  }
  if (!onig_) return Error(at, std::string("\\") + c + " is no escape");
  Literal(static_cast<char32_t>(c));
  return absl::OkStatus();
}

absl::Status Parser::Reference(char c, size_t at) {
  program_.compares_characters = true;
  BeginAtom();
  if (IsDigit(c)) {
    if (IsDigit(Peek())) return Unimplemented(at, "back-reference above 9");
    Syntax(std::string("\\g{") + c + "}");
    return absl::OkStatus();
  }
  const size_t end = pattern_.find('>', pos_);
  if (c == 'g' || Peek() != '<' || end == std::string_view::npos) {
    return Unimplemented(at, std::string("\\") + c);
  }
  Syntax("\\k" + std::string(pattern_.substr(pos_, end + 1 - pos_)));
  pos_ = end + 1;
  return absl::OkStatus();
}

// --------------------------------------------------------------------------------- groups

absl::Status Parser::OpenGroup() {
  const size_t at = pos_;
  if (Peek(1) == '*') return Error(at, "nothing to repeat");
  if (groups_.size() >= kMaxGroups) return Error(at, "groups nested too deeply");
  ++pos_;
  std::string open;
  if (Peek() != '?') {
    open = "(";
  } else {
    for (const char* plain : {"?:", "?=", "?!", "?<=", "?<!", "?>"}) {
      if (Take(plain)) {
        open = std::string("(") + plain;
        break;
      }
    }
  }
  if (Take("?#")) {
    const size_t end = pattern_.find(')', pos_);
    if (end == std::string_view::npos) return Error(at, "(?# without )");
    pos_ = end + 1;
    return absl::OkStatus();
  }
  if (open.empty() && (Take("?P<") || Take("?<"))) {
    const size_t end = pattern_.find('>', pos_);
    if (end == std::string_view::npos) return Error(at, "(?< without >");
    open = "(?<" + std::string(pattern_.substr(pos_, end + 1 - pos_));
    pos_ = end + 1;
  }
  if (open.empty()) return OptionGroup(at);
  groups_.push_back({program_.items.size(), flags_, 0});
  Assertion(open);
  return absl::OkStatus();
}

// (?flags) or (?flags:; pos_ stands on the question mark.
absl::Status Parser::OptionGroup(size_t at) {
  ++pos_;
  Flags flags = flags_;
  bool on = true;
  for (; Peek() != ')' && Peek() != ':'; ++pos_) {
    switch (Peek()) {
      case '-':
        on = false;
        break;
      case 'i':
        flags.ignore_case = on;
        break;
      case 'x':
        flags.extended = on;
        break;
      case 'm':
        (onig_ ? flags.dot_all : flags.lines) = on;
        break;
      case 's':
        if (onig_) return Error(at, "(?s) is no option here");
        flags.dot_all = on;
        break;
      case 'u':
        if (onig_ || !on) return Error(at, "(?u) is no option here");
        break;
      default:
        return Unimplemented(at, "this kind of group");
    }
  }
  const bool scoped = Peek() == ':';
  ++pos_;
  if (scoped) {
    groups_.push_back({program_.items.size(), flags_, 0});
    Assertion("(?:");
  } else if (onig_) {  // /a(?i)b|c/ is /a(?i:b|c)/
    ++groups_.back().option_groups;
    Assertion("(?:");
  } else {
    atom_ = kNoAtom;
  }
  flags_ = flags;
  return absl::OkStatus();
}

void Parser::CloseOptionGroups() {
  for (int i = 0; i < groups_.back().option_groups; ++i) Syntax(")");
}

absl::Status Parser::CloseGroup() {
  if (groups_.size() == 1) return Error(pos_, ") without (");
  ++pos_;
  CloseOptionGroups();
  Syntax(")");
  atom_ = groups_.back().begin;
  quantified_ = false;
  flags_ = groups_.back().flags_outside;
  groups_.pop_back();
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------- quantifiers

// {n}, {n,}, {n,m}, {,m}
bool Parser::IsInterval(size_t at, size_t* end) const {
  size_t p = at + 1;
  size_t digits = 0;
  for (; p < pattern_.size() && IsDigit(pattern_[p]); ++p) ++digits;
  if (p < pattern_.size() && pattern_[p] == ',') {
    for (++p; p < pattern_.size() && IsDigit(pattern_[p]); ++p) ++digits;
  }
  if (digits == 0 || p >= pattern_.size() || pattern_[p] != '}') return false;
  *end = p + 1;
  return true;
}

absl::Status Parser::Quantifier() {
  const size_t at = pos_;
  if (atom_ == kNoAtom) return Error(at, "nothing to repeat");
  std::string text(1, Peek());
  bool interval = false;
  if (text == "{") {
    size_t end = 0;
    interval = IsInterval(at, &end);
    text = std::string(pattern_.substr(at, end - at));
    if (text[1] == ',') text.insert(1, "0");
    pos_ = end;
  } else {
    ++pos_;
  }
  // In Oniguruma {n,m}+ is another repetition, not possessive, and so is {n}?.
  const bool plain_lazy = onig_ && interval && text.find(',') == std::string::npos;
  if (Peek() == '?' && !plain_lazy) {
    text += '?';
    ++pos_;
  } else if (Peek() == '+' && !(onig_ && interval)) {
    text += '+';
    ++pos_;
  }
  if (quantified_) {  // a repetition of a repetition: PCRE2 wants a group
    program_.items.insert(program_.items.begin() + static_cast<std::ptrdiff_t>(atom_), {"(?:", -1});
    Syntax(")");
  }
  Syntax(std::move(text));
  quantified_ = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RegexProgram> ParseRegex(std::string_view pattern, RegexFlavor flavor) {
  return Parser(pattern, flavor).Parse();
}

}  // namespace penstock::internal
