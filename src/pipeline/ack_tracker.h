// SPDX-License-Identifier: Apache-2.0
//
// Which records of one partition, in one assignment, have left; and up to where all have.
//
//   AckTracker tracker;
//   tracker.Add(7);  tracker.Add(9);              // true: new. Offsets may have gaps
//   tracker.Add(7);                               // false: delivered again
//   tracker.Done(9);                              // nullopt: 7 has not left
//   tracker.Done(7);                              // 10: everything below has
//
// Description: a queue of the offsets not yet acknowledged, in order, each with a mark. Add O(1);
// Done O(log n) and amortised O(1) for what it acknowledges; 16 bytes a record in flight.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_PIPELINE_ACK_TRACKER_H_
#define PENSTOCK_SRC_PIPELINE_ACK_TRACKER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace penstock::internal {

class AckTracker {
 public:
  // False if the record was delivered before: within an assignment a log delivers in order, so what
  // is not above the highest offset seen is a repetition.
  bool Add(int64_t offset) {
    if (highest_.has_value() && offset <= *highest_) return false;
    highest_ = offset;
    pending_.push_back(Entry{offset, false});
    return true;
  }

  // The result of `offset` left. Returns the next offset to acknowledge if that moved.
  // Offsets that were never added, or are done, change nothing.
  std::optional<int64_t> Done(int64_t offset) {
    const auto at = std::lower_bound(pending_.begin(), pending_.end(), offset,
                                     [](const Entry& e, int64_t o) { return e.offset < o; });
    if (at == pending_.end() || at->offset != offset) return std::nullopt;
    at->done = true;
    std::optional<int64_t> next;
    while (!pending_.empty() && pending_.front().done) {
      next = pending_.front().offset + 1;
      pending_.pop_front();
    }
    return next;
  }

  size_t pending() const { return pending_.size(); }

 private:
  struct Entry {
    int64_t offset;
    bool done;
  };
  std::deque<Entry> pending_;
  std::optional<int64_t> highest_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_PIPELINE_ACK_TRACKER_H_
