// SPDX-License-Identifier: Apache-2.0
//
// KVCache: reuse of K/V between requests that begin alike. The host owns the blocks; the library
// owns the index of what is in them and decides what goes first.
//
//   PENSTOCK_ASSIGN_OR_RETURN(KVCache cache, KVCache::Create(&blocks, options));
//   KVRequest request;
//   request.scope.model = "llama3-8b:kv-f16";
//   request.tokens = ids;
//   PENSTOCK_ASSIGN_OR_RETURN(Lease lease, cache.Acquire(request));
//   model.Prefill(ids, /*from=*/lease.matched_tokens(), lease.blocks());
//   lease.Commit(ids.size());                     // from now on others can reuse it
//
//   request.tokens = {};
//   cache.Acquire(request);                       // kInvalidArgument: the prompt is empty
//
// Identity. A block stands for (scope, the whole prefix before it, its own tokens, its own extra
// keys), and every match compares all of that: a hash collision costs time, never correctness.
//
// Life of a block. Reserved under a lease (private) → committed (public, read only) → evicted, once
// no lease, pin or longer prefix holds it. Nothing uncommitted is ever visible to another request.
//
// Cost, one thread, blocks of 16 tokens: a match hashes the prompt before it locks and then
// compares O(tokens) under a shared lock; a lease holds one counter, whatever its length. Figures:
// bench/README.md.
//
// When not to use it: one conversation at a time on one runtime sequence; that runtime's own KV is
// already the cache.
#ifndef PENSTOCK_KV_CACHE_H_
#define PENSTOCK_KV_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/block_store.h"
#include "penstock/kv_cache/events.h"
#include "penstock/kv_cache/eviction.h"
#include "penstock/kv_cache/lease.h"
#include "penstock/kv_cache/request.h"
#include "penstock/kv_cache/retention.h"
#include "penstock/kv_cache/second_tier.h"
#include "penstock/kv_cache/snapshot.h"
#include "penstock/kv_cache/stats.h"

namespace penstock {

namespace internal {
struct KVCacheAccess;
}

struct KVCacheOptions {
  size_t block_tokens = 16;  // 1 .. 65536; what the store's blocks hold
  std::vector<Retention>
      groups;  // one rule per group of layers; empty = one group that keeps everything

  // Device blocks of each group the cache may hold, cached and leased together. Unset: until the
  // store refuses.
  std::optional<size_t> capacity_blocks;

  // Where evicted blocks go. Unset: they are forgotten. See penstock/kv_cache/second_tier.h.
  std::optional<SecondTierOptions> second_tier;

  std::function<std::unique_ptr<EvictionPolicy>()> policy;  // unset: NewSessionPolicy()

  // Partial-block reuse: a prompt that leaves a cached block in the middle gets a copy of it, if at
  // least this many tokens agree. Unset: whole blocks only.
  std::optional<size_t> min_partial_tokens = 1;
  size_t partial_candidates = 16;  // newest continuations of a block that are compared

  double max_pinned_fraction =
      0.5;  // of capacity_blocks that pins may hold; of what is cached when that is unset
  size_t max_scopes = 4096;  // the scope that was idle longest is dropped for a new one

  std::optional<size_t> event_capacity;  // events kept for EventsSince; unset: none

  Clock* clock = nullptr;  // null: Clock::Real(); must outlive the cache and its leases

  absl::Status Validate() const;  // kInvalidArgument names the field
};

// What Warm did. tokens_prefilled is the price; KVCacheStats::warm_saved_tokens tells later what it
// brought.
struct WarmReport {
  size_t prompts = 0;          // prefilled
  size_t prompts_cached = 0;   // nothing left to compute
  size_t prompts_skipped = 0;  // over the budget
  size_t prompts_failed = 0;   // callback or reserve failed
  uint64_t tokens_prefilled = 0;
  uint64_t tokens_already_cached = 0;
  absl::Status first_error;
};

// Thread-safe; never calls the host (store, callbacks) with a lock held. Move-only; leases outlive
// it, the store outlives both.
class PENSTOCK_EXPORT KVCache {
 public:
  // kInvalidArgument: `store` is null, an option is out of range, or the policy factory gave
  // nothing.
  static absl::StatusOr<KVCache> Create(BlockStore* store, const KVCacheOptions& options = {});

