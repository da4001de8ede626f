// SPDX-License-Identifier: Apache-2.0
//
// TextPattern: what Split, Replace and rank files look for: a string, a class of characters, or a
// regular expression.
//
//   PENSTOCK_ASSIGN_OR_RETURN(auto p, CompileRegex("\\p{N}{1,3}", RegexFlavor::kRust, limits));
//   p->FindAll("a1234", &matches);             // {1, 4}, {4, 5}
//   CompileRegex("(", RegexFlavor::kRust, limits).status()    // "pattern, byte 1: ( without )"
//
// Matches are leftmost, in order and disjoint. Empty ones count, but not right behind another match
// and not in an empty text: as Oniguruma's and Rust's iterators have it. All are immutable and safe
// to share: what a match needs is made per call.
#ifndef PENSTOCK_SRC_TOKENIZER_TEXT_PATTERN_H_
#define PENSTOCK_SRC_TOKENIZER_TEXT_PATTERN_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"
#include "text/reference_classes.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

class TextPattern {
 public:
  virtual ~TextPattern() = default;
  // Appends the matches.
  virtual void FindAll(std::string_view text, std::vector<Piece>* matches) const = 0;
  // Appends those of the first matches that stay whatever follows `text`, if the search could begin
  // anew at the begin and end of each of them; none where that is not known.
  virtual void FindDecided(std::string_view /*text*/, std::vector<Piece>* /*matches*/) const {}
  // No match is longer than this many bytes; none: not known.
  virtual std::optional<size_t> longest() const { return std::nullopt; }
  // No match is shorter, in bytes; 0: a match may be empty.
  virtual size_t least_bytes() const { return 1; }
  virtual void Describe(std::string* out) const = 0;
};

// Every occurrence of `literal`; an empty one is found around every character.
std::unique_ptr<const TextPattern> NewLiteralPattern(std::string literal);

// Every single character for which `matches` is true; invalid bytes are U+FFFD. `name` goes into
// the fingerprint.
std::unique_ptr<const TextPattern> NewCharPattern(std::string name, bool (*matches)(char32_t));

// A regular expression of the flavour, by a hand-written scanner where we know it (those mean the
// same in all flavours), else by PCRE2 over classes of our own tables, under limits on
// backtracking, depth and heap. A match that exceeds them ends the search: the rest of the text
// does not match. Invalid UTF-8 never matches.
// kInvalidArgument: does not compile. kUnimplemented: not translated, see text/regex_classes.h.
// kResourceExhausted: longer than limits.max_pattern_bytes.
absl::StatusOr<std::unique_ptr<const TextPattern>> CompileRegex(std::string_view source,
                                                                RegexFlavor flavor,
                                                                const LoadLimits& limits);

// The same without the hand-written scanners: their twin in tests.
absl::StatusOr<std::unique_ptr<const TextPattern>> CompilePcre(std::string_view source,
                                                               RegexFlavor flavor,
                                                               const LoadLimits& limits);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_TEXT_PATTERN_H_
