// SPDX-License-Identifier: Apache-2.0
//
// The main job: requests in, K/V reused, ready batches out to a real (small) transformer, and a
// report. The same requests then run again without any reuse, and the logits are compared.
//
//   05_pipeline [FILE|-] [--tokenizer PATH [--encoding NAME]] [--template FILE] [--out FILE] …
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "demo_tokenizer.h"
#include "main_job/report.h"
#include "main_job/requests.h"
#include "penstock/base/status_macros.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "penstock/pipeline.h"
#include "penstock/tokenizer/cached_tokenizer.h"
#include "reference_runtime/transformer.h"

namespace penstock::main_job {
namespace {

constexpr char kUsage[] =
    R"(usage: 05_pipeline [FILE|-] [OPTION…]
  FILE                 requests as JSON Lines (examples/data/README.md); - is standard input;
                       default: the 309 requests of examples/data
  --tokenizer PATH     any vocabulary file; default: the demo's own
  --encoding NAME      with a bare rank file: llama3, cl100k_base, …
  --template FILE      how messages become segments; default: examples/data/template.json
  --out FILE           results as JSON Lines
  --max-tokens N       limit of one prompt; longer ones are split (default 1024)
  --in-flight N        requests in the pipeline at once (default 16)
  --batch N            requests in one batch (default 8)
  --blocks N           K/V blocks of 16 tokens (default 4096)
  --no-check           do not run again without reuse
)";

struct Arguments {
  std::string input, tokenizer, encoding, out;
  std::string chat_template = PENSTOCK_EXAMPLES_DATA "/template.json";
  size_t max_tokens = 1024, in_flight = 16, batch = 8, blocks = 4096;
  bool check = true, help = false;
};

absl::StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto text = [&](std::string* out) -> absl::Status {
      if (++i == argc) return absl::InvalidArgumentError(arg + ": expected a value after it");
      *out = argv[i];
      return absl::OkStatus();
    };
    const auto number = [&](size_t* out) -> absl::Status {
      std::string value;
      PENSTOCK_RETURN_IF_ERROR(text(&value));
      if (value.empty() || value.size() > 9 ||
          value.find_first_not_of("0123456789") != std::string::npos || std::stoul(value) == 0) {
        return absl::InvalidArgumentError(arg + ": \"" + value + "\", expected a number from 1");
      }
      *out = std::stoul(value);
      return absl::OkStatus();
    };
    absl::Status status;
    if (arg == "--help" || arg == "-h") {
      a.help = true;
    } else if (arg == "--no-check") {
      a.check = false;
    } else if (arg == "--tokenizer") {
      status = text(&a.tokenizer);
    } else if (arg == "--encoding") {
      status = text(&a.encoding);
    } else if (arg == "--template") {
      status = text(&a.chat_template);
    } else if (arg == "--out") {
      status = text(&a.out);
    } else if (arg == "--max-tokens") {
      status = number(&a.max_tokens);
    } else if (arg == "--in-flight") {
      status = number(&a.in_flight);
    } else if (arg == "--batch") {
      status = number(&a.batch);
    } else if (arg == "--blocks") {
      status = number(&a.blocks);
    } else if (a.input.empty() && (arg == "-" || arg[0] != '-')) {
      a.input = arg;
    } else {
      status = absl::InvalidArgumentError(arg + ": unknown; --help tells what is known");
    }
    PENSTOCK_RETURN_IF_ERROR(status);
  }
  return a;
}

// The model server: takes a batch, computes what is not cached, answers the likeliest next token.
class Runtime {
 public:
  Runtime(const ReferenceTransformer* model, MemoryBlockStore* blocks)
      : model_(model), blocks_(blocks) {}

