// SPDX-License-Identifier: Apache-2.0
//
// Text normalization of SentencePiece: character map, white space, dummy prefix; user-defined
// pieces pass unchanged.
//
//   SentencePieceNormalizer n(spec.normalizer, charsmap, spec.treat_whitespace_as_suffix, …);
//   n.NormalizeToString("Hello  ﬁ", UserPieces::kAll) == "▁Hello▁fi"
//
// Left to right, without state but one bit, so that time is linear and nothing recurses. A byte
// that is no UTF-8 becomes U+FFFD, one for each bad byte (not for each maximal subpart), as in
// sentencepiece. Source: Normalizer::Normalize and NormalizePrefix, sentencepiece 0.2.3. Immutable;
// safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_NORMALIZER_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_NORMALIZER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/sentencepiece/charsmap.h"
#include "tokenizer/sentencepiece/model_spec.h"
#include "tokenizer/sentencepiece/user_pieces.h"

namespace penstock::internal::spm {

// Receives normalized text in order. Ranges are bytes of the input.
class NormalizedSink {
 public:
  virtual ~NormalizedSink() = default;
  virtual void Keep(size_t begin, size_t end) = 0;  // input[begin, end) as it is
  virtual void Put(std::string_view bytes, size_t begin, size_t end) = 0;  // instead of it
};

class SentencePieceNormalizer {
 public:
  SentencePieceNormalizer(const NormalizerSpec& spec, Charsmap charsmap, bool whitespace_as_suffix,
                          UserPieces user_pieces);

  // Without `dummy_prefix` none is added even where the model has one.
  void Normalize(std::string_view input, UserPieceMode mode, bool dummy_prefix,
                 NormalizedSink* sink) const;
  std::string NormalizeToString(std::string_view input, UserPieceMode mode) const;

  // True if normalizing text[0, pos) and text[pos, …) apart gives the two halves of the whole,
  // every piece of white space and dummy prefix included. False is always correct. O(longest key).
  // REQUIRES: 0 < pos < text.size().
  bool IsStableBoundary(std::string_view text, size_t pos) const;
  // The same for two parts of one run, of which the right one gets no dummy prefix and the left one
  // no dummy suffix, whatever follows `text`.
  bool CanSplit(std::string_view text, size_t pos) const;

  bool suffix() const { return whitespace_as_suffix_; }  // the dummy stands behind the text
  std::string_view space() const { return escape_whitespaces_ ? kSpaceSymbol : " "; }

 private:
  class Run;
  // The next unit: `length` bytes of the input become `text`.
  struct Unit {
    std::string_view text;
    size_t length;
  };
  Unit NextUnit(std::string_view rest, UserPieceMode mode) const;
  // Does some key or user-defined piece begin before `pos` and end behind it?
  bool StraddledAt(std::string_view text, size_t pos) const;
  // Length of the longest prefix that consists of ASCII units that stand for themselves and are no
  // spaces.
  size_t PlainLength(std::string_view rest) const;

  Charsmap charsmap_;
  UserPieces user_pieces_;
  bool add_dummy_prefix_, remove_extra_whitespaces_, escape_whitespaces_, whitespace_as_suffix_;
  bool plain_[128];               // stands for itself, whatever follows
  bool plain_before_ascii_[128];  // … if an ASCII byte or the end follows
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_NORMALIZER_H_
