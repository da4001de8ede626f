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
      : core(std::move(c)), batch(std::move(b)), live(std::move(l)) {}
  // Leases end before the batch fails what is left: the runner is done with all of it.
  ~Rep() {
    for (size_t i = 0; i < live.size(); ++i) core->EndLease(part(i), /*commit=*/false);
  }

  internal::PartWork* part(size_t i) { return batch.request(live[i]).get(); }

  std::shared_ptr<internal::PipelineCore> core;
  internal::PartBatch batch;
  std::vector<size_t> live;  // indices into `batch`; the others ended, failed or went back
};

}  // namespace penstock

#endif  // PENSTOCK_SRC_PIPELINE_PREFILL_BATCH_H_
