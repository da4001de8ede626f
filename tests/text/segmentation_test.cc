// SPDX-License-Identifier: Apache-2.0
#include "text/segmentation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "tests/text/segmentation_twin.h"
#include "tests/text/unicode_data.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

template <class Breaker>
std::vector<size_t> BordersOf(const std::u32string& text) {
  Breaker breaker;
  std::vector<size_t> out;
  for (size_t i = 0; i < text.size(); ++i) {
    for (size_t at : breaker.Push(text[i], i)) out.push_back(at);
  }
  for (size_t at : breaker.Finish()) out.push_back(at);
  return out;
}

template <class Twin>
std::vector<size_t> TwinBordersOf(const std::u32string& text, Twin twin) {
  std::vector<size_t> out;
  for (size_t i = 1; i < text.size(); ++i) {
    if (twin(text, i)) out.push_back(i);
  }
  return out;
}

std::string Show(const std::u32string& text) {
  std::string out;
  char buffer[16];
  for (char32_t c : text) {
    std::snprintf(buffer, sizeof buffer, "%04X ", static_cast<unsigned>(c));
    out += buffer;
  }
  return out;
}

// One code point for each combination of values of a property (and of what GB9c and GB11 ask).
template <class Key>
std::u32string Representatives(Key key) {
  std::set<int> seen;
  std::u32string out;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (seen.insert(key(BreaksOf(c))).second) out.push_back(c);
  }
  return out;
}

// Every string of up to `size` characters over the alphabet.
template <class Breaker, class Twin>
void CheckExhaustively(const std::u32string& alphabet, size_t size, Twin twin) {
  for (size_t n = 1; n <= size; ++n) {
    std::vector<size_t> digits(n, 0);
    std::u32string text(n, alphabet[0]);
    for (bool more = true; more;) {
      ASSERT_EQ(BordersOf<Breaker>(text), TwinBordersOf(text, twin)) << Show(text);
      more = false;
      for (size_t i = 0; i < n && !more; ++i) {
        more = ++digits[i] < alphabet.size();
        if (!more) digits[i] = 0;
        text[i] = alphabet[digits[i]];
      }
    }
  }
}

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

// Random strings of up to 40 characters over the alphabet, some letters much more likely.
template <class Breaker, class Twin>
void CheckRandomly(const std::u32string& alphabet, Twin twin) {
  const uint64_t seed = Environment("PENSTOCK_TEST_SEED", 20261122);
  SCOPED_TRACE("PENSTOCK_TEST_SEED=" + std::to_string(seed));
  uint64_t state = seed;
  const auto below = [&](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state >> 33) % n);
  };
  const uint64_t rounds = 40000 * Environment("PENSTOCK_TEST_SCALE", 1);
  for (uint64_t round = 0; round < rounds; ++round) {
    std::u32string text, few;
    for (int i = 0; i < 4; ++i) few.push_back(alphabet[below(alphabet.size())]);
    for (size_t n = below(40); n > 0; --n) {
      text.push_back(below(3) != 0 ? few[below(4)] : alphabet[below(alphabet.size())]);
    }
    ASSERT_EQ(BordersOf<Breaker>(text), TwinBordersOf(text, twin)) << Show(text);
  }
}

std::u32string GraphemeAlphabet() {
  return Representatives(
      [](const BreakRecord& r) { return r.grapheme + 16 * r.conjunct + 64 * r.pictographic; });
}
std::u32string WordAlphabet() {
  return Representatives([](const BreakRecord& r) { return r.word + 32 * r.pictographic; });
}
std::u32string SentenceAlphabet() {
  return Representatives([](const BreakRecord& r) { return r.sentence; });
}

TEST(Segmentation, GraphemesOfAllShortStringsAreThoseOfTheRules) {
  CheckExhaustively<GraphemeBreaker>(GraphemeAlphabet(), 4, TwinGraphemeBreak);
}
TEST(Segmentation, WordsOfAllShortStringsAreThoseOfTheRules) {
  CheckExhaustively<WordBreaker>(WordAlphabet(), 4, TwinWordBreak);
}
TEST(Segmentation, SentencesOfAllShortStringsAreThoseOfTheRules) {
  CheckExhaustively<SentenceBreaker>(SentenceAlphabet(), 4, TwinSentenceBreak);
}
TEST(Segmentation, GraphemesOfRandomStringsAreThoseOfTheRules) {
  CheckRandomly<GraphemeBreaker>(GraphemeAlphabet(), TwinGraphemeBreak);
}
TEST(Segmentation, WordsOfRandomStringsAreThoseOfTheRules) {
  CheckRandomly<WordBreaker>(WordAlphabet(), TwinWordBreak);
}
TEST(Segmentation, SentencesOfRandomStringsAreThoseOfTheRules) {
  CheckRandomly<SentenceBreaker>(SentenceAlphabet(), TwinSentenceBreak);
}

