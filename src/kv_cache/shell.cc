// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: the whole cache: creation, scopes that go, figures, self-check.
#include "kv_cache/shell.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace penstock::internal {
namespace {

std::vector<Retention> GroupsOf(const KVCacheOptions& options) {
  return options.groups.empty() ? std::vector<Retention>(1) : options.groups;
}

}  // namespace

CacheShell::CacheShell(BlockStore* store, const KVCacheOptions& options,
                       std::unique_ptr<EvictionPolicy> policy, uint64_t seed, uint64_t hash_mask)
    : store_(store),
      options_(options),
      groups_(GroupsOf(options)),
      block_tokens_(options.block_tokens),
      clock_(options.clock != nullptr ? options.clock : Clock::Real()),
      has_windows_(
          std::any_of(groups_.begin(), groups_.end(),
                      [](const Retention& r) { return r.kind != Retention::Kind::kFull; })),
      index_(options.block_tokens, groups_.size(), seed, hash_mask, /*counted=*/has_windows_),
      view_(index_),
      lower_view_(index_),
      policy_(std::move(policy)),
      rekey_seed_(seed),
      used_(new std::atomic<size_t>[groups_.size()]()) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    bytes_per_block_.push_back(store_->BytesPerBlock(static_cast<GroupId>(g), Tier::kDevice));
    if (options_.second_tier.has_value()) {
      lower_bytes_per_block_.push_back(
          store_->BytesPerBlock(static_cast<GroupId>(g), options_.second_tier->tier));
    }
  }
  if (options_.second_tier.has_value()) lower_policy_ = NewLruPolicy();
  stats_.retention.resize(groups_.size());
}

CacheShell::~CacheShell() { DropEverything(); }

void CacheShell::DropEverything() {
  std::vector<Scope> scopes;
  {
    WriterLock lock(mu_);
    closed_ = true;
    for (const ScopeState& s : scopes_) {
      if (s.root != kNoBlockHandle && !s.dropped) scopes.push_back(s.scope);
    }
  }
  for (const Scope& scope : scopes) Drop(scope);
}

void CacheShell::DropIdleScope(Columns* out) {
  while (scope_lru_.cold != kNoBlockHandle) {
    const uint32_t id = scope_lru_.cold;
    if (scopes_[id].holders.load(std::memory_order_acquire) != 0) {
      scope_links_.Remove(&scope_lru_, id);  // comes back when its last hold ends
      continue;
    }
    DropScope(id, out);
    return;
  }
}

// Takes the scope out of sight and removes what nothing holds. Returns the number of blocks out of
// sight.
size_t CacheShell::DropScope(uint32_t id, Columns* out) {
  ScopeState& scope = scopes_[id];
  const uint64_t name = index_.node(scope.root).name;
  uint32_t* link = &scope_by_name_.find(name)->second;
  if (*link == id && scope.next_same_name == UINT32_MAX) {
    scope_by_name_.erase(name);
  } else {
    while (*link != id) link = &scopes_[*link].next_same_name;
    *link = scope.next_same_name;
  }
  if (scope_links_.linked(id)) scope_links_.Remove(&scope_lru_, id);
  --live_scopes_;
  scope.dropped = true;
  const size_t blocks = scope.stats.cached_blocks;
  std::vector<BlockHandle> order;  // parents before children
  for (BlockHandle h = index_.node(scope.root).first_child; h != kNoBlockHandle;
       h = index_.node(h).next_sibling) {
    order.push_back(h);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    for (BlockHandle h = index_.node(order[i]).first_child; h != kNoBlockHandle;
         h = index_.node(h).next_sibling) {
      order.push_back(h);
    }
  }
  for (; !order.empty(); order.pop_back()) {
    const IndexNode& n = index_.node(order.back());
    if (n.first_child == kNoBlockHandle && n.refs.load(std::memory_order_acquire) == 0 &&
        (n.flags & IndexNode::kMoving) == 0) {
      RemoveBlock(order.back(), /*evicted=*/false, out);
    }
  }
  Reap(scope.root, out);
  return blocks;
}

