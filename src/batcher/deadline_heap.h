// SPDX-License-Identifier: Apache-2.0
//
// The requests that have a timeout, earliest first; any of them can be taken out.
//
// Description: 4-ary heap whose entries know their slot and whose slots know their position. Push
// O(1) when deadlines come in order, else O(log n); Remove O(log n). Equal deadlines leave in order
// of serial. Thread-compatible: const calls may run concurrently, others need external
// synchronization.
#ifndef PENSTOCK_SRC_BATCHER_DEADLINE_HEAP_H_
#define PENSTOCK_SRC_BATCHER_DEADLINE_HEAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "batcher/engine_slot.h"

namespace penstock::internal {

class DeadlineHeap {
 public:
  explicit DeadlineHeap(Slab* slots) : slots_(slots) {}

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  int64_t earliest() const { return entries_.empty() ? kNever : entries_[0].deadline; }
  uint32_t top() const { return entries_[0].slot; }
  uint32_t slot_at(size_t position) const { return entries_[position].slot; }

  void Push(uint32_t slot) {
    const Slot& s = SlotAt(*slots_, slot);
    entries_.push_back({s.deadline, s.serial, slot});
    SiftUp(entries_.size() - 1);
  }

  void Remove(uint32_t slot) {
    Slot& s = SlotAt(*slots_, slot);
    if (s.heap_position == kNoSlot) return;
    const size_t at = s.heap_position;
    s.heap_position = kNoSlot;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (entries_.capacity() > 4096 && entries_.size() < entries_.capacity() / 8) {
      entries_.shrink_to_fit();
    }
    if (at == entries_.size()) return;
    Place(at, last);
    SiftUp(at);
    SiftDown(SlotAt(*slots_, last.slot).heap_position);
  }

 private:
  struct Entry {
    int64_t deadline;
    uint64_t serial;
    uint32_t slot;
    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline < other.deadline : serial < other.serial;
    }
  };

  void Place(size_t at, const Entry& entry) {
    entries_[at] = entry;
    SlotAt(*slots_, entry.slot).heap_position = static_cast<uint32_t>(at);
  }

  void SiftUp(size_t at) {
    const Entry entry = entries_[at];
    while (at > 0 && entry < entries_[(at - 1) / 4]) {
      Place(at, entries_[(at - 1) / 4]);
      at = (at - 1) / 4;
    }
    Place(at, entry);
  }

  void SiftDown(size_t at) {
    const Entry entry = entries_[at];
    while (true) {
      const size_t first = 4 * at + 1;
      if (first >= entries_.size()) break;
      const auto begin = entries_.begin() + static_cast<ptrdiff_t>(first);
      const auto end =
          entries_.begin() + static_cast<ptrdiff_t>(std::min(first + 4, entries_.size()));
      const auto least = std::min_element(begin, end);
      if (!(*least < entry)) break;
      const size_t child = static_cast<size_t>(least - entries_.begin());
      Place(at, *least);
      at = child;
    }
    Place(at, entry);
  }

  Slab* const slots_;
  std::vector<Entry> entries_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_DEADLINE_HEAP_H_
