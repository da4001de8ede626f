// SPDX-License-Identifier: Apache-2.0
#include "batcher/node_pool.h"

#include <algorithm>
#include <new>

namespace penstock::internal {
namespace {

size_t RoundUp(size_t bytes, size_t align) { return (bytes + align - 1) / align * align; }

}  // namespace

NodePool::NodePool(const RequestOps* ops)
    : payload_offset_(RoundUp(sizeof(BatcherNode), ops->align)),
      slab_(payload_offset_ + ops->bytes, std::max(alignof(BatcherNode), ops->align)) {}

BatcherNode* NodePool::Allocate() {
  MutexLock lock(mu_);
  const uint32_t index = slab_.Allocate();
  auto* node = new (slab_.At(index)) BatcherNode;
  node->index = index;
  node->serial = next_serial_++;
  return node;
}

void NodePool::Free(BatcherNode* const* nodes, size_t count) {
  constexpr size_t kPerHold = 16;  // producers wait for this lock
  for (size_t begin = 0; begin < count; begin += kPerHold) {
    MutexLock lock(mu_);
    for (size_t i = begin; i < std::min(count, begin + kPerHold); ++i) {
      const uint32_t index = nodes[i]->index;
      nodes[i]->~BatcherNode();
      nodes[i]->serial = 0;  // the memory stays readable for stale tickets
      slab_.Free(index);
    }
  }
}

BatcherNode* NodePool::Find(Ticket ticket) const {
  MutexLock lock(mu_);
  auto* node = static_cast<BatcherNode*>(slab_.At(ticket.index));
  return node != nullptr && ticket.serial != 0 && node->serial == ticket.serial ? node : nullptr;
}

size_t NodePool::held_chunks() const {
  MutexLock lock(mu_);
  return slab_.held_chunks();
}

}  // namespace penstock::internal
