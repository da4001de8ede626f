// SPDX-License-Identifier: Apache-2.0
#include "batcher/slab.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace penstock::internal {

Slab::Slab(size_t object_bytes, size_t align)
    : object_bytes_((object_bytes + align - 1) / align * align), align_(align) {}

Slab::~Slab() {
  for (const auto& chunk : chunks_) {
    if (chunk != nullptr) ::operator delete(chunk->memory, std::align_val_t(align_));
  }
}

uint32_t Slab::NewChunk() {
  auto chunk = std::make_unique<Chunk>();
  const size_t bytes = object_bytes_ * kChunk;
  chunk->memory = static_cast<std::byte*>(::operator new(bytes, std::align_val_t(align_)));
  std::memset(chunk->memory, 0, bytes);
  for (uint32_t i = 0; i < kChunk; ++i) chunk->next_free[i] = static_cast<uint16_t>(i + 1);
  uint32_t number;
  if (vacant_.empty()) {
    number = static_cast<uint32_t>(chunks_.size());
    chunks_.push_back(std::move(chunk));
  } else {
    number = vacant_.back();
    vacant_.pop_back();
    chunks_[number] = std::move(chunk);
  }
  ++held_;
  return number;
}

void Slab::Link(uint32_t number) {
  Chunk& chunk = *chunks_[number];
  chunk.prev = kNone;
  chunk.next = partial_;
  if (partial_ != kNone) chunks_[partial_]->prev = number;
  partial_ = number;
}

void Slab::Unlink(uint32_t number) {
  Chunk& chunk = *chunks_[number];
  if (chunk.prev != kNone) {
    chunks_[chunk.prev]->next = chunk.next;
  } else {
    partial_ = chunk.next;
  }
  if (chunk.next != kNone) chunks_[chunk.next]->prev = chunk.prev;
}

uint32_t Slab::Allocate() {
  if (partial_ == kNone) {
    uint32_t number;
    if (empty_.empty()) {
      number = NewChunk();
    } else {
      number = empty_.back();
      empty_.pop_back();
    }
    Link(number);
  }
  const uint32_t number = partial_;
  Chunk& chunk = *chunks_[number];
  const uint32_t slot = chunk.free_head;
  chunk.free_head = chunk.next_free[slot];
  ++used_;
  if (++chunk.used == kChunk) Unlink(number);
  return number * kChunk + slot;
}

void Slab::Free(uint32_t index) {
  const uint32_t number = index / kChunk;
  Chunk& chunk = *chunks_[number];
  if (chunk.used == kChunk) Link(number);
  chunk.next_free[index % kChunk] = static_cast<uint16_t>(chunk.free_head);
  chunk.free_head = index % kChunk;
  --used_;
  if (--chunk.used == 0) {
    Unlink(number);
    empty_.push_back(number);
    ReleaseSpareChunks();
  }
}

void Slab::ReleaseSpareChunks() {
  while (empty_.size() > std::max<size_t>(2, (held_ - empty_.size()) / 4)) {
    const uint32_t number = empty_.back();
    empty_.pop_back();
    ::operator delete(chunks_[number]->memory, std::align_val_t(align_));
    chunks_[number] = nullptr;
    vacant_.push_back(number);
    --held_;
  }
}

}  // namespace penstock::internal
