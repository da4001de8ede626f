// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tokenizer/gguf/metadata.h"
#include "tokenizer/gguf/pre_tokenizers.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TokenizerPtr Load(const GgufWriter& file) {
  const auto t = ParseTokenizer(file.Bytes(), "test.gguf");
  EXPECT_TRUE(t.ok()) << t.status();
  return t.ok() ? *t : nullptr;
}

std::vector<std::string> ByteTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", byte);
    tokens.push_back(text);
  }
  return tokens;
}

GgufWriter Llama() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<float> scores = {0, 0, 0};
  std::vector<int32_t> types = {2, 3, 3};
  for (const std::string& token : ByteTokens()) {
    tokens.push_back(token);
    scores.push_back(0);
    types.push_back(6);
  }
  for (const char* piece : {"▁", "a", "b", "ab", "▁ab"}) {
    tokens.push_back(piece);
    scores.push_back(-static_cast<float>(tokens.size()));
    types.push_back(1);
  }
  GgufWriter file;
  file.String("general.architecture", "llama").String("tokenizer.ggml.model", "llama");
  file.Strings("tokenizer.ggml.tokens", tokens).Floats("tokenizer.ggml.scores", scores);
  file.Int32s("tokenizer.ggml.token_type", types);
  return file;
}

GgufWriter Gpt2() {
  GgufWriter file;
  file.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", "gpt-2");
  file.Strings("tokenizer.ggml.tokens", {"a", "b", "Ġ", "ab", "Ġab", "<|end|>", "[PAD6]", "  "});
  file.Int32s("tokenizer.ggml.token_type", {1, 1, 1, 1, 1, 3, 5, 4});
  file.Strings("tokenizer.ggml.merges", {"a b", "Ġ ab"});
  file.Uint32("tokenizer.ggml.bos_token_id", 5);
  return file;
}

TEST(GgufTest, LlamaIsSentencePieceBpe) {
  const TokenizerPtr t = Load(Llama());
  EXPECT_THAT(t->EncodeIds("ab ab"), ElementsAre(263, 263));
  EXPECT_THAT(t->EncodeIds("é"), ElementsAre(259, 3 + 0xC3, 3 + 0xA9));
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT(t->Encode({Trusted("ab</s>")}, options)->ids, ElementsAre(1, 263, 2));
}

TEST(GgufTest, SpacePrefixAndBosAreAsTheFileSays) {
  const TokenizerPtr t = Load(Llama()
                                  .Bool("tokenizer.ggml.add_space_prefix", false)
                                  .Bool("tokenizer.ggml.add_bos_token", false)
                                  .Bool("tokenizer.ggml.add_eos_token", true));
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT(t->Encode({Untrusted("ab")}, options)->ids, ElementsAre(262, 2));
}

TEST(GgufTest, Gpt2IsByteLevelBpe) {
  const TokenizerPtr t = Load(Gpt2());
  EXPECT_THAT(t->EncodeIds("ab ab"), ElementsAre(3, 4));
  EXPECT_EQ(t->Decode({3, 4}), "ab ab");
  EXPECT_THAT(t->Encode({Trusted("ab<|end|>")})->ids, ElementsAre(3, 5));
  for (const TokenId id : t->EncodeIds("ab<|end|>")) EXPECT_NE(id, 5);
  EXPECT_THAT(t->EncodeIds("a  b"), ElementsAre(0, 7, 1));  // white space is content
}

