// SPDX-License-Identifier: Apache-2.0
//
// The inside of Pipeline. A request is a PipelineWork from Submit to its end; each of its prefills
// is a PartWork.
//
// Ownership: work → core, core → work while the work is live, part → work; the batcher's queue and
// the batches hold parts. The core holds the batcher until Close(), which is what breaks the
// circle. Locks: PipelineCore::mu_ and PipelineWork::mu are leaves: neither is held while the
// other, or anybody else's code, is entered.
#ifndef PENSTOCK_SRC_PIPELINE_CORE_H_
#define PENSTOCK_SRC_PIPELINE_CORE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "penstock/batcher.h"
#include "penstock/pipeline.h"
#include "pipeline/prompt_splitter.h"

namespace penstock::internal {

// "request "7": ", and a status with that before its message.
std::string NameOf(const PipelineRequest& request);
absl::Status WithName(const PipelineRequest& request, const absl::Status& status);

inline uint64_t Micros(absl::Duration d) {
  return static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Microseconds(d)));
}
inline StageStats& Stage(PipelineStats& stats, PipelineStage stage) {
  return stats.stages[static_cast<size_t>(stage)];
}

struct PartWork {
  std::shared_ptr<PipelineWork> work;
  size_t index = 0;
  size_t count = 1;  // parts of the request
  PreparedPrompt prompt;
  size_t peeked_tokens = 0;
  MonoTime queued;

  // From dispatch on; owned by the batch that carries the part.
  size_t yielded = 0;  // times it was put back for one that waits for room
  Lease lease;
  bool holds_lease = false;
  size_t cached_tokens = 0;
  std::optional<MonoTime> first_token;

  bool in_runner = false;       // guarded by PipelineCore::mu_
  bool ended_in_queue = false;  // the same
};
using PartPtr = std::shared_ptr<PartWork>;
using PartBatcher = Batcher<PartPtr, PrefillResult>;
using PartBatch = Batch<PartPtr, PrefillResult>;

struct PipelineWork {
  bool HasEnded() {
    MutexLock lock(mu);
    return ended;
  }

  std::shared_ptr<PipelineCore> core;
  uint64_t serial = 0;
  PipelineRequest request;
  size_t bytes = 0;
  Pipeline::OnPiece on_piece;
  MonoTime submitted;
  MonoTime deadline = MonoTime::InfiniteFuture();

  Mutex mu;
  bool ended ABSL_GUARDED_BY(mu) = false;
  Pipeline::Callback callback ABSL_GUARDED_BY(mu);
  std::vector<Ticket> tickets ABSL_GUARDED_BY(mu);
  PipelineResult result ABSL_GUARDED_BY(mu);
  size_t parts_left ABSL_GUARDED_BY(mu) = 0;
  // Pieces being delivered. The completion waits for them: whoever delivers the last one runs it.
  size_t pieces_out ABSL_GUARDED_BY(mu) = 0;
  std::optional<absl::StatusOr<PipelineResult>> outcome ABSL_GUARDED_BY(mu);
};
using WorkPtr = std::shared_ptr<PipelineWork>;

class PipelineCore : public std::enable_shared_from_this<PipelineCore> {
 public:
  static absl::StatusOr<std::shared_ptr<PipelineCore>> Create(PipelineParts parts,
                                                              Pipeline::Runner runner,
                                                              const PipelineOptions& options);

  absl::StatusOr<PipelineTicket> Submit(PipelineRequest& request, Pipeline::OnPiece&& on_piece,
                                        Pipeline::Callback&& callback);
  bool Cancel(const PipelineTicket& ticket);
  absl::Status Drain(absl::Duration budget);
  void Close();
  PipelineStats GetStats() const;
  KVCache* kv_cache() { return kv_cache_.has_value() ? &*kv_cache_ : nullptr; }

  // For PrefillBatch.
  void EndLease(PartWork* part, bool commit);
  // Whether a batch with all of its leases waits for the runner.
  bool next_is_prepared() const { return next_is_prepared_.load(std::memory_order_relaxed); }
  // Runs `task` on the helper, or here once the pipeline is closed.
  void Help(Executor::Task task);
  MonoTime Now() const { return options_.batching.clock->Now(); }

