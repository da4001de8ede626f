// SPDX-License-Identifier: Apache-2.0
//
// What sentence ends depend on per language: abbreviations, words that begin sentences, ordinals.
//
//   const WordFacts f = FindWord("prof");          // without its full stop, in lower case
//   f.Abbreviation(Language::kGerman)              // AbbreviationKind::kTitle
//
// One table for all languages, built once; a word maps to the languages it is an abbreviation in.
#ifndef PENSTOCK_SRC_CHUNKER_LANGUAGE_H_
#define PENSTOCK_SRC_CHUNKER_LANGUAGE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::internal {

// Languages with rules of their own. kNone: not known; all languages of the script are taken
// together, so that an abbreviation in any of them ends no sentence by itself.
enum class Language : uint8_t {
  kNone,
  kEnglish,
  kGerman,
  kFrench,
  kSpanish,
  kItalian,
  kPortuguese,
  kDutch,
  kPolish,
  kCzech,
  kSlovak,
  kDanish,
  kSwedish,
  kNorwegian,
  kFinnish,
  kHungarian,
  kRomanian,
  kTurkish,
  kCroatian,
  kSlovenian,
  kCatalan,
  kRussian,
  kUkrainian,
  kBulgarian,
  kSerbian,
  kKazakh,
  kGreek,
  kArmenian,
  kArabic,
  kPersian,
  kUrdu,
  kHebrew,
  kHindi,
  kMarathi,
  kChinese,
  kJapanese,
  kInternational,  // abbreviations understood in any Latin or Cyrillic text
  kCount,
};

using LanguageSet = uint64_t;
constexpr LanguageSet Bit(Language language) {
  return LanguageSet{1} << static_cast<unsigned>(language);
}

// The primary language of a BCP 47 tag; kNone where there are no rules for it.
Language LanguageFromTag(std::string_view tag);

enum class AbbreviationKind : uint8_t {
  kNone,
  kTitle,   // something always follows: Dr., Mrs., bzw.
  kNumber,  // stands before a number: No., p., Fig., Art.; otherwise a word
  kMonth,   // Jan., Feb.; a number may follow
  kWord,    // may end a sentence as well: etc., Inc., Jr.
};

struct WordFacts {
  LanguageSet title = 0;
  LanguageSet number = 0;
  LanguageSet month = 0;  // abbreviated month or weekday
  LanguageSet word = 0;
  LanguageSet starter = 0;   // commonly begins a sentence and is no name: the, er, il
  LanguageSet calendar = 0;  // month or weekday in full
  LanguageSet frequent = 0;  // a function word that tells the language
  LanguageSet speech = 0;    // said, asked: goes on after a quotation

  AbbreviationKind Abbreviation(LanguageSet languages) const;
  bool IsAbbreviation() const { return (title | number | month | word) != 0; }
};

// Facts of a word in lower case, without its last full stop; inner ones are kept ("z.b"). O(1).
const WordFacts& FindWord(std::string_view word);

// The same of a word of ASCII letters and digits in any case.
const WordFacts& FindAsciiWord(std::string_view word);

// frequent | starter of FindAsciiWord(), faster. REQUIRES: word.size() <= kShortWord, and as many
// bytes as that can be read from word.data() on.
inline constexpr size_t kShortWord = 8;
LanguageSet FunctionWordLanguages(std::string_view word);

// Languages where a number with a full stop is an ordinal ("3. Oktober").
constexpr LanguageSet kOrdinalLanguages =
    Bit(Language::kGerman) | Bit(Language::kDanish) | Bit(Language::kNorwegian) |
    Bit(Language::kCzech) | Bit(Language::kSlovak) | Bit(Language::kPolish) |
    Bit(Language::kFinnish) | Bit(Language::kHungarian) | Bit(Language::kCroatian) |
    Bit(Language::kSlovenian) | Bit(Language::kSerbian) | Bit(Language::kTurkish);

constexpr LanguageSet kLatinLanguages = (Bit(Language::kRussian) - 1) & ~Bit(Language::kNone);
constexpr LanguageSet kCyrillicLanguages = Bit(Language::kRussian) | Bit(Language::kUkrainian) |
                                           Bit(Language::kBulgarian) | Bit(Language::kSerbian) |
                                           Bit(Language::kKazakh);
constexpr LanguageSet kArabicScriptLanguages =
    Bit(Language::kArabic) | Bit(Language::kPersian) | Bit(Language::kUrdu);
constexpr LanguageSet kDevanagariLanguages = Bit(Language::kHindi) | Bit(Language::kMarathi);

// Languages written in the script of `c`, a letter.
LanguageSet LanguagesOfScript(char32_t c);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_LANGUAGE_H_
