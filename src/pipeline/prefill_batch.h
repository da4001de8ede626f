// SPDX-License-Identifier: Apache-2.0
//
// What stands behind a PrefillBatch: the batcher's batch, and which of its requests got their
// blocks.
#ifndef PENSTOCK_SRC_PIPELINE_PREFILL_BATCH_H_
#define PENSTOCK_SRC_PIPELINE_PREFILL_BATCH_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "penstock/pipeline/prefill_batch.h"
#include "pipeline/core.h"

namespace penstock {

struct PrefillBatch::Rep {
  Rep(std::shared_ptr<internal::PipelineCore> c, internal::PartBatch b, std::vector<size_t> l)
      : core(std::move(c)), batch(std::move(b)), live(std::move(l)), left(live.size()) {}
  // Leases end before the batch fails what is left: the runner is done with all of it.
  ~Rep() {
    for (size_t i = 0; i < live.size(); ++i) core->EndLease(part(i), /*commit=*/false);
  }

  // Item i is for the pipeline's thread to end. False: there is none.
  static bool LeaveToHelper(const std::shared_ptr<Rep>& rep, size_t i,
                            absl::StatusOr<PrefillResult>* result);
  static void EndLeft(const std::shared_ptr<Rep>& rep);
  void End(size_t i, absl::StatusOr<PrefillResult> result);

  internal::PartWork* part(size_t i) { return batch.request(live[i]).get(); }

  std::shared_ptr<internal::PipelineCore> core;
  internal::PartBatch batch;
  std::vector<size_t> live;  // indices into `batch`; the others ended, failed or went back

  std::vector<char> left;  // by item: completed, and left to the helper; the runner's
  internal::Mutex mu;
  bool ever_left ABSL_GUARDED_BY(mu) = false;
  bool helped ABSL_GUARDED_BY(mu) = false;  // the helper is at it, or will be
  std::vector<std::pair<size_t, absl::StatusOr<PrefillResult>>> to_end ABSL_GUARDED_BY(mu);
};

}  // namespace penstock

#endif  // PENSTOCK_SRC_PIPELINE_PREFILL_BATCH_H_
