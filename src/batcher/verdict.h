// SPDX-License-Identifier: Apache-2.0
//
// A refusal as a Status: cause and retry-after travel as its payload.
#ifndef PENSTOCK_SRC_BATCHER_VERDICT_H_
#define PENSTOCK_SRC_BATCHER_VERDICT_H_

#include "absl/status/status.h"
#include "penstock/batcher/admission.h"

namespace penstock::internal {

// REQUIRES: verdict.cause != kNone.
absl::Status StatusOf(const AdmissionVerdict& verdict);

// For a callback whose request ended without a result. REQUIRES: outcome is neither kOk nor
// kRuntimeError.
const absl::Status& StatusOf(Outcome outcome);

// A refusal for a full queue, made once for each power of two milliseconds: refusing many must be
// cheap.
const absl::Status& QueueFullStatus(absl::Duration retry_after);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_VERDICT_H_
