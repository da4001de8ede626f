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

// In front of a word, behind one that is known: unknown words become one token.
size_t WordModel::SplitPoint(std::string_view text) const {
  size_t end = text.rfind(kSpaceSymbol);
  while (end != std::string_view::npos && end > 0) {
    const size_t found = text.rfind(kSpaceSymbol, end - 1);
    const size_t begin = found == std::string_view::npos ? 0 : found;
    if (PieceOf(*table_, text.substr(begin, end - begin), false) >= 0) return end;
    end = begin;
  }
  return 0;
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

size_t CharModel::SplitPoint(std::string_view text) const {
  size_t end = table_->user_pieces().empty() ? text.size() - 1 : 0;
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && (text[begin] & '\xC0') == '\x80') --begin;
    const bool whole = (text[end] & '\xC0') != '\x80';
    if (whole && PieceOf(*table_, text.substr(begin, end - begin), false) >= 0) return end;
    end = whole ? begin : end - 1;
  }
  return 0;
}

void CharModel::Describe(std::string* out) const {
  out->append("sentencepiece.char");
  table_->Describe(out);
}

}  // namespace penstock::internal::spm
