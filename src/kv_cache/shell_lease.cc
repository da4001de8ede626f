// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: what a lease does after it was acquired.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kv_cache/shell.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {

absl::Status CacheShell::Reserve(LeaseRep* lease, size_t total_tokens) {
  if (total_tokens > SIZE_MAX / 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("total_tokens: ", total_tokens, " is out of range"));
  }
  const size_t have = lease->owned.size();
  const size_t want = BlocksFor(total_tokens);
  if (want <= have) return absl::OkStatus();
  PENSTOCK_RETURN_IF_ERROR(ReserveColumns(want - have, &lease->table, have));
  lease->owned.resize(want, 1);
  return absl::OkStatus();
}

absl::Status CacheShell::Append(LeaseRep* lease, absl::Span<const TokenId> ids) {
  for (TokenId id : ids) {
    if (id < 0)
      return absl::InvalidArgumentError(absl::StrCat("token ", id, ", expected an id >= 0"));
  }
  PENSTOCK_RETURN_IF_ERROR(Reserve(lease, lease->named + ids.size()));
  lease->tail.insert(lease->tail.end(), ids.begin(), ids.end());
  lease->named += ids.size();
  return absl::OkStatus();
}

uint64_t CacheShell::ParentName(BlockHandle h) const { return index_.node(h).name; }

// Moves the lease's reference to another block of its own path.
void CacheShell::Move(LeaseRep* lease, BlockHandle to, size_t blocks) {
  index_.node(to).refs.fetch_add(1, std::memory_order_acq_rel);
  transient_refs_.fetch_add(1, std::memory_order_relaxed);
  Keep(to, blocks);
  Unkeep(lease->anchor, lease->public_blocks, lease->cookie);
  lease->anchor = to;
  lease->public_blocks = blocks;
}

// Inserts blocks [first, first + count) of the lease below its anchor; prompt.names[0] is that of
// block `first`.
// Returns how many were there already.
size_t CacheShell::Publish(LeaseRep* lease, const PromptBlocks& prompt, size_t first, size_t count,
                           absl::Span<const TokenId> tokens, Columns* out) {
  const MonoTime now = clock_->Now();
  size_t deduped = 0;
  BlockHandle at = lease->anchor;
  ScopeState& scope = scopes_[index_.node(at).scope];
  for (size_t i = 0; i < count; ++i) {
    if (i + 8 < count) index_.Prefetch(prompt.names[i + 8]);
    const size_t position = first + i;
    const TokenId* block = tokens.data() + i * block_tokens_;
    std::vector<BlockExtra> extras =
        ExtrasOf(lease->extra_keys, position * block_tokens_, block_tokens_);
    const BlockHandle there = index_.Find(at, prompt.names[i], block, extras);
    if (there != kNoBlockHandle && index_.node(there).tier == Tier::kDevice) {
      at = there;
      if (!has_windows_ || !FillHoles(lease, at, position)) ++deduped;
      continue;
    }
    const BlockHandle parent = at;
    const bool lost = there == kNoBlockHandle || (index_.node(there).flags & IndexNode::kLost) != 0;
    if (there != kNoBlockHandle) {
      at = there;
      Adopt(at, out);
    } else {
      at = index_.Insert(parent, prompt.names[i], block, std::move(extras), Tier::kDevice);
    }
    IndexNode& n = index_.node(at);
    n.flags = static_cast<uint8_t>(n.flags & ~(IndexNode::kWarmed | IndexNode::kCheap));
    if (lease->cheap) n.flags = static_cast<uint8_t>(n.flags | IndexNode::kCheap);
    if (lease->warming) n.flags = static_cast<uint8_t>(n.flags | IndexNode::kWarmed);
    for (size_t g = 0; g < groups_.size(); ++g) index_.slots(at)[g] = lease->table[g][position];
    HoldAll(at, true);
    lease->owned[position] = LeaseRep::kPublic;
    Emit(lost ? KVEvent::Kind::kStored : KVEvent::Kind::kTierChanged, at, Tier::kDevice);
    policy_->OnInsert(at, parent == scope.root ? kNoBlockHandle : parent, prompt.names[i],
                      lease->cookie, now);
    if (!lost) continue;
    for (KVScopeStats* s : {&stats_.total, &scope.stats}) {
      ++s->inserted_blocks;
      ++s->cached_blocks;
    }
  }
  stats_.deduped_blocks += deduped;
  if (at != lease->anchor) {
    Move(lease, at, lease->public_blocks + count);
  }
  return deduped;
}

