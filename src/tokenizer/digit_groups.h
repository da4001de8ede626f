// SPDX-License-Identifier: Apache-2.0
//
// Digits in threes from the right: the patterns that Command A, SuperBPE, AFMoE and others have.
//
//   auto p = FindDigitGroups(R"(\d{1,3}(?=(?:\d{3})*\b))", RegexFlavor::kOniguruma);
//   p->FindAll("12345 ", &matches);                         // {0, 2}, {2, 5}
//   FindDigitGroups(R"(\d{1,3})", flavor)                   // null: another pattern
//
// A backtracking engine looks at the rest of the run from each group: quadratic, and beyond its
// limits for a long one. Here a run is counted once.
#ifndef PENSTOCK_SRC_TOKENIZER_DIGIT_GROUPS_H_
#define PENSTOCK_SRC_TOKENIZER_DIGIT_GROUPS_H_

#include <memory>
#include <string_view>

#include "tokenizer/text_pattern.h"

namespace penstock::internal {

// For these patterns, D a class of digits: D{1,3}(?=(?:D{3})*END), where END says that the run of
// digits ends here, or \b; and the empty (?=(D{3})+(?!D)). Null: none of them. Matches are those of
// CompilePcre().
std::unique_ptr<const TextPattern> FindDigitGroups(std::string_view pattern, RegexFlavor flavor);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_DIGIT_GROUPS_H_
