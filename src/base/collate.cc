// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/collate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "penstock/base/status_macros.h"

namespace penstock {

absl::StatusOr<PaddedShape> ShapeOf(absl::Span<const CollateRow> rows,
                                    const CollateOptions& options) {
  if (options.multiple_of.has_value() && *options.multiple_of == 0) {
    return absl::InvalidArgumentError("multiple_of is 0, expected at least 1");
  }
  PaddedShape shape;
  shape.batch = rows.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].skip > rows[i].ids.size()) {
      return absl::InvalidArgumentError(absl::StrCat("rows[", i, "]: skip ", rows[i].skip,
                                                     ", expected at most its ", rows[i].ids.size(),
                                                     " ids"));
    }
    const size_t length = rows[i].ids.size() - rows[i].skip;
    if (options.fixed_length.has_value() && length > *options.fixed_length) {
      return absl::InvalidArgumentError(absl::StrCat("rows[", i, "]: ", length,
                                                     " tokens, expected at most fixed_length ",
                                                     *options.fixed_length));
    }
    shape.padded_len = std::max(shape.padded_len, length);
  }
  if (options.fixed_length.has_value()) shape.padded_len = *options.fixed_length;
  if (options.multiple_of.has_value()) {
    const size_t m = *options.multiple_of;
    shape.padded_len = (shape.padded_len + m - 1) / m * m;
  }
  return shape;
}

template <typename Int>
absl::Status CollateInto(absl::Span<const CollateRow> rows, const CollateOptions& options,
                         const PaddedBuffers<Int>& out) {
  PENSTOCK_ASSIGN_OR_RETURN(const PaddedShape shape, ShapeOf(rows, options));
  for (size_t i = 0; i < rows.size(); ++i) {
    const CollateRow& row = rows[i];
    const size_t length = row.ids.size() - row.skip;
    const size_t begin = i * shape.padded_len + (options.pad_left ? shape.padded_len - length : 0);
    // Everything of the row that is not [begin, begin + length) is padding.
    const size_t row_begin = i * shape.padded_len;
    const size_t row_end = row_begin + shape.padded_len;
    const auto fill = [&](Int* to, Int padding, auto value_of) {
      if (to == nullptr) return;
      std::fill(to + row_begin, to + begin, padding);
      for (size_t k = 0; k < length; ++k) to[begin + k] = value_of(k);
      std::fill(to + begin + length, to + row_end, padding);
    };
    fill(out.input_ids, static_cast<Int>(options.pad_id),
         [&](size_t k) { return static_cast<Int>(row.ids[row.skip + k]); });
    fill(out.attention_mask, Int{0}, [](size_t) { return Int{1}; });
    fill(out.position_ids, Int{0}, [&](size_t k) {
      return static_cast<Int>(row.position_offset + static_cast<int64_t>(row.skip + k));
    });
    if (out.lengths != nullptr) out.lengths[i] = static_cast<Int>(length);
  }
  return absl::OkStatus();
}

template <typename Int>
absl::StatusOr<PaddedBatch<Int>> CollatePadded(absl::Span<const CollateRow> rows,
                                               const CollateOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const PaddedShape shape, ShapeOf(rows, options));
  PaddedBatch<Int> batch;
  batch.shape = shape;
  batch.input_ids.resize(shape.elements());
  batch.attention_mask.resize(shape.elements());
  batch.position_ids.resize(shape.elements());
  batch.lengths.resize(shape.batch);
  PENSTOCK_RETURN_IF_ERROR(CollateInto<Int>(rows, options,
                                            {batch.input_ids.data(), batch.attention_mask.data(),
                                             batch.position_ids.data(), batch.lengths.data()}));
  return batch;
}

template <typename Int>
PackedBatch<Int> CollatePacked(absl::Span<const CollateRow> rows) {
  PackedBatch<Int> batch;
  size_t total = 0;
  for (const CollateRow& row : rows) total += row.ids.size() - row.skip;
  batch.input_ids.reserve(total);
  batch.position_ids.reserve(total);
  batch.cu_seqlens.reserve(rows.size() + 1);
  batch.cu_seqlens.push_back(0);
  for (const CollateRow& row : rows) {
    for (size_t k = row.skip; k < row.ids.size(); ++k) {
      batch.input_ids.push_back(static_cast<Int>(row.ids[k]));
      batch.position_ids.push_back(static_cast<Int>(row.position_offset + static_cast<int64_t>(k)));
    }
    batch.cu_seqlens.push_back(static_cast<int32_t>(batch.input_ids.size()));
    batch.max_len = std::max(batch.max_len, row.ids.size() - row.skip);
  }
  return batch;
}

template absl::Status CollateInto<int32_t>(absl::Span<const CollateRow>, const CollateOptions&,
                                           const PaddedBuffers<int32_t>&);
template absl::Status CollateInto<int64_t>(absl::Span<const CollateRow>, const CollateOptions&,
                                           const PaddedBuffers<int64_t>&);
template absl::StatusOr<PaddedBatch<int32_t>> CollatePadded<int32_t>(absl::Span<const CollateRow>,
                                                                     const CollateOptions&);
template absl::StatusOr<PaddedBatch<int64_t>> CollatePadded<int64_t>(absl::Span<const CollateRow>,
                                                                     const CollateOptions&);
template PackedBatch<int32_t> CollatePacked<int32_t>(absl::Span<const CollateRow>);
template PackedBatch<int64_t> CollatePacked<int64_t>(absl::Span<const CollateRow>);

}  // namespace penstock
