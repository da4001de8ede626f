// SPDX-License-Identifier: Apache-2.0
//
// tokenizer_config.json, which stands beside tokenizer.json: the names of the special tokens, the
// clean-up of decoded text, and, for the classes of transformers 4 that rebuild the template from
// it (Llama, CodeLlama, Gemma, Cohere, GPTNeoX), whether BOS and EOS are added. `legacy` changes
// nothing there once a tokenizer.json exists, nor does it here.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TOKENIZER_CONFIG_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TOKENIZER_CONFIG_H_

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "penstock/tokenizer/added_tokens.h"
#include "penstock/tokenizer/load.h"
#include "penstock/tokenizer/vocabulary.h"
#include "tokenizer/byte_map.h"
#include "tokenizer/engine.h"

namespace penstock::internal {

// Applies the configuration in `bytes`. Names that are no token are ignored: many files name some
// that their vocabulary does not have. kDataLoss: not JSON, or a field of the wrong kind.
absl::Status ApplyTokenizerConfig(std::string_view bytes, std::string_view name,
                                  const LoadLimits& limits, const ByteMap& model_ids,
                                  const std::vector<AddedToken>& added, SpecialIds* special,
                                  EngineParts* parts);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TOKENIZER_CONFIG_H_
