// SPDX-License-Identifier: Apache-2.0
//
// Promises of Tokenizer that every format shares: provenance, seams, offsets, truncation, decoding.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/tiny_files.h"

namespace penstock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<TokenId> Ids(const Tokenizer& t, absl::Span<const Segment> segments,
                         const EncodeOptions& options = {}) {
  const absl::StatusOr<Encoding> e = t.Encode(segments, options);
  EXPECT_OK(e);
  return e.ok() ? e->ids : std::vector<TokenId>();
}

bool HasControl(const Tokenizer& t, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    if (t.vocabulary().IsControl(id)) return true;
  }
  return false;
}

TEST(SegmentTest, ControlTokensAreFoundInTrustedSegmentsOnly) {
  const TokenizerPtr t = TinyRankTokenizer();
  EXPECT_THAT(Ids(*t, {Trusted("<|user|>")}), ElementsAre(1000));
  EXPECT_FALSE(HasControl(*t, Ids(*t, {Untrusted("<|user|>")})));
  EXPECT_FALSE(HasControl(*t, t->EncodeIds("<|user|><|end|>")));
  EXPECT_THAT(Ids(*t, {Trusted("<|user|>"), Untrusted("<|user|>"), Trusted("<|end|>")}),
              testing::AllOf(Contains(1000).Times(1), Contains(1001).Times(1)));
}

TEST(SegmentTest, NoControlTokenStraddlesASeam) {
  const TokenizerPtr t = TinyRankTokenizer();
  const std::string token = "<|user|>";
  for (size_t cut = 1; cut < token.size(); ++cut) {
    const std::string a = token.substr(0, cut);
    const std::string b = token.substr(cut);
    EXPECT_FALSE(HasControl(*t, Ids(*t, {Trusted(a), Trusted(b)}))) << cut;
    EXPECT_FALSE(HasControl(*t, Ids(*t, {Trusted(a), Untrusted(b)}))) << cut;
    EXPECT_FALSE(HasControl(*t, Ids(*t, {Untrusted(a), Trusted(b)}))) << cut;
  }
  // The longest token would straddle; the one inside the trusted segment is found.
  EXPECT_THAT(Ids(*t, {Trusted("<|user|>"), Untrusted("<|")}), Contains(1000));
  EXPECT_THAT(Ids(*t, {Trusted("<|user|><|")}), ElementsAre(1002));
}

TEST(SegmentTest, PlainTextOverSeamsGivesTheIdsOfTheConcatenation) {
  const TokenizerPtr tokenizers[] = {TinyRankTokenizer(), TinyJsonTokenizer()};
  SeededRandom random;
  const std::string alphabet[] = {"a", "b",    " ", "    ",         "the", "\n",
                                  "é", "word", "1", "\xE4\xB8\xAD", "<"};
  for (const TokenizerPtr& t : tokenizers) {
    for (size_t i = 0; i < Scaled(500); ++i) {
      std::string text;
      for (size_t n = random.Below(12); n > 0; --n) text += alphabet[random.Below(11)];
      std::vector<std::string> parts(1);
      for (const char c : text) {
        if (random.OneIn(4)) parts.emplace_back();
        parts.back().push_back(c);
      }
      std::vector<Segment> segments;
      for (const std::string& p : parts) segments.push_back(Untrusted(p));
      EXPECT_EQ(Ids(*t, segments), t->EncodeIds(text)) << text;
    }
  }
}

TEST(SegmentTest, ContentTokensAreFoundEverywhere) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EXPECT_THAT(t->EncodeIds("a    b"), ElementsAre(0, 49, 1));
  EXPECT_THAT(Ids(*t, {Untrusted("a  "), Untrusted("  b")}), ElementsAre(0, 49, 1));
}

