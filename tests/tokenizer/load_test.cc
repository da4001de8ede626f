// SPDX-License-Identifier: Apache-2.0
//
// Where files come from (paths, folders, memory, readers of the host), and what goes with a bare
// rank file by name.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tests/tokenizer/tiny_files.h"
#include "tokenizer/known_encodings.h"
#include "tokenizer/split_grammar.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class LoadTest : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }

  const TemporaryFolder own_;
  const fs::path& folder_ = own_.path();
};

constexpr char kVocabTxt[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n";

TEST_F(LoadTest, OfAFolderTokenizerJsonIsReadThenTokenizerModelVocabJsonVocabTxt) {
  const auto ids = [this](const std::string& text) {
    LoadOptions options = TinyOptions();
    options.read_tokenizer_config = false;
    absl::StatusOr<TokenizerPtr> t = LoadTokenizer(folder_.string(), options);
    EXPECT_OK(t);
    return t.ok() ? (*t)->EncodeIds(text) : std::vector<TokenId>();
  };
  Write("vocab.txt", kVocabTxt);
  EXPECT_THAT(ids("ab"), ElementsAre(5, 6));
  Write("vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  Write("merges.txt", "#version: 0.2\na b\n");
  EXPECT_THAT(ids("ab"), ElementsAre(2));
  Write("tokenizer.model", TinyRanks());
  EXPECT_THAT(ids("ab"), ElementsAre('a', 'b'));
  Write("tokenizer.json", TinyJson());
  EXPECT_THAT(ids("ab"), ElementsAre(46));
}

TEST_F(LoadTest, WhatIsNotThereIsNotFoundAndWhatIsNoFileSaysSo) {
  const std::string file = Write("vocab.txt", kVocabTxt);
  EXPECT_THAT(LoadTokenizer(file + ".old"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("vocab.txt.old")));
  EXPECT_THAT(LoadTokenizer(file + "/vocab.txt"), StatusIs(absl::StatusCode::kNotFound));
  LoadOptions options;
  options.merges_path = folder_.string();
  EXPECT_THAT(LoadTokenizer(Write("vocab.json", R"({"a": 0})"), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is a folder")));
  options.merges_path = file + ".old";
  EXPECT_THAT(LoadTokenizer(folder_ / "vocab.json", options),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("vocab.txt.old")));
}

TEST_F(LoadTest, AFileThatCannotBeReadIsUnavailable) {
  if (!fs::exists("/proc/self/mem")) GTEST_SKIP() << "no file here fails on reading";
  EXPECT_THAT(LoadTokenizer("/proc/self/mem"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/proc/self/mem: ")));
}

TEST_F(LoadTest, AFileBeyondTheLimitIsRefusedFromPathAndFromMemory) {
  LoadOptions options;
  options.limits.max_file_bytes = sizeof(kVocabTxt) - 1;
  const std::string file = Write("vocab.txt", kVocabTxt);
  EXPECT_OK(LoadTokenizer(file, options));
  EXPECT_OK(ParseTokenizer(kVocabTxt, "vocab.txt", options));
  --options.limits.max_file_bytes;
  EXPECT_THAT(LoadTokenizer(file, options),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr(file), HasSubstr("max_file_bytes"))));
  EXPECT_THAT(ParseTokenizer(kVocabTxt, "vocab.txt", options),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("vocab.txt")));
}

TEST_F(LoadTest, AFormatThatWasAskedForIsNotGuessed) {
  LoadOptions options;
  options.format = FileFormat::kTiktoken;
  EXPECT_THAT(ParseTokenizer(kVocabTxt, "vocab.txt", options),
              StatusIs(absl::StatusCode::kDataLoss));
  options.format = static_cast<FileFormat>(99);
  EXPECT_THAT(ParseTokenizer(kVocabTxt, "vocab.txt", options),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("vocab.txt")));
}

TEST_F(LoadTest, FromMemoryNothingElseIsRead) {
  EXPECT_THAT(ParseTokenizer(R"({"a": 0})", "vocab.json"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("merges.txt")));
}

// Reads "house:" and a token.
TokenizerReader HouseReader() {
  TokenizerReader reader;
  reader.name = "house format";
  reader.recognizes = [](std::string_view head) { return head.substr(0, 6) == "house:"; };
  reader.read = [](std::string_view file, std::string_view name,
                   const LoadOptions&) -> absl::StatusOr<TokenizerPtr> {
    if (file.size() == 6) return absl::DataLossError(std::string(name) + ": no token");
    return ParseTokenizer(R"({"model": {"type": "WordLevel", "unk_token": "x", "vocab": {")" +
                              std::string(file.substr(6)) + R"(": 7}}})",
                          name);
  };
  return reader;
}

