// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: prompts being computed right now, and who waits for them; events.
//
// A lease that will publish is found by the name of its first block that is not public yet: one
// entry a lease, moved along by Commit. A request that misses at that very block is behind it.
// Names are hashes; a wrong guess only makes somebody wait or not wait.
#include <algorithm>
#include <utility>

#include "kv_cache/shell.h"

namespace penstock::internal {

void CacheShell::EnterFlight(LeaseRep* lease) {
  if (lease->public_blocks < lease->names.size()) {
    flights_.emplace(lease->names[lease->public_blocks], lease);
  } else {
    lease->names.clear();
  }
}

// After Commit moved public_blocks on from `from`.
void CacheShell::AdvanceFlight(LeaseRep* lease, size_t from, Ready* ready) {
  if (lease->names.empty()) return;
  if (from < lease->names.size()) {
    const auto [begin, end] = flights_.equal_range(lease->names[from]);
    const auto it = std::find_if(begin, end, [&](const auto& f) { return f.second == lease; });
    if (it != end) {
      flights_.erase(it);
      EnterFlight(lease);
    }
  }
  const auto [begin, end] = waiters_.equal_range(lease);
  for (auto it = begin; it != end;) {
    if (it->second.blocks <= lease->public_blocks) {
      ready->push_back(std::move(it->second.ready));
      it = waiters_.erase(it);
    } else {
      ++it;
    }
  }
}

void CacheShell::LeaveFlight(LeaseRep* lease, Ready* ready) {
  if (lease->public_blocks < lease->names.size()) {
    const auto [begin, end] = flights_.equal_range(lease->names[lease->public_blocks]);
    const auto it = std::find_if(begin, end, [&](const auto& f) { return f.second == lease; });
    if (it != end) flights_.erase(it);
  }
  lease->names.clear();
  const auto [begin, end] = waiters_.equal_range(lease);
  for (auto it = begin; it != end; ++it) ready->push_back(std::move(it->second.ready));
  waiters_.erase(begin, end);
}

// The lease that computes most of what follows the first `matched` blocks of the prompt.
LeaseRep* CacheShell::FindFlight(uint32_t scope, const PromptBlocks& prompt, size_t matched,
                                 size_t* blocks) const {
  *blocks = 0;
  if (flights_.empty() || matched >= prompt.names.size()) return nullptr;
  LeaseRep* best = nullptr;
  const auto [begin, end] = flights_.equal_range(prompt.names[matched]);
  for (auto it = begin; it != end; ++it) {
    LeaseRep* lease = it->second;
    if (index_.node(lease->anchor).scope != scope || lease->public_blocks != matched) continue;
    size_t run = 0;
    while (matched + run < std::min(prompt.names.size(), lease->names.size()) &&
           prompt.names[matched + run] == lease->names[matched + run]) {
      ++run;
    }
    if (run > *blocks) {
      *blocks = run;
      best = lease;
    }
  }
  return best;
}

// Tokens that will be there once `blocks` are public, beyond those matched now; the last token
// never counts.
size_t CacheShell::InFlightTokens(size_t prompt_tokens, size_t matched_tokens,
                                  size_t blocks) const {
  const size_t then = std::min(blocks * block_tokens_, prompt_tokens - 1);
  return then > matched_tokens ? then - matched_tokens : 0;
}

bool CacheShell::NotifyWhenComputed(const KVRequest& request,
                                    absl::AnyInvocable<void() &&>&& ready) {
  if (!ValidatePrompt(request.tokens, request.extra_keys).ok()) return false;
  PromptBlocks prompt = Hash(request);
  std::vector<BlockHandle> path;
  WriterLock lock(mu_);
  if (prompt.hasher != index_.hasher()) prompt = Hash(request);
  const uint32_t scope = FindScope(RootName(*prompt.hasher, request.scope), request.scope);
  if (scope == UINT32_MAX) return false;
  index_.Match(scopes_[scope].root, prompt, prompt.names.size(), &path);
  path.resize(FitGroups(path, /*unmatched=*/nullptr));
  size_t blocks = 0;
  LeaseRep* lease = FindFlight(scope, prompt, path.size(), &blocks);
  if (lease == nullptr) return false;
  waiters_.emplace(lease, Waiter{path.size() + blocks, std::move(ready)});
  return true;
}

void CacheShell::Run(Ready* ready) {
  for (auto& callback : *ready) std::move(callback)();
  ready->clear();
}

void CacheShell::Emit(KVEvent::Kind kind, BlockHandle block, Tier tier) {
  if (!options_.event_capacity.has_value()) return;
  const IndexNode& n = index_.node(block);
  const bool first = (index_.node(n.parent).flags & IndexNode::kRoot) != 0;
  if (stable_ids_.size() <= block) stable_ids_.resize(block + 1);
  KVEvent event;
  event.parent =
      first ? StableRootId(scopes_[n.scope].scope, block_tokens_) : stable_ids_[n.parent];
  if (kind == KVEvent::Kind::kStored) {
    stable_ids_[block] = StableChildId(event.parent, index_.tokens(block), index_.extras(block));
  }
  event.sequence = next_event_++;
  event.kind = kind;
  event.tier = tier;
  event.depth = n.depth;
  event.id = stable_ids_[block];
  events_.push_back(event);
  while (events_.size() > *options_.event_capacity) events_.pop_front();
}

KVEventBatch CacheShell::EventsSince(uint64_t sequence) const {
  ReaderLock lock(mu_);
  KVEventBatch batch;
  batch.next = next_event_;
  const uint64_t oldest = next_event_ - events_.size();
  batch.gap = sequence < oldest || sequence > next_event_;
  const uint64_t from = sequence > next_event_ ? oldest : std::max(sequence, oldest);
  batch.events.assign(events_.begin() + static_cast<ptrdiff_t>(from - oldest), events_.end());
  return batch;
}

}  // namespace penstock::internal
