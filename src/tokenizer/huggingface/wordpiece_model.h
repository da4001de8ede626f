// SPDX-License-Identifier: Apache-2.0
//
// WordPieceModel and WordLevelModel: greedy longest match, and whole words.
//
//   WordPieceModel m({std::move(pieces), "##", unk, 100}, control);
//   m.Encode("unaffable", …)           // "un", "##aff", "##able"
//
// A word that cannot be cut into pieces, or is longer than max_chars, is one unk, or nothing where
// there is none. Time: O(max_chars × longest piece) a word. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_WORDPIECE_MODEL_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_WORDPIECE_MODEL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/byte_map.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

class WordPieceModel final : public Model {
 public:
  struct Spec {
    ByteMap pieces;
    std::string prefix;  // of pieces that continue a word
    std::optional<TokenId> unk;
    size_t max_chars = 100;
  };
  WordPieceModel(Spec spec, std::vector<uint8_t> control);
  void Encode(std::string_view piece, bool allow_control,
              std::vector<PieceToken>* out) const override;
  void Describe(std::string* out) const override;

 private:
  Spec spec_;
  std::vector<uint8_t> control_;
  size_t longest_ = 0;  // bytes of the longest piece
};

class WordLevelModel final : public Model {
 public:
  WordLevelModel(ByteMap pieces, std::optional<TokenId> unk, std::vector<uint8_t> control);
  void Encode(std::string_view piece, bool allow_control,
              std::vector<PieceToken>* out) const override;
  void Describe(std::string* out) const override;

 private:
  ByteMap pieces_;
  std::optional<TokenId> unk_;
  std::vector<uint8_t> control_;
};

// The entries of a model's map, for fingerprints.
void DescribePieces(const ByteMap& pieces, std::string* out);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_WORDPIECE_MODEL_H_
