// SPDX-License-Identifier: Apache-2.0
//
// vocab.txt, and vocab.json with merges.txt.
#include <cstdio>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A folder of its own that goes when the test ends.
class Folder {
 public:
  Folder() {
    std::string pattern = testing::TempDir() + "/penstock_vocab_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() {
    for (const std::string& file : files_) std::remove(file.c_str());
    std::remove(path_.c_str());
  }
  std::string Write(const std::string& name, const std::string& bytes) {
    files_.push_back(path_ + "/" + name);
    std::FILE* const file = std::fopen(files_.back().c_str(), "wb");
    EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    std::fclose(file);
    return files_.back();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

constexpr char kVocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhe\n##llo\ncafe\n,\n世\n";

TEST(VocabTxtTest, IsBertWithLowerCaseWhereTheVocabularyHasNoCapitals) {
  const auto t = ParseTokenizer(kVocab, "vocab.txt");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("HELLO, Café世x"), ElementsAre(5, 6, 8, 7, 9, 1));
  EncodeOptions options;
  options.add_special_tokens = true;
  EXPECT_THAT((*t)->Encode({Untrusted("hello")}, options)->ids, ElementsAre(2, 5, 6, 3));
  EXPECT_EQ((*t)->Decode({5, 6, 8}), "hello,");
}

TEST(VocabTxtTest, ACapitalInTheVocabularyMeansCased) {
  const auto t = ParseTokenizer(std::string(kVocab) + "He\n", "vocab.txt");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("Hello hello"), ElementsAre(10, 6, 5, 6));
}

TEST(VocabTxtTest, TokenizerConfigBesideItDecides) {
  Folder folder;
  const std::string path = folder.Write("vocab.txt", kVocab);
  folder.Write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": true})");
  const auto t = LoadTokenizer(path);
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("café HE"), ElementsAre(7, 1));
}

TEST(VocabTxtTest, ControlTokensNeedATrustedSegment) {
  const auto t = ParseTokenizer(kVocab, "vocab.txt");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->Encode({Trusted("[MASK]")})->ids, ElementsAre(4));
  for (const TokenId id : (*t)->EncodeIds("[MASK] [SEP]")) EXPECT_LT(id, 2);
}

TEST(VocabTxtTest, OfEqualLinesTheLastOneCounts) {
  const auto t = ParseTokenizer(std::string(kVocab) + "he\n", "vocab.txt");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("he"), ElementsAre(10));
}

TEST(VocabTxtTest, LineEndsOfWindowsAndNoLineEndAtTheLastLineAreFine) {
  const auto t = ParseTokenizer("[PAD]\r\n[UNK]\r\nhe\r\nllo", "vocab.txt");
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("he llo"), ElementsAre(2, 3));
}

TEST(VocabTxtTest, DamagedFilesAreRefusedWithTheirLine) {
  const auto message = [](const std::string& bytes) {
    LoadOptions options;
    options.format = FileFormat::kWordPieceVocab;
    const auto t = ParseTokenizer(bytes, "vocab.txt", options);
    EXPECT_EQ(t.status().code(), absl::StatusCode::kDataLoss) << t.status();
    return std::string(t.status().message());
  };
  EXPECT_THAT(message("[UNK]\n\nhe\n"), HasSubstr("vocab.txt:2: empty"));
  EXPECT_THAT(message("[UNK]\nhe\n\xFF\n"), HasSubstr("vocab.txt:3: is not UTF-8"));
  EXPECT_THAT(message("he\nllo\n"), HasSubstr("no line \"[UNK]\""));
  EXPECT_THAT(message(""), HasSubstr("no line \"[UNK]\""));
}

