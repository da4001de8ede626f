// SPDX-License-Identifier: Apache-2.0
//
// A batch in the hands of the runtime. Each request is completed once; what is left when the batch
// dies is failed, so a request cannot be lost by forgetting it.
//
//   auto run = [&](Batch<Prompt, Answer> batch) {
//     for (size_t i = 0; i < batch.size(); ++i) {
//       if (batch.cancelled(i)) continue;  // ended meanwhile; its result would be ignored
//       if (!Reserve(batch.request(i)) && batch.PutBack(i)) continue;  // to the head of the queue
//       batch.Complete(i, model.Run(batch.request(i)));
//     }
//   };  // ~Batch: the slot is free; the rest is kRuntimeDropped
//   batch.FailAll(absl::UnavailableError("device lost"));       // the failing case, in one word
//
// A batch may outlive its Batcher: results that come too late are counted and dropped.
#ifndef PENSTOCK_BATCHER_BATCH_H_
#define PENSTOCK_BATCHER_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/batcher/outcome.h"
#include "penstock/internal/batcher_core.h"
#include "penstock/internal/batcher_payload.h"

namespace penstock {

template <class Request, class Result>
class Batcher;

// Move-only. Calls for different indices may run concurrently; all of them end before the batch is
// moved or destroyed. REQUIRES of every index: i < size().
template <class Request, class Result>
class Batch {
 public:
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;

  size_t size() const { return untyped_.size(); }
  // Valid until the batch dies, also after Complete(i); not after PutBack(i).
  Request& request(size_t i) { return payload(i).request; }
  const Request& request(size_t i) const { return payload(i).request; }

  ReleaseReason reason() const { return untyped_.reason(); }
  int64_t tokens() const { return untyped_.tokens(); }  // sum of SubmitOptions::tokens
  int64_t padded_tokens() const { return untyped_.padded_tokens(); }  // longest × padded_requests()
  size_t padded_requests() const {
    return untyped_.padded_requests();
  }  // size() rounded up to an allowed size
  int64_t tokens(size_t i) const { return untyped_.tokens(i); }
  MonoTime deadline(size_t i) const { return untyped_.deadline(i); }  // infinite: no timeout
  absl::Duration queue_delay(size_t i) const { return untyped_.queue_delay(i); }

  // The request has ended meanwhile (cancelled, timed out, shut down): the runtime may skip it.
  bool cancelled(size_t i) const { return untyped_.cancelled(i); }

  // Ends request i with a result (kOk) or a status (kRuntimeError) and runs its callback. A second
  // completion, or one of a request that has ended meanwhile, is counted (late_results) and
  // dropped.
  void Complete(size_t i, absl::StatusOr<Result> result) {
    CompletionInfo info;
    if (!untyped_.Finish(i, result.ok() ? Outcome::kOk : Outcome::kRuntimeError, &info)) return;
    internal::FinishRequest(payload(i), std::move(result), info, untyped_.callback_executor());
    untyped_.AfterCallback();
  }

  // Completes every request that has not ended with `status`. REQUIRES: !status.ok().
  void FailAll(const absl::Status& status) {
    for (size_t i = 0; i < size(); ++i) {
      if (!cancelled(i)) Complete(i, absl::StatusOr<Result>(status));
    }
  }

  // Gives the part to the callback of SubmitStreaming, in the order of calls, before the
  // completion. False: the request has ended meanwhile, or was not submitted for streaming. One
  // thread per index.
  bool Emit(size_t i, Result part) {
    if (!payload(i).on_part || !untyped_.BeginPart(i)) return false;
    {
      internal::CallbackScope scope;
      payload(i).on_part(std::move(part));
    }
    untyped_.EndPart(i);
    return true;
  }

  // Request i was not run and goes back to the head of its queue, with its arrival time (no memory
  // for it now). It is offered again when another request completes, at the latest after
  // put_back_delay. False: it had ended already.
  bool PutBack(size_t i) { return untyped_.PutBack(i); }

  // The runtime can take the next batch although results of this one are still to come: RunBatch
  // may be called for it at once, beside this call. Otherwise the slot is free when the batch dies.
  void ReleaseSlot() { untyped_.ReleaseSlot(); }

  // Batcher::Prepare is done with it: RunBatch receives it as soon as a slot is free. Whoever drops
  // it instead fails it. REQUIRES: received by Prepare.
  static void Ready(Batch batch) { batch.untyped_.Ready(); }

 private:
  friend class Batcher<Request, Result>;
  using Payload = internal::RequestPayload<Request, Result>;
  explicit Batch(internal::UntypedBatch untyped) : untyped_(std::move(untyped)) {}
  Payload& payload(size_t i) const { return *static_cast<Payload*>(untyped_.payload(i)); }

  internal::UntypedBatch untyped_;
};

}  // namespace penstock

#endif  // PENSTOCK_BATCHER_BATCH_H_