TEST(GgufTest, BertSpellsContinuationsWithoutMarks) {
  GgufWriter file;
  file.String("tokenizer.ggml.model", "bert");
  file.Strings("tokenizer.ggml.tokens", {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁he", "llo", "▁["});
  file.Int32s("tokenizer.ggml.token_type", {3, 3, 3, 3, 1, 1, 1});
  file.Uint32("tokenizer.ggml.unknown_token_id", 1).Uint32("tokenizer.ggml.cls_token_id", 2);
  file.Uint32("tokenizer.ggml.seperator_token_id", 3);
  const TokenizerPtr t = Load(file);
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT(t->Encode({Untrusted("Héllo [ x")}, options)->ids, ElementsAre(2, 4, 5, 6, 1, 3));
}

TEST(GgufTest, T5IsSentencePieceUnigram) {
  GgufWriter file;
  file.String("tokenizer.ggml.model", "t5");
  file.Strings("tokenizer.ggml.tokens", {"<pad>", "</s>", "<unk>", "▁a", "b", "▁ab"});
  file.Floats("tokenizer.ggml.scores", {0, 0, 0, -1, -1, -3});
  file.Int32s("tokenizer.ggml.token_type", {3, 3, 2, 1, 1, 1});
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT(Load(file)->Encode({Untrusted("ab  ab")}, options)->ids, ElementsAre(3, 4, 3, 4, 1));
}

TEST(GgufTest, AFileIsReadNoFurtherThanItsMetadata) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "model.gguf").string();
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  const std::string bytes = Gpt2().Bytes();
  ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  // Tensor data of 8 GiB, none of which is on the disk.
  ASSERT_EQ(fseeko(file, off_t{8} << 30, SEEK_SET), 0);
  ASSERT_EQ(std::fputc('x', file), 'x');
  ASSERT_EQ(std::fclose(file), 0);
  const auto t = LoadTokenizer(path);
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("ab"), ElementsAre(3));
}

TEST(GgufTest, EveryPreTokenizerCompiles) {
  for (const char* name : {"default",      "gpt-2",          "mpt",
                           "llama-bpe",    "smaug-bpe",      "qwen2",
                           "stablelm2",    "gpt-4o",         "tekken",
                           "deepseek-llm", "deepseek-coder", "deepseek-v3",
                           "falcon",       "starcoder",      "command-r",
                           "bloom",        "viking",         "superbpe",
                           "bailingmoe",   "seed-coder",     "qwen35",
                           "kimi-k2",      "exaone4",        "kormo",
                           "solar-open",   "kanana2",        "talkie",
                           "joyai-llm",    "hy_v4",          "mellum2",
                           "minicpm5",     "spark2_5",       "youtu",
                           "jais-2",       "exaone-moe",     "chameleon",
                           "tiny_aya",     "cohere2moe",     "ufakzeka",
                           "afmoe",        "laguna",         "granite-embed-multi-97m"}) {
    EXPECT_TRUE(internal::FindGgufPre(name).has_value()) << name;
    GgufWriter file;
    file.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", name);
    file.Strings("tokenizer.ggml.tokens", {"a", "b", "Ġ", "ab", "1"});
    file.Strings("tokenizer.ggml.merges", {"a b"});
    const auto t = ParseTokenizer(file.Bytes(), "test.gguf");
    ASSERT_TRUE(t.ok()) << name << ": " << t.status();
    EXPECT_THAT((*t)->EncodeIds("ab 1"), ElementsAre(3, 2, 4)) << name;
  }
}

// Pieces of `text` under `pre`, each of which is a token of its own here.
std::vector<std::string> PiecesUnder(const char* pre, const std::string& text) {
  GgufWriter file;
  file.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", pre);
  std::vector<std::string> tokens, merges;
  for (const char* c : {"1", "2", "3", "a", "b", "Ġ", "Ċ"}) tokens.push_back(c);
  for (size_t i = 0; i < 7 * 7; ++i) merges.push_back(tokens[i / 7] + " " + tokens[i % 7]);
  for (size_t i = 0; i < 7 * 7; ++i) tokens.push_back(tokens[i / 7] + tokens[i % 7]);
  file.Strings("tokenizer.ggml.tokens", tokens).Strings("tokenizer.ggml.merges", merges);
  const TokenizerPtr t = Load(file);
  std::vector<std::string> pieces;
  for (const TokenId id : t->EncodeIds(text)) pieces.push_back(t->Decode({id}));
  return pieces;
}

TEST(GgufTest, DigitsAreGroupedAsThePreTokenizerSays) {
  EXPECT_THAT(PiecesUnder("qwen2", "12"), ElementsAre("1", "2"));
  EXPECT_THAT(PiecesUnder("gpt-2", "12"), ElementsAre("12"));
  EXPECT_THAT(PiecesUnder("afmoe", "12123a"), ElementsAre("12", "12", "3", "a"));
  EXPECT_THAT(PiecesUnder("afmoe", "1123"), ElementsAre("1", "12", "3"));
  EXPECT_THAT(PiecesUnder("tiny_aya", "1123 b"), ElementsAre("1", "12", "3", " b"));
  EXPECT_THAT(PiecesUnder("tiny_aya", "1123b"), ElementsAre("11", "2", "3", "b"));  // no boundary
  EXPECT_THAT(PiecesUnder("spark2_5", "12"), ElementsAre("1", "2"));
}

