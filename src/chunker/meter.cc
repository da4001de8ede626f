// SPDX-License-Identifier: Apache-2.0
#include "chunker/meter.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::internal {

void Meter::Cover(size_t begin, size_t end, size_t preferred_end) {
  if (!use_safe_cuts_ || InWindow(begin, end)) return;
  const std::string_view text = Text(begin, preferred_end);
  EncodeOptions options;
  options.safe_cuts = true;
  const Segment segment = Untrusted(text);
  absl::StatusOr<Encoding> encoding = tokenizer_->Encode({&segment, 1}, options);
  encoded_bytes_ += text.size();
  if (!encoding.ok()) {
    // No limit was set, so a built-in engine cannot refuse; a host's may: count directly then.
    have_window_ = false;
    return;
  }
  ids_ = std::move(encoding->ids);
  cuts_.clear();
  cuts_.reserve(encoding->safe_cuts.size() + 2);
  cuts_.push_back({0, 0});
  for (const SafeCut cut : encoding->safe_cuts) {
    if (cut.byte > 0 && cut.byte < text.size()) cuts_.push_back(cut);
  }
  cuts_.push_back({text.size(), ids_.size()});
  window_begin_ = begin;
  window_end_ = preferred_end;
  have_window_ = true;
}

size_t Meter::CutAtOrBefore(size_t byte) const {
  const size_t relative = byte - window_begin_;
  const auto after =
      std::upper_bound(cuts_.begin(), cuts_.end(), relative,
                       [](size_t value, const SafeCut& cut) { return value < cut.byte; });
  return static_cast<size_t>(after - cuts_.begin()) - 1;
}

size_t Meter::CountDirectly(size_t begin, size_t end) {
  encoded_bytes_ += end - begin;
  return begin == end ? 0 : tokenizer_->Count(Text(begin, end));
}

size_t Meter::TailCount(size_t cut_index, size_t end) {
  const size_t begin = window_begin_ + cuts_[cut_index].byte;
  Stretch& tail = tails_[end % tails_.size()];
  if (tail.begin != begin || tail.end != end) tail = {begin, end, CountDirectly(begin, end)};
  return tail.count;
}

size_t Meter::Count(size_t begin, size_t end) {
  if (!InWindow(begin, end)) return CountDirectly(begin, end);
  size_t first = CutAtOrBefore(begin);
  size_t last = CutAtOrBefore(end);
  const bool begin_safe = cuts_[first].byte + window_begin_ == begin;
  const bool end_safe = cuts_[last].byte + window_begin_ == end;
  if (begin_safe && end_safe) return cuts_[last].token - cuts_[first].token;
  if (!begin_safe) first += kHeadMargin;
  if (!end_safe) last -= std::min(last, kTailMargin - 1);
  if (first >= last) {
    if (begin_safe && first == last) return TailCount(last, end);
    return CountDirectly(begin, end);
  }
  size_t count = cuts_[last].token - cuts_[first].token;
  if (!end_safe) count += TailCount(last, end);
  if (!begin_safe) {
    const size_t head_end = window_begin_ + cuts_[first].byte;
    if (head_.begin != begin || head_.end != head_end) {
      head_ = {begin, head_end, CountDirectly(begin, head_end)};
    }
    count += head_.count;
  }
  return count;
}

bool Meter::IsSlice(size_t begin, size_t end) const {
  if (!InWindow(begin, end)) return false;
  return cuts_[CutAtOrBefore(begin)].byte + window_begin_ == begin &&
         cuts_[CutAtOrBefore(end)].byte + window_begin_ == end;
}

bool Meter::EncodeAround(size_t begin, size_t end, size_t cut, std::vector<TokenId>* ids,
                         size_t* token) {
  EncodeOptions options;
  options.safe_cuts = true;
  const Segment segment = Untrusted(Text(begin, end));
  absl::StatusOr<Encoding> encoding = tokenizer_->Encode({&segment, 1}, options);
  encoded_bytes_ += end - begin;
  if (!encoding.ok()) return false;
  for (const SafeCut known : encoding->safe_cuts) {
    if (known.byte != cut - begin) continue;
    *ids = std::move(encoding->ids);
    *token = known.token;
    return true;
  }
  return false;
}

// A slice with re-encoded pieces at its unsafe ends; false where they cannot be joined to it.
bool Meter::Joined(size_t begin, size_t end, std::vector<TokenId>* ids) {
  if (!InWindow(begin, end)) return false;
  size_t first = CutAtOrBefore(begin);
  size_t last = CutAtOrBefore(end);
  const bool begin_safe = cuts_[first].byte + window_begin_ == begin;
  const bool end_safe = cuts_[last].byte + window_begin_ == end;
  if (!begin_safe) first += kHeadMargin;
  if (!end_safe) last -= std::min(last, kHeadMargin);
  if (first + 2 * kHeadMargin > last) return false;  // short: no gain
  const auto byte = [this](size_t index) { return window_begin_ + cuts_[index].byte; };
  std::vector<TokenId> head, tail;
  size_t head_size = 0;
  size_t tail_from = 0;
  if (!begin_safe && !EncodeAround(begin, byte(first + 2), byte(first), &head, &head_size)) {
    return false;
  }
  if (!end_safe && !EncodeAround(byte(last - 2), end, byte(last), &tail, &tail_from)) return false;
  const auto at = [](const std::vector<TokenId>& v, size_t index) {
    return v.begin() + static_cast<std::ptrdiff_t>(index);
  };
  ids->assign(head.cbegin(), at(head, head_size));
  ids->insert(ids->end(), at(ids_, cuts_[first].token), at(ids_, cuts_[last].token));
  ids->insert(ids->end(), at(tail, tail_from), tail.cend());
  return true;
}

bool Meter::Ids(size_t begin, size_t end, std::vector<TokenId>* ids) {
  if (IsSlice(begin, end)) {
    const size_t first = cuts_[CutAtOrBefore(begin)].token;
    const size_t last = cuts_[CutAtOrBefore(end)].token;
    PENSTOCK_CHECK(first <= last && last <= ids_.size());
    ids->assign(ids_.begin() + static_cast<std::ptrdiff_t>(first),
                ids_.begin() + static_cast<std::ptrdiff_t>(last));
    return true;
  }
  if (Joined(begin, end, ids)) return false;
  *ids = tokenizer_->EncodeIds(Text(begin, end));
  encoded_bytes_ += end - begin;
  return false;
}

}  // namespace penstock::internal
