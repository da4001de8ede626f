// SPDX-License-Identifier: Apache-2.0
//
// MemoryBlockStore: blocks of float K/V in host memory; what tests, examples and small CPU runtimes
// use.
//
//   MemoryBlockStoreOptions options;
//   options.layers = 4;  options.kv_floats_per_token = 64;  options.capacity_blocks = 1024;
//   PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<MemoryBlockStore> store,
//       MemoryBlockStore::Create(options));
//   // float [block_tokens, kv_floats_per_token]
//   absl::Span<float> k = store->Keys(lease.blocks()[i], layer);
//
//   options.layers = 0;
//   // kInvalidArgument: layers is 0, expected at least 1
//   MemoryBlockStore::Create(options);
//
// SequenceView makes of it the classic `struct KVCache { keys, values; seq_len; append }`.
#ifndef PENSTOCK_KV_CACHE_MEMORY_BLOCK_STORE_H_
#define PENSTOCK_KV_CACHE_MEMORY_BLOCK_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/kv_cache/block_store.h"

namespace penstock {

struct MemoryBlockStoreOptions {
  size_t layers = 1;               // of every group
  size_t kv_floats_per_token = 1;  // K/V heads * head size, of one layer, K and V each
  size_t block_tokens = 16;        // the same as KVCacheOptions::block_tokens
  size_t capacity_blocks = 1024;   // of every group, device tier
  size_t groups = 1;
  size_t host_capacity_blocks = 0;  // of every group, host tier
  size_t disk_capacity_blocks = 0;  // of every group, disk tier
  // Where the disk tier stands: a file of its own, made by Create (kAlreadyExists: something is
  // there), removed with the store. A block that comes back truncated or changed is kDataLoss, so a
  // miss. Empty: the disk tier is in memory too.
  std::string disk_path;
  bool poison_freed = false;  // overwrite freed blocks with NaN, so that a stale read shows

  absl::Status Validate() const;
};

// Memory is taken from the system at a block's first use and kept. Blocks are handed out lowest
// number first, so that runs are repeatable. Transfers finish inside the call. Thread-safe:
// different blocks may be read and written at once.
class PENSTOCK_EXPORT MemoryBlockStore final : public BlockStore {
 public:
  static absl::StatusOr<std::unique_ptr<MemoryBlockStore>> Create(
      const MemoryBlockStoreOptions& options);
  ~MemoryBlockStore() override;

  absl::Status Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) override;
  void Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) override;
  absl::Status Copy(absl::Span<const BlockCopy> copies) override;
  void Transfer(absl::Span<const BlockCopy> copies, Done done) override;
  size_t BytesPerBlock(GroupId group, Tier tier) const override;

  // float [block_tokens, kv_floats_per_token], row-major. Ids differ between groups and tiers, so
  // the id says it all.
  // REQUIRES: the block is allocated, and not in a file; layer < layers.
  absl::Span<float> Keys(BlockId block, size_t layer);
  absl::Span<float> Values(BlockId block, size_t layer);

  size_t allocated_blocks(Tier tier = Tier::kDevice) const;  // now, all groups
  const MemoryBlockStoreOptions& options() const;

 private:
  struct Rep;
  explicit MemoryBlockStore(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// One sequence's K/V as a growing array of rows: keys(layer, position), values(layer, position),
// seq_len(), Append. Borrows the store and a block table (a lease's); valid until either changes.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
class PENSTOCK_EXPORT SequenceView {
 public:
  // REQUIRES: seq_len <= blocks.size() * block_tokens.
  SequenceView(MemoryBlockStore* store, absl::Span<const BlockId> blocks, size_t seq_len);

  size_t seq_len() const { return seq_len_; }
  size_t capacity() const;  // positions the block table has room for

  // float [kv_floats_per_token]. REQUIRES: position < seq_len(). O(1).
  absl::Span<const float> keys(size_t layer, size_t position) const;
  absl::Span<const float> values(size_t layer, size_t position) const;

  // Writes position seq_len() and grows by one. k, v: float [layers, kv_floats_per_token].
  // kInvalidArgument: wrong sizes. kResourceExhausted: seq_len() == capacity(): Lease::Reserve
  // first.
  absl::Status Append(absl::Span<const float> k, absl::Span<const float> v);

 private:
  absl::Span<float> Row(bool value, size_t layer, size_t position) const;

  MemoryBlockStore* store_;
  absl::Span<const BlockId> blocks_;
  size_t seq_len_;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_MEMORY_BLOCK_STORE_H_
