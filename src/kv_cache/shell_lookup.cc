// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: from a request to a lease.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "kv_cache/shell.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {

PromptBlocks CacheShell::Hash(const KVRequest& request) const {
  const BlockHasher* hasher = CurrentHasher();
  return PromptBlocks(hasher, RootName(*hasher, request.scope), request.tokens, request.extra_keys,
                      block_tokens_);
}

uint32_t CacheShell::FindScope(uint64_t name, const Scope& scope) const {
  const auto it = scope_by_name_.find(name);
  uint32_t id = it == scope_by_name_.end() ? UINT32_MAX : it->second;
  while (id != UINT32_MAX && !(scopes_[id].scope == scope)) id = scopes_[id].next_same_name;
  return id;
}

absl::StatusOr<uint32_t> CacheShell::FindOrAddScope(uint64_t name, const Scope& scope,
                                                    Columns* out) {
  uint32_t id = FindScope(name, scope);
  if (id != UINT32_MAX) return id;
  if (live_scopes_ >= options_.max_scopes) DropIdleScope(out);
  if (live_scopes_ >= options_.max_scopes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("scope: all of max_scopes = ", options_.max_scopes, " have live leases"));
  }
  if (free_scopes_.empty()) {
    id = static_cast<uint32_t>(scopes_.size());
    scopes_.emplace_back();
  } else {
    id = free_scopes_.back();
    free_scopes_.pop_back();
  }
  ScopeState& s = scopes_[id];
  s.scope = scope;
  s.dropped = false;
  s.stats = KVScopeStats();
  s.root = index_.AddRoot(name, id);
  const auto [it, added] = scope_by_name_.emplace(name, id);
  s.next_same_name = added ? UINT32_MAX : it->second;
  it->second = id;
  scope_links_.PushHot(&scope_lru_, id);
  ++live_scopes_;
  return id;
}

// Looks behind found->anchor for a block that begins as the prompt goes on.
bool CacheShell::MatchPartial(const PromptBlocks& prompt, size_t usable, Found* found) const {
  if (!options_.min_partial_tokens.has_value()) return false;
  const size_t begin = found->blocks * block_tokens_;
  BlockHandle best = kNoBlockHandle;
  const size_t agree = index_.MatchPartial(
      found->anchor, prompt.tokens.data() + begin, usable - begin,
      ExtrasOf(prompt.extra_keys, begin, block_tokens_), options_.partial_candidates, &best);
  if (agree == 0 || agree < *options_.min_partial_tokens) return false;
  found->partial = best;
  found->partial_tokens = agree;
  return true;
}

void CacheShell::MatchPath(uint32_t scope, const PromptBlocks& prompt,
                           std::vector<BlockHandle>* path, Found* found) const {
  const size_t usable = prompt.tokens.size() - 1;  // the last token is left for its logits
  found->scope = scope;
  const uint8_t flags = index_.Match(scopes_[scope].root, prompt, usable / block_tokens_, path);
  found->warmed = (flags & IndexNode::kWarmed) != 0;
  const auto cut = [&](size_t blocks) ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    path->resize(blocks);
    size_t device = blocks;  // no block is on the device below one that is not
    while (device > 0 && index_.node((*path)[device - 1]).tier != Tier::kDevice) --device;
    found->blocks = device;
    found->lower = blocks - device;
    found->anchor = device == 0 ? scopes_[scope].root : (*path)[device - 1];
  };
  cut(path->size());
  if (has_windows_) {
    // With a part of the next block the window may begin one block later than without.
    if (found->lower == 0 && MatchPartial(prompt, usable, found)) {
      if (FitsWith(*path, found->partial_tokens)) return;
      found->partial = kNoBlockHandle;
      found->partial_tokens = 0;
    }
    cut(FitGroups(*path, &found->unmatched));
  }
  if (found->lower > 0) {
    found->lowest = path->back();
  } else {
    MatchPartial(prompt, usable, found);
  }
}

