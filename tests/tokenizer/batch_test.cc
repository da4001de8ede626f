// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/base/collate.h"
#include "penstock/tokenizer/batch_encoding.h"
#include "penstock/tokenizer/cached_tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/tiny_files.h"

namespace penstock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<TokenId> kLong = {5, 6, 7};
const std::vector<TokenId> kShort = {8};

TEST(CollateTest, PadsOnTheRightAndOnTheLeft) {
  CollateOptions options;
  options.pad_id = 9;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PaddedBatch<int64_t> right,
                                CollatePadded<int64_t>({{kLong}, {kShort}}, options));
  EXPECT_EQ(right.shape.padded_len, 3u);
  EXPECT_THAT(right.input_ids, ElementsAre(5, 6, 7, 8, 9, 9));
  EXPECT_THAT(right.attention_mask, ElementsAre(1, 1, 1, 1, 0, 0));
  EXPECT_THAT(right.position_ids, ElementsAre(0, 1, 2, 0, 0, 0));
  EXPECT_THAT(right.lengths, ElementsAre(3, 1));
  options.pad_left = true;
  options.multiple_of = 4;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PaddedBatch<int32_t> left,
                                CollatePadded<int32_t>({{kLong}, {kShort}}, options));
  EXPECT_THAT(left.input_ids, ElementsAre(9, 5, 6, 7, 9, 9, 9, 8));
  EXPECT_THAT(left.attention_mask, ElementsAre(0, 1, 1, 1, 0, 0, 0, 1));
}

TEST(CollateTest, SkipsWhatIsCachedAndGoesOnCounting) {
  const CollateRow row{kLong, 2, 10};
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PaddedBatch<int32_t> padded,
                                CollatePadded<int32_t>({row, {kShort}}));
  EXPECT_THAT(padded.input_ids, ElementsAre(7, 8));
  EXPECT_THAT(padded.position_ids, ElementsAre(12, 0));
  const PackedBatch<int64_t> packed = CollatePacked<int64_t>({row, {kLong}});
  EXPECT_THAT(packed.input_ids, ElementsAre(7, 5, 6, 7));
  EXPECT_THAT(packed.cu_seqlens, ElementsAre(0, 1, 4));
  EXPECT_EQ(packed.max_len, 3u);
}

TEST(CollateTest, RefusesInsteadOfCutting) {
  CollateOptions options;
  options.fixed_length = 2;
  EXPECT_THAT(CollatePadded<int32_t>({{kShort}, {kLong}}, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rows[1]")));
  options = CollateOptions();
  options.multiple_of = 0;
  EXPECT_THAT(ShapeOf({{kLong}}, options), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ShapeOf({{kLong, 4}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CollateTest, AnEmptyBatchHasNoElements) {
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PaddedBatch<int32_t> none, CollatePadded<int32_t>({}));
  EXPECT_EQ(none.shape.elements(), 0u);
  EXPECT_THAT(CollatePacked<int32_t>({}).cu_seqlens, ElementsAre(0));
}

TEST(BatchTest, IsTheRowsOneByOneOnAnyExecutor) {
  const TokenizerPtr t = TinyRankTokenizer();
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(std::string(static_cast<size_t>(i), 'a') + " the");
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const std::unique_ptr<Executor> pool = NewThreadPool(3);
  for (Executor* executor : {static_cast<Executor*>(nullptr), InlineExecutor(), pool.get()}) {
    PENSTOCK_ASSERT_OK_AND_ASSIGN(const BatchEncoding batch, EncodeBatch(*t, views, {}, executor));
    ASSERT_EQ(batch.encodings.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(batch.encodings[i].ids, t->EncodeIds(texts[i]));
    }
  }
}

TEST(BatchTest, NamesTheRowThatFails) {
  EncodeOptions options;
  options.max_input_bytes = 3;
  EXPECT_THAT(EncodeBatch(*TinyRankTokenizer(), {"ab", "abcd"}, options),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("texts[1]")));
}

TEST(BatchTest, NeedsAPadToken) {
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const BatchEncoding batch,
                                EncodeBatch(*TinyRankTokenizer(), {"ab", "c"}));
  EXPECT_THAT(batch.Padded<int32_t>(), StatusIs(absl::StatusCode::kInvalidArgument));
  PaddingOptions padding;
  padding.pad_id = 0;
  padding.side = Side::kLeft;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const PaddedBatch<int32_t> padded, batch.Padded<int32_t>(padding));
  EXPECT_EQ(padded.input_ids.back(), 'c');
}

TEST(BatchTest, TypeIdsHaveTheSameShape) {
  EncodeOptions options;
  options.type_ids = true;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const BatchEncoding batch,
                                EncodeBatch(*TinyRankTokenizer(), {"xyz", "c"}, options));
  PaddingOptions padding;
  padding.pad_id = 0;
  padding.pad_type_id = 3;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> types,
                                batch.PaddedTypeIds<int64_t>(padding));
  EXPECT_THAT(types, ElementsAre(0, 0, 0, 0, 3, 3));
}

