// SPDX-License-Identifier: Apache-2.0
//
// Request traces made here, to see a policy lose: loops, scans, shifts, Zipf's law, chats, chats
// whose habits turn round.
//
//   std::vector<TraceRequest> trace = MakeTrace("zipf", /*seed=*/1);
//   MakeTrace("nothing", 1);                     // empty
#ifndef PENSTOCK_BENCH_KV_SYNTHETIC_H_
#define PENSTOCK_BENCH_KV_SYNTHETIC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/kv_trace.h"

namespace penstock {

// What MakeTrace knows.
const std::vector<std::string>& SyntheticNames();

// 6000 requests of about 16 blocks, deterministic:
//   loop    200 prompts over and over, one in five requests a stranger
//   scan    prompts by Zipf's law, interrupted by runs of 300 one-off prompts
//   shift   80 prompts by chance, another 80 after every 750 requests
//   zipf    1000 prompts by Zipf's law
//   recent  a prompt comes back by its rank in recency (what LRU is made for)
//   chat    conversations with a system prompt, think times log-normal around a minute
//   flip    chats where first turns are continued and later ones are not, and the other way round
//           after every 1000 requests
std::vector<TraceRequest> MakeTrace(const std::string& name, uint64_t seed);

}  // namespace penstock

#endif  // PENSTOCK_BENCH_KV_SYNTHETIC_H_
