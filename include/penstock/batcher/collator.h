// SPDX-License-Identifier: Apache-2.0
//
// A batch of requests into the tensors a model takes, in buffers that are kept from batch to batch.
//
//   Collator<int64_t> collator;                         // one for each thread that runs batches
//   auto run = [&](Batch<Prompt, Answer> batch) {
//     auto row_of = [](const Prompt& p) { return CollateRow{p.ids, p.cached_tokens}; };
//     absl::StatusOr<PaddedView<int64_t>> in = collator.Pad(batch, row_of, collate_options);
//     if (!in.ok()) return batch.FailAll(in.status()); // "row 3: 700 tokens, fixed_length 512"
//     model.Prefill(in->input_ids.data(), in->position_ids.data(), in->shape);
//   };
//
// Layout, padding side, cached prefix (`skip`: the row is its suffix, positions go on behind the
// prefix) and errors are those of base/collate.h. A batch that was rounded up to an allowed size
// has as many rows: the last ones are empty (length 0, all padding).
#ifndef PENSTOCK_BATCHER_COLLATOR_H_
#define PENSTOCK_BATCHER_COLLATOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/collate.h"
#include "penstock/base/export.h"
#include "penstock/batcher/batch.h"

namespace penstock {

// Borrowed from the Collator until its next call.
template <class Int>
struct PaddedView {
  PaddedShape shape;                     // [batch, padded_len]
  absl::Span<const Int> input_ids;       // [batch, padded_len], row-major, pad = pad_id
  absl::Span<const Int> attention_mask;  // [batch, padded_len], 1 = token
  absl::Span<const Int> position_ids;    // [batch, padded_len]
  absl::Span<const Int> lengths;         // [batch]
};
template <class Int>
struct PackedView {
  absl::Span<const Int> input_ids;       // [total]
  absl::Span<const Int> position_ids;    // [total]
  absl::Span<const int32_t> cu_seqlens;  // [batch + 1]
  size_t max_len = 0;
};

// Int is int32_t or int64_t. Nothing is allocated once the buffers have reached the size of the
// largest batch. Thread-compatible: const calls may run concurrently, others need external
// synchronization.
template <class Int>
class PENSTOCK_EXPORT Collator {
 public:
  // `row_of(request)` gives the CollateRow of a request; its ids are borrowed during the call.
  // kInvalidArgument: see ShapeOf in base/collate.h. O(elements).
  template <class Request, class Result, class RowOf>
  absl::StatusOr<PaddedView<Int>> Pad(const Batch<Request, Result>& batch, RowOf row_of,
                                      const CollateOptions& options = {}) {
    Collect(batch, row_of, batch.padded_requests());
    return PadRows(options);
  }

  // The same back to back, without padding and without empty rows. kInvalidArgument: a row whose
  // skip exceeds its ids. O(total).
  template <class Request, class Result, class RowOf>
  absl::StatusOr<PackedView<Int>> Pack(const Batch<Request, Result>& batch, RowOf row_of) {
    Collect(batch, row_of, batch.size());
    return PackRows();
  }

 private:
  template <class B, class RowOf>
  void Collect(const B& batch, RowOf& row_of, size_t rows) {
    rows_.clear();
    for (size_t i = 0; i < batch.size(); ++i) rows_.push_back(row_of(batch.request(i)));
    rows_.resize(rows);
  }
  absl::StatusOr<PaddedView<Int>> PadRows(const CollateOptions& options);
  absl::StatusOr<PackedView<Int>> PackRows();

  std::vector<CollateRow> rows_;
  std::vector<Int> input_ids_, attention_mask_, position_ids_, lengths_;
  std::vector<int32_t> cu_seqlens_;
};

extern template class Collator<int32_t>;
extern template class Collator<int64_t>;

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_COLLATOR_H_
