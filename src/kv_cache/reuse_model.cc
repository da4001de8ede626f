// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/reuse_model.h"

#include <algorithm>
#include <cmath>

namespace penstock::internal {
namespace {

constexpr double kModelFade = 0.99;  // per Refresh
constexpr double kPriorStarts = 20;  // what the other kinds weigh against a kind's own observations

std::array<double, ReuseModel::kBins> Smooth(const std::array<double, ReuseModel::kBins>& x) {
  std::array<double, ReuseModel::kBins> y;
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = x[i] / 2 + (x[i == 0 ? 0 : i - 1] + x[i + 1 == x.size() ? i : i + 1]) / 4;
  }
  return y;
}

}  // namespace

double ReuseModel::BinBegin(size_t bin) {
  if (bin == 0) return 0;
  const double octave = 0.256 * std::exp2(static_cast<double>((bin - 1) / 2));
  return (bin - 1) % 2 == 0 ? octave : octave * 1.5;
}

size_t ReuseModel::AddKind(double odds, std::optional<double> p_reuse,
                           std::optional<double> gap_seconds) {
  kinds_.emplace_back();
  kinds_.back().odds = odds;
  kinds_.back().p_reuse = p_reuse;
  kinds_.back().gap_seconds = gap_seconds;
  SetWorth(&kinds_.back());
  return kinds_.size() - 1;
}

void ReuseModel::Refresh() {
  all_.starts *= kModelFade;
  for (double& n : all_.reuses) n *= kModelFade;
  for (Counts& c : kinds_) {
    c.starts *= kModelFade;
    for (double& n : c.reuses) n *= kModelFade;
    SetWorth(&c);
  }
}

void ReuseModel::SetWorth(Counts* kind) const {
  // Shape of the gaps of all kinds; log-uniform around two minutes while nothing is known.
  std::array<double, kBins> shape;
  double total = 0;
  for (size_t i = 0; i < kBins; ++i) {
    const double octaves = std::log2((BinBegin(i) + 0.3) / 120);
    shape[i] = all_.reuses[i] + 8 * std::exp(-octaves * octaves / 8) / kBins;
    total += shape[i];
  }
  const double p_all = std::clamp((total - 1) / std::max(all_.starts, 1.0), 0.05, 0.95);
  double p_prior = kind->p_reuse.has_value() ? std::clamp(*kind->p_reuse, 0.01, 0.99)
                                             : std::clamp(p_all * kind->odds, 0.02, 0.98);
  if (kind->gap_seconds.has_value()) {
    total = 0;
    for (size_t i = 0; i < kBins; ++i) {
      const double octaves = std::log2((BinBegin(i) + 0.3) / *kind->gap_seconds);
      shape[i] = std::exp(-octaves * octaves);
      total += shape[i];
    }
  }
  const std::array<double, kBins> own =
      Smooth(kind->reuses);  // few observations leave gaps between bins
  shape = Smooth(shape);
  std::array<double, kBins> mass;
  double sum = 0;
  for (size_t i = 0; i < kBins; ++i) {
    mass[i] = (own[i] + kPriorStarts * p_prior * shape[i] / total) / (kind->starts + kPriorStarts);
    sum += mass[i];
  }
  if (sum > 0.995) {  // more reuses than starts: a start was reused more than once
    for (double& m : mass) m *= 0.995 / sum;
  }
  double alive = 1;
  std::array<double, kBins> seconds;  // expected residence in each bin, from the beginning
  for (size_t i = 0; i < kBins; ++i) {
    const double end = i + 1 < kBins ? BinBegin(i + 1) : BinBegin(i) * 2;
    seconds[i] = (alive - mass[i] / 2) * (end - BinBegin(i));
    alive -= mass[i];
  }
  for (size_t i = 0; i < kBins; ++i) {
    double best = 0, hits = 0, stay = 0;
    for (size_t j = i; j < kBins; ++j) {
      hits += mass[j];
      stay += seconds[j];
      best = std::max(best, hits / stay);
    }
    kind->worth[i] = static_cast<float>(best);
  }
}

}  // namespace penstock::internal
