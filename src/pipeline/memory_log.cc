// SPDX-License-Identifier: Apache-2.0
#include "penstock/pipeline/memory_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace penstock {

struct MemoryLog::Rep {
  struct Partition {
    std::vector<std::string> records;
    int64_t next = 0;  // to deliver
    int64_t acknowledged = 0;
    int64_t acknowledged_now = 0;  // in this assignment: ascending
    bool assigned = true;
  };
  mutable internal::Mutex mu;
  std::vector<Partition> partitions ABSL_GUARDED_BY(mu);
  std::vector<int32_t> revoked ABSL_GUARDED_BY(mu);
  bool closed ABSL_GUARDED_BY(mu) = false;
  bool stalled ABSL_GUARDED_BY(mu) = false;
  absl::Status next_error ABSL_GUARDED_BY(mu);
  size_t largest_fetch ABSL_GUARDED_BY(mu) = 0;
};

MemoryLog::MemoryLog(size_t partitions) : rep_(std::make_unique<Rep>()) {
  internal::MutexLock lock(rep_->mu);
  rep_->partitions.resize(partitions);
}
MemoryLog::~MemoryLog() = default;

int64_t MemoryLog::Append(int32_t partition, std::string payload) {
  internal::MutexLock lock(rep_->mu);
  auto& records = rep_->partitions[static_cast<size_t>(partition)].records;
  records.push_back(std::move(payload));
  return static_cast<int64_t>(records.size()) - 1;
}

void MemoryLog::Close() {
  internal::MutexLock lock(rep_->mu);
  rep_->closed = true;
}

void MemoryLog::Revoke(int32_t partition) {
  internal::MutexLock lock(rep_->mu);
  rep_->partitions[static_cast<size_t>(partition)].assigned = false;
  rep_->revoked.push_back(partition);
}

void MemoryLog::Assign(int32_t partition) {
  internal::MutexLock lock(rep_->mu);
  Rep::Partition& p = rep_->partitions[static_cast<size_t>(partition)];
  p.assigned = true;
  p.next = p.acknowledged;
  p.acknowledged_now = p.acknowledged;
}

void MemoryLog::Rewind(int32_t partition, int64_t offset) {
  internal::MutexLock lock(rep_->mu);
  rep_->partitions[static_cast<size_t>(partition)].next = offset;
}

void MemoryLog::Stall(bool stalled) {
  internal::MutexLock lock(rep_->mu);
  rep_->stalled = stalled;
}

void MemoryLog::FailNext(absl::Status status) {
  internal::MutexLock lock(rep_->mu);
  rep_->next_error = std::move(status);
}

int64_t MemoryLog::acknowledged(int32_t partition) const {
  internal::MutexLock lock(rep_->mu);
  return rep_->partitions[static_cast<size_t>(partition)].acknowledged;
}

size_t MemoryLog::largest_fetch() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->largest_fetch;
}

absl::Status MemoryLog::Fetch(size_t max_records, size_t max_bytes, FetchResult* out) {
  internal::MutexLock lock(rep_->mu);
  rep_->largest_fetch = std::max(rep_->largest_fetch, max_records);
  if (!rep_->next_error.ok()) return std::exchange(rep_->next_error, absl::OkStatus());
  out->revoked = std::exchange(rep_->revoked, {});
  if (rep_->stalled) return absl::OkStatus();
  size_t bytes = 0;
  bool all_delivered = true;
  for (size_t i = 0; i < rep_->partitions.size(); ++i) {
    Rep::Partition& p = rep_->partitions[i];
    if (!p.assigned) continue;
    const int64_t end = static_cast<int64_t>(p.records.size());
    while (p.next < end && out->records.size() < max_records && bytes < max_bytes) {
      const std::string& payload = p.records[static_cast<size_t>(p.next)];
      bytes += payload.size();
      out->records.push_back(SourceRecord{static_cast<int32_t>(i), p.next++, payload});
    }
    all_delivered = all_delivered && p.next == end;
  }
  out->ended = rep_->closed && all_delivered;
  return absl::OkStatus();
}

absl::Status MemoryLog::Acknowledge(int32_t partition, int64_t next_offset) {
  internal::MutexLock lock(rep_->mu);
  Rep::Partition& p = rep_->partitions[static_cast<size_t>(partition)];
  // A consumer that has not been told of a revocation yet still speaks for its old assignment: what
  // it says is true, but the next assignment begins before it and will say lower offsets again.
  const bool old_assignment =
      std::find(rep_->revoked.begin(), rep_->revoked.end(), partition) != rep_->revoked.end();
  const int64_t lowest = old_assignment ? 0 : p.acknowledged_now;
  if (next_offset < lowest || next_offset > static_cast<int64_t>(p.records.size())) {
    return absl::InvalidArgumentError(absl::StrCat("partition ", partition, ": acknowledged ",
                                                   next_offset, ", expected ", lowest, " to ",
                                                   p.records.size()));
  }
  if (!old_assignment) p.acknowledged_now = next_offset;
  p.acknowledged = std::max(p.acknowledged, next_offset);
  return absl::OkStatus();
}

struct MemorySink::Rep {
  mutable internal::Mutex mu;
  std::vector<SinkRecord> records ABSL_GUARDED_BY(mu);
  std::vector<Done> held ABSL_GUARDED_BY(mu);
  bool hold ABSL_GUARDED_BY(mu) = false;
  absl::Status next_error ABSL_GUARDED_BY(mu);
};

MemorySink::MemorySink() : rep_(std::make_unique<Rep>()) {}
MemorySink::~MemorySink() = default;

void MemorySink::Write(SinkRecord record, Done done) {
  absl::Status status;
  {
    internal::MutexLock lock(rep_->mu);
    status = std::exchange(rep_->next_error, absl::OkStatus());
    if (status.ok()) {
      rep_->records.push_back(std::move(record));
      if (rep_->hold) {
        rep_->held.push_back(std::move(done));
        return;
      }
    }
  }
  std::move(done)(std::move(status));
}

std::vector<SinkRecord> MemorySink::records() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->records;
}

void MemorySink::Hold(bool held) {
  std::vector<Done> released;
  {
    internal::MutexLock lock(rep_->mu);
    rep_->hold = held;
    if (!held) released.swap(rep_->held);
  }
  for (Done& done : released) std::move(done)(absl::OkStatus());
}

void MemorySink::FailNext(absl::Status status) {
  internal::MutexLock lock(rep_->mu);
  rep_->next_error = std::move(status);
}

}  // namespace penstock
