// SPDX-License-Identifier: Apache-2.0
//
// The pre-tokenizers of tokenizer.json.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRE_TOKENIZERS_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRE_TOKENIZERS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

struct PreTokenizerPlan {
  std::vector<std::unique_ptr<const PreTokenizer>> stages;
  bool byte_level = false;  // one of them is ByteLevel
  // ByteLevel is the last stage, so its byte characters can be left to the model:
  // `byte_level_split` is what it does besides (prefix space, pattern), which works on plain bytes.
  bool byte_level_last = false;
  std::vector<std::unique_ptr<const PreTokenizer>> byte_level_split;
};

// Compiles a "pre_tokenizer" value; sequences are flattened. In `stages` the last ByteLevel, if
// byte_level_last, is left out: the caller appends either byte_level_split alone or that followed
// by NewByteCharsPreTokenizer().
absl::StatusOr<PreTokenizerPlan> ReadPreTokenizer(const Json& json, const LoadLimits& limits);

// Spells every piece in byte characters.
std::unique_ptr<const PreTokenizer> NewByteCharsPreTokenizer();

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRE_TOKENIZERS_H_
