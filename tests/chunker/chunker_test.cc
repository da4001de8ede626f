// SPDX-License-Identifier: Apache-2.0
//
// The door: options, the manual's examples, overlap, packing, headings, scorer, statistics.
#include "penstock/chunker.h"

#include <cmath>

#include "tests/chunker/chunk_invariants.h"
#include "tests/chunker/fake_tokenizers.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

ChunkerOptions Budget(size_t tokens) {
  ChunkerOptions options;
  options.max_tokens = tokens;
  options.headroom = 1.0;
  return options;
}

Chunker Make(FakeKind kind, const ChunkerOptions& options) {
  absl::StatusOr<Chunker> chunker = Chunker::Create(MakeFake(kind), options);
  EXPECT_OK(chunker);
  return *std::move(chunker);
}

std::vector<std::string> Cores(const Chunker& chunker, std::string_view text) {
  std::vector<std::string> cores;
  for (const Chunk& c : chunker.Split(text)) cores.emplace_back(c.core.In(text));
  return cores;
}

void ExpectRefused(const ChunkerOptions& options, const std::string& what) {
  EXPECT_THAT(Chunker::Create(MakeFake(FakeKind::kBytes), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)));
}

TEST(ChunkerOptionsTest, DefaultsLeaveTenPercentOf512) {
  EXPECT_EQ(ChunkerOptions().UsableTokens(), 460u);
  ChunkerOptions options;
  options.max_tokens = 10;
  EXPECT_EQ(options.UsableTokens(), 9u);
}

TEST(ChunkerOptionsTest, WhatContradictsItselfIsRefusedByName) {
  ExpectRefused(Budget(0), "max_tokens is 0");
  ChunkerOptions o = Budget(100);
  o.headroom = 1.5;
  ExpectRefused(o, "headroom is 1.5");
  o = Budget(100);
  o.headroom = std::nan("");
  ExpectRefused(o, "headroom is nan");
  o = Budget(100);
  o.min_fill = -1;
  ExpectRefused(o, "min_fill is -1");
  o = Budget(4);
  o.reserved_tokens = 8;
  ExpectRefused(o, "reserves 8 of 4 usable tokens");
  o = Budget(100);
  o.overlap_tokens = 100;
  ExpectRefused(o, "overlap_tokens is 100, expected less than the 100 tokens");
  o = Budget(100);
  o.overlap_units = 1;
  ExpectRefused(o, "overlap_units is 1 and overlap_tokens is 0");
  o = Budget(100);
  o.overlap_unit = Unit::kWord;
  ExpectRefused(o, "overlap_unit is word");
  o = Budget(100);
  o.balanced_multiple = 2;
  ExpectRefused(o, "balanced_multiple is 2");
  o = Budget(100);
  o.language = "klingon";
  ExpectRefused(o, "language is \"klingon\"");
  EXPECT_THAT(Chunker::Create(nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tokenizer is null")));
}

TEST(ChunkerOptionsTest, ABudgetBelowTheCostliestCodePointIsRefusedAndNamesIt) {
  EXPECT_THAT(Chunker::Create(MakeFake(FakeKind::kBytes), Budget(3)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("3 tokens are left for text"), HasSubstr("costs 4"))));
  EXPECT_OK(Chunker::Create(MakeFake(FakeKind::kBytes), Budget(4)));
}

TEST(ChunkerTest, TheManualsExampleOfOverlapHolds) {
  ChunkerOptions options = Budget(15);
  options.packing = Packing::kGreedy;
  options.overlap_tokens = 8;
  const Chunker chunker = Make(FakeKind::kBytes, options);
  const std::string text = "One. Two. Three. Four.";
  const std::vector<Chunk> chunks = chunker.Split(text);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[1].core.In(text), " Three.");
  EXPECT_EQ(chunks[1].extent.In(text), " Two. Three.");
  EXPECT_EQ(chunks[1].text.In(text), "Two. Three.");
  EXPECT_EQ(chunks[2].cut, Unit::kDocument);
}

TEST(ChunkerTest, AnEmptyTextHasNoChunk) {
  EXPECT_TRUE(Make(FakeKind::kBytes, Budget(10)).Split("").empty());
}

TEST(ChunkerTest, WhiteSpaceOnlyIsAChunkWithAnEmptyDisplayRange) {
  const std::vector<Chunk> chunks = Make(FakeKind::kBytes, Budget(10)).Split("  \n ");
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_TRUE(chunks[0].text.empty());
  EXPECT_EQ(chunks[0].core, (ByteRange{0, 4}));
}

