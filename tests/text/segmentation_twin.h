// SPDX-License-Identifier: Apache-2.0
//
// UAX #29 read literally: at each position the rules in their order, looking back and ahead as far
// as they say. Quadratic, and right by inspection; the twin of src/text/segmentation.h.
//
//   TwinBreaks(kWord, text)[i]      // is there a border before text[i]?  (0 < i < size)
#ifndef PENSTOCK_TESTS_TEXT_SEGMENTATION_TWIN_H_
#define PENSTOCK_TESTS_TEXT_SEGMENTATION_TWIN_H_

#include <string>
#include <vector>

#include "text/break_properties.h"

namespace penstock::internal {

inline bool TwinGraphemeBreak(const std::u32string& t, size_t i) {
  using G = GraphemeBreak;
  const G a = GraphemeBreakOf(t[i - 1]), b = GraphemeBreakOf(t[i]);
  const auto is = [](G g, std::initializer_list<G> set) {
    for (G x : set) {
      if (g == x) return true;
    }
    return false;
  };
  if (a == G::kCr && b == G::kLf) return false;                                         // GB3
  if (is(a, {G::kCr, G::kLf, G::kControl})) return true;                                // GB4
  if (is(b, {G::kCr, G::kLf, G::kControl})) return true;                                // GB5
  if (a == G::kL && is(b, {G::kL, G::kV, G::kLv, G::kLvt})) return false;               // GB6
  if (is(a, {G::kLv, G::kV}) && is(b, {G::kV, G::kT})) return false;                    // GB7
  if (is(a, {G::kLvt, G::kT}) && b == G::kT) return false;                              // GB8
  if (is(b, {G::kExtend, G::kZwj, G::kSpacingMark}) || a == G::kPrepend) return false;  // GB9, a, b
  if (ConjunctBreakOf(t[i]) == ConjunctBreak::kConsonant) {                             // GB9c
    bool linker = false;
    size_t k = i;
    while (k > 0 && (ConjunctBreakOf(t[k - 1]) == ConjunctBreak::kLinker ||
                     ConjunctBreakOf(t[k - 1]) == ConjunctBreak::kExtend)) {
      linker = linker || ConjunctBreakOf(t[k - 1]) == ConjunctBreak::kLinker;
      --k;
    }
    if (linker && k > 0 && ConjunctBreakOf(t[k - 1]) == ConjunctBreak::kConsonant) return false;
  }
  if (a == G::kZwj && IsExtendedPictographic(t[i])) {  // GB11
    size_t k = i - 1;
    while (k > 0 && GraphemeBreakOf(t[k - 1]) == G::kExtend) --k;
    if (k > 0 && IsExtendedPictographic(t[k - 1])) return false;
  }
  if (b == G::kRegionalIndicator) {  // GB12, 13
    size_t count = 0;
    while (count < i && GraphemeBreakOf(t[i - 1 - count]) == G::kRegionalIndicator) ++count;
    if (count % 2 == 1) return false;
  }
  return true;  // GB999
}

inline bool TwinWordBreak(const std::u32string& t, size_t i) {
  using W = WordBreak;
  const auto at = [&](size_t k) { return WordBreakOf(t[k]); };
  const auto line_end = [](W w) { return w == W::kCr || w == W::kLf || w == W::kNewline; };
  const auto skipped = [](W w) { return w == W::kExtend || w == W::kFormat || w == W::kZwj; };
  const auto letter = [](W w) { return w == W::kALetter || w == W::kHebrewLetter; };
  const auto mid_q = [](W w) { return w == W::kMidNumLet || w == W::kSingleQuote; };
  const W a0 = at(i - 1), b = at(i);
  if (a0 == W::kCr && b == W::kLf) return false;                    // WB3
  if (line_end(a0) || line_end(b)) return true;                     // WB3a, WB3b
  if (a0 == W::kZwj && IsExtendedPictographic(t[i])) return false;  // WB3c
  if (a0 == W::kWSegSpace && b == W::kWSegSpace) return false;      // WB3d
  if (skipped(b)) return false;                                     // WB4
  // WB4: positions of the characters before and after that count; npos if there are none.
  const size_t none = std::u32string::npos;
  const auto back = [&](size_t k) {  // the character that k (exclusive) attaches to
    while (k > 0) {
      --k;
      if (!skipped(at(k)) || k == 0 || line_end(at(k - 1))) return k;
    }
    return none;
  };
  const size_t pa = back(i), pz = pa == none ? none : back(pa);
  size_t pc = i + 1;
  while (pc < t.size() && skipped(at(pc))) ++pc;
  const W a = at(pa), z = pz == none ? W::kOther : at(pz), c = pc < t.size() ? at(pc) : W::kOther;
  if (letter(a) && letter(b)) return false;                                                  // WB5
  if (letter(a) && (b == W::kMidLetter || mid_q(b)) && letter(c)) return false;              // WB6
  if (letter(z) && (a == W::kMidLetter || mid_q(a)) && letter(b)) return false;              // WB7
  if (a == W::kHebrewLetter && b == W::kSingleQuote) return false;                           // WB7a
  if (a == W::kHebrewLetter && b == W::kDoubleQuote && c == W::kHebrewLetter) return false;  // WB7b
  if (z == W::kHebrewLetter && a == W::kDoubleQuote && b == W::kHebrewLetter) return false;  // WB7c
  if ((a == W::kNumeric || letter(a)) && b == W::kNumeric) return false;  // WB8, WB9
  if (a == W::kNumeric && letter(b)) return false;                        // WB10
  if (z == W::kNumeric && (a == W::kMidNum || mid_q(a)) && b == W::kNumeric) return false;  // WB11
  if (a == W::kNumeric && (b == W::kMidNum || mid_q(b)) && c == W::kNumeric) return false;  // WB12
  if (a == W::kKatakana && b == W::kKatakana) return false;                                 // WB13
  if ((letter(a) || a == W::kNumeric || a == W::kKatakana || a == W::kExtendNumLet) &&
      b == W::kExtendNumLet) {
    return false;  // WB13a
  }
  if (a == W::kExtendNumLet && (letter(b) || b == W::kNumeric || b == W::kKatakana)) return false;
  if (b == W::kRegionalIndicator) {  // WB15, WB16
    size_t count = 0;
    for (size_t p = pa; p != none && at(p) == W::kRegionalIndicator; p = back(p)) ++count;
    if (count % 2 == 1) return false;
  }
  return true;
}

inline bool TwinSentenceBreak(const std::u32string& t, size_t i) {
  using S = SentenceBreak;
  const auto at = [&](size_t k) { return SentenceBreakOf(t[k]); };
  const auto para = [](S s) { return s == S::kSep || s == S::kCr || s == S::kLf; };
  const auto term = [](S s) { return s == S::kATerm || s == S::kSTerm; };
  const auto skipped = [](S s) { return s == S::kExtend || s == S::kFormat; };
  if (at(i - 1) == S::kCr && at(i) == S::kLf) return false;  // SB3
  if (para(at(i - 1))) return true;                          // SB4
  if (skipped(at(i))) return false;                          // SB5
  // SB5: the classes that count, up to i and from i.
  std::vector<S> left, right;
  for (size_t k = 0; k < t.size(); ++k) {
    const bool counts = !skipped(at(k)) || k == 0 || para(at(k - 1));
    if (counts) (k < i ? left : right).push_back(at(k));
  }
  const S b = right[0];
  const auto from_end = [&](size_t k) {
    return k < left.size() ? left[left.size() - 1 - k] : S::kOther;
  };
  if (from_end(0) == S::kATerm && b == S::kNumeric) return false;  // SB6
  if ((from_end(1) == S::kUpper || from_end(1) == S::kLower) && from_end(0) == S::kATerm &&
      b == S::kUpper) {
    return false;  // SB7
  }
  size_t spaces = 0, closes = 0;
  while (from_end(spaces) == S::kSp) ++spaces;
  while (from_end(spaces + closes) == S::kClose) ++closes;
  const S terminator = from_end(spaces + closes);
  if (terminator == S::kATerm) {  // SB8
    for (S s : right) {
      if (s == S::kLower) return false;
      if (s == S::kOLetter || s == S::kUpper || para(s) || term(s)) break;
    }
  }
  if (term(terminator)) {
    if (b == S::kSContinue || term(b)) return false;                              // SB8a
    if (spaces == 0 && (b == S::kClose || b == S::kSp || para(b))) return false;  // SB9
    if (b == S::kSp || para(b)) return false;                                     // SB10
    return true;                                                                  // SB11
  }
  return false;  // SB998
}

}  // namespace penstock::internal

#endif  // PENSTOCK_TESTS_TEXT_SEGMENTATION_TWIN_H_