TEST(SegmentTest, TheCallerMayNameContentTokens) {
  LoadOptions options;
  options.content_tokens = {"word"};
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const TokenizerPtr t, ParseTokenizer(TinyJson(), "tiny", options));
  EXPECT_THAT(t->EncodeIds("a word"), Contains(52));
  EXPECT_NE(t->fingerprint(), TinyJsonTokenizer()->fingerprint());
  options.content_tokens = {"no such token"};
  EXPECT_THAT(ParseTokenizer(TinyJson(), "tiny", options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no such token")));
}

TEST(SegmentTest, NormalizationCannotMakeAControlToken) {
  const TokenizerPtr t = TinyJsonTokenizer();
  // Full-width and upper case: NFKC and lowercase spell <eot>, which is matched in normalized text.
  const std::string wide =
      "\xEF\xBC\x9C"
      "EOT\xEF\xBC\x9E";
  EXPECT_THAT(Ids(*t, {Trusted(wide)}), ElementsAre(48));
  EXPECT_FALSE(HasControl(*t, Ids(*t, {Untrusted(wide)})));
  EXPECT_FALSE(HasControl(*t, Ids(*t, {Trusted("a"), Untrusted(wide), Trusted("b")})));
  EXPECT_FALSE(HasControl(*t, Ids(*t, {Trusted(wide.substr(0, 4)), Untrusted(wide.substr(4))})));
}

TEST(SegmentTest, NoControlIdComesOutOfRandomUntrustedText) {
  const TokenizerPtr tokenizers[] = {TinyRankTokenizer(), TinyJsonTokenizer()};
  const std::string parts[] = {"<",   "|",     "user",  "|>",           "<|user|>", "<|end|>",
                               "<s>", "<eot>", "<EOT>", "<mask>",       "<r>",      "word",
                               " ",   "    ",  "a",     "\xEF\xBC\x9C", "\xCC\x81"};
  SeededRandom random;
  for (const TokenizerPtr& t : tokenizers) {
    for (size_t i = 0; i < Scaled(3000); ++i) {
      std::vector<std::string> texts;
      std::vector<Segment> segments;
      for (size_t n = 1 + random.Below(4); n > 0; --n) {
        texts.emplace_back();
        for (size_t k = random.Below(4); k > 0; --k) texts.back() += parts[random.Below(17)];
      }
      for (const std::string& s : texts) segments.push_back(Untrusted(s));
      EXPECT_FALSE(HasControl(*t, Ids(*t, segments))) << testing::PrintToString(texts);
      // Trusted neighbours that hold no token of their own do not help.
      segments.insert(segments.begin(), Trusted("x "));
      segments.push_back(Trusted(" y"));
      EXPECT_FALSE(HasControl(*t, Ids(*t, segments))) << testing::PrintToString(texts);
    }
  }
}

TEST(AddedTokenTest, StripsAndSingleWordAreHuggingFaces) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.offsets = true;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Trusted("a  <mask> b")}, options));
  EXPECT_THAT(e.ids, ElementsAre(0, 50, 1));
  EXPECT_EQ(e.offsets[1], (ByteRange{1, 9}));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding r, t->Encode({Trusted("<r>  b")}, options));
  EXPECT_EQ(r.offsets[0], (ByteRange{0, 5}));
  EXPECT_THAT(Ids(*t, {Trusted("a word.")}), Contains(52));
  EXPECT_THAT(Ids(*t, {Trusted("swords")}), Not(Contains(52)));
}

TEST(OffsetsTest, PointIntoTheConcatenationThroughNormalizers) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.offsets = true;
  const std::string text = "A\xEF\xAC\x81z";  // "Aﬁz"
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e,
                                t->Encode({Untrusted("x "), Untrusted(text)}, options));
  EXPECT_THAT(e.ids, ElementsAre(23, 0, 5, 8, 25));
  EXPECT_THAT(e.offsets, ElementsAre(ByteRange{0, 1}, ByteRange{2, 3}, ByteRange{3, 6},
                                     ByteRange{3, 6}, ByteRange{6, 7}));
}