absl::Status CacheShell::Commit(LeaseRep* lease, size_t end_tokens) {
  if (end_tokens > lease->named || end_tokens < lease->committed) {
    return absl::InvalidArgumentError(absl::StrCat("end_tokens: ", end_tokens, ", expected ",
                                                   lease->committed, " (committed) .. ",
                                                   lease->named, " (named)"));
  }
  lease->committed = end_tokens;
  if (!lease->publish) return absl::OkStatus();
  constexpr size_t kBlocksPerHold = 256;
  while (lease->public_blocks < end_tokens / block_tokens_) {
    const size_t first = lease->public_blocks;
    const size_t count = std::min(kBlocksPerHold, end_tokens / block_tokens_ - first);
    const absl::Span<const TokenId> tokens =
        absl::MakeConstSpan(lease->tail)
            .subspan(first * block_tokens_ - lease->tail_base, count * block_tokens_);
    const BlockHasher* hasher = CurrentHasher();
    // The anchor is held, and its name only changes together with the hasher.
    uint64_t parent_name;
    {
      ReaderLock lock(mu_);
      if (scopes_[index_.node(lease->anchor).scope].dropped) {
        lease->publish = false;
        return absl::OkStatus();
      }
      hasher = index_.hasher();
      parent_name = ParentName(lease->anchor);
    }
    PromptBlocks prompt = NameLeaseBlocks(*lease, hasher, parent_name, first, tokens);
    Ready ready;
    Columns dead(groups_.size());
    {
      WriterLock lock(mu_);
      if (prompt.hasher != index_.hasher()) {
        prompt = NameLeaseBlocks(*lease, index_.hasher(), ParentName(lease->anchor), first, tokens);
      }
      lease->deduped += Publish(lease, prompt, first, count, tokens, &dead);
      AdvanceFlight(lease, first, &ready);
      RekeyIfWanted();
    }
    FreeColumns(&dead, /*subtract=*/true);
    Run(&ready);
  }
  return absl::OkStatus();
}

// Names of a lease's blocks from `first` on, whose tokens are given.
PromptBlocks CacheShell::NameLeaseBlocks(const LeaseRep& lease, const BlockHasher* hasher,
                                         uint64_t parent_name, size_t first,
                                         absl::Span<const TokenId> tokens) const {
  if (lease.extra_keys.empty()) return PromptBlocks(hasher, parent_name, tokens, {}, block_tokens_);
  PromptBlocks names(hasher, parent_name, {}, {}, block_tokens_);
  names.names.resize(tokens.size() / block_tokens_);
  for (size_t i = 0; i < names.names.size(); ++i) {
    parent_name = names.names[i] =
        NameBlock(*hasher, parent_name, tokens.subspan(i * block_tokens_, block_tokens_),
                  ExtrasOf(lease.extra_keys, (first + i) * block_tokens_, block_tokens_));
  }
  return names;
}