TEST(GgufTest, Gemma4MergesCharactersWithEscapedSpaces) {
  for (const bool by_model : {true, false}) {
    std::vector<std::string> tokens = ByteTokens();
    std::vector<int32_t> types(256, 6);
    for (const char* piece : {"<bos>", "<unk>", "▁", "a", "▁a", "x", "é", "  ", "\n"}) {
      tokens.push_back(piece);
      types.push_back(tokens.size() <= 258 ? 3 : tokens.size() < 264 ? 1 : 4);
    }
    GgufWriter file;
    file.String("tokenizer.ggml.model", by_model ? "gemma4" : "gpt2");
    if (!by_model) file.String("tokenizer.ggml.pre", "gemma4");
    file.Strings("tokenizer.ggml.tokens", tokens).Int32s("tokenizer.ggml.token_type", types);
    file.Strings("tokenizer.ggml.merges", {"▁ ▁", "▁ a"});
    file.Uint32("tokenizer.ggml.bos_token_id", 256).Uint32("tokenizer.ggml.unknown_token_id", 257);
    file.Bool("tokenizer.ggml.add_bos_token", true);
    const TokenizerPtr t = Load(file);
    EncodeOptions options;
    options.add_special_tokens = true;
    EXPECT_THAT(t->Encode({Untrusted("a a<bos>")}, options)->ids,
                ElementsAre(256, 259, 260, 0x3C, 0x62, 0x6F, 0x73, 0x3E));
    EXPECT_THAT(t->EncodeIds("é\né"), ElementsAre(262, 264, 262));
    EXPECT_THAT(t->EncodeIds("  a"), ElementsAre(263, 259));  // merged, no added token
    EXPECT_EQ(t->Decode(t->EncodeIds("a   中\n")), "a   中\n");
  }
}

GgufWriter Gpt2With(const char* pre) {
  GgufWriter file;
  file.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", pre);
  file.Strings("tokenizer.ggml.tokens", {"a", "b", "Ġ", "ab", "1", "<bos>"});
  file.Int32s("tokenizer.ggml.token_type", {1, 1, 1, 1, 1, 3});
  file.Strings("tokenizer.ggml.merges", {"a b"}).Uint32("tokenizer.ggml.bos_token_id", 5);
  return file;
}

TEST(GgufTest, BosIsAddedWhereTheFileIsSilentAndTheModelsOfThatPreDo) {
  EncodeOptions options;
  options.add_special_tokens = true;
  for (const char* pre : {"llama-bpe", "tekken"}) {
    EXPECT_THAT(Load(Gpt2With(pre))->Encode({Trusted("a")}, options)->ids, ElementsAre(5, 0));
    const TokenizerPtr t = Load(Gpt2With(pre).Bool("tokenizer.ggml.add_bos_token", false));
    EXPECT_THAT(t->Encode({Trusted("a")}, options)->ids, ElementsAre(0));
  }
  for (const char* pre : {"gpt-2", "smaug-bpe", "qwen2"}) {
    EXPECT_THAT(Load(Gpt2With(pre))->Encode({Trusted("a")}, options)->ids, ElementsAre(0));
  }
}

TEST(GgufTest, AnUnknownPreTokenizerIsRefusedWithThoseThatAreKnown) {
  const auto t = ParseTokenizer(Gpt2With("plamo3").Bytes(), "test.gguf");
  EXPECT_EQ(t.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(t.status().message()), HasSubstr("\"plamo3\""));
  EXPECT_THAT(std::string(t.status().message()), HasSubstr(" llama-bpe "));
}

struct BadFile {
  const char* pathology;
  std::string bytes;
  const char* message;
};

