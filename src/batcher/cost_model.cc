// SPDX-License-Identifier: Apache-2.0
#include "batcher/cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace penstock::internal {
namespace {

constexpr double kForget = 0.98;
constexpr double kLeastGain = 0.1, kMostGain = 0.4;
constexpr double kTrendGain = 0.2;
constexpr double kVarianceGain = 0.1;
constexpr double kFirst = 8;         // observations before any size is known
constexpr double kKnownSize = 1.25;  // times the largest seen
constexpr double kShapeShare = 0.95;
constexpr double kDraw = 1e-3;  // weight of the last coefficients

}  // namespace

// Solves the rows and columns of `m` in `active` (a bit mask) by elimination; the others are 0.
// False: singular.
bool CostModel::SolveSubset(Matrix m, Vector v, unsigned active, Vector* out) {
  for (size_t i = 0; i < kTerms; ++i) {
    if ((active >> i & 1u) != 0) continue;
    for (size_t j = 0; j < kTerms; ++j) m[i][j] = m[j][i] = 0;
    m[i][i] = 1;
    v[i] = 0;
  }
  for (size_t i = 0; i < kTerms; ++i) {
    if (!(m[i][i] > 1e-12)) return false;
    for (size_t r = i + 1; r < kTerms; ++r) {
      const double f = m[r][i] / m[i][i];
      for (size_t j = i; j < kTerms; ++j) m[r][j] -= f * m[i][j];
      v[r] -= f * v[i];
    }
  }
  for (size_t i = kTerms; i-- > 0;) {
    for (size_t j = i + 1; j < kTerms; ++j) v[i] -= m[i][j] * (*out)[j];
    (*out)[i] = v[i] / m[i][i];
  }
  return true;
}

double CostModel::sigma() const { return std::sqrt(variance_); }

void CostModel::Observe(double requests, double tokens, double seconds) {
  seconds = std::max(seconds, 1e-9);
  // What is slower than expected at a size that is known says that the runtime is; at a new size it
  // says what such a batch takes.
  const bool new_size = requests > kKnownSize * largest_;
  const bool known_size = observations_ >= kFirst && !new_size;
  double plain = seconds;
  if (observations_ > 0) {
    plain = std::max(Predict(requests, tokens) / scale_, 1e-12);
    const double error = std::clamp(seconds / (scale_ * plain) - 1, -1.0, 1.0);
    // The first errors say how little one batch teaches, and a jump is not noise either: clipped.
    if (observations_ >= 3 && !new_size) variance_ += kVarianceGain * (error * error - variance_);
    // Errors of one sign are news, errors of both are noise (Trigg and Leach, 1967).
    trend_ += kTrendGain * (error - trend_);
    spread_ += kTrendGain * (std::abs(error) - spread_);
    if (known_size) {
      const double ratio = std::clamp(seconds / plain, 0.05, 20.0);
      const double gain =
          spread_ > 0 ? std::clamp(std::abs(trend_) / spread_, kLeastGain, kMostGain) : kMostGain;
      scale_ = std::clamp(scale_ + gain * (ratio - scale_), 0.05, 20.0);
    }
  }
  // The coefficients get what the scale leaves, so that a slow runtime does not look like a steep
  // curve; nearly, so that in the long run they take over and the scale returns to 1.
  const double shape = seconds / std::pow(scale_, kShapeShare);
  const Vector x = {1, requests, tokens, requests * requests};
  const double expected = known_size ? plain : shape;  // weights that noise does not choose
  const double weight = 1 / (expected * expected);
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) xx_[i][j] = kForget * xx_[i][j] + weight * x[i] * x[j];
    xy_[i] = kForget * xy_[i] + weight * x[i] * shape;
  }
  observations_ += 1;
  largest_ = std::max(requests, largest_ * kForget);
  if (observations_ == 1) {
    // One batch says nothing about sizes: be optimistic, larger ones will tell.
    theta_ = {seconds};
  } else {
    Fit();
  }
}

void CostModel::Fit() {
  // Unit diagonal, so that one constant draws all coefficients alike.
  Vector unit;
  for (size_t i = 0; i < kTerms; ++i) unit[i] = xx_[i][i] > 0 ? std::sqrt(xx_[i][i]) : 1;
  Matrix m;
  Vector v;
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) m[i][j] = xx_[i][j] / (unit[i] * unit[j]);
    m[i][i] += kDraw;
    v[i] = xy_[i] / unit[i] + kDraw * theta_[i] * unit[i];
  }
  double best = std::numeric_limits<double>::infinity();
  Vector best_solution{};
  for (unsigned active = 1; active < 1u << kTerms; ++active) {
    Vector s{};
    if (!SolveSubset(m, v, active, &s)) continue;
    if (*std::min_element(s.begin(), s.end()) < 0) continue;
    double objective = 0;
    for (size_t i = 0; i < kTerms; ++i) {
      objective -= 2 * v[i] * s[i];
      for (size_t j = 0; j < kTerms; ++j) objective += s[i] * m[i][j] * s[j];
    }
    if (objective < best) {
      best = objective;
      best_solution = s;
    }
  }
  if (best == std::numeric_limits<double>::infinity()) return;
  for (size_t i = 0; i < kTerms; ++i) theta_[i] = best_solution[i] / unit[i];
}

}  // namespace penstock::internal
