// SPDX-License-Identifier: Apache-2.0
//
// The two algorithms of SentencePiece that do not segment: whole words, and single characters. What
// is no piece is unknown.
//
//   WordModel(table).Encode("▁hello▁world", false, &tokens);      // two tokens
//   CharModel(table).Encode("▁hello", false, &tokens);            // six
//
// Source: word::Model, character::Model, SplitIntoWords, sentencepiece 0.2.3. Immutable; safe to
// share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_WHOLE_MODELS_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_WHOLE_MODELS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/sentencepiece/piece_table.h"
#include "tokenizer/stages.h"

namespace penstock::internal::spm {

class WordModel : public Model {
 public:
  explicit WordModel(std::shared_ptr<const PieceTable> table) : table_(std::move(table)) {}
  void Encode(std::string_view text, bool allow_control,
              std::vector<PieceToken>* out) const override;
  size_t SplitPoint(std::string_view text) const override;
  void Describe(std::string* out) const override;

 private:
  std::shared_ptr<const PieceTable> table_;
};

class CharModel : public Model {
 public:
  explicit CharModel(std::shared_ptr<const PieceTable> table) : table_(std::move(table)) {}
  void Encode(std::string_view text, bool allow_control,
              std::vector<PieceToken>* out) const override;
  size_t SplitPoint(std::string_view text) const override;
  void Describe(std::string* out) const override;

 private:
  std::shared_ptr<const PieceTable> table_;
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_WHOLE_MODELS_H_
