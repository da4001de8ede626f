// SPDX-License-Identifier: Apache-2.0
//
// What the pipeline counted. Plain numbers and histograms, pulled; an adapter renders them.
//
//   PipelineStats s = pipeline.GetStats();
//   s.time_to_first_token_reused_us.Quantile(0.99);
//   s.stage(PipelineStage::kTokenize).service_us.mean();
//   s.conserved();                                // true, always
#ifndef PENSTOCK_PIPELINE_STATS_H_
#define PENSTOCK_PIPELINE_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "penstock/base/export.h"
#include "penstock/base/histogram.h"
#include "penstock/batcher.h"
#include "penstock/kv_cache/stats.h"

namespace penstock {

// The way of a request. kTokenize counts requests, kPeek to kRun count parts, kEmit counts
// callbacks.
enum class PipelineStage : uint8_t {
  kTokenize,  // text to ids, split if need be; waits for a preparation thread
  kPeek,      // how much of it is cached
  kBatch,     // waits in the batcher's queue
  kLease,     // takes the K/V blocks, at dispatch
  kRun,       // in the host's runner
  kEmit,      // in the host's callback
};
inline constexpr size_t kPipelineStages = 6;
PENSTOCK_EXPORT std::string_view PipelineStageName(PipelineStage stage);

struct StageStats {
  uint64_t entered = 0;
  uint64_t left = 0;         // entered - left are in the stage now
  Histogram queue_delay_us;  // waiting to be served; empty where nothing waits
  Histogram service_us;      // being served
};

struct PipelineStats {
  // Requests. Conservation, after every call: accepted == ok + invalid + exhausted + expired +
  // cancelled + unavailable + failed + in_flight.
  uint64_t accepted = 0;
  // Submit did not accept: full, draining, or nothing to do; not in `accepted`
  uint64_t refused = 0;
  uint64_t ok = 0;
  uint64_t invalid = 0;  // kInvalidArgument: what only tokenizing could tell
  // kResourceExhausted: over a limit, refused by admission control, no room for its K/V
  uint64_t exhausted = 0;
  uint64_t expired = 0;      // kDeadlineExceeded
  uint64_t cancelled = 0;    // kCancelled
  uint64_t unavailable = 0;  // kUnavailable: shut down
  uint64_t failed = 0;       // any other status: the runner's own
  uint64_t in_flight = 0;
  uint64_t in_flight_bytes = 0;

  // Prefills (parts).
  uint64_t split_requests = 0;  // had more than one part
  uint64_t truncated_requests = 0;
  uint64_t parts = 0;              // handed to the batcher
  uint64_t prompt_tokens = 0;      // of these
  uint64_t peeked_tokens = 0;      // of these, cached when they were queued
  uint64_t dispatched_tokens = 0;  // prompt tokens of prefills that reached the runner
  uint64_t cached_tokens = 0;      // of these, reused
  uint64_t put_back = 0;           // leases that had to wait for blocks
  uint64_t commit_errors = 0;      // K/V that could not be published; the result was delivered

  std::array<StageStats, kPipelineStages> stages;
  Histogram time_to_first_token_us;         // every part: Submit to first token
  Histogram time_to_first_token_reused_us;  // parts with cached tokens
  Histogram time_to_first_token_fresh_us;   // parts without
  Histogram prefill_reused_us;              // dispatch to first token, parts with cached tokens
  Histogram prefill_fresh_us;               // and without

  BatcherStats batcher;
  KVCacheStats kv_cache;  // zero without a cache

  const StageStats& stage(PipelineStage s) const { return stages[static_cast<size_t>(s)]; }
  uint64_t ended() const {
    return ok + invalid + exhausted + expired + cancelled + unavailable + failed;
  }
  bool conserved() const { return accepted == ended() + in_flight; }
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_STATS_H_
