// SPDX-License-Identifier: Apache-2.0
#include "penstock/kv_cache/prompt_miner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv_cache/token_hash.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace {

constexpr uint64_t kMinerRoot = 0;

}  // namespace

absl::Status PromptMinerOptions::Validate() const {
  if (block_tokens < 1) return absl::InvalidArgumentError("block_tokens is 0, expected at least 1");
  if (counters < 1) return absl::InvalidArgumentError("counters is 0, expected at least 1");
  if (tau <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("tau: expected more than zero");
  }
  return absl::OkStatus();
}

struct PromptMiner::Rep {
  struct Counter {
    uint64_t parent = kMinerRoot;
    uint32_t depth = 0;
    double weight = 0;  // in units of `scale`
    double error = 0;   // at most this much of it was inherited from a counter that was replaced
    std::vector<TokenId> tokens;
  };

  explicit Rep(const PromptMinerOptions& o) : options(o), hasher(0x9d3f5a7c) {}

  // What an observation now weighs. Weights grow with time and are scaled back before they
  // overflow.
  double WeightAt(absl::Duration at) {
    if (!started) {
      started = true;
      origin = at;
    }
    double exponent = absl::FDivDuration(at - origin, options.tau);
    if (exponent > 60) {
      const double by = std::exp(-exponent);
      order.clear();
      for (auto& [name, c] : counters) {
        c.weight *= by;
        c.error *= by;
        order.insert({c.weight, name});
      }
      origin = at;
      exponent = 0;
    }
    return std::exp(exponent);
  }

  void Count(uint64_t name, uint64_t parent, uint32_t depth, const TokenId* tokens, double by) {
    const auto it = counters.find(name);
    if (it != counters.end()) {
      order.erase({it->second.weight, name});
      it->second.weight += by;
      order.insert({it->second.weight, name});
      return;
    }
    Counter c;
    c.parent = parent;
    c.depth = depth;
    c.weight = by;
    c.tokens.assign(tokens, tokens + options.block_tokens);
    if (counters.size() >=
        options.counters) {  // take over the lightest one's place, and its weight as doubt
      const auto lightest = order.begin();
      c.error = lightest->first;
      c.weight += lightest->first;
      counters.erase(lightest->second);
      order.erase(lightest);
    }
    order.insert({c.weight, name});
    counters.emplace(name, std::move(c));
  }

  // Names of the blocks worth warming: heaviest first, parents before children, within the budget.
  std::vector<uint64_t> Choose(uint64_t token_budget) const {
    struct Candidate {
      double weight;
      uint32_t depth;
      uint64_t name;
    };
    std::vector<Candidate> candidates;
    const double now = std::exp(absl::FDivDuration(latest - origin, options.tau));
    for (const auto& [name, c] : counters) {
      const double certain = (c.weight - c.error) / now;
      if (certain >= options.min_weight) candidates.push_back({certain, c.depth, name});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      if (a.weight != b.weight) return a.weight > b.weight;
      if (a.depth != b.depth) return a.depth < b.depth;
      return a.name < b.name;
    });
    std::vector<uint64_t> chosen;
    std::unordered_set<uint64_t> in;
    // A block whose parent's count came out smaller waits for the next round.
    for (bool again = true; again;) {
      again = false;
      for (Candidate& c : candidates) {
        if (c.weight < 0 || (chosen.size() + 1) * options.block_tokens > token_budget) continue;
        const uint64_t parent = counters.find(c.name)->second.parent;
        if (parent != kMinerRoot && in.count(parent) == 0) continue;
        in.insert(c.name);
        chosen.push_back(c.name);
        c.weight = -1;
        again = true;
      }
    }
    return chosen;
  }

  const PromptMinerOptions options;
  const internal::BlockHasher hasher;
  std::unordered_map<uint64_t, Counter> counters;
  std::set<std::pair<double, uint64_t>> order;
  bool started = false;
  absl::Duration origin, latest;
};

absl::StatusOr<PromptMiner> PromptMiner::Create(const PromptMinerOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  return PromptMiner(std::make_unique<Rep>(options));
}

