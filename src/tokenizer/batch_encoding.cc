// SPDX-License-Identifier: Apache-2.0
#include "penstock/tokenizer/batch_encoding.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace {

using internal::CondVar;
using internal::Mutex;
using internal::MutexLock;

// Rows a task takes at a time: few enough to spread, many enough not to contend.
constexpr size_t kRowsPerStep = 8;

// What the calling thread and the tasks share; kept alive by all of them.
struct BatchJob {
  std::atomic<size_t> next{0};
  Mutex mu;
  CondVar done;
  size_t running ABSL_GUARDED_BY(mu) = 0;
};

template <typename EncodeRow>
void EncodeRows(size_t rows, const EncodeRow& encode_row, BatchJob* job) {
  while (true) {
    const size_t begin = job->next.fetch_add(kRowsPerStep);
    if (begin >= rows) return;
    for (size_t i = begin; i < std::min(rows, begin + kRowsPerStep); ++i) encode_row(i);
  }
}

// Calls encode_row(0 … rows-1), each once; on the executor if there is one. Returns when all are
// done. The caller works too, so that a busy executor only makes it slower.
template <typename EncodeRow>
void ForEachRow(size_t rows, Executor* executor, const EncodeRow& encode_row) {
  const auto job = std::make_shared<BatchJob>();
  const size_t tasks = executor == nullptr ? 0 : std::min<size_t>(64, (rows - 1) / kRowsPerStep);
  // Tasks that start after everything is taken must not touch the rows, which may be gone by then:
  // they only see that nothing is left.
  for (size_t t = 0; t < tasks; ++t) {
    executor->Schedule([job, rows, &encode_row] {
      {
        MutexLock lock(job->mu);
        if (job->next.load() >= rows) return;
        ++job->running;
      }
      EncodeRows(rows, encode_row, job.get());
      MutexLock lock(job->mu);
      if (--job->running == 0) job->done.NotifyAll();
    });
  }
  EncodeRows(rows, encode_row, job.get());
  MutexLock lock(job->mu);
  while (job->running > 0) job->done.Wait(job->mu);
}

template <typename Inputs, typename ToSegments>
absl::StatusOr<BatchEncoding> EncodeAll(const Tokenizer& tokenizer, const Inputs& inputs,
                                        const EncodeOptions& options, Executor* executor,
                                        const char* name, const ToSegments& to_segments) {
  BatchEncoding batch;
  batch.pad_id = tokenizer.vocabulary().pad_id();
  batch.encodings.resize(inputs.size());
  if (inputs.empty()) return batch;
  std::vector<absl::Status> statuses(inputs.size());
  ForEachRow(inputs.size(), executor, [&](size_t i) {
    absl::StatusOr<Encoding> encoding = to_segments(
        inputs[i], [&](absl::Span<const Segment> s) { return tokenizer.Encode(s, options); });
    if (encoding.ok()) {
      batch.encodings[i] = *std::move(encoding);
    } else {
      statuses[i] = encoding.status();
    }
  });
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].ok()) continue;
    return absl::Status(statuses[i].code(),
                        absl::StrCat(name, "[", i, "]: ", statuses[i].message()));
  }
  return batch;
}

absl::StatusOr<CollateOptions> ToCollateOptions(const PaddingOptions& padding,
                                                std::optional<TokenId> vocabulary_pad) {
  CollateOptions options;
  options.pad_left = padding.side == Side::kLeft;
  options.fixed_length = padding.fixed_length;
  options.multiple_of = padding.multiple_of;
  const std::optional<TokenId> pad = padding.pad_id.has_value() ? padding.pad_id : vocabulary_pad;
  if (!pad.has_value()) {
    return absl::InvalidArgumentError(
        "padding: the vocabulary has no pad token, expected PaddingOptions::pad_id");
  }
  options.pad_id = *pad;
  return options;
}

std::vector<CollateRow> RowsOf(const std::vector<Encoding>& encodings) {
  std::vector<CollateRow> rows(encodings.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i].ids = encodings[i].ids;
  return rows;
}

}  // namespace

absl::StatusOr<BatchEncoding> EncodeBatch(const Tokenizer& tokenizer,
                                          absl::Span<const std::string_view> texts,
                                          const EncodeOptions& options, Executor* executor) {
  return EncodeAll(tokenizer, texts, options, executor, "texts",
                   [](std::string_view text, const auto& encode) {
                     const Segment segment = Untrusted(text);
                     return encode(absl::MakeConstSpan(&segment, 1));
                   });
}

absl::StatusOr<BatchEncoding> EncodeSegmentsBatch(const Tokenizer& tokenizer,
                                                  absl::Span<const std::vector<Segment>> inputs,
                                                  const EncodeOptions& options,
                                                  Executor* executor) {
  return EncodeAll(tokenizer, inputs, options, executor, "inputs",
                   [](const std::vector<Segment>& segments, const auto& encode) {
                     return encode(absl::MakeConstSpan(segments));
                   });
}

template <typename Int>
absl::StatusOr<PaddedBatch<Int>> BatchEncoding::Padded(const PaddingOptions& padding) const {
  PENSTOCK_ASSIGN_OR_RETURN(const CollateOptions options, ToCollateOptions(padding, pad_id));
  return CollatePadded<Int>(RowsOf(encodings), options);
}

template <typename Int>
absl::StatusOr<std::vector<Int>> BatchEncoding::PaddedTypeIds(const PaddingOptions& padding) const {
  PaddingOptions with_pad = padding;
  with_pad.pad_id = padding.pad_type_id;  // the collator lays out any integers
  PENSTOCK_ASSIGN_OR_RETURN(const CollateOptions options, ToCollateOptions(with_pad, pad_id));
  std::vector<CollateRow> rows(encodings.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (encodings[i].type_ids.size() != encodings[i].ids.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("encodings[", i, "] has no type ids, expected EncodeOptions::type_ids"));
    }
    rows[i].ids = encodings[i].type_ids;
  }
  PENSTOCK_ASSIGN_OR_RETURN(PaddedBatch<Int> batch, CollatePadded<Int>(rows, options));
  return std::move(batch.input_ids);
}

template <typename Int>
PackedBatch<Int> BatchEncoding::Packed() const {
  return CollatePacked<Int>(RowsOf(encodings));
}

template absl::StatusOr<PaddedBatch<int32_t>> BatchEncoding::Padded(const PaddingOptions&) const;
template absl::StatusOr<PaddedBatch<int64_t>> BatchEncoding::Padded(const PaddingOptions&) const;
template absl::StatusOr<std::vector<int32_t>> BatchEncoding::PaddedTypeIds(
    const PaddingOptions&) const;
template absl::StatusOr<std::vector<int64_t>> BatchEncoding::PaddedTypeIds(
    const PaddingOptions&) const;
template PackedBatch<int32_t> BatchEncoding::Packed() const;
template PackedBatch<int64_t> BatchEncoding::Packed() const;

}  // namespace penstock
