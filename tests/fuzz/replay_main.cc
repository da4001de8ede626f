// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer: every file of the folders named on the command line, then
// inputs made from them by small changes, then random bytes. The seed and the size of the run are
// those of all tests:
//
//   PENSTOCK_TEST_SEED=7 PENSTOCK_TEST_SCALE=100 penstock_utf8_fuzz_replay tests/fuzz/corpus/utf8
//
// With PENSTOCK_FUZZ_KEEP set, each input is written to fuzz-<program>.last before it runs, so that
// the one that crashed can be replayed.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

class Replay {
 public:
  explicit Replay(const std::string& program)
      : keep_(std::getenv("PENSTOCK_FUZZ_KEEP") != nullptr), last_("fuzz-" + program + ".last") {}

  void Run(const std::string& input) {
    if (keep_) std::ofstream(last_, std::ios::binary) << input;
    // A copy of exactly this size on the heap: an address sanitizer sees one byte too many.
    const std::vector<uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    ++runs_;
  }
  size_t runs() const { return runs_; }

 private:
  bool keep_;
  std::string last_;
  size_t runs_ = 0;
};

std::vector<std::string> ReadFolders(int argc, char** argv) {
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
        if (entry.is_regular_file()) paths.push_back(entry.path().string());
      }
    } else {
      paths.push_back(argv[i]);
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "cannot read %s\n", path.c_str());
      std::exit(1);
    }
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// Deletes, repeats, overwrites or splices: enough to walk around the corpus. libFuzzer goes far.
std::string Mutate(std::string input, const std::vector<std::string>& corpus,
                   std::mt19937_64& rng) {
  for (uint64_t changes = 1 + rng() % 4; changes > 0; --changes) {
    const size_t at = input.empty() ? 0 : rng() % input.size();
    switch (rng() % 5) {
      case 0:
        input.erase(at, rng() % 8);
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(rng()));
        break;
      case 2:
        if (!input.empty()) input[at] = static_cast<char>(rng());
        break;
      case 3:
        input.insert(at, input.substr(at, rng() % 16));
        break;
      default: {
        const std::string& other = corpus[rng() % corpus.size()];
        const size_t from = other.empty() ? 0 : rng() % other.size();
        input.insert(at, other.substr(from, rng() % 64));
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seed = FromEnvironment("PENSTOCK_TEST_SEED", 20240607);
  const uint64_t scale = FromEnvironment("PENSTOCK_TEST_SCALE", 1);
  std::printf("PENSTOCK_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::vector<std::string> corpus = ReadFolders(argc, argv);
  const size_t files = corpus.size();
  const std::filesystem::path program(argv[0]);
  Replay replay(program.filename().string());
  replay.Run("");
  for (const std::string& input : corpus) replay.Run(input);
  corpus.emplace_back();
  std::mt19937_64 rng(seed);
  for (uint64_t i = 0; i < 2000 * scale; ++i) {
    replay.Run(Mutate(corpus[rng() % corpus.size()], corpus, rng));
  }
  for (uint64_t i = 0; i < 500 * scale; ++i) {
    std::string input(rng() % 64, '\0');
    for (char& byte : input) byte = static_cast<char>(rng());
    replay.Run(input);
  }
  std::printf("%zu inputs, %zu of them from the corpus\n", replay.runs(), files);
  return 0;
}
