// SPDX-License-Identifier: Apache-2.0
//
// The whole pipeline over the reference transformer: whatever is reused, batched, evicted or split,
// the logits are those of the prompt computed alone from nothing, bit for bit.
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "reference_runtime/transformer.h"
#include "tests/pipeline/fakes.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

TransformerOptions Tiny() {
  TransformerOptions options;
  options.layers = 2;
  options.model_dim = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.ffn_dim = 48;
  options.max_positions = 128;
  options.logits = 16;
  return options;
}

class LogitsOfPipelineTest : public ::testing::Test {
 protected:
  LogitsOfPipelineTest() : model_(*ReferenceTransformer::Create(Tiny())) {}

  void Open(size_t blocks) {
    store_ = *MemoryBlockStore::Create(model_.StoreOptions(4, blocks));
    PipelineParts parts;
    parts.tokenizer = std::make_shared<ByteTokenizer>();
    KVCacheOptions caching;
    caching.block_tokens = 4;
    parts.kv_cache = *KVCache::Create(store_.get(), caching);
    ChunkerOptions chunking;
    chunking.max_tokens = 48;
    parts.chunker = *Chunker::Create(parts.tokenizer, chunking);
    PipelineOptions options;
    options.max_prompt_tokens = 64;
    options.batching.max_batch_requests = 5;
    options.batching.max_concurrent_batches = 2;
    auto pipeline = Pipeline::Create(
        std::move(parts), [this](PrefillBatch batch) { Prefill(std::move(batch)); }, options);
    ASSERT_OK(pipeline);
    pipeline_.emplace(*std::move(pipeline));
  }

  void Prefill(PrefillBatch batch) {
    std::vector<PrefillRow> rows;
    for (size_t i = 0; i < batch.size(); ++i) {
      const PrefillItem item = batch.item(i);
      rows.push_back({item.ids.subspan(item.cached_tokens), item.cached_tokens, item.blocks()});
    }
    std::vector<float> logits;
    const absl::Status status = model_.Prefill(store_.get(), rows, &logits);
    EXPECT_OK(status);
    for (size_t i = 0; i < batch.size(); ++i) {
      const std::vector<float> own(logits.begin() + static_cast<std::ptrdiff_t>(i * 16),
                                   logits.begin() + static_cast<std::ptrdiff_t>(i * 16 + 16));
      {
        const std::lock_guard<std::mutex> lock(mu_);
        prompts_.emplace_back(
            std::vector<TokenId>(batch.item(i).ids.begin(), batch.item(i).ids.end()), own);
        cached_ += batch.item(i).cached_tokens;
      }
      batch.Complete(i, PrefillResult());
    }
  }

  std::vector<float> Alone(const std::vector<TokenId>& ids) {
    const auto store = *MemoryBlockStore::Create(model_.StoreOptions(4, 64));
    std::vector<BlockId> blocks((ids.size() + 3) / 4);
    EXPECT_OK(store->Allocate(GroupId{}, Tier::kDevice, absl::MakeSpan(blocks)));
    std::vector<float> logits;
    EXPECT_OK(model_.Prefill(store.get(), {PrefillRow{ids, 0, blocks}}, &logits));
    return logits;
  }

  size_t Different() {
    size_t different = 0;
    for (const auto& [ids, logits] : prompts_) {
      const std::vector<float> alone = Alone(ids);
      different += std::memcmp(alone.data(), logits.data(), 16 * sizeof(float)) != 0 ? 1 : 0;
    }
    return different;
  }

  static std::string RandomPrompt(SeededRandom& random) {
    std::string text;
    for (size_t n = 1 + random.Below(5); n > 0; --n) {
      text += "part " + std::to_string(random.Below(3)) + (random.OneIn(2) ? ", " : ". ");
    }
    if (random.OneIn(12)) text += text + text + text;
    return text;
  }

  ReferenceTransformer model_;
  std::unique_ptr<MemoryBlockStore> store_;
  std::mutex mu_;
  std::vector<std::pair<std::vector<TokenId>, std::vector<float>>> prompts_;
  size_t cached_ = 0;
  ResultBook results_;
  std::optional<Pipeline> pipeline_;
};

TEST_F(LogitsOfPipelineTest, AreThoseOfEachPromptAloneWhateverWasReused) {
  for (const size_t blocks : {200, 40}) {  // room for everything, and evictions all the time
    Open(blocks);
    SeededRandom random(blocks);
    const size_t count = Scaled(150);
    for (size_t i = 0; i < count; ++i) {
      const std::string id = std::to_string(blocks) + "/" + std::to_string(i);
      ASSERT_OK(
          pipeline_->Submit(PipelineBench::Request(id, RandomPrompt(random)), results_.For(id)));
      if (i % 16 == 15) {
        EXPECT_OK(results_.Await(id));
      }
    }
    EXPECT_OK(pipeline_->Drain(absl::InfiniteDuration()));
    EXPECT_EQ(pipeline_->GetStats().ok, count);
    EXPECT_GT(cached_, 0u);
    EXPECT_EQ(Different(), 0u);
    if (blocks == 40) {
      EXPECT_GT(pipeline_->GetStats().kv_cache.total.evicted_blocks, 0u);
    }
    pipeline_.reset();
    prompts_.clear();
    cached_ = 0;
  }
}

TEST_F(LogitsOfPipelineTest, ChangeWhenACachedBlockIsSpoiled) {  // the negative control
  Open(200);
  const std::string text = "a prompt whose first block is spoiled before it is used again";
  ASSERT_OK(pipeline_->Submit(PipelineBench::Request("a", text), results_.For("a")));
  ASSERT_OK(results_.Await("a"));
  KVRequest look;
  const std::vector<TokenId> ids(text.begin(), text.end());
  look.tokens = ids;
  {
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const Lease lease, pipeline_->kv_cache()->Acquire(look));
    ASSERT_GT(lease.matched_tokens(), 8u);
    store_->Values(lease.blocks()[1], 0)[0] += 1.0F;
  }
  ASSERT_OK(pipeline_->Submit(PipelineBench::Request("b", text), results_.For("b")));
  ASSERT_OK(results_.Await("b"));
  EXPECT_EQ(Different(), 1u);
}

}  // namespace
}  // namespace penstock
