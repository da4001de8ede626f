// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: references, eviction, and blocks from and to the store.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kv_cache/shell.h"

namespace penstock::internal {

bool CacheShell::View::evictable(BlockHandle block) const {
  const IndexNode& n = index_.node(block);
  return n.device_children == 0 && n.refs.load(std::memory_order_acquire) == 0 &&
         (n.flags & IndexNode::kMoving) == 0;
}

// Every reference starts as transient, under the shared lock.
void CacheShell::Ref(BlockHandle block) const {
  const_cast<IndexNode&>(index_.node(block)).refs.fetch_add(1, std::memory_order_acq_rel);
  transient_refs_.fetch_add(1, std::memory_order_relaxed);
}

// Enters a transient reference into the books: `blocks` is its depth.
void CacheShell::Keep(BlockHandle block, size_t blocks) {
  transient_refs_.fetch_sub(1, std::memory_order_relaxed);
  ++anchors_[block];
  ++kept_;
  held_upper_ += blocks;
}

// Gives up a reference that Keep entered.
void CacheShell::Unkeep(BlockHandle block, size_t blocks, uint64_t cookie) {
  const auto it = anchors_.find(block);
  if (--it->second == 0) anchors_.erase(it);
  --kept_;
  held_upper_ -= blocks;
  IndexNode& n = index_.node(block);
  n.refs.fetch_sub(1, std::memory_order_acq_rel);
  if ((n.flags & IndexNode::kRoot) == 0 && n.tier == Tier::kDevice) {
    policy_->OnTouch(block, cookie, clock_->Now());
  }
}

// In a dropped scope: removes `block` and its ancestors as far as nothing holds them, and at last
// the scope itself.
void CacheShell::Reap(BlockHandle block, Columns* out) {
  const uint32_t id = index_.node(block).scope;
  ScopeState& scope = scopes_[id];
  if (!scope.dropped) return;
  while (block != scope.root) {
    const IndexNode& n = index_.node(block);
    if (n.first_child != kNoBlockHandle || n.refs.load(std::memory_order_acquire) != 0 ||
        (n.flags & IndexNode::kMoving) != 0) {
      return;
    }
    const BlockHandle parent = n.parent;
    RemoveBlock(block, /*evicted=*/false, out);
    block = parent;
  }
  const IndexNode& root = index_.node(scope.root);
  if (root.first_child != kNoBlockHandle || root.refs.load(std::memory_order_acquire) != 0) return;
  index_.RemoveRoot(scope.root);
  scope.root = kNoBlockHandle;
  scope.scope = Scope();
  free_scopes_.push_back(id);
}

// Ends a lease's or pin's hold on `block`.
void CacheShell::Leave(BlockHandle block, size_t blocks, uint64_t cookie, Columns* out) {
  const uint32_t scope = index_.node(block).scope;
  scopes_[scope].holders.fetch_sub(1, std::memory_order_relaxed);
  Unkeep(block, blocks, cookie);
  if (!scopes_[scope].dropped && !scope_links_.linked(scope))
    scope_links_.PushHot(&scope_lru_, scope);
  Reap(block, out);
}

void CacheShell::TouchScope(uint32_t scope) {
  if (scopes_[scope].dropped) return;
  if (scope_links_.linked(scope)) scope_links_.Remove(&scope_lru_, scope);
  scope_links_.PushHot(&scope_lru_, scope);
}

void CacheShell::RemoveBlock(BlockHandle block, bool evicted, Columns* out) {
  const IndexNode& n = index_.node(block);
  const IndexNode& parent = index_.node(n.parent);
  Emit(KVEvent::Kind::kRemoved, block);
  if (n.tier == Tier::kDevice) {
    if (parent.device_children == 1 && (parent.flags & IndexNode::kRoot) == 0) {
      policy_->OnLeaf(n.parent, block);
    }
    policy_->OnRemove(block, evicted);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const BlockId id = index_.slots(block)[g];
      if (id != kNoBlock) out->by_group[g].push_back(id);
    }
  }
  ScopeState& scope = scopes_[n.scope];
  --scope.stats.cached_blocks;
  --stats_.total.cached_blocks;
  if (evicted) {
    ++scope.stats.evicted_blocks;
    ++stats_.total.evicted_blocks;
  }
  index_.Remove(block);
}

size_t CacheShell::Evict(size_t columns, Columns* out) {
  const MonoTime now = clock_->Now();
  size_t evicted = 0;
  for (; evicted < columns; ++evicted) {
    const BlockHandle victim = policy_->PickVictim(view_, now);
    if (victim == kNoBlockHandle) break;
    PENSTOCK_CHECK(index_.live(victim) && view_.evictable(victim));  // a policy may be the host's
    RemoveBlock(victim, /*evicted=*/true, out);
  }
  return evicted;
}

