// SPDX-License-Identifier: Apache-2.0
//
// Corners of tokenizer.json that random files found (differential/random_pipelines.py). Expected
// values are those of Hugging Face tokenizers 0.22.2.
#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

// A tokenizer of single characters: <unk> 0, a 1, b 2, c 3, x 4, _ 5, space 6, U+0120 7.
TokenizerPtr Load(const std::string& components) {
  const std::string file =
      R"({"version": "1.0", )" + components +
      R"(, "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "vocab": {"<unk>": 0, "a": 1,
      "b": 2, "c": 3, "x": 4, "_": 5, " ": 6, "\u0120": 7}, "merges": []}})";
  absl::StatusOr<TokenizerPtr> t = ParseTokenizer(file, "tokenizer.json");
  EXPECT_OK(t);
  return t.ok() ? *t : nullptr;
}

// The same from a folder with this tokenizer_config.json; <s> and </s> are added, 8 and 9, and the
// file's template begins with <s>.
TokenizerPtr LoadWithConfig(const std::string& config) {
  const TemporaryFolder own;
  const std::string folder = own.path().string();
  std::ofstream(folder + "/tokenizer.json")
      << R"({"added_tokens": [{"id": 8, "content": "<s>", "special": true},
      {"id": 9, "content": "</s>", "special": true}], "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [8], "tokens": ["<s>"]}}},
      "model": {"type": "BPE", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "x": 4,
      "_": 5, " ": 6, "d": 7}, "merges": []}})";
  std::ofstream(folder + "/tokenizer_config.json")
      << R"({"bos_token": "<s>", "eos_token": "</s>", )" << config << "}";
  absl::StatusOr<TokenizerPtr> t = LoadTokenizer(folder);
  EXPECT_OK(t);
  return t.ok() ? *t : nullptr;
}

std::string Added(int id, const std::string& content, bool rstrip = false) {
  return R"({"id": )" + std::to_string(id) + R"(, "content": ")" + content +
         R"(", "single_word": false, "lstrip": false, "rstrip": )" + (rstrip ? "true" : "false") +
         R"(, "normalized": false, "special": false})";
}

Encoding Encode(const TokenizerPtr& t, const std::string& text, size_t max_tokens = 0) {
  EncodeOptions options;
  options.add_special_tokens = options.offsets = options.type_ids = true;
  if (max_tokens > 0) {
    options.truncation.emplace();
    options.truncation->max_tokens = max_tokens;
  }
  absl::StatusOr<Encoding> e = t->Encode({Trusted(text)}, options);
  EXPECT_OK(e);
  return e.ok() ? *e : Encoding();
}

Encoding EncodePair(const TokenizerPtr& t, const std::string& a, const std::string& b,
                    size_t max_tokens, bool special = true) {
  EncodeOptions options;
  options.add_special_tokens = special;
  options.type_ids = true;
  options.truncation.emplace();
  options.truncation->max_tokens = max_tokens;
  absl::StatusOr<Encoding> e = t->EncodePair({Trusted(a)}, {Trusted(b)}, options);
  EXPECT_OK(e);
  return e.ok() ? *e : Encoding();
}

std::string Replace(const std::string& pattern) {
  return R"("normalizer": {"type": "Replace", "pattern": )" + pattern + R"(, "content": "_"})";
}

TEST(ReferenceTest, EmptyMatchesAreReplaced) {
  EXPECT_THAT(Load(Replace(R"({"Regex": "^"})"))->EncodeIds("ab"), ElementsAre(5, 1, 2));
  const Encoding e = Encode(Load(Replace(R"({"Regex": "x?"})")), "axb");
  EXPECT_THAT(e.ids, ElementsAre(5, 1, 5, 2, 5));
  EXPECT_THAT(e.offsets, ElementsAre(ByteRange{0, 0}, ByteRange{0, 1}, ByteRange{1, 2},
                                     ByteRange{2, 3}, ByteRange{2, 3}));
  EXPECT_THAT(Load(Replace(R"({"String": ""})"))->EncodeIds("ab"), ElementsAre(5, 1, 5, 2, 5));
  EXPECT_THAT(Load(Replace(R"({"Regex": "^"})"))->EncodeIds(""), ElementsAre());
}

