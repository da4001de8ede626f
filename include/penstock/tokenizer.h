// SPDX-License-Identifier: Apache-2.0
//
// Tokenizer: text to token ids and back, exactly as the model was trained.
//
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr t, LoadTokenizer("model/tokenizer.json"));
//   std::vector<TokenId> ids = t->EncodeIds("Hello, 世界");       // plain text: cannot fail
//   std::string back = t->Decode(ids);                           // "Hello, 世界"
//   size_t n = t->Count("Hello, 世界");                           // ids.size()
//
//   PENSTOCK_ASSIGN_OR_RETURN(Encoding e, t->Encode({Trusted("<|user|>"), Untrusted(request)}));
//
//   LoadTokenizer("llama/tokenizer.model").status()
//   // INVALID_ARGUMENT: llama/tokenizer.model: a rank file carries no pattern; expected …
//
// Text is plain text unless the caller says otherwise: no spelling of a control token in an
// untrusted segment becomes that token (segment.h). Loading may fail and says why; encoding fails
// only on a limit that the caller set.
//
// Rooms: load.h (files), segment.h, encoding.h (options and results), vocabulary.h, added_tokens.h,
// truncation.h, padding.h, batch_encoding.h (tensors), cached_tokenizer.h (LRU).
#ifndef PENSTOCK_TOKENIZER_H_
#define PENSTOCK_TOKENIZER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/tokenizer/encoding.h"
#include "penstock/tokenizer/load.h"
#include "penstock/tokenizer/segment.h"
#include "penstock/tokenizer/vocabulary.h"

namespace penstock {

namespace internal {
class TokenizerEngine;
}  // namespace internal

// Open: a host may bring its own by deriving (three functions to write). Immutable; safe to share.
// Implementations must not throw.
class PENSTOCK_EXPORT Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Encodes the concatenation of `segments`. Bytes that are no UTF-8 are welcome: byte-level
  // vocabularies keep them, others read U+FFFD for each maximal subpart (README of the module).
  // kResourceExhausted: longer than options.max_input_bytes.
  // kInvalidArgument: truncation options that contradict each other.
  // O(bytes) time for the built-in engines (O(n log n) within one pre-token), whatever the text.
  absl::StatusOr<Encoding> Encode(absl::Span<const Segment> segments,
                                  const EncodeOptions& options = {}) const;

  // Encodes two texts into one sequence by the pair template (question and passage, [CLS] a [SEP] b
  // [SEP]). Without add_special_tokens the two are simply joined. Errors as Encode().
  absl::StatusOr<Encoding> EncodePair(absl::Span<const Segment> first,
                                      absl::Span<const Segment> second,
                                      const EncodeOptions& options = {}) const;

  // Ids of untrusted plain text, no special tokens added. Total.
  std::vector<TokenId> EncodeIds(std::string_view plain_text) const;

  // The same ids, in order, handed to `sink` some thousands at a time: for texts of gigabytes. With
  // the built-in engines memory beside the text is a few windows (64 KiB), but where no place is
  // known at which the text can be parted: a pre-token without end, or the components that the
  // module's README lists. Returns the sink's first error and does not call it again.
  //   t->EncodeTo(book, [&](absl::Span<const TokenId> ids) { return file.Append(ids); });
  absl::Status EncodeTo(std::string_view plain_text,
                        absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)> sink) const;

  // == EncodeIds(plain_text).size(), without keeping the ids where the implementation can.
  virtual size_t Count(std::string_view plain_text) const;

  // Text of `ids`. Total: an id outside the vocabulary becomes U+FFFD. Decode(EncodeIds(x)) == x
  // for byte-level and byte-fallback vocabularies without a lossy normalizer, any bytes.
  std::string Decode(absl::Span<const TokenId> ids, const DecodeOptions& options = {}) const;

  virtual const Vocabulary& vocabulary() const ABSL_ATTRIBUTE_LIFETIME_BOUND = 0;

  // SHA-256 in hex of everything that can change an id: two tokenizers with equal fingerprints
  // encode alike. Part of cache keys.
  virtual std::string_view fingerprint() const ABSL_ATTRIBUTE_LIFETIME_BOUND = 0;

  // Tokens that add_special_tokens adds to a text (or to a pair). A chunker's budget must reserve
  // them.
  size_t SpecialTokensToAdd(bool pair = false) const;

  // The library's own engine behind this tokenizer; null for a host's: no safe cuts are known then.
  virtual const internal::TokenizerEngine* engine() const { return nullptr; }

 private:
  // `second` is null for a single text. The options have been validated and the input length
  // checked. Fills what the options ask for; leaves the rest empty.
  virtual absl::Status DoEncode(absl::Span<const Segment> first,
                                const absl::Span<const Segment>* second,
                                const EncodeOptions& options, Encoding* encoding) const = 0;
  virtual std::string DoDecode(absl::Span<const TokenId> ids,
                               const DecodeOptions& options) const = 0;
};

inline size_t Tokenizer::Count(std::string_view plain_text) const {
  return EncodeIds(plain_text).size();
}

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_H_
