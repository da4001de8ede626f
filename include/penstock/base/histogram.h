// SPDX-License-Identifier: Apache-2.0
//
// A histogram of non-negative integers with a relative error of at most 1/32 (3.1 %), mergeable
// without loss.
//
//   Histogram queue_delay_us;
//   queue_delay_us.Record(137);
//   queue_delay_us.Quantile(0.99)  // 137: exact below 64 and at the extremes, 3.1 % between
//   Histogram().Quantile(0.5)      // 0: empty
//
// Description: buckets grow as 2^k / 32 (log-linear), so any two histograms have the same borders
// and merge by addition. Record O(1); Merge and Quantile O(buckets in use), at most 1920; memory 8
// bytes a bucket up to the largest value seen. The unit is the caller's and belongs into the name
// of the variable.
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_BASE_HISTOGRAM_H_
#define PENSTOCK_BASE_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/base/export.h"

namespace penstock {

class PENSTOCK_EXPORT Histogram {
 public:
  void Record(uint64_t value) { Record(value, 1); }
  void Record(uint64_t value, uint64_t times);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }  // exact; 0 when empty
  uint64_t max() const { return max_; }                    // exact; 0 when empty
  double sum() const { return sum_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // The smallest recorded value v (to the bucket's precision) such that at least ceil(q * count())
  // values are <= v. q is clamped to [0, 1]; the result lies within [min(), max()]; 0 when empty.
  uint64_t Quantile(double q) const;

  // Number of recorded values whose bucket lies wholly at or below `value`. For exporters that have
  // borders of their own.
  uint64_t CountAtMost(uint64_t value) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_BASE_HISTOGRAM_H_
