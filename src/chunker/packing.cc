// SPDX-License-Identifier: Apache-2.0
#include "chunker/packing.h"

#include <algorithm>
#include <limits>

namespace penstock::internal {
namespace {

// need[i]: the fewest chunks of at most `cap` tokens that units i ... n - 1 can be packed in.
std::vector<size_t> FewestChunks(const std::vector<size_t>& sums, size_t cap) {
  const size_t n = sums.size() - 1;
  std::vector<size_t> need(n + 1, 0);
  size_t reach = n;  // the furthest k with sums[k] - sums[i] <= cap
  for (size_t i = n; i-- > 0;) {
    while (reach > i + 1 && sums[reach] - sums[i] > cap) --reach;
    need[i] = 1 + need[reach];
  }
  return need;
}

size_t LargestUnit(const std::vector<size_t>& sums) {
  size_t largest = 0;
  for (size_t k = 0; k + 1 < sums.size(); ++k) largest = std::max(largest, sums[k + 1] - sums[k]);
  return largest;
}

}  // namespace

double CutCost(Unit unit, uint8_t score) {
  const double doubt = (255 - score) / 255.0;
  switch (unit) {
    case Unit::kDocument:
    case Unit::kHeading:
      return 0.0;
    case Unit::kParagraph:
    case Unit::kCodeFence:
      return 0.03 + 0.02 * doubt;
    case Unit::kListItem:
      return 0.12 + 0.05 * doubt;
    case Unit::kTableRow:
      return 0.16;
    case Unit::kLine:
      return score <= 1 ? 0.9 : 0.18 + 0.05 * doubt;  // 1: right after a heading
    case Unit::kSentence:
      return 0.20 + 0.10 * doubt;
    case Unit::kClause:
      return 0.6;
    case Unit::kWord:
      return 0.8;
    case Unit::kGrapheme:
    case Unit::kCodePoint:
      return 1.0;
  }
  return 1.0;
}

double ChunkCost(double cut_cost, size_t tokens, size_t budget, double min_fill) {
  const double fill = std::min(1.0, static_cast<double>(tokens) / static_cast<double>(budget));
  return cut_cost + kUnusedWeight * (1 - fill) * (1 - fill) + (fill < min_fill ? kUnderfilled : 0);
}

std::vector<size_t> PlanBalanced(const std::vector<size_t>& sums, size_t budget, size_t multiple) {
  const size_t n = sums.size() - 1;
  std::vector<size_t> plan;
  if (n == 0) return plan;
  size_t chunks = FewestChunks(sums, budget)[0];
  const size_t rounded = (chunks + multiple - 1) / multiple * multiple;
  chunks = std::min(rounded, n);

  size_t low = LargestUnit(sums);  // may not do
  size_t high = std::max(budget, low);
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (FewestChunks(sums, middle)[0] <= chunks) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const std::vector<size_t> need = FewestChunks(sums, low);
  size_t i = 0;
  for (size_t left = chunks; left > 0; --left) {
    // Nearest to an equal share of what is left, such that the rest still fits in left - 1 chunks
    // and has units for them.
    const double share = static_cast<double>(sums[n] - sums[i]) / static_cast<double>(left);
    size_t best = 0;
    double best_distance = std::numeric_limits<double>::infinity();
    for (size_t k = i + 1; k <= n && sums[k] - sums[i] <= low; ++k) {
      if (need[k] > left - 1 || n - k < left - 1) continue;
      const double tokens = static_cast<double>(sums[k] - sums[i]);
      const double distance = tokens > share ? tokens - share : share - tokens;
      if (distance < best_distance) {
        best = k;
        best_distance = distance;
      }
    }
    plan.push_back(best);
    i = best;
  }
  return plan;
}

std::vector<size_t> PlanOptimal(const std::vector<size_t>& sums,
                                const std::vector<double>& cut_costs, size_t budget,
                                double min_fill) {
  const size_t n = sums.size() - 1;
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  std::vector<size_t> from(n + 1, 0);
  best[0] = 0;
  for (size_t k = 1; k <= n; ++k) {
    for (size_t i = k; i-- > 0 && sums[k] - sums[i] <= budget;) {
      // The end of the run is no choice: it is not blamed for being early.
      const double fill_limit = k == n ? 0 : min_fill;
      const double cost =
          best[i] + ChunkCost(cut_costs[k - 1], sums[k] - sums[i], budget, fill_limit);
      if (cost < best[k]) {
        best[k] = cost;
        from[k] = i;
      }
    }
  }
  std::vector<size_t> plan;
  for (size_t k = n; k > 0; k = from[k]) plan.push_back(k);
  std::reverse(plan.begin(), plan.end());
  return plan;
}

}  // namespace penstock::internal
