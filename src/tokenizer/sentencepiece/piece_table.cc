// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/piece_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal::spm {
namespace {

bool IsReserved(PieceType type) {
  return type == PieceType::kUnknown || type == PieceType::kControl || type == PieceType::kByte;
}

bool IsWhiteSpace(std::string_view text) {
  while (!text.empty()) {
    if (text.substr(0, kSpaceSymbol.size()) == kSpaceSymbol) {
      text.remove_prefix(kSpaceSymbol.size());
    } else if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) {
      text.remove_prefix(1);
    } else {
      return false;
    }
  }
  return true;
}

absl::Status Damaged(std::string_view name, size_t id, const std::string& what) {
  return absl::DataLossError(absl::StrCat(AbslView(name), ": pieces[", id, "]: ", what));
}

std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(AbslView(text.substr(0, 64))), "\"");
}

// Sentencepiece keeps reserved pieces apart from the others: the same text may be one of each.
absl::Status CheckUnique(const std::vector<ModelPiece>& pieces, bool reserved,
                         std::string_view name) {
  std::vector<uint32_t> ids;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (IsReserved(pieces[i].type) == reserved) ids.push_back(static_cast<uint32_t>(i));
  }
  std::sort(ids.begin(), ids.end(), [&](uint32_t a, uint32_t b) {
    const int order = pieces[a].text.compare(pieces[b].text);
    return order < 0 || (order == 0 && a < b);
  });
  for (size_t i = 1; i < ids.size(); ++i) {
    if (pieces[ids[i]].text == pieces[ids[i - 1]].text) {
      return Damaged(name, ids[i],
                     absl::StrCat(Quoted(pieces[ids[i]].text), " is already piece ", ids[i - 1]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

int ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  int value = 0;
  for (char digit : piece.substr(3, 2)) {
    if (digit >= '0' && digit <= '9') {
      value = value * 16 + (digit - '0');
    } else if (digit >= 'A' && digit <= 'F') {
      value = value * 16 + (digit - 'A' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

absl::Status PieceTable::Check(const SentencePieceSpec& spec, std::string_view name) {
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), kNone);
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    const ModelPiece& piece = spec.pieces[i];
    const TokenId id = static_cast<TokenId>(i);
    if (piece.text.empty()) return Damaged(name, i, "is empty, expected text");
    if (!std::isfinite(piece.score)) return Damaged(name, i, "its score is no finite number");
    has_type_[static_cast<size_t>(piece.type)] = true;
    if (piece.type == PieceType::kUnknown) {
      if (unk_id_ != kNone) {
        return Damaged(name, i, absl::StrCat("is unknown, but pieces[", unk_id_, "] already is"));
      }
      unk_id_ = id;
    } else if (piece.type == PieceType::kByte) {
      const int byte = ByteOfPiece(piece.text);
      if (!spec.byte_fallback) return Damaged(name, i, "is a byte, but byte_fallback is off");
      if (byte < 0) {
        return Damaged(name, i,
                       absl::StrCat(Quoted(piece.text), " is no byte, expected \"<0x0A>\""));
      }
      byte_ids_[byte] = id;
    }
  }
  if (spec.byte_fallback) {
    for (int byte = 0; byte < 256; ++byte) {
      if (byte_ids_[byte] == kNone) {
        return absl::DataLossError(absl::StrCat(AbslView(name), ": byte_fallback is on, but byte ",
                                                byte, " has no piece"));
      }
    }
  } else if (unk_id_ == kNone) {
    return absl::DataLossError(absl::StrCat(AbslView(name), ": no piece of type unknown"));
  }
  PENSTOCK_RETURN_IF_ERROR(CheckUnique(spec.pieces, /*reserved=*/false, name));
  return CheckUnique(spec.pieces, /*reserved=*/true, name);
}

absl::StatusOr<PieceTable> PieceTable::Create(const SentencePieceSpec& spec,
                                              const std::vector<std::string>& content,
                                              std::string_view name) {
  PieceTable table;
  table.byte_fallback_ = spec.byte_fallback;
  PENSTOCK_RETURN_IF_ERROR(table.Check(spec, name));
  std::vector<std::pair<std::string_view, int32_t>> keys;
  std::vector<std::pair<std::string_view, bool>> user;
  keys.reserve(spec.pieces.size());
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    const ModelPiece& piece = spec.pieces[i];
    table.texts_.append(piece.text);
    table.text_ends_.push_back(static_cast<uint32_t>(table.texts_.size()));
    table.types_.push_back(piece.type);
    table.scores_.push_back(piece.score);
    bool is_content = false;
    if (piece.type == PieceType::kUserDefined) {
      is_content = IsWhiteSpace(piece.text) ||
                   std::find(content.begin(), content.end(), piece.text) != content.end();
      user.emplace_back(piece.text, is_content);
    }
    table.content_.push_back(is_content);
    if (!IsReserved(piece.type)) keys.emplace_back(piece.text, static_cast<int32_t>(i));
  }
  table.trie_ = PieceTrie::Build(std::move(keys));
  table.user_pieces_ = UserPieces(user);
  return table;
}

void PieceTable::Describe(std::string* out) const {
  const auto number = [out](uint64_t value) { absl::StrAppend(out, ":", value); };
  number(byte_fallback_ ? 1 : 0);
  for (size_t i = 0; i < size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &scores_[i], sizeof(bits));
    number(static_cast<uint64_t>(types_[i]));
    number(bits);
    number(content_[i] ? 1 : 0);
    const std::string_view piece = text(static_cast<TokenId>(i));
    number(piece.size());
    out->append(":").append(piece);
  }
}

void TokenWriter::AddUnknown(size_t begin, size_t end) {
  if (table_.byte_fallback()) {
    for (size_t i = begin; i < end; ++i) {
      const TokenId id = table_.byte_id(static_cast<unsigned char>(text_[i]));
      out_->push_back({id, static_cast<uint32_t>(i), static_cast<uint32_t>(i + 1)});
    }
    return;
  }
  if (after_unknown_) {
    out_->back().end = static_cast<uint32_t>(end);
    return;
  }
  after_unknown_ = true;
  out_->push_back({table_.unk_id(), static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
}

}  // namespace penstock::internal::spm
