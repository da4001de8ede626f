// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: groups with a window: which of their blocks are needed, and which are given back.
//
// A node whose slot of a window group is kNoBlock has a hole there. A block of a window group is
// named by the tables of leases, and each of these counts in its node's holds (sinks apart: they
// never leave singly). What nobody holds is kept as long as it lies in the window of an end: a
// place where a path ends, branches or is held. There a later match can be whole; a match that
// would end elsewhere is cut short, and the commit that follows it fills the holes.
//
// Therefore every block in the window of a lease's anchor is there, whether or not it is held.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kv_cache/shell.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {

// The first block that token `token` attends to in a group with a window, its sink apart: it
// attends to [token - window + 1, token].
size_t CacheShell::WindowBegin(size_t g, size_t token) const {
  const Retention& rule = groups_[g];
  if (rule.kind != Retention::Kind::kSinkWindow) return 0;
  return token + 1 > rule.window_tokens ? (token + 1 - rule.window_tokens) / block_tokens_ : 0;
}

// Whether blocks of group `g` at this position may be held, and given back, singly.
bool CacheShell::Single(size_t g, size_t position) const {
  return groups_[g].kind == Retention::Kind::kSinkWindow &&
         position >= BlocksFor(groups_[g].sink_tokens);
}

// [g][n]: 1 + the last hole among the first n blocks of the path, 0 if there is none.
std::vector<std::vector<size_t>> CacheShell::GapEnds(const std::vector<BlockHandle>& path) const {
  std::vector<std::vector<size_t>> ends(groups_.size());
  for (size_t g = 0; g < groups_.size(); ++g) {
    ends[g].assign(path.size() + 1, 0);
    for (size_t i = 0; i < path.size(); ++i) {
      ends[g][i + 1] = index_.slots(path[i])[g] == kNoBlock ? i + 1 : ends[g][i];
    }
  }
  return ends;
}

// Whether a match of `tokens` tokens, the first `blocks` blocks of a path among them, has in group
// `g` what its next token attends to.
bool CacheShell::Fits(const std::vector<size_t>& gap_ends, size_t g, size_t blocks,
                      size_t tokens) const {
  return gap_ends[blocks] <= WindowBegin(g, tokens) &&
         gap_ends[std::min(blocks, BlocksFor(groups_[g].sink_tokens))] == 0;
}

// The longest prefix of the path that has, in every group, what the group's rule needs of it.
// `unmatched`: by how much each group alone would shorten it.
size_t CacheShell::FitGroups(const std::vector<BlockHandle>& path,
                             std::vector<size_t>* unmatched) const {
  size_t fit = path.size();
  if (!has_windows_) return fit;
  const std::vector<std::vector<size_t>> ends = GapEnds(path);
  const auto fits = [&](size_t g, size_t blocks) {
    return Fits(ends[g], g, blocks, blocks * block_tokens_);
  };
  const auto all_fit = [&](size_t blocks) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (!fits(g, blocks)) return false;
    }
    return true;
  };
  if (unmatched != nullptr) {
    unmatched->assign(groups_.size(), 0);
    for (size_t g = 0; g < groups_.size(); ++g) {
      size_t blocks = path.size();
      while (blocks > 0 && !fits(g, blocks)) --blocks;
      (*unmatched)[g] = path.size() - blocks;
    }
  }
  while (fit > 0 && !all_fit(fit)) --fit;
  return fit;
}

// Whether the path fits together with a copy of a part of what continues it.
bool CacheShell::FitsWith(const std::vector<BlockHandle>& path, size_t partial_tokens) const {
  const std::vector<std::vector<size_t>> ends = GapEnds(path);
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (!Fits(ends[g], g, path.size(), path.size() * block_tokens_ + partial_tokens)) return false;
  }
  return true;
}

void CacheShell::Hold(BlockHandle block, size_t g) const {
  index_.holds(block)[g].fetch_add(1, std::memory_order_acq_rel);
  single_holds_.fetch_add(1, std::memory_order_relaxed);
}

void CacheShell::Unhold(BlockHandle block, size_t g) const {
  const uint32_t before = index_.holds(block)[g].fetch_sub(1, std::memory_order_acq_rel);
  PENSTOCK_DCHECK(before > 0);
  single_holds_.fetch_sub(1, std::memory_order_relaxed);
}

// All of a column that can be held singly.
void CacheShell::HoldAll(BlockHandle block, bool hold) const {
  for (size_t g = 0; has_windows_ && g < groups_.size(); ++g) {
    if (!Single(g, index_.node(block).depth) || index_.slots(block)[g] == kNoBlock) continue;
    hold ? Hold(block, g) : Unhold(block, g);
  }
}

