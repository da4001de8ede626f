// SPDX-License-Identifier: Apache-2.0
//
// PromptMiner: which prompt beginnings a log of requests keeps coming back to, for KVCache::Warm.
//
//   PENSTOCK_ASSIGN_OR_RETURN(PromptMiner miner, PromptMiner::Create(options));
//   for (const LoggedPrompt& p : log) miner.Observe(p);
//   for (MinedPrompt& p : miner.Mine(/*token_budget=*/200000)) prompts.push_back(p.tokens);
//   cache.Warm(scope, prompts, 200000, prefill);
//
//   options.counters = 0;
//   PromptMiner::Create(options);  // kInvalidArgument: counters is 0, expected at least 1
//
// Warm what is expected to be hit more than once: on chat traffic restoring a snapshot (snapshot.h)
// is nearly always better than computing again; on traffic built from templates mining pays. Fit
// says how fast to forget.
//
// Description: Space-Saving (Metwally et al., ICDT 2005) over prefix blocks with forward decay
// (Cormode et al., ICDE 2009): an observation at time t weighs e^(t/tau). Memory: about 4 *
// block_tokens + 100 bytes a counter. Use two to four times as many counters as blocks you will
// warm. Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_KV_CACHE_PROMPT_MINER_H_
#define PENSTOCK_KV_CACHE_PROMPT_MINER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"

namespace penstock {

struct LoggedPrompt {
  absl::Duration at;                 // since any origin; does not decrease
  absl::Span<const TokenId> tokens;  // borrowed for the call
};

struct PromptMinerOptions {
  size_t block_tokens = 16;  // as KVCacheOptions
  size_t counters = 65536;
  absl::Duration tau = absl::Minutes(15);  // an observation this old weighs 1/e
  double min_weight =
      2;  // of a block, by what was certainly observed: rarer ones are not worth computing

  absl::Status Validate() const;
};

struct MinedPrompt {
  std::vector<TokenId> tokens;  // whole blocks
  double weight = 0;            // decayed observations of the rarest block of it
  size_t new_tokens = 0;        // not in a prompt listed before
};

class PENSTOCK_EXPORT PromptMiner {
 public:
  static absl::StatusOr<PromptMiner> Create(const PromptMinerOptions& options = {});
  PromptMiner(PromptMiner&&) noexcept;
  PromptMiner& operator=(PromptMiner&&) noexcept;
  ~PromptMiner();

  // O(blocks * log counters).
  void Observe(const LoggedPrompt& prompt);

  // The most frequent prefixes whose new_tokens sum up to at most `token_budget`, heaviest first.
  // Deterministic.
  std::vector<MinedPrompt> Mine(uint64_t token_budget) const;

  // The candidate tau whose mined set, from the first four fifths of the log, covers most tokens of
  // the last fifth.
  // kInvalidArgument: no candidates, or fewer than 10 prompts.
  static absl::StatusOr<absl::Duration> Fit(absl::Span<const LoggedPrompt> log,
                                            absl::Span<const absl::Duration> candidates,
                                            uint64_t token_budget,
                                            const PromptMinerOptions& options = {});

 private:
  struct Rep;
  explicit PromptMiner(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_PROMPT_MINER_H_
