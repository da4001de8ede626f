// SPDX-License-Identifier: Apache-2.0
//
// Creation with the hash in the caller's hand, for tests: a mask of 0 makes every hash collide.
#ifndef PENSTOCK_SRC_KV_CACHE_CREATE_H_
#define PENSTOCK_SRC_KV_CACHE_CREATE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "penstock/base/export.h"
#include "penstock/kv_cache.h"

namespace penstock::internal {

struct PENSTOCK_EXPORT KVCacheAccess {
  static absl::StatusOr<KVCache> Create(BlockStore* store, const KVCacheOptions& options,
                                        uint64_t seed, uint64_t hash_mask);
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_CREATE_H_
