// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: what stands behind KVCache, Lease and PrefixPin. It owns the one lock, and is the
// only caller of the host.
//
// Shape of every operation: hash without a lock → read or change the index under the lock → talk to
// the store without it. What a thread works on between two locked sections is protected by a
// reference on a node (leases, copies) or belongs to nobody else (private blocks).
//
// Accounting: used_[g] counts the device blocks of group g that the store has handed out to us. An
// eviction that makes room for a reservation passes its count on inside one locked section; a block
// that is merely given back is subtracted after BlockStore::Free has returned, so that nobody is
// promised a block the store does not have yet. lower_used_ does the same for columns of the second
// tier.
//
// Locks. mu_ guards the structure. What a hit writes (books of holds, recency, statistics, prompts
// in flight) it writes under mu_ shared and books_mu_, so that hits look up side by side; whoever
// has mu_ exclusively needs no books_mu_, and who reads those fields takes a HitLock too.
#ifndef PENSTOCK_SRC_KV_CACHE_SHELL_H_
#define PENSTOCK_SRC_KV_CACHE_SHELL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "kv_cache/handle_list.h"
#include "kv_cache/prefix_index.h"
#include "kv_cache/prompt.h"
#include "kv_cache/stable_id.h"
#include "penstock/kv_cache.h"

namespace penstock::internal {

using BlockTable = std::vector<std::vector<BlockId>>;  // [group][position]

struct LeaseRep {
  enum : uint8_t { kPublic = 0, kPrivate = 1, kMixed = 2 };  // see `owned`

  std::shared_ptr<CacheShell> shell;
  bool publish = true;
  bool warming = false;
  bool cheap = false;  // its blocks are not worth offloading
  uint64_t cookie = 0;
  size_t matched = 0, committed = 0, named = 0;  // tokens
  size_t deduped = 0;                            // blocks
  std::vector<TokenId> tail;                     // tokens [tail_base, named)
  size_t tail_base = 0;  // a multiple of block_tokens, <= public_blocks * block_tokens
  std::vector<ExtraKey> extra_keys;
  BlockTable table;
  // Per position: the index's; private, to be freed at the end; or by group, as `given` says: what
  // filled a hole of the index ([position][group], where there is such a position) is its.
  std::vector<uint8_t> owned, given;
  size_t low = 0;      // before it the table names no block of a window group, sinks apart
  bool swept = false;  // ApplyRetention was here
  // Changed under the lock only.
  BlockHandle anchor =
      kNoBlockHandle;  // deepest public node of this sequence, or the scope's root; holds one ref
  std::vector<uint64_t> names;  // of the prompt's whole blocks while it is in flight; else empty
  size_t public_blocks = 0;     // depth of the anchor

  bool Owns(size_t group, size_t position) const {
    return owned[position] == kPrivate ||
           (owned[position] == kMixed && given[position * table.size() + group] == 0);
  }
};

// Shared on the structure, exclusive on the books. To the analysis it is an exclusive lock: those
// who hold it must not change the structure (index, scopes, tiers), which no analysis knows.
class ABSL_SCOPED_LOCKABLE HitLock {
 public:
  HitLock(SharedMutex& mu, Mutex& books)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) ABSL_NO_THREAD_SAFETY_ANALYSIS : mu_(mu),
                                                                        books_(books) {
    mu_.LockShared();
    books_.Lock();
  }
  ~HitLock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    books_.Unlock();
    mu_.UnlockShared();
  }
  HitLock(const HitLock&) = delete;
  HitLock& operator=(const HitLock&) = delete;

 private:
  SharedMutex& mu_;
  Mutex& books_;
};

class CacheShell : public std::enable_shared_from_this<CacheShell> {
 public:
  CacheShell(BlockStore* store, const KVCacheOptions& options,
             std::unique_ptr<EvictionPolicy> policy, uint64_t seed, uint64_t hash_mask);
  ~CacheShell();

