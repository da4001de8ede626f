// SPDX-License-Identifier: Apache-2.0
#include "penstock/pipeline.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "penstock/base/status_macros.h"
#include "pipeline/core.h"

namespace penstock {

std::string_view PipelineStageName(PipelineStage stage) {
  switch (stage) {
    case PipelineStage::kTokenize:
      return "tokenize";
    case PipelineStage::kPeek:
      return "peek";
    case PipelineStage::kBatch:
      return "batch";
    case PipelineStage::kLease:
      return "lease";
    case PipelineStage::kRun:
      return "run";
    case PipelineStage::kEmit:
      return "emit";
  }
  return "unknown";
}

absl::Status PipelineOptions::Validate() const {
  const std::pair<const char*, size_t> at_least_one[] = {
      {"max_prompt_tokens", max_prompt_tokens},     {"max_parts", max_parts},
      {"max_prompt_bytes", max_prompt_bytes},       {"max_in_flight", max_in_flight},
      {"max_in_flight_bytes", max_in_flight_bytes}, {"preparation_threads", preparation_threads},
  };
  for (const auto& [name, value] : at_least_one) {
    if (value == 0) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": 0, expected at least 1"));
    }
  }
  if (preparation_threads > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("preparation_threads: ", preparation_threads, ", expected at most 1024"));
  }
  if (max_parts > (size_t{1} << 20) || max_in_flight > (size_t{1} << 24)) {
    return absl::InvalidArgumentError(absl::StrCat("max_parts: ", max_parts,
                                                   ", max_in_flight: ", max_in_flight,
                                                   ", expected at most 2^20 and 2^24"));
  }
  if (!batching.former_thread) {
    return absl::InvalidArgumentError(
        "batching.former_thread: false, expected true: the pipeline has no PollOnce");
  }
  if (batching.on_full == OnFull::kDegrade || batching.on_full == OnFull::kBlock) {
    return absl::InvalidArgumentError(
        "batching.on_full: kDegrade or kBlock, expected kReject, kDropOldest or kEvictLowest");
  }
  if (batching.token_budget.has_value() &&
      *batching.token_budget < static_cast<int64_t>(max_prompt_tokens)) {
    return absl::InvalidArgumentError(
        absl::StrCat("batching.token_budget: ", *batching.token_budget,
                     ", expected at least max_prompt_tokens, ", max_prompt_tokens));
  }
  return batching.Validate();
}

struct PipelineFuture::Rep {
  internal::Mutex mu;
  internal::CondVar arrived;
  std::optional<absl::StatusOr<PipelineResult>> result ABSL_GUARDED_BY(mu);
  bool taken ABSL_GUARDED_BY(mu) = false;
  PipelineTicket ticket;
};

PipelineFuture::PipelineFuture(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
PipelineFuture::PipelineFuture(PipelineFuture&&) noexcept = default;
PipelineFuture& PipelineFuture::operator=(PipelineFuture&&) noexcept = default;
PipelineFuture::~PipelineFuture() = default;

bool PipelineFuture::ready() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->result.has_value();
}

absl::StatusOr<PipelineResult> PipelineFuture::Get() {
  internal::MutexLock lock(rep_->mu);
  if (rep_->taken) {
    return absl::FailedPreconditionError("PipelineFuture::Get: called for the second time");
  }
  while (!rep_->result.has_value()) rep_->arrived.Wait(rep_->mu);
  rep_->taken = true;
  return *std::move(rep_->result);
}

const PipelineTicket& PipelineFuture::ticket() const { return rep_->ticket; }

Pipeline::Pipeline(std::shared_ptr<internal::PipelineCore> core) : core_(std::move(core)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  if (this != &other) {
    if (core_ != nullptr) core_->Close();
    core_ = std::move(other.core_);
  }
  return *this;
}
Pipeline::~Pipeline() {
  if (core_ != nullptr) core_->Close();
}

absl::StatusOr<Pipeline> Pipeline::Create(PipelineParts parts, Runner runner,
                                          const PipelineOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(
      std::shared_ptr<internal::PipelineCore> core,
      internal::PipelineCore::Create(std::move(parts), std::move(runner), options));
  return Pipeline(std::move(core));
}

absl::StatusOr<PipelineTicket> Pipeline::Submit(PipelineRequest&& request, Callback&& callback) {
  return core_->Submit(request, nullptr, std::move(callback));
}

absl::StatusOr<PipelineTicket> Pipeline::SubmitStreaming(PipelineRequest&& request,
                                                         OnPiece&& on_piece, Callback&& callback) {
  return core_->Submit(request, std::move(on_piece), std::move(callback));
}

absl::StatusOr<PipelineFuture> Pipeline::SubmitForFuture(PipelineRequest&& request) {
  auto rep = std::make_shared<PipelineFuture::Rep>();
  Callback deliver = [rep](absl::StatusOr<PipelineResult> result) {
    internal::MutexLock lock(rep->mu);
    rep->result.emplace(std::move(result));
    rep->arrived.NotifyAll();
  };
  PENSTOCK_ASSIGN_OR_RETURN(rep->ticket, core_->Submit(request, nullptr, std::move(deliver)));
  return PipelineFuture(std::move(rep));
}

bool Pipeline::Cancel(const PipelineTicket& ticket) { return core_->Cancel(ticket); }
absl::Status Pipeline::Drain(absl::Duration budget) { return core_->Drain(budget); }
PipelineStats Pipeline::GetStats() const { return core_->GetStats(); }
KVCache* Pipeline::kv_cache() { return core_->kv_cache(); }

}  // namespace penstock
