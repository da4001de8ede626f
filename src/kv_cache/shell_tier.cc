// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: columns on their way between the device and the second tier.
//
// A column leaves the device's books when its Transfer is asked for: its node stands in the second
// tier from then on, kMoving, without slots, so that its parent may follow in the same eviction. A
// load leaves the second tier's books the same way. Three things may happen meanwhile: a commit
// brings a block of its own for the node (Adopt; the move's entry is void then), the scope is
// dropped (the node goes when the move ends), or the node's ancestors are forgotten (they stay, as
// kLost nodes without blocks, until their last moving child has arrived, and is forgotten too).
// What only Transfer's `done` may free belongs to the move.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kv_cache/shell.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {

bool CacheShell::LowerView::evictable(BlockHandle block) const {
  const IndexNode& n = index_.node(block);
  return n.tier != Tier::kDevice && n.first_child == kNoBlockHandle &&
         n.refs.load(std::memory_order_acquire) == 0 && (n.flags & IndexNode::kUnusable) == 0;
}

// In the second tier, and nowhere else.
bool CacheShell::Offloaded(BlockHandle block) const {
  const IndexNode& n = index_.node(block);
  return n.tier != Tier::kDevice && (n.flags & (IndexNode::kUnusable | IndexNode::kRoot)) == 0;
}

std::shared_ptr<CacheShell::TierMove> CacheShell::NewOffload(bool promised) const {
  if (!options_.second_tier.has_value()) return nullptr;
  auto move = std::make_shared<TierMove>();
  move->device.resize(groups_.size());
  move->lower.resize(groups_.size());
  move->out = true;
  move->promised = promised;
  return move;
}

// False: not worth it, or no room for it; nothing changed then.
bool CacheShell::StartOffload(BlockHandle block, TierMove* move, Columns* out) {
  if (move == nullptr) return false;
  IndexNode& n = index_.node(block);
  if ((n.flags & IndexNode::kCheap) != 0 || scopes_[n.scope].dropped ||
      late_columns_ >= options_.second_tier->max_late_blocks) {
    return false;
  }
  if (lower_used_.load() >= options_.second_tier->capacity_blocks) {
    const BlockHandle oldest = lower_policy_->PickVictim(lower_view_, clock_->Now());
    if (oldest == kNoBlockHandle) return false;
    RemoveBlock(oldest, /*evicted=*/true, out);
    --out->lower_columns;  // its room is ours
  } else {
    lower_used_.fetch_add(1);
  }
  LeaveDevice(block, /*evicted=*/true);
  for (size_t g = 0; g < groups_.size(); ++g) {
    move->device[g].push_back(index_.slots(block)[g]);
    index_.slots(block)[g] = kNoBlock;
  }
  index_.SetTier(block, options_.second_tier->tier);
  n.flags = static_cast<uint8_t>(n.flags | IndexNode::kMoving);
  moving_[block] = {move, move->blocks.size()};
  move->blocks.push_back(block);
  return true;
}

// Asks the store. When it returns, the move is settled unless the host is late.
void CacheShell::Offload(const std::shared_ptr<TierMove>& move) {
  const Tier tier = options_.second_tier->tier;
  std::vector<BlockCopy> copies;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const std::vector<BlockId>& from = move->device[g];
    std::vector<BlockId> fresh(from.size() -
                               static_cast<size_t>(std::count(from.begin(), from.end(), kNoBlock)));
    if (fresh.empty()) {
      move->lower[g].assign(from.size(), kNoBlock);
      continue;
    }
    if (absl::Status status =
            store_->Allocate(static_cast<GroupId>(g), tier, absl::MakeSpan(fresh));
        !status.ok()) {
      for (; g < groups_.size(); ++g) move->lower[g].assign(from.size(), kNoBlock);
      FinishOffload(move.get(), status);
      return;
    }
    auto next = fresh.begin();
    for (BlockId id : from) {
      move->lower[g].push_back(id == kNoBlock ? kNoBlock : *next);
      if (id == kNoBlock) continue;
      copies.push_back({static_cast<GroupId>(g), Tier::kDevice, tier, id, *next++,
                        static_cast<uint32_t>(block_tokens_)});
    }
  }
  store_->Transfer(copies, [self = shared_from_this(), move](absl::Status status) {
    self->FinishOffload(move.get(), status);
  });
}