TEST_F(LoadTest, ReadersOfTheHostAreAskedFirst) {
  LoadOptions options;
  options.extra_readers = {TokenizerReader(), HouseReader()};  // the first recognizes nothing
  for (const absl::StatusOr<TokenizerPtr>& t : {LoadTokenizer(Write("house", "house:ab"), options),
                                                ParseTokenizer("house:ab", "house", options)}) {
    ASSERT_OK(t);
    EXPECT_THAT((*t)->EncodeIds("ab"), ElementsAre(7));
  }
  EXPECT_THAT(LoadTokenizer(Write("house", "house:"), options),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no token")));
  EXPECT_OK(LoadTokenizer(Write("vocab.txt", kVocabTxt), options));
  options.format = FileFormat::kWordPieceVocab;
  EXPECT_THAT(ParseTokenizer("house:ab", "house", options), StatusIs(absl::StatusCode::kDataLoss));
}

// SHA-256 of "token id\n" over all special tokens by ascending id, those of 256 ranks.
struct Encoding256 {
  const char* name;
  size_t special_tokens;
  const char* digest;
  const char* pattern;
};

TEST(KnownEncodingsTest, HaveTheSpecialTokensOfTheirPublishers) {
  using namespace internal;  // NOLINT
  // tiktoken 0.14.0 (harmony without <|reserved_200018|>, whose id is <|endofprompt|>'s);
  // tokenizer.py of llama-models for Llama 3.1 (text) and 4; tokenization_qwen.py of Qwen-7B.
  const Encoding256 known[] = {
      {"cl100k_base", 5, "886d1e960e3c135ad147880bcc0d06cf0d7bcab8cf3b32ec2e75a1e1ba81532e",
       kCl100kPattern},
      {"gpt2", 1, "346470e40899a09f9f5f262380d5784849c7fbbd92fc96dafcb8b862a3458316", kGpt2Pattern},
      {"llama3", 256, "eb59799c7430d4ae7061e33e2e7e66ab60e6d0df4ebf46754cc7c23f2e91deb8",
       kCl100kPattern},
      {"llama4", 2048, "f41957b2ddd0c252b05ad316fd2c6eebb83049f360029d5c493ff10c814ce89b",
       kO200kPattern},
      {"o200k_base", 2, "edaaba0694614fedb9c7b68f021b1f5f8c6b3efcfe8f7a2d236ae888a648b1af",
       kO200kPattern},
      {"o200k_harmony", 1090, "3e2b1a617f5ae19aea39d9dd4fe42604a791cecb1346424b95d5bc61ec769a67",
       kO200kPattern},
      {"p50k_base", 1, "346470e40899a09f9f5f262380d5784849c7fbbd92fc96dafcb8b862a3458316",
       kGpt2Pattern},
      {"p50k_edit", 4, "2d7fb12445351dba947e50e5be08e6c9171b150c6b94723cc2fbca177af79081",
       kGpt2Pattern},
      {"qwen", 208, "9d8514019bd97e4d411d999d5e3a8f6c3767d903503cd2cd7182249e9ef47a3e",
       kQwen2Pattern},
      {"r50k_base", 1, "346470e40899a09f9f5f262380d5784849c7fbbd92fc96dafcb8b862a3458316",
       kGpt2Pattern}};
  std::vector<std::string> names;
  for (const Encoding256& want : known) {
    names.push_back(want.name);
    std::optional<KnownEncoding> got = FindEncoding(want.name, 256);
    ASSERT_TRUE(got.has_value()) << want.name;
    std::sort(got->special_tokens.begin(), got->special_tokens.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
    Sha256 hash;
    for (const auto& [token, id] : got->special_tokens) {
      hash.Update(token + " " + std::to_string(id) + "\n");
    }
    EXPECT_EQ(got->special_tokens.size(), want.special_tokens) << want.name;
    EXPECT_EQ(HexOf(hash.Finish()), want.digest) << want.name;
    EXPECT_EQ(got->pattern, want.pattern) << want.name;
    EXPECT_EQ(got->nfc, names.back() == "qwen") << want.name;
  }
  EXPECT_EQ(KnownEncodings(), names);
  EXPECT_FALSE(FindEncoding("cl200k_base", 256).has_value());
}

TEST(KnownEncodingsTest, OfLlamaAddBeginOfTextOnRequestAndPadWithTheirPadToken) {
  for (const auto& [name, pad] : {std::pair{"llama3", 260}, {"llama4", 274}, {"qwen", 256}}) {
    LoadOptions options;
    options.encoding = name;
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const TokenizerPtr t,
                                  ParseTokenizer(TinyRanks(), "tokenizer.model", options));
    EncodeOptions encode;
    encode.add_special_tokens = true;
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e, t->Encode({Untrusted("a")}, encode));
    if (std::string(name) == "qwen") {
      EXPECT_THAT(e.ids, ElementsAre('a'));
    } else {
      EXPECT_THAT(e.ids, ElementsAre(256, 'a'));
    }
    EXPECT_EQ(t->vocabulary().special().pad, pad) << name;
  }
}

}  // namespace
}  // namespace penstock
