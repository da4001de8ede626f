// SPDX-License-Identifier: Apache-2.0
//
// Texts that other chunkers have stumbled over: each must keep the invariants, in one piece and as
// a stream; and none may cost more than time in proportion.
#include "tests/chunker/chunk_invariants.h"
#include "tests/chunker/fake_tokenizers.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

std::string Repeat(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

void ExpectSound(const std::string& text, size_t budget = 40) {
  for (const FakeKind kind : AllFakeKinds()) {
    ChunkerOptions options;
    options.max_tokens = budget;
    options.headroom = 1.0;
    const TokenizerPtr tokenizer = MakeFake(kind);
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(tokenizer, options));
    const std::vector<Chunk> chunks = chunker.Split(text);
    ASSERT_TRUE(CheckChunks(text, *tokenizer, chunker, chunks)) << static_cast<int>(kind);
    std::vector<size_t> ends;
    for (size_t i = 0; i < text.size(); i += 1 + i / 64) ends.push_back(i);
    const std::vector<Chunk> streamed = Stream(chunker, text, ends);
    ASSERT_EQ(chunks.size(), streamed.size()) << static_cast<int>(kind);
    for (size_t i = 0; i < chunks.size(); ++i) ASSERT_TRUE(chunks[i] == streamed[i]) << i;
  }
}

TEST(ChunkerFaultTest, OneWordOfManyThousandCharacters) { ExpectSound(Repeat("a", 20000)); }
TEST(ChunkerFaultTest, OneGraphemeOverTheBudget) {
  ExpectSound("e" + Repeat("\u0301", 3000) + " x.");
}
TEST(ChunkerFaultTest, AHeadingAlone) { ExpectSound("# Heading"); }
TEST(ChunkerFaultTest, OnlyHeadings) { ExpectSound(Repeat("# Heading\n\n", 50)); }
TEST(ChunkerFaultTest, AnUnclosedFence) {
  ExpectSound("Text.\n\n```\n" + Repeat("code. More\n", 200));
}
TEST(ChunkerFaultTest, ATableOfThousandsOfTokens) {
  ExpectSound("| a | b |\n|---|---|\n" + Repeat("| one cell | another cell. |\n", 200));
}
TEST(ChunkerFaultTest, NestedLists) { ExpectSound(Repeat("- a\n  - b\n    1. c\n    2. d\n", 60)); }
TEST(ChunkerFaultTest, AbbreviationsAndNumbers) {
  ExpectSound(Repeat("Dr. U.S. e.g. 3.14 v1.2.3 a.m. p.m. Mr. X. No. 5 etc. The end. ", 40));
}
TEST(ChunkerFaultTest, FullWidthMarksAndClosings) {
  ExpectSound(Repeat("真的吗？！」好。』）", 80));
}
TEST(ChunkerFaultTest, TitleMarksWithMarksInside) {
  ExpectSound(Repeat("看《你好！再见》吗？", 80));
}
TEST(ChunkerFaultTest, MixedScriptsWithoutSpaces) {
  ExpectSound(Repeat("用GPT-4写的。OK吗?好!Hello世界.", 60));
}
TEST(ChunkerFaultTest, AllCapitals) {
  ExpectSound(Repeat("THIS IS IT. AND SO ON! REALLY? YES. ", 60));
}
TEST(ChunkerFaultTest, LinesOfAPoem) {
  ExpectSound(Repeat("So much depends\nUpon\nA red wheel\nBarrow\n\n", 40));
}
TEST(ChunkerFaultTest, HtmlEntities) {
  ExpectSound(Repeat("a &amp; b. &lt;p&gt; C &#39;d&#39; e. ", 60));
}
TEST(ChunkerFaultTest, TheBlankLineAtTheVeryEnd) {
  ExpectSound(Repeat("word and ", 3000) + "\n\n");
}
TEST(ChunkerFaultTest, NulAndControlBytes) {
  ExpectSound(Repeat(std::string("a\0b\x01.\x7F C", 8), 60));
}
TEST(ChunkerFaultTest, BytesThatAreNoUtf8) {
  ExpectSound(Repeat("\xFF\xC0\x80\xED\xA0\x80\xF4\x90. \xE4\xB8", 60));
}
TEST(ChunkerFaultTest, ThaiWithoutSpaces) { ExpectSound(Repeat("สวัสดีครับผมชื่อสมชายและ", 60)); }
TEST(ChunkerFaultTest, EmojiSequencesAndFlags) {
  ExpectSound(Repeat("👩‍👩‍👧‍👦🇫🇷🇩🇪👍🏽 ok. ", 60));
}
TEST(ChunkerFaultTest, LoneCarriageReturnsAndLineSeparators) {
  ExpectSound(Repeat("one.\rTwo\u2028three.\u2029Four\r\n\r\n", 50));
}
TEST(ChunkerFaultTest, OnlyWhiteSpace) { ExpectSound(Repeat(" \n\t\r\n ", 1500)); }
TEST(ChunkerFaultTest, OnlyLineEnds) { ExpectSound(Repeat("\n", 5000)); }
TEST(ChunkerFaultTest, OnlySpaces) { ExpectSound(Repeat(" ", 5000)); }
TEST(ChunkerFaultTest, HangulJamoAreNotTornApart) {
  ExpectSound(Repeat("\u1112\u1161\u11AB", 800));
}
TEST(ChunkerFaultTest, AByteOrderMarkInFront) { ExpectSound("\uFEFFHello there. Bye."); }

// Instructions of both sizes are compared by the bench; here only that the large one ends soon.
std::vector<Chunk> SplitLarge(const std::string& text) {
  ChunkerOptions options;
  const TokenizerPtr tokenizer = MakeFake(FakeKind::kSpaceWords);
  const absl::StatusOr<Chunker> chunker = Chunker::Create(tokenizer, options);
  EXPECT_OK(chunker);
  std::vector<Chunk> chunks = chunker->Split(text);
  const ChunkerStats stats = chunker->GetStats();
  // Work in proportion to the text, whatever it is: no stretch is encoded again and again.
  EXPECT_LE(stats.encoded_bytes, 16 * text.size() + (1 << 20));
  size_t end = 0;
  for (const Chunk& c : chunks) {
    EXPECT_EQ(c.core.begin, end);
    EXPECT_LE(c.tokens, 460u);
    end = c.core.end;
  }
  EXPECT_EQ(end, text.size());
  return chunks;
}

TEST(ChunkerFaultTest, AMegabyteWithoutAnyBoundaryIsLinear) { SplitLarge(Repeat("a", 1 << 20)); }
TEST(ChunkerFaultTest, AMegabyteOfStopsIsLinear) { SplitLarge(Repeat(". ", 1 << 19)); }
TEST(ChunkerFaultTest, AHundredThousandBracketsAreLinear) {
  SplitLarge(Repeat("(", 100000) + "x." + Repeat(")", 100000));
  SplitLarge(Repeat("\"a. ", 100000));
  SplitLarge(Repeat("「", 100000));
}
TEST(ChunkerFaultTest, AMegabyteOfDotsIsLinear) { SplitLarge(Repeat(".", 1 << 20)); }
TEST(ChunkerFaultTest, AMegabyteOfCombiningMarksIsLinear) {
  SplitLarge("e" + Repeat("\u0301", 1 << 19));
}

}  // namespace
}  // namespace penstock
