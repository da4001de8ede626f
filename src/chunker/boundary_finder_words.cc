// SPDX-License-Identifier: Apache-2.0
//
// The words around a place, and the language they are in.
#include <algorithm>
#include <array>
#include <string>

#include "chunker/boundary_finder.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// A language found holds for this many bytes of a paragraph, a quarter of it in the next ones.
constexpr size_t kLanguageReach = 1024;

// ASCII that stands inside words, names of files and addresses.
constexpr std::array<bool, 128> MakeWordBytes() {
  std::array<bool, 128> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789.-'/@_:&=%,#")) {
    table[static_cast<size_t>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 128> kWordByte = MakeWordBytes();

// Han, kana, Hangul and their neighbours, which are asked for most among those without case.
bool HasNoCase(char32_t c) { return (c >= 0x2E80 && c < 0xA640) || (c >= 0xAC00 && c < 0xFB00); }

bool IsAscii(std::string_view word) {
  uint8_t all = 0;
  for (const char c : word) all |= static_cast<uint8_t>(c);
  return all < 0x80;
}

}  // namespace

// Class of the first letter or digit at or after `n`, behind opening marks; kOther for anything
// else. *at: where it is.
CharClass BoundaryFinder::NextLetter(size_t n, size_t* at) const {
  *at = n;
  if (n < s_.size() && IsAsciiLetterOrDigit(s_[n])) {
    return char_class_internal::kAscii[static_cast<uint8_t>(s_[n])];
  }
  for (int k = 0; k < 6 && n < s_.size(); ++k) {
    size_t size = 0;
    const CharClass cls = ClassAt(n, &size);
    *at = n;
    if (IsLetter(cls) || cls == CharClass::kDigit) return cls;
    const char32_t c = DecodeUtf8(s_, n).code_point;
    const bool skip = cls == CharClass::kOpen || cls == CharClass::kQuote ||
                      cls == CharClass::kDash || cls == CharClass::kPeriod ||
                      cls == CharClass::kEllipsis || cls == CharClass::kExtend || c == 0xBB ||
                      c == 0x201D || (cls == CharClass::kSpace && k > 0) || c == '*' || c == '_' ||
                      c == 0xBF || c == 0xA1;
    if (!skip) return CharClass::kOther;
    n += size;
  }
  return CharClass::kOther;
}

// Begin of the run of letters, digits, marks, inner dots, hyphens and apostrophes that ends there.
size_t BoundaryFinder::WordBegin(size_t end) const {
  size_t begin = end;
  const size_t floor = std::max(unit_begin_, end - std::min<size_t>(end, 96));
  bool plain = true;  // letters and digits of ASCII
  while (begin > floor) {
    const auto byte = static_cast<uint8_t>(s_[begin - 1]);
    if (byte < 0x80) {
      if (!kWordByte[byte]) break;
      plain &= byte >= '0';  // of those with a place in words, the marks but @ _ : = are below
      --begin;
      continue;
    }
    plain = false;
    const CharBefore c = DecodeBefore(s_, begin, floor);
    const CharClass cls = ClassifyChar(c.code_point);
    const bool inside = IsLetter(cls) || cls == CharClass::kDigit || cls == CharClass::kExtend ||
                        cls == CharClass::kPeriod || c.code_point == 0x2019 ||
                        c.code_point == 0x2116 || c.code_point == 0xB0 || c.code_point == 0x5F4;
    if (!inside) break;
    begin = c.begin;
  }
  if (plain) return begin;
  while (begin < end && s_[begin] == '-') ++begin;
  // Elided articles and opening quotes are not part of the word: l'Avv., 'Mr.
  for (size_t i = begin; i < end; ++i) {
    const bool apostrophe = s_[i] == '\'';
    const bool curly = i + 2 < end && s_.substr(i, 3) == "\xE2\x80\x99";
    if ((apostrophe || curly) && i - begin <= 4) {
      begin = i + (apostrophe ? 1 : 3);
      break;
    }
  }
  return begin;
}

size_t BoundaryFinder::WordEnd(size_t begin) const {
  const size_t limit = std::min(s_.size(), begin + 64);
  size_t end = begin;
  while (end < limit) {
    if (IsAsciiLetterOrDigit(s_[end])) {
      ++end;
      continue;
    }
    size_t size = 0;
    const CharClass cls = ClassAt(end, &size);
    if (!IsLetter(cls) && cls != CharClass::kDigit && cls != CharClass::kExtend) break;
    end += size;
  }
  return end;
}

FoldedWord::FoldedWord(std::string_view text, size_t begin, size_t end) {
  for (size_t i = begin; i < end && size_ + 2 * kMaxUtf8Size <= sizeof(bytes_);) {
    const char byte = text[i];
    if (static_cast<uint8_t>(byte) < 0x80) {
      bytes_[size_++] = static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
      ++i;
      continue;
    }
    const DecodedChar c = DecodeUtf8(text, i);
    const char32_t lower = HasNoCase(c.code_point) ? c.code_point : FoldCase(c.code_point);
    if (lower == c.code_point && c.valid) {
      for (size_t k = 0; k < c.size; ++k) bytes_[size_++] = text[i + k];
    } else {
      std::string utf8;
      AppendUtf8(lower, &utf8);
      for (const char l : utf8) bytes_[size_++] = l;
    }
    i += c.size;
  }
}

FoldedWord BoundaryFinder::Folded(size_t begin, size_t end) const {
  return FoldedWord(s_, begin, end);
}

// REQUIRES: end == WordEnd(begin).
const WordFacts& BoundaryFinder::Facts(size_t begin, size_t end) const {
  const std::string_view word = s_.substr(begin, end - begin);
  if (IsAscii(word)) return FindAsciiWord(word);
  return FindWord(FoldedWord(s_, begin, end).view());
}

// `"..." John said`: one name, then a verb of speech.
bool BoundaryFinder::IsSpeechAfterName(size_t n) const {
  const size_t name_end = WordEnd(n);
  if (name_end == n || name_end >= s_.size() || s_[name_end] != ' ') return false;
  const size_t verb_end = WordEnd(name_end + 1);
  return verb_end > name_end + 1 && Facts(name_end + 1, verb_end).speech != 0;
}

// The languages whose rules hold at `i`: the option's, else those of the script of the letters
// before, narrowed by the function words of the unit where they tell.
LanguageSet BoundaryFinder::LanguagesAt(size_t i) {
  LanguageSet script = 0;
  const size_t floor = std::max(unit_begin_, i - std::min<size_t>(i, 96));
  if (i > floor) {
    const char before = static_cast<char>(s_[i - 1] | 0x20);
    if (before >= 'a' && before <= 'z') script = kLatinLanguages;
  }
  for (size_t j = i; j > floor && script == 0;) {
    const CharBefore c = DecodeBefore(s_, j, floor);
    if (IsLetter(ClassifyChar(c.code_point))) script = LanguagesOfScript(c.code_point);
    j = c.begin;
  }
  if (script == 0) script = kLatinLanguages;
  // Within a few sentences the language stays; asking costs as much as a sentence.
  const size_t reach = language_paragraph_ == paragraph_ ? kLanguageReach : kLanguageReach / 4;
  if (language_script_ != script || i - language_from_ >= reach) {
    language_set_ = FindLanguages(i, script);
    language_script_ = script;
    language_from_ = i;
    language_paragraph_ = paragraph_;
  }
  return language_set_;
}

LanguageSet BoundaryFinder::FindLanguages(size_t i, LanguageSet script) {
  if (option_language_ != Language::kNone && (script & Bit(option_language_)) != 0) {
    return Bit(option_language_);
  }
  LanguageSet* detected = script == kLatinLanguages          ? &detected_latin_
                          : script == kCyrillicLanguages     ? &detected_cyrillic_
                          : script == kArabicScriptLanguages ? &detected_arabic_
                                                             : nullptr;
  if (detected == nullptr) return script;
  int counts[static_cast<size_t>(Language::kCount)] = {};
  int best = 0;
  LanguageSet winner = 0;
  const size_t end = std::min(s_.size(), i + 200);
  for (size_t j = std::max(unit_begin_, i - std::min<size_t>(i, 300)); j < end;) {
    if (s_[j] == ' ') {
      ++j;
      continue;
    }
    // Near the end of the view there may be nothing to read behind the word.
    const size_t short_end = j + kAsciiRun < s_.size() ? j + AsciiRun(s_, j) : j;
    size_t word_end = 0;
    LanguageSet hits = 0;
    if (short_end > j && short_end - j <= kShortWord &&
        static_cast<uint8_t>(s_[short_end]) < 0x80) {
      word_end = short_end;
      hits = FunctionWordLanguages(s_.substr(j, word_end - j)) & script;
    } else {
      word_end = WordEnd(j);
      if (word_end == j) {
        j += DecodeUtf8(s_, j).size;
        continue;
      }
      const WordFacts& facts = Facts(j, word_end);
      hits = (facts.frequent | facts.starter) & script;
    }
    while (hits != 0) {
      const unsigned bit = static_cast<unsigned>(__builtin_ctzll(hits));
      hits &= hits - 1;
      const int count = ++counts[bit];
      if (count > best) {
        best = count;
        winner = LanguageSet{1} << bit;
      } else if (count == best) {
        winner |= LanguageSet{1} << bit;
      }
    }
    j = word_end;
    if (best >= 4 && (winner & (winner - 1)) == 0) break;  // clear enough
  }
  if ((winner & Bit(Language::kEnglish)) != 0) winner = Bit(Language::kEnglish);  // a tie
  if (best >= 2) *detected = winner;
  if (*detected != 0) return *detected;
  return script == kLatinLanguages ? Bit(Language::kEnglish) : script;
}

}  // namespace penstock::internal
