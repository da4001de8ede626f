// SPDX-License-Identifier: Apache-2.0
//
// From the batcher's queue through the host's runner to the end of a part.
#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "pipeline/callback_depth.h"
#include "pipeline/core.h"
#include "pipeline/prefill_batch.h"

namespace penstock::internal {

void PipelineCore::RunBatch(PartBatch batch) {
  next_is_prepared_.store(false, std::memory_order_relaxed);
  std::vector<size_t> live;
  bool blocked = false;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (batch.cancelled(i) || batch.request(i)->work->HasEnded()) {
      EndLease(batch.request(i).get(), /*commit=*/false);
      continue;
    }
    if (batch.request(i)->holds_lease) {
      live.push_back(i);
      continue;
    }
    if (blocked || MustYield(batch.request(i).get())) {
      // Behind one that waits for room: small requests must not starve it.
      batch.PutBack(i);
      continue;
    }
    if (kv_cache_.has_value()) {
      absl::Status error;
      const LeaseOutcome outcome = TakeLease(batch.request(i).get(), /*ahead=*/false, &error);
      if (outcome == LeaseOutcome::kWait) {
        blocked = true;
        batch.PutBack(i);
        continue;
      }
      if (outcome == LeaseOutcome::kFailed) {
        batch.Complete(i, std::move(error));
        continue;
      }
    }
    live.push_back(i);
  }
  if (live.empty()) return;
  RecordDispatch(batch, live);
  const CallbackDepth depth;
  runner_(PrefillBatch(
      std::make_shared<PrefillBatch::Rep>(shared_from_this(), std::move(batch), std::move(live))));
}

// Formed ahead: takes its leases beside the end of the batch that runs.
void PipelineCore::PrepareBatch(PartBatch batch) {
  Help([self = shared_from_this(), batch = std::move(batch)]() mutable {
    const bool all = self->LeaseAhead(batch);
    self->next_is_prepared_.store(all, std::memory_order_relaxed);
    PartBatch::Ready(std::move(batch));
  });
}

// Strictly in order, until one that can have more when the batch that runs has committed, or for
// which there is no room now: RunBatch deals with the rest. True: there is none.
bool PipelineCore::LeaseAhead(PartBatch& batch) {
  for (size_t i = 0; i < batch.size(); ++i) {
    PartWork* const part = batch.request(i).get();
    if (part->work->HasEnded()) continue;
    {
      MutexLock lock(mu_);
      if (!want_room_.empty()) return false;
    }
    const KVRequest request = MakeKVRequest(*part);
    if (request.read && kv_cache_->Peek(request).in_flight_tokens > 0) return false;
    absl::Status error;
    if (TakeLease(part, /*ahead=*/true, &error) != LeaseOutcome::kTaken) return false;
  }
  return true;
}

void PipelineCore::Help(Executor::Task task) {
  {
    const Visit visit(this);
    if (visit.inside() && helper_ != nullptr) return helper_->Schedule(std::move(task));
  }
  std::move(task)();
}

// Batches that leave together take their leases on different threads: without this, a small request
// of the second could be faster than the large one of the first that waits for room, every time. Of
// the same tenant and not of a higher priority it stands behind it in the queue too, so the large
// one is offered first. The bound is for two that were queued at the same instant.
bool PipelineCore::MustYield(PartWork* part) {
  constexpr size_t kMostYields = 100;
  const PipelineRequest& mine = part->work->request;
  MutexLock lock(mu_);
  if (want_room_.empty() || part->yielded >= kMostYields) return false;
  for (const PartWork* other : want_room_) {
    if (other == part) return false;
    const PipelineRequest& theirs = other->work->request;
    const bool before = std::make_tuple(other->queued, other->work->serial, other->index) <
                        std::make_tuple(part->queued, part->work->serial, part->index);
    if (before && theirs.tenant == mine.tenant && theirs.priority >= mine.priority) {
      ++part->yielded;
      return true;
    }
  }
  return false;
}

// A refused reserve is worth waiting for only if somebody can give blocks back: a lease of this
// pipeline, or an attempt at one that ran at the same time and took the blocks for a moment.
PipelineCore::LeaseOutcome PipelineCore::TakeLease(PartWork* part, bool ahead,
                                                   absl::Status* error) {
  const MonoTime start = Now();
  bool alone;
  uint64_t attempt;
  {
    MutexLock lock(mu_);
    alone = lease_holders_++ == 0;
    attempt = ++lease_attempts_;
    ++Stage(stats_, PipelineStage::kLease).entered;
  }
  absl::StatusOr<Lease> lease = kv_cache_->Acquire(MakeKVRequest(*part));
  MutexLock lock(mu_);
  StageStats& stage = Stage(stats_, PipelineStage::kLease);
  ++stage.left;
  stage.service_us.Record(Micros(Now() - start));
  const auto wanted = std::find(want_room_.begin(), want_room_.end(), part);
  if (lease.ok()) {
    if (wanted != want_room_.end()) want_room_.erase(wanted);
    part->lease = *std::move(lease);
    part->holds_lease = true;
    part->cached_tokens = part->lease.matched_tokens();
    return LeaseOutcome::kTaken;
  }
  --lease_holders_;
  if (ahead) return LeaseOutcome::kWait;
  if (absl::IsResourceExhausted(lease.status()) && !(alone && lease_attempts_ == attempt)) {
    ++stats_.put_back;
    if (wanted == want_room_.end() && !part->ended_in_queue) want_room_.push_back(part);
    return LeaseOutcome::kWait;
  }
  *error =
      absl::Status(lease.status().code(),
                   absl::StrCat("request \"", part->work->request.id, "\": no K/V blocks for ",
                                part->prompt.ids.size(), " tokens: ", lease.status().message()));
  return LeaseOutcome::kFailed;
}