  void operator()(PrefillBatch batch) {
    {
      const std::lock_guard<std::mutex> lock(mu_);
      compute_tokens_ += batch.compute_tokens();
      padded_tokens_ += batch.padded_tokens();
    }
    std::vector<PrefillRow> rows;
    for (size_t i = 0; i < batch.size(); ++i) {
      const PrefillItem item = batch.item(i);
      rows.push_back({item.ids.subspan(item.cached_tokens), item.cached_tokens, item.blocks()});
    }
    std::vector<float> logits;
    const absl::Status status = model_->Prefill(blocks_, rows, &logits);
    if (!status.ok()) return batch.FailAll(status);
    const size_t width = model_->options().logits;
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto first = logits.begin() + static_cast<std::ptrdiff_t>(i * width);
      auto own =
          std::make_shared<std::vector<float>>(first, first + static_cast<std::ptrdiff_t>(width));
      const auto best = std::max_element(own->begin(), own->end()) - own->begin();
      batch.Complete(i, PrefillResult{{static_cast<TokenId>(best)}, own});
    }
  }

  void AddTo(ArmReport* arm) const {
    const std::lock_guard<std::mutex> lock(mu_);
    arm->compute_tokens = compute_tokens_;
    arm->padded_tokens = padded_tokens_;
  }

 private:
  const ReferenceTransformer* model_;
  MemoryBlockStore* blocks_;
  mutable std::mutex mu_;
  size_t compute_tokens_ = 0, padded_tokens_ = 0;
};

// A line of progress that is rewritten in place; silent unless standard error is a terminal.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)), shown_(isatty(2) != 0) {}
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }
  void Show(size_t done, size_t failed) const {
    if (!shown_) return;
    std::fprintf(stderr, "\r%s: %zu done, %zu failed\033[K", what_.c_str(), done, failed);
    std::fflush(stderr);
  }

 private:
  std::string what_;
  bool shown_;
};

// One pipeline with empty caches, fed request by request, and what comes out of it.
class Arm {
 public:
  Arm(const Arguments& arguments, std::string what)
      : arguments_(arguments), progress_(std::move(what)) {}

  absl::Status Open(TokenizerPtr tokenizer, const ReferenceTransformer* model, size_t in_flight) {
    tokenizer_ = NewCachedTokenizer(std::move(tokenizer));
    PENSTOCK_ASSIGN_OR_RETURN(blocks_,
                              MemoryBlockStore::Create(model->StoreOptions(16, arguments_.blocks)));
    runtime_ = std::make_unique<Runtime>(model, blocks_.get());
    KVCacheOptions caching;
    caching.capacity_blocks = arguments_.blocks;
    PENSTOCK_ASSIGN_OR_RETURN(KVCache cache, KVCache::Create(blocks_.get(), caching));
    ChunkerOptions chunking;
    chunking.max_tokens = arguments_.max_tokens;
    chunking.headroom = 1.0;
    PENSTOCK_ASSIGN_OR_RETURN(Chunker chunker, Chunker::Create(tokenizer_, chunking));

    PipelineParts parts;
    parts.tokenizer = tokenizer_;
    parts.chunker = std::move(chunker);
    parts.kv_cache = std::move(cache);
    PipelineOptions options;
    options.max_prompt_tokens = arguments_.max_tokens;
    options.max_in_flight = in_flight;
    options.scope.model = "reference:" + std::string(tokenizer_->fingerprint());
    options.batching.max_batch_requests = arguments_.batch;
    options.batching.cost_shape = CostShape::kPadded;  // prompts of like length go together
    PENSTOCK_ASSIGN_OR_RETURN(
        Pipeline pipeline,
        Pipeline::Create(
            std::move(parts),
            [runtime = runtime_.get()](PrefillBatch b) { (*runtime)(std::move(b)); }, options));
    pipeline_.emplace(std::move(pipeline));
    start_ = absl::Now();
    return absl::OkStatus();
  }

  // Waits only while the pipeline is full: it refuses then, and the request stays here.
  void Submit(RequestLine line) {
    std::unique_lock<std::mutex> lock(mu_);
    const size_t index = records_.size();
    records_.push_back(
        JobRecord{line.number, line.id, line.request.ok(), line.request.status(), {}});
    if (!line.request.ok()) {
      progress_.Show(done_, ++failed_);
      return;
    }
    while (true) {
      const size_t ended = ended_;
      lock.unlock();
      const auto ticket = pipeline_->Submit(
          *std::move(line.request),
          [this, index](absl::StatusOr<PipelineResult> result) { End(index, std::move(result)); });
      lock.lock();
      if (ticket.ok()) {
        ++submitted_;
        return;
      }
      if (!absl::IsResourceExhausted(ticket.status()) || ended_ == submitted_) {
        records_[index].status = ticket.status();
        progress_.Show(done_, ++failed_);
        return;
      }
      changed_.wait(lock, [&] { return ended_ != ended; });
    }
  }

