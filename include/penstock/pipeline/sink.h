// SPDX-License-Identifier: Apache-2.0
//
// Sink: where results go before their request is acknowledged.
//
//   class MySink : public Sink {
//     void Write(SinkRecord record, Done done) override {
//       if (record.result.ok()) producer_.Send(Render(*record.result), std::move(done));
//       else dead_letters_.Send(record.payload, record.result.status(), std::move(done));
//     }
//   };
//
// Errors arrive here too (a message that is no request, a prompt over its limit, a timeout): the
// sink decides what a dead letter is, and nothing is acknowledged that it did not take.
#ifndef PENSTOCK_PIPELINE_SINK_H_
#define PENSTOCK_PIPELINE_SINK_H_

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/pipeline/request.h"

namespace penstock {

struct SinkRecord {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string payload;  // of the source's record
  absl::StatusOr<PipelineResult> result;
};

// Open. Write is called by one thread at a time, in the order in which results came.
class Sink {
 public:
  using Done = absl::AnyInvocable<void(absl::Status) &&>;

  virtual ~Sink() = default;

  // Takes the result and runs `done` exactly once, now or later, on any thread: OK when the result
  // is safe. An error stops the feed; the record is not acknowledged and will come again.
  virtual void Write(SinkRecord record, Done done) = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_SINK_H_
