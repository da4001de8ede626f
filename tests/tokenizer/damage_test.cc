// SPDX-License-Identifier: Apache-2.0
//
// Every truncation and every flipped byte of a small good file of every format: a Status that names
// the file, or a tokenizer that works. Each in its own allocation, so that reading past the end is
// seen.
#include <cstddef>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/test_data.h"
#include "tests/tokenizer/bad_file.h"
#include "tests/tokenizer/invariants.h"
#include "tests/tokenizer/small_vocabularies.h"
#include "tokenizer/readers.h"

namespace penstock {
namespace {

struct Damaged {
  size_t refused = 0;
  size_t loaded = 0;
};

void Check(const absl::StatusOr<TokenizerPtr>& t, const std::string& what, Damaged* count) {
  if (!t.ok()) {
    ++count->refused;
    ASSERT_NE(t.status().message().find("the.file"), absl::string_view::npos)
        << what << ": " << t.status();
    ASSERT_NE(t.status().code(), absl::StatusCode::kInternal) << what;
    return;
  }
  ++count->loaded;
  const std::string text = "ab <s> hello\xFF \xE2\x96\x81[MASK]";
  const std::vector<TokenId> ids = (*t)->EncodeIds(text);
  const char* const broken = BrokenIds(**t, text, ids);
  ASSERT_EQ(broken, nullptr) << what << ": " << broken;
  (*t)->Decode(ids);
}

absl::StatusOr<TokenizerPtr> Parse(const SmallVocabulary& v, const std::string& file) {
  const std::vector<char> bytes(file.begin(), file.end());
  LoadOptions options = v.options;
  options.limits.max_vocabulary = 101000;  // ids with one more digit would only cost memory
  return ParseTokenizer({bytes.data(), bytes.size()}, "the.file", options);
}

// vocab.json with its merges behind it, as one run of bytes with NUL between.
absl::StatusOr<TokenizerPtr> ParseBoth(const std::string& file) {
  const size_t nul = std::min(file.find('\0'), file.size());
  return internal::ParseVocabAndMerges(
      {std::string_view(file).substr(0, nul), "the.file", {}},
      std::string_view(file).substr(std::min(nul + 1, file.size())), {});
}

std::string VocabAndMerges() {
  return std::string(R"({"a":0,"b":1,"Ġ":2,"ab":3,"<s>":4,"</s>":5,"<mask>":6})") + '\0' +
         "#version: 0.2\na b\n";
}

class DamageTest : public testing::TestWithParam<size_t> {
 protected:
  DamageTest() : v_(SmallVocabularies()[GetParam()]) {}
  SmallVocabulary v_;
};

// Short files are damaged at every byte; those longer than a page at every byte near both ends and
// at a sample of those between. (bad_files_test.cc and the tests of each format have short files of
// their formats, damaged everywhere.) PENSTOCK_TEST_SCALE=16: everywhere.
bool Tried(size_t at, size_t size) {
  return size < 1500 || at < 150 || at + 150 > size ||
         at % (16 / std::min<size_t>(16, Scaled(1))) == 0;
}

TEST_P(DamageTest, CutShortAtEveryByte) {
  Damaged count;
  for (size_t size = 0; size < v_.file.size(); ++size) {
    if (!Tried(size, v_.file.size())) continue;
    Check(Parse(v_, v_.file.substr(0, size)), v_.name + " to " + std::to_string(size), &count);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(count.refused, 0u);
}

TEST_P(DamageTest, EveryByteFlipped) {
  SeededRandom random;
  Damaged count;
  for (size_t at = 0; at < v_.file.size(); ++at) {
    if (!Tried(at, v_.file.size())) continue;
    std::string file = v_.file;
    file[at] = static_cast<char>(file[at] ^ (random.OneIn(4) ? 0xFF : 1 << random.Below(8)));
    Check(Parse(v_, file), v_.name + " at " + std::to_string(at), &count);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(count.refused + count.loaded, 0u);
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, DamageTest,
                         testing::Range(size_t{0}, SmallVocabularies().size()),
                         [](const auto& parameter) {
                           std::string name = SmallVocabularies()[parameter.param].name;
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

TEST(DamageTest, VocabJsonAndMergesCutShortOrFlipped) {
  const std::string good = VocabAndMerges();
  ASSERT_TRUE(ParseBoth(good).ok()) << ParseBoth(good).status();
  SeededRandom random;
  Damaged count;
  for (size_t at = 0; at < good.size(); ++at) {
    Check(ParseBoth(good.substr(0, at)), "to " + std::to_string(at), &count);
    std::string file = good;
    file[at] = static_cast<char>(file[at] ^ (1 << random.Below(8)));
    Check(ParseBoth(file), "at " + std::to_string(at), &count);
    if (HasFatalFailure()) return;
  }
}

// The files of the shared folder that are damaged as published.
TEST(DamageTest, APublishedFileWithSpacesForNoBreakSpacesIsRefusedAtItsMerge) {
  PENSTOCK_TEST_DATA_OR_SKIP(path, "vocab/llama2/tokenizer.json");
  const absl::Status status = LoadTokenizer(path).status();
  EXPECT_EQ(status.code(), kDataLoss) << status;
  EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("model."), absl::string_view::npos) << status;
  PENSTOCK_TEST_DATA_OR_SKIP(repaired, "vocab/llama2/tokenizer.repaired.json");
  EXPECT_TRUE(LoadTokenizer(repaired).ok());
}

TEST(DamageTest, APublishedRankFileWithALineThatIsNoBase64IsRefusedAtThatLine) {
  PENSTOCK_TEST_DATA_OR_SKIP(path, "vocab/whisper-tiny/multilingual.tiktoken");
  LoadOptions options;
  options.encoding = "gpt2";
  const absl::Status status = LoadTokenizer(path, options).status();
  EXPECT_EQ(status.code(), kDataLoss) << status;
  EXPECT_NE(status.message().find(":50257: \"=\" is not base64"), absl::string_view::npos)
      << status;
}

TEST(DamageTest, APublishedFileWhoseMergeIsNoTokenIsRefusedAtThatMerge) {
  PENSTOCK_TEST_DATA_OR_SKIP(path, "vocab/tiny-hf-meta/tokenizer.json");
  const absl::Status status = LoadTokenizer(path).status();
  EXPECT_EQ(status.code(), kDataLoss) << status;
  EXPECT_NE(status.message().find("model.merges["), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("not in the vocabulary"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace penstock
