// SPDX-License-Identifier: Apache-2.0
#include "chunker/meter.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::internal {

void Meter::Cover(size_t begin, size_t end, size_t preferred_end) {
  if (!use_safe_cuts_ || Covers(begin, end)) return;
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
  cuts_ = std::move(encoding->safe_cuts);
  // A host's tokenizer may report the two ends.
  while (!cuts_.empty() && cuts_.back().byte >= text.size()) cuts_.pop_back();
  if (!cuts_.empty() && cuts_.front().byte == 0) cuts_.erase(cuts_.begin());
  window_begin_ = begin;
  window_end_ = preferred_end;
  begin_hint_ = 0;
  end_hint_ = 0;
  have_window_ = true;
}

size_t Meter::CutAtOrBefore(size_t byte, size_t* hint) {
  const size_t relative = byte - window_begin_;
  const size_t end = cuts_.size() + 2;
  // From the answer before to where the cut would be if all were equally far apart.
  const double per_byte =
      static_cast<double>(end) / static_cast<double>(window_end_ - window_begin_ + 1);
  const double from = static_cast<double>(CutAt(*hint).byte);
  const double jump = (static_cast<double>(relative) - from) * per_byte;
  const double guess = static_cast<double>(*hint) + jump;
  size_t low = guess <= 0 ? 0 : std::min(end - 1, static_cast<size_t>(guess));
  size_t high = end;  // after `relative`; low is at or before it, once found
  size_t step = 2;
  if (CutAt(low).byte > relative) {
    do {
      high = low;
      low -= std::min(low, step);
      step *= 2;
    } while (CutAt(low).byte > relative);
  } else {
    for (; low + step < end; step *= 2) {
      if (CutAt(low + step).byte > relative) {
        high = low + step;
        break;
      }
      low += step;
    }
  }
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    (CutAt(middle).byte <= relative ? low : high) = middle;
  }
  *hint = low;
  return low;
}

size_t Meter::CountDirectly(size_t begin, size_t end) {
  encoded_bytes_ += end - begin;
  return begin == end ? 0 : tokenizer_->Count(Text(begin, end));
}

size_t Meter::TailCount(size_t cut_index, size_t end) {
  const size_t begin = CutByte(cut_index);
  Stretch& tail = tails_[end % tails_.size()];
  if (tail.begin != begin || tail.end != end) tail = {begin, end, CountDirectly(begin, end)};
  return tail.count;
}

size_t Meter::Count(size_t begin, size_t end) {
  if (!Covers(begin, end)) return CountDirectly(begin, end);
  size_t first = CutAtOrBefore(begin, &begin_hint_);
  size_t last = CutAtOrBefore(end, &end_hint_);
  const bool begin_safe = CutByte(first) == begin;
  const bool end_safe = CutByte(last) == end;
  if (begin_safe && end_safe) return CutAt(last).token - CutAt(first).token;
  if (!begin_safe) first += kHeadMargin;
  if (!end_safe) last -= std::min(last, kTailMargin - 1);
  if (first >= last) {
    if (begin_safe && first == last) return TailCount(last, end);
    return CountDirectly(begin, end);
  }
  size_t count = CutAt(last).token - CutAt(first).token;
  if (!end_safe) count += TailCount(last, end);
  if (!begin_safe) {
    const size_t head_end = CutByte(first);
    if (head_.begin != begin || head_.end != head_end) {
      head_ = {begin, head_end, CountDirectly(begin, head_end)};
    }
    count += head_.count;
  }
  return count;
}

bool Meter::IsSlice(size_t begin, size_t end) {
  if (!Covers(begin, end)) return false;
  return CutByte(CutAtOrBefore(begin, &begin_hint_)) == begin &&
         CutByte(CutAtOrBefore(end, &end_hint_)) == end;
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
  if (!Covers(begin, end)) return false;
  size_t first = CutAtOrBefore(begin, &begin_hint_);
  size_t last = CutAtOrBefore(end, &end_hint_);
  const bool begin_safe = CutByte(first) == begin;
  const bool end_safe = CutByte(last) == end;
  if (!begin_safe) first += kHeadMargin;
  if (!end_safe) last -= std::min(last, kHeadMargin);
  if (first + 2 * kHeadMargin > last) return false;  // short: no gain
  std::vector<TokenId> head, tail;
  size_t head_size = 0;
  size_t tail_from = 0;
  if (!begin_safe && !EncodeAround(begin, CutByte(first + 2), CutByte(first), &head, &head_size)) {
    return false;
  }
  if (!end_safe && !EncodeAround(CutByte(last - 2), end, CutByte(last), &tail, &tail_from))
    return false;
  const auto at = [](const std::vector<TokenId>& v, size_t index) {
    return v.begin() + static_cast<std::ptrdiff_t>(index);
  };
  ids->assign(head.cbegin(), at(head, head_size));
  ids->insert(ids->end(), at(ids_, CutAt(first).token), at(ids_, CutAt(last).token));
  ids->insert(ids->end(), at(tail, tail_from), tail.cend());
  return true;
}

bool Meter::Ids(size_t begin, size_t end, std::vector<TokenId>* ids) {
  if (IsSlice(begin, end)) {
    const size_t first = CutAt(CutAtOrBefore(begin, &begin_hint_)).token;
    const size_t last = CutAt(CutAtOrBefore(end, &end_hint_)).token;
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
