// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/whole_models.h"

#include "tokenizer/sentencepiece/char_pairs.h"

namespace penstock::internal::spm {
namespace {

// The id of exactly this piece, if text may become it.
TokenId PieceOf(const PieceTable& table, std::string_view text, bool allow_control) {
  const TokenId id = table.trie().Find(text);
  if (id < 0 || table.type(id) == PieceType::kUnused) return PieceTable::kNone;
  if (table.type(id) == PieceType::kUserDefined && !allow_control && !table.content(id)) {
    return PieceTable::kNone;
  }
  return id;
}

}  // namespace

void WordModel::Encode(std::string_view text, bool allow_control,
                       std::vector<PieceToken>* out) const {
  TokenWriter writer(*table_, text, out);
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    at += CharPairs::LengthAt(text, at);
    if (at < text.size() && text.substr(at, kSpaceSymbol.size()) != kSpaceSymbol) continue;
    writer.Add(PieceOf(*table_, text.substr(begin, at - begin), allow_control), begin, at);
    begin = at;
  }
}

void WordModel::Describe(std::string* out) const {
  out->append("sentencepiece.word");
  table_->Describe(out);
}

void CharModel::Encode(std::string_view text, bool allow_control,
                       std::vector<PieceToken>* out) const {
  const UserPieceMode mode = allow_control ? UserPieceMode::kAll : UserPieceMode::kContentOnly;
  TokenWriter writer(*table_, text, out);
  for (size_t at = 0; at < text.size();) {
    size_t length = table_->user_pieces().MatchLength(text.substr(at), mode);
    if (length == 0) length = CharPairs::LengthAt(text, at);
    writer.Add(PieceOf(*table_, text.substr(at, length), allow_control), at, at + length);
    at += length;
  }
}

void CharModel::Describe(std::string* out) const {
  out->append("sentencepiece.char");
  table_->Describe(out);
}

}  // namespace penstock::internal::spm
