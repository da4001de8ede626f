// SPDX-License-Identifier: Apache-2.0
//
// Packing a whole run of units at once: balanced and optimal.
//
//   PlanBalanced({0, 3, 6, 9, 12}, 9, 1) == {2, 4}          // 6 + 6, where greedy makes 9 + 3
//
// Units are given by prefix sums of their tokens: unit k has sums[k + 1] - sums[k], each at most
// the budget. A plan is the ascending list of k such that a chunk ends after k units; it ends with
// all.
#ifndef PENSTOCK_SRC_CHUNKER_PACKING_H_
#define PENSTOCK_SRC_CHUNKER_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/chunker/boundary.h"

namespace penstock::internal {

// Weight of unused budget against the cost of a cut, and what a chunk below min_fill costs more.
inline constexpr double kUnusedWeight = 1.0;
inline constexpr double kUnderfilled = 4.0;

// What a cut costs: 0 for the end of the text, 1 for the middle of a word.
double CutCost(Unit unit, uint8_t score);

// Cost of a chunk of `tokens`: its cut, and the budget it leaves unused.
double ChunkCost(double cut_cost, size_t tokens, size_t budget, double min_fill);

// As few chunks as greedy packing makes, rounded up to a multiple of `multiple` where there are
// units enough; among those, the largest chunk as small as possible, the others near their mean.
// O(n log budget). Source: the linear partition problem, by bisection on the largest part.
std::vector<size_t> PlanBalanced(const std::vector<size_t>& sums, size_t budget, size_t multiple);

// The plan of least total ChunkCost; cut_costs[k] belongs to a cut after k + 1 units. Dynamic
// programming, O(n * units per chunk).
std::vector<size_t> PlanOptimal(const std::vector<size_t>& sums,
                                const std::vector<double>& cut_costs, size_t budget,
                                double min_fill);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_PACKING_H_
