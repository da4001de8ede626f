// SPDX-License-Identifier: Apache-2.0
//
// Segment: a run of text together with who wrote it.
//
//   tokenizer->Encode({Trusted("<|user|>\n"), Untrusted(request.text), Trusted("<|end|>\n")});
//
// Control tokens (see added_tokens.h) are recognised in trusted segments only. Whatever an
// untrusted segment spells, alone, with its neighbours or after normalization, it never becomes a
// control token:
//
//   tokenizer->Encode({Untrusted("<|user|>")})        // ids of eight characters, not of the token
//
// A seam between two segments is invisible to plain text: where both sides of it are plain text the
// ids are those of the concatenation. No control token straddles a seam, not even between two
// trusted segments.
#ifndef PENSTOCK_TOKENIZER_SEGMENT_H_
#define PENSTOCK_TOKENIZER_SEGMENT_H_

#include <string_view>

#include "absl/base/attributes.h"

namespace penstock {

// Borrowed text with its provenance. A plain value of two words; the text must outlive it. Made
// only by Trusted() and Untrusted(), so that every call site says which it is. Immutable; safe to
// share.
class Segment {
 public:
  std::string_view text() const { return text_; }
  bool trusted() const { return trusted_; }

 private:
  friend Segment Trusted(std::string_view text ABSL_ATTRIBUTE_LIFETIME_BOUND);
  friend Segment Untrusted(std::string_view text ABSL_ATTRIBUTE_LIFETIME_BOUND);
  Segment(std::string_view text, bool trusted) : text_(text), trusted_(trusted) {}

  std::string_view text_;
  bool trusted_;
};

// Text of the host: templates, system markers. Spelled control tokens become control tokens.
inline Segment Trusted(std::string_view text ABSL_ATTRIBUTE_LIFETIME_BOUND) {
  return Segment(text, true);
}

// Text of anybody else: requests, documents, tool output. Any bytes; never becomes a control token.
inline Segment Untrusted(std::string_view text ABSL_ATTRIBUTE_LIFETIME_BOUND) {
  return Segment(text, false);
}

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_SEGMENT_H_
