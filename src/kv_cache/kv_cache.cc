// SPDX-License-Identifier: Apache-2.0
#include "penstock/kv_cache.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv_cache/create.h"
#include "kv_cache/shell.h"
#include "penstock/base/status_macros.h"

namespace penstock {

absl::Status KVCacheOptions::Validate() const {
  if (block_tokens < 1 || block_tokens > 65536) {
    return absl::InvalidArgumentError(
        absl::StrCat("block_tokens: ", block_tokens, ", expected 1 .. 65536"));
  }
  if (groups.size() > 256) {
    return absl::InvalidArgumentError(
        absl::StrCat("groups: ", groups.size(), " rules, expected at most 256"));
  }
  for (const Retention& rule : groups) PENSTOCK_RETURN_IF_ERROR(rule.Validate());
  if (!(max_pinned_fraction >= 0 && max_pinned_fraction <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_pinned_fraction: ", max_pinned_fraction, ", expected 0 .. 1"));
  }
  if (second_tier.has_value()) {
    if (second_tier->tier == Tier::kDevice) {
      return absl::InvalidArgumentError("second_tier.tier: kDevice, expected kHost or kDisk");
    }
    if (second_tier->capacity_blocks < 1) {
      return absl::InvalidArgumentError("second_tier.capacity_blocks: 0, expected at least 1");
    }
    if (!(second_tier->min_p_reuse >= 0 && second_tier->min_p_reuse <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("second_tier.min_p_reuse: ", second_tier->min_p_reuse, ", expected 0 .. 1"));
    }
  }
  if (max_scopes < 1) return absl::InvalidArgumentError("max_scopes: 0, expected at least 1");
  if (min_partial_tokens.has_value() && *min_partial_tokens < 1) {
    return absl::InvalidArgumentError("min_partial_tokens: 0, expected at least 1, or unset");
  }
  return absl::OkStatus();
}

namespace internal {

absl::StatusOr<KVCache> KVCacheAccess::Create(BlockStore* store, const KVCacheOptions& options,
                                              uint64_t seed, uint64_t hash_mask) {
  if (store == nullptr) return absl::InvalidArgumentError("store: null, expected a BlockStore");
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  std::unique_ptr<EvictionPolicy> policy = options.policy ? options.policy() : NewSessionPolicy();
  if (policy == nullptr) return absl::InvalidArgumentError("policy: the factory returned null");
  return KVCache(std::make_shared<CacheShell>(store, options, std::move(policy), seed, hash_mask));
}

}  // namespace internal

absl::StatusOr<KVCache> KVCache::Create(BlockStore* store, const KVCacheOptions& options) {
  std::random_device random;
  const uint64_t seed = (static_cast<uint64_t>(random()) << 32) | random();
  return internal::KVCacheAccess::Create(store, options, seed, ~uint64_t{0});
}

KVCache::KVCache(std::shared_ptr<internal::CacheShell> shell) : shell_(std::move(shell)) {}
KVCache::KVCache(KVCache&&) noexcept = default;
KVCache& KVCache::operator=(KVCache&& other) noexcept {
  if (this != &other) {
    if (shell_ != nullptr) shell_->DropEverything();
    shell_ = std::move(other.shell_);
  }
  return *this;
}
KVCache::~KVCache() {
  if (shell_ != nullptr) shell_->DropEverything();
}

Match KVCache::Peek(const KVRequest& request) const { return shell_->Peek(request); }
absl::StatusOr<Lease> KVCache::Acquire(const KVRequest& request) {
  return shell_->Acquire(request, false);
}
absl::StatusOr<PrefixPin> KVCache::Pin(const KVRequest& request) { return shell_->Pin(request); }
bool KVCache::NotifyWhenComputed(const KVRequest& request, absl::AnyInvocable<void() &&>&& ready) {
  return shell_->NotifyWhenComputed(request, std::move(ready));
}
KVEventBatch KVCache::EventsSince(uint64_t sequence) const { return shell_->EventsSince(sequence); }
std::string KVCache::Snapshot() const { return shell_->Snapshot(); }
absl::StatusOr<RestoreReport> KVCache::Restore(std::string_view snapshot, RestoreFn load) {
  return shell_->Restore(snapshot, std::move(load));
}
size_t KVCache::Drop(const Scope& scope) { return shell_->Drop(scope); }
size_t KVCache::Shrink(size_t blocks) { return shell_->Shrink(blocks); }
KVCacheStats KVCache::GetStats() const { return shell_->GetStats(); }
std::optional<KVScopeStats> KVCache::GetScopeStats(const Scope& scope) const {
  return shell_->GetScopeStats(scope);
}
const KVCacheOptions& KVCache::options() const { return shell_->options(); }
absl::Status KVCache::CheckInvariants() const { return shell_->CheckInvariants(); }

WarmReport KVCache::Warm(const Scope& scope, absl::Span<const std::vector<TokenId>> prompts,
                         uint64_t token_budget, PrefillFn prefill) {
  WarmReport report;
  const auto fail = [&](absl::Status status) {
    ++report.prompts_failed;
    report.first_error.Update(status);
  };
  for (const std::vector<TokenId>& prompt : prompts) {
    KVRequest request;
    request.scope = scope;
    request.tokens = prompt;
    const size_t whole = prompt.size() / options().block_tokens * options().block_tokens;
    const size_t cached = Peek(request).tokens;
    if (whole > 0 && shell_->CachedBlocks(request) * options().block_tokens == whole) {
      ++report.prompts_cached;
      report.tokens_already_cached += whole;
      continue;
    }
    if (prompt.size() - cached > token_budget - report.tokens_prefilled) {
      ++report.prompts_skipped;
      continue;
    }
    absl::StatusOr<Lease> lease = shell_->Acquire(request, /*warming=*/true);
    if (!lease.ok()) {
      fail(lease.status());
      continue;
    }
    const size_t matched = lease->matched_tokens();
    absl::Status status = prefill(prompt, *lease);
    if (status.ok()) status = lease->Commit(prompt.size());
    if (!status.ok()) {
      fail(status);
      continue;
    }
    ++report.prompts;
    report.tokens_prefilled += prompt.size() - matched;
    report.tokens_already_cached += matched;
    shell_->AddWarmPrefilled(prompt.size() - matched);
  }
  return report;
}

}  // namespace penstock
