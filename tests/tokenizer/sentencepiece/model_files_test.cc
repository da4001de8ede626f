// SPDX-License-Identifier: Apache-2.0
//
// .model files from end to end: what loads, what is refused and how, who wrote which text.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/seed.h"
#include "tests/support/sentencepiece_writer.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TokenizerPtr Load(const ModelWriter& model, const LoadOptions& options = {}) {
  absl::StatusOr<TokenizerPtr> t = ParseTokenizer(model.Bytes(), "test.model", options);
  EXPECT_TRUE(t.ok()) << t.status();
  return t.ok() ? *t : nullptr;
}

std::vector<TokenId> Ids(const TokenizerPtr& t, std::initializer_list<Segment> segments,
                         const EncodeOptions& options = {}) {
  const auto e = t->Encode(segments, options);
  EXPECT_TRUE(e.ok()) << e.status();
  return e->ids;
}

std::string Repeated(const std::string& part, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += part;
  return text;
}

// 0 unk, 1 <s>, 2 </s>, 3 control user-defined, 4 content, 5… pieces
ModelWriter SmallBpe() {
  ModelWriter model(2);
  model.Piece("<unk>", 0, 2).Piece("<s>", 0, 3).Piece("</s>", 0, 3).Piece("<tool>", 0, 4);
  model.Piece("▁▁", 0, 4);
  for (const char* piece : {"▁", "a", "b", "<", ">", "t", "o", "l", "s", "/"})
    model.Piece(piece, -9);
  model.Piece("ab", -1).Piece("▁ab", -2).Piece("<t", -3).Piece("oo", -3);
  model.Normalizer(true, false);
  return model;
}

TEST(SentencePieceFileTest, UntrustedTextNeverBecomesAControlOrUserDefinedPiece) {
  const TokenizerPtr t = Load(SmallBpe());
  for (const char* text : {"<s>", "</s>", "<tool>", "ab<tool>ab", "<tool", "<unk>"}) {
    for (const TokenId id : t->EncodeIds(text)) {
      EXPECT_FALSE(t->vocabulary().IsControl(id)) << text;
    }
  }
}

TEST(SentencePieceFileTest, TrustedTextMayHoldThem) {
  const TokenizerPtr t = Load(SmallBpe());
  EXPECT_THAT(Ids(t, {Trusted("<s>"), Untrusted("ab"), Trusted("<tool></s>")}),
              ElementsAre(1, 16, 3, 2));
}

TEST(SentencePieceFileTest, NoControlPieceStraddlesASeam) {
  const TokenizerPtr t = Load(SmallBpe());
  for (const TokenId id : Ids(t, {Trusted("<to"), Untrusted("ol>"), Trusted("<s"), Trusted(">")})) {
    EXPECT_FALSE(t->vocabulary().IsControl(id));
  }
}

TEST(SentencePieceFileTest, WhiteSpaceUserDefinedPiecesAreContentInAnyText) {
  const TokenizerPtr t = Load(SmallBpe());
  // The dummy prefix and the first space are one piece; the second space stands alone.
  EXPECT_THAT(t->EncodeIds("  ab"), ElementsAre(4, 16));
}

TEST(SentencePieceFileTest, ReferencePlainMatchesUserDefinedPiecesAndNoControlPieces) {
  const TokenizerPtr t = Load(SmallBpe());
  EncodeOptions options;
  options.added_tokens = AddedTokenMatching::kReferencePlain;
  const std::vector<TokenId> ids = Ids(t, {Untrusted("ab<tool>")}, options);
  EXPECT_THAT(ids, ElementsAre(16, 3));
  for (const TokenId id : Ids(t, {Trusted("<s>")}, options)) EXPECT_NE(id, 1);
}

TEST(SentencePieceFileTest, ACallerMayNameAUserDefinedPieceContent) {
  LoadOptions options;
  options.content_tokens = {"<tool>"};
  const TokenizerPtr t = Load(SmallBpe(), options);
  EXPECT_THAT(t->EncodeIds("ab<tool>"), ElementsAre(16, 3));
  EXPECT_FALSE(t->vocabulary().IsControl(3));
}

TEST(SentencePieceFileTest, NamingWhatIsNoPieceContentIsRefused) {
  LoadOptions options;
  options.content_tokens = {"<nothing>"};
  const auto t = ParseTokenizer(SmallBpe().Bytes(), "test.model", options);
  EXPECT_EQ(t.status().code(), absl::StatusCode::kInvalidArgument) << t.status();
}

