// SPDX-License-Identifier: Apache-2.0
//
// Arrivals a second: the average over about a second, or, as soon as a burst is there, that over
// about the last 32 arrivals (which chance alone does not make half as large again).
//
//   ArrivalRate rate;
//   rate.Arrive(now_ns);
//   rate.PerSecond()                       // 0 before the second arrival
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BATCHER_ARRIVAL_RATE_H_
#define PENSTOCK_SRC_BATCHER_ARRIVAL_RATE_H_

#include <cstdint>

namespace penstock::internal {

class ArrivalRate {
 public:
  void Arrive(int64_t now_ns) {
    const double gap = arrived_ ? static_cast<double>(now_ns - last_ns_) * 1e-9 : 0;
    last_ns_ = now_ns;
    count_ = count_ / (1 + gap) + 1;
    seconds_ = seconds_ / (1 + gap) + gap;
    mean_gap_ = arrived_ ? mean_gap_ + (gap - mean_gap_) / kArrivals : 0;
    if (arrived_ && mean_gap_ == 0) mean_gap_ = gap;
    arrived_ = true;
  }
  double PerSecond() const {
    const double slow = seconds_ > 0 ? count_ / seconds_ : 0;
    const double fast = mean_gap_ > 0 ? 1 / mean_gap_ : 0;
    return fast > kBurst * slow ? fast : slow;
  }

 private:
  static constexpr double kArrivals = 32;
  static constexpr double kBurst = 1.5;

  bool arrived_ = false;
  int64_t last_ns_ = 0;
  double count_ = 0, seconds_ = 0;
  double mean_gap_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_ARRIVAL_RATE_H_
