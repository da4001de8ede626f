// SPDX-License-Identifier: Apache-2.0
//
// The decoders of tokenizer.json.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_DECODERS_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_DECODERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

struct DecoderPlan {
  std::unique_ptr<const Decoder> decoder;
  bool byte_level = false;       // one of them is ByteLevel
  bool byte_level_only = false;  // it is the only one: `decoder` is null
};

// Compiles a "decoder" value; null joins tokens by a space, as the reference does.
absl::StatusOr<DecoderPlan> ReadDecoder(const Json& json, const LoadLimits& limits);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_DECODERS_H_