void CacheShell::FinishOffload(TierMove* move, const absl::Status& status) {
  Columns dead(groups_.size()), gone(groups_.size());  // the move's; what went with it
  {
    WriterLock lock(mu_);
    if (move->finished) return;  // `done` twice
    move->finished = true;
    if (!status.ok()) store_errors_.fetch_add(1, std::memory_order_relaxed);
    for (size_t i = 0; i < move->blocks.size(); ++i) {
      const BlockHandle h = move->blocks[i];
      const bool adopted = h == kNoBlockHandle;
      const bool arrived = !adopted && status.ok() && !scopes_[index_.node(h).scope].dropped &&
                           (index_.node(index_.node(h).parent).flags & IndexNode::kLost) == 0;
      for (size_t g = 0; g < groups_.size(); ++g) {
        if (arrived) {
          index_.slots(h)[g] = move->lower[g][i];
        } else if (move->lower[g][i] != kNoBlock) {
          dead.lower[g].push_back(move->lower[g][i]);
        }
        if (move->device[g][i] != kNoBlock) dead.by_group[g].push_back(move->device[g][i]);
      }
      if (!arrived) ++dead.lower_columns;
      if (adopted) continue;
      moving_.erase(h);
      if (arrived) {
        IndexNode& n = index_.node(h);
        n.flags = static_cast<uint8_t>(n.flags & ~IndexNode::kMoving);
        lower_policy_->OnInsert(h, kNoBlockHandle, n.name, 0, clock_->Now());
        ++stats_.offloads;
        Emit(KVEvent::Kind::kTierChanged, h, n.tier);
      } else {
        if (!status.ok()) ++stats_.lost_offloads;
        const BlockHandle parent = index_.node(h).parent;
        const bool dropped = scopes_[index_.node(h).scope].dropped;
        RemoveBlock(h, /*evicted=*/!dropped, &gone);
        if (dropped) Reap(parent, &gone);
      }
    }
  }
  std::vector<size_t> freed;
  for (const std::vector<BlockId>& ids : dead.by_group) freed.push_back(ids.size());
  FreeColumns(&dead, /*subtract=*/false);
  FreeColumns(&gone, /*subtract=*/true);
  WriterLock lock(mu_);
  move->settled = true;
  if (move->late) late_columns_ -= move->blocks.size();
  if (move->promised && !move->late) return;
  for (size_t g = 0; g < groups_.size(); ++g) used_[g].fetch_sub(freed[g]);
}

// After Transfer has returned: true when it is not settled, which from now on concerns nobody else.
// A promise is taken back: its device blocks count again.
bool CacheShell::MarkLate(TierMove* move) {
  if (move->settled) return false;
  move->late = true;
  late_columns_ += move->blocks.size();
  ++stats_.late_transfers;
  if (!move->promised) return true;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const std::vector<BlockId>& ids = move->device[g];
    used_[g].fetch_add(ids.size() -
                       static_cast<size_t>(std::count(ids.begin(), ids.end(), kNoBlock)));
  }
  return true;
}

// Takes the run of offloaded blocks that Lookup found out of the second tier's hands, as far as it
// is still there.
std::shared_ptr<CacheShell::TierMove> CacheShell::StartLoad(const std::vector<BlockHandle>& path,
                                                            Found* found, Columns* out) {
  size_t count = 0;
  if (!scopes_[found->scope].dropped) {
    while (count < found->lower && Offloaded(path[found->blocks + count])) ++count;
  }
  found->lower = count;
  std::shared_ptr<TierMove> move;
  if (count > 0) {
    move = std::make_shared<TierMove>();
    move->lower.resize(groups_.size());
    move->anchor = found->anchor;
    move->anchor_blocks = found->blocks;
    Ref(found->anchor);
    Keep(found->anchor, found->blocks);
    for (size_t i = 0; i < count; ++i) {
      const BlockHandle h = path[found->blocks + i];
      IndexNode& n = index_.node(h);
      n.flags = static_cast<uint8_t>(n.flags | IndexNode::kMoving);
      lower_policy_->OnRemove(h, /*evicted=*/false);
      moving_[h] = {move.get(), i};
      move->blocks.push_back(h);
      for (size_t g = 0; g < groups_.size(); ++g) move->lower[g].push_back(index_.slots(h)[g]);
    }
  }
  Unref(found->lowest, out);
  found->lowest = kNoBlockHandle;
  return move;
}

