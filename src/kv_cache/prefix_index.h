// SPDX-License-Identifier: Apache-2.0
//
// PrefixIndex: the tree of cached blocks, as a flat table over an arena.
//
//   PrefixIndex index(16, 1, hasher);
//   BlockHandle root = index.AddRoot(root_name);
//   index.Find(root, name, tokens, extras)        // kNoBlockHandle: not there
//
// Description: a node is (parent node, exact tokens, exact extra keys); one open-addressing table
// maps the 64-bit name of the whole prefix to its node. A probe compares parent and tokens, so
// equality of the whole prefix follows by induction and a name may collide freely. A parent's
// handle cannot be used again while it has children, so (parent, tokens) never names a stranger.
// Match walks down a prompt whose names are known: it prefetches table lines 16 and nodes 8 blocks
// ahead, which is what makes a flat table faster than a pointer tree. Linear probing, load <= 3/4,
// backward-shift deletion; an entry's home follows from the half of the name that it keeps, so that
// growing and deleting touch no node. When a probe run gets absurdly long the table is rebuilt
// under new random key material (Rekey), at most once per doubling.
// Complexity: Match O(tokens); Insert and Remove O(1) expected. Memory a block: 48 bytes of node,
// its tokens, 8 bytes a group (12 if it counts holds), 11 to 21 bytes of table.
// Thread-compatible: const calls may run concurrently, others need external synchronization. `refs`
// is atomic, and may be raised under a shared lock.
#ifndef PENSTOCK_SRC_KV_CACHE_PREFIX_INDEX_H_
#define PENSTOCK_SRC_KV_CACHE_PREFIX_INDEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "absl/types/span.h"
#include "kv_cache/large_memory.h"
#include "kv_cache/prompt.h"
#include "kv_cache/token_hash.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/block_store.h"
#include "penstock/kv_cache/eviction.h"

namespace penstock::internal {

struct IndexNode {
  static constexpr uint8_t kHasExtras = 1;
  static constexpr uint8_t kWarmed = 2;  // computed by Warm, not hit yet
  static constexpr uint8_t kMoving = 4;  // between tiers: not to be matched or picked
  static constexpr uint8_t kRoot = 8;
  static constexpr uint8_t kLive = 16;
  static constexpr uint8_t kLost = 32;   // without blocks; waits for children that are moving
  static constexpr uint8_t kCheap = 64;  // not worth offloading
  static constexpr uint8_t kUnusable = kMoving | kLost;

  uint64_t name = 0;  // a match reads these 16 bytes: within one cache line
  uint32_t parent = kNoBlockHandle;
  Tier tier = Tier::kDevice;
  uint8_t flags = 0;

  uint32_t depth = 0;  // of a block: its position in the prompt. A root has depth 0 too.
  uint32_t first_child = kNoBlockHandle;
  uint32_t next_sibling = kNoBlockHandle;  // newest first; links free nodes too
  uint32_t prev_sibling = kNoBlockHandle;
  uint32_t device_children = 0;
  std::atomic<uint32_t> refs{0};
  uint32_t scope = 0;
};
static_assert(sizeof(IndexNode) == 48 && std::is_trivially_destructible<IndexNode>::value, "");

class PrefixIndex {
 public:
  // `counted`: nodes count holds, by group.
  PrefixIndex(size_t block_tokens, size_t groups, uint64_t seed, uint64_t hash_mask = ~uint64_t{0},
              bool counted = false);

  // May be called without a lock. Rekey replaces it: names made by another one are void then. Lives
  // as long as the index.
  const BlockHasher* hasher() const { return hasher_.load(std::memory_order_acquire); }

  IndexNode& node(BlockHandle h) { return nodes_[h >> kShift][h & kMask]; }
  const IndexNode& node(BlockHandle h) const { return nodes_[h >> kShift][h & kMask]; }
  absl::Span<const TokenId> tokens(BlockHandle h) const {
    return {tokens_[h >> kShift] + (h & kMask) * block_tokens_, block_tokens_};
  }
  // Block ids of a node, one a group.
  BlockId* slots(BlockHandle h) { return slots_[h >> kShift] + (h & kMask) * groups_; }
  const BlockId* slots(BlockHandle h) const { return slots_[h >> kShift] + (h & kMask) * groups_; }
  const std::vector<BlockExtra>& extras(BlockHandle h) const;
  // Holds of a node's slots, one counter a group, for the caller to count in; may be raised under a
  // shared lock. REQUIRES: counted; all 0 when the node is removed.
  std::atomic<uint32_t>* holds(BlockHandle h) const {
    return holds_[h >> kShift] + (h & kMask) * groups_;
  }

  BlockHandle AddRoot(uint64_t name, uint32_t scope);
  void RemoveRoot(BlockHandle root);  // REQUIRES: no children