// Fills the table of a lease on the path that ends in `anchor`, and holds what it names: sinks, and
// what a token after the last block attends to.
void CacheShell::NameBlocks(BlockHandle anchor, size_t blocks, BlockTable* table) const {
  BlockHandle h = anchor;
  for (size_t i = blocks; i-- > 0; h = index_.node(h).parent) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      const bool single = Single(g, i);
      const bool wanted = !single || i >= WindowBegin(g, blocks * block_tokens_);
      const BlockId id = wanted ? index_.slots(h)[g] : kNoBlock;
      (*table)[g][i] = id;
      if (single && id != kNoBlock) Hold(h, g);
    }
  }
}

// Gives up what the table names of the index's blocks [first, blocks) of the path that ends in
// `anchor`. `lease`: whose table it is; null: nothing in it is private.
void CacheShell::UnnameBlocks(BlockHandle anchor, size_t first, size_t blocks,
                              const BlockTable& table, const LeaseRep* lease) const {
  if (!has_windows_) return;
  BlockHandle h = anchor;
  for (size_t i = blocks; i-- > first; h = index_.node(h).parent) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (!Single(g, i) || table[g][i] == kNoBlock) continue;
      if (lease == nullptr || !lease->Owns(g, i)) Unhold(h, g);
    }
  }
}

// LeaseRep::low of a lease whose table NameBlocks filled.
size_t CacheShell::LowOf(size_t blocks) const {
  size_t low = SIZE_MAX;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].kind != Retention::Kind::kSinkWindow) continue;
    low = std::min(low, WindowBegin(g, blocks * block_tokens_));
  }
  return has_windows_ ? low : 0;
}

// A lease brings its own blocks for a node that is cached already: those that the node has not got
// become public. True: none is left to the lease alone.
bool CacheShell::FillHoles(LeaseRep* lease, BlockHandle block, size_t position) {
  bool filled = false, kept = false;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const BlockId mine = lease->table[g][position];
    if (mine == kNoBlock) continue;
    BlockId& slot = index_.slots(block)[g];
    if (slot != kNoBlock) {
      kept = true;
      continue;
    }
    slot = mine;
    if (Single(g, position)) Hold(block, g);
    lease->given.resize(lease->owned.size() * groups_.size());
    lease->given[position * groups_.size() + g] = 1;
    filled = true;
  }
  if (filled) lease->owned[position] = kept ? LeaseRep::kMixed : LeaseRep::kPublic;
  return filled && !kept;
}

// Whether the lease still has every block that token `end_tokens` attends to.
absl::Status CacheShell::CheckWindows(const LeaseRep& lease, size_t end_tokens) const {
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].kind != Retention::Kind::kSinkWindow) continue;
    const size_t begin = WindowBegin(g, end_tokens);
    for (size_t i = 0; i < BlocksFor(end_tokens); ++i) {
      if (lease.table[g][i] != kNoBlock || (Single(g, i) && i < begin)) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          "end_tokens ", end_tokens, ": group ", g, " no longer has block ", i,
          ", which the window before it needs; expected an end whose window was not given back"));
    }
  }
  return absl::OkStatus();
}

// Takes from the path above a lease, down to position `first`, what no lease holds and no end
// needs.
void CacheShell::DropOutOfWindow(const LeaseRep& lease, size_t first, Columns* out) {
  std::vector<size_t> keep(groups_.size(), SIZE_MAX);  // the first block in the window of an end
  BlockHandle below = kNoBlockHandle;
  BlockHandle h = lease.anchor;
  for (size_t i = lease.public_blocks; i-- > first; below = h, h = index_.node(h).parent) {
    const IndexNode& n = index_.node(h);
    const bool end = below == kNoBlockHandle || n.first_child != below ||
                     index_.node(below).next_sibling != kNoBlockHandle ||
                     n.refs.load(std::memory_order_acquire) != 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (end) keep[g] = std::min(keep[g], WindowBegin(g, (i + 1) * block_tokens_));
      BlockId& id = index_.slots(h)[g];
      if (!Single(g, i) || i >= keep[g] || id == kNoBlock ||
          index_.holds(h)[g].load(std::memory_order_acquire) != 0) {
        continue;
      }
      out->by_group[g].push_back(id);
      id = kNoBlock;
    }
  }
}

