// SPDX-License-Identifier: Apache-2.0
//
// Pre-tokenizers that cut at the matches of a pattern.
#ifndef PENSTOCK_SRC_TOKENIZER_SPLIT_PRE_TOKENIZER_H_
#define PENSTOCK_SRC_TOKENIZER_SPLIT_PRE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/split_grammar.h"
#include "tokenizer/stages.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {

// What becomes of a match: Hugging Face's SplitDelimiterBehavior.
enum class SplitBehavior : uint8_t {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,
};

// Cuts every piece at the matches of `pattern`. `invert`: at what lies between them.
std::unique_ptr<const PreTokenizer> NewSplitPreTokenizer(std::unique_ptr<const TextPattern> pattern,
                                                         SplitBehavior behavior, bool invert);

// The pieces of a grammar, which cover everything. Boundaries are stable.
std::unique_ptr<const PreTokenizer> NewGrammarPreTokenizer(const SplitGrammar* grammar);

// Several in a row. REQUIRES: not empty.
std::unique_ptr<const PreTokenizer> NewPreTokenizerSequence(
    std::vector<std::unique_ptr<const PreTokenizer>> stages);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_SPLIT_PRE_TOKENIZER_H_