void PipelineCore::EndLease(PartWork* part, bool commit) {
  if (!part->holds_lease) return;
  part->holds_lease = false;
  bool committed = true;
  if (commit && part->lease.committed_tokens() < part->prompt.ids.size()) {
    committed = part->lease.Commit(part->prompt.ids.size()).ok();
  }
  part->lease.Release();
  MutexLock lock(mu_);
  --lease_holders_;
  if (!committed) ++stats_.commit_errors;
}

void PipelineCore::RecordDispatch(PartBatch& batch, const std::vector<size_t>& live) {
  MutexLock lock(mu_);
  for (const size_t i : live) {
    PartWork& part = *batch.request(i);
    stats_.dispatched_tokens += part.prompt.ids.size();
    stats_.cached_tokens += part.cached_tokens;
    if (part.ended_in_queue) continue;  // cancelled since the batcher let it go
    part.in_runner = true;
    StageStats& queue = Stage(stats_, PipelineStage::kBatch);
    ++queue.left;
    queue.queue_delay_us.Record(Micros(batch.queue_delay(i)));
    ++Stage(stats_, PipelineStage::kRun).entered;
  }
}

void PipelineCore::DeliverPiece(const PartPtr& part, PrefillResult piece) {
  PipelineWork& work = *part->work;
  {
    MutexLock lock(work.mu);
    if (work.ended) return;
    ++work.pieces_out;
  }
  if (!part->first_token.has_value()) part->first_token = Now();
  {
    const CallbackDepth depth;
    work.on_piece(part->index, std::move(piece));
  }
  std::optional<absl::StatusOr<PipelineResult>> outcome;
  {
    MutexLock lock(work.mu);
    if (--work.pieces_out == 0 && work.outcome.has_value()) {
      outcome = std::move(work.outcome);
      work.outcome.reset();
    }
  }
  if (outcome.has_value()) RunCallback(part->work, *std::move(outcome));
}

void PipelineCore::PartEnded(const PartPtr& part, absl::StatusOr<PrefillResult> result,
                             const CompletionInfo& info) {
  const WorkPtr& work = part->work;
  PipelinePart done;
  done.prompt_tokens = part->prompt.ids.size();
  done.chunk = part->prompt.chunk;
  done.truncated = part->prompt.truncated;
  done.preparation_time = part->queued - work->submitted;
  done.queue_delay = info.queue_delay();
  done.service_time = info.service_time();
  done.batch_size = info.batch_size;
  done.release_reason = info.reason;
  uint64_t ttft = 0, prefill = 0;
  if (result.ok()) {  // otherwise its batch may be taking a lease for it at this moment
    done.cached_tokens = part->cached_tokens;
    const MonoTime first = part->first_token.value_or(info.finished);
    done.time_to_first_token = first - work->submitted;
    ttft = Micros(done.time_to_first_token);
    prefill = Micros(first - info.dispatched);
  }
  {
    MutexLock lock(mu_);
    if (result.ok()) {
      const bool reused = done.cached_tokens > 0;
      stats_.time_to_first_token_us.Record(ttft);
      (reused ? stats_.time_to_first_token_reused_us : stats_.time_to_first_token_fresh_us)
          .Record(ttft);
      (reused ? stats_.prefill_reused_us : stats_.prefill_fresh_us).Record(prefill);
    }
    if (part->in_runner) {
      StageStats& run = Stage(stats_, PipelineStage::kRun);
      ++run.left;
      run.service_us.Record(Micros(done.service_time));
    } else {
      part->ended_in_queue = true;
      want_room_.erase(std::remove(want_room_.begin(), want_room_.end(), part.get()),
                       want_room_.end());
      ++Stage(stats_, PipelineStage::kBatch).left;
    }
  }
  if (!result.ok()) {
    End(work, result.status(),
        info.outcome == Outcome::kShutdown ? EndedBy::kShutdown : EndedBy::kItself);
    return;
  }
  done.result = *std::move(result);
  PipelineResult all;
  {
    MutexLock lock(work->mu);
    if (work->ended) return;
    work->result.parts[part->index] = std::move(done);
    if (--work->parts_left > 0) return;
    all = std::move(work->result);
  }
  End(work, std::move(all), EndedBy::kAllParts);
}

}  // namespace penstock::internal
