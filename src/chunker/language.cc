// SPDX-License-Identifier: Apache-2.0
#include "chunker/language.h"

#include <cstddef>
#include <vector>

#include "chunker/language_words.h"

namespace penstock::internal {
namespace {

struct Entry {
  std::string_view word;  // empty: free slot
  WordFacts facts;
};

// Open addressing, filled once; about 4000 words.
class WordTable {
 public:
  WordTable() : slots_(kSlots) {
    for (int i = 0; i < kWesternWordsSize; ++i) Add(kWesternWords[i]);
    for (int i = 0; i < kEasternWordsSize; ++i) Add(kEasternWords[i]);
  }

  const Entry* Find(std::string_view word) const {
    for (size_t i = Hash(word);; ++i) {
      const Entry& entry = slots_[i % kSlots];
      if (entry.word.empty()) return nullptr;
      if (entry.word == word) return &entry;
    }
  }

 private:
  static constexpr size_t kSlots = 16384;

  static size_t Hash(std::string_view word) {
    uint32_t h = 2166136261u;  // FNV-1a
    for (const char c : word) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
    return (h ^ (h >> 15)) % kSlots;
  }

  WordFacts& Slot(std::string_view word) {
    for (size_t i = Hash(word);; ++i) {
      Entry& entry = slots_[i % kSlots];
      if (entry.word.empty()) entry.word = word;
      if (entry.word == word) return entry.facts;
    }
  }

  void AddWords(const char* words, LanguageSet WordFacts::*field, LanguageSet bit) {
    std::string_view rest = words;
    while (!rest.empty()) {
      const size_t space = rest.find(' ');
      const std::string_view word = rest.substr(0, space);
      if (!word.empty()) Slot(word).*field |= bit;
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
  }

  void Add(const LanguageWords& words) {
    const LanguageSet bit = Bit(words.language);
    AddWords(words.title, &WordFacts::title, bit);
    AddWords(words.number, &WordFacts::number, bit);
    AddWords(words.month, &WordFacts::month, bit);
    AddWords(words.word, &WordFacts::word, bit);
    AddWords(words.starter, &WordFacts::starter, bit);
    AddWords(words.calendar, &WordFacts::calendar, bit);
    AddWords(words.frequent, &WordFacts::frequent, bit);
    AddWords(words.speech, &WordFacts::speech, bit);
  }

  std::vector<Entry> slots_;
};

struct Tag {
  std::string_view tag;
  Language language;
};

constexpr Tag kTags[] = {
    {"en", Language::kEnglish},   {"de", Language::kGerman},    {"fr", Language::kFrench},
    {"es", Language::kSpanish},   {"it", Language::kItalian},   {"pt", Language::kPortuguese},
    {"nl", Language::kDutch},     {"pl", Language::kPolish},    {"cs", Language::kCzech},
    {"sk", Language::kSlovak},    {"da", Language::kDanish},    {"sv", Language::kSwedish},
    {"no", Language::kNorwegian}, {"nb", Language::kNorwegian}, {"nn", Language::kNorwegian},
    {"fi", Language::kFinnish},   {"hu", Language::kHungarian}, {"ro", Language::kRomanian},
    {"tr", Language::kTurkish},   {"hr", Language::kCroatian},  {"bs", Language::kCroatian},
    {"sl", Language::kSlovenian}, {"ca", Language::kCatalan},   {"ru", Language::kRussian},
    {"uk", Language::kUkrainian}, {"bg", Language::kBulgarian}, {"mk", Language::kBulgarian},
    {"sr", Language::kSerbian},   {"kk", Language::kKazakh},    {"el", Language::kGreek},
    {"hy", Language::kArmenian},  {"ar", Language::kArabic},    {"fa", Language::kPersian},
    {"ur", Language::kUrdu},      {"he", Language::kHebrew},    {"hi", Language::kHindi},
    {"mr", Language::kMarathi},   {"ne", Language::kHindi},     {"zh", Language::kChinese},
    {"ja", Language::kJapanese},
};

}  // namespace

Language LanguageFromTag(std::string_view tag) {
  const std::string_view primary = tag.substr(0, tag.find_first_of("-_"));
  if (primary.size() != 2) return Language::kNone;
  const char lower[2] = {static_cast<char>(primary[0] | 0x20),
                         static_cast<char>(primary[1] | 0x20)};
  for (const Tag& known : kTags) {
    if (known.tag == std::string_view(lower, 2)) return known.language;
  }
  return Language::kNone;
}

AbbreviationKind WordFacts::Abbreviation(LanguageSet languages) const {
  if ((title & languages) != 0) return AbbreviationKind::kTitle;
  if ((number & languages) != 0) return AbbreviationKind::kNumber;
  if ((month & languages) != 0) return AbbreviationKind::kMonth;
  if ((word & languages) != 0) return AbbreviationKind::kWord;
  return AbbreviationKind::kNone;
}

WordFacts FindWord(std::string_view word) {
  static const WordTable* const table = new WordTable();  // never destroyed: used by any thread
  const Entry* entry = table->Find(word);
  return entry == nullptr ? WordFacts() : entry->facts;
}

LanguageSet LanguagesOfScript(char32_t c) {
  if (c < 0x370 || (c >= 0x1E00 && c < 0x1F00)) return kLatinLanguages;
  if (c < 0x400 || (c >= 0x1F00 && c < 0x2000)) return Bit(Language::kGreek);
  if (c < 0x530) return kCyrillicLanguages;
  if (c < 0x590) return Bit(Language::kArmenian);
  if (c < 0x600) return Bit(Language::kHebrew);
  if (c < 0x780) return kArabicScriptLanguages;
  if (c >= 0x900 && c < 0x980) return kDevanagariLanguages;
  if (c >= 0xFB1D && c < 0xFB50) return Bit(Language::kHebrew);
  if (c >= 0xFB50 && c < 0xFF00) return kArabicScriptLanguages;
  if (c >= 0x2E80) return Bit(Language::kChinese) | Bit(Language::kJapanese);
  return 0;
}

}  // namespace penstock::internal
