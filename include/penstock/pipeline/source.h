// SPDX-License-Identifier: Apache-2.0
//
// Source: where requests come from when they come from a log. What a client of Kafka or its like
// implements; the Feed (penstock/pipeline/feed.h) calls it.
//
//   class MySource : public Source {
//     absl::Status Fetch(size_t max_records, size_t max_bytes, FetchResult* out) override {
//       for (auto& m : client_.Poll(max_records)) {
//         out->records.push_back({m.partition, m.offset, std::move(m.payload)});
//       }
//       return client_.lost() ? absl::UnavailableError("broker gone") : absl::OkStatus();
//     }
//     absl::Status Acknowledge(int32_t partition, int64_t next_offset) override { … commit … }
//   };
//
// A tested one in memory: penstock/pipeline/memory_log.h.
#ifndef PENSTOCK_PIPELINE_SOURCE_H_
#define PENSTOCK_PIPELINE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace penstock {

// One message. Within a partition offsets ascend; gaps are allowed (compacted logs).
struct SourceRecord {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string payload;
};

// What one Fetch brought. `revoked` happened before `records`: a partition in both was taken away
// and given back.
struct FetchResult {
  std::vector<SourceRecord> records;
  std::vector<int32_t> revoked;  // partitions that belong to somebody else now
  bool ended = false;            // nothing will ever come again
};

// Open. Called by one thread at a time. Delivery is at least once: what is not acknowledged comes
// again after a restart, a revocation or a rewind, to whoever has the partition then.
class Source {
 public:
  virtual ~Source() = default;

  // Adds what is there now, at most max_records records and about max_bytes bytes; must not wait.
  // max_records is the caller's credit: 0 means "bring nothing, but keep the session alive and
  // report revocations", which is how a full pipeline pauses its source.
  // An error stops the feed; what was fetched before is finished.
  virtual absl::Status Fetch(size_t max_records, size_t max_bytes, FetchResult* out) = 0;

  // Every record of the partition below next_offset has left through the sink. Ascending within an
  // assignment. An error stops the feed.
  virtual absl::Status Acknowledge(int32_t partition, int64_t next_offset) = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_SOURCE_H_
