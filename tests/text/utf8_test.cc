// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/utf8_oracle.h"

namespace penstock::internal {
namespace {

// Bytes at which some row of Table 3-7 begins or ends, and their neighbours.
const int kBorders[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                        0xC0, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xFF};

std::string Bytes(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

// Returns false and explains on the first difference, so that a sweep of millions does not print
// millions.
bool AgreesWithOracle(const std::string& text) {
  const DecodedChar c = DecodeUtf8(text, 0);
  const OracleChar expected = OracleDecode(text, 0);
  bool same = c.size == expected.size && c.valid == expected.valid;
  if (c.valid) {
    std::string again;
    AppendUtf8(c.code_point, &again);
    same = same && again == text.substr(0, c.size);
  } else {
    same = same && c.code_point == kReplacementChar;
  }
  if (!same) {
    ADD_FAILURE() << "size " << int{c.size} << " valid " << c.valid << ", expected "
                  << expected.size << " " << expected.valid << " for "
                  << testing::PrintToString(text);
  }
  return same;
}

TEST(Utf8ExhaustiveTest, EveryOneTwoAndThreeByteSequenceDecodesAsTable37Says) {
  for (int a = 0; a < 256; ++a) {
    ASSERT_TRUE(AgreesWithOracle(Bytes({a})));
    for (int b = 0; b < 256; ++b) {
      ASSERT_TRUE(AgreesWithOracle(Bytes({a, b})));
      for (int c : kBorders) ASSERT_TRUE(AgreesWithOracle(Bytes({a, b, c})));
    }
  }
}

TEST(Utf8ExhaustiveTest, FourByteSequencesOfEveryLeadDecodeAsTable37Says) {
  for (int a = 0xC0; a < 256; ++a) {
    for (int b = 0x70; b < 0xD0; ++b) {
      for (int c : kBorders) {
        for (int d : kBorders) ASSERT_TRUE(AgreesWithOracle(Bytes({a, b, c, d})));
      }
    }
  }
}

TEST(Utf8ExhaustiveTest, EveryScalarValueSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= kMaxCodePoint; ++c) {
    std::string text;
    AppendUtf8(c, &text);
    const DecodedChar back = DecodeUtf8(text, 0);
    ASSERT_TRUE(back.valid);
    ASSERT_EQ(back.size, text.size());
    ASSERT_EQ(back.code_point, IsScalarValue(c) ? c : kReplacementChar);
    ASSERT_EQ(Utf8Size(back.code_point), text.size());
  }
}

TEST(Utf8Test, WhatIsNoScalarValueIsAppendedAsTheReplacementCharacter) {
  for (char32_t c :
       {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    AppendUtf8(c, &text);
    EXPECT_EQ(text, "\uFFFD");
  }
}

TEST(Utf8Test, MaximalSubpartsAreReplacedAsInTheStandardsExamples) {
  // Unicode 15, section 3.9: Tables 3-8, 3-9, 3-10, 3-11.
  EXPECT_EQ(ReplaceInvalidUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(ReplaceInvalidUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41");
  EXPECT_EQ(ReplaceInvalidUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\x41\uFFFD\uFFFD\x42");
  EXPECT_EQ(ReplaceInvalidUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\x41");
}

TEST(Utf8Test, TheValidPrefixEndsAtTheFirstBadByteWhereverItStands) {
  for (size_t size = 0; size <= 40; ++size) {
    const std::string good(size, 'a');
    EXPECT_EQ(ValidUtf8Prefix(good), size);
    for (size_t bad = 0; bad < size; ++bad) {
      std::string text = good;
      text[bad] = '\xFF';
      EXPECT_EQ(ValidUtf8Prefix(text), bad);
    }
  }
}

TEST(Utf8Test, AnIncompleteSuffixIsWhatMoreBytesCouldComplete) {
  EXPECT_EQ(IncompleteUtf8Suffix(""), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("a"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE4"), 1u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE4\xB8"), 2u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xE4\xB8\x96"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(IncompleteUtf8Suffix("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("a\xFF"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("\xED\xA0"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("\x80\x80"), 0u);
}

TEST(Utf8ExhaustiveTest, ASuffixIsIncompleteExactlyWhenSomeContinuationMakesItValid) {
  for (int a : kBorders) {
    for (int b : kBorders) {
      for (int c : kBorders) {
        const std::string text = Bytes({a, b, c});
        size_t expected = 0;
        for (size_t back = 1; back <= 3; ++back) {
          const std::string tail = text.substr(3 - back);
          bool completes = false;
          for (const std::string& more :
               {Bytes({0x80}), Bytes({0x80, 0x80}), Bytes({0x80, 0x80, 0x80}), Bytes({0xA0, 0x80}),
                Bytes({0x90, 0x80, 0x80})}) {
            const OracleChar whole = OracleDecode(tail + more, 0);
            completes = completes || (whole.valid && whole.size == tail.size() + more.size());
          }
          if (completes) expected = back;
        }
        ASSERT_EQ(IncompleteUtf8Suffix(text), expected) << testing::PrintToString(text);
      }
    }
  }
}

TEST(Utf8RandomTest, ReplacementAgreesWithTheSlowTwinAndIsIdempotent) {
  SeededRandom random;
  const std::vector<std::string> parts = {
      "a",        "hello wo", "\x7F",         "\xC3\xA9", "\xE4\xB8\x96", "\xF0\x9F\x98\x80",
      "\xE4\xB8", "\x80",     "\xED\xA0\x80", "\xF0\x9F", "\xF4\x90",     "\xFF"};
  for (size_t round = 0; round < Scaled(20000); ++round) {
    std::string text;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      if (random.OneIn(8)) {
        text.push_back(static_cast<char>(random.Below(256)));
      } else {
        text += parts[random.Below(parts.size())];
      }
    }
    const std::string replaced = ReplaceInvalidUtf8(text);
    ASSERT_EQ(replaced, OracleReplace(text));
    ASSERT_TRUE(IsValidUtf8(replaced));
    ASSERT_EQ(ReplaceInvalidUtf8(replaced), replaced);
    ASSERT_EQ(IsValidUtf8(text), replaced == text);
  }
}

}  // namespace
}  // namespace penstock::internal
