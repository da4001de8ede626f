// SPDX-License-Identifier: Apache-2.0
//
// The named character classes of regular expressions, as sets of Unicode 16.0, the version of both
// reference engines.
//
//   FindProperty("Lu"), FindProperty("Script=Han"), FindProperty("uppercase letter")
//   FindProperty("Latinx")                               // empty: no such property
//   FindPosixClass("punct", RegexFlavor::kOniguruma)     // P and S; kRust: the 32 ASCII ones
//
// Each call builds its set: some milliseconds. Thread-safe.
#ifndef PENSTOCK_SRC_TEXT_REGEX_PROPERTIES_H_
#define PENSTOCK_SRC_TEXT_REGEX_PROPERTIES_H_

#include <optional>
#include <string_view>

#include "text/code_point_set.h"
#include "text/reference_classes.h"

namespace penstock::internal {

// What stands between the braces of \p{…}: a general category, short or long; a script, its name or
// its ISO 15924 code; Alphabetic, Lowercase, Uppercase, White_Space, Emoji, Emoji_Presentation,
// Extended_Pictographic, Ideographic, Any, Assigned, ASCII. With or without "gc=", "sc=", or "is".
// Case, spaces, '_' and '-' do not matter (UAX #44-LM3).
std::optional<CodePointSet> FindProperty(std::string_view name);

// What stands between [: and :]. ASCII in Rust, Unicode in Oniguruma.
std::optional<CodePointSet> FindPosixClass(std::string_view name, RegexFlavor flavor);

// \d, \s, \w, \h (a hexadecimal digit in both flavours); empty for other letters.
std::optional<CodePointSet> FindPerlClass(char letter, RegexFlavor flavor);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_REGEX_PROPERTIES_H_