absl::StatusOr<Lease> CacheShell::Fork(LeaseRep* lease) {
  const size_t shared = lease->public_blocks;
  const size_t total = BlocksFor(lease->committed);
  auto fork = std::make_unique<LeaseRep>();
  fork->table.assign(groups_.size(), std::vector<BlockId>(shared, kNoBlock));
  PENSTOCK_RETURN_IF_ERROR(ReserveColumns(total - shared, &fork->table, shared));
  std::vector<BlockCopy> copies;
  Columns holes(groups_.size());
  for (size_t i = shared; i < total; ++i) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (lease->table[g][i] == kNoBlock) {  // out of its window, in the fork as well
        holes.by_group[g].push_back(fork->table[g][i]);
        fork->table[g][i] = kNoBlock;
        continue;
      }
      BlockCopy copy;
      copy.group = static_cast<GroupId>(g);
      copy.src = lease->table[g][i];
      copy.dst = fork->table[g][i];
      copy.tokens =
          static_cast<uint32_t>(std::min(block_tokens_, lease->committed - i * block_tokens_));
      copies.push_back(copy);
    }
  }
  FreeColumns(&holes, /*subtract=*/true);
  if (absl::Status copied = copies.empty() ? absl::OkStatus() : store_->Copy(copies);
      !copied.ok()) {
    store_errors_.fetch_add(1, std::memory_order_relaxed);
    fork->owned.assign(total, 1);
    std::fill_n(fork->owned.begin(), shared, uint8_t{0});
    Columns back(groups_.size());
    TakeOwned(fork.get(), shared, &back);
    FreeColumns(&back, /*subtract=*/true);
    return copied;
  }
  {
    WriterLock lock(mu_);
    NameBlocks(lease->anchor, shared, &fork->table);
    Ref(lease->anchor);
    Keep(lease->anchor, shared);
    scopes_[index_.node(lease->anchor).scope].holders.fetch_add(1, std::memory_order_relaxed);
    ++stats_.live_leases;
  }
  fork->shell = lease->shell;
  fork->publish = lease->publish;
  fork->cheap = lease->cheap;
  fork->cookie = lease->cookie;
  fork->matched = fork->committed = fork->named = lease->committed;
  fork->tail_base = lease->tail_base;
  fork->tail.assign(
      lease->tail.begin(),
      lease->tail.begin() + static_cast<ptrdiff_t>(lease->committed - lease->tail_base));
  fork->extra_keys = lease->extra_keys;
  fork->owned.assign(total, 1);
  std::fill_n(fork->owned.begin(), shared, uint8_t{0});
  fork->low = LowOf(shared);
  fork->anchor = lease->anchor;
  fork->public_blocks = shared;
  return Lease(std::move(fork));
}