PromptMiner::PromptMiner(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
PromptMiner::PromptMiner(PromptMiner&&) noexcept = default;
PromptMiner& PromptMiner::operator=(PromptMiner&&) noexcept = default;
PromptMiner::~PromptMiner() = default;

void PromptMiner::Observe(const LoggedPrompt& prompt) {
  rep_->latest = rep_->started ? std::max(rep_->latest, prompt.at) : prompt.at;
  const double by = rep_->WeightAt(rep_->latest);
  const size_t block_tokens = rep_->options.block_tokens;
  uint64_t parent = kMinerRoot;
  for (size_t i = 0; (i + 1) * block_tokens <= prompt.tokens.size(); ++i) {
    const TokenId* block = prompt.tokens.data() + i * block_tokens;
    const uint64_t name = rep_->hasher.Chain(parent, rep_->hasher.Digest(block, block_tokens)) | 1;
    rep_->Count(name, parent, static_cast<uint32_t>(i), block, by);
    parent = name;
  }
}

std::vector<MinedPrompt> PromptMiner::Mine(uint64_t token_budget) const {
  const std::vector<uint64_t> chosen = rep_->Choose(token_budget);
  std::unordered_set<uint64_t> inner, emitted;
  for (uint64_t name : chosen) inner.insert(rep_->counters.find(name)->second.parent);
  const double now = std::exp(absl::FDivDuration(rep_->latest - rep_->origin, rep_->options.tau));
  std::vector<MinedPrompt> prompts;
  for (uint64_t leaf : chosen) {
    if (inner.count(leaf) != 0) continue;
    MinedPrompt prompt;
    const auto& deepest = rep_->counters.find(leaf)->second;
    prompt.weight = (deepest.weight - deepest.error) / now;
    std::vector<const Rep::Counter*> path;
    for (uint64_t name = leaf; name != kMinerRoot; name = path.back()->parent) {
      path.push_back(&rep_->counters.find(name)->second);
      if (emitted.insert(name).second) prompt.new_tokens += rep_->options.block_tokens;
    }
    for (auto it = path.rbegin(); it != path.rend(); ++it) {
      prompt.tokens.insert(prompt.tokens.end(), (*it)->tokens.begin(), (*it)->tokens.end());
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

absl::StatusOr<absl::Duration> PromptMiner::Fit(absl::Span<const LoggedPrompt> log,
                                                absl::Span<const absl::Duration> candidates,
                                                uint64_t token_budget,
                                                const PromptMinerOptions& options) {
  if (candidates.empty())
    return absl::InvalidArgumentError("candidates: none, expected at least one");
  if (log.size() < 10) {
    return absl::InvalidArgumentError(
        absl::StrCat("log: ", log.size(), " prompts, expected at least 10"));
  }
  const size_t split = log.size() * 4 / 5;
  absl::Duration best = candidates[0];
  uint64_t most = 0;
  for (absl::Duration tau : candidates) {
    PromptMinerOptions with = options;
    with.tau = tau;
    PENSTOCK_ASSIGN_OR_RETURN(PromptMiner miner, Create(with));
    for (const LoggedPrompt& p : log.subspan(0, split)) miner.Observe(p);
    const std::vector<uint64_t> chosen = miner.rep_->Choose(token_budget);
    const std::unordered_set<uint64_t> warm(chosen.begin(), chosen.end());
    uint64_t covered = 0;
    for (const LoggedPrompt& p : log.subspan(split)) {
      uint64_t name = kMinerRoot;
      for (size_t i = 0; (i + 1) * with.block_tokens <= p.tokens.size(); ++i) {
        name = miner.rep_->hasher.Chain(
                   name, miner.rep_->hasher.Digest(p.tokens.data() + i * with.block_tokens,
                                                   with.block_tokens)) |
               1;
        if (warm.count(name) == 0) break;
        covered += with.block_tokens;
      }
    }
    if (covered > most) {
      most = covered;
      best = tau;
    }
  }
  return best;
}

}  // namespace penstock
