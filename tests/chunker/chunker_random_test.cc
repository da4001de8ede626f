// SPDX-License-Identifier: Apache-2.0
//
// Invariants over random documents, options and tokenizers.
#include <algorithm>

#include "tests/chunker/chunk_invariants.h"
#include "tests/chunker/fake_tokenizers.h"
#include "tests/chunker/random_document.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

ChunkerOptions RandomOptions(SeededRandom& random) {
  ChunkerOptions options;
  options.max_tokens = 8 + random.Below(random.OneIn(3) ? 200 : 40);
  options.headroom = 1.0;
  options.packing = random.OneIn(2) ? Packing::kGreedy : Packing::kLookahead;
  if (random.OneIn(2)) options.overlap_tokens = random.Below(options.max_tokens);
  if (options.overlap_tokens > 0 && random.OneIn(2)) options.overlap_units = 1 + random.Below(3);
  options.format = static_cast<TextFormat>(random.Below(3));
  return options;
}

TEST(FakeTokenizerTest, SafeCutsKeepTheirContract) {
  SeededRandom random;
  for (const FakeKind kind : AllFakeKinds()) {
    const TokenizerPtr tokenizer = MakeFake(kind);
    for (size_t round = 0; round < Scaled(20); ++round) {
      const std::string text = RandomDocument(random, 12);
      EncodeOptions options;
      options.safe_cuts = true;
      PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding e,
                                    tokenizer->Encode({Untrusted(text)}, options));
      std::vector<SafeCut> cuts = e.safe_cuts;
      cuts.push_back({text.size(), e.ids.size()});
      cuts.insert(cuts.begin(), {0, 0});
      for (size_t a = 0; a < cuts.size(); ++a) {
        for (size_t b = a; b < cuts.size(); b += 1 + random.Below(3)) {
          const std::string part = text.substr(cuts[a].byte, cuts[b].byte - cuts[a].byte);
          ASSERT_EQ(tokenizer->EncodeIds(part),
                    std::vector<TokenId>(e.ids.begin() + static_cast<ptrdiff_t>(cuts[a].token),
                                         e.ids.begin() + static_cast<ptrdiff_t>(cuts[b].token)))
              << static_cast<int>(kind) << ": " << part;
        }
      }
    }
  }
}

class EveryFake : public testing::TestWithParam<FakeKind> {};

TEST_P(EveryFake, ChunksKeepTheInvariants) {
  SeededRandom random(static_cast<uint64_t>(GetParam()));
  const TokenizerPtr tokenizer = MakeFake(GetParam());
  for (size_t round = 0; round < Scaled(120); ++round) {
    const std::string text = RandomDocument(random, random.Below(60));
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker,
                                  Chunker::Create(tokenizer, RandomOptions(random)));
    const std::vector<Chunk> chunks = chunker.Split(text);
    ASSERT_TRUE(CheckChunks(text, *tokenizer, chunker, chunks)) << "text: " << text;
    // Where a blank more can halve the count, "fits" depends on which side got the blank.
    if (GetParam() != FakeKind::kNotMonotone) CheckWholeUnits(text, *tokenizer, chunker, chunks);
    ASSERT_FALSE(HasFailure()) << "text: " << text;
  }
}

TEST_P(EveryFake, BalancedAndOptimalPackingKeepTheInvariants) {
  SeededRandom random(200 + static_cast<uint64_t>(GetParam()));
  const TokenizerPtr tokenizer = MakeFake(GetParam());
  for (size_t round = 0; round < Scaled(60); ++round) {
    const std::string text = RandomDocument(random, random.Below(100));
    ChunkerOptions options = RandomOptions(random);
    options.packing = random.OneIn(2) ? Packing::kBalanced : Packing::kOptimal;
    if (options.packing == Packing::kBalanced) options.balanced_multiple = 1 + random.Below(4);
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(tokenizer, options));
    const std::vector<Chunk> chunks = chunker.Split(text);
    ASSERT_TRUE(CheckChunks(text, *tokenizer, chunker, chunks)) << "text: " << text;
    if (GetParam() != FakeKind::kNotMonotone) CheckWholeUnits(text, *tokenizer, chunker, chunks);
    ASSERT_FALSE(HasFailure()) << "text: " << text;
    EXPECT_EQ(chunker.NewStream().status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_P(EveryFake, AStreamGivesTheSameChunksForAnyFragments) {
  SeededRandom random(100 + static_cast<uint64_t>(GetParam()));
  const TokenizerPtr tokenizer = MakeFake(GetParam());
  for (size_t round = 0; round < Scaled(40); ++round) {
    const std::string text = RandomDocument(random, random.Below(400));
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker,
                                  Chunker::Create(tokenizer, RandomOptions(random)));
    const std::vector<Chunk> whole = chunker.Split(text);
    std::vector<size_t> ends;
    const size_t longest = random.OneIn(3) ? 1 : 1 + random.Below(3000);
    for (size_t i = 0; i < text.size();) {
      i = std::min<size_t>(text.size(), i + 1 + random.Below(longest));
      ends.push_back(i);
    }
    const std::vector<Chunk> streamed = Stream(chunker, text, ends);
    ASSERT_EQ(whole.size(), streamed.size()) << "text: " << text;
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_TRUE(whole[i] == streamed[i])
          << "chunk " << i << " [" << whole[i].core.begin << "," << whole[i].core.end << ") vs ["
          << streamed[i].core.begin << "," << streamed[i].core.end << ")\ntext: " << text;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fakes, EveryFake, testing::ValuesIn(AllFakeKinds()));

}  // namespace
}  // namespace penstock
