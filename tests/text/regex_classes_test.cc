// SPDX-License-Identifier: Apache-2.0
#include "text/regex_classes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/text/reference_digest.h"
#include "tests/text/regex_goldens.h"
#include "text/regex_properties.h"
#include "text/unicode.h"

namespace penstock::internal {
namespace {

using ::testing::HasSubstr;

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

class Pcre {
 public:
  Pcre(const std::string& pattern, uint32_t options) : utf_((options & PCRE2_UTF) != 0) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                              &error, &at, nullptr));
    if (code_ == nullptr) {
      ADD_FAILURE() << "error " << error << " at " << at << " of " << pattern;
      return;
    }
    data_.reset(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  }

  // The non-empty matches, as [begin, end) of `subject`.
  std::vector<std::pair<size_t, size_t>> FindAll(const std::string& subject) const {
    std::vector<std::pair<size_t, size_t>> out;
    if (code_ == nullptr) return out;
    uint32_t again = 0;
    for (size_t pos = 0; pos <= subject.size();) {
      const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()),
                                    subject.size(), pos, again, data_.get(), nullptr);
      if (found < 0) {
        if (again == 0) break;
        do ++pos;
        while (utf_ && pos < subject.size() && IsUtf8Continuation(subject[pos]));
        again = 0;
        continue;
      }
      const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data_.get());
      again = range[0] == range[1] ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
      if (again == 0) out.emplace_back(range[0], range[1]);
      pos = range[1];
    }
    return out;
  }

 private:
  const bool utf_;
  std::unique_ptr<pcre2_code, FreeCode> code_;
  std::unique_ptr<pcre2_match_data, FreeData> data_;
};

std::vector<std::u32string> GoldenStrings() {
  uint64_t state = 1;
  const auto below = [&state](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state >> 33) % n);
  };
  std::vector<std::u32string> out(kRegexGoldenStrings);
  for (std::u32string& s : out) {
    for (size_t n = 1 + below(14); n > 0; --n) {
      s.push_back(kRegexGoldenAlphabet[below(std::size(kRegexGoldenAlphabet) - 1)]);
    }
  }
  return out;
}

void AddMatches(const std::vector<std::u32string>& matches, Digest* digest) {
  std::string line;
  char buffer[16];
  for (size_t i = 0; i < matches.size(); ++i) {
    for (size_t k = 0; k < matches[i].size(); ++k) {
      std::snprintf(buffer, sizeof buffer, "%s%X",
                    k > 0   ? " "
                    : i > 0 ? "|"
                            : "",
                    static_cast<unsigned>(matches[i][k]));
      line += buffer;
    }
  }
  digest->Add((line + ";").c_str());
}

std::string Utf8(const std::u32string& text) {
  std::string out;
  for (char32_t c : text) AppendUtf8(c, &out);
  return out;
}

TEST(RegexClasses, MatchesOverKindsAreThoseOfTheReferenceEngine) {
  const std::vector<std::u32string> strings = GoldenStrings();
  for (const RegexGolden& golden : kRegexGoldens) {
    SCOPED_TRACE(golden.pattern);
    SCOPED_TRACE(golden.flavor == RegexFlavor::kRust ? "kRust" : "kOniguruma");
    const auto regex = ClassRegex::Create(golden.pattern, golden.flavor);
    ASSERT_TRUE(regex.ok()) << regex.status();
    const Pcre pcre(regex->pattern(), 0);
    Digest digest;
    for (const std::u32string& s : strings) {
      std::string kinds;
      regex->Classify(Utf8(s), &kinds);
      ASSERT_EQ(kinds.size(), s.size());
      std::vector<std::u32string> matches;
      for (const auto& m : pcre.FindAll(kinds)) {
        matches.push_back(s.substr(m.first, m.second - m.first));
      }
      AddMatches(matches, &digest);
    }
    EXPECT_EQ(digest.hash, golden.digest);
  }
}

TEST(RegexClasses, MatchesOverRewrittenUtf8AreThoseOfTheReferenceEngine) {
  const std::vector<std::u32string> strings = GoldenStrings();
  for (const RegexGolden& golden : kRegexGoldens) {
    SCOPED_TRACE(golden.pattern);
    const auto pattern = RewriteClasses(golden.pattern, golden.flavor);
    ASSERT_TRUE(pattern.ok()) << pattern.status();
    const Pcre pcre(*pattern, PCRE2_UTF);
    Digest digest;
    for (const std::u32string& s : strings) {
      const std::string text = Utf8(s);
      std::vector<std::u32string> matches;
      for (const auto& m : pcre.FindAll(text)) {
        std::u32string match;
        for (size_t pos = m.first; pos < m.second;) {
          const DecodedChar c = DecodeUtf8(text, pos);
          match.push_back(c.code_point);
          pos += c.size;
        }
        matches.push_back(match);
      }
      AddMatches(matches, &digest);
    }
    EXPECT_EQ(digest.hash, golden.digest);
  }
}

Digest DigestOf(const CodePointSet& set) {
  Digest digest;
  char buffer[32];
  for (const CodePointSet::Range& range : set.ranges()) {
    digest.count += range.last - range.first + 1;
    std::snprintf(buffer, sizeof buffer, "%X-%X,", static_cast<unsigned>(range.first),
                  static_cast<unsigned>(range.last));
    digest.Add(buffer);
  }
  return digest;
}

