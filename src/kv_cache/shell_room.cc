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
  return n.tier == Tier::kDevice && n.device_children == 0 &&
         n.refs.load(std::memory_order_acquire) == 0 && (n.flags & IndexNode::kMoving) == 0;
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
  if ((n.flags & IndexNode::kRoot) != 0) return;
  if (n.tier == Tier::kDevice) {
    policy_->OnTouch(block, cookie, clock_->Now());
  } else if (Offloaded(block)) {
    lower_policy_->OnTouch(block, cookie, clock_->Now());
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

// Takes a block from the device's books; its slots are the caller's.
void CacheShell::LeaveDevice(BlockHandle block, bool evicted) {
  const IndexNode& n = index_.node(block);
  const IndexNode& parent = index_.node(n.parent);
  if (parent.device_children == 1 && (parent.flags & IndexNode::kRoot) == 0) {
    policy_->OnLeaf(n.parent, block);
  }
  policy_->OnRemove(block, evicted);
}

// Makes of a node one that is cached nowhere: kLost. What it had is in `out`, unless it was moving:
// then it is the move's.
void CacheShell::Strip(BlockHandle block, bool evicted, Columns* out) {
  IndexNode& n = index_.node(block);
  if ((n.flags & IndexNode::kLost) != 0) return;
  const bool moving = (n.flags & IndexNode::kMoving) != 0;
  Emit(KVEvent::Kind::kRemoved, block, moving ? Tier::kDevice : n.tier);
  const bool device = n.tier == Tier::kDevice;
  if (device) {
    LeaveDevice(block, evicted);
    index_.SetTier(block, Tier::kHost);
  } else if (!moving) {
    lower_policy_->OnRemove(block, evicted);
    ++out->lower_columns;
    if (index_.node(n.parent).first_child == block && n.next_sibling == kNoBlockHandle &&
        Offloaded(n.parent)) {
      lower_policy_->OnLeaf(n.parent, block);
    }
  }
  for (size_t g = 0; g < groups_.size() && !moving; ++g) {
    BlockId& id = index_.slots(block)[g];
    if (id != kNoBlock) (device ? out->by_group : out->lower)[g].push_back(id);
    id = kNoBlock;
  }
  n.flags = static_cast<uint8_t>((n.flags & ~IndexNode::kMoving) | IndexNode::kLost);
  ScopeState& scope = scopes_[n.scope];
  --scope.stats.cached_blocks;
  --stats_.total.cached_blocks;
  if (evicted) {
    ++scope.stats.evicted_blocks;
    ++stats_.total.evicted_blocks;
  }
}

// Removes a lost node that nothing holds. False: something does.
bool CacheShell::Discard(BlockHandle block) {
  const IndexNode& n = index_.node(block);
  if (n.first_child != kNoBlockHandle || n.refs.load(std::memory_order_acquire) != 0) return false;
  index_.Remove(block);
  return true;
}

// Forgets a block and what continues it in the second tier. A node above one that is just moving
// stays until that has arrived.
void CacheShell::RemoveBlock(BlockHandle block, bool evicted, Columns* out) {
  if (index_.node(block).first_child != kNoBlockHandle) {
    std::vector<BlockHandle> below{block};  // parents before children
    for (size_t i = 0; i < below.size(); ++i) {
      for (BlockHandle h = index_.node(below[i]).first_child; h != kNoBlockHandle;
           h = index_.node(h).next_sibling) {
        below.push_back(h);
      }
    }
    for (; below.size() > 1; below.pop_back()) {
      if ((index_.node(below.back()).flags & IndexNode::kMoving) != 0) continue;
      Strip(below.back(), evicted, out);
      Discard(below.back());
    }
  }
  const BlockHandle parent = index_.node(block).parent;
  Strip(block, evicted, out);
  // It may have been the last that a lost node waited for. A dropped scope is reaped by the caller.
  if (Discard(block) && !scopes_[index_.node(parent).scope].dropped) Prune(parent, out);
}

// With `offload`, what is worth it only leaves the device.
size_t CacheShell::Evict(size_t columns, Columns* out, TierMove* offload) {
  const MonoTime now = clock_->Now();
  size_t evicted = 0;
  for (; evicted < columns; ++evicted) {
    const BlockHandle victim = policy_->PickVictim(view_, now);
    if (victim == kNoBlockHandle) break;
    PENSTOCK_CHECK(index_.live(victim) && view_.evictable(victim));  // a policy may be the host's
    index_.Prefetch(index_.node(index_.node(victim).parent).name);   // often the next one
    if (!StartOffload(victim, offload, out)) RemoveBlock(victim, /*evicted=*/true, out);
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
  return index_.device_blocks() - held.size();
}

// By how many columns the device would be over its capacity with `columns` more.
size_t CacheShell::Over(size_t columns) const {
  if (!options_.capacity_blocks.has_value()) return 0;
  size_t used = 0;
  for (size_t g = 0; g < groups_.size(); ++g) used = std::max(used, used_[g].load());
  return used + columns > *options_.capacity_blocks ? used + columns - *options_.capacity_blocks
                                                    : 0;
}

// Books `columns` more blocks of every group; evicts what stands in the way, or nothing at all if
// that cannot suffice. ClearRoom must follow without the lock, whatever comes of it.
absl::Status CacheShell::MakeRoom(size_t columns, Room* room) {
  if (const size_t needed = Over(columns); needed > 0) {
    const size_t cached = index_.device_blocks();
    const bool surely = cached >= held_upper_ && cached - held_upper_ >= needed;
    if (!surely && Evictable() < needed) {
      return absl::ResourceExhaustedError(
          absl::StrCat(columns, " blocks wanted, capacity_blocks is ", *options_.capacity_blocks,
                       ", too many are held by leases and pins"));
    }
    // A host that was late once may be late again: then as many others must be there to go.
    const bool spare = cached >= held_upper_ && cached - held_upper_ >= 2 * needed;
    if (stats_.late_transfers == 0 || spare) room->offload = NewOffload(/*promised=*/true);
  }
  // A column whose groups have holes (windows) frees less than one block of each group: hence the
  // loop.
  const auto leaving = [&](size_t g) {
    if (room->offload == nullptr) return room->victims.by_group[g].size();
    const std::vector<BlockId>& ids = room->offload->device[g];
    return room->victims.by_group[g].size() + ids.size() -
           static_cast<size_t>(std::count(ids.begin(), ids.end(), kNoBlock));
  };
  for (size_t needed = Over(columns); needed > 0; needed = Over(columns)) {
    std::vector<size_t> before;
    for (size_t g = 0; g < groups_.size(); ++g) before.push_back(leaving(g));
    const size_t evicted = Evict(needed, &room->victims, room->offload.get());
    for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_sub(leaving(g) - before[g]);
    if (evicted == 0) {  // other lookups hold blocks just now, or holes
      return absl::ResourceExhaustedError(
          absl::StrCat(columns, " blocks wanted, nothing more can be evicted"));
    }
  }
  UseMore(columns);
  return absl::OkStatus();
}

// Gives back and offloads what MakeRoom took. kResourceExhausted: the host is late with blocks of
// the `columns` that were booked, and there are no others; they are booked no more.
absl::Status CacheShell::ClearRoom(size_t columns, Room* room) {
  FreeColumns(&room->victims, /*subtract=*/false);
  FreeColumns(&room->dead, /*subtract=*/true);
  if (room->offload == nullptr || room->offload->blocks.empty()) return absl::OkStatus();
  Offload(room->offload);
  absl::Status status;
  {
    WriterLock lock(mu_);
    if (!MarkLate(room->offload.get())) return absl::OkStatus();
    for (size_t over = Over(0); over > 0; over = Over(0)) {
      Columns more(groups_.size());
      const size_t evicted = Evict(over, &more, /*offload=*/nullptr);
      if (evicted == 0) {
        UseLess(columns);
        status = absl::ResourceExhaustedError(
            absl::StrCat(columns, " blocks wanted, the store has not finished offloading"));
        break;
      }
      for (size_t g = 0; g < groups_.size(); ++g) {
        used_[g].fetch_sub(more.by_group[g].size());
        room->victims.by_group[g].insert(room->victims.by_group[g].end(), more.by_group[g].begin(),
                                         more.by_group[g].end());
        room->victims.lower[g].insert(room->victims.lower[g].end(), more.lower[g].begin(),
                                      more.lower[g].end());
      }
      room->victims.lower_columns += more.lower_columns;
    }
  }
  FreeColumns(&room->victims, /*subtract=*/false);
  return status;
}

void CacheShell::UseMore(size_t columns) {
  for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_add(columns);
}

void CacheShell::UseLess(size_t columns) {
  for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_sub(columns);
}

// `subtract`: device blocks from used_. Columns of the second tier always are.
void CacheShell::FreeColumns(Columns* columns, bool subtract) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<BlockId>& ids = columns->by_group[g];
    if (!ids.empty()) {
      store_->Free(static_cast<GroupId>(g), Tier::kDevice, ids);
      if (subtract) used_[g].fetch_sub(ids.size());
      ids.clear();
    }
    std::vector<BlockId>& lower = columns->lower[g];
    if (lower.empty()) continue;
    store_->Free(static_cast<GroupId>(g), options_.second_tier->tier, lower);
    lower.clear();
  }
  if (columns->lower_columns != 0) lower_used_.fetch_sub(columns->lower_columns);
  columns->lower_columns = 0;
}

