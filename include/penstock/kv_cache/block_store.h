// SPDX-License-Identifier: Apache-2.0
//
// BlockStore: what the host implements. The host owns the bytes of every block; the cache only
// names blocks.
//
//   // a paged pool on one device, one tier
//   class MyBlocks : public BlockStore {
//     absl::Status Allocate(GroupId, Tier tier, absl::Span<BlockId> out) override {
//       if (tier != Tier::kDevice || free_.size() < out.size()) {
//         return absl::ResourceExhaustedError("pool is full");   // the cache evicts and asks again
//       }
//       for (BlockId& id : out) { id = free_.back(); free_.pop_back(); }
//       return absl::OkStatus();
//     }
//     …
//   };
//   // `blocks` outlives the cache and its leases
//   KVCache::Create(&blocks, options);
//
// For a pool in host memory with nothing to implement: penstock/kv_cache/memory_block_store.h.
// How a paged block table, llama.cpp sequences and contiguous past tensors map onto this:
// src/kv_cache/README.md.
#ifndef PENSTOCK_KV_CACHE_BLOCK_STORE_H_
#define PENSTOCK_KV_CACHE_BLOCK_STORE_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

namespace penstock {

// A block's name, chosen by the host; the cache only stores it and hands it back. Unique within its
// group and tier for as long as it is allocated. kNoBlock is taken.
enum class BlockId : uint64_t {};
constexpr BlockId kNoBlock = static_cast<BlockId>(UINT64_MAX);

// Layers that share one retention rule; 0 .. groups-1. Most models have one group.
enum class GroupId : uint8_t {};

// Where the bytes of a block live. Compute reads kDevice only.
enum class Tier : uint8_t { kDevice = 0, kHost = 1, kDisk = 2 };

// The first `tokens` slots of block `src` are to stand in the first `tokens` slots of block `dst`,
// all layers of the group. What follows in `dst` is undefined.
struct BlockCopy {
  GroupId group{};
  Tier src_tier = Tier::kDevice;
  Tier dst_tier = Tier::kDevice;
  BlockId src = kNoBlock;
  BlockId dst = kNoBlock;
  uint32_t tokens = 0;
};

// Open: implemented by the host, and by MemoryBlockStore. Thread-safe.
//
// Order: what the cache asks for takes effect in the order of the calls, as seen by the model. A
// host whose device works through a stream may therefore return before the device has finished, as
// long as later calls and the model's own kernels queue behind. Never called with a lock of the
// cache held. Implementations must not throw, and must not call the cache from inside Allocate,
// Free or Copy; Transfer's `done` may.
class BlockStore {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  virtual ~BlockStore() = default;

  // All or nothing: names a fresh block in every slot of `out` or returns an error and allocates
  // none. kResourceExhausted makes the cache evict and ask again; any other error is passed on to
  // the caller of the cache.
  virtual absl::Status Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) = 0;

  // Takes back blocks that Allocate named. Cannot fail.
  virtual void Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) = 0;

  // Copies inside the device tier. On error no destination counts as written; the cache then
  // recomputes those tokens.
  virtual absl::Status Copy(absl::Span<const BlockCopy> copies) = 0;

  // Copies between tiers. Runs `done` exactly once, now or later, on any thread. On error no
  // destination counts as written. Sources and destinations stay allocated until `done`, and may be
  // freed right after it.
  virtual void Transfer(absl::Span<const BlockCopy> copies, Done done) = 0;

  // Constant for a group and tier: asked once, when the cache is created.
  virtual size_t BytesPerBlock(GroupId group, Tier tier) const = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_BLOCK_STORE_H_
