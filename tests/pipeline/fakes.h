// SPDX-License-Identifier: Apache-2.0
//
// What the pipeline's tests put around it: a tokenizer of bytes, a runner that hands batches to the
// test, and a book of results.
//
//   PipelineBench bench;                          // options, clock, store, parts to change first
//   bench.Open();
//   bench.Submit("a", "text");
//   PrefillBatch batch = bench.batches.Next();    // waits for the runner to be called
//   batch.Complete(0, PrefillResult());
//   bench.results.Await("a")                      // waits for the callback
#ifndef PENSTOCK_TESTS_PIPELINE_FAKES_H_
#define PENSTOCK_TESTS_PIPELINE_FAKES_H_

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/base/status_macros.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "penstock/pipeline.h"
#include "penstock/testing/manual_clock.h"

namespace penstock {

// One token a byte: the byte in untrusted text, 256 + the byte in trusted text.
class ByteTokenizer final : public Tokenizer {
 public:
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string_view fingerprint() const override { return "bytes"; }

 private:
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>*,
                        const EncodeOptions& options, Encoding* encoding) const override {
    size_t at = 0;
    for (const Segment& s : first) {
      for (const char c : s.text()) {
        encoding->ids.push_back(static_cast<unsigned char>(c) + (s.trusted() ? 256 : 0));
        if (options.offsets) encoding->offsets.push_back({at, at + 1});
        ++at;
      }
    }
    return absl::OkStatus();
  }
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions&) const override {
    std::string text;
    for (const TokenId id : ids) text.push_back(static_cast<char>(id % 256));
    return text;
  }

  Vocabulary vocabulary_;
};

// The runner's calls, for the test to take one by one.
class BatchBook {
 public:
  void Add(PrefillBatch batch) {
    const std::lock_guard<std::mutex> lock(mu_);
    batches_.push_back(std::move(batch));
    changed_.notify_all();
  }
  PrefillBatch Next() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [this] { return !batches_.empty(); });
    PrefillBatch batch = std::move(batches_.front());
    batches_.pop_front();
    return batch;
  }
  std::optional<PrefillBatch> TryNext() {
    const std::lock_guard<std::mutex> lock(mu_);
    if (batches_.empty()) return std::nullopt;
    PrefillBatch batch = std::move(batches_.front());
    batches_.pop_front();
    return batch;
  }
  bool empty() const {
    const std::lock_guard<std::mutex> lock(mu_);
    return batches_.empty();
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::deque<PrefillBatch> batches_;
};

// What callbacks brought, by name; a second one for a name fails the test.
class ResultBook {
 public:
  Pipeline::Callback For(const std::string& id) {
    return [this, id](absl::StatusOr<PipelineResult> result) { Add(id, std::move(result)); };
  }
  void Add(const std::string& id, absl::StatusOr<PipelineResult> result) {
    const std::lock_guard<std::mutex> lock(mu_);
    EXPECT_TRUE(results_.emplace(id, std::move(result)).second) << id << " ended twice";
    changed_.notify_all();
  }
  absl::StatusOr<PipelineResult> Await(const std::string& id) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [&] { return results_.count(id) == 1; });
    return results_.at(id);
  }
  bool Has(const std::string& id) const {
    const std::lock_guard<std::mutex> lock(mu_);
    return results_.count(id) == 1;
  }
  size_t size() const {
    const std::lock_guard<std::mutex> lock(mu_);
    return results_.size();
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::map<std::string, absl::StatusOr<PipelineResult>> results_;
};

inline std::string TextOf(absl::Span<const TokenId> ids) {
  std::string text;
  for (const TokenId id : ids) text.push_back(static_cast<char>(id % 256));
  return text;
}

// A pipeline with everything around it. Blocks of 4 tokens.
struct PipelineBench {
  ManualClock clock;
  std::unique_ptr<MemoryBlockStore> store;  // outlives the leases of batches that nobody took
  BatchBook batches;
  ResultBook results;
  KVCacheOptions caching;
  bool with_cache = true;
  BlockStore* other_store = nullptr;  // instead of `store`
  std::optional<ChunkerOptions> chunking;
  PipelineOptions options;
  std::optional<Pipeline> pipeline;

  explicit PipelineBench(size_t blocks = 256) {
    MemoryBlockStoreOptions o;
    o.block_tokens = 4;
    o.capacity_blocks = blocks;
    o.poison_freed = true;
    store = *MemoryBlockStore::Create(o);
    caching.block_tokens = 4;
    options.batching.clock = &clock;
    caching.clock = &clock;
    options.max_prompt_tokens = 64;
  }

  absl::Status TryOpen() {
    PipelineParts parts;
    parts.tokenizer = std::make_shared<ByteTokenizer>();
    if (chunking.has_value()) {
      PENSTOCK_ASSIGN_OR_RETURN(parts.chunker, Chunker::Create(parts.tokenizer, *chunking));
    }
    if (with_cache) {
      BlockStore* const blocks = other_store == nullptr ? store.get() : other_store;
      PENSTOCK_ASSIGN_OR_RETURN(parts.kv_cache, KVCache::Create(blocks, caching));
    }
    PENSTOCK_ASSIGN_OR_RETURN(
        Pipeline p,
        Pipeline::Create(
            std::move(parts), [this](PrefillBatch b) { batches.Add(std::move(b)); }, options));
    pipeline.emplace(std::move(p));
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }

  static PipelineRequest Request(const std::string& id, const std::string& text) {
    PipelineRequest request;
    request.id = id;
    request.segments = {UntrustedText(text)};
    return request;
  }
  absl::StatusOr<PipelineTicket> TrySubmit(PipelineRequest request) {
    const std::string id = request.id;
    return pipeline->Submit(std::move(request), results.For(id));
  }
  PipelineTicket Submit(PipelineRequest request) {
    auto ticket = TrySubmit(std::move(request));
    EXPECT_TRUE(ticket.ok()) << ticket.status();
    return ticket.ok() ? *ticket : PipelineTicket();
  }
  PipelineTicket Submit(const std::string& id, const std::string& text) {
    return Submit(Request(id, text));
  }
  // Submits, completes everything in the batch that comes, and returns the result.
  absl::StatusOr<PipelineResult> Serve(PipelineRequest request) {
    const std::string id = request.id;
    Submit(std::move(request));
    PrefillBatch batch = batches.Next();
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, PrefillResult());
    return results.Await(id);
  }
  // What must hold when nothing is in flight.
  void ExpectQuiet() {
    const PipelineStats s = pipeline->GetStats();
    EXPECT_TRUE(s.conserved());
    EXPECT_EQ(s.in_flight, 0u);
    EXPECT_EQ(s.in_flight_bytes, 0u);
    EXPECT_TRUE(s.batcher.conserved());
    if (pipeline->kv_cache() != nullptr) {
      EXPECT_EQ(s.kv_cache.live_leases, 0u);
      const absl::Status invariants = pipeline->kv_cache()->CheckInvariants();
      EXPECT_TRUE(invariants.ok()) << invariants;
    }
  }
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_PIPELINE_FAKES_H_