TEST(SentencePieceFileTest, SpecialTokensAreBosElseEos) {
  const TokenizerPtr bos = Load(SmallBpe());
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT(Ids(bos, {Untrusted("ab")}, options), ElementsAre(1, 16));
  EXPECT_EQ(bos->SpecialTokensToAdd(), 1u);
  ModelWriter eos(1);
  eos.Piece("<unk>", 0, 2).Piece("</s>", 0, 3).Piece("▁a", -1);
  EXPECT_THAT(Ids(Load(eos), {Untrusted("a")}, options), ElementsAre(2, 1));
}

TEST(SentencePieceFileTest, DecodesAsSentencePieceDoes) {
  ModelWriter model(2);
  model.Piece("<unk>", 0, 2).Piece("<s>", 0, 3).BytePieces().Piece("▁").Piece("a").Piece("▁a");
  model.Normalizer(true, false);
  const TokenizerPtr t = Load(model);
  const auto byte = [](int b) { return 2 + b; };
  const TokenId space = 258, a = 259, space_a = 260;
  const auto decode = [&](std::vector<TokenId> ids) { return t->Decode(ids); };
  EXPECT_EQ(decode({1, space_a, space_a}), "a a");
  EXPECT_EQ(decode({space, space, a}), " a");        // one dummy prefix goes
  EXPECT_EQ(decode({a, 0, a}), "a \xE2\x81\x87 a");  // unknown
  EXPECT_EQ(decode({byte(0xE4), byte(0xB8), byte(0x96)}), "世");
  EXPECT_EQ(decode({byte(0xE4), byte(0xB8), a}),
            "\xEF\xBF\xBD\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(decode({byte('x'), space_a}), "x a");  // no longer at the begin
}

TEST(SentencePieceFileTest, BytesThatAreNoUtf8AreOneReplacementCharacterEach) {
  ModelWriter model(4);
  model.Piece("<unk>", 0, 2).Piece("▁").Piece("\xEF\xBF\xBD").Piece("a").Normalizer(false, false);
  const TokenizerPtr t = Load(model);
  EXPECT_THAT(t->EncodeIds("\xE4\xB8"
                           "a\xFF"),
              ElementsAre(2, 2, 3, 2));
}

// Ids of spm_encode 0.1.97 and of sentencepiece 0.2.3 (PyPI).
TEST(SentencePieceFileTest, EquallyGoodPathsAreChosenAsTheReleaseThatWasAskedForDoes) {
  ModelWriter model(1);
  model.Piece("<unk>", 0, 2).Piece("a", -0.1f).Piece("b", -0.7f).Piece("aa", -0.2f);
  model.Piece("aaa", -0.3f).Piece("<u>", 0, 4).Piece("ab", -0.8f).Piece("bb", -1.4f);
  model.Normalizer(false, false);
  LoadOptions newer;
  newer.sentencepiece_scores = SentencePieceScores::k0_2_3;
  const TokenizerPtr classic = Load(model), current = Load(model, newer);
  EXPECT_NE(classic->fingerprint(), current->fingerprint());
  const std::vector<TokenId> same = {2, 5, 1};
  EXPECT_EQ(Ids(classic, {Trusted("b<u>a")}), same);
  EXPECT_EQ(Ids(current, {Trusted("b<u>a")}), same);
  EXPECT_THAT(classic->EncodeIds("aaa"), ElementsAre(3, 1));
  EXPECT_THAT(current->EncodeIds("aaa"), ElementsAre(4));
  EXPECT_THAT(classic->EncodeIds("abbb"), ElementsAre(1, 7, 2));
  EXPECT_THAT(current->EncodeIds("abbb"), ElementsAre(6, 7));
  EXPECT_THAT(classic->EncodeIds(std::string(20, 'a')), ElementsAre(3, 4, 3, 3, 1, 4, 4, 4, 1));
  EXPECT_THAT(current->EncodeIds(std::string(20, 'a')), ElementsAre(3, 4, 3, 4, 4, 4, 4, 1));
  // In parts too, whichever arithmetic carries the score over.
  for (const TokenizerPtr& t : {classic, current}) {
    const std::string text = Repeated("abbb", 60000);
    std::vector<TokenId> ids;
    EXPECT_TRUE(t->EncodeTo(text, [&ids](absl::Span<const TokenId> more) {
                   ids.insert(ids.end(), more.begin(), more.end());
                   return absl::OkStatus();
                 }).ok());
    EXPECT_EQ(ids, t->EncodeIds(text));
  }
}

TEST(SentencePieceFileTest, WhateverChangesIdsChangesTheFingerprint) {
  std::vector<std::pair<std::string, std::string>> files;
  const auto add = [&files](const std::string& what, const ModelWriter& model) {
    files.emplace_back(what, model.Bytes());
  };
  const auto base = [](int algorithm) {
    ModelWriter model(algorithm);
    model.Piece("<unk>", 0, 2).Piece("▁", -1).Piece("a", -2).Piece("▁a", -3);
    return model;
  };
  for (const int algorithm : {1, 2, 3, 4}) {
    for (const bool prefix : {false, true}) {
      for (const bool spaces : {false, true}) {
        add("algorithm " + std::to_string(algorithm), base(algorithm).Normalizer(prefix, spaces));
      }
    }
    const std::string of = " of algorithm " + std::to_string(algorithm);
    add("an unescaped space" + of, base(algorithm).NormalizerFields(ProtoInt(5, 0)));
    add("white space as suffix" + of, base(algorithm).Trainer(ProtoInt(24, 1)));
    add("one more piece" + of, base(algorithm).Piece("b", -4));
    add("another score" + of, base(algorithm).Piece("b", -5));
    add("an unused piece" + of, base(algorithm).Piece("b", -4, 5));
    add("a user-defined piece" + of, base(algorithm).Piece("b", -4, 4));
    add("a control piece" + of, base(algorithm).Piece("b", -4, 3));
    add("white space user-defined" + of, base(algorithm).Piece("▁▁", -4, 4));
  }
  std::map<std::string, std::string> seen;
  for (const auto& [what, bytes] : files) {
    const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(bytes, "test.model");
    ASSERT_TRUE(t.ok()) << what << ": " << t.status();
    const auto [other, fresh] = seen.emplace((*t)->fingerprint(), what);
    EXPECT_TRUE(fresh) << "one fingerprint for " << what << " and " << other->second;
  }
}

TEST(SentencePieceFileTest, OffsetsAreBytesOfTheOriginal) {
  const TokenizerPtr t = Load(SmallBpe());
  EncodeOptions options;
  options.offsets = true;
  const auto e = t->Encode({Untrusted("ab ab")}, options);
  ASSERT_TRUE(e.ok());
  EXPECT_THAT(e->ids, ElementsAre(16, 16));
  EXPECT_THAT(e->offsets, ElementsAre(ByteRange{0, 2}, ByteRange{2, 5}));
}

// SafeCut's promise, on the models that can keep it.
TEST(SentencePieceFileTest, BothSidesOfASafeCutEncodeAlone) {
  SeededRandom random;
  size_t cuts = 0;
  for (const bool trims : {true, false}) {
    ModelWriter model = SmallBpe();
    model.Normalizer(/*dummy_prefix=*/trims, /*remove_extra_whitespaces=*/trims);
    const TokenizerPtr t = Load(model);
    EncodeOptions options;
    options.safe_cuts = true;
    for (size_t round = 0; round < Scaled(1000); ++round) {
      std::string text;
      for (size_t n = random.Below(40); n > 0; --n)
        text += "ab <tools/ x\xC3\xA9  "[random.Below(16)];
      const auto e = t->Encode({Untrusted(text)}, options);
      ASSERT_TRUE(e.ok());
      SafeCut last = {0, 0};
      std::vector<SafeCut> all = e->safe_cuts;
      cuts += all.size();
      all.push_back({text.size(), e->ids.size()});
      for (const SafeCut& cut : all) {
        const std::string part = text.substr(last.byte, cut.byte - last.byte);
        const std::vector<TokenId> want(e->ids.begin() + static_cast<ptrdiff_t>(last.token),
                                        e->ids.begin() + static_cast<ptrdiff_t>(cut.token));
        ASSERT_EQ(t->EncodeIds(part), want) << '"' << text << "\" at " << cut.byte;
        last = cut;
      }
    }
  }
  EXPECT_GT(cuts, 1000u);
}

struct BadFile {
  const char* pathology;
  std::string bytes;
  const char* message;
};

std::string Charsmap(uint32_t trie_bytes, const std::string& trie, const std::string& rest) {
  std::string out(4, '\0');
  for (int i = 0; i < 4; ++i)
    out[static_cast<size_t>(i)] = static_cast<char>(trie_bytes >> (8 * i));
  return out + trie + rest;
}

std::string Units(std::vector<std::pair<size_t, uint32_t>> set) {
  std::string units;
  for (int i = 0; i < 256; ++i) units += std::string("\0\0\0\x80", 4);  // values: nobody's child
  set.insert(set.begin(), {0, 1u << 10});                               // the root: offset 1
  for (const auto& [index, value] : set) {
    for (size_t i = 0; i < 4; ++i) units[4 * index + i] = static_cast<char>(value >> (8 * i));
  }
  return units;
}

std::vector<BadFile> BadFiles() {
  const auto with_map = [](const std::string& map) {
    return SmallBpe().Normalizer(true, true, map).Bytes();
  };
  const std::string unk = ModelWriter(2).Piece("<unk>", 0, 2).Bytes();
  const auto bpe = [] { return ModelWriter(2).Piece("<unk>", 0, 2); };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::string zero("\0", 1);
  return {
      {"no pieces", ProtoBytes(2, ProtoInt(3, 2)), "no pieces"},
      {"empty piece", bpe().Piece("").Bytes(), "pieces[1]: is empty"},
      {"piece twice", bpe().Piece("a").Piece("a").Bytes(), "is already piece 1"},
      {"control twice", bpe().Piece("a", 0, 3).Piece("a", 0, 3).Bytes(), "is already piece 1"},
      {"no unknown", ModelWriter(2).Piece("a").Bytes(), "no piece of type unknown"},
      {"two unknown", bpe().Piece("u", 0, 2).Bytes(), "is unknown, but pieces[0] already is"},
      {"score NaN", bpe().Piece("a", nan).Bytes(), "no finite number"},
      {"score infinite", bpe().Piece("a", inf).Bytes(), "no finite number"},
      {"byte without fallback", bpe().Piece("<0x41>", 0, 6).Bytes(), "byte_fallback is off"},
      {"byte piece that is none", bpe().BytePieces().Piece("<0x4G>", 0, 6).Bytes(), "is no byte"},
      {"byte piece below zero", bpe().BytePieces().Piece("<0x-1>", 0, 6).Bytes(), "is no byte"},
      {"byte piece lower case", bpe().BytePieces().Piece("<0xab>", 0, 6).Bytes(), "is no byte"},
      {"fallback without bytes", bpe().Trainer(ProtoInt(35, 1)).Bytes(), "byte 0 has no piece"},
      {"length past the end", unk + "\x0A\x7F", "a length runs past the end"},
      {"piece length past the end", unk + ProtoBytes(1, "\x0A\x7F"), "a length runs past the end"},
      {"varint without end", unk + std::string(12, '\xFF'), "varint"},
      {"varint of 11 bytes", unk + "\x18" + std::string(10, '\x81') + zero, "varint"},
      {"group", unk + "\x0B", "wire type"},
      {"field number zero", unk + "\x02", "not a field tag"},
      {"score as varint", unk + ProtoBytes(1, ProtoBytes(1, "a") + ProtoInt(2, 1)), "wire type"},
      {"piece as number", unk + ProtoInt(1, 7), "wire type"},
      {"trainer as number", unk + ProtoInt(2, 7), "wire type"},
      {"type as bytes", unk + ProtoBytes(1, ProtoBytes(1, "a") + ProtoBytes(3, "x")), "wire type"},
      {"charsmap as number", unk + ProtoBytes(3, ProtoInt(2, 7)), "wire type"},
      {"charsmap of 3 bytes", with_map("abc"), "shorter than its 4-byte header"},
      {"charsmap without trie", with_map(Charsmap(0, "", zero)), "multiple of 1024"},
      {"charsmap trie too long", with_map(Charsmap(4096, Units({}), zero)), "but only"},
      {"charsmap trie of 4 GiB", with_map(Charsmap(0xFFFFFC00, Units({}), zero)), "but only"},
      {"charsmap trie of odd size", with_map(Charsmap(1023, Units({}), zero)), "multiple of 1024"},
      {"charsmap without NUL", with_map(Charsmap(1024, Units({}), "abc")), "do not end with NUL"},
      {"charsmap without replacements", with_map(Charsmap(1024, Units({}), "")), "end with NUL"},
      {"charsmap unit far away", with_map(Charsmap(1024, Units({{7, 0x7FFFFC07}}), zero)),
       "unit 7 leads outside the array"},
      {"charsmap root far away", with_map(Charsmap(1024, Units({{0, 0x3FFFFC00}}), zero)),
       "unit 0 leads outside"},
      {"charsmap root is a value", with_map(Charsmap(1024, Units({{0, 1u << 31}}), zero)),
       "no root"},
      {"charsmap value far away", with_map(Charsmap(1024, Units({{9, 0x80001000}}), zero)),
       "unit 9 points to replacement byte 4096"},
      {"charsmap value missing",
       with_map(Charsmap(1024, Units({{4, 1}, {5, 0x105 | 1u << 10}}), zero)),
       "has a value that is none"},
      // Child 'a' of the root (1 ^ 'a' = 0x60) whose children are those of the root again.
      {"charsmap in a circle",
       with_map(Charsmap(1024, Units({{0x60, 'a' | (0x60u ^ 1u) << 10}}), zero)), "in a circle"},
  };
}

TEST(SentencePieceBadFileTest, EveryPathologyIsRefusedAndNamed) {
  LoadOptions options;
  options.format = FileFormat::kSentencePiece;
  for (const BadFile& bad : BadFiles()) {
    const auto t = ParseTokenizer(bad.bytes, "bad.model", options);
    ASSERT_FALSE(t.ok()) << bad.pathology;
    EXPECT_EQ(t.status().code(), absl::StatusCode::kDataLoss) << bad.pathology << t.status();
    EXPECT_THAT(std::string(t.status().message()), HasSubstr("bad.model: ")) << bad.pathology;
    EXPECT_THAT(std::string(t.status().message()), HasSubstr(bad.message)) << bad.pathology;
  }
}

TEST(SentencePieceBadFileTest, LimitsAreResourceExhausted) {
  const auto code = [](const LoadLimits& limits) {
    LoadOptions options;
    options.limits = limits;
    return ParseTokenizer(
               SmallBpe().Normalizer(true, true, Charsmap(1024, Units({}), "\0")).Bytes(),
               "big.model", options)
        .status()
        .code();
  };
  LoadLimits limits;
  limits.max_vocabulary = 18;
  EXPECT_EQ(code(limits), absl::StatusCode::kResourceExhausted);
  limits = LoadLimits();
  limits.max_token_bytes = 5;
  EXPECT_EQ(code(limits), absl::StatusCode::kResourceExhausted);
  limits = LoadLimits();
  limits.max_charsmap_bytes = 1000;
  EXPECT_EQ(code(limits), absl::StatusCode::kResourceExhausted);
  limits = LoadLimits();
  limits.max_file_bytes = 10;
  EXPECT_EQ(code(limits), absl::StatusCode::kResourceExhausted);
}

std::string GoodFile() {
  return SmallBpe()
      .Normalizer(true, true,
                  Charsmap(1024, Units({{0x60, 'a' | 0x100 | 0x10u << 10}, {0x70, 0x80000001u}}),
                           std::string("\0b\0", 3)))
      .Bytes();
}

TEST(SentencePieceBadFileTest, AFileCutShortAnywhereIsRefusedOrWhole) {
  const std::string good = GoodFile();
  LoadOptions options;
  options.format = FileFormat::kSentencePiece;
  ASSERT_TRUE(ParseTokenizer(good, "good.model", options).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    // In its own allocation, so that reading past the end is seen.
    const std::string cut(good.data(), size);
    const auto t = ParseTokenizer(cut, "cut.model", options);
    // Protobuf has no end mark: cut between two fields a file is a shorter good one.
    if (t.ok()) (*t)->EncodeIds("ab <tool> aab");
  }
}

TEST(SentencePieceBadFileTest, AnyByteMayBeDamagedWithoutHarm) {
  const std::string good = GoodFile();
  LoadOptions options;
  options.format = FileFormat::kSentencePiece;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      const auto t = ParseTokenizer(damaged, "damaged.model", options);
      if (!t.ok()) continue;
      const std::vector<TokenId> ids = (*t)->EncodeIds("ab <tool> aab \xE2\x96\x81 \xFF");
      (*t)->Decode(ids);
    }
  }
}

}  // namespace
}  // namespace penstock
