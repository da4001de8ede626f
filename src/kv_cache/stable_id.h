// SPDX-License-Identifier: Apache-2.0
//
// The SHA-256 ids of penstock/kv_cache/events.h, one step at a time.
//
//   StableBlockId id = StableRootId(scope, 16);
//   id = StableChildId(id, tokens_of_block, extras_of_block);
#ifndef PENSTOCK_SRC_KV_CACHE_STABLE_ID_H_
#define PENSTOCK_SRC_KV_CACHE_STABLE_ID_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "kv_cache/prompt.h"
#include "penstock/kv_cache/events.h"

namespace penstock::internal {

StableBlockId StableRootId(const Scope& scope, size_t block_tokens);
StableBlockId StableChildId(const StableBlockId& parent, absl::Span<const TokenId> tokens,
                            const std::vector<BlockExtra>& extras);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_STABLE_ID_H_
