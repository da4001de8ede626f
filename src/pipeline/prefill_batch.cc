// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prefill_batch.h"

#include <algorithm>
#include <utility>

namespace penstock {

void PrefillBatch::Rep::End(size_t i, absl::StatusOr<PrefillResult> result) {
  // Before the completion: it may start the next request, which wants to find K/V and room.
  core->EndLease(part(i), result.ok());
  batch.Complete(live[i], std::move(result));
}

bool PrefillBatch::Rep::LeaveToHelper(const std::shared_ptr<Rep>& rep, size_t i,
                                      absl::StatusOr<PrefillResult>* result) {
  // An item that was left once stays with the helper, so that the first completion counts.
  if (!rep->left[i] && !rep->core->next_is_prepared()) return false;
  {
    internal::MutexLock lock(rep->mu);
    rep->left[i] = true;
    rep->ever_left = true;
    rep->to_end.emplace_back(i, std::move(*result));
    if (std::exchange(rep->helped, true)) return true;
  }
  rep->core->Help([rep] { EndLeft(rep); });
  return true;
}

void PrefillBatch::Rep::EndLeft(const std::shared_ptr<Rep>& rep) {
  std::vector<std::pair<size_t, absl::StatusOr<PrefillResult>>> items;
  while (true) {
    {
      internal::MutexLock lock(rep->mu);
      items.swap(rep->to_end);
      rep->helped = !items.empty();
      if (!rep->helped) return;
    }
    for (auto& [i, result] : items) rep->End(i, std::move(result));
    items.clear();
  }
}

PrefillBatch::PrefillBatch(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
PrefillBatch::PrefillBatch(PrefillBatch&&) noexcept = default;
PrefillBatch& PrefillBatch::operator=(PrefillBatch&& other) noexcept {
  if (this != &other) {
    Leave();
    rep_ = std::move(other.rep_);
  }
  return *this;
}
PrefillBatch::~PrefillBatch() { Leave(); }

// The helper may keep what is behind it; the slot is free now.
void PrefillBatch::Leave() {
  if (rep_ == nullptr) return;
  bool ever_left;
  {
    internal::MutexLock lock(rep_->mu);
    ever_left = rep_->ever_left;
  }
  if (ever_left) rep_->batch.ReleaseSlot();
  rep_.reset();
}

size_t PrefillBatch::size() const { return rep_->live.size(); }

PrefillItem PrefillBatch::item(size_t i) const {
  internal::PartWork* const part = rep_->part(i);
  PrefillItem item{part->work->request, part->index, part->count, part->prompt.ids,
                   part->cached_tokens, nullptr,     MonoTime()};
  item.lease = part->holds_lease ? &part->lease : nullptr;
  item.deadline = part->work->deadline;
  return item;
}

ReleaseReason PrefillBatch::reason() const { return rep_->batch.reason(); }

size_t PrefillBatch::compute_tokens() const {
  size_t sum = 0;
  for (size_t i = 0; i < size(); ++i) {
    const internal::PartWork& part = *rep_->part(i);
    sum += part.prompt.ids.size() - part.cached_tokens;
  }
  return sum;
}

size_t PrefillBatch::padded_tokens() const {
  size_t longest = 0;
  for (size_t i = 0; i < size(); ++i) {
    const internal::PartWork& part = *rep_->part(i);
    longest = std::max(longest, part.prompt.ids.size() - part.cached_tokens);
  }
  return longest * size();
}

// The request may have ended an instant before the batcher learns of it.
bool PrefillBatch::cancelled(size_t i) const {
  return rep_->left[i] || rep_->batch.cancelled(rep_->live[i]) || rep_->part(i)->work->HasEnded();
}

void PrefillBatch::Complete(size_t i, absl::StatusOr<PrefillResult> result) {
  if (!Rep::LeaveToHelper(rep_, i, &result)) rep_->End(i, std::move(result));
}

void PrefillBatch::FailAll(const absl::Status& status) {
  for (size_t i = 0; i < size(); ++i) {
    if (rep_->left[i]) continue;
    rep_->core->EndLease(rep_->part(i), /*commit=*/false);
    if (!rep_->batch.cancelled(rep_->live[i])) rep_->batch.Complete(rep_->live[i], status);
  }
}

bool PrefillBatch::Emit(size_t i, PrefillResult piece) {
  if (rep_->left[i] || rep_->part(i)->work->HasEnded()) return false;  // as in cancelled()
  return rep_->batch.Emit(rep_->live[i], std::move(piece));
}

void PrefillBatch::ReleaseSlot() { rep_->batch.ReleaseSlot(); }

}  // namespace penstock