std::vector<BadFile> BadFiles() {
  const auto with = [](std::string_view key, uint32_t type, const std::string& value) {
    return GgufWriter().Raw(key, type, value).Bytes();
  };
  const auto n = GgufNumber;
  const auto tokens = [](const char* model) {
    return GgufWriter()
        .String("tokenizer.ggml.model", model)
        .Strings("tokenizer.ggml.tokens", {"a", "b"});
  };
  const uint64_t huge = uint64_t{1} << 62;
  return {
      {"nothing but the magic", "GGUF", "the file ends here"},
      {"version 1", Gpt2().Bytes(1), "GGUF version 1"},
      {"version 4", Gpt2().Bytes(4), "GGUF version 4"},
      {"big endian", Gpt2().Bytes(0x03000000), "big-endian"},
      {"2^62 pairs", Gpt2().BytesWithPairs(huge), "key-value pairs"},
      {"one pair too many", Gpt2().BytesWithPairs(8), "the file ends here"},
      {"no pairs", GgufWriter().Bytes(), "no tokenizer.ggml.model"},
      {"key of 2^62 bytes", GgufWriter().BytesWithPairs(1) + n(huge, 8), "runs past the end"},
      {"key of 1 MiB", GgufWriter().BytesWithPairs(1) + GgufText(std::string(1 << 20, 'k')),
       "bytes of a string"},
      {"empty key", with("", 4, n(0, 4)), "is empty"},
      {"key twice", GgufWriter().Uint32("tokenizer.x", 1).Uint32("tokenizer.x", 1).Bytes(),
       "twice"},
      {"type 13", with("tokenizer.x", 13, n(0, 8)), "a value of type 13"},
      {"type 2^31", with("tokenizer.x", 0x80000000, n(0, 8)), "a value of type"},
      {"string of 2^63 bytes", with("tokenizer.x", 8, n(uint64_t{1} << 63, 8)), "runs past"},
      {"string of -1 bytes", with("tokenizer.x", 8, n(~uint64_t{0}, 8)), "runs past"},
      {"array of arrays", with("tokenizer.x", 9, n(9, 4) + n(1, 8)), "an array of type 9"},
      {"array of type 99", with("tokenizer.x", 9, n(99, 4) + n(1, 8)), "an array of type 99"},
      {"array of 2^62 numbers", with("tokenizer.x", 9, n(4, 4) + n(huge, 8)), "runs past the end"},
      {"array of 2^62 strings", with("tokenizer.x", 9, n(8, 4) + n(huge, 8)), "runs past the end"},
      {"array whose size wraps", with("tokenizer.x", 9, n(10, 4) + n(uint64_t{1} << 61, 8)),
       "runs past the end"},
      {"skipped array of 2^62", with("llama.x", 9, n(4, 4) + n(huge, 8)), "runs past the end"},
      {"bool of 2", with("tokenizer.x", 7, n(2, 1)), "a bool of value 2"},
      {"number above int64", with("tokenizer.x", 10, n(~uint64_t{0}, 8)), "larger than any"},
      {"model is a number", GgufWriter().Uint32("tokenizer.ggml.model", 1).Bytes(),
       "no tokenizer.ggml.model"},
      {"unknown model", tokens("rwkv").Bytes(), "\"rwkv\""},
      {"no tokens", GgufWriter().String("tokenizer.ggml.model", "gpt2").Bytes(),
       "no tokenizer.ggml.tokens"},
      {"tokens are numbers",
       GgufWriter()
           .String("tokenizer.ggml.model", "gpt2")
           .Int32s("tokenizer.ggml.tokens", {1})
           .Bytes(),
       "no tokenizer.ggml.tokens"},
      {"token is not UTF-8",
       GgufWriter()
           .String("tokenizer.ggml.model", "gpt2")
           .Strings("tokenizer.ggml.tokens", {"\xFF"})
           .Bytes(),
       "tokens[0]: is not UTF-8"},
      {"no merges", tokens("gpt2").Bytes(), "no tokenizer.ggml.merges"},
      {"merge without space", tokens("gpt2").Strings("tokenizer.ggml.merges", {"ab"}).Bytes(),
       "merges[0]"},
      {"merge of unknown tokens", tokens("gpt2").Strings("tokenizer.ggml.merges", {"a c"}).Bytes(),
       "merges"},
      {"unknown pre",
       tokens("gpt2")
           .String("tokenizer.ggml.pre", "gpt-99")
           .Strings("tokenizer.ggml.merges", {})
           .Bytes(),
       "\"gpt-99\""},
      {"fewer types than tokens", tokens("gpt2").Int32s("tokenizer.ggml.token_type", {1}).Bytes(),
       "token_type: 1 elements"},
      {"type out of range", tokens("gpt2").Int32s("tokenizer.ggml.token_type", {1, 7}).Bytes(),
       "token_type[1]: 7"},
      {"negative type", tokens("gpt2").Int32s("tokenizer.ggml.token_type", {-1, 1}).Bytes(),
       "token_type[0]: -1"},
      {"bos beyond the tokens", tokens("gpt2").Uint32("tokenizer.ggml.bos_token_id", 2).Bytes(),
       "bos_token_id: 2"},
      {"unknown beyond the tokens",
       tokens("bert").Uint32("tokenizer.ggml.unknown_token_id", 1u << 31).Bytes(),
       "unknown_token_id"},
      {"bert without unknown", tokens("bert").Bytes(), "no unknown token"},
      {"llama without scores", tokens("llama").Bytes(), "no tokenizer.ggml.scores"},
      {"fewer scores than tokens", tokens("llama").Floats("tokenizer.ggml.scores", {1}).Bytes(),
       "scores: 1 elements"},
      {"scores are integers", tokens("llama").Int32s("tokenizer.ggml.scores", {1, 2}).Bytes(),
       "no tokenizer.ggml.scores"},
      {"llama with some byte tokens",
       GgufWriter()
           .String("tokenizer.ggml.model", "llama")
           .Strings("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x41>"})
           .Floats("tokenizer.ggml.scores", {0, 0, 0, 0})
           .Int32s("tokenizer.ggml.token_type", {2, 3, 3, 6})
           .Bytes(),
       "has no piece"},
      {"PLaMo-2's <0x-1>",
       GgufWriter()
           .String("tokenizer.ggml.model", "llama")
           .Strings("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0x-1>"})
           .Floats("tokenizer.ggml.scores", {0, 0, 0, 0})
           .Int32s("tokenizer.ggml.token_type", {2, 3, 3, 6})
           .Bytes(),
       "is no byte"},
      {"t5 with a damaged character map",
       GgufWriter()
           .String("tokenizer.ggml.model", "t5")
           .Strings("tokenizer.ggml.tokens", {"<pad>", "</s>", "<unk>"})
           .Floats("tokenizer.ggml.scores", {0, 0, 0})
           .Raw("tokenizer.ggml.precompiled_charsmap", 9, n(0, 4) + n(3, 8) + "abc")
           .Bytes(),
       "precompiled_charsmap: shorter"},
  };
}

