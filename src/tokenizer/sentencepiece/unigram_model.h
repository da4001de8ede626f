// SPDX-License-Identifier: Apache-2.0
//
// The unigram language model: of all ways to write a text as pieces, the one with the best sum of
// scores.
//
//   UnigramModel model(table, UnigramArithmetic::kClassic);
//   model.Encode("▁hello", /*allow_control=*/false, &tokens);
//
// Viterbi over byte positions, bit-equal to sentencepiece: scores are added up from the start of
// the text, in the same order, the first of equal sums wins. So a token may depend, through
// rounding, on everything before it: no position of the text is a safe cut. Long runs of one
// character are full of ties, which is where the versions of sentencepiece differ (13 of 6,600 test
// texts): see UnigramArithmetic.
//
// Where every path goes through one position (after nearly every word) the best path so far is read
// back and its memory used again: O(n × longest piece) time, memory for the longest stretch without
// such a position. No recursion. Source: unigram::Model::EncodeOptimized of sentencepiece 0.1.97
// and 0.2.3. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UNIGRAM_MODEL_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UNIGRAM_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/sentencepiece/piece_table.h"
#include "tokenizer/stages.h"

namespace penstock::internal::spm {

enum class UnigramArithmetic : uint8_t {
  // Versions up to 0.2.0, with which most models in use were trained: sums are kept in float32, but
  // a new sum is compared in float64 before it is rounded.
  kClassic,
  // Version 0.2.3: float32 throughout; sums beyond ±100000 are brought back to 0; longer
  // user-defined pieces score more.
  k0_2_3,
};

class UnigramModel : public Model {
 public:
  UnigramModel(std::shared_ptr<const PieceTable> table, UnigramArithmetic arithmetic);

  void Encode(std::string_view text, bool allow_control,
              std::vector<PieceToken>* out) const override;
  std::unique_ptr<PieceStream> NewStream(bool allow_control) const override;
  void Describe(std::string* out) const override;

 private:
  template <UnigramArithmetic>
  friend class UnigramLattice;
  std::shared_ptr<const PieceTable> table_;
  UnigramArithmetic arithmetic_;
  size_t longest_ = 4;  // bytes of a piece or of an unknown character
  float unknown_score_;
  float highest_score_;  // of normal pieces; at least the smallest positive number
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UNIGRAM_MODEL_H_