TEST(VocabTxtTest, LimitsAreResourceExhausted) {
  LoadOptions options;
  options.limits.max_vocabulary = 3;
  EXPECT_EQ(ParseTokenizer(kVocab, "vocab.txt", options).status().code(),
            absl::StatusCode::kResourceExhausted);
  options.limits = LoadLimits();
  options.limits.max_token_bytes = 4;
  EXPECT_EQ(ParseTokenizer(kVocab, "vocab.txt", options).status().code(),
            absl::StatusCode::kResourceExhausted);
}

constexpr char kVocabJson[] = R"({"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "<|endoftext|>": 5})";
constexpr char kMerges[] = "#version: 0.2\na b\nĠ ab\n";

TEST(VocabMergesTest, IsGpt2WithTheMergesBesideIt) {
  Folder folder;
  const std::string path = folder.Write("vocab.json", kVocabJson);
  folder.Write("merges.txt", kMerges);
  for (const std::string& from : {path, folder.path()}) {
    const auto t = LoadTokenizer(from);
    ASSERT_TRUE(t.ok()) << t.status();
    EXPECT_THAT((*t)->EncodeIds("ab ab"), ElementsAre(3, 4));
    EXPECT_THAT((*t)->Encode({Trusted("<|endoftext|>")})->ids, ElementsAre(5));
  }
}

TEST(VocabMergesTest, TheMergesMayBeElsewhere) {
  Folder folder;
  LoadOptions options;
  EXPECT_EQ(ParseTokenizer(kVocabJson, "vocab.json", options).status().code(),
            absl::StatusCode::kNotFound);
  options.merges_path = folder.Write("other.txt", kMerges);
  const auto t = ParseTokenizer(kVocabJson, "vocab.json", options);
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("ab"), ElementsAre(3));
}

TEST(VocabMergesTest, RobertasSpecialTokensBringRobertasTemplate) {
  Folder folder;
  LoadOptions options;
  options.merges_path = folder.Write("merges.txt", "#version: 0.2\na b\n");
  const auto t = ParseTokenizer(
      R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "ab": 6, "<mask>": 7})",
      "vocab.json", options);
  ASSERT_TRUE(t.ok()) << t.status();
  EncodeOptions encode;
  encode.add_special_tokens = true;
  EXPECT_THAT((*t)->Encode({Untrusted("ab")}, encode)->ids, ElementsAre(0, 6, 2));
}

TEST(VocabMergesTest, DamagedMergesAreRefusedWithTheirLine) {
  Folder folder;
  LoadOptions options;
  for (const auto& [bytes, what] : std::vector<std::pair<std::string, std::string>>{
           {"#version\na b\nab\n", ":3: expected two tokens"},
           {"#version\na b c\n", ":2: expected two tokens"},
           {"#version\n a\n", ":2: expected two tokens"},
           {"#version\na \n", ":2: expected two tokens"},
           {"#version\na \xFF\n", ":2: is not UTF-8"},
           {"#version\na c\n", "merges[0]"}}) {
    options.merges_path = folder.Write("merges.txt", bytes);
    const auto t = ParseTokenizer(kVocabJson, "vocab.json", options);
    ASSERT_FALSE(t.ok()) << bytes;
    EXPECT_THAT(std::string(t.status().message()), HasSubstr(what)) << bytes;
  }
}

// The published GPT-2 files, against the tokenizer.json of the same model.
TEST(VocabMergesTest, Gpt2sFilesEncodeAsItsTokenizerJson) {
  PENSTOCK_TEST_DATA_OR_SKIP(vocab, "vocab/gpt2/vocab.json");
  PENSTOCK_TEST_DATA_OR_SKIP(json, "vocab/gpt2/tokenizer.json");
  const auto a = LoadTokenizer(vocab), b = LoadTokenizer(json);
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  for (const char* text :
       {"Hello, world! It's 1234.", "  émigré\n\n 世界 \t x", "don't  'll we'RE"}) {
    EXPECT_EQ((*a)->EncodeIds(text), (*b)->EncodeIds(text)) << text;
  }
}

}  // namespace
}  // namespace penstock
