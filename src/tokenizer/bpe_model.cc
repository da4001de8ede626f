// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <unordered_map>
#include <utility>

#include "text/utf8.h"
#include "tokenizer/fingerprint.h"

namespace penstock::internal {
namespace {

constexpr size_t kShort = 32;  // symbols; below, scanning beats a heap
constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr TokenId kDead = -1;  // of a symbol that became part of its left neighbour

}  // namespace

BpeModel::BpeModel(Spec spec, std::vector<uint8_t> control)
    : spec_(std::move(spec)), control_(std::move(control)) {
  has_control_ = std::find(control_.begin(), control_.end(), 1) != control_.end();
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    byte_ids_[static_cast<size_t>(b)] = spec_.pieces.Find(std::string_view(&byte, 1));
    char code[8];
    std::snprintf(code, sizeof(code), "<0x%02X>", b);
    fallback_ids_[static_cast<size_t>(b)] = spec_.pieces.Find(code);
  }
}

TokenId BpeModel::Find(std::string_view bytes, bool allow_control) const {
  const TokenId id = spec_.pieces.Find(bytes);
  return id >= 0 && Forbidden(id, allow_control) ? ByteMap::kAbsent : id;
}

void BpeModel::SplitBytes(std::string_view piece, bool allow_control,
                          std::vector<PieceToken>* out) const {
  for (uint32_t i = 0; i < piece.size(); ++i) {
    const TokenId id = byte_ids_[static_cast<uint8_t>(piece[i])];
    if (id >= 0 && !Forbidden(id, allow_control)) {
      out->push_back({id, i, i + 1});
    } else if (spec_.unk.has_value()) {
      if (spec_.fuse_unk && i > 0 && !out->empty() && out->back().id == *spec_.unk &&
          out->back().end == i) {
        out->back().end = i + 1;
      } else {
        out->push_back({*spec_.unk, i, i + 1});
      }
    }
  }
}

// The <0xNN> tokens of `symbol`, or false if one of them is missing. Each counts as one byte of the
// piece, as in the reference.
bool BpeModel::ByteFallback(std::string_view symbol, bool allow_control, uint32_t* length,
                            std::vector<PieceToken>* out) const {
  if (!spec_.byte_fallback) return false;
  for (const char byte : symbol) {
    const TokenId id = fallback_ids_[static_cast<uint8_t>(byte)];
    if (id < 0 || Forbidden(id, allow_control)) return false;
  }
  for (const char byte : symbol) {
    out->push_back({fallback_ids_[static_cast<uint8_t>(byte)], *length, *length + 1});
    ++*length;
  }
  return true;
}

// Positions are sums of the lengths of the symbols so far, as in the reference: a character that is
// dropped (no token, no unk) moves what follows.
void BpeModel::SplitChars(std::string_view piece, bool allow_control,
                          std::vector<PieceToken>* out) const {
  uint32_t length = 0;
  uint32_t unk_length = 0;  // of the pending unknown
  bool pending = false;
  const auto flush = [&] {
    if (!pending) return;
    out->push_back({*spec_.unk, length, length + unk_length});
    length += unk_length;
    pending = false;
  };
  std::string affixed;
  for (size_t pos = 0; pos < piece.size();) {
    const uint32_t size = DecodeUtf8(piece, pos).size;
    std::string_view symbol = piece.substr(pos, size);
    const bool prefix = pos > 0 && !spec_.continuing_subword_prefix.empty();
    const bool suffix = pos + size == piece.size() && !spec_.end_of_word_suffix.empty();
    if (prefix || suffix) {
      affixed.assign(prefix ? spec_.continuing_subword_prefix : std::string());
      affixed.append(symbol);
      if (suffix) affixed.append(spec_.end_of_word_suffix);
      symbol = affixed;
    }
    pos += size;
    const TokenId id = Find(symbol, allow_control);
    if (id >= 0) {
      flush();
      out->push_back({id, length, length + size});
      length += size;
    } else if (!ByteFallback(symbol, allow_control, &length, out) && spec_.unk.has_value()) {
      if (pending && spec_.fuse_unk) {
        unk_length += size;
      } else {
        flush();
        pending = true;
        unk_length = size;
      }
    }
  }
  flush();
}