// "÷ 0020 × 0308 ÷ 0020 ÷ # …"
template <class Breaker>
void CheckConformance(const std::string& name, size_t at_least) {
  std::vector<std::string> lines;
  if (!ReadUnicodeData(name, &lines)) GTEST_SKIP() << kNoUnicodeData;
  size_t cases = 0;
  for (const std::string& line : lines) {
    if (line.empty() || line[0] == '#') continue;
    std::u32string text;
    std::vector<size_t> expected;
    bool border = false;
    std::string word;
    for (char c : line.substr(0, line.find('#')) + " ") {
      if (c != ' ' && c != '\t') {
        word.push_back(c);
        continue;
      }
      if (word == "÷" || word == "×") {
        border = word == "÷";
      } else if (!word.empty()) {
        if (border && !text.empty()) expected.push_back(text.size());
        text += ParseCodePoints(word);
      }
      word.clear();
    }
    ASSERT_EQ(BordersOf<Breaker>(text), expected) << line;
    ++cases;
  }
  EXPECT_GE(cases, at_least);
}

TEST(Segmentation, TheGraphemeConformanceFileHolds) {
  CheckConformance<GraphemeBreaker>("GraphemeBreakTest.txt", 602);
}
TEST(Segmentation, TheWordConformanceFileHolds) {
  CheckConformance<WordBreaker>("WordBreakTest.txt", 1823);
}
TEST(Segmentation, TheSentenceConformanceFileHolds) {
  CheckConformance<SentenceBreaker>("SentenceBreakTest.txt", 502);
}

template <class Iterator>
std::vector<std::string> Segments(std::string_view text) {
  std::vector<std::string> out;
  for (Iterator it(text); it.Next();) out.emplace_back(it.segment());
  return out;
}

using Strings = std::vector<std::string>;

TEST(Segmentation, GraphemesKeepMarksFlagsFamiliesAndConjunctsWhole) {
  EXPECT_EQ(Segments<GraphemeIterator>("e\u0301\r\n🇩🇪🇫🇷👩‍👩‍👧क्ष각"),
            (Strings{"e\u0301", "\r\n", "🇩🇪", "🇫🇷", "👩‍👩‍👧", "क्ष", "각"}));
}

TEST(Segmentation, WordsKeepApostrophesNumbersAndUnderscores) {
  EXPECT_EQ(Segments<WordIterator>("can't 3.14, a_b."),
            (Strings{"can't", " ", "3.14", ",", " ", "a_b", "."}));
  EXPECT_EQ(Segments<WordIterator>("end'"), (Strings{"end", "'"}));
}

TEST(Segmentation, SentencesJoinBeforeLowerCaseHoweverFarAway) {
  EXPECT_EQ(Segments<SentenceIterator>("He said 3.5. Then (yes!) he left.\nNew"),
            (Strings{"He said 3.5. ", "Then (yes!) ", "he left.\n", "New"}));
  EXPECT_EQ(Segments<SentenceIterator>("etc. 1 2 3 and more"), (Strings{"etc. 1 2 3 and more"}));
  EXPECT_EQ(Segments<SentenceIterator>("etc. 1 2 3 And"), (Strings{"etc. ", "1 2 3 And"}));
  EXPECT_EQ(Segments<SentenceIterator>("etc. 1 2 3"), (Strings{"etc. ", "1 2 3"}));
}

TEST(Segmentation, SegmentsTileAnyBytes) {
  uint64_t state = 7;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text.push_back(static_cast<char>(state >> 56));
    }
    std::string joined;
    for (const std::string& s : Segments<GraphemeIterator>(text)) joined += s;
    ASSERT_EQ(joined, text);
    joined.clear();
    for (const std::string& s : Segments<WordIterator>(text)) joined += s;
    ASSERT_EQ(joined, text);
    joined.clear();
    for (const std::string& s : Segments<SentenceIterator>(text)) joined += s;
    ASSERT_EQ(joined, text);
  }
  EXPECT_TRUE(Segments<SentenceIterator>("").empty());
}

TEST(Segmentation, ACopyOfABreakerResumesWhereItStood) {
  const std::u32string text = U"a.b 3,4 x. 1 2 y! Z";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    WordBreaker first;
    std::vector<size_t> borders;
    for (size_t i = 0; i < cut; ++i) {
      for (size_t at : first.Push(text[i], i)) borders.push_back(at);
    }
    WordBreaker resumed = first;
    for (size_t i = cut; i < text.size(); ++i) {
      for (size_t at : resumed.Push(text[i], i)) borders.push_back(at);
    }
    for (size_t at : resumed.Finish()) borders.push_back(at);
    EXPECT_EQ(borders, BordersOf<WordBreaker>(text));
  }
}

}  // namespace
}  // namespace penstock::internal
