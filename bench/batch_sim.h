// SPDX-License-Identifier: Apache-2.0
//
// The tables of batch_sim that stand in files of their own.
#ifndef PENSTOCK_BENCH_BATCH_SIM_H_
#define PENSTOCK_BENCH_BATCH_SIM_H_

namespace penstock {

void SimOverload();  // goodput under overload, slow runtimes, retry storms
void SimNoise();     // a runtime that slows down and is noisy, over many seeds
void SimFairness();  // shares, a victim beside an aggressor, ageing

}  // namespace penstock

#endif  // PENSTOCK_BENCH_BATCH_SIM_H_
