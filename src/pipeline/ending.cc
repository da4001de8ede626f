// SPDX-License-Identifier: Apache-2.0
//
// How requests end: once each, one by one or all together.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/callback_depth.h"
#include "pipeline/core.h"

namespace penstock::internal {
namespace {

uint64_t* EndedAs(absl::StatusCode code, PipelineStats* stats) {
  switch (code) {
    case absl::StatusCode::kOk:
      return &stats->ok;
    case absl::StatusCode::kInvalidArgument:
      return &stats->invalid;
    case absl::StatusCode::kResourceExhausted:
      return &stats->exhausted;
    case absl::StatusCode::kDeadlineExceeded:
      return &stats->expired;
    case absl::StatusCode::kCancelled:
      return &stats->cancelled;
    case absl::StatusCode::kUnavailable:
      return &stats->unavailable;
    default:
      return &stats->failed;
  }
}

}  // namespace

std::string NameOf(const PipelineRequest& request) {
  return absl::StrCat("request \"", request.id, "\": ");
}

absl::Status WithName(const PipelineRequest& request, const absl::Status& status) {
  absl::Status named(status.code(), absl::StrCat(NameOf(request), status.message()));
  status.ForEachPayload([&named](absl::string_view url, const absl::Cord& payload) {
    named.SetPayload(url, payload);
  });
  return named;
}

bool PipelineCore::End(const WorkPtr& work, absl::StatusOr<PipelineResult> outcome, EndedBy by) {
  bool run_now;
  {
    MutexLock lock(work->mu);
    if (work->ended) return false;
    work->ended = true;
    run_now = work->pieces_out == 0;
  }
  {
    MutexLock lock(mu_);
    ++*EndedAs(outcome.status().code(), &stats_);
    --stats_.in_flight;
    stats_.in_flight_bytes -= work->bytes;
    live_.erase(work->serial);
    if (by == EndedBy::kShutdown) ++shut_down_;
    ++callbacks_out_;
    ++Stage(stats_, PipelineStage::kEmit).entered;
  }
  if (by != EndedBy::kAllParts) CancelParts(work);  // otherwise none is left
  if (!run_now) {
    MutexLock lock(work->mu);
    run_now = work->pieces_out == 0;
    if (!run_now) work->outcome.emplace(std::move(outcome));
  }
  if (run_now) RunCallback(work, std::move(outcome));
  return true;
}

void PipelineCore::CancelParts(const WorkPtr& work) {
  std::vector<Ticket> tickets;
  {
    MutexLock lock(work->mu);
    tickets = std::move(work->tickets);
    work->tickets.clear();
  }
  if (tickets.empty()) return;
  const Visit visit(this);
  if (!visit.inside()) return;
  for (const Ticket& ticket : tickets) batcher_->Cancel(ticket);
}

void PipelineCore::RunCallback(const WorkPtr& work, absl::StatusOr<PipelineResult> outcome) {
  Pipeline::Callback callback;
  {
    MutexLock lock(work->mu);
    callback = std::move(work->callback);
  }
  const MonoTime ready = Now();
  auto run = [self = shared_from_this(), callback = std::move(callback),
              outcome = std::move(outcome), ready]() mutable {
    const MonoTime start = self->Now();
    {
      const CallbackDepth depth;
      std::move(callback)(std::move(outcome));
    }
    callback = nullptr;  // its captures die before Drain can return
    MutexLock lock(self->mu_);
    StageStats& stage = Stage(self->stats_, PipelineStage::kEmit);
    ++stage.left;
    stage.queue_delay_us.Record(Micros(start - ready));
    stage.service_us.Record(Micros(self->Now() - start));
    if (--self->callbacks_out_ == 0) self->visitors_gone_.NotifyAll();
    self->RingBells();
  };
  if (options_.batching.callback_executor == nullptr) {
    run();
  } else {
    options_.batching.callback_executor->Schedule(std::move(run));
  }
}

bool PipelineCore::Cancel(const PipelineTicket& ticket) {
  const WorkPtr work = ticket.work_.lock();
  if (work == nullptr || work->core.get() != this) return false;
  return End(work, absl::CancelledError(absl::StrCat(NameOf(work->request), "cancelled")));
}

void PipelineCore::EndAll(const absl::Status& status) {
  std::vector<WorkPtr> works;
  {
    MutexLock lock(mu_);
    for (const auto& [serial, work] : live_) works.push_back(work);
  }
  std::sort(works.begin(), works.end(),
            [](const WorkPtr& a, const WorkPtr& b) { return a->serial < b->serial; });
  for (const WorkPtr& work : works) {
    End(work, WithName(work->request, status), EndedBy::kShutdown);
  }
}

void PipelineCore::RingBells() {
  for (Bell* bell : bells_) bell->Ring();
}

bool PipelineCore::NothingPreparing() const { return preparing_ == 0; }
bool PipelineCore::NothingInFlight() const { return stats_.in_flight == 0 && callbacks_out_ == 0; }

bool PipelineCore::AwaitUntil(MonoTime deadline, bool (PipelineCore::*quiet)() const) {
  Bell bell;
  {
    MutexLock lock(mu_);
    if ((this->*quiet)()) return true;
    bells_.push_back(&bell);
  }
  bool is_quiet = false;
  bool in_time = true;
  while (!is_quiet && in_time) {
    in_time = options_.batching.clock->WaitUntil(bell, deadline);
    MutexLock lock(mu_);
    is_quiet = (this->*quiet)();
  }
  MutexLock lock(mu_);
  bells_.erase(std::find(bells_.begin(), bells_.end(), &bell));
  return is_quiet;
}

absl::Status PipelineCore::Drain(absl::Duration budget) {
  if (CallbackDepth::active()) {
    return absl::FailedPreconditionError(
        "Drain: called from a callback or the runner, expected another thread");
  }
  const MonoTime deadline = Now() + std::max(budget, absl::ZeroDuration());
  {
    MutexLock lock(mu_);
    draining_ = true;
  }
  AwaitUntil(deadline, &PipelineCore::NothingPreparing);
  // Partial batches leave at once from here on; what the batcher cannot finish in time it fails,
  // and what comes too late from preparation it refuses.
  (void)batcher_->Drain(std::max(deadline - Now(), absl::ZeroDuration()));
  AwaitUntil(deadline, &PipelineCore::NothingInFlight);
  EndAll(absl::UnavailableError("shut down before it was done"));
  size_t left;
  {
    MutexLock lock(mu_);
    left = shut_down_;
  }
  if (left == 0) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(left, " requests were not done within ", absl::FormatDuration(budget)));
}

void PipelineCore::Close() {
  {
    MutexLock lock(mu_);
    draining_ = true;
  }
  EndAll(absl::UnavailableError("shut down before it was done"));
  {
    MutexLock lock(mu_);
    closed_ = true;
    while (visitors_ > 0) visitors_gone_.Wait(mu_);
  }
  own_executor_.reset();
  batcher_.reset();
  helper_.reset();
  MutexLock lock(mu_);
  // Callbacks handed to the host's executor keep what they need; only running ones are waited for
  // where they run on our threads or a caller's.
  if (options_.batching.callback_executor != nullptr) return;
  while (callbacks_out_ > 0) visitors_gone_.Wait(mu_);
}

}  // namespace penstock::internal
