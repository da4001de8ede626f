// SPDX-License-Identifier: Apache-2.0
//
// Memory for the index: aligned to cache lines, and on huge pages where it is large.
//
//   ChunkArena tokens(/*chunk_bytes=*/4096 * 64);
//   void* chunk = tokens.Next();                  // contents undefined, lives as long as the arena
//   std::vector<Entry, LargeAllocator<Entry>> table;
//
// A lookup at random in some 100 MB of 4 KiB pages misses the translation cache as often as the
// data cache. From 2 MiB on blocks are aligned to 2 MiB, and Linux is asked for huge pages
// (MADV_HUGEPAGE: a hint, void elsewhere). Thread-compatible: const calls may run concurrently,
// others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_LARGE_MEMORY_H_
#define PENSTOCK_SRC_KV_CACHE_LARGE_MEMORY_H_

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace penstock::internal {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kCacheLine = 64;

inline void* AllocateLarge(size_t bytes) {
  if (bytes < kHugePage) return ::operator new(bytes, std::align_val_t(kCacheLine));
  void* memory = ::operator new(bytes, std::align_val_t(kHugePage));
#ifdef MADV_HUGEPAGE
  (void)madvise(memory, bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
#endif
  return memory;
}

inline void FreeLarge(void* memory, size_t bytes) {
  ::operator delete(memory, std::align_val_t(bytes < kHugePage ? kCacheLine : kHugePage));
}

template <typename T>
struct LargeAllocator {
  using value_type = T;
  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}  // NOLINT(google-explicit-constructor)
  T* allocate(size_t n) { return static_cast<T*>(AllocateLarge(n * sizeof(T))); }
  void deallocate(T* p, size_t n) { FreeLarge(p, n * sizeof(T)); }
  friend bool operator==(const LargeAllocator&, const LargeAllocator&) { return true; }
  friend bool operator!=(const LargeAllocator&, const LargeAllocator&) { return false; }
};

// Equal chunks: one by one at first, then many from one piece, of which only what is used becomes
// resident.
class ChunkArena {
 public:
  explicit ChunkArena(size_t chunk_bytes)
      : chunk_bytes_((chunk_bytes + kCacheLine - 1) / kCacheLine * kCacheLine) {}
  ChunkArena(const ChunkArena&) = delete;
  ChunkArena& operator=(const ChunkArena&) = delete;
  ~ChunkArena() {
    for (const auto& [memory, bytes] : pieces_) FreeLarge(memory, bytes);
  }

  void* Next() {
    if (left_ == 0) {
      left_ = pieces_.size() < kSingles ? 1 : kChunksAPiece;
      const size_t bytes = left_ * chunk_bytes_;
      pieces_.emplace_back(AllocateLarge(bytes), bytes);
      next_ = static_cast<char*>(pieces_.back().first);
    }
    --left_;
    void* chunk = next_;
    next_ += chunk_bytes_;
    return chunk;
  }

 private:
  static constexpr size_t kSingles = 8, kChunksAPiece = 32;

  const size_t chunk_bytes_;
  std::vector<std::pair<void*, size_t>> pieces_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_LARGE_MEMORY_H_
