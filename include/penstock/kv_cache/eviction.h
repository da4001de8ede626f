// SPDX-License-Identifier: Apache-2.0
//
// EvictionPolicy: which cached block goes first. Pick a built-in one, or write your own;
// correctness never depends on it.
//
//   KVCacheOptions options;
//   options.policy = [] { return NewLruPolicy(); };
//   // learns from conversations; takes the request's hints
//   options.policy = [] { return NewSessionPolicy(); };
//   options.policy = [] { return std::make_unique<MyPolicy>(); };
//   options.policy = [] { return nullptr; };                 // KVCache::Create: kInvalidArgument
//
// The cache evicts leaves only: a block goes after all blocks that continue it. A request touches a
// whole path, so the policy hears of the deepest block alone, and a block inherits the recency of
// the children that were evicted before it: the same order as touching every block of the path, at
// one notification a request.
#ifndef PENSTOCK_KV_CACHE_EVICTION_H_
#define PENSTOCK_KV_CACHE_EVICTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/kv_cache/request.h"

namespace penstock {

// A cached block, by a small dense number that is used again after OnRemove. One handle covers all
// groups.
using BlockHandle = uint32_t;
constexpr BlockHandle kNoBlockHandle = UINT32_MAX;

// What a policy may ask about the cache while it picks.
class EvictionView {
 public:
  virtual ~EvictionView() = default;
  virtual bool evictable(BlockHandle block) const = 0;  // no cached continuation, no lease, no pin
  virtual uint32_t depth(BlockHandle block) const = 0;  // 0 = first block of a prompt
  virtual uint64_t name(BlockHandle block) const = 0;   // as in PolicyRequest::path
};

// A request as a policy sees it.
struct PolicyRequest {
  MonoTime now;
  // One keyed 64-bit name for every full block of the prompt, first to last; the same for the same
  // prefix while the process lives, so that a policy can remember blocks that are gone (ghosts).
  // Rarely equal for different prefixes: good for statistics only.
  absl::Span<const uint64_t> path;
  size_t cached_blocks = 0;              // how many of them are cached
  BlockHandle deepest = kNoBlockHandle;  // the last of these
  const ReuseHint& hint;
};

// Open: built-ins below, or a host's own. Calls are serialized by the cache, so an implementation
// needs no lock; it must not call the cache. Deterministic: the same calls give the same victims.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  // A request arrived and matched. The result is handed back with every block it inserts or
  // touches.
  virtual uint64_t OnRequest(const PolicyRequest& request) = 0;

  // `block` became cached, by the request that got `cookie`. `parent` is kNoBlockHandle for a first
  // block.
  virtual void OnInsert(BlockHandle block, BlockHandle parent, uint64_t name, uint64_t cookie,
                        MonoTime now) = 0;

  // A lease or pin on the path that ends in `block` ended (or moved to another block).
  virtual void OnTouch(BlockHandle block, uint64_t cookie, MonoTime now) = 0;

  // `child`, the last cached continuation of `block`, is being removed.
  virtual void OnLeaf(BlockHandle block, BlockHandle child) = 0;

  // The block to evict now, with view.evictable() true; kNoBlockHandle if there is none. A block
  // that was passed over as not evictable may be forgotten until OnTouch or OnLeaf names it again.
  virtual BlockHandle PickVictim(const EvictionView& view, MonoTime now) = 0;

  // `block` is gone. `evicted`: this policy's choice; otherwise dropped, invalidated or moved on
  // for another reason.
  virtual void OnRemove(BlockHandle block, bool evicted) = 0;
};

// Least recently used leaf first. O(1) a call, amortised; 16 bytes a block. Ignores hints.
PENSTOCK_EXPORT std::unique_ptr<EvictionPolicy> NewLruPolicy();

struct SessionPolicyOptions {
  size_t ghosts_per_block = 4;  // history kept of evicted blocks, 13 bytes each; at least 65 536
  bool lru_guard = true;        // depart from LRU only as far as it has paid, and a little
  bool use_hints = true;        // p_reuse, expected_gap, ttl, priority
};

// Learns, for each kind of block (turn of its conversation, hints, part of its prompt), how likely
// and how soon it comes back, counting evicted blocks too, and evicts the kind that earns least per
// second of residence; oldest or newest first within a kind. Nothing is fitted beforehand. The
// default. O(kinds) a victim: 18 without hints, at most 186. 6 bytes a block, 28 for what a request
// adds to a path (and for a block of it that another request ends in), and the ghosts.
PENSTOCK_EXPORT std::unique_ptr<EvictionPolicy> NewSessionPolicy(
    const SessionPolicyOptions& options = SessionPolicyOptions());

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_EVICTION_H_
