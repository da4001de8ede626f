// SPDX-License-Identifier: Apache-2.0
#include "chunker/char_class.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace penstock::internal {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool In(char32_t c, const Range (&ranges)[N]) {
  const Range* r = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                    [](char32_t x, const Range& range) { return x < range.first; });
  return r != std::begin(ranges) && c <= std::prev(r)->last;
}

// Scripts written without spaces or whose sentences may begin without one.
constexpr Range kIdeographs[] = {
    {0x1100, 0x11FF}, {0x2E80, 0x2FDF}, {0x3005, 0x3007}, {0x3021, 0x3029},   {0x3031, 0x3035},
    {0x3041, 0x3096}, {0x309D, 0x309F}, {0x30A1, 0x30FA}, {0x30FC, 0x318E},   {0x31A0, 0x31BF},
    {0x31F0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA000, 0xA4CF},   {0xA960, 0xA97F},
    {0xAC00, 0xD7FF}, {0xF900, 0xFAFF}, {0xFF66, 0xFF9D}, {0x1B000, 0x1B2FF}, {0x20000, 0x3FFFF},
};

// Sentence ends that need no white space after them (Sentence_Terminal, Unicode 15, without ASCII,
// full-width full stop and the ellipses).
constexpr Range kFullStops[] = {
    {0x037E, 0x037E}, {0x0589, 0x0589}, {0x061D, 0x061F}, {0x06D4, 0x06D4}, {0x0700, 0x0702},
    {0x07F9, 0x07F9}, {0x0837, 0x0837}, {0x0839, 0x0839}, {0x083D, 0x083E}, {0x0964, 0x0965},
    {0x0F0D, 0x0F0E}, {0x104A, 0x104B}, {0x1362, 0x1362}, {0x1367, 0x1368}, {0x166E, 0x166E},
    {0x1735, 0x1736}, {0x17D4, 0x17D5}, {0x1803, 0x1803}, {0x1809, 0x1809}, {0x1944, 0x1945},
    {0x1AA8, 0x1AAB}, {0x1B5A, 0x1B5B}, {0x1B5E, 0x1B5F}, {0x1B7D, 0x1B7E}, {0x1C3B, 0x1C3C},
    {0x1C7E, 0x1C7F}, {0x203C, 0x203D}, {0x2047, 0x2049}, {0x2E2E, 0x2E2E}, {0x3002, 0x3002},
    {0xA4FF, 0xA4FF}, {0xA60E, 0xA60F}, {0xA6F3, 0xA6F3}, {0xA6F7, 0xA6F7}, {0xA876, 0xA877},
    {0xA8CE, 0xA8CF}, {0xA92F, 0xA92F}, {0xA9C8, 0xA9C9}, {0xAA5D, 0xAA5F}, {0xAAF0, 0xAAF1},
    {0xABEB, 0xABEB}, {0xFE56, 0xFE57}, {0xFF01, 0xFF01}, {0xFF1F, 0xFF1F}, {0xFF61, 0xFF61},
};

constexpr Range kExtends[] = {
    {0x00AD, 0x00AD}, {0x0300, 0x036F},   {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05C7},
    {0x0610, 0x061A}, {0x061C, 0x061C},   {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC},
    {0x0900, 0x0903}, {0x093A, 0x094F},   {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064},
    {0x20D0, 0x20FF}, {0x302A, 0x302F},   {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF},
};

// Letters of scripts without case, coarse.
constexpr Range kOtherLetters[] = {
    {0x00AA, 0x00AA}, {0x00BA, 0x00BA}, {0x01BB, 0x01BB}, {0x05D0, 0x05F2}, {0x0620, 0x064A},
    {0x066E, 0x06D3}, {0x06D5, 0x06D5}, {0x06E5, 0x06EF}, {0x06FA, 0x07EA}, {0x0800, 0x0963},
    {0x0971, 0x0F00}, {0x0F40, 0x1049}, {0x104C, 0x109F}, {0x10D0, 0x10FF}, {0x1200, 0x135A},
    {0x1380, 0x139F}, {0x1401, 0x166D}, {0x166F, 0x17D3}, {0x17D7, 0x1802}, {0x1820, 0x1943},
    {0x1950, 0x1CFF}, {0x2D80, 0x2DDE}, {0xA500, 0xA63F}, {0xA840, 0xA8CD}, {0xA8F2, 0xA92E},
    {0xA930, 0xABEA}, {0xFB1D, 0xFB4F}, {0xFB50, 0xFDFB}, {0xFE70, 0xFEFC},
};

