// SPDX-License-Identifier: Apache-2.0
//
// Writes the precompiled character map of a SentencePiece normalizer (src/tokenizer/sentencepiece/
// charsmap.h has its grammar); wrong ones too.
//
//   WriteCharsmap({{"Ａ", "A"}, {"\u200B", ""}})          // a map that loads
//   CharsmapBlob(4096, units, "x\0")                      // whatever is given
#ifndef PENSTOCK_TESTS_SUPPORT_CHARSMAP_WRITER_H_
#define PENSTOCK_TESTS_SUPPORT_CHARSMAP_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

inline std::string CharsmapBlob(uint32_t trie_bytes, const std::string& trie,
                                const std::string& replacements) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(trie_bytes >> shift));
  return out + trie + replacements;
}

inline std::string CharsmapUnits(const std::vector<uint32_t>& units) {
  std::string out;
  for (const uint32_t unit : units) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(unit >> shift));
  }
  return out;
}

// A double array over the keys of `map`, as darts-clone would make it, first fit.
class CharsmapTrie {
 public:
  explicit CharsmapTrie(const std::vector<std::pair<std::string, std::string>>& map) {
    nodes_.emplace_back();
    for (const auto& [key, value] : map) {
      size_t node = 0;
      for (const char c : key) {
        const uint8_t byte = static_cast<uint8_t>(c);
        if (nodes_[node].children.count(byte) == 0) {
          nodes_[node].children[byte] = nodes_.size();
          nodes_.emplace_back();
        }
        node = nodes_[node].children[byte];
      }
      nodes_[node].value = static_cast<int64_t>(replacements_.size());
      replacements_ += value + std::string(1, '\0');
    }
    Grow(256);
    Place(0, 0);
  }
  std::string Bytes() const {
    return CharsmapBlob(static_cast<uint32_t>(4 * units_.size()), CharsmapUnits(units_),
                        replacements_);
  }

 private:
  static constexpr uint32_t kFree = 0x80000000;  // a value that no node leads to
  struct Node {
    std::map<uint8_t, size_t> children;
    int64_t value = -1;
  };
  void Grow(size_t size) {
    while (units_.size() < size) units_.resize(units_.size() + 256, kFree);
    used_.resize(units_.size());
  }
  // Gives the children of `node`, which stands at unit `at`, their places.
  void Place(size_t node, uint32_t at) {
    used_[at] = true;
    const Node& n = nodes_[node];
    uint32_t base = 1;
    for (;; ++base) {
      Grow(base + 256);
      bool fits = (base ^ at) != 0 && bases_.count(base) == 0 && !(n.value >= 0 && used_[base]);
      for (const auto& [byte, child] : n.children) fits = fits && !used_[base ^ byte];
      if (fits) break;
    }
    bases_.insert(base);  // whoever shared it would share the children
    const uint32_t offset = base ^ at;
    units_[at] = (units_[at] & 0xFF) | offset << 10 | (n.value >= 0 ? 0x100u : 0u);
    if (n.value >= 0) {
      units_[base] = 0x80000000u | static_cast<uint32_t>(n.value);
      used_[base] = true;
    }
    for (const auto& [byte, child] : n.children) {
      units_[base ^ byte] = byte;
      used_[base ^ byte] = true;
    }
    if (node == 0) units_[0] &= ~0xFFu;
    for (const auto& [byte, child] : n.children) Place(child, base ^ byte);
  }

  std::vector<Node> nodes_;
  std::vector<uint32_t> units_;
  std::vector<bool> used_;
  std::set<uint32_t> bases_;
  std::string replacements_;
};

inline std::string WriteCharsmap(const std::vector<std::pair<std::string, std::string>>& map) {
  return CharsmapTrie(map).Bytes();
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_CHARSMAP_WRITER_H_
