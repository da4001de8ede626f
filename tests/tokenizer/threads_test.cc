// SPDX-License-Identifier: Apache-2.0
//
// One tokenizer, many threads. Run under TSan.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/tokenizer/cached_tokenizer.h"
#include "tests/tokenizer/tiny_files.h"

namespace penstock {
namespace {

void EncodeOnThreads(const Tokenizer& t, int threads, int rounds) {
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> want;
  for (int i = 0; i < 40; ++i) {
    texts.push_back("hello the world " + std::to_string(i * 7919) + " <s> word    x");
    want.push_back(t.EncodeIds(texts.back()));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> pool;
  for (int k = 0; k < threads; ++k) {
    pool.emplace_back([&, k] {
      for (int i = 0; i < rounds; ++i) {
        const size_t n = static_cast<size_t>(i * (k + 1)) % texts.size();
        if (t.EncodeIds(texts[n]) != want[n]) ++wrong;
        if (t.fingerprint().size() != 64) ++wrong;
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(ThreadsTest, SixteenThreadsShareOneRankTokenizer) {
  EncodeOnThreads(*TinyRankTokenizer(), 16, 300);
}

TEST(ThreadsTest, SixteenThreadsShareOneJsonTokenizer) {
  EncodeOnThreads(*TinyJsonTokenizer(), 16, 100);
}

TEST(ThreadsTest, SixteenThreadsShareOneCache) {
  CachedTokenizerOptions options;
  options.capacity_bytes = 30000;
  options.shards = 2;
  const auto cached = NewCachedTokenizer(TinyRankTokenizer(), options);
  std::thread cleaner([&cached] {
    for (int i = 0; i < 50; ++i) {
      cached->Clear();
      EXPECT_LE(cached->GetStats().bytes, size_t{30000});
    }
  });
  EncodeOnThreads(*cached, 16, 300);
  cleaner.join();
}

}  // namespace
}  // namespace penstock
