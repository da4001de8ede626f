// SPDX-License-Identifier: Apache-2.0
#include "pipeline/core.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {
namespace {

size_t TextBytes(const PipelineRequest& request) {
  size_t bytes = 0;
  for (const OwnedSegment& s : request.segments) bytes += s.text().size();
  return bytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<PipelineCore>> PipelineCore::Create(PipelineParts parts,
                                                                   Pipeline::Runner runner,
                                                                   const PipelineOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  if (parts.tokenizer == nullptr) {
    return absl::InvalidArgumentError("Pipeline: tokenizer is null, expected one");
  }
  if (runner == nullptr) {
    return absl::InvalidArgumentError("Pipeline: runner is null, expected a callable");
  }
  const OverLimit over_limit = options.over_limit.value_or(
      parts.chunker.has_value() ? OverLimit::kSplit : OverLimit::kReject);
  if (over_limit == OverLimit::kSplit && !parts.chunker.has_value()) {
    return absl::InvalidArgumentError("over_limit: kSplit without a chunker, expected one");
  }
  if (parts.kv_cache.has_value() && parts.kv_cache->options().capacity_blocks.has_value()) {
    const KVCacheOptions& kv = parts.kv_cache->options();
    const size_t room = *kv.capacity_blocks * kv.block_tokens;
    if (room < options.max_prompt_tokens) {
      return absl::InvalidArgumentError(absl::StrCat(
          "max_prompt_tokens: ", options.max_prompt_tokens, ", expected at most the KV cache's ",
          room, " (capacity_blocks * block_tokens)"));
    }
  }

  std::shared_ptr<PipelineCore> core(new PipelineCore(options));
  core->tokenizer_ = std::move(parts.tokenizer);
  core->chunker_ = std::move(parts.chunker);
  core->kv_cache_ = std::move(parts.kv_cache);
  core->runner_ = std::move(runner);
  core->splitter_.emplace(core->tokenizer_.get(),
                          core->chunker_.has_value() ? &*core->chunker_ : nullptr, over_limit,
                          options.max_prompt_tokens, options.max_parts);
  BatcherOptions batching = options.batching;
  if (batching.on_full == OnFull::kReject) {
    batching.max_queue_requests =
        std::max(batching.max_queue_requests, options.max_in_flight * options.max_parts);
  }
  batching.form_ahead = options.prepare_ahead && core->kv_cache_.has_value() &&
                        batching.executor == nullptr && batching.former_thread;
  if (batching.form_ahead) core->helper_ = NewThreadPool(1);
  const std::weak_ptr<PipelineCore> weak = core;
  // Null: the pipeline is gone, and with it everything in the batch.
  auto run = [weak](PartBatch b) {
    if (const auto self = weak.lock()) self->RunBatch(std::move(b));
  };
  auto prepare = [weak](PartBatch b) {
    if (const auto self = weak.lock()) self->PrepareBatch(std::move(b));
  };
  PENSTOCK_ASSIGN_OR_RETURN(PartBatcher batcher, PartBatcher::Create(batching, std::move(run),
                                                                     nullptr, std::move(prepare)));
  core->batcher_.emplace(std::move(batcher));
  if (options.executor == nullptr) core->own_executor_ = NewThreadPool(options.preparation_threads);
  core->executor_ = options.executor == nullptr ? core->own_executor_.get() : options.executor;
  return core;
}

absl::Status PipelineCore::CheckRequest(const PipelineRequest& request) const {
  const size_t bytes = TextBytes(request);
  if (bytes == 0) {
    return absl::InvalidArgumentError(absl::StrCat(NameOf(request), "no text, expected some"));
  }
  if (request.timeout.has_value() && *request.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat(NameOf(request), "timeout: ", absl::FormatDuration(*request.timeout),
                     ", expected more than 0"));
  }
  if (bytes > options_.max_prompt_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(NameOf(request), "the text has ", bytes, " bytes, expected at most ",
                     options_.max_prompt_bytes, " (max_prompt_bytes)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<PipelineTicket> PipelineCore::Submit(PipelineRequest& request,
                                                    Pipeline::OnPiece&& on_piece,
                                                    Pipeline::Callback&& callback) {
  absl::Status refusal =
      callback == nullptr
          ? absl::InvalidArgumentError("Submit: callback is null, expected a callable")
          : CheckRequest(request);
  const size_t bytes = TextBytes(request);
  {
    MutexLock lock(mu_);
    if (refusal.ok() && draining_) {
      refusal = absl::UnavailableError("the pipeline is draining");
    } else if (refusal.ok() && stats_.in_flight >= options_.max_in_flight) {
      refusal = absl::ResourceExhaustedError(absl::StrCat(
          "the pipeline is full: ", stats_.in_flight, " requests in flight (max_in_flight)"));
    } else if (refusal.ok() && stats_.in_flight > 0 &&
               stats_.in_flight_bytes + bytes > options_.max_in_flight_bytes) {
      refusal = absl::ResourceExhaustedError(
          absl::StrCat("the pipeline is full: ", stats_.in_flight_bytes,
                       " bytes in flight (max_in_flight_bytes), ", bytes, " more do not fit"));
    }
    if (!refusal.ok()) {
      ++stats_.refused;
      return refusal;
    }
    ++stats_.accepted;
    ++stats_.in_flight;
    stats_.in_flight_bytes += bytes;
    ++preparing_;
    ++Stage(stats_, PipelineStage::kTokenize).entered;
  }
  // Counted, not listed yet: Drain waits for what is being prepared.
  auto work = std::make_shared<PipelineWork>();
  work->core = shared_from_this();
  work->bytes = bytes;
  work->request = std::move(request);
  work->on_piece = std::move(on_piece);
  work->submitted = Now();
  if (work->request.timeout.has_value()) work->deadline = work->submitted + *work->request.timeout;
  {
    MutexLock lock(work->mu);
    work->callback = std::move(callback);
  }
  {
    MutexLock lock(mu_);
    work->serial = next_serial_++;
    live_.emplace(work->serial, work);
  }
  executor_->Schedule([work] { work->core->Prepare(work); });
  return PipelineTicket(work);
}

void PipelineCore::Prepare(const WorkPtr& work) {
  const MonoTime start = Now();
  {
    const Visit visit(this);
    const bool wanted = visit.inside() && !work->HasEnded();
    if (wanted && start >= work->deadline) {
      End(work, absl::DeadlineExceededError(
                    absl::StrCat(NameOf(work->request), "timed out before it was tokenized")));
    } else if (wanted) {
      absl::StatusOr<std::vector<PreparedPrompt>> prompts = splitter_->Prepare(work->request);
      {
        MutexLock lock(mu_);
        StageStats& stage = Stage(stats_, PipelineStage::kTokenize);
        stage.queue_delay_us.Record(Micros(start - work->submitted));
        stage.service_us.Record(Micros(Now() - start));
      }
      if (prompts.ok()) {
        Enqueue(work, *std::move(prompts));
      } else {
        End(work, WithName(work->request, prompts.status()));
      }
    }
  }
  MutexLock lock(mu_);
  --preparing_;
  ++Stage(stats_, PipelineStage::kTokenize).left;
  if (preparing_ == 0) RingBells();
}

void PipelineCore::Enqueue(const WorkPtr& work, std::vector<PreparedPrompt> prompts) {
  work->request.segments.clear();  // the ids say it all from here on
  {
    MutexLock lock(work->mu);
    work->result.parts.resize(prompts.size());
    work->parts_left = prompts.size();
  }
  {
    MutexLock lock(mu_);
    if (prompts.size() > 1) ++stats_.split_requests;
    if (prompts[0].truncated) ++stats_.truncated_requests;
  }
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto part = std::make_shared<PartWork>();
    part->work = work;
    part->index = i;
    part->count = prompts.size();
    part->prompt = std::move(prompts[i]);
    part->peeked_tokens = Peek(*part);
    part->queued = Now();
    SubmitOptions options;
    options.tenant = work->request.tenant;
    options.priority = work->request.priority;
    if (!work->deadline.is_infinite()) options.timeout = work->deadline - part->queued;
    options.tokens = static_cast<int64_t>(part->prompt.ids.size() - part->peeked_tokens);
    options.cached_prefix_tokens = static_cast<int64_t>(part->peeked_tokens);
    if (options.timeout.has_value() && *options.timeout <= absl::ZeroDuration()) {
      End(work, absl::DeadlineExceededError(
                    absl::StrCat(NameOf(work->request), "timed out while it was tokenized")));
      return;
    }
    {
      MutexLock lock(mu_);
      ++stats_.parts;
      stats_.prompt_tokens += part->prompt.ids.size();
      stats_.peeked_tokens += part->peeked_tokens;
      ++Stage(stats_, PipelineStage::kBatch).entered;
    }
    absl::AnyInvocable<void(PrefillResult &&)> on_part;
    if (work->on_piece != nullptr) {
      on_part = [part](PrefillResult&& piece) {
        part->work->core->DeliverPiece(part, std::move(piece));
      };
    }
    PartBatcher::Callback done = [part](absl::StatusOr<PrefillResult> result,
                                        const CompletionInfo& info) {
      part->work->core->PartEnded(part, std::move(result), info);
    };
    PartPtr queued = part;
    const absl::StatusOr<Ticket> ticket =
        batcher_->SubmitStreaming(std::move(queued), options, std::move(on_part), std::move(done));
    if (!ticket.ok()) {
      {
        MutexLock lock(mu_);
        ++Stage(stats_, PipelineStage::kBatch).left;
      }
      End(work, WithName(work->request, ticket.status()));
      return;
    }
    bool ended;
    {
      MutexLock lock(work->mu);
      work->tickets.push_back(*ticket);
      ended = work->ended;
    }
    if (ended) {  // cancelled meanwhile, perhaps before this ticket could be seen
      batcher_->Cancel(*ticket);
      return;
    }
  }
}

KVRequest PipelineCore::MakeKVRequest(const PartWork& part) const {
  const PipelineRequest& request = part.work->request;
  KVRequest kv;
  if (request.scope.has_value()) {
    kv.scope = *request.scope;
  } else {
    kv.scope = options_.scope;
    if (!options_.share_across_tenants) kv.scope.tenant = request.tenant;
  }
  kv.tokens = part.prompt.ids;
  kv.extra_keys = part.prompt.extra_keys;
  kv.hint = request.hint;
  kv.reserve_tokens = request.reserve_tokens;
  kv.read = request.read_cache;
  kv.publish = request.publish;
  return kv;
}

size_t PipelineCore::Peek(const PartWork& part) {
  if (!kv_cache_.has_value() || !part.work->request.read_cache) return 0;
  const MonoTime start = Now();
  const size_t tokens =
      std::min(kv_cache_->Peek(MakeKVRequest(part)).tokens, part.prompt.ids.size() - 1);
  MutexLock lock(mu_);
  StageStats& stage = Stage(stats_, PipelineStage::kPeek);
  ++stage.entered;
  ++stage.left;
  stage.service_us.Record(Micros(Now() - start));
  return tokens;
}

PipelineStats PipelineCore::GetStats() const {
  PipelineStats stats;
  {
    MutexLock lock(mu_);
    stats = stats_;
  }
  stats.batcher = batcher_->GetStats();
  if (kv_cache_.has_value()) stats.kv_cache = kv_cache_->GetStats();
  return stats;
}

}  // namespace penstock::internal
