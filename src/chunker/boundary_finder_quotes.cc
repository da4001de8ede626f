// SPDX-License-Identifier: Apache-2.0
//
// Brackets, quotations and lists inside a line.
#include <algorithm>

#include "chunker/boundary_finder.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// Quotations and brackets that close within this many bytes are not cut.
constexpr size_t kQuoteReach = 600;
constexpr size_t kBracketReach = 1000;
constexpr int kCloserEvents = 96;
// "((((((" must not be searched far for each: nobody nests this deep, and what does (Lisp) has its
// inner brackets.
constexpr int kDeepest = 8;

bool IsRomanDigit(char c) { return c == 'i' || c == 'v' || c == 'x'; }

bool IsDirectionalQuote(char32_t c) {
  return c == 0x2018 || c == 0x201C || c == 0x201A || c == 0x201E || c == 0xAB || c == 0x2039;
}

}  // namespace

size_t BoundaryFinder::HandleOpen(size_t i, char32_t c, size_t size) {
  const size_t next = i + size;
  if (region_end_ > i) return next;
  if (next >= s_.size()) return next;
  size_t next_size = 0;
  const CharClass after = ClassAt(next, &next_size);
  if (after == CharClass::kSpace && c != 0xAB) return next;
  if (ClassifyChar(c) == CharClass::kQuote) {
    if (c == 0x2019 || after == CharClass::kNewline || after == CharClass::kClose) return next;
    if (i > unit_begin_) {
      const CharClass before = ClassifyChar(DecodeBefore(s_, i, unit_begin_).code_point);
      const bool opens = before == CharClass::kSpace || before == CharClass::kNewline ||
                         before == CharClass::kOpen || before == CharClass::kDash ||
                         (before == CharClass::kIdeograph && c == '"') ||
                         (before == CharClass::kContinue && c == '"');
      if (!opens) return next;
    }
    region_end_ = FindCloser(next, c, c, c == '"' ? kQuoteReach : kQuoteReach / 2);
    return next;
  }
  char32_t partner = ClosingPartner(c);
  if (partner == 0) {
    // »German«, »Swedish» and ”Swedish”: a closing mark that stands like an opening one.
    bool opens = i == unit_begin_;
    if (!opens) {
      const CharClass before = ClassifyChar(DecodeBefore(s_, i, unit_begin_).code_point);
      opens = before == CharClass::kSpace || before == CharClass::kNewline ||
              before == CharClass::kOpen || before == CharClass::kDash;
    }
    if (!opens || (c != 0xBB && c != 0x203A && c != 0x201D)) return next;
    partner = c == 0xBB ? 0xAB : c == 0x203A ? 0x2039 : c;
    region_end_ = FindCloser(next, c, partner, kQuoteReach);
    if (region_end_ == 0 && c != partner) region_end_ = FindCloser(next, c, c, kQuoteReach);
    return next;
  }
  size_t end = FindCloser(next, c, partner, IsDirectionalQuote(c) ? kQuoteReach : kBracketReach);
  if (end == 0 && c == 0x201E) end = FindCloser(next, c, 0x201D, kQuoteReach);  // „...”
  if (end == 0 && c == 0x201A) end = FindCloser(next, c, 0x2019, kQuoteReach);
  region_end_ = end;
  return next;
}

// After the bracket or mark that closes what was opened before `from`; 0 if none within `reach`.
size_t BoundaryFinder::FindCloser(size_t from, char32_t open, char32_t close, size_t reach) {
  const std::string_view view = s_.substr(0, std::min(s_.size(), from + reach));
  int depth = 1;
  int events = 0;
  for (size_t i = scanner_.Next(from); i < view.size(); i = scanner_.Next(i)) {
    if (++events > kCloserEvents) return 0;
    const DecodedChar c = DecodeUtf8(view, i);
    const size_t end = i + c.size;
    if (c.code_point == '\n' && end < view.size() && view[end] == '\n') return 0;
    if (c.code_point == close) {
      bool closes = true;
      if (close == open && close >= 0x80) {
        const CharClass before = ClassifyChar(DecodeBefore(view, i, from - 1).code_point);
        closes = before != CharClass::kSpace;
      }
      if (close == '\'' || close == 0x2019 || close == '"') {
        // An apostrophe, or the opening mark of the next quotation, closes nothing.
        size_t size = 0;
        const CharClass after = end < view.size() ? ClassAt(end, &size) : CharClass::kSpace;
        const CharClass before = ClassifyChar(DecodeBefore(view, i, from - 1).code_point);
        closes = before != CharClass::kSpace && before != CharClass::kOpen;
        if (close != '"') {
          closes &= !IsLetter(after) && after != CharClass::kDigit && !IsLetter(before);
        }
      }
      if (closes && --depth == 0) return end;
    } else if (c.code_point == open && ++depth > kDeepest) {
      return 0;
    }
    i = end;
  }
  return 0;
}