size_t CacheShell::ApplyRetention(LeaseRep* lease) {
  if (!has_windows_) return 0;
  std::vector<size_t> begin(groups_.size());
  size_t low = SIZE_MAX;  // no group with a window keeps anything before it, sinks apart
  bool news = !lease->swept;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].kind != Retention::Kind::kSinkWindow) continue;
    begin[g] = WindowBegin(g, lease->committed);
    low = std::min(low, begin[g]);
    for (size_t i = lease->low; i < begin[g] && !news; ++i) {
      news = Single(g, i) && lease->table[g][i] != kNoBlock;
    }
  }
  if (!news) return 0;
  Columns dead(groups_.size());
  size_t freed = 0;
  {
    WriterLock lock(mu_);
    const size_t first = lease->swept ? lease->low : 0;
    BlockHandle h = lease->anchor;
    for (size_t i = lease->public_blocks; i-- > lease->low; h = index_.node(h).parent) {
      for (size_t g = 0; g < groups_.size(); ++g) {
        if (i >= begin[g] || !Single(g, i) || lease->table[g][i] == kNoBlock) continue;
        if (!lease->Owns(g, i)) Unhold(h, g);
      }
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t i = lease->low; i < begin[g]; ++i) {
        BlockId& id = lease->table[g][i];
        if (!Single(g, i) || id == kNoBlock) continue;
        if (lease->Owns(g, i)) dead.by_group[g].push_back(id);
        id = kNoBlock;
      }
    }
    DropOutOfWindow(*lease, first, &dead);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const size_t blocks = dead.by_group[g].size();
      freed += blocks;
      stats_.retention[g].dropped_blocks += blocks;
      stats_.retention[g].dropped_tokens += blocks * block_tokens_;
    }
  }
  lease->swept = true;
  lease->low = std::max(lease->low, low);
  FreeColumns(&dead, /*subtract=*/true);
  return freed;
}

// What Lookup found turned out shorter: a load or a copy did not come. The lease holds
// found->blocks; if they alone do not fit, it goes back to as many as do, with blocks of its own
// behind them. An error: no room for these; nothing changed.
absl::Status CacheShell::Shorten(uint64_t cookie, LeaseRep* lease, Found* found) {
  size_t fit = 0;
  {
    ReaderLock lock(mu_);
    std::vector<BlockHandle> path(found->blocks);
    BlockHandle h = found->anchor;
    for (size_t i = path.size(); i-- > 0; h = index_.node(h).parent) path[i] = h;
    fit = FitGroups(path, /*unmatched=*/nullptr);
  }
  const size_t more = found->blocks - fit;
  if (more == 0) return absl::OkStatus();
  BlockTable own(groups_.size());
  PENSTOCK_RETURN_IF_ERROR(ReserveColumns(more, &own, 0));
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    BlockHandle to = found->anchor;
    for (size_t i = found->blocks; i > fit; --i) to = index_.node(to).parent;
    Ref(to);
    Keep(to, fit);
    UnnameBlocks(found->anchor, 0, found->blocks, lease->table, /*lease=*/nullptr);
    Unkeep(found->anchor, found->blocks, cookie);
    Reap(found->anchor, &dead);
    NameBlocks(to, fit, &lease->table);
    found->anchor = to;
    found->blocks = fit;
  }
  FreeColumns(&dead, /*subtract=*/true);
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::copy(own[g].begin(), own[g].end(), lease->table[g].begin() + static_cast<ptrdiff_t>(fit));
  }
  return absl::OkStatus();
}

absl::Status CacheShell::CheckHolds() const {
  size_t total = 0;
  for (BlockHandle h = 0; has_windows_ && h < index_.handle_limit(); ++h) {
    if (!index_.live(h) || (index_.node(h).flags & IndexNode::kRoot) != 0) continue;
    const IndexNode& n = index_.node(h);
    for (size_t g = 0; g < groups_.size(); ++g) {
      const size_t holds = index_.holds(h)[g].load(std::memory_order_acquire);
      total += holds;
      if (holds == 0) continue;
      if (!Single(g, n.depth) || n.tier != Tier::kDevice || index_.slots(h)[g] == kNoBlock) {
        return absl::InternalError(
            absl::StrCat("block ", h, ": group ", g, " is held ", holds, " times, but not there"));
      }
      if (n.refs.load(std::memory_order_acquire) == 0 && n.device_children == 0) {
        return absl::InternalError(
            absl::StrCat("block ", h, ": group ", g, " is held on a path that nobody holds"));
      }
    }
  }
  if (const size_t counted = single_holds_.load(); total != counted) {
    return absl::InternalError(absl::StrCat(total, " blocks of windows held, counted ", counted));
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal
