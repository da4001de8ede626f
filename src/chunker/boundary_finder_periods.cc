// SPDX-License-Identifier: Apache-2.0
//
// What a full stop means: the end of a sentence, of an abbreviation, a number, an initial.
#include <algorithm>
#include <iterator>

#include "chunker/boundary_finder.h"
#include "text/utf8.h"

namespace penstock::internal {

uint8_t BoundaryFinder::DecidePeriod(const Ending& e) {
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  const size_t word = WordBegin(e.begin);
  size_t word_end = e.begin;  // without directional marks: "د\u202A.\u202C"
  while (word_end > word) {
    const CharBefore c = DecodeBefore(s_, word_end, word);
    if (c.code_point < 0x200B || ClassifyChar(c.code_point) != CharClass::kExtend) break;
    word_end = c.begin;
  }
  const FoldedWord folded = Folded(word, word_end);
  const WordFacts& facts = FindWord(folded.view());
  size_t first_size = 0;
  const CharClass first = word < e.begin ? ClassAt(word, &first_size) : CharClass::kOther;
  const size_t dot = folded.view().find('.');
  const bool one_letter =
      word + first_size == word_end && IsLetter(first) && first != CharClass::kIdeograph;
  const bool roman = IsRomanNumeral(word, e.begin);
  const bool ordinary = !facts.IsAbbreviation() && dot == std::string_view::npos && !one_letter &&
                        !roman && first != CharClass::kDigit;
  // Most words are no abbreviation anywhere, and most numbers no ordinal: the language does not
  // matter then.
  const bool long_number = first == CharClass::kDigit && e.begin - word > 2;
  const LanguageSet languages = ordinary || long_number ? 0 : LanguagesAt(e.begin);
  const bool western = (languages & (kLatinLanguages | kCyrillicLanguages)) != 0;
  const AbbreviationKind kind =
      facts.Abbreviation(western ? languages | Bit(Language::kInternational) : languages);
  if (letter == CharClass::kLower) {
    // iPhone, eBay: a small letter before a capital begins a name.
    size_t size = 0;
    const bool name = kind == AbbreviationKind::kNone && at + 1 < s_.size() &&
                      ClassAt(at + 1, &size) == CharClass::kUpper && !e.closed_quote;
    if (name) return 140;
    const bool word_ends = ordinary && word_end - word >= 3 && at == e.next && e.end == e.run_end;
    const std::string_view unit = s_.substr(unit_begin_, std::min<size_t>(word - unit_begin_, 64));
    return word_ends && BeginsSmall() && std::count(unit.begin(), unit.end(), ' ') >= 2 ? 110 : 0;
  }
  size_t next_size = 0;
  if (ClassAt(e.next, &next_size) == CharClass::kDash &&
      (letter == CharClass::kOther || letter == CharClass::kDigit)) {
    return 0;
  }
  if (word == e.begin) return 180;  // after a quote, a bracket, a symbol
  if (e.closed_quote && IsSpeechAfterName(e.next)) return 0;
  const uint8_t plain = e.closed_quote                ? 190
                        : letter == CharClass::kUpper ? 210
                        : letter == CharClass::kOther ? 150
                                                      : 190;
  if (ordinary) return plain;
  const bool starter =
      letter == CharClass::kUpper && (Facts(at, WordEnd(at)).starter & languages) != 0;
  if (first == CharClass::kDigit) return DecideNumber(word, e, languages, starter);
  if (dot != std::string_view::npos && kind != AbbreviationKind::kTitle) {
    return DecideAcronym(folded.view(), e, starter);
  }
  if (one_letter) return DecideLetter(word, languages, starter);
  const bool one_language = (languages & (languages - 1)) == 0;
  if (roman && one_language && (languages & kOrdinalLanguages) != 0) return starter ? 150 : 0;
  switch (kind) {
    case AbbreviationKind::kTitle:
      return 0;
    case AbbreviationKind::kNumber:
      if (letter == CharClass::kDigit || letter == CharClass::kOther) return 0;
      if (letter == CharClass::kUpper && WordEnd(at) - at > 2) return 150;
      return starter ? 150 : 0;
    case AbbreviationKind::kMonth:
    case AbbreviationKind::kWord:
      return starter ? 150 : 0;
    case AbbreviationKind::kNone:
      break;
  }
  return plain;
}

uint8_t BoundaryFinder::DecideLetter(size_t word, LanguageSet languages, bool starter) {
  size_t size = 0;
  const CharClass cls = ClassAt(word, &size);
  if (cls == CharClass::kOtherLetter) return 0;
  const size_t before_end = ContentEnd(word);
  const size_t before = WordBegin(before_end);
  const bool has_before = before < before_end && before_end > unit_begin_;
  size_t before_size = 0;
  const CharClass before_class = has_before ? ClassAt(before, &before_size) : CharClass::kOther;
  if (cls == CharClass::kLower) {
    const bool chained = before_end > unit_begin_ && s_[before_end - 1] == '.';  // z. B.
    return starter && !chained ? 130 : 0;
  }
  if (s_[word] == 'I' && (languages & Bit(Language::kEnglish)) != 0 &&
      before_class == CharClass::kLower) {
    const FoldedWord previous = Folded(before, before_end);
    const bool pronoun = previous == "and" || previous == "am" || previous == "than" ||
                         previous == "or" || previous == "as" || previous == "but" ||
                         previous == "do" || previous == "did" || previous == "have";
    if (pronoun) return 140;
  }
  return starter ? 120 : 0;
}

uint8_t BoundaryFinder::DecideNumber(size_t word, const Ending& e, LanguageSet languages,
                                     bool starter) {
  const size_t digits = e.begin - word;
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  bool plain = true;
  for (size_t k = word; k < e.begin; ++k) plain &= s_[k] >= '0' && s_[k] <= '9';
  const bool one_language = (languages & (languages - 1)) == 0;
  if (plain && digits <= 2 && one_language && (languages & kOrdinalLanguages) != 0) {
    if (starter) return 150;
    const bool german = languages == Bit(Language::kGerman);
    const bool calendar = (Facts(at, WordEnd(at)).calendar & languages) != 0;
    if (german || calendar) return 0;
  }
  if (word == unit_begin_ && plain && digits <= 3) return 0;  // a list's or heading's number
  return letter == CharClass::kUpper ? 200 : 170;
}

uint8_t BoundaryFinder::DecideAcronym(std::string_view folded, const Ending& e, bool starter) {
  size_t segment = 0;
  bool acronym = true;
  for (const char c : folded) {
    segment = c == '.' ? 0 : segment + (IsUtf8Continuation(c) ? 0 : 1);
    acronym &= segment <= 3;
  }
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  if (!acronym) return letter == CharClass::kUpper ? 200 : 170;  // example.com, file.txt
  if (letter == CharClass::kDigit) return 0;
  if (letter != CharClass::kUpper) return 0;
  if (starter) return 140;
  // What follows a time, an era or a degree is seldom a part of it.
  static constexpr std::string_view kFinal[] = {"a.m",  "p.m",  "b.c",  "a.d",  "b.c.e", "c.e",
                                                "ph.d", "m.d",  "j.d",  "ll.m", "ll.b",  "b.a",
                                                "m.a",  "b.sc", "m.sc", "m.b.a"};
  if (std::find(std::begin(kFinal), std::end(kFinal), folded) == std::end(kFinal)) return 0;
  const size_t word_end = WordEnd(at);
  if (Facts(at, word_end).calendar != 0) return 0;
  const bool initial = word_end < s_.size() && s_[word_end] == '.' && word_end - at == 1;
  bool capitals = true;  // a time zone
  for (size_t k = at; k < word_end; ++k) capitals &= s_[k] >= 'A' && s_[k] <= 'Z';
  if (initial || (capitals && word_end - at > 1)) return 0;
  return IsOpeningPhrase(e.begin) ? 0 : 130;
}

// Whoever begins a sentence with a small letter does so again: "it rained. we left." Only a word
// that is the unit's very first thing tells; "- item", "iPhone" and "(see there)" do not.
bool BoundaryFinder::BeginsSmall() const {
  size_t at = 0;
  if (NextLetter(unit_begin_, &at) != CharClass::kLower || at != unit_begin_) return false;
  size_t size = DecodeUtf8(s_, at).size;
  return at + size < s_.size() && ClassAt(at + size, &size) != CharClass::kUpper;
}

// Capitals only: XIV.
bool BoundaryFinder::IsRomanNumeral(size_t begin, size_t end) const {
  const std::string_view word = s_.substr(begin, end - begin);
  return !word.empty() && word.find_first_not_of("IVXLCDM") == std::string_view::npos;
}

// "At 5 a.m. Mr. Smith left": up to `end`, the unit only says when.
bool BoundaryFinder::IsOpeningPhrase(size_t end) const {
  size_t words = 0;
  for (size_t i = unit_begin_; i < end; ++i) words += s_[i] == ' ';
  if (words > 3) return false;
  size_t at = 0;
  if (NextLetter(unit_begin_, &at) == CharClass::kOther) return false;
  const FoldedWord first = Folded(at, WordEnd(at));
  static constexpr std::string_view kWhen[] = {
      "at",   "by",      "around", "about", "before", "after", "since", "until", "from",
      "till", "klokken", "kl",     "um",    "gegen",  "om",    "alle",  "klo"};
  return std::find(std::begin(kWhen), std::end(kWhen), first.view()) != std::end(kWhen);
}

}  // namespace penstock::internal
