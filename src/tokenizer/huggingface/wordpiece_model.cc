// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/wordpiece_model.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"
#include "tokenizer/fingerprint.h"

namespace penstock::internal {
namespace {

bool Forbidden(const std::vector<uint8_t>& control, TokenId id, bool allow_control) {
  return !allow_control && static_cast<size_t>(id) < control.size() &&
         control[static_cast<size_t>(id)] != 0;
}

}  // namespace

void DescribePieces(const ByteMap& pieces, std::string* out) {
  std::vector<std::pair<int32_t, std::string_view>> sorted;
  for (size_t i = 0; i < pieces.size(); ++i)
    sorted.emplace_back(pieces.ValueOf(i), pieces.KeyOf(i));
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [id, bytes] : sorted) {
    DescribeNumber(id, out);
    DescribeString(bytes, out);
  }
}

WordPieceModel::WordPieceModel(Spec spec, std::vector<uint8_t> control)
    : spec_(std::move(spec)), control_(std::move(control)) {
  for (size_t i = 0; i < spec_.pieces.size(); ++i) {
    longest_ = std::max(longest_, spec_.pieces.KeyOf(i).size());
  }
}

void WordPieceModel::Encode(std::string_view piece, bool allow_control,
                            std::vector<PieceToken>* out) const {
  const uint32_t size = static_cast<uint32_t>(piece.size());
  std::vector<uint32_t> ends;  // of the characters
  for (uint32_t pos = 0; pos < size;) {
    pos += DecodeUtf8(piece, pos).size;
    ends.push_back(pos);
    if (ends.size() > spec_.max_chars) {
      if (spec_.unk.has_value()) out->push_back({*spec_.unk, 0, size});
      return;
    }
  }
  const size_t first = out->size();
  std::string key;
  for (size_t at = 0; at < ends.size();) {
    const uint32_t begin = at == 0 ? 0 : ends[at - 1];
    size_t last = ends.size();  // one past the last character tried
    TokenId id = ByteMap::kAbsent;
    for (; last > at; --last) {
      const uint32_t end = ends[last - 1];
      if (end - begin > longest_) continue;
      key.assign(begin == 0 ? std::string() : spec_.prefix);
      key.append(piece.substr(begin, end - begin));
      id = spec_.pieces.Find(key);
      if (id >= 0 && !Forbidden(control_, id, allow_control)) break;
      id = ByteMap::kAbsent;
    }
    if (id < 0) {
      out->resize(first);
      if (spec_.unk.has_value()) out->push_back({*spec_.unk, 0, size});
      return;
    }
    out->push_back({id, begin, ends[last - 1]});
    at = last;
  }
}

void WordPieceModel::Describe(std::string* out) const {
  out->append("wordpiece;");
  DescribeString(spec_.prefix, out);
  DescribeNumber(spec_.unk.value_or(-1), out);
  DescribeNumber(static_cast<int64_t>(spec_.max_chars), out);
  DescribePieces(spec_.pieces, out);
}

WordLevelModel::WordLevelModel(ByteMap pieces, std::optional<TokenId> unk,
                               std::vector<uint8_t> control)
    : pieces_(std::move(pieces)), unk_(unk), control_(std::move(control)) {}

void WordLevelModel::Encode(std::string_view piece, bool allow_control,
                            std::vector<PieceToken>* out) const {
  const uint32_t size = static_cast<uint32_t>(piece.size());
  const TokenId id = pieces_.Find(piece);
  if (id >= 0 && !Forbidden(control_, id, allow_control)) {
    out->push_back({id, 0, size});
  } else if (unk_.has_value()) {
    out->push_back({*unk_, 0, size});
  }
}

void WordLevelModel::Describe(std::string* out) const {
  out->append("wordlevel;");
  DescribeNumber(unk_.value_or(-1), out);
  DescribePieces(pieces_, out);
}

}  // namespace penstock::internal
