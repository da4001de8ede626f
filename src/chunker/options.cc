// SPDX-License-Identifier: Apache-2.0
//
// Options: what is refused, and how it is said.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "penstock/chunker.h"

namespace penstock {

std::string_view UnitName(Unit unit) {
  switch (unit) {
    case Unit::kCodePoint:
      return "code point";
    case Unit::kGrapheme:
      return "grapheme";
    case Unit::kWord:
      return "word";
    case Unit::kClause:
      return "clause";
    case Unit::kSentence:
      return "sentence";
    case Unit::kLine:
      return "line";
    case Unit::kTableRow:
      return "table row";
    case Unit::kListItem:
      return "list item";
    case Unit::kCodeFence:
      return "code fence";
    case Unit::kParagraph:
      return "paragraph";
    case Unit::kHeading:
      return "heading";
    case Unit::kDocument:
      return "document";
  }
  return "unknown unit";
}

absl::Status BoundaryOptions::Validate() const {
  if (language.empty()) return absl::OkStatus();
  size_t size = 0;
  size_t subtag = 0;
  bool good = true;
  for (size_t i = 0; i <= language.size(); ++i) {
    const char c = i < language.size() ? language[i] : '-';
    if (c == '-' || c == '_') {
      // Primary language: two or three letters; further subtags: one to eight characters.
      good &= subtag == 0 ? size == 2 || size == 3 : size >= 1 && size <= 8;
      size = 0;
      ++subtag;
      continue;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    good &= letter || (digit && subtag > 0);
    ++size;
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "language is \"", language, "\", expected a BCP 47 tag such as \"en\" or \"pt-BR\""));
}

size_t ChunkerOptions::UsableTokens() const {
  if (!(headroom > 0)) return 0;
  // 0.9 * 10 is 9 in decimal; binary fractions must not make it 8.
  const double usable = std::floor(static_cast<double>(max_tokens) * headroom + 1e-9);
  const double reserved = static_cast<double>(reserved_tokens);
  return usable > reserved ? static_cast<size_t>(usable - reserved) : 0;
}

absl::Status ChunkerOptions::Validate() const {
  using absl::InvalidArgumentError;
  using absl::StrCat;
  if (max_tokens == 0) return InvalidArgumentError("max_tokens is 0, expected at least 1");
  if (!(headroom > 0 && headroom <= 1)) {
    return InvalidArgumentError(StrCat("headroom is ", headroom, ", expected in (0, 1]"));
  }
  if (!(min_fill >= 0 && min_fill <= 1)) {
    return InvalidArgumentError(StrCat("min_fill is ", min_fill, ", expected in [0, 1]"));
  }
  const size_t budget = UsableTokens();
  if (budget == 0) {
    const auto usable = static_cast<size_t>(static_cast<double>(max_tokens) * headroom + 1e-9);
    return InvalidArgumentError(StrCat("reserved_tokens reserves ", reserved_tokens, " of ", usable,
                                       " usable tokens (max_tokens ", max_tokens, ", headroom ",
                                       headroom, "), expected fewer"));
  }
  if (overlap_tokens >= budget) {
    return InvalidArgumentError(StrCat("overlap_tokens is ", overlap_tokens,
                                       ", expected less than the ", budget,
                                       " tokens of a chunk's text"));
  }
  if (overlap_units.has_value() && (*overlap_units == 0 || overlap_tokens == 0)) {
    return InvalidArgumentError(StrCat("overlap_units is ", *overlap_units,
                                       " and overlap_tokens is ", overlap_tokens,
                                       ", expected both positive, or overlap_units unset"));
  }
  if (overlap_unit < Unit::kSentence || overlap_unit >= Unit::kDocument) {
    return InvalidArgumentError(StrCat("overlap_unit is ",
                                       internal::AbslView(UnitName(overlap_unit)),
                                       ", expected sentence or stronger, below document"));
  }
  if (balanced_multiple == 0 || (balanced_multiple > 1 && packing != Packing::kBalanced)) {
    return InvalidArgumentError(StrCat("balanced_multiple is ", balanced_multiple,
                                       ", expected at least 1, and 1 unless packing is kBalanced"));
  }
  BoundaryOptions boundaries;
  boundaries.language = language;
  return boundaries.Validate();
}

}  // namespace penstock
