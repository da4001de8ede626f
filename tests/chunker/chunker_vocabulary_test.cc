// SPDX-License-Identifier: Apache-2.0
//
// The invariants with real vocabularies of every kind that the library loads.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "penstock/tokenizer/load.h"
#include "tests/chunker/chunk_invariants.h"
#include "tests/chunker/random_document.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace penstock {
namespace {

struct VocabularyFile {
  const char* name;
  const char* path;
  const char* encoding;  // "" for files that say it themselves
};

// Byte-level BPE of three patterns, SentencePiece BPE and Unigram, WordPiece.
const VocabularyFile kFiles[] = {
    {"cl100k", "vocab/cl100k_base/cl100k_base.tiktoken", "cl100k_base"},
    {"gpt2", "vocab/gpt2/gpt2.tiktoken", "gpt2"},
    {"llama3", "vocab/llama3/tokenizer.model", "llama3"},
    {"qwen3", "vocab/qwen3/tokenizer.json", ""},
    {"falcon", "vocab/falcon/tokenizer.json", ""},
    {"nemo", "vocab/mistral-nemo/tokenizer.json", ""},
    {"llama2", "vocab/llama2/tokenizer.model", ""},
    {"phi3", "vocab/phi-3-vision/tokenizer.json", ""},
    {"t5", "vocab/t5-small/tokenizer.json", ""},
    {"bert", "vocab/bert-base-uncased/vocab.txt", ""},
    {"minilm", "vocab/all-minilm-l6-v2/tokenizer.json", ""},
};

class EveryVocabulary : public testing::TestWithParam<VocabularyFile> {};

TEST_P(EveryVocabulary, ChunksKeepTheInvariantsInOnePieceAndAsAStream) {
  PENSTOCK_TEST_DATA_OR_SKIP(path, GetParam().path);
  LoadOptions load;
  if (*GetParam().encoding != '\0') load.encoding = GetParam().encoding;
  const absl::StatusOr<TokenizerPtr> tokenizer = LoadTokenizer(path, load);
  if (tokenizer.status().code() == absl::StatusCode::kUnimplemented ||
      (!tokenizer.ok() && load.encoding == std::nullopt)) {
    GTEST_SKIP() << "not loaded here: " << tokenizer.status();
  }
  ASSERT_OK(tokenizer);
  SeededRandom random;
  for (size_t round = 0; round < Scaled(12); ++round) {
    ChunkerOptions options;
    options.max_tokens = random.OneIn(2) ? 64 + random.Below(200) : 70;
    options.packing = static_cast<Packing>(random.Below(4));
    if (random.OneIn(2)) options.overlap_tokens = random.Below(40);
    options.count_special_tokens = random.OneIn(2);
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(*tokenizer, options));
    const std::string text = RandomDocument(random, random.Below(500));
    const std::vector<Chunk> chunks = chunker.Split(text);
    ASSERT_TRUE(CheckChunks(text, **tokenizer, chunker, chunks)) << "text: " << text;
    CheckWholeUnits(text, **tokenizer, chunker, chunks);
    if (options.packing == Packing::kBalanced || options.packing == Packing::kOptimal) continue;
    std::vector<size_t> ends;
    for (size_t i = 0; i < text.size(); i += 1 + random.Below(200)) ends.push_back(i);
    const std::vector<Chunk> streamed = Stream(chunker, text, ends);
    ASSERT_EQ(chunks.size(), streamed.size()) << "text: " << text;
    for (size_t i = 0; i < chunks.size(); ++i) ASSERT_TRUE(chunks[i] == streamed[i]) << i;
  }
}

std::string FileName(const testing::TestParamInfo<VocabularyFile>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Files, EveryVocabulary, testing::ValuesIn(kFiles), FileName);

}  // namespace
}  // namespace penstock
