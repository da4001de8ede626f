// SPDX-License-Identifier: Apache-2.0
//
// The adapter, and the native engine against the library it replaces.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/adapters/sentencepiece.h"
#include "tests/support/seed.h"
#include "tests/support/sentencepiece_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ModelWriter Small(int algorithm) {
  ModelWriter model(algorithm);
  model.Piece("<unk>", 0, 2).Piece("<s>", 0, 3).Piece("</s>", 0, 3);
  for (const char* piece : {"▁", "a", "b", "c"}) model.Piece(piece, -9);
  model.Piece("ab", -1).Piece("▁ab", -2).Piece("▁▁", -3).Piece("aa", -2.5f).Piece("▁a", -4);
  return model;
}

absl::StatusOr<TokenizerPtr> WithLibrary(const std::string& bytes,
                                         const LoadOptions& options = {}) {
  LoadOptions with = options;
  with.extra_readers.push_back(SentencePieceReader());
  return ParseTokenizer(bytes, "test.model", with);
}

TEST(SentencePieceAdapterTest, EncodesAndDecodes) {
  const auto t = WithLibrary(Small(2).Bytes());
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("ab  ab"), ElementsAre(8, 8));
  EXPECT_EQ((*t)->Decode({8, 8}), "ab ab");
  EXPECT_EQ((*t)->vocabulary().bos_id(), 1);
  EXPECT_EQ((*t)->engine(), nullptr);
}

TEST(SentencePieceAdapterTest, ControlPiecesNeedATrustedSegment) {
  const auto t = WithLibrary(Small(2).Bytes());
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->Encode({Trusted("<s>"), Untrusted("ab")})->ids, ElementsAre(1, 8));
  for (const TokenId id : (*t)->EncodeIds("<s>ab</s>")) {
    EXPECT_FALSE((*t)->vocabulary().IsControl(id));
  }
}

TEST(SentencePieceAdapterTest, TruncatesWithOverlappingWindows) {
  const auto t = WithLibrary(Small(2).Bytes());
  ASSERT_TRUE(t.ok()) << t.status();
  EncodeOptions options;
  options.add_special_tokens = true;
  options.truncation.emplace();
  options.truncation->max_tokens = 4;
  options.truncation->stride = 1;
  const auto e = (*t)->Encode({Untrusted("ab ab ab ab ab")}, options);
  ASSERT_TRUE(e.ok()) << e.status();
  EXPECT_THAT(e->ids, ElementsAre(1, 8, 8, 8));
  ASSERT_EQ(e->overflowing.size(), 1u);
  EXPECT_THAT(e->overflowing[0].ids, ElementsAre(1, 8, 8, 8));
}

TEST(SentencePieceAdapterTest, UserDefinedPiecesMustBeNamed) {
  const std::string bytes = Small(2).Piece("<tool>", 0, 4).Bytes();
  EXPECT_EQ(WithLibrary(bytes).status().code(), absl::StatusCode::kUnimplemented);
  LoadOptions options;
  options.content_tokens = {"<tool>"};
  const auto t = WithLibrary(bytes, options);
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_THAT((*t)->EncodeIds("ab<tool>"), ElementsAre(8, 12));
}

TEST(SentencePieceAdapterTest, DamagedFilesDoNotReachTheLibrary) {
  const std::string bytes = Small(2).Bytes();
  const auto t = WithLibrary(bytes.substr(0, bytes.size() - 3));
  EXPECT_EQ(t.status().code(), absl::StatusCode::kDataLoss) << t.status();
  EXPECT_THAT(std::string(t.status().message()), HasSubstr("test.model: "));
  EXPECT_EQ(LoadSentencePieceTokenizer("/no/such/file.model").status().code(),
            absl::StatusCode::kNotFound);
}

// Both engines on the same bytes.
void Compare(const TokenizerPtr& native, const TokenizerPtr& library, const std::string& text) {
  EncodeOptions plain;
  plain.added_tokens = AddedTokenMatching::kReferencePlain;
  const auto want = library->Encode({Untrusted(text)}, plain);
  const auto got = native->Encode({Untrusted(text)}, plain);
  ASSERT_TRUE(want.ok() && got.ok());
  ASSERT_EQ(got->ids, want->ids) << '"' << text << '"';
  ASSERT_EQ(native->Decode(got->ids), library->Decode(want->ids)) << '"' << text << '"';
}

std::string RandomText(SeededRandom& random, size_t units) {
  static const char* const kUnits[] = {
      "a",    "b",         "ab", "c",  " ", "  ",       "▁",
      "\n",   "é",         "世", "ａ", "ﬁ", "\xCC\x81", "\xE2\x80\x8B",
      "\xFF", "\xE4\xB8",  "😀",  "1",  ".", "the ",     "ing",
      "\t",   "e\xCC\x81", "½",  "각"};
  std::string text;
  while (units-- > 0) text += kUnits[random.Below(std::size(kUnits))];
  return text;
}

TEST(SentencePieceOracleTest, SmallModelsOfAllKindsAgree) {
  SeededRandom random;
  for (int algorithm = 1; algorithm <= 4; ++algorithm) {
    for (const bool dummy_prefix : {false, true}) {
      for (const bool trims : {false, true}) {
        for (const bool bytes : {false, true}) {
          ModelWriter model = Small(algorithm);
          if (bytes) model.BytePieces();
          model.Normalizer(dummy_prefix, trims);
          const auto native = ParseTokenizer(model.Bytes(), "test.model");
          const auto library = WithLibrary(model.Bytes());
          ASSERT_TRUE(native.ok() && library.ok()) << native.status() << library.status();
          for (size_t round = 0; round < Scaled(300); ++round) {
            Compare(*native, *library, RandomText(random, random.Below(30)));
          }
        }
      }
    }
  }
}

TEST(SentencePieceOracleTest, WhitespaceAsSuffixAgrees) {
  SeededRandom random;
  const std::string bytes = Small(1).Piece("ab▁", -1).Trainer(ProtoInt(24, 1)).Bytes();
  const auto native = ParseTokenizer(bytes, "test.model");
  const auto library = WithLibrary(bytes);
  ASSERT_TRUE(native.ok() && library.ok()) << native.status() << library.status();
  for (size_t round = 0; round < Scaled(1000); ++round) {
    Compare(*native, *library, RandomText(random, random.Below(30)));
  }
}

TEST(SentencePieceOracleTest, RealModelsAgree) {
  SeededRandom random;
  for (const char* name :
       {"llama2/tokenizer.model", "mistral-v1/tokenizer.model", "t5-small/spiece.model",
        "torchtune-m/tokenizer.model", "sp-test/tokenizer.model", "tftext-fast/tokenizer.model",
        "keras-llama-export/tokenizer.model", "keras-gemma3-test/tokenizer.model"}) {
    PENSTOCK_TEST_DATA_OR_SKIP(path, std::string("vocab/") + name);
    LoadOptions options;
    // The one with user-defined pieces.
    if (std::string(name) == "keras-llama-export/tokenizer.model") {
      options.content_tokens = {"<s>", "</s>"};
    }
    const auto native = LoadTokenizer(path, options);
    const auto library = LoadSentencePieceTokenizer(path, options);
    ASSERT_TRUE(native.ok() && library.ok()) << native.status() << library.status();
    for (size_t round = 0; round < Scaled(500); ++round) {
      Compare(*native, *library, RandomText(random, random.Below(60)));
    }
    Compare(*native, *library, RandomText(random, 20000));
    Compare(*native, *library, std::string(5000, 'a'));
    Compare(*native, *library, std::string(5000, ' ') + "x");
  }
}

}  // namespace
}  // namespace penstock
