// SPDX-License-Identifier: Apache-2.0
//
// Decoding, and what else needs the spelling of tokens.
#ifndef PENSTOCK_SRC_TOKENIZER_DECODE_H_
#define PENSTOCK_SRC_TOKENIZER_DECODE_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "penstock/tokenizer/encoding.h"
#include "tokenizer/assemble.h"
#include "tokenizer/engine.h"

namespace penstock::internal {

// Tokenizer::Decode over the parts of an engine.
std::string DecodeTokens(const EngineParts& parts, absl::Span<const TokenId> ids,
                         const DecodeOptions& options);

// Hugging Face's clean-up: no space before . ? ! , and within English contractions. `do_not`: also
// "do not" to "don't", as the decoders of tokenizer.json do and tokenizer_config.json's does not.
void CleanUpSpaces(std::string* text, bool do_not);

// Every occurrence of `from`, left to right. An empty `from` occurs around every character.
void ReplaceAll(std::string_view from, std::string_view to, std::string* text);

// Leaves leading and trailing white space of tokens out of their offsets
// (PostProcessor::trims). `second`: `text` is the second of a pair.
void TrimOffsets(const EngineParts& parts, std::string_view text, bool second,
                 const EncodeOptions& options, TokenRun* run);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_DECODE_H_