size_t CacheShell::Drop(const Scope& scope) {
  Columns dead(groups_.size());
  size_t blocks = 0;
  {
    WriterLock lock(mu_);
    const uint32_t id = FindScope(RootName(*index_.hasher(), scope), scope);
    if (id == UINT32_MAX) return 0;
    blocks = DropScope(id, &dead);
  }
  FreeColumns(&dead, /*subtract=*/true);
  return blocks;
}

size_t CacheShell::Shrink(size_t blocks) {
  size_t total = 0;
  while (true) {
    size_t used = 0, leaving = 0;
    {
      HitLock lock(mu_, books_mu_);
      for (size_t g = 0; g < groups_.size(); ++g) used = std::max(used, used_[g].load());
      leaving = late_columns_;  // their device blocks go when the host has finished
    }
    if (used <= blocks + leaving) return total;
    const size_t evicted = EvictNow(used - blocks - leaving, /*offload=*/true);
    if (evicted == 0) return total;
    total += evicted;
  }
}

size_t CacheShell::CachedBlocks(const KVRequest& request) const {
  const PromptBlocks prompt = Hash(request);
  std::vector<BlockHandle> path;
  ReaderLock lock(mu_);
  const uint32_t scope = FindScope(RootName(*prompt.hasher, request.scope), request.scope);
  if (scope == UINT32_MAX || prompt.hasher != index_.hasher()) return 0;
  index_.Match(scopes_[scope].root, prompt, prompt.names.size(), &path);
  return FitGroups(path, /*unmatched=*/nullptr);
}

void CacheShell::AddWarmPrefilled(size_t tokens) {
  HitLock lock(mu_, books_mu_);
  stats_.warm_prefilled_tokens += tokens;
}

void CacheShell::RekeyIfWanted() {
  if (!index_.wants_rekey()) return;
  BlockHasher next_seed(rekey_seed_);
  rekey_seed_ = next_seed.Bytes(stats_.rehashes + 1, "rekey");
  scope_by_name_.clear();
  flights_.clear();  // their names are void; who waits is called when the lease ends
  index_.Rekey(rekey_seed_, [&](BlockHandle root) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const uint32_t id = index_.node(root).scope;
    const uint64_t name = RootName(*index_.hasher(), scopes_[id].scope);
    if (!scopes_[id].dropped) {
      const auto [it, added] = scope_by_name_.emplace(name, id);
      scopes_[id].next_same_name = added ? UINT32_MAX : it->second;
      it->second = id;
    }
    return name;
  });
  ++stats_.rehashes;
}

KVCacheStats CacheShell::GetStats() const {
  HitLock lock(mu_, books_mu_);
  KVCacheStats s = stats_;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const size_t used = used_[g].load();
    s.device_blocks += used;
    s.device_bytes += used * bytes_per_block_[g];
  }
  s.offloaded_blocks = lower_used_.load();
  s.pinned_blocks = pinned_.size();
  s.scopes = live_scopes_;
  s.false_candidates = index_.false_candidates();
  s.store_errors = store_errors_.load();
  s.refused = refused_.load();
  return s;
}

std::optional<KVScopeStats> CacheShell::GetScopeStats(const Scope& scope) const {
  HitLock lock(mu_, books_mu_);
  const uint32_t id = FindScope(RootName(*index_.hasher(), scope), scope);
  if (id == UINT32_MAX) return std::nullopt;
  return scopes_[id].stats;
}