  Match Peek(const KVRequest& request) const;
  absl::StatusOr<Lease> Acquire(const KVRequest& request, bool warming);
  absl::StatusOr<PrefixPin> Pin(const KVRequest& request);
  size_t Drop(const Scope& scope);
  size_t Shrink(size_t blocks);
  void DropEverything();  // the cache dies; leases may live on
  KVCacheStats GetStats() const;
  std::optional<KVScopeStats> GetScopeStats(const Scope& scope) const;
  absl::Status CheckInvariants() const;
  const KVCacheOptions& options() const { return options_; }

  absl::Status Reserve(LeaseRep* lease, size_t total_tokens);
  absl::Status Append(LeaseRep* lease, absl::Span<const TokenId> ids);
  absl::Status Commit(LeaseRep* lease, size_t end_tokens);
  absl::StatusOr<Lease> Fork(LeaseRep* lease);
  absl::Status Truncate(LeaseRep* lease, size_t end_tokens);
  size_t ApplyRetention(LeaseRep* lease);
  void Release(LeaseRep* lease);
  void Unpin(BlockHandle block, size_t blocks);

  bool NotifyWhenComputed(const KVRequest& request, absl::AnyInvocable<void() &&>&& ready);
  KVEventBatch EventsSince(uint64_t sequence) const;
  std::string Snapshot() const;
  absl::StatusOr<RestoreReport> Restore(std::string_view bytes, RestoreFn load);

  size_t CachedBlocks(const KVRequest& request) const;  // whole blocks, the last token's too
  void AddWarmPrefilled(size_t tokens);

  size_t BlocksFor(size_t tokens) const {
    return tokens / block_tokens_ + (tokens % block_tokens_ != 0);
  }

 private:
  struct ScopeState {
    Scope scope;
    BlockHandle root = kNoBlockHandle;
    uint32_t next_same_name = UINT32_MAX;
    bool dropped = false;              // found no more; lives until its last lease
    std::atomic<uint32_t> holders{0};  // leases, pins, lookups in progress
    KVScopeStats stats;
  };

  struct Found {  // a match with its references
    uint32_t scope = UINT32_MAX;
    BlockHandle anchor = kNoBlockHandle;
    size_t blocks = 0;
    BlockHandle partial = kNoBlockHandle;
    size_t partial_tokens = 0;
    size_t lower = 0;  // blocks after these, in the second tier; the last one is held as well
    BlockHandle lowest = kNoBlockHandle;
    size_t in_flight_tokens = 0;
    bool warmed = false;
    std::vector<size_t> unmatched;  // blocks by group, if there are windows: Retention's price
  };

  struct Waiter {
    size_t blocks;  // public blocks of the lease that it waits for
    absl::AnyInvocable<void() &&> ready;
  };
  using Ready = std::vector<absl::AnyInvocable<void() &&>>;

  struct SavedBlock {  // of a snapshot
    uint32_t scope = 0, parent = 0;
    std::vector<TokenId> tokens;
    std::vector<BlockExtra> extras;
    std::vector<BlockId> slots;
    Tier tier = Tier::kDevice;
  };

  struct Columns {  // blocks on their way back to the store, by group
    explicit Columns(size_t groups) : by_group(groups), lower(groups) {}
    std::vector<std::vector<BlockId>> by_group, lower;  // device, second tier
    size_t lower_columns = 0;  // to subtract from lower_used_ once `lower` is freed
  };

  // One Transfer: columns on their way from the device to the second tier, or back. The nodes are
  // kMoving meanwhile, and stand in the second tier. Guarded by mu_, except that the tables do not
  // change once the transfer was asked for.
  struct TierMove {
    std::vector<BlockHandle> blocks;  // kNoBlockHandle: a commit brought its own block meanwhile
    BlockTable device, lower;         // [group][i]; kNoBlock: a hole
    bool out = false;
    bool promised = false;  // out: the device blocks were subtracted from used_ already
    bool late = false;      // nobody waits for it
    bool finished = false;  // `done` was called
    bool settled = false;   // and everything it left was freed
    size_t loaded = 0;      // in: the first so many are on the device now
    BlockHandle anchor = kNoBlockHandle;  // in: what the first one continues, held; then the last
    size_t anchor_blocks = 0;
  };

