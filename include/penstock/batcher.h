// SPDX-License-Identifier: Apache-2.0
//
// Requests in from any thread, batches out, each request completed exactly once.
//
//   auto run = [&](Batch<Prompt, Answer> batch) {     // what is not completed is failed
//     for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, model.Run(batch.request(i)));
//   };
//   BatcherOptions options;
//   options.max_batch_requests = 32;
//   PENSTOCK_ASSIGN_OR_RETURN(auto batcher, (Batcher<Prompt, Answer>::Create(options, run)));
//   auto ticket = batcher.Submit(std::move(prompt), SubmitOptions(),
//       [](absl::StatusOr<Answer> answer, const CompletionInfo& info) { … });
//   if (!ticket.ok()) Refuse(prompt, ticket.status());  // full: `prompt` was not moved from
//   batcher.Cancel(*ticket);  // true: this call decided the outcome
//   batcher.Drain(absl::Seconds(5));  // flush, then fail the rest; nothing is lost silently
//
// Latency contract
//   * A slot of the runtime is free: a request leaves at once (one thread hand-off, some 10 µs); no
//     timer is involved.
//   * All slots are busy: it leaves when the first batch ends that reaches it in the order of
//     batcher/engine.h.
//   * BatchMode::kFullOrTimeout: never before max_delay unless full, and after it by the lateness
//     of a condition variable.
//   * A timeout ends the request at its deadline wherever it is, also inside the runtime: never
//     before it, unless the learned model says that it cannot be met (kPredictedLate), and then
//     without costing the runtime anything.
//   * Nothing polls: an idle batcher causes no wake-ups.
//
// Exactly once: Submit returned OK if and only if the callback runs, once, with one of the outcomes
// of batcher/outcome.h, through shutdown, cancel, timeout, eviction, a runtime that drops its
// batch, completes twice, from another thread, or never returns. GetStats() exports the
// conservation law.
//
// Callbacks and RunBatch run without any lock of the batcher and may call Submit, Cancel, GetStats;
// they must not throw (a throw, or a failed allocation, ends the process).
//
// Not for work that is cheaper than a thread hand-off, nor for a runtime that gains nothing from
// batches.
#ifndef PENSTOCK_BATCHER_H_
#define PENSTOCK_BATCHER_H_

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/batcher/admission.h"
#include "penstock/batcher/batch.h"
#include "penstock/batcher/engine.h"
#include "penstock/batcher/outcome.h"
#include "penstock/batcher/policy.h"
#include "penstock/internal/batcher_core.h"
#include "penstock/internal/batcher_payload.h"

namespace penstock {

// Move-only. Thread-safe, except that it must not be moved or destroyed while other calls run.
template <class Request, class Result>
class Batcher {
 public:
  // Receives a batch whenever the runtime has a free slot; runs on BatcherOptions::executor. Calls
  // overlap when max_concurrent_batches > 1, or after ReleaseSlot. The batch may be kept and
  // completed later, from any thread.
  using RunBatch = absl::AnyInvocable<void(Batch<Request, Result>) const>;
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Result>, const CompletionInfo&) &&>;
  using OnPart = absl::AnyInvocable<void(Result&&)>;
  // OnFull::kDegrade: makes a request cheaper in place and returns its new tokens; nullopt: cannot.
  using Degrade = absl::AnyInvocable<std::optional<int64_t>(Request&) const>;

  // form_ahead: receives a batch a little before a slot is free for it, on the thread that formed
  // it, and does what can be done before the runtime is (memory, tensors), here or elsewhere, then
  // hands it back: Batch::Ready. Takes no longer than that needs: others wait for this thread.
  using Prepare = absl::AnyInvocable<void(Batch<Request, Result>) const>;

