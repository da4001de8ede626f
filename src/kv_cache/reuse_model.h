// SPDX-License-Identifier: Apache-2.0
//
// How likely and how soon each kind of request is continued, and what a block of that kind is worth
// once it has been idle for a while.
//
//   ReuseModel model;
//   size_t kind = model.AddKind(/*odds=*/1.5, /*p_reuse=*/std::nullopt,
//       /*gap_seconds=*/std::nullopt);
//   model.AddStart(kind, 1);  model.AddReuse(kind, 95000, 1);  model.Refresh();
//   // expected hits per second of residence, at its best horizon
//   model.Worth(kind, 30000)
//
// Description: fading counts of starts and of reuse gaps in half-octave bins of time; a kind with
// few observations leans on all kinds together, scaled to the hinted probability. Worth is a table
// lookup; Refresh recomputes the tables, O(kinds * bins^2). Thread-compatible: const calls may run
// concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_REUSE_MODEL_H_
#define PENSTOCK_SRC_KV_CACHE_REUSE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace penstock::internal {

class ReuseModel {
 public:
  // `odds`: how much likelier than all kinds together this one is thought to be reused until it has
  // shown.
  size_t AddKind(double odds, std::optional<double> p_reuse, std::optional<double> gap_seconds);
  void AddStart(size_t kind, double weight) {
    kinds_[kind].starts += weight;
    all_.starts += weight;
  }
  void AddReuse(size_t kind, uint32_t gap_ms, double weight) {
    kinds_[kind].reuses[BinOf(gap_ms)] += weight;
    all_.reuses[BinOf(gap_ms)] += weight;
  }
  void Refresh();
  double Worth(size_t kind, uint32_t age_ms) const { return kinds_[kind].worth[BinOf(age_ms)]; }

  // Half octaves from 1/4 s on; the last bin is open.
  static constexpr size_t kBins = 34;
  static size_t BinOf(uint32_t ms) {
    if (ms < 256) return 0;
    const auto log = static_cast<size_t>(31 - __builtin_clz(ms));  // >= 8
    const size_t half = (ms >> (log - 1)) & 1;
    const size_t bin = 1 + (log - 8) * 2 + half;
    return bin < kBins ? bin : kBins - 1;
  }
  static double BinBegin(size_t bin);  // seconds

 private:
  struct Counts {
    double starts = 0;
    std::array<double, kBins> reuses{};
    std::array<float, kBins> worth{};
    double odds = 1;
    std::optional<double> p_reuse, gap_seconds;
  };

  void SetWorth(Counts* kind) const;

  std::vector<Counts> kinds_;
  Counts all_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_REUSE_MODEL_H_