TEST(GgufBadFileTest, EveryPathologyIsRefusedAndNamed) {
  for (const BadFile& bad : BadFiles()) {
    const auto t = ParseTokenizer(bad.bytes, "bad.gguf");
    ASSERT_FALSE(t.ok()) << bad.pathology;
    EXPECT_THAT(std::string(t.status().message()), HasSubstr("bad.gguf: ")) << bad.pathology;
    EXPECT_THAT(std::string(t.status().message()), HasSubstr(bad.message)) << bad.pathology;
  }
}

TEST(GgufBadFileTest, AFileCutShortAnywhereIsRefused) {
  for (const std::string& good : {Gpt2().Bytes(), Llama().Bytes().substr(0, 1500)}) {
    for (size_t size = 0; size < good.size(); ++size) {
      const std::string cut(good.data(), size);
      EXPECT_FALSE(ParseTokenizer(cut, "cut.gguf").ok()) << size;
    }
  }
}

TEST(GgufBadFileTest, AnyByteMayBeDamagedWithoutHarm) {
  const std::string good = Gpt2().Bytes();
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      const auto t = ParseTokenizer(damaged, "damaged.gguf");
      if (t.ok()) (*t)->Decode((*t)->EncodeIds("ab <|end|>\xFF"));
    }
  }
}

TEST(GgufBadFileTest, LimitsAreResourceExhausted) {
  LoadOptions options;
  options.limits.max_vocabulary = 7;
  EXPECT_EQ(ParseTokenizer(Gpt2().Bytes(), "a", options).status().code(),
            absl::StatusCode::kResourceExhausted);
  options.limits = LoadLimits();
  options.limits.max_merges = 1;
  EXPECT_EQ(ParseTokenizer(Gpt2().Bytes(), "a", options).status().code(),
            absl::StatusCode::kResourceExhausted);
  options.limits = LoadLimits();
  options.limits.max_file_bytes = 100;
  EXPECT_EQ(ParseTokenizer(Gpt2().Bytes(), "a", options).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace penstock
