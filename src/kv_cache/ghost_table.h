// SPDX-License-Identifier: Apache-2.0
//
// What is remembered of evicted blocks for a while (ghosts).
//
//   GhostTable ghosts;
//   ghosts.Insert(name, entry, /*capacity=*/80000);   // for an older one, where there is no room
//   GhostEntry* e = ghosts.Find(name);                // nullptr: unknown, or forgotten
//
// Description: rows of five entries in a cache line, a row by the name's high bits, the oldest of a
// row goes: 12.8 bytes a ghost, one cache miss an operation. An entry keeps 24 bits of its name;
// two prefixes with one name share a ghost, which only blurs statistics. A capacity that grows by
// half starts afresh. O(1) each. Thread-compatible: const calls may run concurrently, others need
// external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_
#define PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::internal {

// Of the latest request that used the block.
struct GhostEntry {
  static constexpr uint8_t kNone = UINT8_MAX;

  uint32_t last = 0;    // milliseconds
  uint16_t known = 0;   // blocks of it that had been seen before
  uint16_t length = 0;  // blocks of it
  uint8_t kind = kNone;
  uint8_t tag[3] = {};  // the table's
};
static_assert(sizeof(GhostEntry) == 12);

class GhostTable {
 public:
  GhostEntry* Find(uint64_t name) {
    if (rows_.empty()) return nullptr;
    for (GhostEntry& e : RowOf(name).entries) {
      if (Is(e, name)) return &e;
    }
    return nullptr;
  }

  // REQUIRES: entry.kind is not kNone; capacity < 2^32.
  void Insert(uint64_t name, const GhostEntry& entry, size_t capacity) {
    const size_t rows = (capacity + kWays - 1) / kWays;
    if (rows == 0) return;
    if (rows_.empty() || rows > rows_.size() + rows_.size() / 2) rows_.assign(rows, Row());
    GhostEntry* place = nullptr;
    for (GhostEntry& e : RowOf(name).entries) {
      if (Is(e, name)) {
        place = &e;
        break;
      }
      if (place == nullptr || Age(e, entry) > Age(*place, entry)) place = &e;
    }
    *place = entry;
    for (size_t i = 0; i < 3; ++i) place->tag[i] = static_cast<uint8_t>(name >> (8 * i));
  }

  void Erase(uint64_t name) {
    if (GhostEntry* const e = Find(name); e != nullptr) e->kind = GhostEntry::kNone;
  }

 private:
  static constexpr size_t kWays = 5;
  struct alignas(64) Row {
    GhostEntry entries[kWays];
  };

  Row& RowOf(uint64_t name) {
    return rows_[static_cast<size_t>(((name >> 32) * rows_.size()) >> 32)];
  }
  static bool Is(const GhostEntry& e, uint64_t name) {
    return e.kind != GhostEntry::kNone && e.tag[0] == static_cast<uint8_t>(name) &&
           e.tag[1] == static_cast<uint8_t>(name >> 8) &&
           e.tag[2] == static_cast<uint8_t>(name >> 16);
  }
  static uint32_t Age(const GhostEntry& e, const GhostEntry& than) {
    return e.kind == GhostEntry::kNone ? UINT32_MAX : than.last > e.last ? than.last - e.last : 0;
  }

  std::vector<Row> rows_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_GHOST_TABLE_H_