TEST(OffsetsTest, OfByteLevelTokensAreExactBytes) {
  const TokenizerPtr t = TinyRankTokenizer();
  EncodeOptions options;
  options.offsets = true;
  const std::string text = "hello \xE4\xB8\xAD";
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Untrusted(text)}, options));
  size_t at = 0;
  for (size_t i = 0; i < e.ids.size(); ++i) {
    EXPECT_EQ(e.offsets[i].begin, at);
    EXPECT_EQ(e.offsets[i].In(text), t->vocabulary().Token(e.ids[i]));
    at = e.offsets[i].end;
  }
  EXPECT_EQ(at, text.size());
}

TEST(EncodeTest, GivesOnlyWhatWasAskedFor) {
  const TokenizerPtr t = TinyJsonTokenizer();
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Untrusted("ab")}));
  EXPECT_THAT(e.ids, ElementsAre(46));
  EXPECT_THAT(e.offsets, IsEmpty());
  EXPECT_THAT(e.type_ids, IsEmpty());
  EXPECT_THAT(e.special_tokens_mask, IsEmpty());
  EXPECT_THAT(e.safe_cuts, IsEmpty());
}

TEST(EncodeTest, PairsFollowTheTemplate) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.add_special_tokens = true;
  options.type_ids = true;
  options.special_tokens_mask = true;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e,
                                t->EncodePair({Untrusted("a")}, {Untrusted("b c")}, options));
  EXPECT_THAT(e.ids, ElementsAre(47, 0, 47, 1, 2));
  EXPECT_THAT(e.type_ids, ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(e.special_tokens_mask, ElementsAre(1, 0, 1, 0, 0));
  EXPECT_EQ(t->SpecialTokensToAdd(), 1u);
  EXPECT_EQ(t->SpecialTokensToAdd(true), 2u);
}

TEST(EncodeTest, RefusesMoreThanTheCallersLimit) {
  EncodeOptions options;
  options.max_input_bytes = 3;
  EXPECT_THAT(TinyJsonTokenizer()->Encode({Untrusted("ab"), Untrusted("cd")}, options),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("4 bytes")));
}

TEST(EncodeTest, CountIsTheNumberOfIds) {
  for (const TokenizerPtr& t : {TinyRankTokenizer(), TinyJsonTokenizer()}) {
    for (const char* text : {"", "a", "hello the world", "a    b", "<s>\xFF"}) {
      EXPECT_EQ(t->Count(text), t->EncodeIds(text).size()) << text;
    }
  }
}

TEST(TruncationTest, WindowsShareTheStride) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.add_special_tokens = true;
  options.truncation.emplace();
  options.truncation->max_tokens = 4;
  options.truncation->stride = 1;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Untrusted("c d e f g h")}, options));
  EXPECT_THAT(e.ids, ElementsAre(47, 2, 3, 4));
  ASSERT_EQ(e.overflowing.size(), 2u);
  EXPECT_THAT(e.overflowing[0].ids, ElementsAre(47, 4, 5, 6));
  EXPECT_THAT(e.overflowing[1].ids, ElementsAre(47, 6, 7));
  options.truncation->side = Side::kLeft;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding l, t->Encode({Untrusted("c d e f g h")}, options));
  EXPECT_THAT(l.ids, ElementsAre(47, 5, 6, 7));
  ASSERT_EQ(l.overflowing.size(), 2u);
  EXPECT_THAT(l.overflowing[0].ids, ElementsAre(47, 3, 4, 5));
  EXPECT_THAT(l.overflowing[1].ids, ElementsAre(47, 2, 3));
}

