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
absl::Status StatusOf(Outcome outcome);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_VERDICT_H_
