// SPDX-License-Identifier: Apache-2.0
//
// The reference transformer's promise: logits are the same bit for bit however the prefill is cut,
// batched or reused; and its negative: anything wrong with the blocks shows.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "reference_runtime/transformer.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBlockTokens = 4;

TransformerOptions Small() {
  TransformerOptions options;
  options.layers = 2;
  options.model_dim = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.ffn_dim = 48;
  options.max_positions = 64;
  options.logits = 32;
  return options;
}

std::vector<TokenId> Ids(size_t n, int salt = 0) {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < n; ++i)
    ids.push_back(static_cast<TokenId>((i * 7919 + salt * 104729) % 128000));
  return ids;
}

class LogitsTest : public ::testing::Test {
 protected:
  LogitsTest() {
    auto model = ReferenceTransformer::Create(Small());
    EXPECT_TRUE(model.ok()) << model.status();
    model_ = std::make_unique<ReferenceTransformer>(*std::move(model));
    auto store = MemoryBlockStore::Create(model_->StoreOptions(kBlockTokens, 256));
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::vector<BlockId> Blocks(size_t tokens) {
    std::vector<BlockId> blocks((tokens + kBlockTokens - 1) / kBlockTokens);
    EXPECT_TRUE(store_->Allocate(GroupId{}, Tier::kDevice, absl::MakeSpan(blocks)).ok());
    return blocks;
  }

  std::vector<float> Run(absl::Span<const PrefillRow> rows) {
    std::vector<float> logits;
    const absl::Status status = model_->Prefill(store_.get(), rows, &logits);
    EXPECT_TRUE(status.ok()) << status;
    return logits;
  }

  // From nothing, alone, in one go: what everything else is compared with.
  std::vector<float> Fresh(const std::vector<TokenId>& ids) {
    const std::vector<BlockId> blocks = Blocks(ids.size());
    return Run({PrefillRow{ids, 0, blocks}});
  }

  // The rest of `ids` after `start` tokens that are in `blocks` already.
  std::vector<float> Rest(const std::vector<TokenId>& ids, size_t start,
                          const std::vector<BlockId>& blocks) {
    return Run({PrefillRow{absl::MakeConstSpan(ids).subspan(start), start, blocks}});
  }

  static bool SameBits(absl::Span<const float> a, absl::Span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  }

  std::unique_ptr<ReferenceTransformer> model_;
  std::unique_ptr<MemoryBlockStore> store_;
};

TEST_F(LogitsTest, DifferBetweenPromptsThatDifferInTheFirstTokenOnly) {
  std::vector<TokenId> other = Ids(40);
  other[0] += 1;
  EXPECT_FALSE(SameBits(Fresh(Ids(40)), Fresh(other)));
}

TEST_F(LogitsTest, AreFiniteAndNotAllEqual) {
  const std::vector<float> logits = Fresh(Ids(40));
  ASSERT_EQ(logits.size(), 32u);
  for (const float x : logits) EXPECT_LT(std::abs(x), 100.0F);
  EXPECT_GT(*std::max_element(logits.begin(), logits.end()) -
                *std::min_element(logits.begin(), logits.end()),
            0.1F);
}

TEST_F(LogitsTest, AreTheSameWhereverThePrefillIsSplit) {
  for (const size_t n : {1, 2, 3, 4, 5, 15, 16, 17, 33, 40}) {
    const std::vector<TokenId> ids = Ids(n);
    const std::vector<float> whole = Fresh(ids);
    for (size_t split = 1; split < n; ++split) {
      const std::vector<BlockId> blocks = Blocks(n);
      Run({PrefillRow{absl::MakeConstSpan(ids).first(split), 0, blocks}});
      EXPECT_TRUE(SameBits(Rest(ids, split, blocks), whole)) << n << " split at " << split;
      store_->Free(GroupId{}, Tier::kDevice, blocks);
    }
  }
}

TEST_F(LogitsTest, AreTheSameTokenByToken) {
  const std::vector<TokenId> ids = Ids(37);
  const std::vector<BlockId> blocks = Blocks(ids.size());
  std::vector<float> logits;
  for (size_t i = 0; i < ids.size(); ++i) {
    logits = Run({PrefillRow{absl::MakeConstSpan(ids).subspan(i, 1), i, blocks}});
  }
  EXPECT_TRUE(SameBits(logits, Fresh(ids)));
}

TEST_F(LogitsTest, AreTheSameWhateverElseIsInTheBatch) {
  for (size_t batch = 1; batch <= 9; ++batch) {
    std::vector<std::vector<TokenId>> prompts;
    std::vector<std::vector<BlockId>> blocks;
    std::vector<PrefillRow> rows;
    for (size_t r = 0; r < batch; ++r) {
      prompts.push_back(Ids(1 + r * 5 % 23, static_cast<int>(r)));
      blocks.push_back(Blocks(prompts[r].size()));
    }
    for (size_t r = 0; r < batch; ++r) rows.push_back(PrefillRow{prompts[r], 0, blocks[r]});
    const std::vector<float> together = Run(rows);
    for (size_t r = 0; r < batch; ++r) {
      const std::vector<float> alone = Fresh(prompts[r]);
      EXPECT_TRUE(SameBits(absl::MakeConstSpan(together).subspan(r * 32, 32), alone))
          << "row " << r << " of " << batch;
    }
    for (const auto& b : blocks) store_->Free(GroupId{}, Tier::kDevice, b);
  }
}

TEST_F(LogitsTest, AreTheSameAfterReuseOfAnotherPromptsPrefix) {
  const std::vector<TokenId> first = Ids(30);
  std::vector<TokenId> second = first;
  for (size_t i = 16; i < second.size(); ++i) second[i] += 5;
  const std::vector<BlockId> of_first = Blocks(first.size());
  Run({PrefillRow{first, 0, of_first}});

  std::vector<BlockId> table(of_first.begin(), of_first.begin() + 16 / kBlockTokens);
  for (const BlockId b : Blocks(first.size() - 16)) table.push_back(b);
  EXPECT_TRUE(SameBits(Rest(second, 16, table), Fresh(second)));
}

TEST_F(LogitsTest, AreTheSameWhenTwoRowsOfABatchShareAPrefix) {
  const std::vector<TokenId> first = Ids(20);
  std::vector<TokenId> second = first;
  second[19] += 1;
  const std::vector<BlockId> shared = Blocks(16);
  Run({PrefillRow{absl::MakeConstSpan(first).first(16), 0, shared}});
  std::vector<BlockId> a = shared, b = shared;
  a.push_back(Blocks(4)[0]);
  b.push_back(Blocks(4)[0]);
  const std::vector<float> both = Run({PrefillRow{absl::MakeConstSpan(first).subspan(16), 16, a},
                                       PrefillRow{absl::MakeConstSpan(second).subspan(16), 16, b}});
  EXPECT_TRUE(SameBits(absl::MakeConstSpan(both).first(32), Fresh(first)));
  EXPECT_TRUE(SameBits(absl::MakeConstSpan(both).subspan(32), Fresh(second)));
}

TEST_F(LogitsTest, AreTheSameAfterACopyOfABlockThatIsPartlyFilled) {
  const std::vector<TokenId> ids = Ids(20);
  const std::vector<BlockId> source = Blocks(20);
  Run({PrefillRow{ids, 0, source}});
  for (size_t keep = 1; keep <= kBlockTokens;
       ++keep) {  // tokens of the third block that are copied
    std::vector<BlockId> table(source.begin(), source.begin() + 2);
    for (const BlockId b : Blocks(12)) table.push_back(b);
    const BlockCopy copy{GroupId{}, Tier::kDevice, Tier::kDevice,
                         source[2], table[2],      static_cast<uint32_t>(keep)};
    ASSERT_TRUE(store_->Copy({copy}).ok());
    EXPECT_TRUE(SameBits(Rest(ids, 8 + keep, table), Fresh(ids))) << keep;
  }
}

TEST_F(LogitsTest, DoNotDependOnWhatAFreedBlockStillHolds) {
  const std::vector<BlockId> dirty = Blocks(40);
  Run({PrefillRow{Ids(40, 9), 0, dirty}});
  store_->Free(GroupId{}, Tier::kDevice, dirty);
  const std::vector<float> first = Fresh(Ids(38));
  const auto clean = MemoryBlockStore::Create(model_->StoreOptions(kBlockTokens, 256));
  std::vector<BlockId> blocks(10);
  ASSERT_TRUE((*clean)->Allocate(GroupId{}, Tier::kDevice, absl::MakeSpan(blocks)).ok());
  std::vector<float> second;
  const std::vector<TokenId> ids = Ids(38);
  ASSERT_TRUE(model_->Prefill(clean->get(), {PrefillRow{ids, 0, blocks}}, &second).ok());
  EXPECT_TRUE(SameBits(first, second));
}

TEST_F(LogitsTest, AreTheSameForTwoModelsOfOneSeedAndDifferForAnother) {
  const std::vector<TokenId> ids = Ids(12);
  const std::vector<float> expected = Fresh(ids);
  for (const bool same : {true, false}) {
    TransformerOptions options = Small();
    if (!same) options.seed += 1;
    model_ = std::make_unique<ReferenceTransformer>(*ReferenceTransformer::Create(options));
    EXPECT_EQ(SameBits(Fresh(ids), expected), same);
  }
}

// Negative controls: each does one thing wrong with blocks that hold 16 computed tokens of 20.
class WrongBlocksTest : public LogitsTest {
 protected:
  WrongBlocksTest() : ids_(Ids(20)), expected_(Fresh(ids_)), blocks_(Blocks(20)) {
    Run({PrefillRow{absl::MakeConstSpan(ids_).first(16), 0, blocks_}});
  }