  absl::StatusOr<PipelineResult> Ask(PipelineRequest request) {
    PENSTOCK_ASSIGN_OR_RETURN(PipelineFuture future,
                              pipeline_->SubmitForFuture(std::move(request)));
    return future.Get();
  }

  void Finish(ArmReport* report) {
    // Whatever is not done by then ends with an error of its own, which the report shows.
    (void)pipeline_->Drain(absl::Hours(1));
    report->elapsed = absl::Now() - start_;
    report->stats = pipeline_->GetStats();
    report->tokenizer = tokenizer_->GetStats();
    runtime_->AddTo(report);
    pipeline_.reset();
    report->records = std::move(records_);
  }

 private:
  void End(size_t index, absl::StatusOr<PipelineResult> result) {
    const std::lock_guard<std::mutex> lock(mu_);
    JobRecord& record = records_[index];
    record.status = result.status();
    if (result.ok()) record.parts = std::move(result->parts);
    ++(result.ok() ? done_ : failed_);
    ++ended_;
    progress_.Show(done_, failed_);
    changed_.notify_all();
  }

  const Arguments& arguments_;
  const Progress progress_;
  std::shared_ptr<const CachedTokenizer> tokenizer_;
  std::unique_ptr<MemoryBlockStore> blocks_;
  std::unique_ptr<Runtime> runtime_;
  absl::Time start_;

  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<JobRecord> records_;
  size_t submitted_ = 0, ended_ = 0, done_ = 0, failed_ = 0;

  std::optional<Pipeline> pipeline_;  // last: what it calls back is still there when it dies
};

class Job {
 public:
  explicit Job(const Arguments& arguments) : arguments_(arguments) {}

  absl::StatusOr<JobReport> Run(std::istream* in, const ChatTemplate& chat) {
    PENSTOCK_ASSIGN_OR_RETURN(tokenizer_,
                              LoadDemoTokenizer(arguments_.tokenizer, arguments_.encoding));
    PENSTOCK_ASSIGN_OR_RETURN(ReferenceTransformer model,
                              ReferenceTransformer::Create(TransformerOptions()));
    model_.emplace(std::move(model));
    JobReport report = Describe();
    {
      Arm arm(arguments_, "with reuse");
      PENSTOCK_RETURN_IF_ERROR(arm.Open(tokenizer_, &*model_, arguments_.in_flight));
      RequestReader reader(in, &chat);
      while (std::optional<RequestLine> line = reader.Next()) {
        if (arguments_.check && kept_.size() < kMaxChecked) kept_.push_back(*line);
        arm.Submit(*std::move(line));
      }
      arm.Finish(&report.reuse);
    }
    if (!arguments_.check) return report;
    {
      Arm arm(arguments_, "the same without reuse");
      PENSTOCK_RETURN_IF_ERROR(arm.Open(tokenizer_, &*model_, arguments_.in_flight));
      for (const RequestLine& line : kept_) {
        RequestLine again = line;
        if (again.request.ok()) Isolate(&*again.request);
        arm.Submit(std::move(again));
      }
      arm.Finish(&report.fresh);
    }
    Compare(&report);
    report.checked = true;
    PENSTOCK_RETURN_IF_ERROR(MeasureAlone(&report));
    return report;
  }

 private:
  static constexpr size_t kMaxChecked = 5000;  // the input may be a pipe without an end
  static constexpr size_t kMaxAlone = 60;

  static void Isolate(PipelineRequest* request) {
    request->read_cache = false;
    request->publish = false;
    request->timeout.reset();
  }

