// SPDX-License-Identifier: Apache-2.0
//
// A batch of prefills in the hands of the host's runner: ids, where to start, and the blocks to
// read and write.
//
//   auto runner = [&](PrefillBatch batch) {
//     for (size_t i = 0; i < batch.size(); ++i) {
//       const PrefillItem item = batch.item(i);
//       rows.push_back({item.ids.subspan(item.cached_tokens), item.cached_tokens, item.blocks()});
//     }
//     if (!model.Prefill(rows, &first)) return batch.FailAll(absl::UnavailableError("device"));
//     for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, PrefillResult{{first[i]}, {}});
//   };                            // what is not completed when `batch` dies is failed, never lost
//
// Leases. Each item holds one on its blocks from dispatch until it is completed here, even if its
// request was cancelled or timed out meanwhile: no block is reused while the runner may still write
// it. An OK result commits the prompt's K/V, so that other requests find it; any other status
// forgets it. A runner that goes on to decode keeps the item uncompleted, grows
// item.lease->Append() as it goes, Emits tokens, and calls ReleaseSlot() once prefill is over.
#ifndef PENSTOCK_PIPELINE_PREFILL_BATCH_H_
#define PENSTOCK_PIPELINE_PREFILL_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/batcher/outcome.h"
#include "penstock/kv_cache/lease.h"
#include "penstock/pipeline/request.h"

namespace penstock {

// A view; valid until the item is completed or the batch dies.
struct PrefillItem {
  const PipelineRequest& request;  // its segments' text is gone: the ids say it all
  size_t part = 0;                 // of parts: a prompt over the limit comes in several
  size_t parts = 1;
  absl::Span<const TokenId> ids;  // the whole prompt of this part; at least one
  size_t cached_tokens = 0;       // K/V of ids[0, cached_tokens) is in the blocks; below ids.size()
  Lease* lease = nullptr;         // null: the pipeline has no KV cache
  MonoTime deadline;              // infinite: no timeout

  absl::Span<const BlockId> blocks(GroupId group = GroupId{}) const {
    return lease == nullptr ? absl::Span<const BlockId>() : lease->blocks(group);
  }
};

// Move-only. Calls for different indices may run concurrently; all of them end before the batch is
// moved or destroyed. May be kept after the runner returned, completed from any thread, and outlive
// the pipeline (results are dropped then).
// REQUIRES of every index: i < size().
class PENSTOCK_EXPORT PrefillBatch {
 public:
  PrefillBatch(PrefillBatch&&) noexcept;
  PrefillBatch& operator=(PrefillBatch&&) noexcept;
  ~PrefillBatch();

  size_t size() const;  // at least 1
  PrefillItem item(size_t i) const;

  ReleaseReason reason() const;
  size_t compute_tokens() const;  // sum of ids.size() - cached_tokens
  size_t padded_tokens() const;   // longest rest times size(): what a padded kernel computes

  // The request has ended meanwhile (cancelled, timed out, shut down): the runner may skip it.
  bool cancelled(size_t i) const;

  // Ends item i. OK: its prompt's K/V is committed. A second completion is counted (late_results)
  // and dropped. The result goes to the request's callback when its last part is complete. While
  // the next batch waits prepared (PipelineOptions::prepare_ahead), all that happens on another
  // thread, at once but perhaps after this returned.
  void Complete(size_t i, absl::StatusOr<PrefillResult> result);

  // Completes everything that is not complete. REQUIRES: !status.ok().
  void FailAll(const absl::Status& status);

  // Hands a piece of the result to the callback of SubmitStreaming, in order. False: the request
  // has ended meanwhile.
  bool Emit(size_t i, PrefillResult piece);

  // As Batch::ReleaseSlot: the next batch takes its leases and runs beside the rest of this call. A
  // runner that knows when its device is done releases a little before (some 0.1 ms a request), so
  // that the device never waits for the host; its next call must then queue behind this one.
  void ReleaseSlot();

  struct Rep;                                       // private
  explicit PrefillBatch(std::shared_ptr<Rep> rep);  // private

 private:
  void Leave();
  std::shared_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_PREFILL_BATCH_H_