// The lease did not come about before its load was asked for.
void CacheShell::CancelLoad(TierMove* move) {
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    move->finished = true;
    ReturnUnloaded(move, /*damaged=*/false, &dead);
    Unkeep(move->anchor, move->anchor_blocks, 0);
    Reap(move->anchor, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
}

// Loads into the lease's own blocks from found->blocks on. Afterwards found->blocks counts what
// came, and found->lower is 0. An error: the host is late with blocks that the lease would need,
// and there are no others.
absl::Status CacheShell::Load(const std::shared_ptr<TierMove>& move, uint64_t cookie,
                              LeaseRep* lease, Found* found) {
  const size_t first = found->blocks, count = found->lower;
  std::vector<BlockCopy> copies;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const auto begin = lease->table[g].begin() + static_cast<ptrdiff_t>(first);
    move->device.emplace_back(begin, begin + static_cast<ptrdiff_t>(count));
    for (size_t i = 0; i < count; ++i) {
      if (move->lower[g][i] == kNoBlock) continue;
      copies.push_back({static_cast<GroupId>(g), options_.second_tier->tier, Tier::kDevice,
                        move->lower[g][i], move->device[g][i],
                        static_cast<uint32_t>(block_tokens_)});
    }
  }
  store_->Transfer(copies, [self = shared_from_this(), move, cookie](absl::Status status) {
    self->FinishLoad(move.get(), cookie, status);
  });
  Columns holes(groups_.size());
  bool late = false;
  {
    WriterLock lock(mu_);
    late = !move->finished;
    found->lower = 0;
    if (late) {
      move->late = true;
      ++stats_.late_transfers;
    } else if (move->loaded > 0) {
      for (size_t i = 0; i < move->loaded; ++i) {
        for (size_t g = 0; g < groups_.size(); ++g) {
          BlockId& id = lease->table[g][first + i];
          if (move->lower[g][i] != kNoBlock) continue;
          holes.by_group[g].push_back(id);
          id = kNoBlock;
        }
      }
      Unkeep(found->anchor, found->blocks, cookie);
      found->anchor = move->anchor;
      found->blocks += move->loaded;
    }
  }
  FreeColumns(&holes, /*subtract=*/true);
  if (!late) return absl::OkStatus();
  BlockTable other(groups_.size());  // the ones it had are the move's
  PENSTOCK_RETURN_IF_ERROR(ReserveColumns(count, &other, 0));
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::copy(other[g].begin(), other[g].end(),
              lease->table[g].begin() + static_cast<ptrdiff_t>(first));
  }
  return absl::OkStatus();
}

void CacheShell::FinishLoad(TierMove* move, uint64_t cookie, const absl::Status& status) {
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    if (move->finished) return;  // `done` twice
    move->finished = true;
    if (status.ok()) {
      AttachLoaded(move, cookie, &dead);
    } else {
      store_errors_.fetch_add(1, std::memory_order_relaxed);
    }
    ReturnUnloaded(move, absl::IsDataLoss(status), &dead);
    const BlockHandle anchor = move->anchor;
    if (!move->late && move->loaded > 0) {  // the lease waits for it, on its way to a hold
      const BlockHandle deepest = move->blocks[move->loaded - 1];
      Ref(deepest);
      Keep(deepest, move->anchor_blocks + move->loaded);
      move->anchor = deepest;
    }
    Unkeep(anchor, move->anchor_blocks, cookie);
    Reap(anchor, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
}

// Puts what came on the device, parents first. A late move's blocks are its own: what is not needed
// goes.
void CacheShell::AttachLoaded(TierMove* move, uint64_t cookie, Columns* out) {
  const MonoTime now = clock_->Now();
  while (move->loaded < move->blocks.size()) {
    const size_t i = move->loaded;
    const BlockHandle h = move->blocks[i];
    if (h == kNoBlockHandle || scopes_[index_.node(h).scope].dropped) return;
    IndexNode& n = index_.node(h);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const bool hole = move->lower[g][i] == kNoBlock;
      index_.slots(h)[g] = hole ? kNoBlock : move->device[g][i];
      if (!hole) out->lower[g].push_back(move->lower[g][i]);
      if (hole && move->late) out->by_group[g].push_back(move->device[g][i]);
      if (!hole && !move->late && Single(g, n.depth)) Hold(h, g);  // the lease's table names it
    }
    ++out->lower_columns;
    moving_.erase(h);
    n.flags = static_cast<uint8_t>(n.flags & ~IndexNode::kMoving);
    index_.SetTier(h, Tier::kDevice);
    const bool first = (index_.node(n.parent).flags & IndexNode::kRoot) != 0;
    policy_->OnInsert(h, first ? kNoBlockHandle : n.parent, n.name, cookie, now);
    Emit(KVEvent::Kind::kTierChanged, h, Tier::kDevice);
    ++stats_.loads;
    ++move->loaded;
  }
}

