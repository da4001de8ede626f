// SPDX-License-Identifier: Apache-2.0
//
// Randomness of tests: a seed that is printed and can be given back, and a factor for how much to
// try.
//
//   TEST(IndexTest, AgreesWithTheSlowTwin) {
//     SeededRandom random;                                   // prints the seed, and repeats it in
//     every failure for (size_t i = 0; i < Scaled(1000); ++i) Compare(random() % 7);
//   }
//
//   PENSTOCK_TEST_SEED=42 PENSTOCK_TEST_SCALE=100 ./penstock_base_test --gtest_filter=IndexTest.*
//
// Without PENSTOCK_TEST_SEED the seed is the same on every run: what passes today passes tomorrow.
#ifndef PENSTOCK_TESTS_SUPPORT_SEED_H_
#define PENSTOCK_TESTS_SUPPORT_SEED_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace penstock {

inline uint64_t TestSeed() {
  const char* const seed = std::getenv("PENSTOCK_TEST_SEED");
  return seed == nullptr ? 20240607 : std::strtoull(seed, nullptr, 10);
}

// `count` times PENSTOCK_TEST_SCALE (1 when not set).
inline size_t Scaled(size_t count) {
  const char* const scale = std::getenv("PENSTOCK_TEST_SCALE");
  return scale == nullptr ? count : count * std::strtoull(scale, nullptr, 10);
}

// A std::mt19937_64 that says how to repeat the run. One per test; `stream` tells several in one
// test apart.
class SeededRandom {
 public:
  using result_type = std::mt19937_64::result_type;

  explicit SeededRandom(uint64_t stream = 0)
      : engine_(TestSeed() + stream * 0x9E3779B97F4A7C15u),
        trace_(__FILE__, __LINE__, "repeat with PENSTOCK_TEST_SEED=" + std::to_string(TestSeed())) {
    std::printf("PENSTOCK_TEST_SEED=%llu\n", static_cast<unsigned long long>(TestSeed()));
    std::fflush(stdout);
  }

  result_type operator()() { return engine_(); }
  static constexpr result_type min() { return std::mt19937_64::min(); }
  static constexpr result_type max() { return std::mt19937_64::max(); }

  // Uniform in [0, bound). REQUIRES: bound >= 1.
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  // Uniform in [low, high], both included.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
  testing::ScopedTrace trace_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_SEED_H_
