// SPDX-License-Identifier: Apache-2.0
//
// The threaded shell around BatchEngine. Batches hold it by shared_ptr, so it outlives the Batcher
// if they do.
//
// Threads. Producers reserve a place with two atomics, build the request in a pooled node and push
// it on a stack (ingress); the lock is not taken unless the queue is full, the policy predicts, or
// admission control runs. Whoever steps the engine (the former, a runner whose batch ended,
// PollOnce) takes the lock, moves the ingress into the engine, polls, and acts on the result
// without the lock: callbacks and RunBatch never run under it.
//
// Wake-ups. Before the former sleeps, and whenever somebody else stepped, `ring_at_` says from how
// many occupied places on an arrival must wake it (never, while no slot of the runtime is free),
// and `ring_before_` which deadline must. Push, then read these; write these, then read the
// ingress: sequentially consistent on both sides, so no arrival is missed.
#ifndef PENSTOCK_SRC_BATCHER_SHELL_H_
#define PENSTOCK_SRC_BATCHER_SHELL_H_

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "batcher/node_pool.h"
#include "penstock/batcher/engine.h"
#include "penstock/internal/batcher_core.h"

namespace penstock::internal {

// A batch outside.
struct BatchRep {
  std::shared_ptr<BatcherShared> shared;
  BatchId id;
  std::vector<BatcherNode*> nodes;  // null: put back
  std::vector<RequestId> ids;
  ReleaseReason reason = ReleaseReason::kIdleRuntime;
  MonoTime dispatched;
  int64_t tokens = 0;
  int64_t padded_tokens = 0;
  size_t padded_requests = 0;
  bool ahead = false;  // formed ahead: prepared before it is run
};

class BatcherShared : public std::enable_shared_from_this<BatcherShared> {
 public:
  BatcherShared(const BatcherOptions& options, const RequestOps* ops, BatcherCore::Run run,
                BatcherCore::Degrade degrade, BatcherCore::Run prepare, BatchEngine engine);
  ~BatcherShared();

  void Start();
  // Ends everything, stops the threads.
  void Close();

  absl::Status Reserve(const SubmitOptions& options, void* request, Reservation* reservation);
  Ticket Publish(BatcherNode* node);
  bool Cancel(Ticket ticket);
  absl::Status Drain(absl::Duration budget);
  MonoTime PollOnce();
  void SetCapacity(size_t free_requests, int64_t free_tokens);
  void ReportTokens(const SubmitOptions& options, int64_t tokens);
  absl::Duration PredictQueueDelay(int priority);
  BatcherStats GetStats();
  absl::Status CheckInvariants();

  // For UntypedBatch.
  bool Finish(BatchRep* rep, size_t i, Outcome outcome, CompletionInfo* info);
  bool PutBack(BatchRep* rep, size_t i);
  bool Wanted(const BatchRep* rep, size_t i);
  void ReleaseSlot(BatchRep* rep);
  void Ready(BatchRep* rep);
  bool BeginPart(BatchRep* rep, size_t i);
  void EndPart(BatchRep* rep, size_t i);
  void Destroy(BatchRep* rep);
  void CallbackDone(int64_t count);
  void* payload(BatcherNode* node) const { return pool_.payload(node); }
  Executor* callback_executor() const { return options_.callback_executor; }

 private:
  static constexpr int64_t kDoNotRing = INT64_MAX;

  // What a step must do after the lock is released. Pooled.
  struct Work {
    EngineActions actions;
    struct End {
      BatcherNode* node;
      CompletionInfo info;
    };
    std::vector<End> ends;             // callbacks to run
    std::vector<UntypedBatch> runs;    // batches to hand out
    std::vector<UntypedBatch> aheads;  // to prepare
    std::vector<BatcherNode*> dead;    // nodes without references
    bool wake = false;                 // the former, or the host's event loop
  };

  std::unique_ptr<Work> TakeWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Translate(Work* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteEnd(BatcherNode* node, const CompletionInfo& info, Work* work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unreference(BatcherNode* node, Work* work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: something came in that may need a step.
  bool MoveIngress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetAlarm(MonoTime wake_at) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NotifyWaiters() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IdleLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  UntypedBatch MakeBatch(const EngineActions& actions, const EngineActions::Released& released)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Runs ends, frees nodes, hands batches out. Takes the lock itself where needed.
  void Act(std::unique_ptr<Work> work);
  void FreeNodes(std::vector<BatcherNode*>* dead);
  void HandOut(UntypedBatch batch);
  void Prepare(UntypedBatch batch);
  // The prepared batch, if it may run now; otherwise an empty one.
  UntypedBatch TakePromoted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake();
  // Moves, polls and acts once. False: there was nothing to do.
  bool StepOnce(MonoTime* wake_at);
  // Until there is nothing to do. Returns when to step again.
  MonoTime Step();
  // After something happened outside that may let a batch leave.
  void StepSoon();
  void Former();
  void Runner();
  // The runner call on this thread, if there is one, gives up its place among the running ones.
  void LeaveRunning();
  void RunOne(UntypedBatch batch) noexcept;
  absl::Status CheckSubmit(const SubmitOptions& options) const;
  absl::Status ReserveSlowly(const SubmitOptions& options, void* request, MonoTime now,
                             MonoTime deadline, int64_t* tokens);
  void WaitForCallbacks();

  const BatcherOptions options_;
  const RequestOps* const ops_;
  const BatcherCore::Run run_;
  const BatcherCore::Degrade degrade_;
  const BatcherCore::Run prepare_;
  const bool own_runners_;
  const bool fast_ingress_;
  NodePool pool_;

  std::atomic<BatcherNode*> ingress_{nullptr};
  std::atomic<int64_t> ring_at_{0};
  std::atomic<int64_t> ring_before_{INT64_MAX};
  std::atomic<bool> draining_{false};
  std::atomic<int64_t> callbacks_{0};        // decided and not returned yet
  std::atomic<bool> somebody_waits_{false};  // for idle_waiters_
  std::atomic<uint64_t> former_wakeups_{0};
  std::atomic<uint64_t> blocked_submits_{0};
  std::atomic<uint64_t> degraded_submits_{0};
  std::atomic<uint64_t> fast_refusals_{0};
  std::atomic<const absl::Status*> full_status_;
  Bell former_bell_;

  Mutex mu_;
  BatchEngine engine_;                        // TryReserve without the lock, all else with it
  bool failed_ ABSL_GUARDED_BY(mu_) = false;  // what still arrives ends as kShutdown
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  UntypedBatch prepared_ ABSL_GUARDED_BY(mu_);  // waits for a slot
  BatchId prepared_id_ ABSL_GUARDED_BY(mu_);
  std::vector<Work::End> held_ends_ ABSL_GUARDED_BY(mu_);  // of requests whose on_part runs
  std::vector<Bell*> place_waiters_ ABSL_GUARDED_BY(mu_);
  std::vector<Bell*> idle_waiters_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<Work>> spare_work_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<BatchRep>> spare_batches_ ABSL_GUARDED_BY(mu_);

  Mutex run_mu_;
  CondVar run_cv_;
  std::vector<UntypedBatch> run_queue_ ABSL_GUARDED_BY(run_mu_);
  // Calls of the runner on our threads that have not released their slot.
  size_t running_calls_ ABSL_GUARDED_BY(run_mu_) = 0;
  bool run_stop_ ABSL_GUARDED_BY(run_mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_SHELL_H_