TEST(CachedTokenizerTest, AHitIsWhatAMissWas) {
  const auto cached = NewCachedTokenizer(TinyRankTokenizer());
  EncodeOptions options;
  options.offsets = true;
  options.safe_cuts = true;
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding miss,
                                cached->Encode({Trusted("<|user|> the")}, options));
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Encoding hit,
                                cached->Encode({Trusted("<|user|> the")}, options));
  EXPECT_EQ(hit.ids, miss.ids);
  EXPECT_EQ(hit.offsets, miss.offsets);
  EXPECT_EQ(hit.safe_cuts, miss.safe_cuts);
  EXPECT_EQ(cached->GetStats().hits, 1u);
  EXPECT_EQ(cached->GetStats().misses, 1u);
}

TEST(CachedTokenizerTest, TheKeyHoldsProvenanceAndEveryOption) {
  const auto cached = NewCachedTokenizer(TinyRankTokenizer());
  const std::string token = "<|user|>";
  EXPECT_EQ(cached->Encode({Trusted(token)})->ids.size(), 1u);
  EXPECT_GT(cached->Encode({Untrusted(token)})->ids.size(), 1u);
  EXPECT_GT(cached->Encode({Trusted("<|us"), Trusted("er|>")})->ids.size(), 1u);
  std::vector<EncodeOptions> variants(7);
  variants[0].add_special_tokens = true;
  variants[1].truncation.emplace();
  variants[2].added_tokens = AddedTokenMatching::kReferencePlain;
  variants[3].offsets = true;
  variants[4].type_ids = true;
  variants[5].special_tokens_mask = true;
  variants[6].safe_cuts = true;
  for (const EncodeOptions& options : variants)
    EXPECT_OK(cached->Encode({Trusted(token)}, options));
  EXPECT_OK(cached->EncodePair({Trusted(token)}, {Trusted("")}));
  EXPECT_EQ(cached->GetStats().hits, 0u);
  EXPECT_EQ(cached->GetStats().entries, 11u);
}

TEST(CachedTokenizerTest, EverythingElseIsAnsweredByTheTokenizerInside) {
  const TokenizerPtr inner = TinyRankTokenizer();
  const auto cached = NewCachedTokenizer(inner);
  const std::string text = "hello world <|user|>";
  EXPECT_EQ(cached->Count(text), inner->Count(text));
  EXPECT_EQ(cached->Decode(inner->EncodeIds(text)), text);
  EXPECT_EQ(cached->vocabulary().size(), inner->vocabulary().size());
  EXPECT_EQ(cached->fingerprint(), inner->fingerprint());
  std::vector<TokenId> ids;
  EXPECT_OK(cached->EncodeTo(text, [&ids](absl::Span<const TokenId> more) {
    ids.insert(ids.end(), more.begin(), more.end());
    return absl::OkStatus();
  }));
  EXPECT_EQ(ids, inner->EncodeIds(text));
}

TEST(CachedTokenizerTest, StaysWithinItsBudgetAndDropsTheOldest) {
  CachedTokenizerOptions options;
  options.shards = 1;
  options.capacity_bytes = 20000;
  const auto cached = NewCachedTokenizer(TinyRankTokenizer(), options);
  cached->EncodeIds("keep");
  for (int i = 0; i < 200; ++i) {
    cached->EncodeIds("text " + std::to_string(i));
    cached->EncodeIds("keep");
    EXPECT_LE(cached->GetStats().bytes, options.capacity_bytes);
  }
  EXPECT_GT(cached->GetStats().evictions, 0u);
  EXPECT_EQ(cached->GetStats().hits, 200u);
}

TEST(CachedTokenizerTest, DoesNotKeepWhatWouldEmptyIt) {
  CachedTokenizerOptions options;
  options.capacity_bytes = 100000;
  options.shards = 1;
  const auto cached = NewCachedTokenizer(TinyRankTokenizer(), options);
  cached->EncodeIds("small");
  cached->EncodeIds(std::string(50000, 'x'));
  EXPECT_EQ(cached->GetStats().oversize, 1u);
  EXPECT_EQ(cached->GetStats().entries, 1u);
  cached->Clear();
  EXPECT_EQ(cached->GetStats().bytes, 0u);
}

}  // namespace
}  // namespace penstock
