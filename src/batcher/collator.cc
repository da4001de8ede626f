// SPDX-License-Identifier: Apache-2.0
#include "penstock/batcher/collator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace penstock {

template <class Int>
absl::StatusOr<PaddedView<Int>> Collator<Int>::PadRows(const CollateOptions& options) {
  absl::StatusOr<PaddedShape> shape = ShapeOf(rows_, options);
  if (!shape.ok()) return shape.status();
  input_ids_.resize(shape->elements());
  attention_mask_.resize(shape->elements());
  position_ids_.resize(shape->elements());
  lengths_.resize(shape->batch);
  PaddedBuffers<Int> out;
  out.input_ids = input_ids_.data();
  out.attention_mask = attention_mask_.data();
  out.position_ids = position_ids_.data();
  out.lengths = lengths_.data();
  if (absl::Status status = CollateInto<Int>(rows_, options, out); !status.ok()) return status;
  return PaddedView<Int>{*shape, input_ids_, attention_mask_, position_ids_, lengths_};
}

template <class Int>
absl::StatusOr<PackedView<Int>> Collator<Int>::PackRows() {
  input_ids_.clear();
  position_ids_.clear();
  cu_seqlens_.assign(1, 0);
  size_t max_len = 0;
  for (size_t r = 0; r < rows_.size(); ++r) {
    const CollateRow& row = rows_[r];
    if (row.skip > row.ids.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "row ", r, ": skip ", row.skip, ", expected at most its ", row.ids.size(), " ids"));
    }
    for (size_t i = row.skip; i < row.ids.size(); ++i) {
      input_ids_.push_back(static_cast<Int>(row.ids[i]));
      position_ids_.push_back(static_cast<Int>(row.position_offset + static_cast<int64_t>(i)));
    }
    cu_seqlens_.push_back(static_cast<int32_t>(input_ids_.size()));
    max_len = std::max(max_len, row.ids.size() - row.skip);
  }
  return PackedView<Int>{input_ids_, position_ids_, cu_seqlens_, max_len};
}

template class Collator<int32_t>;
template class Collator<int64_t>;

}  // namespace penstock
