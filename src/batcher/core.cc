// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "batcher/shell.h"
#include "penstock/base/status_macros.h"
#include "penstock/internal/batcher_core.h"

namespace penstock::internal {
namespace {

thread_local int callback_depth = 0;

}  // namespace

CallbackScope::CallbackScope() { ++callback_depth; }
CallbackScope::~CallbackScope() { --callback_depth; }
bool CallbackScope::active() { return callback_depth > 0; }

absl::StatusOr<BatcherCore> BatcherCore::Create(const BatcherOptions& options,
                                                const RequestOps* ops, Run run, Degrade degrade,
                                                Run prepare) {
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  if (options.on_full == OnFull::kDegrade && degrade == nullptr) {
    return absl::InvalidArgumentError(
        "on_full: kDegrade, expected a degrade function as the third argument of Create");
  }
  BatchPolicy policy = options;
  // Without a thread that waits for the moment and one that takes the batch there is no ahead.
  if (options.executor != nullptr || !options.former_thread) policy.form_ahead = false;
  PENSTOCK_ASSIGN_OR_RETURN(BatchEngine engine, BatchEngine::Create(policy));
  auto shared = std::make_shared<BatcherShared>(options, ops, std::move(run), std::move(degrade),
                                                std::move(prepare), std::move(engine));
  shared->Start();
  return BatcherCore(std::move(shared));
}

BatcherCore::BatcherCore(std::shared_ptr<BatcherShared> shared) : shared_(std::move(shared)) {}

BatcherCore& BatcherCore::operator=(BatcherCore&& other) noexcept {
  if (this != &other) {
    Close();
    shared_ = std::move(other.shared_);
  }
  return *this;
}

BatcherCore::~BatcherCore() { Close(); }

void BatcherCore::Close() {
  if (const auto shared = std::move(shared_)) shared->Close();
}

absl::Status BatcherCore::Reserve(const SubmitOptions& options, void* request,
                                  Reservation* reservation) {
  return shared_->Reserve(options, request, reservation);
}
Ticket BatcherCore::Publish(const Reservation& reservation) {
  return shared_->Publish(reservation.node);
}
bool BatcherCore::Cancel(Ticket ticket) { return shared_->Cancel(ticket); }
absl::Status BatcherCore::Drain(absl::Duration budget) { return shared_->Drain(budget); }
MonoTime BatcherCore::PollOnce() { return shared_->PollOnce(); }
void BatcherCore::SetCapacity(size_t free_requests, int64_t free_tokens) {
  shared_->SetCapacity(free_requests, free_tokens);
}
void BatcherCore::ReportTokens(const SubmitOptions& options, int64_t tokens) {
  shared_->ReportTokens(options, tokens);
}
absl::Duration BatcherCore::PredictQueueDelay(int priority) const {
  return shared_->PredictQueueDelay(priority);
}
BatcherStats BatcherCore::GetStats() const { return shared_->GetStats(); }
absl::Status BatcherCore::CheckInvariants() const { return shared_->CheckInvariants(); }

size_t UntypedBatch::size() const { return rep_ == nullptr ? 0 : rep_->nodes.size(); }
void* UntypedBatch::payload(size_t i) const { return rep_->shared->payload(rep_->nodes[i]); }
ReleaseReason UntypedBatch::reason() const { return rep_->reason; }
int64_t UntypedBatch::tokens() const { return rep_->tokens; }
int64_t UntypedBatch::padded_tokens() const { return rep_->padded_tokens; }
size_t UntypedBatch::padded_requests() const { return rep_->padded_requests; }
int64_t UntypedBatch::tokens(size_t i) const { return rep_->nodes[i]->tokens; }
MonoTime UntypedBatch::deadline(size_t i) const { return rep_->nodes[i]->deadline; }
absl::Duration UntypedBatch::queue_delay(size_t i) const {
  return rep_->dispatched - rep_->nodes[i]->submitted;
}
bool UntypedBatch::cancelled(size_t i) const { return !rep_->shared->Wanted(rep_, i); }
bool UntypedBatch::Finish(size_t i, Outcome outcome, CompletionInfo* info) {
  return rep_->shared->Finish(rep_, i, outcome, info);
}
void UntypedBatch::AfterCallback() { rep_->shared->CallbackDone(1); }
bool UntypedBatch::PutBack(size_t i) { return rep_->shared->PutBack(rep_, i); }
void UntypedBatch::ReleaseSlot() { rep_->shared->ReleaseSlot(rep_); }
void UntypedBatch::Ready() {
  BatchRep* const rep = std::exchange(rep_, nullptr);
  const auto shared = rep->shared;
  shared->Ready(rep);
}
bool UntypedBatch::BeginPart(size_t i) { return rep_->shared->BeginPart(rep_, i); }
void UntypedBatch::EndPart(size_t i) { rep_->shared->EndPart(rep_, i); }
Executor* UntypedBatch::callback_executor() const { return rep_->shared->callback_executor(); }

void UntypedBatch::Reset() {
  if (BatchRep* rep = std::exchange(rep_, nullptr)) rep->shared->Destroy(rep);
}

}  // namespace penstock::internal
