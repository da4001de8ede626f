// SPDX-License-Identifier: Apache-2.0
//
// The index across a restart: which prefixes were cached, in which of the host's blocks.
//
//   std::string snapshot = cache.Snapshot();  // before: save these bytes, and the blocks' bytes
//   absl::StatusOr<RestoreReport> report =
//       fresh_cache.Restore(snapshot, [&](absl::Span<const RestoredBlock> blocks) {
//         for (const RestoredBlock& b : blocks) LoadBytes(b.saved, b.now);
//         return absl::OkStatus();
//       });
//   fresh_cache.Restore("damaged", load);         // kDataLoss
//
// Scopes come back with their model fingerprint, so another model never matches them.
#ifndef PENSTOCK_KV_CACHE_SNAPSHOT_H_
#define PENSTOCK_KV_CACHE_SNAPSHOT_H_

#include <cstddef>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "penstock/kv_cache/block_store.h"

namespace penstock {

// The bytes that stood in `saved` of `saved_tier` when the snapshot was taken are to stand in `now`
// of `now_tier`. Both are Tier::kDevice in a cache without a second tier.
struct RestoredBlock {
  GroupId group{};
  BlockId saved = kNoBlock;
  BlockId now = kNoBlock;
  Tier saved_tier = Tier::kDevice;
  Tier now_tier = Tier::kDevice;
};

// Called without a lock, with blocks of up to 64 positions at a time, parents first. An error means
// that none of these blocks is usable: they are given back, and what continues them is skipped.
using RestoreFn = absl::AnyInvocable<absl::Status(absl::Span<const RestoredBlock> blocks)>;

struct RestoreReport {
  size_t restored = 0;  // blocks of one group each count once per position
  size_t present = 0;   // were cached already
  size_t skipped = 0;   // no room, or something before them is missing
  size_t failed = 0;    // the callback failed
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_SNAPSHOT_H_
