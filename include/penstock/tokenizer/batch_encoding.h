// SPDX-License-Identifier: Apache-2.0
//
// Batches: many texts at once, optionally on an executor, and their tensors.
//
//   std::unique_ptr<Executor> pool = NewThreadPool(4);
//   std::vector<std::string_view> texts = {"a", "a longer one"};
//   PENSTOCK_ASSIGN_OR_RETURN(BatchEncoding batch, EncodeBatch(*t, texts, {}, pool.get()));
//   PENSTOCK_ASSIGN_OR_RETURN(PaddedBatch<int64_t> tensors, batch.Padded<int64_t>(padding));
//
// One row that cannot be encoded fails the batch with its index: "texts[3]: 70000 bytes, expected
// at most 65536". Padding without a pad token (none in the vocabulary, none in the options) is
// kInvalidArgument. The tensors are those of base/collate.h.
#ifndef PENSTOCK_TOKENIZER_BATCH_ENCODING_H_
#define PENSTOCK_TOKENIZER_BATCH_ENCODING_H_

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/collate.h"
#include "penstock/base/executor.h"
#include "penstock/base/export.h"
#include "penstock/tokenizer.h"
#include "penstock/tokenizer/padding.h"

namespace penstock {

// Encodings in input order. A plain value. Thread-compatible: const calls may run concurrently,
// others need external synchronization.
struct PENSTOCK_EXPORT BatchEncoding {
  std::vector<Encoding> encodings;
  std::optional<TokenId> pad_id;  // the vocabulary's

  // Row-major [batch, padded_len] tensors of all encodings. Int is int32_t or int64_t. O(elements).
  // kInvalidArgument: no pad token, or a row longer than padding.fixed_length.
  template <typename Int>
  absl::StatusOr<PaddedBatch<Int>> Padded(const PaddingOptions& padding = {}) const;
  // Token type ids of the same shape; REQUIRES options.type_ids at encoding.
  template <typename Int>
  absl::StatusOr<std::vector<Int>> PaddedTypeIds(const PaddingOptions& padding = {}) const;
  // ids[total] and cumulative lengths, no padding.
  template <typename Int>
  PackedBatch<Int> Packed() const;
};

// Encodes untrusted texts. With an executor the texts are spread over it and this call blocks until
// all are done: it must not run on a thread that the executor needs. Errors as Tokenizer::Encode(),
// with the index of the first failing text.
PENSTOCK_EXPORT absl::StatusOr<BatchEncoding> EncodeBatch(const Tokenizer& tokenizer,
                                                          absl::Span<const std::string_view> texts,
                                                          const EncodeOptions& options = {},
                                                          Executor* executor = nullptr);

// The same for lists of segments.
PENSTOCK_EXPORT absl::StatusOr<BatchEncoding> EncodeSegmentsBatch(
    const Tokenizer& tokenizer, absl::Span<const std::vector<Segment>> inputs,
    const EncodeOptions& options = {}, Executor* executor = nullptr);

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_BATCH_ENCODING_H_
