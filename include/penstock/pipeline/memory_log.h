// SPDX-License-Identifier: Apache-2.0
//
// A log in memory that does what real logs do to their consumers: revokes, delivers again, stalls.
//
//   MemoryLog log(/*partitions=*/2);
//   log.Append(0, "payload");
//   log.Revoke(0);  log.Assign(0);                // delivered again from the last acknowledgement
//   log.acknowledged(0)                           // what a consumer that starts now would skip
//   log.Acknowledge(0, 7);                        // kInvalidArgument: past what was delivered
#ifndef PENSTOCK_PIPELINE_MEMORY_LOG_H_
#define PENSTOCK_PIPELINE_MEMORY_LOG_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/export.h"
#include "penstock/pipeline/sink.h"
#include "penstock/pipeline/source.h"

namespace penstock {

// Thread-safe.
class PENSTOCK_EXPORT MemoryLog final : public Source {
 public:
  explicit MemoryLog(size_t partitions);  // all assigned
  ~MemoryLog() override;

  // Returns the offset. REQUIRES of every partition: partition < partitions.
  int64_t Append(int32_t partition, std::string payload);
  void Close();  // after what is there now, the log has ended

  void Revoke(int32_t partition);                  // told by the next Fetch
  void Assign(int32_t partition);                  // delivery starts at the last acknowledgement
  void Rewind(int32_t partition, int64_t offset);  // delivers again within the assignment
  void Stall(bool stalled);                        // Fetch brings nothing
  void FailNext(absl::Status status);              // of the next Fetch

  int64_t acknowledged(int32_t partition) const;  // next offset
  size_t largest_fetch() const;                   // most records one Fetch was asked for

  absl::Status Fetch(size_t max_records, size_t max_bytes, FetchResult* out) override;
  absl::Status Acknowledge(int32_t partition, int64_t next_offset) override;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Keeps what it is given. Thread-safe.
class PENSTOCK_EXPORT MemorySink final : public Sink {
 public:
  MemorySink();
  ~MemorySink() override;

  void Write(SinkRecord record, Done done) override;

  std::vector<SinkRecord> records() const;  // in the order of writing
  // Holds back `done` of what comes from now on; false releases what was held, in order.
  void Hold(bool held);
  void FailNext(absl::Status status);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_MEMORY_LOG_H_
