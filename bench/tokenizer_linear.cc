// SPDX-License-Identifier: Apache-2.0
//
// Is encoding linear? What a word of 2n bytes costs over one of n, from 4 kB by doubling.
//
//   sh bench/run.sh tokenizer_linear BYTES [FILE[,ENCODING]…]
//       CPU time of this thread, the least of several runs: a rough look at any size
//   valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=linear.callgrind
//       build/bench/bench/tokenizer_linear BYTES [FILE[,ENCODING]…]
//       instructions, libraries included: exact, and fifty times slower
//
// BYTES: the largest word. PENSTOCK_TEST_DATA: a folder with vocab/MANIFEST.tsv; FILE is relative
// to its vocab/; none: all files of the manifest. A line a vocabulary: the greatest ratio of each
// shape with its n, and at the end the greatest of all. Exit status 1 if that is over 2.2 and the
// figures are instructions.
#include <time.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/tokenizer.h"

namespace penstock {
namespace {

constexpr double kBar = 2.2;
constexpr size_t kLeast = 4096;
constexpr char kDump[] = "linear.callgrind";

#ifdef CALLGRIND_START_INSTRUMENTATION
bool Counts() { return RUNNING_ON_VALGRIND != 0; }

// Reads the last "totals: N" of the n-th dump and removes it.
double TotalOf(int n) {
  const std::string path = std::string(kDump) + "." + std::to_string(n);
  std::ifstream in(path);
  double total = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("totals:", 0) == 0 || line.rfind("summary:", 0) == 0) {
      total = std::strtod(line.c_str() + line.find(' '), nullptr);
    }
  }
  std::remove(path.c_str());
  if (total > 0) return total;
  std::fprintf(stderr, "no %s: run with --callgrind-out-file=%s\n", path.c_str(), kDump);
  std::exit(2);
}

double Instructions(const Tokenizer& t, const std::string& text) {
  static int dumps = 0;
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  t.EncodeIds(text);
  CALLGRIND_DUMP_STATS;
  CALLGRIND_STOP_INSTRUMENTATION;
  return TotalOf(++dumps);
}
#else
bool Counts() { return false; }
double Instructions(const Tokenizer&, const std::string&) { return 0; }
#endif

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Cost(const Tokenizer& t, const std::string& text) {
  if (Counts()) return Instructions(t, text);
  const size_t repeats = std::max<size_t>(1, (size_t{64} << 10) / text.size());
  double best = 1e9;
  for (int run = 0; run < (text.size() > (1 << 22) ? 3 : 5); ++run) {
    const double start = CpuSeconds();
    for (size_t i = 0; i < repeats; ++i) {
      t.EncodeIds(text);
    }
    best = std::min(best, (CpuSeconds() - start) / static_cast<double>(repeats));
  }
  return best;
}

struct Shape {
  const char* name;
  std::string (*make)(size_t bytes);
};

std::string RandomLetters(size_t bytes) {
  std::mt19937_64 random(1);
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

std::string Alternation(size_t bytes) {
  std::string text(bytes, 'a');
  for (size_t i = 1; i < bytes; i += 2) text[i] = 'b';
  return text;
}

constexpr Shape kShapes[] = {{"letters", RandomLetters},
                             {"aaaa", [](size_t bytes) { return std::string(bytes, 'a'); }},
                             {"abab", Alternation},
                             {"spaces", [](size_t bytes) { return std::string(bytes, ' '); }},
                             {"newlines", [](size_t bytes) { return std::string(bytes, '\n'); }}};

std::vector<std::string> Specs(const std::string& folder) {
  std::vector<std::string> specs;
  std::ifstream manifest(folder + "/vocab/MANIFEST.tsv");
  std::string line;
  std::vector<std::string> names;
  while (std::getline(manifest, line)) {
    std::vector<std::string> cells;
    std::stringstream in(line);
    for (std::string cell; std::getline(in, cell, '\t');) cells.push_back(cell);
    if (names.empty()) {
      names = cells;
      continue;
    }
    std::string file, encoding;
    for (size_t i = 0; i < cells.size() && i < names.size(); ++i) {
      if (names[i] == "file") file = cells[i];
      if (names[i] == "encoding") encoding = cells[i];
    }
    specs.push_back(encoding.empty() ? file : file + "," + encoding);
  }
  return specs;
}

// The greatest ratio over all shapes; 0 if the file is no vocabulary.
double Measure(const std::string& folder, const std::string& spec, size_t largest) {
  const size_t comma = spec.find(',');
  LoadOptions options;
  if (comma != std::string::npos) options.encoding = spec.substr(comma + 1);
  const std::string file = spec.substr(0, comma);
  const absl::StatusOr<TokenizerPtr> t = LoadTokenizer(folder + "/vocab/" + file, options);
  if (!t.ok()) return 0;
  std::printf("%-44s", file.c_str());
  double worst = 0;
  for (const Shape& shape : kShapes) {
    (*t)->EncodeIds(shape.make(kLeast));  // what is made on first use
    double last = 0, greatest = 0;
    size_t at = 0;
    for (size_t bytes = kLeast; bytes <= largest; bytes *= 2) {
      const double cost = Cost(**t, shape.make(bytes));
      if (last > 0 && cost / last > greatest) {
        greatest = cost / last;
        at = bytes / 2;
      }
      last = cost;
    }
    std::printf("  %s %.3f @%zuk", shape.name, greatest, at >> 10);
    std::fflush(stdout);
    worst = std::max(worst, greatest);
  }
  std::printf("\n");
  return worst;
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  const char* const folder = std::getenv("PENSTOCK_TEST_DATA");
  if (argc < 2 || folder == nullptr) {
    std::fprintf(stderr, "usage: PENSTOCK_TEST_DATA=FOLDER tokenizer_linear BYTES [FILE…]\n");
    return 2;
  }
  const size_t largest = std::strtoull(argv[1], nullptr, 10);
  std::vector<std::string> specs(argv + 2, argv + argc);
  if (specs.empty()) specs = Specs(folder);
  std::printf("%s of EncodeIds, 2n bytes over n, n = %zu to %zu; greatest ratio @n of each shape\n",
              Counts() ? "instructions" : "CPU time", kLeast, largest / 2);
  double worst = 0;
  for (const std::string& spec : specs) worst = std::max(worst, Measure(folder, spec, largest));
  std::printf("greatest of all: %.3f (bar %.1f)\n", worst, kBar);
  return Counts() && worst > kBar ? 1 : 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
