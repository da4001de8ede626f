// SPDX-License-Identifier: Apache-2.0
//
// Plans against trying every partition.
#include "chunker/packing.h"

#include <algorithm>
#include <limits>

#include "tests/support/seed.h"

namespace penstock::internal {
namespace {

struct Input {
  std::vector<size_t> sums = {0};
  std::vector<double> costs;
  size_t budget;
};

Input RandomInput(SeededRandom& random) {
  Input in;
  in.budget = 4 + random.Below(20);
  const size_t n = 1 + random.Below(10);
  for (size_t k = 0; k < n; ++k) {
    in.sums.push_back(in.sums.back() + 1 + random.Below(in.budget));
    in.costs.push_back(static_cast<double>(random.Below(100)) / 100);
  }
  return in;
}

// Calls visit(plan) for each plan within the budget.
template <class Visit>
void ForEachPlan(const Input& in, Visit visit) {
  const size_t n = in.sums.size() - 1;
  for (uint32_t bits = 0; bits < (1u << (n - 1)); ++bits) {
    std::vector<size_t> plan;
    for (size_t k = 1; k < n; ++k) {
      if ((bits >> (k - 1) & 1) != 0) plan.push_back(k);
    }
    plan.push_back(n);
    size_t begin = 0;
    bool fits = true;
    for (const size_t end : plan) {
      fits &= in.sums[end] - in.sums[begin] <= in.budget;
      begin = end;
    }
    if (fits) visit(plan);
  }
}

double Cost(const Input& in, const std::vector<size_t>& plan, double min_fill) {
  double cost = 0;
  size_t begin = 0;
  for (const size_t end : plan) {
    cost += ChunkCost(in.costs[end - 1], in.sums[end] - in.sums[begin], in.budget,
                      end + 1 == in.sums.size() ? 0 : min_fill);
    begin = end;
  }
  return cost;
}

size_t Largest(const Input& in, const std::vector<size_t>& plan) {
  size_t largest = 0;
  size_t begin = 0;
  for (const size_t end : plan) {
    largest = std::max(largest, in.sums[end] - in.sums[begin]);
    begin = end;
  }
  return largest;
}

TEST(PackingTest, TheOptimalPlanCostsNoMoreThanAnyOther) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(400); ++round) {
    const Input in = RandomInput(random);
    double best = std::numeric_limits<double>::infinity();
    ForEachPlan(in, [&](const auto& plan) { best = std::min(best, Cost(in, plan, 0.5)); });
    const std::vector<size_t> plan = PlanOptimal(in.sums, in.costs, in.budget, 0.5);
    ASSERT_NEAR(Cost(in, plan, 0.5), best, 1e-9);
    ASSERT_LE(Largest(in, plan), in.budget);
  }
}

TEST(PackingTest, TheBalancedPlanHasTheFewestChunksAndTheSmallestLargest) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(400); ++round) {
    const Input in = RandomInput(random);
    const size_t multiple = 1 + random.Below(3);
    size_t fewest = in.sums.size();
    ForEachPlan(in, [&](const auto& plan) { fewest = std::min(fewest, plan.size()); });
    const size_t chunks =
        std::min((fewest + multiple - 1) / multiple * multiple, in.sums.size() - 1);
    size_t smallest = in.budget;
    ForEachPlan(in, [&](const auto& plan) {
      if (plan.size() <= chunks) smallest = std::min(smallest, Largest(in, plan));
    });
    const std::vector<size_t> plan = PlanBalanced(in.sums, in.budget, multiple);
    ASSERT_EQ(plan.size(), chunks);
    ASSERT_EQ(plan.back(), in.sums.size() - 1);
    ASSERT_TRUE(std::is_sorted(plan.begin(), plan.end()));
    ASSERT_EQ(Largest(in, plan), smallest);
  }
}

TEST(PackingTest, BalancedMakesEqualChunksWhereGreedyLeavesARest) {
  EXPECT_EQ(PlanBalanced({0, 3, 6, 9, 12}, 9, 1), (std::vector<size_t>{2, 4}));
  EXPECT_EQ(PlanBalanced({0, 3, 6, 9, 12}, 9, 4), (std::vector<size_t>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace penstock::internal
