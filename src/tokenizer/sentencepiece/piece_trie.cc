// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/piece_trie.h"

#include <algorithm>

namespace penstock::internal::spm {

// Places nodes breadth first. Free cells form a doubly linked list in ascending order; for a node's
// children the first few free cells are tried for the smallest label, then fresh cells are taken at
// the end.
class PieceTrieBuilder {
 public:
  using Keys = std::vector<std::pair<std::string_view, int32_t>>;

  explicit PieceTrieBuilder(const Keys& keys) : keys_(keys) {
    trie_.cells_.clear();
    trie_.values_.clear();
    Grow(257);
    Take(PieceTrie::kRoot, 1);  // the root names itself: no child can claim its cell
  }

  PieceTrie Run() {
    std::vector<Range> level = {{0, keys_.size(), 0, PieceTrie::kRoot}};
    std::vector<Range> next;
    while (!level.empty()) {
      next.clear();
      for (const Range& range : level) Place(range, &next);
      level.swap(next);
    }
    size_t used = trie_.cells_.size();
    while (used > 1 && trie_.cells_[used - 1].parent == 0) --used;
    trie_.cells_.resize(used);
    trie_.cells_.shrink_to_fit();
    trie_.values_.resize(used);
    trie_.values_.shrink_to_fit();
    trie_.cells_[PieceTrie::kRoot].parent = 0;
    return std::move(trie_);
  }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  static constexpr int kTries = 32;

  // Keys [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Range {
    size_t begin, end, depth;
    uint32_t node;
  };

  void Grow(size_t size) {
    const size_t old = trie_.cells_.size();
    if (size <= old) return;
    size = (size + 255) / 256 * 256;
    trie_.cells_.resize(size);
    trie_.values_.resize(size, -1);
    next_.resize(size);
    previous_.resize(size);
    for (size_t i = old; i < size; ++i) {
      previous_[i] = i == old ? last_ : static_cast<uint32_t>(i - 1);
      next_[i] = i + 1 == size ? kNone : static_cast<uint32_t>(i + 1);
    }
    (last_ == kNone ? first_ : next_[last_]) = static_cast<uint32_t>(old);
    last_ = static_cast<uint32_t>(size - 1);
  }

  void Take(uint32_t cell, uint32_t parent_plus_one) {
    (previous_[cell] == kNone ? first_ : next_[previous_[cell]]) = next_[cell];
    (next_[cell] == kNone ? last_ : previous_[next_[cell]]) = previous_[cell];
    trie_.cells_[cell].parent = parent_plus_one;
  }

  bool Fits(uint32_t base) const {
    for (unsigned char label : labels_) {
      const size_t cell = size_t{base} + label;
      if (cell < trie_.cells_.size() && (trie_.cells_[cell].parent != 0 || cell == 0)) return false;
    }
    return true;
  }

  // Tries the first free cells, then the neighbourhood of the last fresh base; else takes fresh
  // cells at the end.
  uint32_t FindBase() {
    const unsigned char lowest = labels_.front();
    int tried = 0;
    for (uint32_t cell = first_; tried < kTries && cell != kNone; ++tried, cell = next_[cell]) {
      if (cell >= lowest && Fits(cell - lowest)) return cell - lowest;
    }
    if (tried == kTries) DropFront();  // a crowded front is not worth searching again and again
    for (uint32_t base = fresh_ + 1; base < fresh_ + 1 + kTries; ++base) {
      if (Fits(base)) return base;
    }
    fresh_ = static_cast<uint32_t>(trie_.cells_.size());
    return fresh_;
  }

  // Gives up the first free cells for good.
  void DropFront() {
    for (int i = 0; i < kTries / 2 && first_ != last_; ++i) Take(first_, kNone);
  }

  void Place(const Range& range, std::vector<Range>* next) {
    size_t begin = range.begin;
    if (keys_[begin].first.size() == range.depth) {
      trie_.values_[range.node] = keys_[begin].second;
      while (begin < range.end && keys_[begin].first.size() == range.depth) ++begin;
    }
    if (begin == range.end) return;
    labels_.clear();
    const size_t first_child = next->size();
    for (size_t i = begin; i < range.end; ++i) {
      const unsigned char label = static_cast<unsigned char>(keys_[i].first[range.depth]);
      if (labels_.empty() || labels_.back() != label) {
        labels_.push_back(label);
        next->push_back({i, i, range.depth + 1, 0});
      }
      next->back().end = i + 1;
    }
    const uint32_t base = FindBase();
    Grow(size_t{base} + labels_.back() + 1);
    trie_.cells_[range.node].base = base;
    for (size_t i = 0; i < labels_.size(); ++i) {
      const uint32_t cell = base + labels_[i];
      Take(cell, range.node + 1);
      (*next)[first_child + i].node = cell;
    }
  }

  const Keys& keys_;  // sorted, no key empty
  PieceTrie trie_;
  std::vector<uint32_t> next_, previous_;  // of free cells
  uint32_t first_ = kNone, last_ = kNone;
  uint32_t fresh_ = 0;
  std::vector<unsigned char> labels_;
};

PieceTrie PieceTrie::Build(std::vector<std::pair<std::string_view, int32_t>> keys) {
  keys.erase(
      std::remove_if(keys.begin(), keys.end(), [](const auto& k) { return k.first.empty(); }),
      keys.end());
  if (keys.empty()) return PieceTrie();
  std::stable_sort(keys.begin(), keys.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return PieceTrieBuilder(keys).Run();
}

}  // namespace penstock::internal::spm
