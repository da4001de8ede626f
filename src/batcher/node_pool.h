// SPDX-License-Identifier: Apache-2.0
//
// A request in the shell: what the engine must know of it, and the host's payload behind it.
//
//   BatcherNode* node = pool.Allocate();              // payload memory is raw
//   new (pool.payload(node)) Payload(…);
//   pool.Find(ticket)                                 // null: ended, or not ours
#ifndef PENSTOCK_SRC_BATCHER_NODE_POOL_H_
#define PENSTOCK_SRC_BATCHER_NODE_POOL_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/mutex.h"
#include "batcher/slab.h"
#include "penstock/base/clock.h"
#include "penstock/batcher/engine.h"
#include "penstock/internal/batcher_core.h"

namespace penstock::internal {

struct BatcherNode {
  uint64_t serial = 0;  // of its ticket
  uint32_t index = 0;
  int priority = 0;
  int64_t tokens = 0;
  MonoTime submitted;
  MonoTime deadline;
  BatcherNode* next = nullptr;  // in the ingress
  std::string tenant;           // what the ingress reads of it is its first cache line

  // Guarded by the shell's lock.
  RequestId id;
  int references = 1;  // its owner (queue or batch), and whoever runs its callback
  bool in_batch = false;
  bool in_part = false;  // on_part runs: an end that comes meanwhile waits for it
};

// Thread-safe.
class NodePool {
 public:
  explicit NodePool(const RequestOps* ops);

  BatcherNode* Allocate();
  // Destroys no payload.
  void Free(BatcherNode* const* nodes, size_t count);
  BatcherNode* Find(Ticket ticket) const;
  void* payload(BatcherNode* node) const {
    return reinterpret_cast<std::byte*>(node) + payload_offset_;
  }
  size_t held_chunks() const;

 private:
  const size_t payload_offset_;
  mutable Mutex mu_;
  Slab slab_ ABSL_GUARDED_BY(mu_);
  uint64_t next_serial_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_NODE_POOL_H_
