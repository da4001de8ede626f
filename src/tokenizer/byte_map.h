// SPDX-License-Identifier: Apache-2.0
//
// ByteMap: an immutable map from byte strings to ids; open addressing, one flat arena.
//
//   ByteMapBuilder b;  b.Reserve(2, 16);
//   b.Insert("the", 5);                  // false if the key is there already
//   ByteMap map = std::move(b).Build();
//   map.Find("the") == 5;  map.Find("teh") == -1
//
// O(key) look-up, about 12 bytes a key besides the bytes. Hashes are keyed per process: a text
// cannot be made to collide. Thread-compatible: const calls may run concurrently.
#ifndef PENSTOCK_SRC_TOKENIZER_BYTE_MAP_H_
#define PENSTOCK_SRC_TOKENIZER_BYTE_MAP_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::internal {

// A random odd number drawn once per process.
uint64_t ProcessHashKey();

inline uint64_t MixHash(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t LoadBytes(const char* p, size_t n) {
  uint64_t v = 0;
  std::memcpy(&v, p, n);
  return v;
}

// Multiply-fold hash (wyhash's construction) of any bytes under `key`.
inline uint64_t HashBytes(std::string_view s, uint64_t key) {
  const char* p = s.data();
  size_t n = s.size();
  uint64_t h = key ^ (n * 0x9E3779B97F4A7C15u);
  while (n > 16) {
    h = MixHash(LoadBytes(p, 8) ^ 0xA0761D6478BD642Fu ^ h, LoadBytes(p + 8, 8) ^ key);
    p += 16;
    n -= 16;
  }
  const size_t first = n < 8 ? n : 8;
  const uint64_t a = LoadBytes(p, first);
  const uint64_t b = LoadBytes(p + first, n - first);
  return MixHash(a ^ 0xE7037ED1A0B428DBu ^ h, b ^ 0x8EBC6AF09C88C6E3u ^ key);
}

class ByteMap {
 public:
  static constexpr int32_t kAbsent = -1;

  int32_t Find(std::string_view key) const {
    if (slots_.empty()) return kAbsent;
    const uint64_t hash = HashBytes(key, key_);
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.entry == 0) return kAbsent;
      if (slot.tag == static_cast<uint32_t>(hash >> 32) && KeyOf(slot.entry - 1) == key) {
        return values_[slot.entry - 1];
      }
    }
  }
  size_t size() const { return values_.size(); }
  std::string_view KeyOf(size_t entry) const {
    return std::string_view(arena_).substr(ends_[entry], ends_[entry + 1] - ends_[entry]);
  }
  int32_t ValueOf(size_t entry) const { return values_[entry]; }

 private:
  friend class ByteMapBuilder;
  struct Slot {
    uint32_t tag = 0;
    uint32_t entry = 0;  // index + 1
  };

  uint64_t key_ = 0;
  size_t mask_ = 0;
  std::vector<Slot> slots_;
  std::string arena_;
  std::vector<uint64_t> ends_ = {0};  // entry i is arena_[ends_[i], ends_[i + 1])
  std::vector<int32_t> values_;
};

// Thread-compatible: const calls may run concurrently, others need external synchronization.
class ByteMapBuilder {
 public:
  ByteMapBuilder();
  void Reserve(size_t keys, size_t bytes);
  // Returns false, and changes nothing, if the key is there.
  bool Insert(std::string_view key, int32_t value);
  int32_t Find(std::string_view key) const { return map_.Find(key); }
  ByteMap Build() && { return std::move(map_); }

 private:
  void Grow(size_t slots);
  ByteMap map_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_BYTE_MAP_H_
