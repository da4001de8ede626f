// SPDX-License-Identifier: Apache-2.0
//
// The pieces of a model, checked, with what every segmenting algorithm asks of them.
//
//   PENSTOCK_ASSIGN_OR_RETURN(PieceTable table, PieceTable::Create(spec, {}, "spiece.model"));
//   // DATA_LOSS: spiece.model: pieces[4]: "▁a" is already piece 2
//
// Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TABLE_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/base/token.h"
#include "tokenizer/sentencepiece/model_spec.h"
#include "tokenizer/sentencepiece/piece_trie.h"
#include "tokenizer/sentencepiece/user_pieces.h"
#include "tokenizer/stages.h"

namespace penstock::internal::spm {

class PieceTable {
 public:
  static constexpr TokenId kNone = -1;

  // User-defined pieces that are white space only, or named in `content`, are content; the others
  // are control. kDataLoss: empty or repeated pieces, no or several unknown pieces, byte pieces
  // that do not fit byte_fallback, scores that are no numbers. Nothing is borrowed from `spec`.
  static absl::StatusOr<PieceTable> Create(const SentencePieceSpec& spec,
                                           const std::vector<std::string>& content,
                                           std::string_view name);

  size_t size() const { return types_.size(); }
  PieceType type(TokenId id) const { return types_[static_cast<size_t>(id)]; }
  std::string_view text(TokenId id) const {
    const size_t i = static_cast<size_t>(id);
    return std::string_view(texts_).substr(text_ends_[i], text_ends_[i + 1] - text_ends_[i]);
  }
  float score(TokenId id) const { return scores_[static_cast<size_t>(id)]; }
  // Is this a user-defined piece that counts in any text?
  bool content(TokenId id) const { return content_[static_cast<size_t>(id)]; }
  bool has_type(PieceType type) const { return has_type_[static_cast<size_t>(type)]; }

  // Normal, user-defined and unused pieces.
  const PieceTrie& trie() const { return trie_; }
  const UserPieces& user_pieces() const { return user_pieces_; }

  TokenId unk_id() const { return unk_id_; }  // kNone: every unknown character falls back to bytes
  bool byte_fallback() const { return byte_fallback_; }
  TokenId byte_id(unsigned char byte) const { return byte_ids_[byte]; }

  // Everything that can change an id.
  void Describe(std::string* out) const;

 private:
  absl::Status Check(const SentencePieceSpec& spec, std::string_view name);

  std::string texts_;
  std::vector<uint32_t> text_ends_ = {0};  // piece i is texts_[text_ends_[i], text_ends_[i + 1])
  std::vector<PieceType> types_;
  std::vector<float> scores_;
  std::vector<bool> content_;
  bool has_type_[7] = {};
  PieceTrie trie_;
  UserPieces user_pieces_;
  TokenId unk_id_ = kNone;
  bool byte_fallback_ = false;
  TokenId byte_ids_[256] = {};
};

// The value of a piece spelled "<0x0A>" (upper-case digits), or -1.
int ByteOfPiece(std::string_view piece);

// Appends tokens of one run: joins unknown neighbours into one token, or turns them into byte
// pieces.
class TokenWriter {
 public:
  TokenWriter(const PieceTable& table, std::string_view text, std::vector<PieceToken>* out)
      : table_(table), text_(text), out_(out) {}

  // What follows counts its positions from `offset` of the text.
  void StartRun(size_t offset) { offset_ = offset; }

  // `id` for text[begin, end); PieceTable::kNone or unk_id(): unknown.
  void Add(TokenId id, size_t begin, size_t end) {
    if (id != PieceTable::kNone && id != table_.unk_id()) {
      after_unknown_ = false;
      out_->push_back(
          {id, static_cast<uint32_t>(offset_ + begin), static_cast<uint32_t>(offset_ + end)});
    } else {
      AddUnknown(offset_ + begin, offset_ + end);
    }
  }

 private:
  void AddUnknown(size_t begin, size_t end);

  const PieceTable& table_;
  std::string_view text_;
  std::vector<PieceToken>* out_;
  size_t offset_ = 0;
  bool after_unknown_ = false;
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TABLE_H_
