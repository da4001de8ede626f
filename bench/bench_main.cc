// SPDX-License-Identifier: Apache-2.0
//
// main() of the programs over Google Benchmark.
#include "bench/bench_header.h"
#include "benchmark/benchmark.h"

int main(int argc, char** argv) {
  if (!penstock::PrintBenchHeader(argv[0])) return 2;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
