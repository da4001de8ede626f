// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/aligned_text.h"

#include <utility>

#include "base/check.h"
#include "text/utf8.h"

namespace penstock::internal {

ByteRange AlignedText::OriginalRange(size_t begin, size_t end) const {
  PENSTOCK_DCHECK(begin <= end && end <= text().size());
  if (!rewritten_) return {base_ + begin, base_ + end};
  PENSTOCK_DCHECK(track_);
  if (begin == end) {
    if (alignments_.empty()) return {base_, base_};
    const size_t at =
        begin < alignments_.size() ? alignments_[begin].begin : alignments_.back().end;
    return {base_ + at, base_ + at};
  }
  return {base_ + alignments_[begin].begin, base_ + alignments_[end - 1].end};
}

AlignedText AlignedText::Slice(size_t begin, size_t end) const {
  if (!rewritten_) {
    return AlignedText(original_.substr(begin, end - begin), base_ + begin, track_);
  }
  AlignedText slice(original_, base_, track_);
  slice.rewritten_ = true;
  slice.owned_ = owned_.substr(begin, end - begin);
  if (track_) {
    slice.alignments_.assign(alignments_.begin() + static_cast<ptrdiff_t>(begin),
                             alignments_.begin() + static_cast<ptrdiff_t>(end));
  }
  return slice;
}

AlignedText::Rewriter::Rewriter(const AlignedText& from) : owner_(from), from_(from.text()) {
  text_.reserve(from_.size() + from_.size() / 8 + 16);
  if (owner_.track_) alignments_.reserve(text_.capacity());
}

Alignment AlignedText::Rewriter::AlignmentAt(size_t i) const {
  if (!owner_.track_) return {};
  if (owner_.rewritten_) return owner_.alignments_[i];
  // The character that byte i belongs to.
  size_t begin = i;
  while (begin > 0 && i - begin < 3 && IsUtf8Continuation(from_[begin])) --begin;
  DecodedChar c = DecodeUtf8(from_, begin);
  if (begin + c.size <= i) {
    begin = i;
    c = DecodeUtf8(from_, i);
  }
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + c.size)};
}

Alignment AlignedText::Rewriter::LastAlignment() const {
  return alignments_.empty() ? Alignment() : alignments_.back();
}

void AlignedText::Rewriter::Keep(size_t bytes) {
  text_.append(from_.substr(position_, bytes));
  if (owner_.track_) {
    if (owner_.rewritten_) {
      const auto first = owner_.alignments_.begin() + static_cast<ptrdiff_t>(position_);
      alignments_.insert(alignments_.end(), first, first + static_cast<ptrdiff_t>(bytes));
    } else {
      for (size_t i = position_; i < position_ + bytes;) {
        const size_t size = DecodeUtf8(from_, i).size;
        alignments_.insert(alignments_.end(), size,
                           {static_cast<uint32_t>(i), static_cast<uint32_t>(i + size)});
        i += size;
      }
    }
  }
  position_ += bytes;
}

void AlignedText::Rewriter::Insert(std::string_view bytes, Alignment alignment) {
  text_.append(bytes);
  if (owner_.track_) alignments_.insert(alignments_.end(), bytes.size(), alignment);
}

void AlignedText::Rewriter::Replace(size_t bytes, std::string_view with) {
  Insert(with, bytes == 0 ? LastAlignment() : AlignmentAt(position_));
  position_ += bytes;
}

void AlignedText::Rewriter::Finish(AlignedText* into) {
  PENSTOCK_CHECK(into == &owner_ && position_ == from_.size());
  into->owned_ = std::move(text_);
  into->alignments_ = std::move(alignments_);
  into->rewritten_ = true;
}

}  // namespace penstock::internal