TEST(ChunkerTest, ReservedTokensCountInEveryChunk) {
  ChunkerOptions options = Budget(30);
  options.reserved_tokens = 10;
  const Chunker chunker = Make(FakeKind::kBytes, options);
  EXPECT_EQ(chunker.budget_tokens(), 20u);
  for (const Chunk& c : chunker.Split("One two three. Four five six. Seven.")) {
    EXPECT_EQ(c.tokens, c.ids.size() + 10);
    EXPECT_LE(c.tokens, 30u);
  }
}

TEST(ChunkerTest, LookaheadPrefersTheParagraphOnceFilledEnough) {
  const std::string text = "One two three. Four five.\n\nSix seven. Eight nine ten.";
  ChunkerOptions options = Budget(40);
  EXPECT_THAT(Cores(Make(FakeKind::kBytes, options), text),
              ElementsAre("One two three. Four five.\n\n", "Six seven. Eight nine ten."));
  options.packing = Packing::kGreedy;
  EXPECT_THAT(Cores(Make(FakeKind::kBytes, options), text),
              ElementsAre("One two three. Four five.\n\nSix seven.", " Eight nine ten."));
}

TEST(ChunkerTest, AHeadingGoesWithWhatItHeads) {
  const std::string text = "Intro one two three.\n\n# Part\n\nBody of the part here.";
  const Chunker chunker = Make(FakeKind::kBytes, Budget(34));
  const std::vector<Chunk> chunks = chunker.Split(text);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].cut, Unit::kHeading);
  EXPECT_TRUE(chunks[0].headings.empty());
  EXPECT_THAT(chunks[1].headings, ElementsAre("Part"));
}

TEST(ChunkerTest, HeadingsAreBreadcrumbsOutermostFirst) {
  const std::string text =
      "# A\n\nText a.\n\n## B ##\n\nText b is long. Text b goes on.\n\n"
      "C\n---\n\nText c.\n\n# D\n\nText d.";
  const Chunker chunker = Make(FakeKind::kBytes, Budget(24));
  std::vector<std::string> crumbs;
  for (const Chunk& c : chunker.Split(text)) {
    std::string joined;
    for (const std::string& h : c.headings) joined += "/" + h;
    crumbs.push_back(joined);
  }
  EXPECT_THAT(crumbs, testing::IsSupersetOf({"/A", "/A/B", "/A/C", "/D"}));
}

TEST(ChunkerTest, AFenceIsNotCutUnlessItIsTooLargeAndThenAtLines) {
  const std::string fence = "```\nfirst line\n\nsecond line\n```\n";
  const std::string text = "Before it all.\n\n" + fence + "\nAfter it all.";
  for (const Chunk& c : Make(FakeKind::kBytes, Budget(40)).Split(text)) {
    const std::string core(c.core.In(text));
    EXPECT_TRUE(core.find("first") == std::string::npos || core.find("second") != core.npos)
        << core;
  }
  for (const Chunk& c : Make(FakeKind::kBytes, Budget(20)).Split(text)) {
    const char end = text[c.core.end - 1];
    EXPECT_TRUE(end == '\n' || end == '.') << c.core.In(text);
  }
}

TEST(ChunkerTest, AnUnclosedFenceRunsToTheEnd) {
  const std::string text = "Text.\n\n```\nif (a.b) c. D\nelse. F\n";
  for (const Boundary& b : FindBoundaries(text, {})) {
    EXPECT_TRUE(b.byte <= 7 || b.byte == text.size()) << b.byte;
  }
}

TEST(ChunkerTest, RechunkingAChunkGivesItself) {
  const Chunker chunker = Make(FakeKind::kSpaceWords, Budget(24));
  const std::string text =
      "The cat sat on the mat. Then it left. Nobody knew why. It was late.\n\nAnother day came.";
  for (const Chunk& c : chunker.Split(text)) {
    EXPECT_THAT(Cores(chunker, c.core.In(text)), ElementsAre(std::string(c.core.In(text))));
  }
}

TEST(ChunkerTest, AppendedTextChangesAtMostTheLastChunks) {
  const Chunker chunker = Make(FakeKind::kSpaceWords, Budget(24));
  std::string text;
  std::vector<Chunk> before;
  for (int i = 0; i < 60; ++i) {
    text += "Sentence number " + std::to_string(i) + " stands here. ";
    const std::vector<Chunk> now = chunker.Split(text);
    for (size_t k = 0; k + 2 < before.size(); ++k) EXPECT_TRUE(before[k] == now[k]) << k;
    before = now;
  }
}

TEST(ChunkerTest, LineEndsOfEitherKindCutAtTheSamePlaces) {
  const std::string text = "One two.\nThree four.\n\n- item one\n- item two\n\nFive six seven.\n";
  std::string dos;
  for (const char c : text) dos += c == '\n' ? "\r\n" : std::string(1, c);
  std::vector<std::string> unix_sentences, dos_sentences;
  for (const ByteRange s : SplitSentences(text, {})) unix_sentences.emplace_back(s.In(text));
  for (const ByteRange s : SplitSentences(dos, {})) dos_sentences.emplace_back(s.In(dos));
  EXPECT_EQ(unix_sentences, dos_sentences);
}

