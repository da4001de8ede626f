// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/unigram_model.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

#include "text/utf8.h"
#include "tokenizer/fingerprint.h"

namespace penstock::internal {
namespace {

constexpr double kUnkPenalty = 10.0;

}  // namespace

UnigramModel::UnigramModel(std::vector<std::pair<std::string, double>> pieces,
                           std::optional<TokenId> unk, bool byte_fallback,
                           std::vector<uint8_t> control)
    : pieces_(std::move(pieces)),
      unk_(unk),
      byte_fallback_(byte_fallback),
      control_(std::move(control)) {
  double lowest = std::numeric_limits<double>::infinity();
  ByteMapBuilder ids;
  for (size_t i = pieces_.size(); i-- > 0;) {
    lowest = std::min(lowest, pieces_[i].second);
    ids.Insert(pieces_[i].first, static_cast<int32_t>(i));
  }
  ids_ = std::move(ids).Build();
  unk_score_ = lowest - kUnkPenalty;
  for (int b = 0; b < 256; ++b) {
    char code[8];
    std::snprintf(code, sizeof(code), "<0x%02X>", b);
    fallback_ids_[static_cast<size_t>(b)] = ids_.Find(code);
  }
  BuildTrie();
}

// Breadth first over the sorted pieces: the children of a node are laid out together.
void UnigramModel::BuildTrie() {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < pieces_.size(); ++i) {
    if (ids_.Find(pieces_[i].first) == static_cast<int32_t>(i)) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [this](uint32_t a, uint32_t b) { return pieces_[a].first < pieces_[b].first; });
  struct Range {
    uint32_t node, begin, end;
    uint32_t depth;
  };
  nodes_.assign(1, Node());
  std::vector<Range> queue = {{0, 0, static_cast<uint32_t>(order.size()), 0}};
  for (size_t head = 0; head < queue.size(); ++head) {
    const Range range = queue[head];
    uint32_t at = range.begin;
    // A piece that ends here sorts before those that go on.
    if (at < range.end && pieces_[order[at]].first.size() == range.depth) {
      nodes_[range.node].id = static_cast<TokenId>(order[at++]);
    }
    nodes_[range.node].first = static_cast<uint32_t>(nodes_.size());
    while (at < range.end) {
      const uint8_t byte = static_cast<uint8_t>(pieces_[order[at]].first[range.depth]);
      uint32_t end = at;
      while (end < range.end &&
             static_cast<uint8_t>(pieces_[order[end]].first[range.depth]) == byte) {
        ++end;
      }
      Node child;
      child.byte = byte;
      queue.push_back({static_cast<uint32_t>(nodes_.size()), at, end, range.depth + 1});
      nodes_.push_back(child);
      ++nodes_[range.node].count;
      at = end;
    }
  }
}

uint32_t UnigramModel::Child(uint32_t node, uint8_t byte) const {
  const Node& n = nodes_[node];
  uint32_t low = n.first;
  uint32_t high = n.first + n.count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (nodes_[middle].byte < byte) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < n.first + n.count && nodes_[low].byte == byte ? low : 0;
}

void UnigramModel::Relax(std::string_view piece, uint32_t at, uint32_t char_size,
                         bool allow_control, std::vector<Best>* best) const {
  const double here = (*best)[at].score;
  const auto offer = [&](uint32_t end, double score, TokenId id) {
    Best& target = (*best)[end];
    if (target.id == kUnreached || score + here > target.score) target = {score + here, at, id};
  };
  bool single = false;
  uint32_t node = 0;
  for (uint32_t end = at; end < piece.size();) {
    node = Child(node, static_cast<uint8_t>(piece[end++]));
    if (node == 0) break;
    const TokenId id = nodes_[node].id;
    if (id < 0 || Forbidden(id, allow_control)) continue;
    offer(end, pieces_[static_cast<size_t>(id)].second, id);
    single |= end - at == char_size;
  }
  if (!single) offer(at + char_size, unk_score_, unk_.value_or(kUnknown));
}

void UnigramModel::EmitPart(std::string_view piece, uint32_t begin, uint32_t end, bool unknown,
                            TokenId id, bool allow_control, std::vector<PieceToken>* out) const {
  if (!unknown) {
    out->push_back({id, begin, end});
    return;
  }
  // A fused run of unknown characters may spell a piece after all.
  const std::string_view part = piece.substr(begin, end - begin);
  const TokenId known = ids_.Find(part);
  if (known >= 0 && !Forbidden(known, allow_control)) {
    out->push_back({known, begin, end});
    return;
  }
  if (byte_fallback_) {
    const bool all = std::all_of(part.begin(), part.end(), [&](char b) {
      const TokenId byte = fallback_ids_[static_cast<uint8_t>(b)];
      return byte >= 0 && !Forbidden(byte, allow_control);
    });
    if (all) {
      for (const char b : part)
        out->push_back({fallback_ids_[static_cast<uint8_t>(b)], begin, end});
      return;
    }
  }
  if (unk_.has_value()) out->push_back({*unk_, begin, end});
}

void UnigramModel::Encode(std::string_view piece, bool allow_control,
                          std::vector<PieceToken>* out) const {
  const uint32_t size = static_cast<uint32_t>(piece.size());
  std::vector<Best> best(size + 1);
  for (uint32_t at = 0; at < size;) {
    const uint32_t char_size = DecodeUtf8(piece, at).size;
    Relax(piece, at, char_size, allow_control, &best);
    at += char_size;
  }
  const size_t first = out->size();
  // Backwards: runs of unknown characters are fused into one.
  struct Part {
    uint32_t begin, end;
    bool unknown;
    TokenId id;
  };
  std::vector<Part> parts;
  for (uint32_t end = size; end > 0;) {
    const Best& b = best[end];
    const bool unknown = b.id == unk_.value_or(kUnknown);
    if (unknown && !parts.empty() && parts.back().unknown) {
      parts.back().begin = b.begin;
    } else {
      parts.push_back({b.begin, end, unknown, b.id});
    }
    end = b.begin;
  }
  out->reserve(first + parts.size());
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    EmitPart(piece, part->begin, part->end, part->unknown, part->id, allow_control, out);
  }
}

void UnigramModel::Describe(std::string* out) const {
  out->append("unigram;");
  DescribeNumber(unk_.value_or(-1), out);
  DescribeNumber(byte_fallback_, out);
  for (const auto& [bytes, score] : pieces_) {
    DescribeString(bytes, out);
    int64_t bits = 0;
    std::memcpy(&bits, &score, sizeof(bits));
    DescribeNumber(bits, out);
  }
}

}  // namespace penstock::internal
