// SPDX-License-Identifier: Apache-2.0
#include "chunker/subunits.h"

#include "chunker/char_class.h"
#include "text/segmentation.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

bool IsClauseMark(char32_t c, CharClass cls) {
  return cls == CharClass::kContinue || cls == CharClass::kFullStop || cls == CharClass::kBang ||
         c == 0x2013 || c == 0x2014 || c == 0xB7 || c == 0x387;
}

}  // namespace

size_t GraphemeEnd(std::string_view text, size_t i) {
  if (static_cast<uint8_t>(text[i]) < 0x80) {
    if (i + 1 == text.size()) return i + 1;
    // Of ASCII, only CR LF is one grapheme.
    if (static_cast<uint8_t>(text[i + 1]) < 0x80) {
      return text[i] == '\r' && text[i + 1] == '\n' ? i + 2 : i + 1;
    }
  }
  GraphemeBreaker breaker;
  while (i < text.size()) {
    const DecodedChar c = DecodeUtf8(text, i);
    const Borders borders = breaker.Push(c.code_point, i);
    if (borders.size() != 0) return *borders.begin();
    i += c.size;
  }
  return i;
}

size_t LastBoundary(std::string_view text, size_t from, size_t limit, Unit unit) {
  for (size_t p = limit; p > from; --p) {
    if (p < text.size() && IsUtf8Continuation(text[p])) continue;
    const CharBefore before = DecodeBefore(text, p, from);
    const CharClass cls = ClassifyChar(before.code_point);
    size_t next_size = 0;
    CharClass next = CharClass::kOther;
    if (p < text.size()) {
      const DecodedChar c = DecodeUtf8(text, p);
      next_size = c.size;
      next = ClassifyChar(c.code_point);
    }
    if (next == CharClass::kExtend || (p < text.size() && text[p] == '\n')) continue;
    if (unit == Unit::kLine) {
      if (text[p - 1] == '\n') return p;
      continue;
    }
    const bool space_next = next == CharClass::kSpace || next == CharClass::kNewline;
    if (unit == Unit::kClause) {
      const bool wide = cls == CharClass::kFullStop || before.code_point >= 0x3000;
      if (IsClauseMark(before.code_point, cls) && (space_next || wide)) return p;
      continue;
    }
    if (cls == CharClass::kNewline) return p;
    if (cls != CharClass::kSpace && space_next) return p;
    if (cls == CharClass::kIdeograph && next == CharClass::kIdeograph) return p;
    (void)next_size;
  }
  return 0;
}

}  // namespace penstock::internal
