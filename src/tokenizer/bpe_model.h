// SPDX-License-Identifier: Apache-2.0
//
// BpeModel: byte-pair encoding, exactly as Hugging Face's BPE and tiktoken do it.
//
//   BpeModel::Spec spec;
//   spec.pieces.push_back({"ab", 7});  spec.merges.push_back({a, b, rank, 7});
//   spec.bytes = true;                            // symbols are bytes; else Unicode characters
//   spec.whole_piece = true;  // tiktoken, ignore_merges: a piece that is a token
//   BpeModel model(std::move(spec), control);
//
// Of all adjacent pairs the one of the smallest rank merges first, the leftmost of equal ones.
// Tokens that merging never reaches come out as whole pieces only, and only with `whole_piece`.
//
// Exactness. Up to 32 symbols the best pair is found by looking at all of them, beyond with a heap,
// and long pieces are merged in overlapping windows, joined at a token that both have at the same
// place. Proof that the seam is right: let "u t" and "t v" be what merging their own symbols gives.
// Merging those of u t v always takes the best pair, which lies in u t or in t v (t is not empty),
// and which that window's own merging would have taken in the same state; so both histories
// interleave and the result is u t v. Where no common token is found the overlap grows, at last to
// everything. Characters that stand side by side in no token part a text the same way.
// O(n log window) time but for vocabularies made to prevent seams (O(n log n)); 12 bytes a symbol
// and a token; no recursion. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_BPE_MODEL_H_
#define PENSTOCK_SRC_TOKENIZER_BPE_MODEL_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/byte_map.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/sentencepiece/char_pairs.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

class BpeModel final : public Model {
 public:
  struct Spec {
    ByteMap pieces;  // bytes of the model's tokens (not of added ones) to ids
    MergeTable merges;
    bool bytes = false;
    bool whole_piece = false;
    std::optional<TokenId> unk;
    bool fuse_unk = false;
    bool byte_fallback = false;             // a character without token becomes <0xNN> tokens
    std::string continuing_subword_prefix;  // characters only
    std::string end_of_word_suffix;
  };

  // control[id] != 0: `id` must not come out of untrusted text. May be shorter than the vocabulary.
  BpeModel(Spec spec, std::vector<uint8_t> control);

  void Encode(std::string_view piece, bool allow_control,
              std::vector<PieceToken>* out) const override;
  size_t SplitPoint(std::string_view piece) const override;
  void Describe(std::string* out) const override;

 private:
  struct Merged;
  class Window;
  bool Forbidden(TokenId id, bool allow_control) const {
    return !allow_control && has_control_ && static_cast<size_t>(id) < control_.size() &&
           control_[static_cast<size_t>(id)] != 0;
  }
  TokenId Find(std::string_view bytes, bool allow_control) const;
  const Merge* FindMerge(TokenId left, TokenId right, bool allow_control) const {
    const Merge* m = spec_.merges.Find(left, right);
    return m != nullptr && Forbidden(m->id, allow_control) ? nullptr : m;
  }
  void SplitBytes(std::string_view piece, bool allow_control, std::vector<PieceToken>* out) const;
  // *total: what the symbols before are long, in and out.
  void SplitChars(std::string_view piece, bool allow_control, uint32_t* total,
                  std::vector<PieceToken>* out) const;
  bool ByteFallback(std::string_view symbol, bool allow_control, uint32_t* length,
                    std::vector<PieceToken>* out) const;
  void FindCuts();
  // May text be cut between the characters at `left` and `right`?
  bool CutsBetween(std::string_view text, size_t left, size_t right) const;
  void MergeSymbols(bool allow_control, size_t first, std::vector<PieceToken>* symbols) const;
  void MergeShort(bool allow_control, size_t first, std::vector<PieceToken>* symbols) const;
  void MergeLong(bool allow_control, size_t first, std::vector<PieceToken>* symbols) const;

  Spec spec_;
  std::vector<uint8_t> control_;
  bool has_control_;
  bool cuts_ = false;  // pairs_ says where
  spm::CharPairs pairs_;
  std::array<TokenId, 256> byte_ids_;  // -1: none
  std::array<TokenId, 256> fallback_ids_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_BPE_MODEL_H_