Match CacheShell::Peek(const KVRequest& request) const {
  Match match;
  if (!request.read || !ValidatePrompt(request.tokens, request.extra_keys).ok()) return match;
  PromptBlocks prompt = Hash(request);
  std::vector<BlockHandle> path;
  Found found;
  {
    ReaderLock lock(mu_);
    if (prompt.hasher != index_.hasher()) prompt = Hash(request);
    const uint32_t scope = FindScope(RootName(*prompt.hasher, request.scope), request.scope);
    if (scope == UINT32_MAX) return match;
    MatchPath(scope, prompt, &path, &found);
  }
  match.tokens = path.size() * block_tokens_ + found.partial_tokens;
  match.offloaded_tokens = found.lower * block_tokens_;
  for (size_t bytes : bytes_per_block_) match.bytes += path.size() * bytes;
  if (path.size() == prompt.names.size()) return match;  // nothing left that could be in flight
  HitLock lock(mu_, books_mu_);
  size_t flying = 0;
  if (prompt.hasher == index_.hasher() &&
      FindFlight(found.scope, prompt, path.size(), &flying) != nullptr) {
    match.in_flight_tokens =
        InFlightTokens(prompt.tokens.size(), match.tokens, path.size() + flying);
  }
  return match;
}

// Finds, and holds what it found: one reference on the deepest block (or the scope's root), one on
// a partial source.
absl::Status CacheShell::Lookup(const KVRequest& request, PromptBlocks* prompt, Found* found,
                                BlockTable* table, std::vector<BlockHandle>* path) {
  const auto take = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    Ref(found->anchor);
    if (found->partial != kNoBlockHandle) {
      Ref(found->partial);
      HoldAll(found->partial, true);
    }
    if (found->lowest != kNoBlockHandle) Ref(found->lowest);
    scopes_[found->scope].holders.fetch_add(1, std::memory_order_relaxed);
    if (has_windows_) return NameBlocks(found->anchor, found->blocks, table);
    for (size_t g = 0; g < groups_.size(); ++g) {
      std::vector<BlockId>& column = (*table)[g];
      for (size_t i = 0; i < found->blocks; ++i) column[i] = index_.slots((*path)[i])[g];
    }
  };
  {
    ReaderLock lock(mu_);
    if (prompt->hasher != index_.hasher()) *prompt = Hash(request);
    const uint32_t scope = FindScope(RootName(*prompt->hasher, request.scope), request.scope);
    if (scope != UINT32_MAX) {
      found->scope = scope;
      found->anchor = scopes_[scope].root;
      if (request.read) MatchPath(scope, *prompt, path, found);
      take();
      return absl::OkStatus();
    }
  }
  Columns dead(groups_.size());
  absl::Status status;
  {
    WriterLock lock(mu_);
    if (prompt->hasher != index_.hasher()) *prompt = Hash(request);
    const absl::StatusOr<uint32_t> scope =
        FindOrAddScope(RootName(*prompt->hasher, request.scope), request.scope, &dead);
    status = scope.status();
    if (scope.ok()) {
      found->anchor = scopes_[*scope].root;
      found->scope = *scope;
      if (request.read) MatchPath(*scope, *prompt, path, found);
      take();
    }
  }
  FreeColumns(&dead, /*subtract=*/true);
  return status;
}

void CacheShell::AddRequestStats(const KVRequest& request, const Found& found, int sign,
                                 bool warming) {
  if (warming) return;
  const uint64_t in_flight = found.in_flight_tokens;
  const uint64_t loaded = found.lower * block_tokens_;
  const uint64_t hit = found.blocks * block_tokens_ + found.partial_tokens + loaded;
  const uint64_t one = sign > 0 ? 1 : ~uint64_t{0};  // modular: adding -1
  for (KVScopeStats* s : {&stats_.total, &scopes_[found.scope].stats}) {
    s->requests += one;
    s->requested_tokens += one * request.tokens.size();
    s->hit_tokens += one * hit;
    s->miss_tokens += one * (request.tokens.size() - hit);
    s->partial_tokens += one * found.partial_tokens;
    s->loaded_tokens += one * loaded;
    s->in_flight_tokens += one * in_flight;
    if (request.truncated == nullptr || request.truncated->dropped_tokens == 0) continue;
    const Truncated& cut = *request.truncated;
    KVTruncationStats& t = s->truncation[static_cast<size_t>(cut.kind)];
    const size_t head = std::min(cut.head_tokens, request.tokens.size());
    const uint64_t tail = request.tokens.size() - head;
    t.requests += one;
    t.dropped_tokens += one * cut.dropped_tokens;
    t.tail_tokens += one * tail;
    t.missed_tail_tokens += one * (request.tokens.size() - std::max<uint64_t>(hit, head));
    t.prefix_breaks += tail > 0 && hit <= head ? one : 0;
  }
  for (size_t g = 0; g < found.unmatched.size(); ++g) {
    stats_.retention[g].unmatched_tokens += one * found.unmatched[g] * block_tokens_;
  }
}