TEST(TruncationTest, LongestFirstTakesFromTheLongerText) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.truncation.emplace();
  options.truncation->max_tokens = 5;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(
      const Encoding e, t->EncodePair({Untrusted("c d")}, {Untrusted("e f g h i")}, options));
  EXPECT_THAT(e.ids, ElementsAre(2, 3, 4, 5, 6));
  options.truncation->strategy = TruncationStrategy::kOnlyFirst;
  EXPECT_THAT(t->EncodePair({Untrusted("c d")}, {Untrusted("e f g h i")}, options),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(TruncationTest, RefusesWhatCannotMakeProgress) {
  const TokenizerPtr t = TinyJsonTokenizer();
  EncodeOptions options;
  options.add_special_tokens = true;
  options.truncation.emplace();
  options.truncation->max_tokens = 0;
  EXPECT_THAT(t->Encode({Untrusted("c d")}, options), StatusIs(absl::StatusCode::kInvalidArgument));
  options.truncation->max_tokens = 3;
  options.truncation->stride = 2;
  EXPECT_THAT(t->Encode({Untrusted("c d e f")}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stride")));
}

TEST(DecodeTest, IsTotal) {
  const TokenizerPtr t = TinyRankTokenizer();
  EXPECT_EQ(t->Decode({}), "");
  EXPECT_EQ(t->Decode({-1, 'a', 999, 5000000}),
            "\xEF\xBF\xBD"
            "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(t->Decode({0xE4, 0xB8}), "\xE4\xB8");
  DecodeOptions options;
  options.replace_invalid_utf8 = true;
  EXPECT_EQ(t->Decode({0xE4, 0xB8}, options), "\xEF\xBF\xBD");
  options.skip_special_tokens = true;
  EXPECT_EQ(t->Decode({'a', 1000, 'b'}, options), "ab");
}

TEST(DecodeTest, ByteLevelRoundTripsAnyBytes) {
  const TokenizerPtr t = TinyRankTokenizer();
  SeededRandom random;
  for (size_t i = 0; i < Scaled(2000); ++i) {
    std::string bytes;
    for (size_t n = random.Below(40); n > 0; --n) {
      bytes.push_back(static_cast<char>(random.OneIn(3) ? random.Below(256)
                                                        : "hello th\n\xC3\xA9"[random.Below(11)]));
    }
    EXPECT_EQ(t->Decode(t->EncodeIds(bytes)), bytes);
  }
}

TEST(SafeCutTest, EverythingBetweenTwoCutsEncodesAlone) {
  const TokenizerPtr t = TinyRankTokenizer();
  ASSERT_NE(t->engine(), nullptr);
  EncodeOptions options;
  options.safe_cuts = true;
  SeededRandom random;
  const std::string parts[] = {"hello", " the", "  ", "\n", " \n ", "123",
                               "4567",  "'s",   "é",  "!",  "\xFF", "a'll"};
  size_t cuts_seen = 0;
  for (size_t i = 0; i < Scaled(300); ++i) {
    std::string text;
    for (size_t n = random.Below(10); n > 0; --n) text += parts[random.Below(12)];
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Untrusted(text)}, options));
    EXPECT_EQ(e.ids, t->EncodeIds(text));
    std::vector<SafeCut> cuts = {{0, 0}};
    cuts.insert(cuts.end(), e.safe_cuts.begin(), e.safe_cuts.end());
    cuts.push_back({text.size(), e.ids.size()});
    cuts_seen += e.safe_cuts.size();
    for (size_t a = 0; a < cuts.size(); ++a) {
      for (size_t b = a + 1; b < cuts.size(); ++b) {
        ASSERT_LE(cuts[a].byte, cuts[b].byte);
        const std::vector<TokenId> want(e.ids.begin() + static_cast<ptrdiff_t>(cuts[a].token),
                                        e.ids.begin() + static_cast<ptrdiff_t>(cuts[b].token));
        EXPECT_EQ(
            t->EncodeIds(std::string_view(text).substr(cuts[a].byte, cuts[b].byte - cuts[a].byte)),
            want)
            << text << " " << cuts[a].byte << " " << cuts[b].byte;
      }
    }
  }
  EXPECT_GT(cuts_seen, 500u);
}

TEST(FingerprintTest, TellsApartWhatEncodesDifferently) {
  const TokenizerPtr a = TinyRankTokenizer();
  EXPECT_EQ(a->fingerprint(), TinyRankTokenizer()->fingerprint());
  EXPECT_EQ(a->fingerprint().size(), 64u);
  LoadOptions gpt2;
  gpt2.encoding = "gpt2";
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const TokenizerPtr b,
                                ParseTokenizer(TinyRanks(TinyMerges()), "tiny", gpt2));
  EXPECT_NE(a->fingerprint(), b->fingerprint());
}

}  // namespace
}  // namespace penstock
