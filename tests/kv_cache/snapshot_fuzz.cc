// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a snapshot: Restore ends in a status or a sound cache, with every block accounted
// for. Half of the inputs get a right checksum, so that what lies behind it is read too.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  if (size == 0 || size > (1 << 14)) return 0;
  MemoryBlockStoreOptions store_options;
  store_options.block_tokens = 1;
  store_options.capacity_blocks = 6;
  store_options.host_capacity_blocks = 5;
  auto store = *MemoryBlockStore::Create(store_options);
  KVCacheOptions options;
  options.block_tokens = 1;
  options.max_scopes = 3;
  if ((data[0] & 2) != 0) options.capacity_blocks = 6;
  if ((data[0] & 4) != 0) {
    options.second_tier.emplace();
    options.second_tier->capacity_blocks = 5;
  }
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) {
    bytes.insert(0, "PSKV2\n");
    internal::Sha256 hash;
    hash.Update(bytes);
    const internal::Sha256::Digest digest = hash.Finish();
    bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  {
    KVCache cache = *KVCache::Create(store.get(), options);
    KVRequest request;
    const std::vector<TokenId> ids = {1, 2, 3};
    request.tokens = ids;
    CheckOk(cache.Acquire(request)->Commit(3));
    for (int round = 0; round < 2; ++round) {  // the second finds what the first brought
      size_t calls = 0;
      const absl::StatusOr<RestoreReport> report =
          cache.Restore(bytes, [&](absl::Span<const RestoredBlock>) {
            return (data[0] & 8) != 0 && ++calls == 2 ? absl::InternalError("fault")
                                                      : absl::OkStatus();
          });
      Check(report.ok() || !report.status().message().empty());
      CheckOk(cache.CheckInvariants());
    }
    CheckOk(cache.Restore(cache.Snapshot(), [](auto) { return absl::OkStatus(); }).status());
    CheckOk(cache.Acquire(request).status());
    CheckOk(cache.CheckInvariants());
  }
  Check(store->allocated_blocks() == 0 && store->allocated_blocks(Tier::kHost) == 0);
  return 0;
}
