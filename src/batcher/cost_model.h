// SPDX-License-Identifier: Apache-2.0
//
// How long a batch takes, learned from batches: seconds = scale × (a + b × rows + c × tokens + d ×
// rows²), and how sure that is.
//
//   CostModel model;
//   model.Observe(32, 4096, 0.018);
//   model.Predict(64, 8192)                // seconds; 0 before the first observation
//
// Description: weighted least squares on relative errors with exponential forgetting (0.98 a
// batch), coefficients kept >= 0 (exact, by trying each set of active coefficients) and drawn
// slightly to their last values, so that batches of one size do not erase what other sizes taught.
// `scale` follows the last few batches: a runtime that becomes three times slower is known after
// three batches, long before the coefficients move. Observe O(1), about a microsecond.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BATCHER_COST_MODEL_H_
#define PENSTOCK_SRC_BATCHER_COST_MODEL_H_

#include <array>
#include <cstddef>

namespace penstock::internal {

class CostModel {
 public:
  // REQUIRES: seconds >= 0.
  void Observe(double requests, double tokens, double seconds);

  bool ready() const { return observations_ > 0; }
  double Predict(double requests, double tokens) const {
    return scale_ * (theta_[0] + theta_[1] * requests + theta_[2] * tokens +
                     theta_[3] * requests * requests);
  }
  // The largest batch seen recently. Nothing is known of batches much larger; see PredictSeconds.
  double largest() const { return largest_; }
  // Relative standard deviation of a prediction.
  double sigma() const;

 private:
  void Fit();

  static constexpr size_t kTerms = 4;
  using Vector = std::array<double, kTerms>;
  using Matrix = std::array<Vector, kTerms>;

  static bool SolveSubset(Matrix m, Vector v, unsigned active, Vector* out);

  Vector theta_{};
  Matrix xx_{};
  Vector xy_{};
  double scale_ = 1;
  double variance_ = 0;
  double trend_ = 0, spread_ = 0;  // of recent errors, and of their sizes
  double observations_ = 0;
  double largest_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_COST_MODEL_H_