TEST(ReferenceTest, EmptyMatchesSplit) {
  const std::string split =
      R"("pre_tokenizer": {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": )";
  // Unknown characters are fused within a piece only.
  EXPECT_THAT(Load(split + R"({"String": ""}})")->EncodeIds("zz"), ElementsAre(0, 0));
  EXPECT_THAT(Load(split + R"re({"Regex": "(?=y)"}})re")->EncodeIds("zyz"), ElementsAre(0, 0));
}

TEST(ReferenceTest, WhiteSpaceThatTwoAddedTokensClaimBelongsToBoth) {
  const Encoding one = Encode(Load(R"("added_tokens": [)" + Added(6, " ", true) + "]"), "a  b");
  EXPECT_THAT(one.ids, ElementsAre(1, 6, 6, 2));
  EXPECT_THAT(one.offsets,
              ElementsAre(ByteRange{0, 1}, ByteRange{1, 3}, ByteRange{2, 3}, ByteRange{3, 4}));
  // What the second leaves of it is text again.
  const TokenizerPtr t =
      Load(R"("added_tokens": [)" + Added(4, "x", true) + "," + Added(8, "  ") + "]");
  const Encoding two = Encode(t, "x   b");
  EXPECT_THAT(two.ids, ElementsAre(4, 8, 6, 2));
  EXPECT_THAT(two.offsets,
              ElementsAre(ByteRange{0, 4}, ByteRange{1, 3}, ByteRange{3, 4}, ByteRange{4, 5}));
}

TEST(ReferenceTest, AddedTokensAreNumberedWithoutGaps) {
  const TokenizerPtr t = Load(R"("added_tokens": [)" + Added(100, "xx") + "," + Added(6, " ") +
                              "," + Added(200, "yy") + "]");
  EXPECT_THAT(Encode(t, "xx yy").ids, ElementsAre(8, 6, 9));
}

TEST(ReferenceTest, OfAddedTokensThatNormalizeAlikeTheSpecialOneIsFound) {
  const TokenizerPtr t = Load(
      R"("normalizer": {"type": "Lowercase"}, "added_tokens": [
      {"id": 8, "content": "AX", "normalized": true, "special": false},
      {"id": 9, "content": "ax", "normalized": true, "special": true},
      {"id": 10, "content": "aX", "normalized": true, "special": true}])");
  EXPECT_THAT(Encode(t, "AX").ids, ElementsAre(9));
}

TEST(ReferenceTest, TrimmingLooksAtTheSpellingOfTokens) {
  const std::string trim =
      R"("post_processor": {"type": "ByteLevel", "trim_offsets": true, "use_regex": true, )";
  const Encoding e = Encode(Load(trim + R"("add_prefix_space": false})"),
                            "\xC4\xA0"
                            "a ");
  EXPECT_THAT(e.ids, ElementsAre(7, 1, 6));
  EXPECT_THAT(e.offsets, ElementsAre(ByteRange{2, 2}, ByteRange{2, 3}, ByteRange{4, 4}));
}