TEST(RegexClasses, EveryPropertyIsTheOneOfBothEngines) {
  for (const ReferenceDigest& row : kReferenceDigests) {
    const std::string_view name = row.name;
    if (name.substr(0, 3) != "\\p{") continue;
    SCOPED_TRACE(row.name);
    const auto set = FindProperty(name.substr(3, name.size() - 4));
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(DigestOf(*set), ReferenceFor(name));
  }
  for (const char* name : {"punct", "space", "alpha", "alnum"}) {
    SCOPED_TRACE(name);
    const auto set = FindPosixClass(name, RegexFlavor::kOniguruma);
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(DigestOf(*set), ReferenceFor(std::string("oniguruma [[:") + name + ":]]"));
  }
}

TEST(RegexClasses, PropertyNamesMayBeSpelledInTheUsualWays) {
  const auto letters = FindProperty("L");
  ASSERT_TRUE(letters.has_value());
  for (const char* name : {"letter", "gc=L", "General_Category=Letter", "IsL", "is letter"}) {
    EXPECT_EQ(FindProperty(name), letters) << name;
  }
  EXPECT_EQ(FindProperty("Hani"), FindProperty("script = Han"));
  EXPECT_FALSE(FindProperty("Latinx").has_value());
  EXPECT_FALSE(FindProperty("").has_value());
  EXPECT_FALSE(FindProperty("is").has_value());
  EXPECT_FALSE(FindProperty("blk=Greek").has_value());
}

TEST(RegexClasses, MalformedBytesMatchNothing) {
  const auto regex = ClassRegex::Create("[^a]|a|.|\\W", RegexFlavor::kRust);
  ASSERT_TRUE(regex.ok());
  std::string kinds;
  regex->Classify("\xFF\xE4\xB8", &kinds);
  EXPECT_EQ(kinds, "\xFF\xFF");
  EXPECT_TRUE(Pcre(regex->pattern(), 0).FindAll(kinds).empty());
}

TEST(RegexClasses, BadPatternsAreRefusedWithThePlace) {
  const struct {
    const char* pattern;
    const char* message;
  } kBad[] = {
      {"[a", "byte 0: [ without ]"},
      {"a(b", "byte 3: ( without )"},
      {"ab)", "byte 2: ) without ("},
      {"*a", "byte 0: nothing to repeat"},
      {"a|+", "byte 2: nothing to repeat"},
      {"(*UTF)a", "byte 0: nothing to repeat"},
      {"a\\", "byte 1: \\ at the end"},
      {"[b-a]", "byte 1: bad range"},
      {"[[:what:]]", "[:what:]"},
      {"\\p{Nope}", "\"Nope\""},
      {"\\p{L", "\\p{ without }"},
      {"\\x{110000}", "bad hexadecimal"},
      {"\\x{D800}", "bad hexadecimal"},
      {"a\xFF", "byte 1: not UTF-8"},
      {"\\X", "\\X"},
      {"(?R)", "this kind of group"},
      {"(?(1)a|b)", "this kind of group"},
      {"(?", "this kind of group"},
      {"(?#a", "(?# without )"},
      {"(?<a", "(?< without >"},
  };
  for (const auto& bad : kBad) {
    for (RegexFlavor flavor : {RegexFlavor::kRust, RegexFlavor::kOniguruma}) {
      const auto status = ClassRegex::Create(bad.pattern, flavor).status();
      EXPECT_FALSE(status.ok()) << bad.pattern;
      EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
    }
  }
}

TEST(RegexClasses, NestingIsLimited) {
  const std::string many(100000, '('), deep(100000, '[');
  for (RegexFlavor flavor : {RegexFlavor::kRust, RegexFlavor::kOniguruma}) {
    EXPECT_FALSE(RewriteClasses(many, flavor).ok());
    EXPECT_FALSE(RewriteClasses(deep, flavor).ok());
  }
}

TEST(RegexClasses, BackReferencesNeedTheCharactersThemselves) {
  EXPECT_TRUE(
      absl::IsUnimplemented(ClassRegex::Create("(\\w)\\1", RegexFlavor::kOniguruma).status()));
  const auto pattern = RewriteClasses("(\\w)\\1", RegexFlavor::kOniguruma);
  ASSERT_TRUE(pattern.ok());
  const auto matches = Pcre(*pattern, PCRE2_UTF).FindAll("abccd");
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0], std::make_pair(size_t{2}, size_t{4}));
}

TEST(RegexClasses, TooManyKindsAreRefused) {
  std::string many;
  for (char32_t c = 0x4E00; c < 0x4E00 + 300; ++c) {
    AppendUtf8(c, &many);
    many += '|';
  }
  many.pop_back();
  EXPECT_TRUE(absl::IsUnimplemented(ClassRegex::Create(many, RegexFlavor::kRust).status()));
  EXPECT_TRUE(RewriteClasses(many, RegexFlavor::kRust).ok());
}

TEST(RegexClasses, RandomPatternsNeverCrashAndCompileOrAreRefused) {
  constexpr char kPieces[] = "ab\\[]()^$.|*+?{}1,2&-~:pPLwsdbBAzZ<=!>i#xm \n\xC3\xA9";
  uint64_t state = 99;
  const auto below = [&state](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state >> 33) % n);
  };
  size_t accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string pattern;
    for (size_t n = 1 + below(12); n > 0; --n) pattern += kPieces[below(sizeof kPieces - 1)];
    for (RegexFlavor flavor : {RegexFlavor::kRust, RegexFlavor::kOniguruma}) {
      const auto rewritten = RewriteClasses(pattern, flavor);
      if (!rewritten.ok()) continue;
      ++accepted;
    }
  }
  EXPECT_GT(accepted, 1000u);
}

}  // namespace
}  // namespace penstock::internal
