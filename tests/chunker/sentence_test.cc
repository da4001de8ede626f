// SPDX-License-Identifier: Apache-2.0
//
// Sentence ends, one promise a test; and UAX #29's own file.
#include <sstream>

#include "penstock/chunker/boundary.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "text/utf8.h"

namespace penstock {
namespace {

using testing::ElementsAre;

std::vector<std::string> Sentences(std::string_view text, const std::string& language = "") {
  BoundaryOptions options;
  options.language = language;
  std::vector<std::string> sentences;
  for (const ByteRange s : SplitSentences(text, options)) sentences.emplace_back(s.In(text));
  return sentences;
}

// `expected` joined by spaces (or nothing) must come apart again.
void Expect(const std::string& language, const std::vector<std::string>& expected,
            const char* joint = " ") {
  std::string text;
  for (const std::string& s : expected) text += (text.empty() ? "" : joint) + s;
  EXPECT_EQ(Sentences(text, language), expected);
}

TEST(SentenceTest, TheManualsExampleHolds) {
  EXPECT_THAT(FindBoundaries("Dr. Wu is in. Come at 3 p.m.\n\nBye.", {}),
              ElementsAre(testing::Field(&Boundary::byte, 14), testing::Field(&Boundary::byte, 30),
                          testing::Field(&Boundary::byte, 34)));
  Expect("", {"今天天气很好。", "我们去公园！"}, "");
  EXPECT_TRUE(SplitSentences("", {}).empty());
}

TEST(SentenceTest, TitlesAndInitialsEndNothing) {
  Expect("en", {"Dr. J. P. Brown met Mrs. Lee vs. Prof. X.", "They talked."});
}
TEST(SentenceTest, AnAbbreviationMayEndASentenceBeforeAStarter) {
  Expect("en", {"He works at Acme Inc.", "The pay is good."});
  Expect("en", {"We saw Acme Inc. Tower."});
}
TEST(SentenceTest, NumbersKeepTheirPoints) {
  Expect("en", {"It is 3.14, v1.2.3, $1,000.50 or 10.0.0.1.", "See no. 5 at 10.30."});
}
TEST(SentenceTest, AddressesAndFileNamesKeepTheirPoints) {
  Expect("en", {"Ask me@example.com or http://a.org/b.c?d=e.", "Read README.md.", "Done."});
}
TEST(SentenceTest, AQuotationIsNotCut) {
  Expect("en", {"She said, \"Go home. It is late.\" and left.", "He stayed."});
  Expect("de", {"„Geh heim. Es ist spät.“, sagte sie.", "Er blieb."});
  Expect("fr", {"Il dit : « Partez. Vite ! » puis sortit.", "Elle resta."});
}
TEST(SentenceTest, ASmallLetterGoesOn) {
  Expect("en", {"The exclamation Yahoo! is a name.", "He asked what? and left."});
}
TEST(SentenceTest, WhoBeginsSmallGoesOnSmall) {
  Expect("en",
         {"the food is mediocre at best.", "the waitress left.", "would you go?", "i would."});
  Expect("en", {"It was e.g. the dog. and so on.", "He left the house. the end is open."});
  Expect("en", {"- approx. five eggs. and milk."});
  Expect("en", {"iPhone sales grew this year. and so on."});
}
TEST(SentenceTest, TwoCommasOpenAQuotation) {
  Expect("nl", {"Hij wilde van geen verwijt weten.", ",, Het paard heeft alles gegeven."});
}
TEST(SentenceTest, ADetachedCloserBelongsToTheSentenceBefore) {
  Expect("en", {"We fly the next day. )", "Hop onto the bus.", "It was late. ''"});
}
TEST(SentenceTest, AnEllipsisGoesOnOrEnds) {
  Expect("en", {"Well... maybe.", "I think... I know.", "It ended....", "She left."});
}
TEST(SentenceTest, AnOmissionInBracketsEndsNothing) {
  Expect("en", {"\"He [...] said so [...]\" (Smith 55).", "Yes."});
}
TEST(SentenceTest, InlineListsComeApart) {
  Expect("en", {"1. First thing", "2. Second thing", "3. Third thing"});
  Expect("en", {"a) one", "b) two", "c) three"});
  Expect("en", {"• one", "• two"});
}
TEST(SentenceTest, BracketsHoldSentences) {
  Expect("en", {"He teaches (He worked before.) at school.", "(It was late.)", "We left."});
}
TEST(SentenceTest, ReferencesBelongToTheSentenceBefore) {
  Expect("en", {"Water is wet.[1][2]", "It is known.[3]", "Ice is not."});
}
TEST(SentenceTest, ChineseQuotationsAndTitlesStayWhole) {
  Expect("zh", {"他说：“我来了。你好吗？”", "然后离开。"}, "");
  Expect("zh", {"我们看《摔跤吧！爸爸》好吗？", "好！"}, "");
  Expect("zh", {"“走吧。”他说。", "她走了。"}, "");
}
TEST(SentenceTest, JapaneseQuotationsGoOnWithAParticle) {
  Expect("ja", {"「はい。そうです。」と言った。", "彼は帰った。"}, "");
}
TEST(SentenceTest, OrdinalsInGermanEndNothing) {
  Expect("de", {"Am 3. Oktober und im 19. Jahrhundert, z. B. dort.", "Der Rest ist bekannt."});
}
TEST(SentenceTest, ReversedGuillemetsQuote) { Expect("de", {"»Ja?«", "»Nein. Geh.«", "Er ging."}); }
TEST(SentenceTest, ScriptsWithTheirOwnFullStops) {
  Expect("hi", {"यह एक वाक्य है।", "यह दूसरा है।"});
  Expect("ur", {"یہ ایک ہے۔", "کیا حال ہے؟", "ٹھیک۔"});
  Expect("ar", {"ماذا حدث؟", "لا شيء."});
  Expect("hy", {"Ինչ է սա։", "Ոչինչ:", "Լավ։"});
  Expect("el", {"Πού είναι;", "Εδώ είναι."});
  Expect("am", {"እንደምን አለህ፧", "መልካም ቀን።", "ጥሩ።"});
  Expect("my", {"ခင္ဗ်ားနာမည္။", "၇ွင္ေနေကာင္းလား။"}, "");
  Expect("km", {"នេះជាប្រយោគ។", "នេះទៀត។"});
  Expect("bn", {"এটি একটি বাক্য।", "এটি আরেকটি।"});
}
TEST(SentenceTest, RussianAbbreviationsEndNothing) {
  Expect("ru", {"В 1990 г. Москва росла, т. е. менялась.", "Это было давно."});
}
TEST(SentenceTest, TheLanguageIsFoundFromTheWords) {
  Expect("", {"Der Mann kam am 3. Oktober und das war nicht gut.", "Die Frau blieb."});
  Expect("", {"El Sr. García y la Sra. López no están en casa.", "Vuelven mañana."});
}
TEST(SentenceTest, WrappedLinesRunOn) {
  EXPECT_EQ(Sentences("This is a line that was\nwrapped by a machine. Next.").size(), 2u);
}
TEST(SentenceTest, ShortLinesAreLines) {
  EXPECT_EQ(Sentences("Roses are red\nViolets are blue\nSugar is sweet").size(), 3u);
}
TEST(SentenceTest, ComposedAndDecomposedTextHaveAsManySentences) {
  EXPECT_EQ(Sentences("\u00C9l vino. \u00C9sta no. \u00BFQu\u00E9?", "es").size(),
            Sentences("E\u0301l vino. E\u0301sta no. \u00BFQue\u0301?", "es").size());
}
TEST(SentenceTest, ALanguageTagMustBeWellFormed) {
  BoundaryOptions options;
  for (const char* const good : {"", "en", "pt-BR", "zh-Hant-TW", "fil"}) {
    options.language = good;
    EXPECT_OK(options.Validate()) << good;
  }
  for (const char* const bad : {"english", "e", "en-", "1a", "en US"}) {
    options.language = bad;
    EXPECT_FALSE(options.Validate().ok()) << bad;
  }
}

TEST(SentenceTest, DefaultRulesPassSentenceBreakTest) {
  PENSTOCK_TEST_DATA_OR_SKIP(path, "unicode/SentenceBreakTest.txt.gz");
  std::istringstream lines(ReadTestFile(path));
  size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find('#'));
    std::istringstream fields(line);
    std::string text;
    std::vector<size_t> expected;
    for (std::string field; fields >> field;) {
      if (field == "÷") {
        if (!text.empty()) expected.push_back(text.size());
      } else if (field != "×") {
        internal::AppendUtf8(static_cast<char32_t>(std::stoul(field, nullptr, 16)), &text);
      }
    }
    if (text.empty()) continue;
    ++rows;
    BoundaryOptions options;
    options.rules = SentenceRules::kUax29;
    std::vector<size_t> found;
    for (const Boundary& b : FindBoundaries(text, options)) found.push_back(b.byte);
    EXPECT_EQ(found, expected) << line;
  }
  EXPECT_GT(rows, 500u);
}

}  // namespace
}  // namespace penstock