constexpr Range kDigits[] = {
    {'0', '9'},       {0x0660, 0x0669}, {0x06F0, 0x06F9}, {0x07C0, 0x07C9}, {0x0966, 0x096F},
    {0x09E6, 0x09EF}, {0x0A66, 0x0A6F}, {0x0AE6, 0x0AEF}, {0x0B66, 0x0B6F}, {0x0BE6, 0x0BEF},
    {0x0C66, 0x0C6F}, {0x0CE6, 0x0CEF}, {0x0D66, 0x0D6F}, {0x0E50, 0x0E59}, {0x0ED0, 0x0ED9},
    {0x0F20, 0x0F29}, {0x1040, 0x1049}, {0x17E0, 0x17E9}, {0x1810, 0x1819}, {0xFF10, 0xFF19},
};

CharClass ClassifyAscii(char32_t c) {
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

// Latin Extended-A and -B, Extended Additional: upper and lower alternate, mostly even/odd.
CharClass ClassifyCased(char32_t c) {
  if (c < 0x100) return c <= 0xDE && c != 0xD7 ? CharClass::kUpper : CharClass::kLower;
  if (c < 0x250) {
    if (c >= 0x1C5 && c <= 0x1F3 && (c - 0x1C5) % 3 == 0 && c <= 0x1CC) return CharClass::kUpper;
    const bool odd_upper =
        (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x1CD && c <= 0x1DC);
    if (c == 0x178) return CharClass::kUpper;
    return ((c & 1) != 0) == odd_upper ? CharClass::kUpper : CharClass::kLower;
  }
  if (c < 0x370) return CharClass::kLower;
  if (c < 0x400) {
    if (c >= 0x386 && c <= 0x3AB && c != 0x390) return CharClass::kUpper;
    if (c >= 0x3AC && c <= 0x3CE) return CharClass::kLower;
    return (c & 1) != 0 ? CharClass::kLower : CharClass::kUpper;
  }
  if (c < 0x530) {
    if (c < 0x430) return CharClass::kUpper;
    if (c < 0x460) return CharClass::kLower;
    if (c >= 0x4C0 && c <= 0x4CE) return (c & 1) != 0 ? CharClass::kUpper : CharClass::kLower;
    return (c & 1) != 0 ? CharClass::kLower : CharClass::kUpper;
  }
  if (c < 0x590) return c < 0x557 ? CharClass::kUpper : CharClass::kLower;
  return (c & 1) != 0 ? CharClass::kLower : CharClass::kUpper;  // Latin Extended Additional
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

}  // namespace

CharClass ClassifyChar(char32_t c) {
  if (c < 0x80) return ClassifyAscii(c);
  const bool cased = (c >= 0xC0 && c < 0x2B0 && c != 0xD7 && c != 0xF7 && c != 0x1BB) ||
                     (c >= 0x370 && c < 0x483 && c != 0x37E && c != 0x387) ||
                     (c >= 0x48A && c < 0x557) || (c >= 0x560 && c < 0x589) ||
                     (c >= 0x1E00 && c < 0x2000);
  if (cased) return ClassifyCased(c);
  if (In(c, kIdeographs)) return CharClass::kIdeograph;
  if (In(c, kFullStops)) return CharClass::kFullStop;
  if (In(c, kExtends)) return CharClass::kExtend;
  if (In(c, kDigits)) return CharClass::kDigit;
  const CharClass punctuation = ClassifyPunctuation(c);
  if (punctuation != CharClass::kOther) return punctuation;
  if (c >= 0x2000 && c <= 0x200A) return CharClass::kSpace;
  if (ClosingPartner(c) != 0) return CharClass::kOpen;
  if ((c >= 0x3009 && c <= 0x301B && (c & 1) != 0 && c != 0x3013) || c == 0xFF09 || c == 0xFF3D ||
      c == 0xFF5D || c == 0xFF63 || c == 0x301E || c == 0x301F) {
    return CharClass::kClose;
  }
  if (In(c, kOtherLetters)) return CharClass::kOtherLetter;
  return CharClass::kOther;
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
  if (ClassifyChar(c) != CharClass::kUpper) return c;
  if (c <= 0xDE) return c + 0x20;
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xFF;
  if (c < 0x250) return c + 1;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 0x25;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 0x3F;
  if (c >= 0x391 && c <= 0x3AB) return c + 0x20;
  if (c >= 0x400 && c <= 0x40F) return c + 0x50;
  if (c >= 0x410 && c <= 0x42F) return c + 0x20;
  if (c >= 0x460 && c <= 0x52F) return c + 1;
  if (c >= 0x531 && c <= 0x556) return c + 0x30;
  if (c >= 0x1E00 && c < 0x1F00) return c + 1;
  return c;
}

CharBefore DecodeBefore(std::string_view text, size_t end, size_t floor) {
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
