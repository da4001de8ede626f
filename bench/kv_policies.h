// SPDX-License-Identifier: Apache-2.0
//
// Well-known eviction policies made leaf-first, to compare the library's with. Written against the
// public interface.
//
//   options.policy = [] { return NewSievePolicy(); };
#ifndef PENSTOCK_BENCH_KV_POLICIES_H_
#define PENSTOCK_BENCH_KV_POLICIES_H_

#include <memory>

#include "penstock/kv_cache/eviction.h"

namespace penstock {

// Yang et al., SOSP 2023: a small FIFO in front of a main one, and ghosts.
std::unique_ptr<EvictionPolicy> NewS3FifoPolicy();

// Zhang et al., NSDI 2024: one FIFO, a hand, a visited bit.
std::unique_ptr<EvictionPolicy> NewSievePolicy();

// Cherkasova 1998, greedy dual size frequency: age + uses * cost, cost growing with the depth in
// the prompt.
std::unique_ptr<EvictionPolicy> NewGdsfPolicy();

}  // namespace penstock

#endif  // PENSTOCK_BENCH_KV_POLICIES_H_