  std::vector<TokenId> ids_;
  std::vector<float> expected_;
  std::vector<BlockId> blocks_;
};

TEST_F(WrongBlocksTest, NothingWrongGivesTheSameLogits) {
  EXPECT_TRUE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, ASwappedPairOfBlocksChangesTheLogits) {
  std::swap(blocks_[1], blocks_[2]);
  // Softmax attends to a set of (key, value) pairs, each rotated by its own position when it was
  // written: the swap is visible in the order of summation alone. It must be visible all the same.
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, AnotherPromptsBlockChangesTheLogits) {
  const std::vector<TokenId> other = Ids(16, 3);
  const std::vector<BlockId> of_other = Blocks(16);
  Run({PrefillRow{other, 0, of_other}});
  blocks_[1] = of_other[1];
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, ALengthOffByOneChangesTheLogits) {
  const auto rest = absl::MakeConstSpan(ids_).subspan(16);
  EXPECT_FALSE(SameBits(Run({PrefillRow{rest, 15, blocks_}}), expected_));
  blocks_.push_back(Blocks(1)[0]);
  EXPECT_FALSE(SameBits(Run({PrefillRow{rest, 17, blocks_}}), expected_));
}

TEST_F(WrongBlocksTest, AStaleBlockChangesTheLogits) {
  std::vector<TokenId> before = ids_;  // what the block held one edit ago
  before[9] += 1;
  const std::vector<BlockId> stale = Blocks(16);
  Run({PrefillRow{absl::MakeConstSpan(before).first(16), 0, stale}});
  blocks_[2] = stale[2];
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, ABlockThatWasNeverWrittenChangesTheLogits) {
  blocks_[3] = Blocks(1)[0];
  for (float& x : store_->Keys(blocks_[3], 0)) x = 0;
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, KeysOfAnotherLayerChangeTheLogits) {
  const auto one = store_->Keys(blocks_[1], 0), other = store_->Keys(blocks_[1], 1);
  std::swap_ranges(one.begin(), one.end(), other.begin());
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(WrongBlocksTest, ValuesOfAnotherLayerChangeTheLogits) {
  const auto one = store_->Values(blocks_[1], 0), other = store_->Values(blocks_[1], 1);
  std::swap_ranges(one.begin(), one.end(), other.begin());
  EXPECT_FALSE(SameBits(Rest(ids_, 16, blocks_), expected_));
}

TEST_F(LogitsTest, RefusesRowsThatTheirBlocksCannotHold) {
  std::vector<float> logits;
  const std::vector<TokenId> ids = Ids(9);
  const std::vector<BlockId> blocks = Blocks(8);
  const auto prefill = [&](const PrefillRow& row) {
    return model_->Prefill(store_.get(), {row}, &logits);
  };
  EXPECT_THAT(std::string(prefill({ids, 0, blocks}).message()), HasSubstr("cannot hold 9"));
  EXPECT_THAT(std::string(prefill({{}, 3, blocks}).message()), HasSubstr("no ids"));
  EXPECT_THAT(std::string(prefill({ids, 60, blocks}).message()), HasSubstr("position 69"));
  const std::vector<TokenId> negative = {3, -1};
  EXPECT_EQ(prefill({negative, 0, blocks}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TransformerOptionsTest, ThatDoNotFitTogetherAreRefusedWithAReason) {
  const auto refusal = [](auto change) {
    TransformerOptions options = Small();
    change(&options);
    return std::string(ReferenceTransformer::Create(options).status().message());
  };
  EXPECT_THAT(refusal([](auto* o) { o->kv_heads = 3; }), HasSubstr("multiple of kv_heads"));
  EXPECT_THAT(refusal([](auto* o) { o->layers = 0; }), HasSubstr("at least 1"));
  EXPECT_THAT(refusal([](auto* o) { o->ffn_dim = 50; }), HasSubstr("multiples of 16, got 50"));
  EXPECT_THAT(refusal([](auto* o) {
                o->heads = 32;
                o->kv_heads = 32;
              }),
              HasSubstr("even"));
}

}  // namespace
}  // namespace penstock
