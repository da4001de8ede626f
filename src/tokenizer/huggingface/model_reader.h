// SPDX-License-Identifier: Apache-2.0
//
// The model of tokenizer.json: vocabulary and parameters first, the Model itself when it is known
// how its pieces are spelled.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_MODEL_READER_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_MODEL_READER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"
#include "tokenizer/byte_map.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

struct ModelPlan {
  enum class Kind { kBpe, kWordPiece, kWordLevel, kUnigram };
  Kind kind = Kind::kBpe;
  std::vector<std::string> tokens;  // spelling by id; "" = hole
  ByteMap ids;                      // of spellings; Unigram: the last of equal pieces
  size_t entries = 0;  // of the file's vocabulary: where added tokens are numbered from
  std::optional<TokenId> unk;
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
  std::string prefix, suffix;
  size_t max_chars = 100;
  MergeTable merges;
  std::vector<double> scores;  // Unigram, by id
};

absl::StatusOr<ModelPlan> ReadModel(const Json& json, const LoadLimits& limits);

// Vocabulary and merges given apart (vocab.json and merges.txt): the same checks and messages.
//   line "a b" of merges.txt becomes {"a", "b"}; `where` begins messages ("merges.txt:17: ").
absl::Status AddMerge(std::string_view left, std::string_view right, size_t rank, ModelPlan* plan,
                      std::string* why);

// Can the model work on bytes instead of byte characters? True for BPE over all 256 byte characters
// without what only makes sense for characters.
bool CanUseBytes(const ModelPlan& plan);

// Consumes the plan. `bytes`: the pieces are spelled in byte characters and shall be met as bytes.
std::unique_ptr<const Model> BuildModel(ModelPlan plan, bool bytes, std::vector<uint8_t> control);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_MODEL_READER_H_
