// SPDX-License-Identifier: Apache-2.0
//
// What stands above every figure: machine, compiler, flags, commit, date.
//
//   int main(int argc, char** argv) {
//     if (!penstock::PrintBenchHeader(argv[0])) return 2;   // a Debug build measures nothing
//     Simulate();
//   }
//
// Programs over Google Benchmark get this from bench_main.cc; simulators and replays call it.
#ifndef PENSTOCK_BENCH_BENCH_HEADER_H_
#define PENSTOCK_BENCH_BENCH_HEADER_H_

namespace penstock {

// Prints to standard output. False, with a message on standard error, for builds whose figures mean
// nothing: without NDEBUG, without optimization, or with a sanitizer.
bool PrintBenchHeader(const char* program);

}  // namespace penstock

#endif  // PENSTOCK_BENCH_BENCH_HEADER_H_
