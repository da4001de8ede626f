// SPDX-License-Identifier: Apache-2.0
#include "chunker/scan.h"

#include "chunker/char_class.h"
#include "tests/chunker/random_document.h"

namespace penstock::internal {
namespace {

std::string RandomBytes(SeededRandom& random, size_t size) {
  std::string text;
  while (text.size() < size) {
    // Mostly bytes that matter, so that pairs form.
    static constexpr std::string_view kHot =
        "ab .!?\"'()[]{}|:;\n\r\xC2\x85\xAB\xBB\xE2\x80\x81\xE3\xEF\xBC\xBD\xD8\x9F\xE1\x9F\xA5";
    text +=
        random.OneIn(3) ? static_cast<char>(random.Below(256)) : kHot[random.Below(kHot.size())];
  }
  return text;
}

TEST(ScanTest, AgreesWithThePortableDefinitionAtEveryPlace) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(300); ++round) {
    const std::string text =
        random.OneIn(2) ? RandomBytes(random, random.Below(200)) : RandomDocument(random, 8);
    EventScanner scanner(text);
    for (size_t i = 0; i <= text.size(); ++i) {
      const size_t expected = FindEventPortable(text, i);
      ASSERT_EQ(FindEvent(text, i), expected) << i;
      ASSERT_EQ(scanner.Next(i), expected) << i;
    }
  }
}

TEST(ScanTest, AScannerMayJumpBackAndForth) {
  SeededRandom random;
  const std::string text = RandomBytes(random, 1000);
  EventScanner scanner(text);
  for (size_t round = 0; round < 2000; ++round) {
    const size_t i = random.Below(text.size() + 1);
    ASSERT_EQ(scanner.Next(i), FindEventPortable(text, i));
  }
}

TEST(ScanTest, ARunOfLettersAndDigitsEndsWhereItShould) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(2000); ++round) {
    std::string text = RandomBytes(random, kAsciiRun);
    for (char& c : text) {
      static constexpr std::string_view kEdges = "azAZ09msQ5";
      if (!random.OneIn(8)) c = kEdges[random.Below(kEdges.size())];
    }
    size_t expected = 0;
    while (expected < kAsciiRun && IsAsciiLetterOrDigit(text[expected])) ++expected;
    ASSERT_EQ(AsciiRun(text, 0), expected);
  }
}

TEST(ScanTest, PlainWordsAreNoEvents) { EXPECT_EQ(FindEvent("plain words, more. Next", 0), 17u); }

}  // namespace
}  // namespace penstock::internal
