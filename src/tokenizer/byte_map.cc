// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/byte_map.h"

#include <random>

namespace penstock::internal {

uint64_t ProcessHashKey() {
  static const uint64_t key = [] {
    std::random_device device;
    return (static_cast<uint64_t>(device()) << 32 | device()) | 1;
  }();
  return key;
}

ByteMapBuilder::ByteMapBuilder() {
  map_.key_ = ProcessHashKey();
  Grow(16);
}

void ByteMapBuilder::Reserve(size_t keys, size_t bytes) {
  map_.arena_.reserve(bytes);
  map_.ends_.reserve(keys + 1);
  map_.values_.reserve(keys);
  size_t slots = 16;
  while (slots < keys * 2) slots *= 2;
  if (slots > map_.slots_.size()) Grow(slots);
}

void ByteMapBuilder::Grow(size_t slots) {
  map_.slots_.assign(slots, ByteMap::Slot());
  map_.mask_ = slots - 1;
  for (size_t entry = 0; entry < map_.values_.size(); ++entry) {
    const uint64_t hash = HashBytes(map_.KeyOf(entry), map_.key_);
    size_t i = hash & map_.mask_;
    while (map_.slots_[i].entry != 0) i = (i + 1) & map_.mask_;
    map_.slots_[i] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(entry + 1)};
  }
}

bool ByteMapBuilder::Insert(std::string_view key, int32_t value) {
  if (map_.values_.size() * 2 >= map_.slots_.size()) Grow(map_.slots_.size() * 2);
  const uint64_t hash = HashBytes(key, map_.key_);
  size_t i = hash & map_.mask_;
  for (; map_.slots_[i].entry != 0; i = (i + 1) & map_.mask_) {
    if (map_.slots_[i].tag == static_cast<uint32_t>(hash >> 32) &&
        map_.KeyOf(map_.slots_[i].entry - 1) == key) {
      return false;
    }
  }
  map_.arena_.append(key);
  map_.ends_.push_back(map_.arena_.size());
  map_.values_.push_back(value);
  map_.slots_[i] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(map_.values_.size())};
  return true;
}

}  // namespace penstock::internal