// A warmed block pays once, at its first hit.
void CacheShell::ClearWarmed(BlockHandle from) {
  for (BlockHandle h = from; (index_.node(h).flags & IndexNode::kRoot) == 0;
       h = index_.node(h).parent) {
    IndexNode& n = index_.node(h);
    if ((n.flags & IndexNode::kWarmed) == 0) continue;
    n.flags = static_cast<uint8_t>(n.flags & ~IndexNode::kWarmed);
    stats_.warm_saved_tokens += block_tokens_;
  }
}

bool CacheShell::CopyPartial(const Found& found, BlockTable* table) {
  std::vector<BlockCopy> copies(groups_.size());
  {
    ReaderLock lock(mu_);
    for (size_t g = 0; g < groups_.size(); ++g) {
      copies[g].group = static_cast<GroupId>(g);
      copies[g].src = index_.slots(found.partial)[g];
      copies[g].dst = (*table)[g][found.blocks];
      copies[g].tokens = static_cast<uint32_t>(found.partial_tokens);
    }
  }
  if (store_->Copy(copies).ok()) return true;
  store_errors_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

absl::StatusOr<Lease> CacheShell::Acquire(const KVRequest& request, bool warming) {
  PENSTOCK_RETURN_IF_ERROR(ValidatePrompt(request.tokens, request.extra_keys));
  if (request.reserve_tokens > SIZE_MAX / 4 - request.tokens.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("reserve_tokens: ", request.reserve_tokens, " is out of range"));
  }
  const size_t total = BlocksFor(request.tokens.size() + request.reserve_tokens);
  if (options_.capacity_blocks.has_value() && total > *options_.capacity_blocks) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return absl::ResourceExhaustedError(absl::StrCat("prompt and reserve need ", total,
                                                     " blocks, capacity_blocks is ",
                                                     *options_.capacity_blocks));
  }
  auto lease = std::make_unique<LeaseRep>();
  lease->publish = request.publish;
  lease->warming = warming;
  lease->table.assign(groups_.size(), std::vector<BlockId>(total, kNoBlock));
  PromptBlocks prompt = Hash(request);
  Found found;
  std::vector<BlockHandle> path;
  path.reserve(prompt.names.size());
  PENSTOCK_RETURN_IF_ERROR(Lookup(request, &prompt, &found, &lease->table, &path));
  std::shared_ptr<TierMove> load;
  absl::Status status = TakeRoom(request, prompt, path, total, &found, lease.get(), &load);
  if (!status.ok()) {
    if (status.code() == absl::StatusCode::kResourceExhausted) {
      refused_.fetch_add(1, std::memory_order_relaxed);
    }
    AbandonLookup(found, lease->table, lease->cookie);
    return status;
  }
  lease->low = LowOf(found.blocks);
  if (load != nullptr || found.partial != kNoBlockHandle) {
    if (status = Fetch(request, load, total, &found, lease.get()); !status.ok()) return status;
  }
  lease->low = std::min(lease->low, LowOf(found.blocks));
  lease->shell = shared_from_this();
  lease->matched = lease->committed = found.blocks * block_tokens_ + found.partial_tokens;
  lease->named = request.tokens.size();
  lease->tail_base = found.blocks * block_tokens_;
  lease->tail.assign(request.tokens.begin() + static_cast<ptrdiff_t>(lease->tail_base),
                     request.tokens.end());
  lease->extra_keys.assign(request.extra_keys.begin(), request.extra_keys.end());
  lease->cheap = options_.second_tier.has_value() &&
                 request.hint.p_reuse.value_or(1) < options_.second_tier->min_p_reuse;
  lease->owned.assign(total, 1);
  std::fill_n(lease->owned.begin(), found.blocks, uint8_t{0});
  lease->anchor = found.anchor;
  lease->public_blocks = found.blocks;
  if (lease->publish && prompt.names.size() > found.blocks) {
    HitLock lock(mu_, books_mu_);
    if (prompt.hasher == index_.hasher()) {
      lease->names = std::move(prompt.names);
      EnterFlight(lease.get());
    }
  }
  return Lease(std::move(lease));
}

