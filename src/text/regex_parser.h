// SPDX-License-Identifier: Apache-2.0
//
// Reads a pattern of a reference engine into PCRE2 syntax with the character sets cut out.
//
//   ParseRegex("[a-c]+$", RegexFlavor::kRust)  →  {[a-c]} "+" "\z"
//
// Implementation of regex_classes.h, which describes the dialects.
#ifndef PENSTOCK_SRC_TEXT_REGEX_PARSER_H_
#define PENSTOCK_SRC_TEXT_REGEX_PARSER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "text/code_point_set.h"
#include "text/reference_classes.h"

namespace penstock::internal {

// Syntax for PCRE2, or one character out of a set.
struct RegexItem {
  std::string syntax;
  int set = -1;  // index into RegexProgram::sets
};

struct RegexProgram {
  std::vector<RegexItem> items;
  std::vector<CodePointSet> sets;    // each once
  bool compares_characters = false;  // has a back-reference
};

// O(pattern * ranges). Nesting is limited to 64 groups and 32 classes.
absl::StatusOr<RegexProgram> ParseRegex(std::string_view pattern, RegexFlavor flavor);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_REGEX_PARSER_H_