void BpeModel::MergeShort(bool allow_control, size_t first, std::vector<PieceToken>* out) const {
  uint32_t ranks[kShort];  // of symbol i with its right neighbour
  TokenId ids[kShort];
  PieceToken* const symbols = out->data() + first;
  size_t count = out->size() - first;
  const auto look_up = [&](size_t i) {
    const Merge* m = FindMerge(symbols[i].id, symbols[i + 1].id, allow_control);
    ranks[i] = m == nullptr ? kNone : m->rank;
    ids[i] = m == nullptr ? 0 : m->id;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNone) break;
    symbols[best].id = ids[best];
    symbols[best].end = symbols[best + 1].end;
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i - 1] = ranks[i];
      ids[i - 1] = ids[i];
    }
    --count;
    // What moved: the pair that began at best + 1 now begins at best, and is looked up anew.
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  out->resize(first + count);
}

namespace {

// Positions that wait for one rank, smallest first. Most arrive in order: those lie in a sorted
// vector, latecomers in a heap.
class Bucket {
 public:
  bool empty() const { return next_ == sorted_.size() && late_.empty(); }
  void Push(uint32_t position) {
    if (!open_) {
      sorted_.push_back(position);
      return;
    }
    late_.push_back(position);
    std::push_heap(late_.begin(), late_.end(), std::greater<uint32_t>());
  }
  uint32_t Pop() {
    if (!open_) {
      open_ = true;
      if (!std::is_sorted(sorted_.begin(), sorted_.end())) {
        std::sort(sorted_.begin(), sorted_.end());
      }
    }
    const bool late = next_ == sorted_.size() || (!late_.empty() && late_.front() < sorted_[next_]);
    uint32_t position;
    if (late) {
      position = late_.front();
      std::pop_heap(late_.begin(), late_.end(), std::greater<uint32_t>());
      late_.pop_back();
    } else {
      position = sorted_[next_++];
    }
    if (empty()) *this = Bucket();
    return position;
  }

 private:
  std::vector<uint32_t> sorted_;
  std::vector<uint32_t> late_;
  size_t next_ = 0;
  bool open_ = false;  // being popped
};

// All positions by rank. There are few ranks and many positions: the heap holds ranks only.
class RankQueue {
 public:
  bool empty() const { return ranks_.empty(); }
  void Push(uint32_t rank, uint32_t position) {
    const auto [it, fresh] = index_.try_emplace(rank, static_cast<uint32_t>(buckets_.size()));
    if (fresh) buckets_.emplace_back();
    Bucket& bucket = buckets_[it->second];
    if (bucket.empty()) {
      ranks_.emplace_back(rank, it->second);
      std::push_heap(ranks_.begin(), ranks_.end(), std::greater<Entry>());
    }
    bucket.Push(position);
  }
  // The leftmost position of the smallest rank.
  std::pair<uint32_t, uint32_t> Pop() {
    const auto [rank, index] = ranks_.front();
    const uint32_t position = buckets_[index].Pop();
    if (buckets_[index].empty()) {
      std::pop_heap(ranks_.begin(), ranks_.end(), std::greater<Entry>());
      ranks_.pop_back();
    }
    return {rank, position};
  }

 private:
  using Entry = std::pair<uint32_t, uint32_t>;  // rank, index of its bucket
  std::vector<Entry> ranks_;                    // heap, smallest first
  std::unordered_map<uint32_t, uint32_t> index_;
  std::vector<Bucket> buckets_;
};

// A symbol's neighbours, and what it and the right one would merge to.
struct Link {
  uint32_t previous;
  uint32_t next;
  uint32_t rank;
  TokenId id;
};

}  // namespace

