// SPDX-License-Identifier: Apache-2.0
//
// A byte trie over the pieces of a vocabulary, as a double array: one 8-byte cell a node, one load
// a step.
//
//   PieceTrie trie = PieceTrie::Build({{"a", 7}, {"ab", 3}});
//   uint32_t node = PieceTrie::kRoot;
//   trie.Step(&node, 'a');            // true; trie.value(node) == 7
//   trie.Step(&node, 'x');            // false: nothing starts with "ax"
//   trie.Find("abc") == -1
//
// Child of node n by byte b is cell base(n) + b, which must name n as its parent (J. Aoe, "An
// efficient digital search algorithm by using a double-array structure", 1989). Built once from any
// strings, in time O(bytes log keys) plus a bounded search for room, without hashing: no choice of
// keys makes it slow. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TRIE_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::internal::spm {

class PieceTrie {
 public:
  static constexpr uint32_t kRoot = 0;

  PieceTrie() : cells_(1), values_(1, -1) {}
  // Keys may be in any order; of equal keys the first one counts. Values are not negative.
  static PieceTrie Build(std::vector<std::pair<std::string_view, int32_t>> keys);

  // Follows `byte` from `*node`; false if no key goes on that way, and `*node` is then unchanged.
  bool Step(uint32_t* node, char byte) const {
    const uint32_t next = cells_[*node].base + static_cast<unsigned char>(byte);
    if (next >= cells_.size() || cells_[next].parent != *node + 1) return false;
    *node = next;
    return true;
  }
  // Follows all of `bytes`.
  bool Walk(uint32_t* node, std::string_view bytes) const {
    for (char byte : bytes) {
      if (!Step(node, byte)) return false;
    }
    return true;
  }
  // Value of the key that ends at `node`, or -1.
  int32_t value(uint32_t node) const { return values_[node]; }
  int32_t Find(std::string_view key) const {
    uint32_t node = kRoot;
    return Walk(&node, key) ? value(node) : -1;
  }
  bool empty() const { return cells_.size() == 1; }
  size_t size_bytes() const { return cells_.size() * sizeof(Cell) + values_.size() * 4; }

 private:
  friend class PieceTrieBuilder;
  struct Cell {
    uint32_t base = 0;
    uint32_t parent = 0;  // index of the parent plus one; 0: free
  };
  std::vector<Cell> cells_;
  std::vector<int32_t> values_;
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PIECE_TRIE_H_