TEST(ChunkerTest, InvalidBytesDoNotMoveFarCuts) {
  const Chunker chunker = Make(FakeKind::kBytes, Budget(40));
  std::string text;
  for (int i = 0; i < 40; ++i) text += "Sentence " + std::to_string(i % 10) + " is here.\n\n";
  std::string bad = text;
  bad[3] = '\xFF';
  const std::vector<Chunk> a = chunker.Split(text), b = chunker.Split(bad);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 1; i < a.size(); ++i) EXPECT_EQ(a[i].core, b[i].core);
}

class Favourite final : public BoundaryScorer {
 public:
  void Score(absl::Span<const BoundaryContext> contexts,
             absl::Span<uint8_t> scores) const override {
    for (size_t i = 0; i < contexts.size(); ++i) {
      const std::string_view after = contexts[i].after;
      scores[i] = after.substr(0, 4) == "Here" ? 255 : 0;
    }
  }
};

TEST(ChunkerTest, AScorerMovesCutsToTheBoundariesItLikes) {
  ChunkerOptions options = Budget(40);
  options.min_fill = 0.1;
  options.scorer = std::make_shared<Favourite>();
  const std::string text = "One two three four. Here we go five six. Seven. Eight nine ten eleven.";
  const std::vector<std::string> cores = Cores(Make(FakeKind::kBytes, options), text);
  const Chunker chunker = Make(FakeKind::kBytes, options);
  EXPECT_TRUE(CheckChunks(text, *MakeFake(FakeKind::kBytes), chunker, chunker.Split(text)));
  std::vector<size_t> ends;
  for (size_t i = 1; i < text.size(); ++i) ends.push_back(i);
  const std::vector<Chunk> streamed = Stream(chunker, text, ends);
  ASSERT_EQ(streamed.size(), cores.size());
}

TEST(ChunkerTest, StatisticsCountWhatWasDone) {
  const Chunker chunker = Make(FakeKind::kSpaceWords, Budget(24));
  const std::string text = "The cat sat on the mat. Then it left. Nobody knew why. It was late.";
  const std::vector<Chunk> chunks = chunker.Split(text);
  const ChunkerStats stats = chunker.GetStats();
  EXPECT_EQ(stats.texts, 1u);
  EXPECT_EQ(stats.bytes, text.size());
  EXPECT_EQ(stats.chunks, chunks.size());
  EXPECT_EQ(stats.sliced_chunks, chunks.size());
  EXPECT_EQ(stats.encoded_bytes, text.size());
}

TEST(ChunkStreamTest, AppendAfterFinishIsRefused) {
  const Chunker chunker = Make(FakeKind::kBytes, Budget(10));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(ChunkStream stream, chunker.NewStream());
  stream.Finish();
  stream.Finish();
  EXPECT_THAT(stream.Append("x"), StatusIs(absl::StatusCode::kFailedPrecondition));
  Chunk chunk;
  EXPECT_FALSE(stream.Next(&chunk, nullptr));
}

TEST(ChunkStreamTest, HoldsAFewChunksHoweverLongTheText) {
  const Chunker chunker = Make(FakeKind::kSpaceWords, Budget(100));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(ChunkStream stream, chunker.NewStream());
  Chunk chunk;
  size_t most = 0, chunks = 0;
  for (int i = 0; i < 20000; ++i) {
    ASSERT_OK(stream.Append("A sentence of some words. "));
    while (stream.Next(&chunk, nullptr)) ++chunks;
    most = std::max(most, stream.held_bytes());
  }
  EXPECT_GT(chunks, 1000u);
  EXPECT_LT(most, 4096u);
}

TEST(ChunkStreamTest, HoldsLittleMoreThanItsLimitWhereTheTextHasNoBoundary) {
  const Chunker chunker = Make(FakeKind::kBytes, Budget(100));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(ChunkStream stream, chunker.NewStream());
  Chunk chunk;
  size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_OK(stream.Append(std::string(1000, 'a')));
    while (stream.Next(&chunk, nullptr)) {
    }
    most = std::max(most, stream.held_bytes());
  }
  EXPECT_LT(most, 2 * ((64u << 10) + 16 * 100 + 4096));
}

TEST(ChunkStreamTest, OutlivesItsChunker) {
  absl::StatusOr<ChunkStream> stream = Make(FakeKind::kBytes, Budget(10)).NewStream();
  ASSERT_OK(stream);
  ASSERT_OK(stream->Append("One. Two. Three."));
  stream->Finish();
  Chunk chunk;
  EXPECT_TRUE(stream->Next(&chunk, nullptr));
}

}  // namespace
}  // namespace penstock