void BpeModel::MergeLong(bool allow_control, size_t first, std::vector<PieceToken>* out) const {
  PieceToken* const symbols = out->data() + first;
  const uint32_t count = static_cast<uint32_t>(out->size() - first);
  std::vector<Link> links(count);
  RankQueue queue;
  const auto look_up = [&](uint32_t left, uint32_t right) {
    const Merge* m = FindMerge(symbols[left].id, symbols[right].id, allow_control);
    links[left].rank = m == nullptr ? kNone : m->rank;
    if (m == nullptr) return;
    links[left].id = m->id;
    queue.Push(m->rank, left);
  };
  for (uint32_t i = 0; i < count; ++i) {
    links[i] = {i == 0 ? kNone : i - 1, i + 1 < count ? i + 1 : kNone, kNone, 0};
  }
  for (uint32_t i = 0; i + 1 < count; ++i) look_up(i, i + 1);
  while (!queue.empty()) {
    const auto [rank, left] = queue.Pop();
    if (links[left].rank != rank) continue;  // has changed since
    const uint32_t right = links[left].next;
    symbols[left].id = links[left].id;
    symbols[left].end = symbols[right].end;
    links[right].rank = kNone;
    symbols[right].id = kDead;
    links[left].rank = kNone;
    links[left].next = links[right].next;
    if (links[left].next != kNone) {
      links[links[left].next].previous = left;
      look_up(left, links[left].next);
    }
    if (links[left].previous != kNone) look_up(links[left].previous, left);
  }
  size_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (symbols[i].id != kDead) symbols[kept++] = symbols[i];
  }
  out->resize(first + kept);
}

void BpeModel::Encode(std::string_view piece, bool allow_control,
                      std::vector<PieceToken>* out) const {
  if (piece.empty()) return;
  if (spec_.whole_piece) {
    const TokenId id = Find(piece, allow_control);
    if (id >= 0) {
      out->push_back({id, 0, static_cast<uint32_t>(piece.size())});
      return;
    }
  }
  const size_t first = out->size();
  if (spec_.bytes) {
    SplitBytes(piece, allow_control, out);
  } else {
    SplitChars(piece, allow_control, out);
  }
  const size_t symbols = out->size() - first;
  if (symbols < 2) return;
  if (symbols <= kShort) {
    MergeShort(allow_control, first, out);
  } else {
    MergeLong(allow_control, first, out);
  }
}

void BpeModel::Describe(std::string* out) const {
  out->append("bpe;");
  DescribeNumber(
      spec_.bytes | spec_.whole_piece << 1 | spec_.fuse_unk << 2 | spec_.byte_fallback << 3, out);
  DescribeNumber(spec_.unk.value_or(-1), out);
  DescribeString(spec_.continuing_subword_prefix, out);
  DescribeString(spec_.end_of_word_suffix, out);
  std::vector<std::array<uint32_t, 4>> merges;
  merges.reserve(spec_.merges.size());
  spec_.merges.ForEach([&merges](TokenId left, TokenId right, Merge m) {
    merges.push_back({m.rank, static_cast<uint32_t>(left), static_cast<uint32_t>(right),
                      static_cast<uint32_t>(m.id)});
  });
  std::sort(merges.begin(), merges.end());
  for (const auto& m : merges) {
    for (const uint32_t n : m) DescribeNumber(n, out);
  }
  std::vector<std::pair<int32_t, std::string_view>> pieces;
  for (size_t i = 0; i < spec_.pieces.size(); ++i) {
    pieces.emplace_back(spec_.pieces.ValueOf(i), spec_.pieces.KeyOf(i));
  }
  std::sort(pieces.begin(), pieces.end());
  for (const auto& [id, bytes] : pieces) {
    DescribeNumber(id, out);
    DescribeString(bytes, out);
  }
}

}  // namespace penstock::internal
