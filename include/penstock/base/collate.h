// SPDX-License-Identifier: Apache-2.0
//
// Collate: rows of token ids into the tensors a model takes, padded or packed.
//
//   std::vector<CollateRow> rows = {{a.ids}, {b.ids}};
//   CollateOptions options;  options.pad_id = 0;  options.multiple_of = 8;
//   PENSTOCK_ASSIGN_OR_RETURN(PaddedBatch<int64_t> padded, CollatePadded<int64_t>(rows, options));
//   padded.input_ids        // int64 [batch, padded_len], row-major, pad = pad_id
//   padded.attention_mask   // 1 = token, 0 = padding
//
//   PackedBatch<int32_t> packed = CollatePacked<int32_t>(rows);
//   packed.input_ids        // int32 [total], row i is [cu_seqlens[i], cu_seqlens[i + 1])
//
// A row whose first tokens are already in a KV cache sets `skip`: only the rest is laid out, and
// its positions go on where the cached ones end. A row longer than options.fixed_length is refused
// with kInvalidArgument, never cut.
#ifndef PENSTOCK_BASE_COLLATE_H_
#define PENSTOCK_BASE_COLLATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"

namespace penstock {

// One sequence. Borrowed: the ids must outlive the call.
struct CollateRow {
  absl::Span<const TokenId> ids;
  size_t skip = 0;  // leading ids not laid out: their K/V is cached. REQUIRES: skip <= ids.size()
  int64_t position_offset = 0;  // position of ids[0]
};

struct CollateOptions {
  bool pad_left = false;
  std::optional<size_t> fixed_length;  // padded_len; none: the longest row
  std::optional<size_t> multiple_of;   // round padded_len up to a multiple of this. Not 0
  TokenId pad_id = 0;
};

// [batch, padded_len].
struct PaddedShape {
  size_t batch = 0;
  size_t padded_len = 0;
  size_t elements() const { return batch * padded_len; }
};

// Where to write; null = not wanted. Each but `lengths` has shape.elements() elements, row-major.
template <typename Int>
struct PaddedBuffers {
  Int* input_ids = nullptr;       // [batch, padded_len], pad = pad_id
  Int* attention_mask = nullptr;  // [batch, padded_len], 1 = token, 0 = padding
  Int* position_ids =
      nullptr;             // [batch, padded_len], position_offset + index in the row; 0 in padding
  Int* lengths = nullptr;  // [batch], tokens laid out: ids.size() - skip
};

template <typename Int>
struct PaddedBatch {
  PaddedShape shape;
  std::vector<Int> input_ids, attention_mask, position_ids, lengths;
};

template <typename Int>
struct PackedBatch {
  std::vector<Int> input_ids;       // [total]
  std::vector<Int> position_ids;    // [total]
  std::vector<int32_t> cu_seqlens;  // [batch + 1], row i is [cu_seqlens[i], cu_seqlens[i + 1])
  size_t max_len = 0;
};

// The shape CollatePadded() will fill. Rows may be empty; no rows give [0, 0] or [0, fixed_length].
// kInvalidArgument: a row longer than fixed_length, multiple_of is 0, skip > ids.size(). O(rows).
PENSTOCK_EXPORT absl::StatusOr<PaddedShape> ShapeOf(absl::Span<const CollateRow> rows,
                                                    const CollateOptions& options = {});

// Fills the caller's buffers. Int is int32_t or int64_t. Errors as ShapeOf(). O(elements). Pure;
// safe from any thread.
template <typename Int>
PENSTOCK_EXPORT absl::Status CollateInto(absl::Span<const CollateRow> rows,
                                         const CollateOptions& options,
                                         const PaddedBuffers<Int>& out);

// The same into vectors of its own, all four filled.
template <typename Int>
PENSTOCK_EXPORT absl::StatusOr<PaddedBatch<Int>> CollatePadded(absl::Span<const CollateRow> rows,
                                                               const CollateOptions& options = {});

// All rows back to back, without padding. REQUIRES: skip <= ids.size() in every row; fewer than
// 2^31 tokens. O(total).
template <typename Int>
PENSTOCK_EXPORT PackedBatch<Int> CollatePacked(absl::Span<const CollateRow> rows);

extern template PENSTOCK_EXPORT absl::Status CollateInto<int32_t>(absl::Span<const CollateRow>,
                                                                  const CollateOptions&,
                                                                  const PaddedBuffers<int32_t>&);
extern template PENSTOCK_EXPORT absl::Status CollateInto<int64_t>(absl::Span<const CollateRow>,
                                                                  const CollateOptions&,
                                                                  const PaddedBuffers<int64_t>&);
extern template PENSTOCK_EXPORT absl::StatusOr<PaddedBatch<int32_t>> CollatePadded<int32_t>(
    absl::Span<const CollateRow>, const CollateOptions&);
extern template PENSTOCK_EXPORT absl::StatusOr<PaddedBatch<int64_t>> CollatePadded<int64_t>(
    absl::Span<const CollateRow>, const CollateOptions&);
extern template PENSTOCK_EXPORT PackedBatch<int32_t> CollatePacked<int32_t>(
    absl::Span<const CollateRow>);
extern template PENSTOCK_EXPORT PackedBatch<int64_t> CollatePacked<int64_t>(
    absl::Span<const CollateRow>);

}  // namespace penstock

#endif  // PENSTOCK_BASE_COLLATE_H_
