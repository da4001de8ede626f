// SPDX-License-Identifier: Apache-2.0
//
// Not API. What the templates Batcher and Batch need of the inside: the untyped shell.
#ifndef PENSTOCK_INTERNAL_BATCHER_CORE_H_
#define PENSTOCK_INTERNAL_BATCHER_CORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/executor.h"
#include "penstock/base/export.h"
#include "penstock/batcher/engine.h"
#include "penstock/batcher/outcome.h"
#include "penstock/batcher/policy.h"

namespace penstock {

// Names an accepted request; a plain value. A stale ticket matches nothing.
struct Ticket {
  uint64_t serial = 0;
  uint32_t index = 0;
};

// Statistics of the engine, and of the shell around it.
struct BatcherStats : EngineStats {
  uint64_t former_wakeups = 0;  // of the former thread; none while idle
  uint64_t blocked_submits = 0;
  uint64_t degraded_submits = 0;
};

namespace internal {

// How the core handles the payload it stores without knowing its type.
struct RequestOps {
  size_t bytes;
  size_t align;
  // Moves the callback out and runs it, on `executor` unless null. `payload` stays alive.
  void (*fail)(void* payload, absl::Status status, const CompletionInfo& info, Executor* executor);
  void (*destroy)(void* payload);
};

struct BatcherNode;
struct BatchRep;
class BatcherShared;

// Move-only owner of a batch that left. Thread rule: calls on different indices may run
// concurrently; all of them end before it is moved or destroyed.
class PENSTOCK_EXPORT UntypedBatch {
 public:
  UntypedBatch() = default;
  explicit UntypedBatch(BatchRep* rep) : rep_(rep) {}
  UntypedBatch(UntypedBatch&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  UntypedBatch& operator=(UntypedBatch&& other) noexcept {
    if (this != &other) {
      Reset();
      rep_ = std::exchange(other.rep_, nullptr);
    }
    return *this;
  }
  ~UntypedBatch() { Reset(); }

  size_t size() const;
  void* payload(size_t i) const;
  ReleaseReason reason() const;
  int64_t tokens() const;
  int64_t padded_tokens() const;
  size_t padded_requests() const;
  int64_t tokens(size_t i) const;
  MonoTime deadline(size_t i) const;
  absl::Duration queue_delay(size_t i) const;

  bool cancelled(size_t i) const;
  // True: the caller decided the outcome, runs the callback with *info, then calls AfterCallback.
  bool Finish(size_t i, Outcome outcome, CompletionInfo* info);
  void AfterCallback();
  bool PutBack(size_t i);
  void ReleaseSlot();
  // Formed ahead, and prepared: it runs as soon as its slot is free.
  void Ready();
  // Between the two no callback of request i runs elsewhere. False: it has ended already.
  bool BeginPart(size_t i);
  void EndPart(size_t i);
  // Where callbacks run; null: here.
  Executor* callback_executor() const;
  void Reset();

 private:
  BatchRep* rep_ = nullptr;
};

// Marks the thread as running a callback of `shared`, so that Drain can refuse instead of waiting
// for itself.
class PENSTOCK_EXPORT CallbackScope {
 public:
  CallbackScope();
  ~CallbackScope();
  static bool active();
};

// A place in the queue with memory for the payload. Filled and published, or given back.
struct Reservation {
  BatcherNode* node = nullptr;
  void* payload = nullptr;
};

class PENSTOCK_EXPORT BatcherCore {
 public:
  using Run = absl::AnyInvocable<void(UntypedBatch) const>;
  // Makes a request cheaper; nullopt: cannot.
  using Degrade = absl::AnyInvocable<std::optional<int64_t>(void* request) const>;

  static absl::StatusOr<BatcherCore> Create(const BatcherOptions& options, const RequestOps* ops,
                                            Run run, Degrade degrade, Run prepare);
  BatcherCore(BatcherCore&& other) noexcept = default;
  BatcherCore& operator=(BatcherCore&& other) noexcept;
  ~BatcherCore();

  absl::Status Reserve(const SubmitOptions& options, void* request, Reservation* reservation);
  Ticket Publish(const Reservation& reservation);

  bool Cancel(Ticket ticket);
  absl::Status Drain(absl::Duration budget);
  MonoTime PollOnce();
  void SetCapacity(size_t free_requests, int64_t free_tokens);
  void ReportTokens(const SubmitOptions& options, int64_t tokens);
  absl::Duration PredictQueueDelay(int priority) const;
  BatcherStats GetStats() const;
  absl::Status CheckInvariants() const;

 private:
  explicit BatcherCore(std::shared_ptr<BatcherShared> shared);
  void Close();
  std::shared_ptr<BatcherShared> shared_;
};

}  // namespace internal
}  // namespace penstock

#endif  // PENSTOCK_INTERNAL_BATCHER_CORE_H_
