// SPDX-License-Identifier: Apache-2.0
//
// What is remembered of blocks, and of evicted ones for a while longer (ghosts).
//
//   GhostTable ghosts;
//   ghosts.Insert(entry, /*capacity=*/80000);     // forgets the oldest beyond that
//   GhostEntry* e = ghosts.Find(name);            // nullptr: unknown
//
// Description: a ring of 16-byte entries, oldest first, under an open-addressing table of 4-byte
// positions, both with room to grow: 28 to 36 bytes a ghost. A name is 56 bits of a hash; two
// prefixes with one name share a ghost, which only blurs statistics. O(1) each, amortised.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_
#define PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::internal {

// Of the latest request that used the block.
struct GhostEntry {
  static constexpr uint64_t kNameMask = (uint64_t{1} << 56) - 1;

  uint64_t name : 56;
  uint64_t kind : 8;
  uint32_t last = 0;    // milliseconds
  uint16_t known = 0;   // blocks of it that had been seen before
  uint16_t length = 0;  // blocks of it

  GhostEntry() : name(0), kind(0) {}
};

class GhostTable {
 public:
  GhostEntry* Find(uint64_t name) {
    name &= GhostEntry::kNameMask;
    if (live_ == 0) return nullptr;
    for (size_t i = name & mask();; i = (i + 1) & mask()) {
      const uint32_t at = table_[i];
      if (at == kEmpty) return nullptr;
      if (at != kGone && ring_[at].name == name) return &ring_[at];
    }
  }

  void Insert(const GhostEntry& entry, size_t capacity) {
    Erase(entry.name);
    while (live_ > 0 && live_ >= capacity) ForgetOldest();
    if (capacity == 0) return;
    if ((ring_used_ + 1) > ring_.size() || (filled_ + 1) * 3 > table_.size() * 2) Rebuild(capacity);
    const auto at = static_cast<uint32_t>((head_ + ring_used_) % ring_.size());
    ring_[at] = entry;
    ++ring_used_;
    ++live_;
    Place(entry.name, at);
  }

  void Erase(uint64_t name) {
    name &= GhostEntry::kNameMask;
    if (live_ == 0) return;
    for (size_t i = name & mask();; i = (i + 1) & mask()) {
      const uint32_t at = table_[i];
      if (at == kEmpty) return;
      if (at != kGone && ring_[at].name == name) {
        table_[i] = kGone;
        ring_[at].length = kDead;
        ring_[at].name = ~name & GhostEntry::kNameMask;
        --live_;
        return;
      }
    }
  }

  // Forgets the oldest beyond `capacity`.
  void Shrink(size_t capacity) {
    while (live_ > capacity) ForgetOldest();
  }

  template <typename Predicate>
  void EraseIf(Predicate&& gone) {
    for (size_t n = 0; n < ring_used_; ++n) {
      const GhostEntry& e = ring_[(head_ + n) % ring_.size()];
      if (e.length != kDead && gone(uint64_t{e.name})) Erase(e.name);
    }
  }

  size_t size() const { return live_; }

 private:
  static constexpr uint32_t kEmpty = UINT32_MAX, kGone = UINT32_MAX - 1;
  static constexpr uint16_t kDead = UINT16_MAX;

  size_t mask() const { return table_.size() - 1; }

  void Place(uint64_t name, uint32_t at) {
    size_t i = name & mask();
    while (table_[i] != kEmpty && table_[i] != kGone) i = (i + 1) & mask();
    if (table_[i] == kEmpty) ++filled_;
    table_[i] = at;
  }

  void ForgetOldest() {
    while (ring_used_ > 0) {
      GhostEntry& oldest = ring_[head_];
      const bool dead = oldest.length == kDead;
      if (!dead) Erase(oldest.name);
      head_ = (head_ + 1) % ring_.size();
      --ring_used_;
      if (!dead) return;
    }
  }

  // Drops dead entries; grows where that is not enough.
  void Rebuild(size_t capacity) {
    std::vector<GhostEntry> kept;
    kept.reserve(live_);
    for (size_t n = 0; n < ring_used_; ++n) {
      const GhostEntry& e = ring_[(head_ + n) % ring_.size()];
      if (e.length != kDead) kept.push_back(e);
    }
    size_t size = 64;
    while (size < kept.size() * 5 / 4 + 16) size = size * 5 / 4;
    if (size > capacity + capacity / 4 + 64) size = capacity + capacity / 4 + 64;
    ring_.assign(size > kept.size() ? size : kept.size() + 1, GhostEntry());
    size_t slots = 128;
    while (slots * 5 < ring_.size() * 8) slots *= 2;
    table_.assign(slots, kEmpty);
    filled_ = head_ = ring_used_ = 0;
    for (const GhostEntry& e : kept) {
      ring_[ring_used_] = e;
      Place(e.name, static_cast<uint32_t>(ring_used_++));
    }
  }

  std::vector<GhostEntry> ring_;
  std::vector<uint32_t> table_;
  size_t head_ = 0, ring_used_ = 0, live_ = 0, filled_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_
