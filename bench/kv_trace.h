// SPDX-License-Identifier: Apache-2.0
//
// Request traces of the Mooncake form (JSON Lines: timestamp in ms, input_length, output_length,
// hash_ids of 512-token prefix blocks; plain or .gz), and what no policy can beat on them.
//
//   std::vector<TraceRequest> trace = ReadTrace("conversation_trace.jsonl.gz", &error);
//   TraceScore best = OfflineOptimum(trace, /*capacity=*/5000, /*score_from=*/0);
#ifndef PENSTOCK_BENCH_KV_TRACE_H_
#define PENSTOCK_BENCH_KV_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

struct TraceRequest {
  double seconds = 0;
  size_t input_tokens = 0, output_tokens = 0;
  std::vector<int32_t> blocks;
};

struct TraceScore {
  uint64_t blocks = 0, block_hits = 0;
  uint64_t tokens = 0, token_hits = 0;

  void Add(const TraceRequest& request, size_t hit_blocks, size_t block_tokens);
  double block_rate() const {
    return blocks == 0 ? 0 : static_cast<double>(block_hits) / static_cast<double>(blocks);
  }
  double token_rate() const {
    return tokens == 0 ? 0 : static_cast<double>(token_hits) / static_cast<double>(tokens);
  }
};

// Empty, and `error` set, if the file cannot be read or a line is not of this form.
std::vector<TraceRequest> ReadTrace(const std::string& path, std::string* error);

// Scores requests [score_from, …) only; the ones before them fill the cache.
TraceScore InfiniteCache(const std::vector<TraceRequest>& trace, size_t score_from,
                         size_t block_tokens);

// Belady over leaves: the block whose next use is farthest goes, the deeper one at a tie. A use of
// a block is a use of its ancestors, so next uses never grow towards the root and the cache stays
// prefix-closed by itself. A request may exceed the capacity while it runs. Exact for equal-sized
// blocks; O(N log N).
TraceScore OfflineOptimum(const std::vector<TraceRequest>& trace, size_t capacity,
                          size_t score_from, size_t block_tokens);

// Least recently used, written down from its definition (every block of a request is touched,
// deepest first): the twin that the library's LRU has to equal.
TraceScore NaiveLru(const std::vector<TraceRequest>& trace, size_t capacity, size_t score_from,
                    size_t block_tokens);

// For each request: is its last whole block asked for again later?
std::vector<bool> WillContinue(const std::vector<TraceRequest>& trace);

}  // namespace penstock

#endif  // PENSTOCK_BENCH_KV_TRACE_H_
