// SPDX-License-Identifier: Apache-2.0
#include "chunker/char_class.h"

#include "text/break_properties.h"
#include "text/unicode.h"

namespace penstock::internal {
namespace {

constexpr CharClass ClassifyAscii(char32_t c) {
  if (c >= 'a' && c <= 'z') return CharClass::kLower;
  if (c >= 'A' && c <= 'Z') return CharClass::kUpper;
  if (c >= '0' && c <= '9') return CharClass::kDigit;
  switch (c) {
    case ' ':
    case '\t':
      return CharClass::kSpace;
    case '\n':
    case '\r':
    case '\v':
    case '\f':
      return CharClass::kNewline;
    case '.':
      return CharClass::kPeriod;
    case '!':
    case '?':
      return CharClass::kBang;
    case '(':
    case '[':
    case '{':
      return CharClass::kOpen;
    case ')':
    case ']':
    case '}':
      return CharClass::kClose;
    case '"':
    case '\'':
      return CharClass::kQuote;
    case ',':
    case ';':
    case ':':
      return CharClass::kContinue;
    case '-':
      return CharClass::kDash;
    default:
      return CharClass::kOther;
  }
}

CharClass ClassifyPunctuation(char32_t c) {
  switch (c) {
    case 0x85:
    case 0x2028:
    case 0x2029:
      return CharClass::kNewline;
    case 0xA0:
    case 0x1680:
    case 0x202F:
    case 0x205F:
    case 0x3000:
      return CharClass::kSpace;
    case 0xFF0E:
    case 0xFE52:
      return CharClass::kPeriod;
    case 0x37E:
      return CharClass::kFullStop;
    case 0x2025:
    case 0x2026:
      return CharClass::kEllipsis;
    case 0x201C:
    case 0x2018:
    case 0xAB:
    case 0x2039:
    case 0x201E:
    case 0x201A:
    case 0x201F:
      return CharClass::kOpen;
    case 0x201D:
    case 0xBB:
    case 0x203A:
      return CharClass::kClose;
    case 0x2019:
      return CharClass::kQuote;
    case 0x2013:
    case 0x2014:
    case 0x2015:
    case 0x2E3A:
      return CharClass::kDash;
    case 0x60C:
    case 0x61B:
    case 0x3001:
    case 0xFF0C:
    case 0xFF1A:
    case 0xFF1B:
    case 0xFF64:
    case 0x55D:
    case 0x1363:
    case 0x1364:
    case 0x1365:
      return CharClass::kContinue;
    default:
      return CharClass::kOther;
  }
}

// Scripts whose words are not separated by spaces and need no capital to begin a sentence.
bool IsIdeographic(char32_t c) {
  switch (ScriptOf(c)) {
    case Script::kHan:
    case Script::kHiragana:
    case Script::kKatakana:
    case Script::kHangul:
    case Script::kBopomofo:
    case Script::kYi:
      return true;
    default:
      return c == 0x30FC || c == 0xFF70;  // the common length marks
  }
}

CharClass Compute(char32_t c) {
  const CharClass punctuation = ClassifyPunctuation(c);
  if (punctuation != CharClass::kOther) return punctuation;
  const GeneralCategory category = CategoryOf(c);
  switch (SentenceBreakOf(c)) {
    case SentenceBreak::kUpper:
      return CharClass::kUpper;
    case SentenceBreak::kLower:
      return CharClass::kLower;
    case SentenceBreak::kOLetter:
      return IsIdeographic(c) ? CharClass::kIdeograph : CharClass::kOtherLetter;
    case SentenceBreak::kNumeric:
      return CharClass::kDigit;
    case SentenceBreak::kSTerm:
      return CharClass::kFullStop;
    case SentenceBreak::kATerm:
      return CharClass::kPeriod;
    case SentenceBreak::kSContinue:
      return CharClass::kContinue;
    case SentenceBreak::kSp:
      return CharClass::kSpace;
    case SentenceBreak::kSep:
    case SentenceBreak::kCr:
    case SentenceBreak::kLf:
      return CharClass::kNewline;
    case SentenceBreak::kExtend:
    case SentenceBreak::kFormat:
      return CharClass::kExtend;
    case SentenceBreak::kClose:
      return category == GeneralCategory::kOpenPunctuation ||
                     category == GeneralCategory::kInitialPunctuation
                 ? CharClass::kOpen
                 : CharClass::kClose;
    case SentenceBreak::kOther:
      break;
  }
  return category == GeneralCategory::kDashPunctuation ? CharClass::kDash : CharClass::kOther;
}

}  // namespace

#define PENSTOCK_CLASS_8(c)                                                           \
  ClassifyAscii(c), ClassifyAscii(c + 1), ClassifyAscii(c + 2), ClassifyAscii(c + 3), \
      ClassifyAscii(c + 4), ClassifyAscii(c + 5), ClassifyAscii(c + 6), ClassifyAscii(c + 7)
#define PENSTOCK_CLASS_32(c) \
  PENSTOCK_CLASS_8(c), PENSTOCK_CLASS_8(c + 8), PENSTOCK_CLASS_8(c + 16), PENSTOCK_CLASS_8(c + 24)
constexpr CharClass char_class_internal::kAscii[128] = {
    PENSTOCK_CLASS_32(0), PENSTOCK_CLASS_32(32), PENSTOCK_CLASS_32(64), PENSTOCK_CLASS_32(96)};
#undef PENSTOCK_CLASS_32
#undef PENSTOCK_CLASS_8

std::atomic<uint8_t> char_class_internal::known[0x10000];

CharClass char_class_internal::FindClass(char32_t c) {
  const CharClass cls = Compute(c);
  if (c < 0x10000) known[c].store(static_cast<uint8_t>(cls) + 1, std::memory_order_relaxed);
  return cls;
}

char32_t ClosingPartner(char32_t c) {
  switch (c) {
    case '(':
      return ')';
    case '[':
      return ']';
    case '{':
      return '}';
    case 0xAB:
      return 0xBB;
    case 0x2039:
      return 0x203A;
    case 0x2018:
      return 0x2019;
    case 0x201C:
      return 0x201D;
    case 0x201E:
      return 0x201C;
    case 0x201A:
      return 0x2018;
    case 0xFF08:
      return 0xFF09;
    case 0xFF3B:
      return 0xFF3D;
    case 0xFF5B:
      return 0xFF5D;
    case 0xFF62:
      return 0xFF63;
    default:
      // 〈〉《》「」『』【】 and 〔〕〖〗〘〙〚〛
      if ((c >= 0x3008 && c <= 0x3010 && (c & 1) == 0) ||
          (c >= 0x3014 && c <= 0x301A && (c & 1) == 0)) {
        return c + 1;
      }
      return 0;
  }
}

char32_t FoldCase(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
  return *ToLower(c).begin();
}

CharBefore DecodeNonAsciiBefore(std::string_view text, size_t end, size_t floor) {
  for (size_t size = 1; size <= 4 && end - size + 1 > floor; ++size) {
    const size_t begin = end - size;
    if (IsUtf8Continuation(text[begin])) continue;
    const DecodedChar c = DecodeUtf8(text, begin);
    if (c.size == size) return {c.code_point, begin};
    break;
  }
  return {kReplacementChar, end - 1};
}

}  // namespace penstock::internal