  // kInvalidArgument: an option out of range (BatcherOptions::Validate), a null run, kDegrade
  // without `degrade`.
  static absl::StatusOr<Batcher> Create(const BatcherOptions& options, RunBatch run,
                                        Degrade degrade = nullptr, Prepare prepare = nullptr) {
    if (run == nullptr)
      return absl::InvalidArgumentError("Batcher: run is null, expected a callable");
    internal::BatcherCore::Degrade untyped_degrade;
    if (degrade != nullptr) {
      untyped_degrade = [degrade = std::move(degrade)](void* request) {
        return degrade(*static_cast<Request*>(request));
      };
    }
    internal::BatcherCore::Run untyped_prepare;
    if (prepare != nullptr) {
      untyped_prepare = [prepare = std::move(prepare)](internal::UntypedBatch batch) {
        prepare(Batch<Request, Result>(std::move(batch)));
      };
    }
    absl::StatusOr<internal::BatcherCore> core = internal::BatcherCore::Create(
        options, &internal::kRequestOps<Request, Result>,
        [run = std::move(run)](internal::UntypedBatch batch) {
          run(Batch<Request, Result>(std::move(batch)));
        },
        std::move(untyped_degrade), std::move(untyped_prepare));
    if (!core.ok()) return core.status();
    return Batcher(*std::move(core));
  }

  Batcher(Batcher&&) noexcept = default;
  Batcher& operator=(Batcher&&) noexcept = default;

  // Everything unfinished ends as kShutdown; then waits for running RunBatch calls on the batcher's
  // own threads (bring an executor for a runtime that may never return). May run inside a callback.
  // Call Drain first to finish the work.
  ~Batcher() = default;

  // OK: `callback` runs exactly once. Otherwise it never runs, and neither argument was moved from:
  //   kInvalidArgument    a null callback, priority, timeout or tokens out of range or budget
  //   kResourceExhausted  queue full, or admission control refuses: RetryAfter(), RejectCauseOf()
  //   kDeadlineExceeded   the predicted completion lies after the timeout
  //   kUnavailable        draining
  // Allocates nothing per request in the steady state. Never blocks unless OnFull::kBlock and
  // block_for ask for it.
  absl::StatusOr<Ticket> Submit(Request&& request, const SubmitOptions& options,
                                Callback&& callback) {
    return SubmitStreaming(std::move(request), options, nullptr, std::move(callback));
  }

  // The same, and `on_part` receives what the runtime emits before it completes the request
  // (Batch::Emit), in order.
  absl::StatusOr<Ticket> SubmitStreaming(Request&& request, const SubmitOptions& options,
                                         OnPart&& on_part, Callback&& callback) {
    if (callback == nullptr) {
      return absl::InvalidArgumentError("Submit: callback is null, expected a callable");
    }
    internal::Reservation place;
    absl::Status status = core_.Reserve(options, &request, &place);
    if (!status.ok()) return status;
    auto* payload = new (place.payload)
        internal::RequestPayload<Request, Result>(std::move(request), std::move(callback));
    if (on_part != nullptr) payload->on_part = std::move(on_part);
    return core_.Publish(place);
  }

  // True: the request ended as kCancelled through this call; its callback has run (or was handed to
  // the callback executor), and its place in the queue is free. False: it had ended already, or the
  // ticket is not this batcher's.
  bool Cancel(Ticket ticket) { return core_.Cancel(ticket); }

  // Refuses new requests, releases everything, waits until all have ended; after `budget` the rest
  // ends as kShutdown. OK: all ended by themselves. kDeadlineExceeded: says how many did not.
  // kFailedPrecondition: called from a callback or RunBatch of a batcher. The batcher stays closed.
  absl::Status Drain(absl::Duration budget) { return core_.Drain(budget); }

  // Without a former thread: does what is due and returns when to call again (InfiniteFuture: when
  // `wake` is called).
  MonoTime PollOnce() { return core_.PollOnce(); }

  // Continuous batching: at most this many requests and tokens leave until the next call; see
  // BatchEngine::SetCapacity.
  void SetCapacity(size_t free_requests, int64_t free_tokens) {
    core_.SetCapacity(free_requests, free_tokens);
  }

  // Charges options.tenant for work that became known later, such as tokens generated.
  void ReportTokens(const SubmitOptions& options, int64_t tokens) {
    core_.ReportTokens(options, tokens);
  }

  // Predicted delay until a newcomer would leave the queue; zero while nothing was measured.
  absl::Duration PredictQueueDelay(int priority = 0) const {
    return core_.PredictQueueDelay(priority);
  }

  BatcherStats GetStats() const { return core_.GetStats(); }

  // For tests: walks everything. kInternal: what does not hold.
  absl::Status CheckInvariants() const { return core_.CheckInvariants(); }

 private:
  explicit Batcher(internal::BatcherCore core) : core_(std::move(core)) {}

  internal::BatcherCore core_;
};

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_H_