// The rest of a load goes back to the second tier; or, if its copies are damaged, nowhere.
void CacheShell::ReturnUnloaded(TierMove* move, bool damaged, Columns* out) {
  const size_t size = move->blocks.size();
  BlockHandle top = kNoBlockHandle;
  for (size_t i = size; i-- > move->loaded;) {  // deepest first, as they were offloaded
    const BlockHandle h = move->blocks[i];
    if (move->late) {
      for (size_t g = 0; g < groups_.size(); ++g) {
        out->by_group[g].push_back(move->device[g][i]);
      }
    }
    if (h == kNoBlockHandle) {
      ++out->lower_columns;
      for (size_t g = 0; g < groups_.size(); ++g) {
        if (move->lower[g][i] != kNoBlock) out->lower[g].push_back(move->lower[g][i]);
      }
      continue;
    }
    IndexNode& n = index_.node(h);
    moving_.erase(h);
    n.flags = static_cast<uint8_t>(n.flags & ~IndexNode::kMoving);
    lower_policy_->OnInsert(h, kNoBlockHandle, n.name, 0, clock_->Now());
    top = h;
  }
  if (top == kNoBlockHandle) return;
  if (damaged && !scopes_[index_.node(top).scope].dropped) {
    RemoveBlock(top, /*evicted=*/true, out);  // and what continues it
    return;
  }
  // Of a dropped scope: parents first, so that the last call takes all of them.
  for (size_t i = move->loaded; i < size; ++i) {
    if (move->blocks[i] != kNoBlockHandle) Reap(move->blocks[i], out);
  }
}

// A lease brings a block for a node that is not on the device: takes away whatever the node has
// elsewhere. The caller fills its slots.
void CacheShell::Adopt(BlockHandle block, Columns* out) {
  IndexNode& n = index_.node(block);
  if ((n.flags & IndexNode::kMoving) != 0) {
    const auto it = moving_.find(block);
    it->second.first->blocks[it->second.second] = kNoBlockHandle;
    moving_.erase(it);
  } else if ((n.flags & IndexNode::kLost) == 0) {
    lower_policy_->OnRemove(block, /*evicted=*/false);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const BlockId id = index_.slots(block)[g];
      if (id != kNoBlock) out->lower[g].push_back(id);
    }
    ++out->lower_columns;
  }
  n.flags = static_cast<uint8_t>(n.flags & ~IndexNode::kUnusable);
  index_.SetTier(block, Tier::kDevice);
}

// Gives up a transient reference on a node of any tier.
void CacheShell::Unref(BlockHandle block, Columns* out) {
  IndexNode& n = index_.node(block);
  transient_refs_.fetch_sub(1, std::memory_order_relaxed);
  n.refs.fetch_sub(1, std::memory_order_acq_rel);
  if (n.tier == Tier::kDevice) {
    policy_->OnTouch(block, 0, clock_->Now());
  } else if (Offloaded(block)) {
    lower_policy_->OnTouch(block, 0, clock_->Now());
  }
  Prune(block, out);
}

// Removes lost nodes from `block` upwards as far as nothing needs them; in a dropped scope, any.
void CacheShell::Prune(BlockHandle block, Columns* out) {
  if (scopes_[index_.node(block).scope].dropped) return Reap(block, out);
  while ((index_.node(block).flags & IndexNode::kLost) != 0) {
    const BlockHandle parent = index_.node(block).parent;
    if (!Discard(block)) return;
    block = parent;
  }
}

absl::Status CacheShell::CheckTiers() const {
  size_t lower = 0, moving = 0;
  for (BlockHandle h = 0; h < index_.handle_limit(); ++h) {
    if (!index_.live(h)) continue;
    const IndexNode& n = index_.node(h);
    if ((n.flags & IndexNode::kUnusable) != 0 && n.tier == Tier::kDevice) {
      return absl::InternalError(absl::StrCat("block ", h, ": on the device, moving or lost"));
    }
    if (n.tier == Tier::kDevice) continue;
    lower += (n.flags & IndexNode::kLost) == 0 ? 1 : 0;
    if ((n.flags & IndexNode::kMoving) != 0) {
      ++moving;
      const auto it = moving_.find(h);
      if (it == moving_.end() || it->second.first->blocks[it->second.second] != h) {
        return absl::InternalError(absl::StrCat("block ", h, ": moving, but in no move"));
      }
    }
    if ((n.flags & IndexNode::kLost) != 0 && n.first_child == kNoBlockHandle &&
        n.refs.load(std::memory_order_acquire) == 0) {
      return absl::InternalError(absl::StrCat("block ", h, ": lost, and kept by nothing"));
    }
    for (size_t g = 0; g < groups_.size() && Offloaded(h); ++g) {
      if (index_.slots(h)[g] == kNoBlock && groups_[g].kind == Retention::Kind::kFull) {
        return absl::InternalError(absl::StrCat("block ", h, ": offloaded without group ", g));
      }
    }
  }
  if (moving != moving_.size()) {
    return absl::InternalError(absl::StrCat(moving, " blocks move, counted ", moving_.size()));
  }
  const size_t used = lower_used_.load();
  const size_t capacity =
      options_.second_tier.has_value() ? options_.second_tier->capacity_blocks : 0;
  if (lower > used || used > capacity) {
    return absl::InternalError(
        absl::StrCat("second tier: ", lower, " columns, counted ", used, ", capacity ", capacity));
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal
