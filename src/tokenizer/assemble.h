// SPDX-License-Identifier: Apache-2.0
//
// From the tokens of one or two texts to the finished Encoding: truncation, then the template.
//
//   TokenRun first = …;  TokenRun second = …;
//   PENSTOCK_RETURN_IF_ERROR(Assemble(post, &first, &second, options, &encoding));
//
// Window order, strategies and the order of overflowing pairs are Hugging Face's.
#ifndef PENSTOCK_SRC_TOKENIZER_ASSEMBLE_H_
#define PENSTOCK_SRC_TOKENIZER_ASSEMBLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/tokenizer/encoding.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

// The tokens of one text before truncation. `offsets` is empty or as long as `ids`.
struct TokenRun {
  std::vector<TokenId> ids;
  std::vector<ByteRange> offsets;
  std::vector<SafeCut> cuts;
  // Tokens that are spelled as the text they stand for, (index into ids, that text), ascending:
  // added and unknown ones; only for the trimming of offsets.
  std::vector<std::pair<size_t, std::string>> matched;
  // Offsets that tokens have where truncation puts them first; empty if those are the same.
  std::vector<ByteRange> offsets_if_first;
};

// Special tokens that the template adds.
size_t TemplateTokens(const std::vector<TemplatePart>& parts);

// `second` is null for a single text. Consumes the runs.
// kInvalidArgument: truncation that cannot be honoured (see truncation.h).
absl::Status Assemble(const PostProcessor& post, TokenRun* first, TokenRun* second,
                      const EncodeOptions& options, Encoding* encoding);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_ASSEMBLE_H_