 private:
  // Keeps the batcher alive between construction and destruction, unless the core is closed.
  class Visit;

  explicit PipelineCore(const PipelineOptions& options) : options_(options) {}

  absl::Status CheckRequest(const PipelineRequest& request) const;
  void Prepare(const WorkPtr& work);
  void Enqueue(const WorkPtr& work, std::vector<PreparedPrompt> prompts);
  KVRequest MakeKVRequest(const PartWork& part) const;
  size_t Peek(const PartWork& part);

  void RunBatch(PartBatch batch);
  void PrepareBatch(PartBatch batch);
  bool LeaseAhead(PartBatch& batch);
  enum class LeaseOutcome { kTaken, kWait, kFailed };
  // Ahead: a refusal is not worth a word, the batch's own time will come.
  LeaseOutcome TakeLease(PartWork* part, bool ahead, absl::Status* error);
  // Whether a part must leave the room to one before it that waits for some.
  bool MustYield(PartWork* part);
  void RecordDispatch(PartBatch& batch, const std::vector<size_t>& live);
  void DeliverPiece(const PartPtr& part, PrefillResult piece);
  void PartEnded(const PartPtr& part, absl::StatusOr<PrefillResult> result,
                 const CompletionInfo& info);

  // Ends the work unless it has ended: true if this call did. Cancels what is queued of it.
  enum class EndedBy { kItself, kAllParts, kShutdown };
  bool End(const WorkPtr& work, absl::StatusOr<PipelineResult> outcome,
           EndedBy by = EndedBy::kItself);
  void CancelParts(const WorkPtr& work);
  void RunCallback(const WorkPtr& work, absl::StatusOr<PipelineResult> outcome);
  void EndAll(const absl::Status& status);
  // Waits until `quiet` holds (called under mu_); false: not before the deadline.
  bool AwaitUntil(MonoTime deadline, bool (PipelineCore::*quiet)() const);
  bool NothingPreparing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool NothingInFlight() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RingBells() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const PipelineOptions options_;
  TokenizerPtr tokenizer_;
  std::optional<Chunker> chunker_;
  std::optional<KVCache> kv_cache_;
  Pipeline::Runner runner_;
  std::optional<PromptSplitter> splitter_;
  std::unique_ptr<Executor> own_executor_;
  Executor* executor_ = nullptr;
  std::optional<PartBatcher> batcher_;
  // Leases of the next batch, completions of the last: one thread, in order. Null: not prepared
  // ahead.
  std::unique_ptr<Executor> helper_;
  std::atomic<bool> next_is_prepared_{false};

  mutable Mutex mu_;
  CondVar visitors_gone_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  size_t visitors_ ABSL_GUARDED_BY(mu_) = 0;
  size_t preparing_ ABSL_GUARDED_BY(mu_) = 0;
  size_t callbacks_out_ ABSL_GUARDED_BY(mu_) = 0;  // running on threads of ours or of the host
  uint64_t next_serial_ ABSL_GUARDED_BY(mu_) = 1;
  size_t shut_down_ ABSL_GUARDED_BY(mu_) = 0;  // ended by Drain or destruction
  std::unordered_map<uint64_t, WorkPtr> live_ ABSL_GUARDED_BY(mu_);
  std::vector<Bell*> bells_ ABSL_GUARDED_BY(mu_);
  PipelineStats stats_ ABSL_GUARDED_BY(mu_);

  // Leases held or being taken, and how often one was asked for: see TakeLease.
  size_t lease_holders_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t lease_attempts_ ABSL_GUARDED_BY(mu_) = 0;
  // Put back for want of blocks, and without a lease or an end since.
  std::vector<const PartWork*> want_room_ ABSL_GUARDED_BY(mu_);
};

class PipelineCore::Visit {
 public:
  explicit Visit(PipelineCore* core) : core_(core) {
    MutexLock lock(core_->mu_);
    inside_ = !core_->closed_;
    if (inside_) ++core_->visitors_;
  }
  ~Visit() {
    if (!inside_) return;
    MutexLock lock(core_->mu_);
    if (--core_->visitors_ == 0) core_->visitors_gone_.NotifyAll();
  }
  bool inside() const { return inside_; }

 private:
  PipelineCore* core_;
  bool inside_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_PIPELINE_CORE_H_
