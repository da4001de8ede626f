// SPDX-License-Identifier: Apache-2.0
//
// What batches of each size took, and which size serves most requests a second.
//
//   SizeTimes times;
//   times.Observe(17, 0.009);  times.Observe(16, 0.005);   // a runtime in tiles of 16
//   times.BestSize(20)                                     // 16; 20 if nothing smaller is better
//
// Description: a mean for every size, all relative to a level that follows the runtime as it
// becomes faster or slower. No shape is assumed but that more rows take no less time: tiles, knees
// and squared parts are alike. A smaller size must have been measured to be preferred; a larger one
// is given up only if it was measured too, or lies between measured ones too slow for it to be any
// good. So each mistake costs one batch of a size, and again when that is 2000 batches old.
// Observe O(1); BestSize O(most).
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BATCHER_SIZE_TIMES_H_
#define PENSTOCK_SRC_BATCHER_SIZE_TIMES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::internal {

class SizeTimes {
 public:
  // Larger sizes are not kept.
  static constexpr size_t kMostSizes = 4096;

  // REQUIRES: seconds >= 0.
  void Observe(size_t rows, double seconds);

  // The size, at most `most`, to take if as many are there.
  size_t BestSize(size_t most) const;

  // The largest size seen in the last 2000 batches; 0: none.
  size_t Largest() const;
  // Whether any in [from, to] was seen in them.
  bool Seen(size_t from, size_t to) const;
  // Whether measurements say that a larger size, at most `most`, serves more.
  bool LargerIsBetter(size_t rows, size_t most) const;

 private:
  struct Size {
    double seconds = 0;  // over level_
    double count = 0;    // of observations, up to kMostCount
    uint64_t last = 0;   // observation
  };

  bool Known(size_t rows) const;
  // Requests a second, `sigmas` standard errors to the better.
  double Rate(size_t rows, double sigmas) const;
  size_t KnownBelow(size_t rows) const;  // 0: none
  size_t KnownAbove(size_t rows) const;  // 0: none
  // Of a size that may never have been seen: the best that it can be expected to be.
  double HopedRate(size_t rows, double best) const;

  std::vector<Size> sizes_;
  double level_ = 1;
  double variance_ = 0.01;         // relative, of one batch
  double trend_ = 0, spread_ = 0;  // of recent errors, and of their sizes
  uint64_t observations_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_SIZE_TIMES_H_
