// SPDX-License-Identifier: Apache-2.0
//
// Byte-pair encoding as SentencePiece does it: characters are merged pair by pair, the pair first
// whose concatenation has the best score (of equal scores the leftmost), as long as any
// concatenation is a piece.
//
//   BpeModel model(table);
//   model.Encode("▁hello", /*allow_control=*/false, &tokens);
//
// Unlike byte-level BPE there is no list of merges: any two neighbours may join whose bytes
// together are a piece. So the state of a symbol is its node in the trie of pieces, and "is left +
// right a piece?" is a walk from there.
//
// Exactness. Three cuts keep time and memory low without changing a token:
//   - where two characters stand side by side in no piece (char_pairs.h), no merge can reach
//     across;
//   - up to kSmall characters the best pair is found by looking at all of them, beyond with a heap;
//   - beyond kWindow characters the text is merged in overlapping windows, joined at a token that
//     both windows have at the same place. Proof that the seam is right: let "u t" and "t v" be
//     what merging their own bytes gives. Merging the bytes of u t v always takes the best pair,
//     which lies in u t or in t v (t is not empty), and which that window's own merging would have
//     taken in the same state; so both histories interleave and the result is u t v. Where no
//     common token is found the overlap grows, at last to everything.
// A model with unused pieces that can be formed in more than one way takes none of these cuts,
// because sentencepiece then splits them as the last pair seen anywhere in the text says: its
// history matters, so it is kept.
//
// O(n log kWindow) time, O(n) memory, no recursion. Source: bpe::Model::SampleEncode, sentencepiece
// 0.2.3. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_BPE_MODEL_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_BPE_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/sentencepiece/char_pairs.h"
#include "tokenizer/sentencepiece/piece_table.h"
#include "tokenizer/stages.h"

namespace penstock::internal::spm {

class BpeModel : public Model {
 public:
  explicit BpeModel(std::shared_ptr<const PieceTable> table);

  void Encode(std::string_view text, bool allow_control,
              std::vector<PieceToken>* out) const override;
  // Where no piece reaches across and the character on the left is a piece of its own, so that no
  // unknown token ends there that another could join.
  size_t SplitPoint(std::string_view text) const override;
  void Describe(std::string* out) const override;

  // May a text be cut between these two characters (CharPairs::CharAt)?
  bool CutsBetween(uint32_t left, uint32_t right) const {
    return !whole_text_ && !pairs_.MayJoin(left, right);
  }

 private:
  friend class BpeMerger;
  static constexpr uint32_t kNoRank = ~uint32_t{0};

  void RankPieces();
  void FindUnusedSplits();
  // Number of ways to write `piece` as two symbols, at most 2; *left is the length of the left one.
  int CountSplits(std::string_view piece, uint32_t* left) const;

  std::shared_ptr<const PieceTable> table_;
  CharPairs pairs_;
  std::vector<uint32_t> ranks_;  // by id: 0 is merged first; kNoRank: never a result of a merge
  std::vector<uint32_t>
      unused_split_;         // by id: length of the left part; 0: none. Empty without unused pieces
  bool whole_text_ = false;  // some unused piece can be formed in several ways
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_BPE_MODEL_H_
