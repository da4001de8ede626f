// SPDX-License-Identifier: Apache-2.0
//
// Balanced and optimal packing: the whole run of units up to the next oversize one is planned.
#include <algorithm>

#include "chunker/packing.h"
#include "chunker/session.h"

namespace penstock::internal {
namespace {

// The whole text as a rule: it is in memory anyway, and must not be encoded twice.
constexpr size_t kPlanWindowBytes = size_t{32} << 20;

}  // namespace

// Tokens of the unit that ends at cuts_[index], counted once.
size_t Session::UnitTokens(size_t index) {
  Cut& cut = cuts_[index];
  if (!cut.counted) {
    const size_t begin = index == 0 ? core_begin_ : cuts_[index - 1].byte;
    Cover(begin, index, kPlanWindowBytes);
    cut.unit_tokens = CountUpTo(begin, cut.byte);
    cut.counted = true;
  }
  return cut.unit_tokens;
}

void Session::Plan() {
  const ChunkerOptions& options = rep_->options;
  // Room for the overlap is set aside: whether it is used depends on the plan.
  const size_t budget = rep_->budget - std::min(rep_->budget - 1, options.overlap_tokens);
  std::vector<size_t> sums = {0};
  std::vector<double> costs;
  while (EnsureCut(cuts_.size())) {
  }
  for (size_t k = 0; k < cuts_.size(); ++k) {
    const size_t tokens = UnitTokens(k);
    if (tokens > budget) break;
    sums.push_back(sums.back() + tokens - std::min(tokens, rep_->joint_saving));
    costs.push_back(CutCost(cuts_[k].unit, cuts_[k].score));
  }
  const std::vector<size_t> ends = options.packing == Packing::kBalanced
                                       ? PlanBalanced(sums, budget, options.balanced_multiple)
                                       : PlanOptimal(sums, costs, budget, options.min_fill);
  size_t begin = 0;
  for (const size_t end : ends) {
    plan_.push_back(end - begin);
    begin = end;
  }
}

// The next chunk by the plan; false where there is none, or sums of units were wrong for it.
bool Session::NextPlanned(Chunk* chunk) {
  if (inside_unit_) cuts_[0].counted = false;
  if (plan_.empty()) Plan();
  if (plan_.empty()) return false;
  const size_t index = plan_.front() - 1;
  plan_.pop_front();
  const size_t begin = OverlapBegin(index);
  CoverFor(begin, index);
  if (Emit(begin, index, chunk)) return true;
  if (begin < core_begin_ && Emit(core_begin_, index, chunk)) return true;
  plan_.clear();
  return false;
}

}  // namespace penstock::internal
