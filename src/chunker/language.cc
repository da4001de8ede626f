// SPDX-License-Identifier: Apache-2.0
#include "chunker/language.h"

#include <cstddef>
#include <cstring>
#include <vector>

#include "chunker/language_words.h"

namespace penstock::internal {
namespace {

constexpr uint64_t kLowerCase = 0x2020202020202020u;

// A number of all bytes of short words, and of the length and both ends of longer ones; with `fold`
// of the word in lower case. REQUIRES: with `fold`, only ASCII letters and digits.
template <bool fold>
uint64_t Hash(std::string_view word) {
  const char* const p = word.data();
  const size_t n = word.size();
  uint64_t low = 0;
  uint64_t high = 0;
  if (n >= 8) {
    std::memcpy(&low, p, 8);
    std::memcpy(&high, p + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
  } else if (n > 0) {
    low = static_cast<uint8_t>(p[0]) | uint64_t{static_cast<uint8_t>(p[n / 2])} << 8 |
          uint64_t{static_cast<uint8_t>(p[n - 1])} << 16;
  }
  if (fold) {
    const uint64_t bits = n >= 8 ? kLowerCase : n >= 4 ? kLowerCase >> 32 : kLowerCase >> 40;
    low |= bits;
    if (n >= 4) high |= bits;
  }
  uint64_t h = low * 0x9E3779B97F4A7C15u ^ (high + n) * 0xC2B2AE3D27D4EB4Fu;
  h ^= h >> 29;
  return h * 0x9E3779B97F4A7C15u;
}

template <bool fold>
bool Equal(std::string_view known, std::string_view word) {
  if (!fold) return known == word;
  if (known.size() != word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (known[i] != (word[i] | 0x20)) return false;
  }
  return true;
}

// Open addressing, filled once; about 4000 words. Most look-ups are of words that are not there:
// one bit of eight kilobytes says so.
class WordTable {
 public:
  WordTable() : slots_(kSlots), filter_(kFilterBits / 64) {
    entries_.push_back({});
    for (int i = 0; i < kWesternWordsSize; ++i) Add(kWesternWords[i]);
    for (int i = 0; i < kEasternWordsSize; ++i) Add(kEasternWords[i]);
  }

  // Facts of no language where the word is not known.
  template <bool fold>
  const WordFacts& Find(std::string_view word) const {
    const uint64_t hash = Hash<fold>(word);
    if ((filter_[FilterBit(hash) / 64] >> (FilterBit(hash) % 64) & 1) == 0)
      return entries_[0].facts;
    for (size_t i = FirstSlot(hash);; ++i) {
      const Entry& entry = entries_[slots_[i % kSlots]];
      if (slots_[i % kSlots] == 0 || Equal<fold>(entry.word, word)) return entry.facts;
    }
  }

  template <class Use>
  void ForEach(Use use) const {
    for (const Entry& entry : entries_) use(entry.word, entry.facts);
  }

 private:
  struct Entry {
    std::string_view word;
    WordFacts facts;
  };

  static constexpr size_t kSlots = 16384;
  static constexpr size_t kFilterBits = 65536;

  static size_t FirstSlot(uint64_t hash) { return hash >> 50; }
  static size_t FilterBit(uint64_t hash) { return hash >> 34 & (kFilterBits - 1); }

  WordFacts& Slot(std::string_view word) {
    const uint64_t hash = Hash<false>(word);
    filter_[FilterBit(hash) / 64] |= uint64_t{1} << (FilterBit(hash) % 64);
    for (size_t i = FirstSlot(hash);; ++i) {
      uint16_t& slot = slots_[i % kSlots];
      if (slot == 0) {
        slot = static_cast<uint16_t>(entries_.size());
        entries_.push_back({word, {}});
      }
      if (entries_[slot].word == word) return entries_[slot].facts;
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

  std::vector<Entry> entries_;   // [0] stands for every other word
  std::vector<uint16_t> slots_;  // index of an entry; 0: free
  std::vector<uint64_t> filter_;
};

// The function words of up to eight ASCII letters and digits, by their bytes in lower case. Open
// addressing; the empty word is in no list.
class ShortWords {
 public:
  explicit ShortWords(const WordTable& words) : keys_(kSlots), languages_(kSlots) {
    words.ForEach([this](std::string_view word, const WordFacts& facts) {
      const LanguageSet languages = facts.frequent | facts.starter;
      if (word.empty() || word.size() > kShortWord || languages == 0) return;
      for (const char c : word) {
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) return;
      }
      char padded[kShortWord] = {};
      std::memcpy(padded, word.data(), word.size());
      const uint64_t key = Key(padded, word.size());
      size_t i = FirstSlot(key);
      while (keys_[i] != 0) i = (i + 1) % kSlots;
      keys_[i] = key;
      languages_[i] = languages;
    });
  }

  LanguageSet Find(std::string_view word) const {
    const uint64_t key = Key(word.data(), word.size());
    for (size_t i = FirstSlot(key);; i = (i + 1) % kSlots) {
      if (keys_[i] == key) return languages_[i];
      if (keys_[i] == 0) return 0;
    }
  }

 private:
  static constexpr size_t kSlots = 8192;  // some 2000 words

  // Reads eight bytes; those after the word do not count.
  static uint64_t Key(const char* word, size_t size) {
    uint64_t key = 0;
    std::memcpy(&key, word, sizeof(key));
    key |= kLowerCase;
    const unsigned rest = static_cast<unsigned>(8 * (kShortWord - size));
    if (rest == 64) return 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return key << rest;
#else
    return key >> rest;
#endif
  }
  static size_t FirstSlot(uint64_t key) { return (key * 0x9E3779B97F4A7C15u) >> 51; }

  std::vector<uint64_t> keys_;  // 0: free
  std::vector<LanguageSet> languages_;
};

const WordTable& Words() {
  static const WordTable* const table = new WordTable();  // never destroyed: used by any thread
  return *table;
}

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

const WordFacts& FindWord(std::string_view word) { return Words().Find<false>(word); }
const WordFacts& FindAsciiWord(std::string_view word) { return Words().Find<true>(word); }

LanguageSet FunctionWordLanguages(std::string_view word) {
  static const ShortWords* const table = new ShortWords(Words());  // as above
  return table->Find(word);
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