  KVCache(KVCache&&) noexcept;
  KVCache& operator=(KVCache&&) noexcept;
  ~KVCache();  // frees what no lease holds

  // What Acquire would find, without any effect. An invalid request finds nothing. O(tokens).
  Match Peek(const KVRequest& request) const;

  // Matches the longest cached prefix, makes room for the rest (evicting if need be), and holds
  // both.
  // kInvalidArgument: empty prompt, negative token, extra keys out of order or out of the prompt.
  // kResourceExhausted: no room even after evicting everything that may go; nothing was taken.
  // Other codes: the store's. O(tokens), plus the blocks evicted.
  absl::StatusOr<Lease> Acquire(const KVRequest& request);

  // Keeps the cached whole blocks of this prompt until the pin dies.
  // kNotFound: nothing of it is cached. kResourceExhausted: max_pinned_fraction would be exceeded.
  absl::StatusOr<PrefixPin> Pin(const KVRequest& request);

  // Runs `prefill` for each prompt, in order, until `token_budget` computed tokens are spent; a
  // prompt that does not fit into what is left is skipped. `prefill` computes
  // [lease.matched_tokens(), tokens.size()) into lease.blocks(); Warm commits. Its tokens are
  // counted apart from requests'.
  using PrefillFn =
      absl::AnyInvocable<absl::Status(absl::Span<const TokenId> tokens, Lease& lease)>;
  WarmReport Warm(const Scope& scope, absl::Span<const std::vector<TokenId>> prompts,
                  uint64_t token_budget, PrefillFn prefill);

  // Single flight: when another live lease is computing what this prompt misses
  // (Match::in_flight_tokens), takes `ready` and calls it once that is committed, or will not be:
  // then Acquire. Returns false, and leaves `ready` alone, when nothing is in flight. `ready` runs
  // on the thread that commits or releases, without a lock. The waiting request holds nothing;
  // nothing is promised to be still cached when it comes.
  bool NotifyWhenComputed(const KVRequest& request, absl::AnyInvocable<void() &&>&& ready);

  // Events from number `sequence` on; see penstock/kv_cache/events.h. O(events returned).
  KVEventBatch EventsSince(uint64_t sequence) const;

  // The index as bytes, for Restore in another process; the host saves the bytes of the blocks.
  // O(blocks).
  std::string Snapshot() const;

  // Fills free room with the blocks of a snapshot, parents first, the device before the second
  // tier; evicts nothing.
  // kDataLoss: damaged. kFailedPrecondition: another block size or number of groups. Nothing was
  // restored then.
  absl::StatusOr<RestoreReport> Restore(std::string_view snapshot, RestoreFn load);

  // Forgets a scope (its weights changed, its tenant left). Leased blocks stay with their leases,
  // but match no more.
  // Returns the number of blocks that stopped being cached.
  size_t Drop(const Scope& scope);

  // Evicts (offloads, if there is a second tier) until at most `blocks` columns (one block of every
  // group) are allocated on the device, or nothing more may go. Returns the number evicted. Does
  // not change the capacity.
  size_t Shrink(size_t blocks);

  KVCacheStats GetStats() const;
  std::optional<KVScopeStats> GetScopeStats(const Scope& scope) const;
  const KVCacheOptions& options() const;

  // Verifies the whole structure against itself. OK, or kInternal with the first contradiction.
  // O(blocks); for tests.
  absl::Status CheckInvariants() const;

 private:
  friend struct internal::KVCacheAccess;
  explicit KVCache(std::shared_ptr<internal::CacheShell> shell);
  std::shared_ptr<internal::CacheShell> shell_;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_H_
