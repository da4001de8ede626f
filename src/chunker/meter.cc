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
  tail_end_ = head_end_ = 0;
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
  if (tail_begin_ != begin || tail_end_ != end) {
    tail_begin_ = begin;
    tail_end_ = end;
    tail_count_ = CountDirectly(begin, end);
  }
  return tail_count_;
}

size_t Meter::Count(size_t begin, size_t end) {
  if (!InWindow(begin, end)) return CountDirectly(begin, end);
  size_t first = CutAtOrBefore(begin);
  size_t last = CutAtOrBefore(end);
  const bool begin_safe = cuts_[first].byte + window_begin_ == begin;
  const bool end_safe = cuts_[last].byte + window_begin_ == end;
  if (begin_safe && end_safe) return cuts_[last].token - cuts_[first].token;
  if (!begin_safe) first += kMargin;
  if (!end_safe) last = last < kMargin - 1 ? 0 : last - (kMargin - 1);
  if (first >= last) {
    if (begin_safe && first == last) return TailCount(last, end);
    return CountDirectly(begin, end);
  }
  size_t count = cuts_[last].token - cuts_[first].token;
  if (!end_safe) count += TailCount(last, end);
  if (!begin_safe) {
    const size_t head_end = window_begin_ + cuts_[first].byte;
    if (head_begin_ != begin || head_end_ != head_end) {
      head_begin_ = begin;
      head_end_ = head_end;
      head_count_ = CountDirectly(begin, head_end);
    }
    count += head_count_;
  }
  return count;
}

bool Meter::IsSlice(size_t begin, size_t end) const {
  if (!InWindow(begin, end)) return false;
  return cuts_[CutAtOrBefore(begin)].byte + window_begin_ == begin &&
         cuts_[CutAtOrBefore(end)].byte + window_begin_ == end;
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
  *ids = tokenizer_->EncodeIds(Text(begin, end));
  encoded_bytes_ += end - begin;
  return false;
}

}  // namespace penstock::internal
