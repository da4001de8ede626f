// SPDX-License-Identifier: Apache-2.0
//
// Names in the order of their last use, each with a mark.
//
//   RecencyQueue queue;
//   queue.Touch(name);                            // the newest from now on
//   queue.Mark(name);                             // false: not in it
//   queue.PopOldest();                            // the one used longest ago: was it marked?
//
// Description: a ring of 8-byte names, oldest first, where what was used again leaves a hole, under
// an open-addressing table of 4-byte positions: 20 to 36 bytes a name. A name is 62 bits of a hash;
// two prefixes with one name are taken for one. O(1) each, amortised. Thread-compatible: const
// calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_RECENCY_QUEUE_H_
#define PENSTOCK_SRC_KV_CACHE_RECENCY_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::internal {

class RecencyQueue {
 public:
  enum class Found : uint8_t { kNo, kYes, kMarked };

  Found Find(uint64_t name) const {
    const size_t slot = SlotOf(Clean(name));
    if (slot == kNowhere) return Found::kNo;
    return (ring_[table_[slot]] & kMark) != 0 ? Found::kMarked : Found::kYes;
  }

  // Puts it at the new end, without a mark.
  void Touch(uint64_t name) {
    name = Clean(name);
    if (end_ == ring_.size()) Rebuild();
    size_t slot = SlotOf(name);
    if (slot == kNowhere) {
      slot = FreeSlotFor(name);
      ++size_;
    } else {
      ring_[table_[slot]] = kHole;
    }
    table_[slot] = static_cast<uint32_t>(end_);
    ring_[end_++] = name;
  }

  bool Mark(uint64_t name) {
    const size_t slot = SlotOf(Clean(name));
    if (slot != kNowhere) ring_[table_[slot]] |= kMark;
    return slot != kNowhere;
  }

  // REQUIRES: size() > 0. Returns whether it was marked.
  bool PopOldest() {
    while (ring_[begin_] == kHole) ++begin_;
    const uint64_t oldest = ring_[begin_];
    EraseSlot(SlotOf(oldest & ~kMark));
    return (oldest & kMark) != 0;
  }

  Found Erase(uint64_t name) {
    const size_t slot = SlotOf(Clean(name));
    if (slot == kNowhere) return Found::kNo;
    const bool marked = (ring_[table_[slot]] & kMark) != 0;
    EraseSlot(slot);
    return marked ? Found::kMarked : Found::kYes;
  }

  // Returns how many of them were marked.
  template <typename Predicate>
  size_t EraseIf(Predicate&& gone) {
    size_t marked = 0;
    for (size_t at = begin_; at < end_; ++at) {
      if (ring_[at] == kHole || !gone(ring_[at] & ~kMark)) continue;
      marked += Erase(ring_[at] & ~kMark) == Found::kMarked ? 1 : 0;
    }
    return marked;
  }

  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kMark = uint64_t{1} << 63, kHole = 0;
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr size_t kNowhere = SIZE_MAX;

  static uint64_t Clean(uint64_t name) { return (name & ~kMark) | 1; }
  // The lowest bit is no part of a name.
  size_t HomeOf(uint64_t name) const { return (name >> 1) & (table_.size() - 1); }

  size_t SlotOf(uint64_t name) const {
    if (table_.empty()) return kNowhere;
    for (size_t i = HomeOf(name);; i = (i + 1) & (table_.size() - 1)) {
      if (table_[i] == kEmpty) return kNowhere;
      if ((ring_[table_[i]] & ~kMark) == name) return i;
    }
  }
  size_t FreeSlotFor(uint64_t name) const {
    size_t i = HomeOf(name);
    while (table_[i] != kEmpty) i = (i + 1) & (table_.size() - 1);
    return i;
  }

  // Moves what follows into the gap, so that no run of slots is cut (Knuth 6.4, algorithm R).
  void EraseSlot(size_t gap) {
    ring_[table_[gap]] = kHole;
    --size_;
    const size_t mask = table_.size() - 1;
    for (size_t i = (gap + 1) & mask; table_[i] != kEmpty; i = (i + 1) & mask) {
      const size_t home = HomeOf(ring_[table_[i]] & ~kMark);
      if (((i - home) & mask) < ((i - gap) & mask)) continue;
      table_[gap] = table_[i];
      gap = i;
    }
    table_[gap] = kEmpty;
  }

  // Without the holes; room for half as many again, so that a name pays for two moves.
  void Rebuild() {
    std::vector<uint64_t> kept;
    kept.reserve(size_ + size_ / 2 + 64);
    for (size_t at = begin_; at < end_; ++at) {
      if (ring_[at] != kHole) kept.push_back(ring_[at]);
    }
    begin_ = 0;
    end_ = kept.size();
    kept.resize(size_ + size_ / 2 + 64);
    ring_.swap(kept);
    size_t slots = 128;
    while (slots * 3 < ring_.size() * 4) slots *= 2;
    table_.assign(slots, kEmpty);
    for (size_t at = 0; at < end_; ++at) {
      table_[FreeSlotFor(ring_[at] & ~kMark)] = static_cast<uint32_t>(at);
    }
  }

  std::vector<uint64_t> ring_;
  std::vector<uint32_t> table_;
  size_t begin_ = 0, end_ = 0, size_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_RECENCY_QUEUE_H_
