// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_token_matcher.h"

#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace penstock::internal {
namespace {

using Patterns = std::vector<std::pair<std::string, uint32_t>>;

AddedTokenMatcher MatcherOf(const std::vector<std::string>& patterns) {
  Patterns indexed;
  for (const std::string& p : patterns) indexed.emplace_back(p, indexed.size());
  return AddedTokenMatcher(indexed, std::vector<AddedToken>(patterns.size()));
}

// A token at a place is allowed or not, at random but always alike.
class SomeAllowed final : public AddedTokenMatcher::Filter {
 public:
  explicit SomeAllowed(uint64_t seed) : seed_(seed) {}
  bool Allowed(uint32_t token, size_t begin, size_t end) const override {
    uint64_t x = seed_ ^ (token * 0x9E3779B97F4A7C15u) ^ (begin * 0xC2B2AE3D27D4EB4Fu) ^ end;
    x *= 0xFF51AFD7ED558CCDu;
    return (x >> 62) != 0;
  }

 private:
  uint64_t seed_;
};

using Found = std::tuple<size_t, size_t, uint32_t>;

// At each place the longest pattern that is allowed there, else a byte on.
std::vector<Found> SlowFind(const std::vector<std::string>& patterns, const std::string& text,
                            const AddedTokenMatcher::Filter* filter) {
  std::vector<Found> found;
  for (size_t pos = 0; pos < text.size();) {
    size_t best = 0;
    uint32_t token = 0;
    for (uint32_t i = 0; i < patterns.size(); ++i) {
      const std::string& p = patterns[i];
      if (p.size() <= best || text.compare(pos, p.size(), p) != 0) continue;
      if (filter != nullptr && !filter->Allowed(i, pos, pos + p.size())) continue;
      best = p.size();
      token = i;
    }
    if (best > 0) found.emplace_back(pos, pos + best, token);
    pos += best > 0 ? best : 1;
  }
  return found;
}

TEST(AddedTokenMatcherTest, FindsTheLeftmostThenTheLongestThatIsAllowed) {
  SeededRandom rng;
  const auto string = [&rng](size_t longest) {
    std::string s;
    for (size_t n = 1 + rng() % longest; n > 0; --n) s.push_back("ab<"[rng() % 3]);
    return s;
  };
  for (size_t round = 0; round < Scaled(400); ++round) {
    std::set<std::string> set;
    for (size_t n = 1 + rng() % 12; n > 0; --n) set.insert(string(rng() % 2 == 0 ? 3 : 9));
    const std::vector<std::string> patterns(set.begin(), set.end());
    const AddedTokenMatcher matcher = MatcherOf(patterns);
    // Some texts longer than what is read at a time.
    const std::string text = string(round % 50 == 0 ? 60000 : 60);
    const SomeAllowed some(rng());
    for (const AddedTokenMatcher::Filter* filter :
         {static_cast<const AddedTokenMatcher::Filter*>(nullptr),
          static_cast<const AddedTokenMatcher::Filter*>(&some)}) {
      std::vector<AddedTokenMatcher::Match> matches;
      matcher.Find(text, filter, &matches);
      std::vector<Found> found;
      for (const auto& m : matches) found.emplace_back(m.begin, m.end, m.token);
      ASSERT_EQ(found, SlowFind(patterns, text, filter)) << text;
    }
  }
}

TEST(AddedTokenMatcherTest, ASearchTakesAFewStepsAByteWhateverTheTokens) {
  const std::string run(60000, 'a');
  std::vector<std::string> nested;  // a, aa, aaa, …
  for (size_t n = 1; n <= 500; ++n) nested.push_back(run.substr(0, n));
  std::vector<std::string> wide;  // as many ways on as there are bytes, at every depth
  for (size_t depth = 0; depth < 64; ++depth) {
    for (int byte = 1; byte < 256; ++byte) {
      wide.push_back(run.substr(0, depth) + static_cast<char>(byte));
    }
  }
  const std::vector<std::vector<std::string>> vocabularies = {
      {run + "b"}, {"b" + run}, {"a", run + "b"}, {run.substr(0, 30000) + "b" + run, "ab"},
      nested,      wide};
  for (const std::vector<std::string>& patterns : vocabularies) {
    const AddedTokenMatcher matcher = MatcherOf(patterns);
    const std::string text(1 << 20, 'a');
    AddedTokenMatcher::Cursor cursor;
    AddedTokenMatcher::Match match;
    while (matcher.Next(text, nullptr, &cursor, &match)) {
    }
    EXPECT_LE(cursor.steps, 3 * text.size()) << patterns[0].substr(0, 9);
  }
}

}  // namespace
}  // namespace penstock::internal
