// SPDX-License-Identifier: Apache-2.0
//
// I7: nothing but the text and the options decides on chunks: no other thread, no locale.
#include <clocale>
#include <thread>

#include "tests/chunker/chunk_invariants.h"
#include "tests/chunker/fake_tokenizers.h"
#include "tests/chunker/random_document.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

class EveryFake : public testing::TestWithParam<FakeKind> {};

TEST_P(EveryFake, ALocaleWithOtherLettersAndDecimalMarksChangesNothing) {
  SeededRandom random(300 + static_cast<uint64_t>(GetParam()));
  const TokenizerPtr tokenizer = MakeFake(GetParam());
  ChunkerOptions options;
  options.max_tokens = 40;
  options.headroom = 1.0;
  options.overlap_tokens = 8;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(tokenizer, options));
  const std::string text = RandomDocument(random, 200) + "I. ISTANBUL 3,5. Ünlü ß. ";
  const std::vector<Chunk> expected = chunker.Split(text);
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* const name : {"tr_TR.UTF-8", "de_DE.UTF-8", "C.UTF-8", "C"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;  // not installed here
    EXPECT_TRUE(chunker.Split(text) == expected) << name;
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_P(EveryFake, ThreadsThatShareAChunkerGetTheSameChunks) {
  SeededRandom random(300 + static_cast<uint64_t>(GetParam()));
  const TokenizerPtr tokenizer = MakeFake(GetParam());
  ChunkerOptions options;
  options.max_tokens = 40;
  options.headroom = 1.0;
  options.overlap_tokens = 8;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(tokenizer, options));
  const std::string text = RandomDocument(random, 200) + "I. ISTANBUL 3,5. Ünlü ß. ";
  const std::vector<Chunk> expected = chunker.Split(text);
  std::vector<std::vector<Chunk>> found(4);
  std::vector<std::thread> threads;
  for (std::vector<Chunk>& mine : found) {
    threads.emplace_back([&chunker, &text, &mine] { mine = chunker.Split(text); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Chunk>& chunks : found) EXPECT_TRUE(chunks == expected);
}

INSTANTIATE_TEST_SUITE_P(Fakes, EveryFake, testing::ValuesIn(AllFakeKinds()));

}  // namespace
}  // namespace penstock