absl::Status CacheShell::Truncate(LeaseRep* lease, size_t end_tokens) {
  if (end_tokens > lease->named) {
    return absl::InvalidArgumentError(
        absl::StrCat("end_tokens: ", end_tokens, ", expected at most ", lease->named, " (named)"));
  }
  PENSTOCK_RETURN_IF_ERROR(CheckWindows(*lease, end_tokens));
  const size_t keep = end_tokens / block_tokens_;  // whole blocks
  const size_t rest = end_tokens % block_tokens_;
  const size_t size = lease->owned.size();
  std::vector<size_t> room;  // private columns at or after `keep`, in order, if nothing is missing
  Columns dead(groups_.size());
  for (size_t i = keep; i < size; ++i) {
    bool whole = lease->owned[i] == LeaseRep::kPrivate;
    for (const std::vector<BlockId>& column : lease->table) whole = whole && column[i] != kNoBlock;
    if (whole) {
      room.push_back(i);
      continue;
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      const BlockId id = lease->table[g][i];
      if (id != kNoBlock && lease->Owns(g, i)) dead.by_group[g].push_back(id);
    }
  }
  BlockTable table(groups_.size());
  for (size_t g = 0; g < groups_.size(); ++g) {
    table[g].assign(lease->table[g].begin(),
                    lease->table[g].begin() + static_cast<ptrdiff_t>(std::min(keep, size)));
    for (size_t i : room) table[g].push_back(lease->table[g][i]);
  }
  if (rest > 0 && lease->owned[keep] != LeaseRep::kPrivate) {
    const bool fresh = room.empty();
    if (fresh) PENSTOCK_RETURN_IF_ERROR(ReserveColumns(1, &table, keep));
    std::vector<BlockCopy> copies;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (lease->table[g][keep] == kNoBlock) continue;
      BlockCopy copy;
      copy.group = static_cast<GroupId>(g);
      copy.src = lease->table[g][keep];
      copy.dst = table[g][keep];
      copy.tokens = static_cast<uint32_t>(rest);
      copies.push_back(copy);
    }
    if (absl::Status copied = store_->Copy(copies); !copied.ok()) {
      store_errors_.fetch_add(1, std::memory_order_relaxed);
      if (fresh) {
        Columns back(groups_.size());
        for (size_t g = 0; g < groups_.size(); ++g) back.by_group[g].push_back(table[g][keep]);
        FreeColumns(&back, /*subtract=*/true);
      }
      return copied;
    }
  }
  Ready ready;
  if (!lease->names.empty() && lease->names.size() > keep) {
    WriterLock lock(mu_);
    LeaveFlight(lease, &ready);  // what is written next is another prompt
  }
  Run(&ready);
  if (lease->public_blocks > keep) {
    WriterLock lock(mu_);
    const BlockHandle old = lease->anchor;
    BlockHandle at = old;
    std::vector<TokenId>
        regained;  // tokens between `keep` and the tail, from the index, last block first
    for (size_t depth = lease->public_blocks; depth > keep; --depth, at = index_.node(at).parent) {
      if (depth * block_tokens_ > lease->tail_base) continue;
      const absl::Span<const TokenId> tokens = index_.tokens(at);
      regained.insert(regained.end(), tokens.rbegin(), tokens.rend());
    }
    lease->tail.insert(lease->tail.begin(), regained.rbegin(), regained.rend());
    lease->tail_base -= regained.size();
    UnnameBlocks(old, keep, lease->public_blocks, lease->table, lease);
    Move(lease, at, keep);
    // The window before the new end may have been given back: not what this lease has of its own.
    for (size_t i = has_windows_ ? keep : 0; i-- > 0; at = index_.node(at).parent) {
      if (lease->owned[i] != LeaseRep::kPublic) FillHoles(lease, at, i);
    }
    Reap(old, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
  const size_t kept = std::min(keep, size);
  lease->table = std::move(table);
  lease->owned.resize(kept);
  lease->owned.resize(lease->table[0].size(), LeaseRep::kPrivate);
  lease->given.resize(std::min(lease->given.size(), keep * groups_.size()));
  lease->low = std::min(lease->low, keep);
  lease->tail.resize(end_tokens - lease->tail_base);
  lease->named = end_tokens;
  lease->committed = std::min(lease->committed, end_tokens);
  lease->matched = std::min(lease->matched, end_tokens);
  while (!lease->extra_keys.empty() && lease->extra_keys.back().token_offset >= end_tokens) {
    lease->extra_keys.pop_back();
  }
  return absl::OkStatus();
}

// Moves the lease's private blocks from `first` on into `out`.
void CacheShell::TakeOwned(LeaseRep* lease, size_t first, Columns* out) {
  for (size_t i = first; i < lease->owned.size(); ++i) {
    if (lease->owned[i] == LeaseRep::kPublic) continue;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const BlockId id = lease->table[g][i];
      if (id != kNoBlock && lease->Owns(g, i)) out->by_group[g].push_back(id);
    }
  }
}

void CacheShell::Release(LeaseRep* lease) {
  Columns dead(groups_.size());
  TakeOwned(lease, 0, &dead);
  Ready ready;
  bool left = false;
  {
    HitLock lock(mu_, books_mu_);
    if (!scopes_[index_.node(lease->anchor).scope].dropped) {  // nothing can become garbage
      LeaveFlight(lease, &ready);
      --stats_.live_leases;
      UnnameBlocks(lease->anchor, lease->low, lease->public_blocks, lease->table, lease);
      Leave(lease->anchor, lease->public_blocks, lease->cookie, &dead);
      left = true;
    }
  }
  if (!left) {
    WriterLock lock(mu_);
    LeaveFlight(lease, &ready);
    --stats_.live_leases;
    UnnameBlocks(lease->anchor, lease->low, lease->public_blocks, lease->table, lease);
    Leave(lease->anchor, lease->public_blocks, lease->cookie, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
  Run(&ready);
}

void CacheShell::Unpin(BlockHandle block, size_t blocks) {
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    for (BlockHandle h = block; (index_.node(h).flags & IndexNode::kRoot) == 0;
         h = index_.node(h).parent) {
      const auto it = pinned_.find(h);
      if (--it->second == 0) pinned_.erase(it);
    }
    --stats_.live_pins;
    Leave(block, blocks, 0, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
}

}  // namespace penstock::internal
