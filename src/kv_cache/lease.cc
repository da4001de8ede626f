// SPDX-License-Identifier: Apache-2.0
#include "penstock/kv_cache/lease.h"

#include <utility>

#include "kv_cache/shell.h"

namespace penstock {
namespace {

absl::Status LeaseReleased() {
  return absl::FailedPreconditionError("lease: released or moved from, expected a live one");
}

}  // namespace

Lease::Lease() = default;
Lease::Lease(std::unique_ptr<internal::LeaseRep> rep) : rep_(std::move(rep)) {}
Lease::Lease(Lease&&) noexcept = default;
Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Release();
    rep_ = std::move(other.rep_);
  }
  return *this;
}
Lease::~Lease() { Release(); }

size_t Lease::matched_tokens() const { return rep_ == nullptr ? 0 : rep_->matched; }
size_t Lease::tokens() const { return rep_ == nullptr ? 0 : rep_->named; }
size_t Lease::committed_tokens() const { return rep_ == nullptr ? 0 : rep_->committed; }
size_t Lease::deduped_blocks() const { return rep_ == nullptr ? 0 : rep_->deduped; }
size_t Lease::reserved_tokens() const {
  return rep_ == nullptr ? 0 : rep_->owned.size() * rep_->shell->options().block_tokens;
}

absl::Span<const BlockId> Lease::blocks(GroupId group) const {
  if (rep_ == nullptr) return {};
  return rep_->table[static_cast<size_t>(group)];
}

absl::Status Lease::Reserve(size_t total_tokens) {
  return rep_ == nullptr ? LeaseReleased() : rep_->shell->Reserve(rep_.get(), total_tokens);
}
absl::Status Lease::Append(absl::Span<const TokenId> ids) {
  return rep_ == nullptr ? LeaseReleased() : rep_->shell->Append(rep_.get(), ids);
}
absl::Status Lease::Commit(size_t end_tokens) {
  return rep_ == nullptr ? LeaseReleased() : rep_->shell->Commit(rep_.get(), end_tokens);
}
absl::StatusOr<Lease> Lease::Fork() {
  if (rep_ == nullptr) return LeaseReleased();
  return rep_->shell->Fork(rep_.get());
}
absl::Status Lease::Truncate(size_t end_tokens) {
  return rep_ == nullptr ? LeaseReleased() : rep_->shell->Truncate(rep_.get(), end_tokens);
}
size_t Lease::ApplyRetention() {
  return rep_ == nullptr ? 0 : rep_->shell->ApplyRetention(rep_.get());
}
void Lease::Release() {
  if (rep_ == nullptr) return;
  const std::unique_ptr<internal::LeaseRep> rep = std::move(rep_);
  rep->shell->Release(rep.get());
}

PrefixPin::PrefixPin() = default;
PrefixPin::PrefixPin(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
PrefixPin::PrefixPin(PrefixPin&&) noexcept = default;
PrefixPin& PrefixPin::operator=(PrefixPin&& other) noexcept {
  if (this != &other) {
    Release();
    rep_ = std::move(other.rep_);
  }
  return *this;
}
PrefixPin::~PrefixPin() { Release(); }
size_t PrefixPin::tokens() const {
  return rep_ == nullptr ? 0 : rep_->blocks * rep_->shell->options().block_tokens;
}
void PrefixPin::Release() {
  if (rep_ == nullptr) return;
  const std::unique_ptr<Rep> rep = std::move(rep_);
  rep->shell->Unpin(rep->block, rep->blocks);
}

}  // namespace penstock