namespace {

absl::Status CheckCounts(const KVScopeStats& s) {
  if (s.hit_tokens + s.miss_tokens != s.requested_tokens) {
    return absl::InternalError(absl::StrCat("hits ", s.hit_tokens, " + misses ", s.miss_tokens,
                                            " != requested ", s.requested_tokens));
  }
  uint64_t cut = 0;
  for (const KVTruncationStats& t : s.truncation) {
    cut += t.requests;
    if (t.missed_tail_tokens > t.tail_tokens || t.prefix_breaks > t.requests ||
        t.dropped_tokens < t.requests) {
      return absl::InternalError(absl::StrCat(
          t.requests, " cut requests: ", t.dropped_tokens, " tokens dropped, ", t.prefix_breaks,
          " broken; missed ", t.missed_tail_tokens, " of ", t.tail_tokens, " behind the cut"));
    }
  }
  if (cut > s.requests) {
    return absl::InternalError(absl::StrCat(cut, " cut requests of ", s.requests));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CacheShell::CheckInvariants() const {
  WriterLock lock(mu_);
  if (std::string wrong = index_.Check(); !wrong.empty()) return absl::InternalError(wrong);
  if (absl::Status tiers = CheckTiers(); !tiers.ok()) return tiers;
  if (absl::Status holds = CheckHolds(); !holds.ok()) return holds;
  std::vector<size_t> cached(groups_.size(), 0);
  size_t refs = 0, anchored = 0;
  std::vector<size_t> by_scope(scopes_.size(), 0);
  for (BlockHandle h = 0; h < index_.handle_limit(); ++h) {
    if (!index_.live(h)) continue;
    const IndexNode& n = index_.node(h);
    const size_t count = n.refs.load(std::memory_order_acquire);
    refs += count;
    const auto it = anchors_.find(h);
    if (it != anchors_.end() && count < it->second) {
      return absl::InternalError(
          absl::StrCat("block ", h, ": ", count, " refs, ", it->second, " leases and pins"));
    }
    if ((n.flags & IndexNode::kRoot) != 0) {
      if (scopes_[n.scope].root != h)
        return absl::InternalError(absl::StrCat("root ", h, ": of no scope"));
      continue;
    }
    if ((n.flags & IndexNode::kLost) == 0) ++by_scope[n.scope];
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (n.tier != Tier::kDevice) continue;
      const BlockId id = index_.slots(h)[g];
      cached[g] += id != kNoBlock ? 1 : 0;
      if (id == kNoBlock && groups_[g].kind == Retention::Kind::kFull) {
        return absl::InternalError(absl::StrCat("block ", h, ": nothing in group ", g));
      }
    }
  }
  for (const auto& [h, count] : anchors_) {
    if (!index_.live(h))
      return absl::InternalError(absl::StrCat("block ", h, ": leased but not cached"));
    anchored += count;
  }
  // More than leases and pins: holds of operations in progress.
  if (anchored != kept_ || anchored < stats_.live_leases + stats_.live_pins) {
    return absl::InternalError(absl::StrCat(anchored, " holds, counted ", kept_, ": ",
                                            stats_.live_leases, " leases, ", stats_.live_pins,
                                            " pins"));
  }
  if (const size_t transient = transient_refs_.load(); refs != anchored + transient) {
    return absl::InternalError(
        absl::StrCat(refs, " references, ", anchored, " holds, ", transient, " in progress"));
  }
  for (const auto& [h, count] : pinned_) {
    if (!index_.live(h))
      return absl::InternalError(absl::StrCat("block ", h, ": pinned but not cached"));
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    const size_t used = used_[g].load();
    if (used < cached[g]) {
      return absl::InternalError(
          absl::StrCat("group ", g, ": ", cached[g], " blocks cached, ", used, " counted"));
    }
    if (options_.capacity_blocks.has_value() && used > *options_.capacity_blocks) {
      return absl::InternalError(absl::StrCat(
          "group ", g, ": ", used, " blocks, over the capacity of ", *options_.capacity_blocks));
    }
  }
  if (absl::Status counted = CheckCounts(stats_.total); !counted.ok()) return counted;
  for (size_t i = 0; i < scopes_.size(); ++i) {
    if (scopes_[i].root == kNoBlockHandle) continue;
    if (absl::Status counted = CheckCounts(scopes_[i].stats); !counted.ok()) return counted;
    if (scopes_[i].stats.cached_blocks != by_scope[i]) {
      return absl::InternalError(absl::StrCat(
          "scope ", i, ": counts ", scopes_[i].stats.cached_blocks, " blocks, has ", by_scope[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal
