// SPDX-License-Identifier: Apache-2.0
//
// Every knob of the batcher. The defaults need no tuning: a batch leaves as soon as the runtime can
// take it.
//
//   BatcherOptions options;
//   options.max_batch_requests = 64;                  // what the runtime's memory allows
//   options.token_budget = 16384;  // … and in tokens; kPadded counts longest × rows
//   options.cost_shape = CostShape::kPadded;
//   options.mode = BatchMode::kFullOrTimeout;  // for a runtime that cannot say when it is idle
//
//   options.max_batch_requests = 0;
//   options.Validate();  // "max_batch_requests: 0, expected at least 1"
#ifndef PENSTOCK_BATCHER_POLICY_H_
#define PENSTOCK_BATCHER_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/executor.h"
#include "penstock/base/export.h"
#include "penstock/batcher/admission.h"

namespace penstock {

enum class BatchMode : uint8_t {
  // A batch leaves when a slot of the runtime is free and something is queued. While the runtime
  // works the next batch grows by itself, so this is within 1 % of the best fixed (size, timeout)
  // pair wherever batching pays.
  kWorkConserving,
  // Exactly: max_batch_requests (or the token budget) reached, or the oldest has waited max_delay.
  // For fire-and-forget runtimes. At low load it costs max_delay per request and buys nothing.
  kFullOrTimeout,
  // Work-conserving, with the size of a batch capped where the learned cost model says that two
  // smaller batches serve the queue sooner. For runtimes whose time grows almost in proportion to
  // the batch.
  kAdaptive,
};

// What a batch costs: the sum of its tokens (packed, ragged), or longest × rows (padded).
enum class CostShape : uint8_t { kSum, kPadded };

// What Submit does when a bound of the queue is reached.
enum class OnFull : uint8_t {
  kReject,       // refuse; both arguments stay with the caller
  kDropOldest,   // the oldest of the lowest priority not above the newcomer's ends as kEvicted
  kEvictLowest,  // the newest of the lowest priority, if below the newcomer's; else refuse
  kBlock,        // wait up to SubmitOptions::block_for, then refuse
  kDegrade,      // ask the host to make the request cheaper (Batcher::Create), once; then refuse
};

// Policy of the engine: behaviour first, performance second.
struct BatchPolicy {
  BatchMode mode = BatchMode::kWorkConserving;
  size_t max_batch_requests = 1000;
  absl::Duration max_delay = absl::Milliseconds(50);  // kFullOrTimeout only
  size_t max_concurrent_batches = 1;                  // slots of the runtime

  // No batch is larger than the size that serves most requests a second, once the learned times
  // show (beyond their noise) that larger ones serve fewer, as on a runtime with a quadratic part.
  // Not in kFullOrTimeout. It takes some 30 batches to learn.
  bool cap_at_best_rate = true;

  CostShape cost_shape = CostShape::kSum;
  std::optional<int64_t>
      token_budget;  // per batch. A request that exceeds it alone is refused (kInvalidArgument)

  // kPadded: the head of the queue always leaves; the rest of the batch is chosen among the next
  // lookahead × batch requests so that padding is least. The k-th oldest leaves within k batches.
  // 1: strictly first come first served.
  size_t lookahead = 4;

  // Sizes the runtime is compiled for, ascending. A batch is padded up to one or cut down to one,
  // whichever the measured cost per request favours; without measurements it is padded up. Empty:
  // any size.
  std::vector<size_t> allowed_batch_sizes;

  // Bounds of the queue.
  size_t max_queue_requests = 1000;
  std::optional<int64_t> max_queue_tokens;
  std::optional<absl::Duration> max_queue_delay;  // predicted from the measured service times
  OnFull on_full = OnFull::kReject;

  // A request of priority p is ordered as if it had arrived p × ageing earlier: it is passed only
  // by requests of a priority q > p that arrive at most (q - p) × ageing after it. Infinite: strict
  // priority, starvation included.
  absl::Duration ageing = absl::Milliseconds(100);
  // Share of a tenant relative to the others (default 1) among requests of one priority.
  std::map<std::string, double> tenant_weights;

  // Requests that would end late are refused, or taken out before they cost the runtime anything:
  // those whose deadline lies before now + the learned time of their batch + headroom. Where
  // another request can take the place, prediction_sigmas × sigma of that time is added; half of it
  // on arrival.
  bool predictive_expiry = true;
  double prediction_sigmas = 1.3;
  absl::Duration headroom = absl::ZeroDuration();

  // How long a request that the runtime put back (no memory now) waits at most before it is offered
  // again; it is offered at once when another request completes.
  absl::Duration put_back_delay = absl::Milliseconds(1);

  // A batch that is full already is formed shortly before a slot is expected to be free (learned
  // times; as early as preparing it takes: Batcher::Prepare), and starts when one is. Nobody who
  // could join a batch is left out of it; what arrives later with a higher priority or a timeout
  // waits for one batch more. Not in kFullOrTimeout, nor while the host drives capacity.
  bool form_ahead = false;

  std::optional<AdmissionOptions> admission;  // congestion control

  // kInvalidArgument: names the field, the value and what was expected.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

// Policy, and where time and threads come from.
struct BatcherOptions : BatchPolicy {
  Clock* clock = Clock::Real();

  // One thread forms batches. false: none; the host calls Batcher::PollOnce() whenever `wake` is
  // called or the time that the last PollOnce returned has come.
  bool former_thread = true;
  std::function<void()>
      wake;  // any thread, no lock held; must not block. Only without a former thread

  // Where RunBatch runs. Null: max_concurrent_batches threads of the batcher's own (without a
  // former thread: inside PollOnce). An executor must outlive every batch given to it.
  Executor* executor = nullptr;

  // Where callbacks run. Null: on the thread that decides the outcome, with no lock held.
  Executor* callback_executor = nullptr;

  PENSTOCK_EXPORT absl::Status Validate() const;
};

// One request's own wishes.
struct SubmitOptions {
  std::string tenant;
  int priority = 0;                       // higher first; -100 … 100
  std::optional<absl::Duration> timeout;  // from Submit to the end, running included; > 0
  int64_t tokens = 1;  // that the runtime must compute (without the cached prefix); >= 0
  int64_t cached_prefix_tokens = 0;                 // for the host's information; costs nothing
  absl::Duration block_for = absl::ZeroDuration();  // OnFull::kBlock: how long Submit may wait
};

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_POLICY_H_
