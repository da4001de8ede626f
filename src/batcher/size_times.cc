// SPDX-License-Identifier: Apache-2.0
#include "batcher/size_times.h"

#include <algorithm>
#include <cmath>

namespace penstock::internal {
namespace {

constexpr double kMostCount = 16;
constexpr uint64_t kKnownFor = 2000;
constexpr double kTrusted = 8;  // observations
constexpr double kNoiseGain = 0.1;
constexpr double kNewsGain = 0.2;
constexpr double kLeastLevelGain = 0.1, kMostLevelGain = 0.4;
constexpr double kBetter = 1.005;  // a smaller size must serve so many more
constexpr double kSigmas = 2;      // beyond what noise explains, on either side
constexpr double kWorthATry = 1.02;

}  // namespace

void SizeTimes::Observe(size_t rows, double seconds) {
  if (rows == 0 || rows > kMostSizes) return;
  seconds = std::max(seconds, 1e-9);
  if (rows >= sizes_.size()) sizes_.resize(rows + 1);
  ++observations_;
  Size& size = sizes_[rows];
  if (!Known(rows)) {
    size = {seconds / level_, 1, observations_};
    return;
  }
  const double error = std::clamp(seconds / (level_ * size.seconds) - 1, -1.0, 1.0);
  variance_ += kNoiseGain * (error * error - variance_);
  size.count = std::min(size.count + 1, kMostCount);
  double news = 0;
  if (size.count >= kTrusted) {  // before that it is the size that is learned
    // Errors of one sign are news of the runtime, errors of both are noise (Trigg and Leach, 1967).
    trend_ += kNewsGain * (error - trend_);
    spread_ += kNewsGain * (std::abs(error) - spread_);
    if (spread_ > 0) news = std::min(1.0, std::abs(trend_) / spread_);
    level_ *= 1 + std::clamp(news, kLeastLevelGain, kMostLevelGain) * error;
  }
  size.seconds += (1 - news) / size.count * (seconds / level_ - size.seconds);
  size.last = observations_;
}

bool SizeTimes::Known(size_t rows) const {
  return rows < sizes_.size() && sizes_[rows].count > 0 &&
         observations_ - sizes_[rows].last <= kKnownFor;
}

double SizeTimes::Rate(size_t rows, double sigmas) const {
  const Size& size = sizes_[rows];
  const double doubt = sigmas * std::sqrt(variance_ / size.count);
  return static_cast<double>(rows) / size.seconds * std::max(0.0, 1 + doubt);
}

size_t SizeTimes::KnownBelow(size_t rows) const {
  for (--rows; rows > 0 && !Known(rows);) --rows;
  return rows;
}

size_t SizeTimes::KnownAbove(size_t rows) const {
  for (++rows; rows < sizes_.size(); ++rows) {
    if (Known(rows)) return rows;
  }
  return 0;
}

size_t SizeTimes::Largest() const { return sizes_.empty() ? 0 : KnownBelow(sizes_.size()); }

bool SizeTimes::Seen(size_t from, size_t to) const {
  const size_t next = KnownAbove(from - 1);
  return next != 0 && next <= to;
}

bool SizeTimes::LargerIsBetter(size_t rows, size_t most) const {
  if (!Known(rows)) return false;
  for (size_t n = KnownAbove(rows); n != 0 && n <= most; n = KnownAbove(n)) {
    if (Rate(n, -kSigmas) > Rate(rows, kSigmas)) return true;
  }
  return false;
}

double SizeTimes::HopedRate(size_t rows, double best) const {
  if (Known(rows)) return Rate(rows, kSigmas);
  const size_t below = KnownBelow(rows), above = KnownAbove(rows);
  const double n = static_cast<double>(rows), least = sizes_[below].seconds;
  if (above == 0) return static_cast<double>(below) / least;
  if (rows - below <= below / 2 && n / least > kWorthATry * best) return n / least;
  const double part = static_cast<double>(rows - below) / static_cast<double>(above - below);
  return n / (least + part * (sizes_[above].seconds - least));
}

size_t SizeTimes::BestSize(size_t most) const {
  double best = 0;
  size_t size = 0;
  for (size_t n = std::min(most, sizes_.size()); n-- > 1;) {
    if (!Known(n)) continue;
    const double rate = Rate(n, -kSigmas);
    if (rate > best) {
      best = rate;
      size = n;
    }
  }
  if (size == 0) return most;
  bool falls = false;  // beyond `size`
  for (size_t n = KnownAbove(size); n != 0 && !falls; n = KnownAbove(n)) {
    falls = kBetter * Rate(n, kSigmas) < best;
  }
  if (!falls || kBetter * HopedRate(most, best) >= best) return most;
  if (2 * most >= 3 * size && !Seen(size + (size + 1) / 2, 3 * size))
    return std::min(most, 2 * size);
  // Perhaps the next larger ones are better still.
  const size_t above = KnownAbove(size);
  return above > size + 1 && above <= most ? size + (above - size) / 2 : size;
}

}  // namespace penstock::internal
