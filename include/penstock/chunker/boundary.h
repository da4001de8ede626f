// SPDX-License-Identifier: Apache-2.0
//
// Where a text may be cut: units, boundaries, and the hook for a model that knows better.
//
//   for (const Boundary& b : FindBoundaries("Dr. Wu is in. Come at 3 p.m.\n\nBye.", {})) …
//     // {14, kSentence}, {30, kParagraph}, {34, kDocument}: not after "Dr." nor between "p." and
//     "m."
//   for (ByteRange s : SplitSentences("今天天气很好。我们去公园！", {})) …          // two
//
//   SplitSentences("", {});                                  // no sentence, not one empty sentence
//   BoundaryOptions options;  options.language = "klingon";
//   options.Validate();                                      // INVALID_ARGUMENT: not a BCP 47 tag
//   …
//
// Boundaries are found in one forward pass, linear in the text. Nothing here knows tokens:
// chunker.h does. When unsure, a sentence is not ended: joining two costs a little fill, breaking
// one costs its meaning.
#ifndef PENSTOCK_CHUNKER_BOUNDARY_H_
#define PENSTOCK_CHUNKER_BOUNDARY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"

namespace penstock {

// What ends at a boundary, weakest first: `a < b` means that a cut at `b` hurts less. A place where
// several units end is named by the strongest. A heading is the start of a section, so the strong
// cut is the one before it.
enum class Unit : uint8_t {
  kCodePoint,  // never finer: no cut falls inside a well-formed UTF-8 sequence
  kGrapheme,   // user-perceived character (UAX #29); CR LF and emoji sequences are one
  kWord,       // after white space, or between ideographs
  kClause,     // after , ; : – and their relatives in other scripts
  kSentence,
  kLine,      // a line of verse, code or a table-like layout that is known not to run on
  kTableRow,  // Markdown
  kListItem,
  kCodeFence,  // a whole fenced block; never joined with what follows
  kParagraph,  // blank line
  kHeading,    // a heading begins here
  kDocument,   // the end of the text
};

// "sentence", "paragraph", …; for messages and logs. Thread-safe.
PENSTOCK_EXPORT std::string_view UnitName(Unit unit);

// A place between two bytes of the text.
struct Boundary {
  size_t byte = 0;  // the unit before ends here, white space after it included; > 0
  Unit unit = Unit::kSentence;
  uint8_t score = 0;  // how sure, 1 … 255; compare only among boundaries of one unit

  friend bool operator==(const Boundary& a, const Boundary& b) {
    return a.byte == b.byte && a.unit == b.unit && a.score == b.score;
  }
};

enum class TextFormat : uint8_t {
  kAuto,      // Markdown where a line can be nothing else (ATX heading, fence, table rule), plain
              // otherwise
  kPlain,     // paragraphs, list items and lines only
  kMarkdown,  // CommonMark blocks: ATX and setext headings, fences, lists, quotes, GFM tables
};

enum class SentenceRules : uint8_t {
  kTailored,  // UAX #29 with what its own section 5.3 leaves to tailoring: abbreviations, initials,
              // quotes, lists, …
  kUax29,     // the default rules of UAX #29, nothing else; passes SentenceBreakTest.txt; ignores
              // blocks and language
};

struct BoundaryOptions {
  TextFormat format = TextFormat::kAuto;
  // BCP 47 tag of the text ("en", "pt-BR"); only the primary language counts. Empty: from the
  // script and the commonest words of each paragraph. A language without rules of its own gets
  // those of its script.
  std::string language;
  SentenceRules rules = SentenceRules::kTailored;

  // kInvalidArgument where `language` is not a well-formed tag.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

// All boundaries of unit kSentence and stronger, ascending, ending with {text.size(), kDocument};
// empty for an empty text. Total: invalid UTF-8 is passed over as U+FFFD would be; a malformed
// `language` counts as none. Complexity: linear in text.size(). Thread-safe. Source: UAX #29
// (Unicode 15.0), CommonMark 0.31.
PENSTOCK_EXPORT std::vector<Boundary> FindBoundaries(std::string_view text,
                                                     const BoundaryOptions& options);

// The sentences, without the white space around them; headings, list items and the like count as
// sentences of their own. Concatenated with the white space between them they are the text. Same
// rules and complexity as FindBoundaries(). Thread-safe.
PENSTOCK_EXPORT std::vector<ByteRange> SplitSentences(std::string_view text,
                                                      const BoundaryOptions& options);

// A boundary as a scorer sees it.
struct BoundaryContext {
  std::string_view before;  // at most 512 bytes before the boundary, cut at a code point
  std::string_view after;   // at most 512 bytes after it; empty at the end of the text
  Boundary boundary;        // `byte` counts from the start of the whole text
};

// A model (of the SaT kind, say) behind the rules: it says how good each boundary is, so that
// packing prefers the better ones. It cannot add boundaries, nor forbid them: whole sentences stay
// whole without it.
//
// Open: implement it in the host. Must be immutable and safe to share, and must not throw.
// scores[i] may depend on contexts[i] only; otherwise streaming and one-shot chunking differ.
class BoundaryScorer {
 public:
  virtual ~BoundaryScorer() = default;

  // Overwrites scores[i] (0 worst, 255 best; prefilled with the rules' own score) for each context.
  // REQUIRES: contexts.size() == scores.size(). Called from Split() and ChunkStream::Next(), many
  // contexts at once.
  virtual void Score(absl::Span<const BoundaryContext> contexts,
                     absl::Span<uint8_t> scores) const = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_CHUNKER_BOUNDARY_H_
