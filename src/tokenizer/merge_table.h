// SPDX-License-Identifier: Apache-2.0
//
// MergeTable: which two adjacent symbols merge, with what rank, into what.
//
//   MergeTable t(merges.size());
//   t.Insert(a, b, {rank, id});          // a later entry of the same pair replaces the earlier one
//   const Merge* m = t.Find(a, b);       // null: they do not merge
//
// Open addressing, 16 bytes a slot at most half full. Thread-compatible: const calls may run
// concurrently.
#ifndef PENSTOCK_SRC_TOKENIZER_MERGE_TABLE_H_
#define PENSTOCK_SRC_TOKENIZER_MERGE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/base/token.h"

namespace penstock::internal {

struct Merge {
  uint32_t rank;  // the smallest merges first
  TokenId id;
};

class MergeTable {
 public:
  explicit MergeTable(size_t expected = 0) {
    size_t slots = 16;
    while (slots < expected * 2) slots *= 2;
    slots_.resize(slots);
  }

  // REQUIRES: left and right are not negative.
  const Merge* Find(TokenId left, TokenId right) const {
    const uint64_t key = KeyOf(left, right);
    for (size_t i = SlotOf(key);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].key == key) return &slots_[i].merge;
      if (slots_[i].key == 0) return nullptr;
    }
  }

  void Insert(TokenId left, TokenId right, Merge merge) {
    if ((size_ + 1) * 2 > slots_.size()) Grow();
    const uint64_t key = KeyOf(left, right);
    size_t i = SlotOf(key);
    while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    if (slots_[i].key == 0) ++size_;
    slots_[i] = {key, merge};
  }

  size_t size() const { return size_; }
  // Calls f(left, right, merge) for every entry, in no order.
  template <typename F>
  void ForEach(F f) const {
    for (const Slot& s : slots_) {
      if (s.key == 0) continue;
      f(static_cast<TokenId>((s.key - 1) >> 32), static_cast<TokenId>((s.key - 1) & 0xFFFFFFFF),
        s.merge);
    }
  }

 private:
  struct Slot {
    uint64_t key = 0;  // 0: free
    Merge merge{};
  };
  static uint64_t KeyOf(TokenId left, TokenId right) {
    return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
            static_cast<uint32_t>(right)) +
           1;
  }
  size_t SlotOf(uint64_t key) const {
    const uint64_t h = key * 0x9E3779B97F4A7C15u;
    return (h ^ h >> 32) & (slots_.size() - 1);
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& s : old) {
      if (s.key == 0) continue;
      size_t i = SlotOf(s.key);
      while (slots_[i].key != 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = s;
    }
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_MERGE_TABLE_H_
