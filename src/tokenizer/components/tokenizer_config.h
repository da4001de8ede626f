// SPDX-License-Identifier: Apache-2.0
//
// What tokenizer_config.json beside a vocabulary says and the vocabulary does not.
//
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerConfig c, ReadTokenizerConfig(file, options));
//   c.add_bos_token.value_or(true)
//
// No such file, or a vocabulary from memory, or LoadOptions::read_tokenizer_config off: nothing is
// said. A damaged one is kDataLoss.
#ifndef PENSTOCK_SRC_TOKENIZER_COMPONENTS_TOKENIZER_CONFIG_H_
#define PENSTOCK_SRC_TOKENIZER_COMPONENTS_TOKENIZER_CONFIG_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tokenizer/readers.h"

namespace penstock::internal {

struct TokenizerConfig {
  std::optional<bool> add_bos_token, add_eos_token, legacy;
  std::optional<bool> do_lower_case, strip_accents, tokenize_chinese_chars;
  std::string tokenizer_class;
};

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const SourceFile& file,
                                                    const LoadOptions& options);
// The same from the bytes of the configuration. `name` is for messages.
absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(std::string_view bytes, std::string_view name,
                                                     const LoadLimits& limits);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_COMPONENTS_TOKENIZER_CONFIG_H_
