// SPDX-License-Identifier: Apache-2.0
//
// TokenizerEngine: what all built-in formats share. A reader fills EngineParts and calls
// NewEngineTokenizer(); segments, added tokens, trust, offsets, truncation, templates, safe cuts,
// decoding and the fingerprint come with it.
//
//   EngineParts parts;
//   parts.vocabulary = …;                        // Vocabulary::Create(tokens, added, special)
//   parts.model = std::make_unique<MyModel>(…);
//   return NewEngineTokenizer(std::move(parts));
//
// How a list of segments is encoded (of a pair: twice):
//   1. The segments are concatenated. Non-normalized added tokens are cut out, leftmost first, the
//      longest of those allowed at that place: a content token anywhere, a control token only if
//      its bytes lie within one trusted segment (with kReferencePlain: none at all). lstrip and
//      rstrip take white space of any segment.
//   2. Each run between them: invalid UTF-8 is handled by `invalid_utf8`; Normalizer; then the
//      normalized added tokens are cut out of the normalized text under the same rule, applied to
//      the original bytes that each match came from.
//   3. PreTokenizer, then Model::Encode for every piece, with allow_control only if the piece came
//      out of one trusted segment.
// So provenance needs no help from a model, except to honour `allow_control`.
//
// SentencePiece: control and user-defined pieces go into the added tokens (special = control
// pieces). The model or normalizer handles user-defined pieces itself when
// RunContext::reference_plain is set, for step 1 then cuts nothing out.
#ifndef PENSTOCK_SRC_TOKENIZER_ENGINE_H_
#define PENSTOCK_SRC_TOKENIZER_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/tokenizer.h"
#include "penstock/tokenizer/padding.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

enum class InvalidUtf8 : uint8_t {
  // The stages see the bytes; byte-level models round-trip them. Scanners read each bad byte as a
  // character that is neither letter, number nor space.
  kKeep,
  // U+FFFD for each maximal subpart, before the normalizer.
  kReplace,
};

struct EngineParts {
  Vocabulary vocabulary;  // with its added tokens, classes assigned by ClassifyAddedTokens()
  std::unique_ptr<const Normalizer> normalizer;
  std::unique_ptr<const PreTokenizer> pre_tokenizer;
  std::unique_ptr<const Model> model;  // required
  PostProcessor post_processor;
  std::unique_ptr<const Decoder> decoder;  // null: the bytes of the tokens, concatenated
  InvalidUtf8 invalid_utf8 = InvalidUtf8::kReplace;

  // The vocabulary holds bytes of text (Vocabulary's comment); its file may spell them otherwise.
  bool byte_level_vocabulary = false;
  // How the decoder sees a token: spellings[id]; empty: the vocabulary's bytes.
  std::vector<std::string> spellings;
  // Hugging Face's clean-up of spaces before punctuation, as the file says.
  bool clean_up_spaces = false;
  // Added tokens as the model's normalizer leaves them; computed by the engine for those with
  // `normalized`. Stored by the file; reported, never applied unasked.
  std::optional<TruncationOptions> stored_truncation;
  std::optional<PaddingOptions> stored_padding;
};

// Sets token_class of every token: content if whitespace only and not special, or if its content is
// in `content_tokens`; else control. kInvalidArgument: a content token that is no added token.
absl::Status ClassifyAddedTokens(const std::vector<std::string>& content_tokens,
                                 std::vector<AddedToken>* tokens);

// Vocabulary::Create() for files in which ids may share their bytes: Find() gives the smallest.
struct VocabularyAccess {
  static absl::StatusOr<Vocabulary> CreateWithDuplicates(std::vector<std::string> tokens,
                                                         std::vector<AddedToken> added,
                                                         SpecialIds special);
};

// The tokenizer over these parts.
// kInvalidArgument: no model; a special id of the template that the vocabulary does not contain.
absl::StatusOr<TokenizerPtr> NewEngineTokenizer(EngineParts parts);

// U+FFFD for each maximal subpart that is no UTF-8.
void ReplaceInvalidUtf8(AlignedText* text);

// What Tokenizer::engine() gives to the chunker and to token streams. Immutable; safe to share.
class TokenizerEngine {
 public:
  virtual ~TokenizerEngine() = default;
  virtual const EngineParts& parts() const = 0;
  // False: Encoding::safe_cuts will always be empty.
  virtual bool has_safe_cuts() const = 0;
  // The ids of EncodeIds(plain_text) to `sink`, in order. Returns the sink's first error. `window`:
  // bytes taken at a time.
  virtual absl::Status EncodeTo(std::string_view plain_text,
                                absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)>* sink,
                                size_t window) const = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_ENGINE_H_