  // The child of `parent` with these tokens and keys, any tier. Counts candidates that comparing
  // rejected.
  BlockHandle Find(BlockHandle parent, uint64_t name, const TokenId* tokens,
                   const std::vector<BlockExtra>& extras) const;

  // REQUIRES: Find would return nothing. Slots are kNoBlock; the caller fills them.
  BlockHandle Insert(BlockHandle parent, uint64_t name, const TokenId* tokens,
                     std::vector<BlockExtra> extras, Tier tier);

  // REQUIRES: no children, refs == 0.
  void Remove(BlockHandle block);

  // Asks for the memory that Insert, Find or Remove of this name will touch first.
  void Prefetch(uint64_t name) const { __builtin_prefetch(&table_[Home(name)], 1); }

  // Moves a block to another tier; keeps the parent's count of device children.
  void SetTier(BlockHandle block, Tier tier);

  // Walks down from `root` as far as blocks [0, prompt.names.size()) are cached, at most `limit` of
  // them, and appends their handles to `path`. Stops at blocks that are moving or lost.
  // Returns all flags that any of them has.
  uint8_t Match(BlockHandle root, const PromptBlocks& prompt, size_t limit,
                std::vector<BlockHandle>* path) const;

  // Among the newest `candidates` device children of `parent` that have a block in every group: the
  // one that agrees with most of tokens[0, count).
  // Returns the number of tokens that agree, 0 if none do.
  size_t MatchPartial(BlockHandle parent, const TokenId* tokens, size_t count,
                      const std::vector<BlockExtra>& extras, size_t candidates,
                      BlockHandle* best) const;

  // Gives every node a new name under new key material, rebuilds the table. Roots are named by
  // `root_name`.
  void Rekey(uint64_t seed, const std::function<uint64_t(BlockHandle root)>& root_name);

  // True when inserts met a probe run so long that the key should be changed.
  bool wants_rekey() const { return wants_rekey_; }

  size_t blocks() const { return blocks_; }
  size_t device_blocks() const { return device_blocks_; }
  uint64_t false_candidates() const { return false_candidates_.load(std::memory_order_relaxed); }
  size_t metadata_bytes() const;

  // Handles lie in [0, handle_limit()); those not live are free.
  uint32_t handle_limit() const { return next_; }
  bool live(BlockHandle h) const { return h < next_ && (node(h).flags & IndexNode::kLive) != 0; }

  // "" or the first contradiction found.
  std::string Check() const;

 private:
  static constexpr uint32_t kShift = 12, kChunk = 1u << kShift, kMask = kChunk - 1;
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static constexpr size_t kAbsurdRun = 512;

  struct Entry {  // tag: high half of the name; its low bits are the home
    uint32_t tag = UINT32_MAX;
    uint32_t block = kNoBlockHandle;
  };

  static uint32_t Tag(uint64_t name) { return static_cast<uint32_t>(name >> 32); }
  size_t Home(uint64_t name) const { return Tag(name) & (table_.size() - 1); }
  bool Same(const IndexNode& n, BlockHandle h, BlockHandle parent, uint64_t name,
            const TokenId* tokens, const std::vector<BlockExtra>& extras) const;
  size_t BytesANode() const {
    return sizeof(IndexNode) + block_tokens_ * sizeof(TokenId) +
           groups_ * (sizeof(BlockId) + (counted_ ? sizeof(std::atomic<uint32_t>) : 0));
  }
  BlockHandle NewNode();
  void FreeNode(BlockHandle h);
  bool SameTokens(BlockHandle h, const TokenId* tokens) const;
  void TableInsert(uint32_t tag, BlockHandle block);
  void TableRemove(uint64_t name, BlockHandle block);
  void Grow();
  BlockHandle Guess(uint64_t name) const;

  const size_t block_tokens_, groups_;
  const bool counted_;
  const uint64_t hash_mask_;
  std::vector<std::unique_ptr<const BlockHasher>> hashers_;  // the last one is current
  std::atomic<const BlockHasher*> hasher_{nullptr};
  bool wants_rekey_ = false;
  bool rekeyed_since_growth_ = false;

  // Of so many nodes at a time: slots, holds, nodes, tokens. One arena, so that only one huge page
  // is partly used.
  ChunkArena memory_;
  std::vector<IndexNode*> nodes_;
  std::vector<TokenId*> tokens_;
  std::vector<BlockId*> slots_;
  std::vector<std::atomic<uint32_t>*> holds_;
  uint32_t next_ = 0;
  BlockHandle free_ = kNoBlockHandle;
  std::unordered_map<BlockHandle, std::vector<BlockExtra>> extras_;

  std::vector<Entry, LargeAllocator<Entry>> table_;
  size_t blocks_ = 0, device_blocks_ = 0;
  mutable std::atomic<uint64_t> false_candidates_{0};
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_PREFIX_INDEX_H_