// Fills positions [first, first + columns) of every group's table, all or nothing. Evicts and asks
// again when the store is full (the second time without offloading, which a late host would not
// have done in time); does not change used_ on balance.
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
    if (EvictNow(columns, /*offload=*/attempt == 0) == 0) return status;
  }
}

// Evicts outside of any reservation.
size_t CacheShell::EvictNow(size_t columns, bool offload) {
  Columns victims(groups_.size());
  std::shared_ptr<TierMove> move = offload ? NewOffload(/*promised=*/false) : nullptr;
  size_t evicted;
  {
    WriterLock lock(mu_);
    evicted = Evict(columns, &victims, move.get());
  }
  FreeColumns(&victims, /*subtract=*/true);
  if (move != nullptr && !move->blocks.empty()) {
    Offload(move);
    WriterLock lock(mu_);
    MarkLate(move.get());
  }
  return evicted;
}

// The two steps above for a lease that grows. On success used_ counts the columns.
absl::Status CacheShell::ReserveColumns(size_t columns, BlockTable* table, size_t first) {
  Room room(groups_.size());
  absl::Status status;
  {
    WriterLock lock(mu_);
    status = MakeRoom(columns, &room);
  }
  const absl::Status cleared = ClearRoom(status.ok() ? columns : 0, &room);
  status.Update(cleared);
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