// How many blocks could be evicted one after the other: those that are on no held path. O(held
// blocks).
size_t CacheShell::Evictable() const {
  std::unordered_set<BlockHandle> held;
  for (const auto& [anchor, count] : anchors_) {
    for (BlockHandle h = anchor; (index_.node(h).flags & IndexNode::kRoot) == 0;
         h = index_.node(h).parent) {
      if (!held.insert(h).second) break;
    }
  }
  return index_.blocks() - held.size();
}

// Books `columns` more blocks of every group; evicts what stands in the way, or nothing at all if
// that cannot suffice.
absl::Status CacheShell::MakeRoom(size_t columns, Columns* out) {
  const auto over = [&]() -> size_t {
    if (!options_.capacity_blocks.has_value()) return 0;
    size_t used = 0;
    for (size_t g = 0; g < groups_.size(); ++g) used = std::max(used, used_[g].load());
    return used + columns > *options_.capacity_blocks ? used + columns - *options_.capacity_blocks
                                                      : 0;
  };
  if (const size_t needed = over(); needed > 0) {
    const size_t cached = index_.blocks();
    const bool surely = cached >= held_upper_ && cached - held_upper_ >= needed;
    if (!surely && Evictable() < needed) {
      return absl::ResourceExhaustedError(
          absl::StrCat(columns, " blocks wanted, capacity_blocks is ", *options_.capacity_blocks,
                       ", too many are held by leases and pins"));
    }
  }
  // A column whose groups have holes (windows) frees less than one block of each group: hence the
  // loop.
  for (size_t needed = over(); needed > 0; needed = over()) {
    Columns victims(groups_.size());
    const size_t evicted = Evict(needed, &victims);
    for (size_t g = 0; g < groups_.size(); ++g) {
      used_[g].fetch_sub(victims.by_group[g].size());
      out->by_group[g].insert(out->by_group[g].end(), victims.by_group[g].begin(),
                              victims.by_group[g].end());
    }
    if (evicted == 0) {  // other lookups hold blocks just now, or holes
      return absl::ResourceExhaustedError(
          absl::StrCat(columns, " blocks wanted, nothing more can be evicted"));
    }
  }
  UseMore(columns);
  return absl::OkStatus();
}

void CacheShell::UseMore(size_t columns) {
  for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_add(columns);
}

void CacheShell::UseLess(size_t columns) {
  for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_sub(columns);
}

void CacheShell::FreeColumns(Columns* columns, bool subtract) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<BlockId>& ids = columns->by_group[g];
    if (ids.empty()) continue;
    store_->Free(static_cast<GroupId>(g), Tier::kDevice, ids);
    if (subtract) used_[g].fetch_sub(ids.size());
    ids.clear();
  }
}

// Fills positions [first, first + columns) of every group's table, all or nothing. Evicts and asks
// again when the store is full; does not change used_ on balance.
absl::Status CacheShell::AllocateColumns(size_t columns, BlockTable* table, size_t first) {
  if (columns == 0) return absl::OkStatus();
  for (int attempt = 0;; ++attempt) {
    absl::Status status;
    size_t done = 0;
    for (; done < groups_.size(); ++done) {
      status = store_->Allocate(static_cast<GroupId>(done), Tier::kDevice,
                                absl::MakeSpan((*table)[done]).subspan(first, columns));
      if (!status.ok()) break;
    }
    if (status.ok()) return status;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const absl::Span<BlockId> ids = absl::MakeSpan((*table)[g]).subspan(first, columns);
      if (g < done) store_->Free(static_cast<GroupId>(g), Tier::kDevice, ids);
      std::fill(ids.begin(), ids.end(), kNoBlock);
    }
    store_errors_.fetch_add(1, std::memory_order_relaxed);
    if (status.code() != absl::StatusCode::kResourceExhausted || attempt == 3) return status;
    Columns victims(groups_.size());
    size_t evicted;
    {
      WriterLock lock(mu_);
      evicted = Evict(columns, &victims);
    }
    FreeColumns(&victims, /*subtract=*/true);
    if (evicted == 0) return status;
  }
}

// The two steps above for a lease that grows. On success used_ counts the columns.
absl::Status CacheShell::ReserveColumns(size_t columns, BlockTable* table, size_t first) {
  Columns victims(groups_.size());
  absl::Status status;
  {
    WriterLock lock(mu_);
    status = MakeRoom(columns, &victims);
  }
  FreeColumns(&victims, /*subtract=*/false);
  if (status.ok()) {
    for (std::vector<BlockId>& column : *table) column.resize(first + columns, kNoBlock);
    status = AllocateColumns(columns, table, first);
    if (!status.ok()) {
      UseLess(columns);
      for (std::vector<BlockId>& column : *table) column.resize(first);
    }
  }
  if (status.code() == absl::StatusCode::kResourceExhausted)
    refused_.fetch_add(1, std::memory_order_relaxed);
  return status;
}

}  // namespace penstock::internal
