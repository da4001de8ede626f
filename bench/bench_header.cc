// SPDX-License-Identifier: Apache-2.0
#include "bench/bench_header.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

#include "bench_build.h"  // generated: commit, compiler, flags
#include "penstock/base/version.h"

namespace penstock {
namespace {

std::string CpuModel() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    const size_t colon = line.find(": ");
    if (line.compare(0, 10, "model name") == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

const char* WhyUnfit() {
#ifndef NDEBUG
  return "this is a Debug build";
#elif !defined(__OPTIMIZE__)
  return "this build is not optimized";
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return "this build has a sanitizer";
#else
  return nullptr;
#endif
}

}  // namespace

bool PrintBenchHeader(const char* program) {
  if (const char* const why = WhyUnfit()) {
    std::fprintf(stderr, "%s: %s; its figures would mean nothing. Use: sh bench/run.sh PROGRAM\n",
                 program, why);
    return false;
  }
  const std::time_t now = std::time(nullptr);
  char date[32] = "";
  std::strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", std::gmtime(&now));
  const unsigned cpus = std::thread::hardware_concurrency();
  std::printf("# penstock %s  commit %s  %s\n", std::string(Version()).c_str(),
              PENSTOCK_BENCH_COMMIT, date);
  std::printf("# %s, %u CPUs\n", CpuModel().c_str(), cpus);
  std::printf("# %s  flags:%s\n", PENSTOCK_BENCH_COMPILER, PENSTOCK_BENCH_FLAGS);
  double load = 0;
  if (::getloadavg(&load, 1) == 1 && load > 0.5) {
    std::printf("# load average %.2f: others are at work here, times are provisional\n", load);
  }
  std::fflush(stdout);
  return true;
}

}  // namespace penstock