// Whether Admit can do without changing the structure.
bool CacheShell::FitsAlready(size_t columns) const { return Over(columns) == 0; }

// Everything that the books of a new lease need. Under a HitLock only if FitsAlready, nothing was
// warmed and nothing is to be loaded.
absl::Status CacheShell::Admit(const KVRequest& request, const PromptBlocks& prompt,
                               const std::vector<BlockHandle>& path, size_t total, Found* found,
                               LeaseRep* lease, Room* room, std::shared_ptr<TierMove>* load) {
  Keep(found->anchor, found->blocks);
  if (found->partial != kNoBlockHandle) Keep(found->partial, found->blocks + 1);
  const size_t matched = found->blocks + found->lower;
  size_t flying = 0;
  if (request.read && prompt.hasher == index_.hasher() &&
      FindFlight(found->scope, prompt, matched, &flying) != nullptr) {
    found->in_flight_tokens = InFlightTokens(
        request.tokens.size(), matched * block_tokens_ + found->partial_tokens, matched + flying);
  }
  const BlockHandle deepest = found->blocks == 0 ? kNoBlockHandle : found->anchor;
  const PolicyRequest view{clock_->Now(), prompt.names, found->blocks, deepest, request.hint};
  lease->cookie = policy_->OnRequest(view);
  PENSTOCK_RETURN_IF_ERROR(MakeRoom(total - found->blocks, room));
  if (found->lower > 0) *load = StartLoad(path, found, &room->dead);
  AddRequestStats(request, *found, +1, lease->warming);
  if (found->warmed && !lease->warming) ClearWarmed(found->anchor);
  TouchScope(found->scope);
  ++stats_.live_leases;
  return absl::OkStatus();
}

// Books and allocates the lease's own columns, [found->blocks, total). On an error nothing is left
// but what Lookup held and Admit entered of it.
absl::Status CacheShell::TakeRoom(const KVRequest& request, const PromptBlocks& prompt,
                                  const std::vector<BlockHandle>& path, size_t total, Found* found,
                                  LeaseRep* lease, std::shared_ptr<TierMove>* load) {
  const size_t columns = total - found->blocks;
  Room room(groups_.size());
  absl::Status status;
  bool admitted = false;
  if (found->lower == 0 && !found->warmed) {
    HitLock lock(mu_, books_mu_);
    if (FitsAlready(columns)) {
      status = Admit(request, prompt, path, total, found, lease, &room, load);
      admitted = true;
    }
  }
  if (!admitted) {
    WriterLock lock(mu_);
    status = Admit(request, prompt, path, total, found, lease, &room, load);
  }
  const bool entered = status.ok();
  status.Update(ClearRoom(entered ? columns : 0, &room));
  if (status.ok()) {
    status = AllocateColumns(columns, &lease->table, found->blocks);
    if (!status.ok()) UseLess(columns);
  }
  if (status.ok()) return status;
  if (entered) {
    HitLock lock(mu_, books_mu_);
    AddRequestStats(request, *found, -1, lease->warming);
    --stats_.live_leases;
  }
  if (*load != nullptr) CancelLoad(load->get());
  return status;
}