  JobReport Describe() const {
    JobReport report;
    report.input_name = arguments_.input == "-" ? "standard input" : arguments_.input;
    report.tokenizer_name = arguments_.tokenizer.empty() ? "demo.model" : arguments_.tokenizer;
    report.vocabulary = tokenizer_->vocabulary().size();
    const TransformerOptions& o = model_->options();
    report.model_name = "reference transformer: " + std::to_string(o.layers) + " layers of " +
                        std::to_string(o.model_dim) + ", " + std::to_string(o.heads) + " heads, " +
                        std::to_string(o.kv_heads) + " K/V heads, " +
                        std::to_string(model_->parameters() / 1000) + "k weights, fp32";
    report.max_prompt_tokens = arguments_.max_tokens;
    report.max_in_flight = arguments_.in_flight;
    return report;
  }

  static void Compare(JobReport* report) {
    for (size_t i = 0; i < report->fresh.records.size(); ++i) {
      const JobRecord& a = report->reuse.records[i];
      const JobRecord& b = report->fresh.records[i];
      if (!a.status.ok() || !b.status.ok()) continue;
      for (size_t p = 0; p < std::max(a.parts.size(), b.parts.size()); ++p) {
        ++report->compared;
        const auto logits = [&](const JobRecord& r) {
          return p < r.parts.size()
                     ? static_cast<const std::vector<float>*>(r.parts[p].result.value.get())
                     : nullptr;
        };
        const auto *x = logits(a), *y = logits(b);
        const bool same = x != nullptr && y != nullptr && x->size() == y->size() &&
                          std::memcmp(x->data(), y->data(), x->size() * sizeof(float)) == 0;
        if (!same) ++report->different;
      }
    }
  }

  // The first requests again, one at a time: nothing but the computation between them and a token.
  absl::Status MeasureAlone(JobReport* report) {
    Arm arm(arguments_, "one at a time");
    PENSTOCK_RETURN_IF_ERROR(arm.Open(tokenizer_, &*model_, 1));
    size_t asked = 0;
    for (const RequestLine& line : kept_) {
      if (!line.request.ok() || asked == kMaxAlone) continue;
      ++asked;
      PipelineRequest request = *line.request;
      request.timeout.reset();
      const auto result = arm.Ask(std::move(request));
      if (!result.ok() || result->parts.size() != 1) continue;
      const PipelinePart& part = result->parts[0];
      report->quiet.push_back({part.prompt_tokens, part.prompt_tokens - part.cached_tokens,
                               absl::ToDoubleMilliseconds(part.time_to_first_token)});
    }
    ArmReport ignored;
    arm.Finish(&ignored);
    return absl::OkStatus();
  }

  const Arguments arguments_;
  TokenizerPtr tokenizer_;
  std::optional<ReferenceTransformer> model_;
  std::vector<RequestLine> kept_;  // for the run without reuse
};

absl::StatusOr<bool> Main(Arguments arguments) {
  if (arguments.input.empty()) arguments.input = PENSTOCK_EXAMPLES_DATA "/requests.jsonl";
  PENSTOCK_ASSIGN_OR_RETURN(const ChatTemplate chat, ChatTemplate::Load(arguments.chat_template));
  std::ifstream file;
  if (arguments.input != "-") {
    file.open(arguments.input);
    if (!file) return absl::NotFoundError(arguments.input + ": cannot be read");
  }
  Job job(arguments);
  PENSTOCK_ASSIGN_OR_RETURN(const JobReport report,
                            job.Run(arguments.input == "-" ? &std::cin : &file, chat));
  PrintReport(report, stdout);
  if (!arguments.out.empty()) PENSTOCK_RETURN_IF_ERROR(WriteResults(report, arguments.out));
  return report.different == 0;
}

}  // namespace
}  // namespace penstock::main_job

int main(int argc, char** argv) {
  using namespace penstock::main_job;
  std::ios::sync_with_stdio(false);
  const absl::StatusOr<Arguments> arguments = ParseArguments(argc, argv);
  if (arguments.ok() && arguments->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const absl::StatusOr<bool> equal =
      arguments.ok() ? Main(*arguments) : absl::StatusOr<bool>(arguments.status());
  if (!equal.ok()) {
    std::fprintf(stderr, "%s\n", equal.status().ToString().c_str());
    return 2;
  }
  return *equal ? 0 : 1;
}
