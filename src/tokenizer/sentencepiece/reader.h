// SPDX-License-Identifier: Apache-2.0
//
// From a SentencePiece model, whatever file it came from, to a tokenizer.
//
//   LoadTokenizer("spiece.model")                                    // by way of ReadSentencePiece
//   PENSTOCK_ASSIGN_OR_RETURN(EngineParts parts, SentencePieceParts(spec, options, "vocab.gguf"));
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_READER_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_READER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "tokenizer/engine.h"
#include "tokenizer/readers.h"
#include "tokenizer/sentencepiece/model_spec.h"
#include "tokenizer/sentencepiece/stages.h"
#include "tokenizer/sentencepiece/unigram_model.h"

namespace penstock::internal::spm {

// What the caller knows beyond the model itself.
struct SentencePieceOptions {
  UnigramArithmetic arithmetic = UnigramArithmetic::kClassic;
  DummyPrefix dummy_prefix = DummyPrefix::kEveryRun;
  std::vector<std::string> content_tokens;  // LoadOptions::content_tokens
  // Special tokens of add_special_tokens. None: BOS if the model has one, else EOS if it has one,
  // which is what Llama, Gemma and Mistral, and T5 do; a `.model` file does not say.
  std::optional<bool> add_bos, add_eos;
};

// Errors as LoadTokenizer(). `name` is for messages; nothing of `spec` is borrowed.
absl::StatusOr<EngineParts> SentencePieceParts(const SentencePieceSpec& spec,
                                               const SentencePieceOptions& options,
                                               std::string_view name);

SentencePieceLimits LimitsOf(const LoadLimits& limits);

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_READER_H_