// Loads from the second tier, or copies a part of a block: what does not work is a miss. An error
// ends the lease: nothing is held then.
absl::Status CacheShell::Fetch(const KVRequest& request, const std::shared_ptr<TierMove>& load,
                               size_t total, Found* found, LeaseRep* lease) {
  Found got = *found;
  absl::Status status;
  if (load != nullptr) status = Load(load, lease->cookie, lease, &got);
  size_t owned_from = found->blocks + found->lower;  // a late load took the first of our blocks
  const bool copied = found->partial != kNoBlockHandle && CopyPartial(*found, &lease->table);
  if (!copied) got.partial_tokens = 0;
  const bool all =
      found->partial_tokens == got.partial_tokens && got.blocks == found->blocks + found->lower;
  if (has_windows_ && status.ok() && !all) {
    status = Shorten(lease->cookie, lease, &got);
    if (!status.ok()) owned_from = got.blocks;
  }
  got.partial = kNoBlockHandle;
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    if (found->partial != kNoBlockHandle) {
      HoldAll(found->partial, false);
      Unkeep(found->partial, found->blocks + 1, lease->cookie);
      Reap(found->partial, &dead);
    }
    AddRequestStats(request, *found, -1, lease->warming);
    if (status.ok()) {
      Found now = *found;  // the same request, with what came of it
      now.blocks = std::min(found->blocks, got.blocks);
      now.lower = got.blocks - now.blocks;
      now.partial_tokens = got.partial_tokens;
      AddRequestStats(request, now, +1, lease->warming);
    } else {
      --stats_.live_leases;
    }
  }
  if (!status.ok()) {
    lease->owned.assign(total, LeaseRep::kPrivate);
    TakeOwned(lease, owned_from, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
  if (!status.ok()) {
    AbandonLookup(got, lease->table, lease->cookie);
    return status;
  }
  *found = got;
  return status;
}

// Undoes Lookup and the holds that followed it.
void CacheShell::AbandonLookup(const Found& found, const BlockTable& table, uint64_t cookie) {
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    if (found.lowest != kNoBlockHandle) Unref(found.lowest, &dead);
    if (found.partial != kNoBlockHandle) {
      HoldAll(found.partial, false);
      Unkeep(found.partial, found.blocks + 1, cookie);
      Reap(found.partial, &dead);
    }
    UnnameBlocks(found.anchor, 0, found.blocks, table, /*lease=*/nullptr);
    Leave(found.anchor, found.blocks, cookie, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
}

absl::StatusOr<PrefixPin> CacheShell::Pin(const KVRequest& request) {
  PENSTOCK_RETURN_IF_ERROR(ValidatePrompt(request.tokens, request.extra_keys));
  PromptBlocks prompt = Hash(request);
  WriterLock lock(mu_);
  if (prompt.hasher != index_.hasher()) prompt = Hash(request);
  const uint32_t scope = FindScope(RootName(*prompt.hasher, request.scope), request.scope);
  std::vector<BlockHandle> path;
  if (scope != UINT32_MAX) {
    index_.Match(scopes_[scope].root, prompt, prompt.names.size(), &path);
    size_t device = 0;
    while (device < path.size() && index_.node(path[device]).tier == Tier::kDevice) ++device;
    path.resize(device);
    path.resize(FitGroups(path, /*unmatched=*/nullptr));
  }
  if (path.empty()) return absl::NotFoundError("pin: no whole block of this prompt is cached");
  size_t fresh = 0;
  for (BlockHandle h : path) fresh += pinned_.count(h) == 0 ? 1 : 0;
  const size_t base = options_.capacity_blocks.value_or(index_.blocks());
  const auto cap = static_cast<size_t>(static_cast<double>(base) * options_.max_pinned_fraction);
  if (pinned_.size() + fresh > cap) {
    return absl::ResourceExhaustedError(
        absl::StrCat("pin: ", fresh, " blocks on top of ", pinned_.size(),
                     " pinned ones, max_pinned_fraction allows ", cap));
  }
  for (BlockHandle h : path) ++pinned_[h];
  const BlockHandle deepest = path.back();
  Ref(deepest);
  Keep(deepest, path.size());
  scopes_[scope].holders.fetch_add(1, std::memory_order_relaxed);
  ++stats_.live_pins;
  return PrefixPin(
      std::make_unique<PrefixPin::Rep>(PrefixPin::Rep{shared_from_this(), deepest, path.size()}));
}

}  // namespace penstock::internal
