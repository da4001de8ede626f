// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prefill_batch.h"

#include <algorithm>
#include <utility>

namespace penstock {

PrefillBatch::PrefillBatch(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
PrefillBatch::PrefillBatch(PrefillBatch&&) noexcept = default;
PrefillBatch& PrefillBatch::operator=(PrefillBatch&&) noexcept = default;
PrefillBatch::~PrefillBatch() = default;

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
  return rep_->batch.cancelled(rep_->live[i]) || rep_->part(i)->work->HasEnded();
}

void PrefillBatch::Complete(size_t i, absl::StatusOr<PrefillResult> result) {
  // Before the completion: it may start the next request, which wants to find K/V and room.
  rep_->core->EndLease(rep_->part(i), result.ok());
  rep_->batch.Complete(rep_->live[i], std::move(result));
}

void PrefillBatch::FailAll(const absl::Status& status) {
  for (size_t i = 0; i < size(); ++i) {
    rep_->core->EndLease(rep_->part(i), /*commit=*/false);
    if (!rep_->batch.cancelled(rep_->live[i])) rep_->batch.Complete(rep_->live[i], status);
  }
}

bool PrefillBatch::Emit(size_t i, PrefillResult piece) {
  if (rep_->part(i)->work->HasEnded()) return false;  // as in cancelled()
  return rep_->batch.Emit(rep_->live[i], std::move(piece));
}

void PrefillBatch::ReleaseSlot() { rep_->batch.ReleaseSlot(); }

}  // namespace penstock
