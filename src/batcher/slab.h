// SPDX-License-Identifier: Apache-2.0
//
// Objects of one size, named by a 32-bit index, in chunks that are given back when they empty.
//
//   Slab slab(sizeof(Slot), alignof(Slot));
//   uint32_t i = slab.Allocate();       // zeroed when its chunk is new; otherwise as it was freed
//   auto* slot = static_cast<Slot*>(slab.At(i));
//   slab.At(4'000'000)                      // null: no such chunk
//
// Description: chunks of 1024 objects; each has its own free list beside the objects, so a freed
// object stays readable (a stale index can be recognised by a serial number in it). Empty chunks
// beyond a quarter of those in use, but two, are freed. Allocate and Free O(1) amortised.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BATCHER_SLAB_H_
#define PENSTOCK_SRC_BATCHER_SLAB_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::internal {

class Slab {
 public:
  Slab(size_t object_bytes, size_t align);
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  uint32_t Allocate();
  void Free(uint32_t index);

  void* At(uint32_t index) const {
    const uint32_t chunk = index / kChunk;
    if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return nullptr;
    return chunks_[chunk]->memory + static_cast<size_t>(index % kChunk) * object_bytes_;
  }

  size_t used() const { return used_; }
  size_t held_chunks() const { return held_; }
  // One past the largest index that At may return non-null for.
  uint32_t index_limit() const { return static_cast<uint32_t>(chunks_.size()) * kChunk; }

 private:
  static constexpr uint32_t kChunk = 1024;
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Chunk {
    std::byte* memory;
    uint32_t used = 0;
    uint32_t free_head = 0;
    uint32_t prev = kNone, next = kNone;  // in the list of chunks that are partly used
    uint16_t next_free[kChunk];
  };

  uint32_t NewChunk();
  void ReleaseSpareChunks();
  void Link(uint32_t chunk);
  void Unlink(uint32_t chunk);

  const size_t object_bytes_;
  const size_t align_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<uint32_t> vacant_;  // chunk numbers without memory
  std::vector<uint32_t> empty_;   // chunks without objects
  uint32_t partial_ = kNone;
  size_t held_ = 0;
  size_t used_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_SLAB_H_