TEST(ReferenceTest, TwoPostProcessorsTrimTwice) {
  const std::string trim =
      R"({"type": "ByteLevel", "trim_offsets": true, "use_regex": true, "add_prefix_space": false})";
  const TokenizerPtr t =
      Load(R"("added_tokens": [{"id": 8, "content": "ab", "lstrip": true, "normalized": false}],
      "post_processor": {"type": "Sequence", "processors": [)" +
           trim + "," + trim + "]}");
  const Encoding e = Encode(t, "c  abc");
  EXPECT_THAT(e.ids, ElementsAre(3, 8, 3));
  EXPECT_THAT(e.offsets, ElementsAre(ByteRange{0, 1}, ByteRange{5, 5}, ByteRange{5, 6}));
}

TEST(ReferenceTest, TheFirstTokenOfEachWindowKeepsItsPrefixSpace) {
  const TokenizerPtr t = Load(
      R"("post_processor": {"type": "ByteLevel", "trim_offsets": true, "use_regex": true,
      "add_prefix_space": true})");
  const Encoding e = Encode(t, "a  b", 1);
  EXPECT_THAT(e.offsets, ElementsAre(ByteRange{0, 1}));
  ASSERT_THAT(e.overflowing, SizeIs(3));
  EXPECT_THAT(e.overflowing[0].offsets, ElementsAre(ByteRange{1, 1}));
  EXPECT_THAT(e.overflowing[1].offsets, ElementsAre(ByteRange{2, 2}));
  EXPECT_THAT(e.overflowing[2].offsets, ElementsAre(ByteRange{3, 4}));
}

constexpr char kTemplate[] =
    R"("post_processor": {"type": "TemplateProcessing", "special_tokens": {},
    "single": [{"Sequence": {"id": "A", "type_id": 1}}],
    "pair": [{"Sequence": {"id": "B", "type_id": 2}}, {"Sequence": {"id": "A", "type_id": 3}}]})";

TEST(ReferenceTest, TemplatesGiveTypeIdsToKeptWindowsOnly) {
  const Encoding e = Encode(Load(kTemplate), "abc", 2);
  EXPECT_THAT(e.type_ids, ElementsAre(1, 1));
  ASSERT_THAT(e.overflowing, SizeIs(1));
  EXPECT_THAT(e.overflowing[0].type_ids, ElementsAre(0));
}

TEST(ReferenceTest, OverflowingWindowsFollowTheOrderOfTheTemplate) {
  const Encoding e = EncodePair(Load(kTemplate), "abc", "xax", 4);
  EXPECT_THAT(e.ids, ElementsAre(4, 1, 1, 2));
  EXPECT_THAT(e.type_ids, ElementsAre(2, 2, 3, 3));
  ASSERT_THAT(e.overflowing, SizeIs(3));
  EXPECT_THAT(e.overflowing[0].ids, ElementsAre(4, 1, 2));
  EXPECT_THAT(e.overflowing[0].type_ids, ElementsAre(1, 3, 3));
  EXPECT_THAT(e.overflowing[1].ids, ElementsAre(4, 3));
  EXPECT_THAT(e.overflowing[1].type_ids, ElementsAre(1, 0));
  EXPECT_THAT(e.overflowing[2].ids, ElementsAre(4, 1, 3));
  EXPECT_THAT(e.overflowing[2].type_ids, ElementsAre(2, 2, 0));
}

TEST(ReferenceTest, RobertaHasOneTypeWhereItAddsTokens) {
  const TokenizerPtr t = Load(
      R"("post_processor": {"type": "RobertaProcessing", "cls": ["c", 3], "sep": ["_", 5],
      "trim_offsets": false, "add_prefix_space": false})");
  Encoding e = EncodePair(t, "ab", "xax", 6);
  ASSERT_THAT(e.overflowing, SizeIs(5));
  EXPECT_THAT(e.overflowing[1].ids, ElementsAre(3, 2, 5, 5, 1, 5));
  EXPECT_THAT(e.overflowing[1].type_ids, ElementsAre(0, 0, 0, 0, 0, 0));
  e = EncodePair(t, "aaab", "xaxx", 6, /*special=*/false);
  EXPECT_THAT(e.type_ids, ElementsAre(0, 0, 0, 0, 0, 0));
  ASSERT_THAT(e.overflowing, SizeIs(3));
  EXPECT_THAT(e.overflowing[2].ids, ElementsAre(1, 1, 1, 4));
  EXPECT_THAT(e.overflowing[2].type_ids, ElementsAre(0, 0, 0, 1));
}

