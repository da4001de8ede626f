// SPDX-License-Identifier: Apache-2.0
//
// Unicode normalization (UAX #15) with the way back: which source bytes each result byte is from.
//
//   Normalize("e\u0301", NormalizationForm::kNfc)                     // "é"
//   Normalize("\uFB01", NormalizationForm::kNfkd)                     // "fi"
//   Normalize("a\xFFz", NormalizationForm::kNfc)                      // "a\xFFz": bad bytes stay
//
//   std::string out;
//   std::vector<NormalizedPiece> pieces;
//   Normalize(text, {NormalizationForm::kNfc, NormalizationVersion::kHuggingFace}, &out, &pieces);
//   size_t from = 0;                                                  // pieces tile text and out
//   for (const NormalizedPiece& p : pieces) from += p.source_bytes;   // == text.size()
//
// What is normalized already, and nearly all text is, passes a table look-up per character beyond
// ASCII and is copied in runs. The rest goes through decompose, reorder, compose. Linear, but for
// the sort of a run of combining characters.
//
// Immutable; safe to share.
#ifndef PENSTOCK_SRC_TEXT_NORMALIZATION_H_
#define PENSTOCK_SRC_TEXT_NORMALIZATION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::internal {

enum class NormalizationForm : uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// Normalization is stable between versions but for code points that did not exist in the older one.
enum class NormalizationVersion : uint8_t {
  kUnicode17,
  kHuggingFace,  // Unicode 9.0: what is newer is left alone (README.md, "Which Unicode version")
};

struct Normalization {
  NormalizationForm form = NormalizationForm::kNfc;
  NormalizationVersion version = NormalizationVersion::kUnicode17;

  // Not explicit: a form alone is a normalization.
  Normalization(NormalizationForm f = NormalizationForm::kNfc,  // NOLINT
                NormalizationVersion v = NormalizationVersion::kUnicode17)
      : form(f), version(v) {}
};

// A step of the result, in order. The pieces tile the source and the result without gaps.
//   aligned_bytes == 0 and source_bytes == result_bytes: a run copied as it is
//   otherwise: one character of the result, that used up source_bytes (may be 0)
// Alignment is the one of Hugging Face's NormalizedString: the character is from the first
// `aligned_bytes` of its source bytes (one character of the source), or, when it used up none, from
// the source character that ends where the piece begins. It goes by counting: after reordering, a
// mark may be aligned to its neighbour. [from, from + source_bytes) is always the honest cover.
struct NormalizedPiece {
  uint32_t result_bytes = 0;
  uint32_t source_bytes = 0;
  uint32_t aligned_bytes = 0;

  bool kept() const { return aligned_bytes == 0 && source_bytes != 0; }
};

// `text` in the normal form. Malformed bytes are kept and are borders. O(n), see above.
std::string Normalize(std::string_view text, Normalization normalization);

// Appends the normal form to `result` and, unless null, the pieces to `pieces`.
void Normalize(std::string_view text, Normalization normalization, std::string* result,
               std::vector<NormalizedPiece>* pieces);

// Bytes at the start of `text` that Normalize() keeps whatever follows them: the part before the
// last starter in front of the first character that needs a look. text.size() when nothing needs
// one (then the text is normalized). O(answer).
size_t NormalizedPrefix(std::string_view text, Normalization normalization);

// Whether `text` is in the normal form. O(n), allocates only when the quick check says "maybe".
bool IsNormalized(std::string_view text, Normalization normalization);

// Whether normalizing text[0, pos) and text[pos, …) apart is normalizing the whole, whatever stands
// around: the character at `pos` is a starter that joins nothing before it. O(1).
// REQUIRES: pos < text.size() is the start of a character or of malformed bytes.
bool IsNormalizationBoundary(std::string_view text, size_t pos, Normalization normalization);

// Canonical_Combining_Class of Unicode 17.0; 0 for what is no code point.
uint8_t CombiningClassOf(char32_t c);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_NORMALIZATION_H_
