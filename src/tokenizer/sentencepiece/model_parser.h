// SPDX-License-Identifier: Apache-2.0
//
// Reads a SentencePiece `.model` file: a protobuf ModelProto (sentencepiece_model.proto).
//
//   PENSTOCK_ASSIGN_OR_RETURN(SentencePieceSpec spec,
//                             ParseSentencePieceModel(bytes, "spiece.model", limits));
//   // DATA_LOSS: spiece.model: pieces[17] at byte 341: a length runs past the end
//
// Fields that do not change ids are skipped, whatever they are; unknown fields are fine, as
// protobuf has it. Self-test samples are not run. Time and memory: O(bytes).
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_PARSER_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_PARSER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "tokenizer/sentencepiece/model_spec.h"

namespace penstock::internal::spm {

// Does a file with this beginning look like a ModelProto? A rank file, JSON and GGUF never do.
bool LooksLikeSentencePieceModel(std::string_view head);

// The spec borrows from `bytes`. kDataLoss: malformed, names the place. kResourceExhausted: a
// limit.
absl::StatusOr<SentencePieceSpec> ParseSentencePieceModel(std::string_view bytes,
                                                          std::string_view name,
                                                          const SentencePieceLimits& limits);

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_PARSER_H_