TEST(ReferenceTest, BytesOvertakeAnUnknownCharacter) {
  const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(
      R"({"version": "1.0", "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
      "vocab": {"<unk>": 0, "<0xC3>": 1, "<0xA9>": 2, "a": 3}, "merges": []}})",
      "tokenizer.json");
  ASSERT_OK(t);
  EXPECT_THAT((*t)->EncodeIds("x\xC3\xA9"), ElementsAre(1, 2, 0));
  EXPECT_THAT((*t)->EncodeIds("x\xC3\xA9"
                              "ax"),
              ElementsAre(1, 2, 0, 3, 0));
}

TEST(ReferenceTest, AnEmptySuffixStandsAroundEveryCharacter) {
  const TokenizerPtr t = Load(R"("decoder": {"type": "BPEDecoder", "suffix": ""})");
  EXPECT_EQ(t->Decode({1, 2, 0, 1}), " a  b  < u n k > a");
}

// transformers 4.57.6.
TEST(TokenizerConfigTest, BosAndEosAreAddedAsTheClassDoes) {
  const auto ids = [](const std::string& config) {
    return Encode(LoadWithConfig(config), "a").ids;
  };
  EXPECT_THAT(ids(R"("tokenizer_class": "LlamaTokenizer")"), ElementsAre(8, 1));
  EXPECT_THAT(ids(R"("tokenizer_class": "LlamaTokenizer", "add_bos_token": false)"),
              ElementsAre(1));
  EXPECT_THAT(ids(R"("tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true)"),
              ElementsAre(8, 1, 9));
  EXPECT_THAT(ids(R"("tokenizer_class": "CohereTokenizerFast", "add_bos_token": false)"),
              ElementsAre(1));
  EXPECT_THAT(ids(R"("tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false)"),
              ElementsAre(8, 1));
  EXPECT_THAT(ids(R"("tokenizer_class": "GPTNeoXTokenizerFast", "add_eos_token": true)"),
              ElementsAre(1, 9));
  EXPECT_THAT(ids(R"("tokenizer_class": "LlamaTokenizer", "legacy": false)"), ElementsAre(8, 1));
}

// Two of these, one after the other. Specials: _ 5, space 6 around by Bert, x 4 by the template.
const char kBertOfTwo[] = R"({"type": "BertProcessing", "cls": ["_", 5], "sep": [" ", 6]})";
const char kTemplateOfTwo[] = R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "s", "type_id": 2}}, {"Sequence": {"id": "A", "type_id": 1}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "s", "type_id": 0}},
             {"Sequence": {"id": "B", "type_id": 3}}],
    "special_tokens": {"s": {"id": "s", "ids": [4], "tokens": ["x"]}}})";

TokenizerPtr LoadChain(const std::string& first, const std::string& second) {
  return Load(R"("post_processor": {"type": "Sequence", "processors": [)" + first + "," + second +
              "]}");
}

TEST(ReferenceTest, ATemplateWrapsWhatAnotherHasWrapped) {
  const TokenizerPtr t = LoadChain(kBertOfTwo, kTemplateOfTwo);
  EXPECT_THAT(Encode(t, "abc").ids, ElementsAre(4, 5, 1, 2, 3, 6));
  EXPECT_THAT(Encode(t, "abc").type_ids, ElementsAre(2, 1, 1, 1, 1, 1));
  const Encoding cut = Encode(t, "abcabcabc", 9);
  EXPECT_THAT(cut.ids, ElementsAre(4, 5, 1, 2, 3, 1, 2, 3, 6));
  ASSERT_THAT(cut.overflowing, SizeIs(1));
  EXPECT_THAT(cut.overflowing[0].ids, ElementsAre(4, 5, 1, 2, 3, 6));
  EXPECT_THAT(cut.overflowing[0].type_ids, ElementsAre(2, 0, 0, 0, 0, 0));
  const Encoding pair = EncodePair(t, "ab", "ccccccc", 9);
  EXPECT_THAT(pair.ids, ElementsAre(5, 1, 2, 6, 4, 3, 3, 3, 6));
  EXPECT_THAT(pair.type_ids, ElementsAre(0, 0, 0, 0, 0, 3, 3, 3, 3));
  ASSERT_THAT(pair.overflowing, SizeIs(2));
  EXPECT_THAT(pair.overflowing[1].ids, ElementsAre(5, 1, 2, 6, 4, 3, 6));
  EXPECT_THAT(pair.overflowing[1].type_ids, ElementsAre(0, 0, 0, 0, 0, 1, 1));
}

