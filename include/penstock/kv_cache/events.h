// SPDX-License-Identifier: Apache-2.0
//
// What became of which block, by ids that mean the same in every process: for a router or a store
// outside.
//
//   options.event_capacity = 16384;
//   uint64_t next = 0;
//   for (;;) {
//     KVEventBatch batch = cache.EventsSince(next);
//     if (batch.gap) Resync();                    // events were overwritten before they were read
//     for (const KVEvent& e : batch.events) Follow(e);
//     next = batch.next;
//   }
//
// Without event_capacity no event is kept and no id is computed.
#ifndef PENSTOCK_KV_CACHE_EVENTS_H_
#define PENSTOCK_KV_CACHE_EVENTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/kv_cache/block_store.h"
#include "penstock/kv_cache/request.h"

namespace penstock {

// SHA-256 of a whole prefix. Never changes between versions (integers little-endian):
//   root  = SHA-256("penstock-kv-1" 0x00, u32 block_tokens, then of model, adapter, tenant and
//           approximation: u64 length, bytes)
//   block = SHA-256(id of the parent, block_tokens × i32 token, then for each extra key that
//           overlaps the block: i64 start relative to the block, u64 length, 32 bytes content)
using StableBlockId = std::array<uint8_t, 32>;

// Ids of the whole blocks of a prompt, first to last: what the cache would call them.
PENSTOCK_EXPORT std::vector<StableBlockId> StableBlockIds(const Scope& scope,
                                                          absl::Span<const TokenId> tokens,
                                                          absl::Span<const ExtraKey> extra_keys,
                                                          size_t block_tokens);

struct KVEvent {
  // kTierChanged: its bytes are now in `tier`; announced when they have arrived.
  enum class Kind : uint8_t { kStored, kRemoved, kTierChanged };

  uint64_t sequence = 0;  // 0, 1, 2, …
  Kind kind = Kind::kStored;
  Tier tier = Tier::kDevice;  // where it is now; of a removed one: where it was
  uint32_t depth = 0;         // position of the block in its prompt
  StableBlockId id{};
  StableBlockId parent{};  // of the scope's root for a first block
};

struct KVEventBatch {
  std::vector<KVEvent> events;  // in order, without holes
  uint64_t next = 0;            // ask for this next
  bool gap = false;             // events between the asked one and the first one here are lost
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_EVENTS_H_