  struct Room {  // what had to go for a reservation
    explicit Room(size_t groups) : victims(groups), dead(groups) {}
    Columns victims;  // whose count the reservation took over
    Columns dead;     // what nobody needs any more; counted until it is freed
    std::shared_ptr<TierMove> offload;
  };

  class View final : public EvictionView {
   public:
    explicit View(const PrefixIndex& index) : index_(index) {}
    bool evictable(BlockHandle block) const override;
    uint32_t depth(BlockHandle block) const override { return index_.node(block).depth; }
    uint64_t name(BlockHandle block) const override { return index_.node(block).name; }

   private:
    const PrefixIndex& index_;
  };

  class LowerView final : public EvictionView {
   public:
    explicit LowerView(const PrefixIndex& index) : index_(index) {}
    bool evictable(BlockHandle block) const override;
    uint32_t depth(BlockHandle block) const override { return index_.node(block).depth; }
    uint64_t name(BlockHandle block) const override { return index_.node(block).name; }

   private:
    const PrefixIndex& index_;
  };

  // Lookup.
  PromptBlocks Hash(const KVRequest& request) const;
  uint32_t FindScope(uint64_t name, const Scope& scope) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::StatusOr<uint32_t> FindOrAddScope(uint64_t name, const Scope& scope, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MatchPath(uint32_t scope, const PromptBlocks& prompt, std::vector<BlockHandle>* path,
                 Found* found) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool MatchPartial(const PromptBlocks& prompt, size_t usable, Found* found) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Status Lookup(const KVRequest& request, PromptBlocks* prompt, Found* found,
                      BlockTable* table, std::vector<BlockHandle>* path);
  void DropIdleScope(Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t DropScope(uint32_t id, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RekeyIfWanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t ParentName(BlockHandle h) const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  // Groups with a window.
  size_t WindowBegin(size_t g, size_t token) const;
  bool Single(size_t g, size_t position) const;
  std::vector<std::vector<size_t>> GapEnds(const std::vector<BlockHandle>& path) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool Fits(const std::vector<size_t>& gap_ends, size_t g, size_t blocks, size_t tokens) const;
  size_t FitGroups(const std::vector<BlockHandle>& path, std::vector<size_t>* unmatched) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool FitsWith(const std::vector<BlockHandle>& path, size_t partial_tokens) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Hold(BlockHandle block, size_t g) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Unhold(BlockHandle block, size_t g) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void HoldAll(BlockHandle block, bool hold) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void NameBlocks(BlockHandle anchor, size_t blocks, BlockTable* table) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void UnnameBlocks(BlockHandle anchor, size_t first, size_t blocks, const BlockTable& table,
                    const LeaseRep* lease) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  size_t LowOf(size_t blocks) const;
  bool FillHoles(LeaseRep* lease, BlockHandle block, size_t position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckWindows(const LeaseRep& lease, size_t end_tokens) const;
  void DropOutOfWindow(const LeaseRep& lease, size_t first, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Shorten(uint64_t cookie, LeaseRep* lease, Found* found);
  absl::Status CheckHolds() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // References.
  void Ref(BlockHandle block) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Keep(BlockHandle block, size_t blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unkeep(BlockHandle block, size_t blocks, uint64_t cookie) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Move(LeaseRep* lease, BlockHandle to, size_t blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Leave(BlockHandle block, size_t blocks, uint64_t cookie, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Reap(BlockHandle block, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TouchScope(uint32_t scope) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Room.
  size_t Over(size_t columns) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeRoom(size_t columns, Room* room) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ClearRoom(size_t columns, Room* room);
  size_t EvictNow(size_t columns, bool offload);
  size_t Evict(size_t columns, Columns* out, TierMove* offload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t Evictable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveBlock(BlockHandle block, bool evicted, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveDevice(BlockHandle block, bool evicted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Strip(BlockHandle block, bool evicted, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Discard(BlockHandle block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FreeColumns(Columns* columns, bool subtract);
  absl::Status AllocateColumns(size_t columns, BlockTable* table, size_t first);
  void UseMore(size_t columns);
  void UseLess(size_t columns);
  absl::Status ReserveColumns(size_t columns, BlockTable* table, size_t first);

  // Second tier.
  std::shared_ptr<TierMove> NewOffload(bool promised) const;
  bool StartOffload(BlockHandle block, TierMove* move, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Offload(const std::shared_ptr<TierMove>& move);
  void FinishOffload(TierMove* move, const absl::Status& status);
  bool MarkLate(TierMove* move) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<TierMove> StartLoad(const std::vector<BlockHandle>& path, Found* found,
                                      Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelLoad(TierMove* move);
  absl::Status Load(const std::shared_ptr<TierMove>& move, uint64_t cookie, LeaseRep* lease,
                    Found* found);
  void FinishLoad(TierMove* move, uint64_t cookie, const absl::Status& status);
  void AttachLoaded(TierMove* move, uint64_t cookie, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReturnUnloaded(TierMove* move, bool damaged, Columns* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Adopt(BlockHandle block, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unref(BlockHandle block, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Prune(BlockHandle block, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Offloaded(BlockHandle block) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  absl::Status CheckTiers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Atomic inside: the one thing of the index that is read without the lock.
  const BlockHasher* CurrentHasher() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return index_.hasher();
  }
  // Prompts in flight.
  void EnterFlight(LeaseRep* lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveFlight(LeaseRep* lease, Ready* ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AdvanceFlight(LeaseRep* lease, size_t from, Ready* ready) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LeaseRep* FindFlight(uint32_t scope, const PromptBlocks& prompt, size_t matched,
                       size_t* blocks) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  size_t InFlightTokens(size_t prompt_tokens, size_t matched_tokens, size_t blocks) const;
  static void Run(Ready* ready);

  // Events and snapshots.
  void Emit(KVEvent::Kind kind, BlockHandle block, Tier tier) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ParseSnapshot(std::string_view bytes, std::vector<Scope>* scopes,
                             std::vector<SavedBlock>* blocks) const;
  void RestoreBatch(const std::vector<Scope>& scopes, const std::vector<SavedBlock>& saved,
                    absl::Span<const size_t> batch, Tier tier, const BlockTable& table,
                    std::vector<BlockHandle>* handles, RestoreReport* report, Columns* dead);
  bool RestorableBelow(BlockHandle parent, Tier tier) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool RestoreBlock(const SavedBlock& b, BlockHandle parent, Tier tier, BlockHandle* handle,
                    RestoreReport* report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<size_t> NextRestoreBatch(const std::vector<SavedBlock>& saved,
                                       const std::vector<BlockHandle>& handles, bool device_full,
                                       size_t* next, Tier* tier, RestoreReport* report) const;
  size_t RestoreRoom(Tier tier) const;
  absl::Status RestoreAllocate(Tier tier, size_t columns, BlockTable* table);

  // Parts of the larger operations.
  void AddRequestStats(const KVRequest& request, const Found& found, int sign, bool warming)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ClearWarmed(BlockHandle from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool FitsAlready(size_t columns) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Admit(const KVRequest& request, const PromptBlocks& prompt,
                     const std::vector<BlockHandle>& path, size_t total, Found* found,
                     LeaseRep* lease, Room* room, std::shared_ptr<TierMove>* load)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status TakeRoom(const KVRequest& request, const PromptBlocks& prompt,
                        const std::vector<BlockHandle>& path, size_t total, Found* found,
                        LeaseRep* lease, std::shared_ptr<TierMove>* load);
  absl::Status Fetch(const KVRequest& request, const std::shared_ptr<TierMove>& load, size_t total,
                     Found* found, LeaseRep* lease);
  bool CopyPartial(const Found& found, BlockTable* table);
  void AbandonLookup(const Found& found, const BlockTable& table, uint64_t cookie);
  size_t Publish(LeaseRep* lease, const PromptBlocks& prompt, size_t first, size_t count,
                 absl::Span<const TokenId> tokens, Columns* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  PromptBlocks NameLeaseBlocks(const LeaseRep& lease, const BlockHasher* hasher,
                               uint64_t parent_name, size_t first,
                               absl::Span<const TokenId> tokens) const;
  void TakeOwned(LeaseRep* lease, size_t first, Columns* out);

  BlockStore* const store_;
  const KVCacheOptions options_;
  const std::vector<Retention> groups_;
  const size_t block_tokens_;
  Clock* const clock_;
  std::vector<size_t> bytes_per_block_;
  std::vector<size_t> lower_bytes_per_block_;
  const bool has_windows_;

  mutable Mutex books_mu_ ABSL_ACQUIRED_AFTER(mu_);
  mutable SharedMutex mu_;
  PrefixIndex index_ ABSL_GUARDED_BY(mu_);
  const View view_;
  const LowerView lower_view_;
  std::unique_ptr<EvictionPolicy> policy_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<EvictionPolicy> lower_policy_ ABSL_GUARDED_BY(mu_);  // LRU, of the second tier
  std::unordered_map<BlockHandle, std::pair<TierMove*, size_t>> moving_ ABSL_GUARDED_BY(mu_);
  size_t late_columns_ ABSL_GUARDED_BY(mu_) = 0;  // offloads nobody waits for
  std::deque<ScopeState> scopes_ ABSL_GUARDED_BY(mu_);
  std::vector<uint32_t> free_scopes_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<uint64_t, uint32_t> scope_by_name_ ABSL_GUARDED_BY(mu_);
  HandleLinks scope_links_ ABSL_GUARDED_BY(mu_);
  HandleList scope_lru_ ABSL_GUARDED_BY(mu_);
  size_t live_scopes_ ABSL_GUARDED_BY(mu_) = 0;
  KVCacheStats stats_ ABSL_GUARDED_BY(mu_);
  size_t held_upper_ ABSL_GUARDED_BY(mu_) = 0;  // sum of the depths of all leases and pins
  std::unordered_map<BlockHandle, uint32_t> pinned_ ABSL_GUARDED_BY(mu_);  // blocks on pinned paths
  std::unordered_map<BlockHandle, uint32_t> anchors_ ABSL_GUARDED_BY(mu_);  // holds by block
  size_t kept_ ABSL_GUARDED_BY(mu_) = 0;                                    // sum of anchors_
  std::unordered_multimap<uint64_t, LeaseRep*> flights_
      ABSL_GUARDED_BY(mu_);  // by the first block not public yet
  std::unordered_multimap<LeaseRep*, Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  std::vector<StableBlockId> stable_ids_ ABSL_GUARDED_BY(mu_);  // by handle, if events are kept
  std::deque<KVEvent> events_ ABSL_GUARDED_BY(mu_);
  uint64_t next_event_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t rekey_seed_ ABSL_GUARDED_BY(mu_);

  std::unique_ptr<std::atomic<size_t>[]> used_;  // device blocks by group
  std::atomic<size_t> lower_used_{0};            // columns of the second tier
  mutable std::atomic<size_t> transient_refs_{0};
  mutable std::atomic<size_t> single_holds_{0};  // of blocks in window groups, by tables
  std::atomic<uint64_t> store_errors_{0};
  std::atomic<uint64_t> refused_{0};
};

}  // namespace penstock::internal

struct penstock::PrefixPin::Rep {
  std::shared_ptr<internal::CacheShell> shell;
  BlockHandle block;
  size_t blocks;
};

#endif  // PENSTOCK_SRC_KV_CACHE_SHELL_H_