TEST(ReferenceTest, OnlyTheOutermostOfTwoTemplatesIsInTheMask) {
  const TokenizerPtr t = LoadChain(kTemplateOfTwo, kBertOfTwo);
  EncodeOptions options;
  options.add_special_tokens = options.type_ids = options.special_tokens_mask = true;
  const absl::StatusOr<Encoding> e = t->Encode({Trusted("abc")}, options);
  ASSERT_OK(e);
  EXPECT_THAT(e->ids, ElementsAre(5, 4, 6, 1, 2, 3, 6));
  EXPECT_THAT(e->type_ids, ElementsAre(0, 2, 0, 1, 1, 1, 1));
  EXPECT_THAT(e->special_tokens_mask, ElementsAre(1, 0, 1, 0, 0, 0, 1));
}

TEST(ReferenceTest, ASecondTemplateTakesTheTwoPartsOfTheFirstForAPair) {
  const TokenizerPtr t = LoadChain(kTemplateOfTwo, kTemplateOfTwo);
  EXPECT_THAT(Encode(t, "abc").ids, ElementsAre(4, 4, 1, 2, 3));
  EXPECT_THAT(Encode(t, "abc").type_ids, ElementsAre(0, 0, 3, 3, 3));
  EXPECT_THAT(Encode(t, "abcabcabc", 9).overflowing[0].ids, ElementsAre(4, 4, 2, 3));
  EXPECT_THAT(EncodePair(t, "ab", "c", 9, false).type_ids, ElementsAre(0, 0, 3));
  EncodeOptions options;
  options.add_special_tokens = true;  // three parts: the reference panics
  EXPECT_EQ(t->EncodePair({Trusted("ab")}, {Trusted("c")}, options).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(ReferenceTest, AnUnknownTokenThatTheModelDoesNotHaveIsNone) {
  const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(
      R"({"added_tokens": [{"id": 1, "content": "<unk>", "special": true}],
      "model": {"type": "BPE", "unk_token": "<unk>", "vocab": {"a": 0}, "merges": []}})",
      "tokenizer.json");
  ASSERT_OK(t);
  EXPECT_THAT((*t)->EncodeIds("aba"), ElementsAre(0, 0));
}

// The reference gives the ids of the words it can spell and fails at others.
TEST(ReferenceTest, AWordPieceVocabularyWithoutItsUnkSpellsWhatItCan) {
  const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(
      R"({"version": "1.0", "pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "WordPiece",
      "unk_token": "[UNK]", "vocab": {"a": 0, "##b": 1, "c": 2}}})",
      "tokenizer.json");
  ASSERT_OK(t);
  EXPECT_THAT((*t)->EncodeIds("ab c a"), ElementsAre(0, 1, 2, 0));
  EXPECT_THAT((*t)->EncodeIds("ab x abx c"), ElementsAre(0, 1, 2));
  EXPECT_EQ((*t)->vocabulary().special().unk, std::nullopt);
}

TEST(ReferenceTest, RobertaWithoutItsFieldsIsBert) {
  const TokenizerPtr t = Load(
      R"("post_processor": {"type": "RobertaProcessing", "cls": ["c", 3], "sep": ["_", 5], "trim_offsets": true})");
  EXPECT_THAT(EncodePair(t, "a", "b", 9).ids, ElementsAre(3, 1, 5, 2, 5));
  EXPECT_THAT(EncodePair(t, "a", "b", 9).type_ids, ElementsAre(0, 0, 0, 1, 1));
}

}  // namespace
}  // namespace penstock