// Value of the small roman numeral of two letters or more that ends there, or 0.
int BoundaryFinder::RomanBefore(size_t end, size_t floor, size_t* begin) const {
  int value = 0;
  int largest = 0;
  size_t i = end;
  for (; i > floor; --i) {
    const char c = s_[i - 1];
    const int digit = c == 'i' ? 1 : c == 'v' ? 5 : c == 'x' ? 10 : 0;
    if (digit == 0) break;
    value += digit < largest ? -digit : digit;
    largest = std::max(largest, digit);
  }
  const bool alone = i == floor || s_[i - 1] == ' ' || s_[i - 1] == '(' || s_[i - 1] == '\n';
  // One letter is taken as a letter: "i." after "h.".
  if (end - i < 2 || !alone || i < unit_begin_) return 0;
  *begin = i;
  return value;
}

// At '.' or ')' behind a number or letter. Returns 0 where it is no list marker.
size_t BoundaryFinder::HandleMarker(size_t i) {
  if (i < unit_begin_ + 2) {
    if (i == unit_begin_) return 0;
  } else if (IsAsciiLetter(s_[i - 1]) && IsAsciiLetter(s_[i - 2])) {
    // The end of a word: no marker but a roman numeral.
    if (!IsRomanDigit(s_[i - 1]) || !IsRomanDigit(s_[i - 2])) return 0;
  }
  const size_t floor = std::max(unit_begin_, i - std::min<size_t>(i, 7));
  size_t word = i;
  if (s_[i] == ')' && word > floor && s_[word - 1] == '.') --word;
  const size_t word_end = word;
  int value = 0;
  while (word > floor && s_[word - 1] >= '0' && s_[word - 1] <= '9') --word;
  char style = '1';
  const int roman = word == word_end ? RomanBefore(word_end, floor, &word) : 0;
  if (roman > 0) {
    style = 'i';
    value = roman;
  } else if (word == word_end) {
    if (word == floor || word_end - floor < 1) return 0;
    const char c = s_[word - 1];
    const bool lower = c >= 'a' && c <= 'z';
    if (!lower && (c < 'A' || c > 'Z' || s_[i] == '.')) return 0;
    --word;
    style = lower ? 'a' : 'A';
    value = c - (lower ? 'a' : 'A') + 1;
  } else {
    if (word_end - word > 3) return 0;
    for (size_t k = word; k < word_end; ++k) value = value * 10 + (s_[k] - '0');
  }
  size_t next = i + 1;
  if (next < s_.size() && s_[i] == '.' && s_[next] == ')') ++next;
  const size_t content = SkipSpace(next);
  if (content == next || content >= s_.size()) return 0;
  size_t begin = word;
  if (begin > unit_begin_ && s_[begin - 1] == '(') --begin;
  const char tail = s_[next - 1];
  const bool at_begin =
      begin == unit_begin_ || ContentEnd(begin) == unit_begin_ ||
      (ContentEnd(begin) - unit_begin_ <= 3 && IsListMarker(unit_begin_) && style == '1');
  if (at_begin) {
    list_ = {style, tail, value};
    return next;
  }
  // The first roman numeral is a letter to look at.
  const bool first_roman = style == 'i' && value == 2 && list_.style == 'a' && list_.value == 9;
  const bool successor =
      list_.tail == tail && ((list_.style == style && value == list_.value + 1) || first_roman);
  if (!successor || s_[begin - 1] == '(') return 0;
  const CharClass before = ClassifyChar(DecodeBefore(s_, begin, unit_begin_).code_point);
  if (before != CharClass::kSpace && before != CharClass::kNewline) return 0;
  list_.value = value;
  list_.style = style;
  size_t cut = begin;
  size_t content_end = ContentEnd(cut);
  const CharBefore bullet = DecodeBefore(s_, content_end, unit_begin_);
  if (content_end > unit_begin_ && bullet.code_point == 0x2022) {
    cut = bullet.begin;
    content_end = ContentEnd(cut);
  }
  if (content_end > unit_begin_ && region_end_ <= cut) {
    Emit(content_end, content_end, cut, Unit::kListItem, 150);
  }
  return next;
}

// A bullet inside a line, where the unit began with one.
size_t BoundaryFinder::HandleBullet(size_t i) {
  const size_t next = i + 3;
  const bool list = unit_begin_ < i && DecodeUtf8(s_, unit_begin_).code_point == 0x2022;
  if (!list || SkipSpace(next) == next) return next;
  const size_t content_end = ContentEnd(i);
  if (content_end < i && content_end > unit_begin_ && region_end_ <= i) {
    Emit(content_end, content_end, i, Unit::kListItem, 180);
  }
  return next;
}

}  // namespace penstock::internal
