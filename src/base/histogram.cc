// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/histogram.h"

#include <algorithm>
#include <cmath>

namespace penstock {
namespace {

constexpr int kSubBits = 5;                   // 32 buckets an octave
constexpr uint64_t kLinear = 2u << kSubBits;  // below it every value has a bucket of its own

// Values < 64 map to themselves; above, bucket = octave * 32 + the five bits behind the leading
// one.
size_t BucketOf(uint64_t value) {
  if (value < kLinear) return static_cast<size_t>(value);
  const int shift = 63 - __builtin_clzll(value) - kSubBits;
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(value >> shift);
}

// The largest value of a bucket.
uint64_t UpperBound(size_t bucket) {
  if (bucket < kLinear) return bucket;
  const int shift = static_cast<int>(bucket >> kSubBits) - 1;
  const uint64_t mantissa = (bucket & ((1u << kSubBits) - 1)) | (1u << kSubBits);
  return (mantissa << shift) + ((uint64_t{1} << shift) - 1);
}

}  // namespace

void Histogram::Record(uint64_t value, uint64_t times) {
  if (times == 0) return;
  const size_t bucket = BucketOf(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const double clamped = std::isnan(q) ? 0.0 : std::clamp(q, 0.0, 1.0);
  const uint64_t rank = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::ceil(clamped * static_cast<double>(count_))));
  if (rank >= count_) return max_;
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::clamp(UpperBound(i), min_, max_);
  }
  return max_;
}

uint64_t Histogram::CountAtMost(uint64_t value) const {
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size() && UpperBound(i) <= value; ++i) seen += buckets_[i];
  return value >= max_ ? count_ : seen;
}

}  // namespace penstock
