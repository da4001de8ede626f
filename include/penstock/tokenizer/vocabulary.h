// SPDX-License-Identifier: Apache-2.0
//
// Vocabulary: token bytes to ids and back.
//
//   const Vocabulary& v = tokenizer->vocabulary();
//   std::optional<TokenId> id = v.Find(" the");     // byte-level: bytes of text, not "Ġthe"
//   std::string_view bytes = v.Token(*id);
//   v.Find("no such token") == std::nullopt;        // and v.Token(-7) == ""
//
// Byte-level vocabularies hold bytes of text. Others hold what their file spells: "▁the", "##ing",
// "<0x0A>". An id may be a hole (unused): Token() is "", Contains() is false. Find() knows added
// tokens too.
#ifndef PENSTOCK_TOKENIZER_VOCABULARY_H_
#define PENSTOCK_TOKENIZER_VOCABULARY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/tokenizer/added_tokens.h"

namespace penstock {

namespace internal {
struct VocabularyAccess;
}  // namespace internal

// The ids that the file gives a role; none where it does not.
struct SpecialIds {
  std::optional<TokenId> unk, bos, eos, pad, mask, cls, sep;
};

// Closed, a value: copies share one immutable table. Immutable; safe to share.
class PENSTOCK_EXPORT Vocabulary {
 public:
  // For hosts that bring their own Tokenizer. tokens[i] holds the bytes of id i ("" = hole). Added
  // tokens may name ids inside or beyond `tokens`. kInvalidArgument: two ids with the same bytes,
  // an added token with an id already taken by other bytes, more than 2^31 - 1 ids, a special id
  // that is a hole.
  static absl::StatusOr<Vocabulary> Create(std::vector<std::string> tokens,
                                           std::vector<AddedToken> added = {},
                                           SpecialIds special = {});
  Vocabulary();  // empty

  // One more than the largest id: the width of the model's logits as far as the tokenizer knows.
  size_t size() const;
  // True unless `id` is out of range or a hole.
  bool Contains(TokenId id) const;
  // Bytes of `id`; "" for holes and ids out of range. O(1).
  std::string_view Token(TokenId id) const ABSL_ATTRIBUTE_LIFETIME_BOUND;
  // The id of exactly these bytes; where an added token and a model token share bytes, the added
  // token. O(bytes).
  std::optional<TokenId> Find(std::string_view bytes) const;

  // In ascending order of id.
  absl::Span<const AddedToken> added_tokens() const ABSL_ATTRIBUTE_LIFETIME_BOUND;
  // The added token with this id, or null.
  const AddedToken* FindAdded(TokenId id) const ABSL_ATTRIBUTE_LIFETIME_BOUND;
  bool IsSpecial(TokenId id) const;
  // Of class kControl: untrusted text never produces it, but a model gives its unk for the unknown.
  bool IsControl(TokenId id) const;

  const SpecialIds& special() const ABSL_ATTRIBUTE_LIFETIME_BOUND;
  std::optional<TokenId> unk_id() const { return special().unk; }
  std::optional<TokenId> bos_id() const { return special().bos; }
  std::optional<TokenId> eos_id() const { return special().eos; }
  std::optional<TokenId> pad_id() const { return special().pad; }

 private:
  friend struct internal::VocabularyAccess;
  struct Rep;
  static absl::StatusOr<Vocabulary> Build(std::vector<std::string> tokens,
                                          std::vector<AddedToken> added, SpecialIds special,
                                          bool duplicates);
  std::shared_ptr<const Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_VOCABULARY_H_
