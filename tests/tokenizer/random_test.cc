// SPDX-License-Identifier: Apache-2.0
//
// Fast paths against their slow twins: grammars against their patterns run by PCRE2, BPE against
// the textbook.
#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/class_text.h"
#include "tests/tokenizer/tiny_files.h"
#include "text/unicode.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/digit_groups.h"
#include "tokenizer/split_grammar.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {
namespace {

class GrammarTest : public testing::TestWithParam<const char*> {};

void ExpectCutsOfPattern(const char* source, RegexFlavor flavor) {
  const SplitGrammar* grammar = FindGrammar(source);
  ASSERT_NE(grammar, nullptr);
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const auto pattern, CompilePcre(source, flavor, LoadLimits()));
  SeededRandom random;
  for (size_t i = 0; i < Scaled(20000); ++i) {
    const std::string text = RandomText(&random);
    std::vector<Piece> want;
    pattern->FindAll(text, &want);
    size_t at = 0;
    for (const Piece& piece : want) {
      ASSERT_EQ(piece.begin, at) << testing::PrintToString(text);
      at = grammar->NextPiece(text, at);
      ASSERT_EQ(piece.end, at) << testing::PrintToString(text) << " from " << piece.begin;
    }
    ASSERT_EQ(at, text.size());
  }
}

TEST_P(GrammarTest, CutsAsItsPatternDoesInEitherFlavour) {
  ExpectCutsOfPattern(GetParam(), RegexFlavor::kRust);
  ExpectCutsOfPattern(GetParam(), RegexFlavor::kOniguruma);
}

INSTANTIATE_TEST_SUITE_P(All, GrammarTest,
                         testing::Values(kGpt2Pattern, kCl100kPattern, kQwen2Pattern, kO200kPattern,
                                         kTekkenPattern),
                         [](const auto& parameter) {
                           return std::string(FindGrammar(parameter.param)->name());
                         });

TEST_P(GrammarTest, CutsLeaveThePiecesOnBothSides) {
  const SplitGrammar* grammar = FindGrammar(GetParam());
  const auto pieces = [grammar](std::string_view text) {
    std::vector<size_t> ends;
    for (size_t pos = 0; pos < text.size();) ends.push_back(pos = grammar->NextPiece(text, pos));
    return ends;
  };
  SeededRandom random;
  size_t cuts = 0;
  for (size_t i = 0; i < Scaled(5000); ++i) {
    const std::string text = RandomText(&random);
    const std::vector<size_t> whole = pieces(text);
    for (const size_t at : whole) {
      if (at == text.size() || !grammar->CanCut(text, at)) continue;
      ++cuts;
      std::vector<size_t> both = pieces(std::string_view(text).substr(0, at));
      for (const size_t end : pieces(std::string_view(text).substr(at))) both.push_back(at + end);
      ASSERT_EQ(both, whole) << testing::PrintToString(text) << " at " << at;
    }
  }
  EXPECT_GT(cuts, 5000u);
}

std::vector<size_t> InFragments(const SplitGrammar* grammar,
                                const std::vector<std::string_view>& fragments) {
  std::vector<size_t> ends;
  GrammarScanner scanner(grammar);
  for (const std::string_view fragment : fragments) scanner.Append(fragment, &ends);
  scanner.Finish(&ends);
  return ends;
}

TEST_P(GrammarTest, StoppedAtAnyByteItGoesOnWithTheSamePieces) {
  const SplitGrammar* grammar = FindGrammar(GetParam());
  SeededRandom random;
  for (size_t i = 0; i < Scaled(1500); ++i) {
    std::string text = RandomText(&random);
    if (random.OneIn(3)) text += static_cast<char>(random.Below(256));
    if (random.OneIn(3)) text += RandomText(&random);
    std::vector<size_t> whole;
    for (size_t pos = 0; pos < text.size();) whole.push_back(pos = grammar->NextPiece(text, pos));
    const std::string_view view = text;
    for (size_t at = 0; at <= text.size(); ++at) {
      ASSERT_EQ(InFragments(grammar, {view.substr(0, at), view.substr(at)}), whole)
          << testing::PrintToString(text) << " at " << at;
    }
    std::vector<std::string_view> bytes;
    for (size_t at = 0; at < text.size(); ++at) bytes.push_back(view.substr(at, 1));
    ASSERT_EQ(InFragments(grammar, bytes), whole) << testing::PrintToString(text);
  }
}

TEST_P(GrammarTest, KeepsNoMoreThanAWordOrTwoOfOrdinaryText) {
  GrammarScanner scanner(FindGrammar(GetParam()));
  std::vector<size_t> ends;
  size_t most = 0;
  for (size_t i = 0; i < 20000; ++i) {
    scanner.Append(i % 6 == 5 ? " " : i % 97 == 0 ? "\n" : "w", &ends);
    most = std::max(most, scanner.open_bytes());
  }
  EXPECT_LE(most, 40u);
}

TEST(GrammarBytesTest, PiecesPartitionAnyBytes) {
  SeededRandom random;
  for (const char* pattern :
       {kGpt2Pattern, kCl100kPattern, kQwen2Pattern, kO200kPattern, kTekkenPattern}) {
    const SplitGrammar* grammar = FindGrammar(pattern);
    for (size_t i = 0; i < Scaled(2000); ++i) {
      std::string text;
      for (size_t n = random.Below(30); n > 0; --n)
        text.push_back(static_cast<char>(random.Below(256)));
      for (size_t pos = 0; pos < text.size();) {
        const size_t end = grammar->NextPiece(text, pos);
        ASSERT_GT(end, pos);
        ASSERT_LE(end, text.size());
        pos = end;
      }
    }
  }
}

// Byte-pair encoding as the textbook has it: merge the best pair, start over.
std::vector<TokenId> SlowBpe(const std::string& piece, const std::vector<std::string>& tokens) {
  const auto find = [&tokens](const std::string& s) -> TokenId {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] == s) return static_cast<TokenId>(i);
    }
    return -1;
  };
  if (find(piece) >= 0) return {find(piece)};
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  while (true) {
    TokenId best = -1;
    size_t at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const TokenId id = find(parts[i] + parts[i + 1]);
      if (id >= 0 && (best < 0 || id < best)) {
        best = id;
        at = i;
      }
    }
    if (best < 0) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
  std::vector<TokenId> ids;
  for (const std::string& p : parts) ids.push_back(find(p));
  return ids;
}

// Random vocabularies over few letters: many ties, tokens that merging never reaches.
TEST(BpeTest, AgreesWithTheTextbookOnRandomVocabularies) {
  SeededRandom random;
  for (size_t round = 0; round < Scaled(40); ++round) {
    std::vector<std::string> tokens;
    for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
    for (size_t n = random.Below(40); n > 0; --n) {
      std::string token;
      for (size_t k = 2 + random.Below(5); k > 0; --k) token.push_back("abc"[random.Below(3)]);
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
    }
    LoadOptions options;
    options.pattern = "[^ ]+| ";
    PENSTOCK_ASSERT_OK_AND_ASSIGN(
        const TokenizerPtr t,
        ParseTokenizer(TinyRanks({tokens.begin() + 256, tokens.end()}), "random", options));
    for (size_t i = 0; i < 40; ++i) {
      std::string piece;
      const size_t length = random.OneIn(8) ? 33 + random.Below(100) : 1 + random.Below(20);
      for (size_t n = length; n > 0; --n) piece.push_back("abc"[random.Below(3)]);
      ASSERT_EQ(t->EncodeIds(piece), SlowBpe(piece, tokens)) << piece;
    }
  }
}

TEST(DigitGroupsTest, MatchesAreThoseOfThePattern) {
  SeededRandom random;
  for (const char* source :
       {R"(\d{1,3}(?=(?:\d{3})*\b))", R"(\d{1,3}(?=(\d{3})*\b))",
        R"([0-9]{1,3}(?=(?:[0-9]{3})*\b))", R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))",
        R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?:[^\p{N}]|$)))", R"(\p{Nd}{1,3}(?=(?:\p{Nd}{3})*\b))",
        R"((?=(\d{3})+(?!\d)))", R"((?=(?:[0-9]{3})+(?![0-9])))"}) {
    for (const RegexFlavor flavor : {RegexFlavor::kOniguruma, RegexFlavor::kRust}) {
      const auto groups = FindDigitGroups(source, flavor);
      ASSERT_NE(groups, nullptr) << source;
      PENSTOCK_ASSERT_OK_AND_ASSIGN(const auto twin, CompilePcre(source, flavor, LoadLimits()));
      for (size_t i = 0; i < Scaled(300); ++i) {
        std::string text = RandomText(&random);
        for (size_t n = random.Below(12); n > 0; --n) {
          static constexpr const char* kBits[] = {"1", "23", "4567", "\u0663", "\u00bd", "\u2163",
                                                  "a", " ",  "_",    "\u0301", "\xFF",   "\n"};
          text.insert(random.Below(text.size() + 1), kBits[random.Below(12)]);
        }
        std::vector<Piece> got, want;
        groups->FindAll(text, &got);
        twin->FindAll(text, &want);
        ASSERT_EQ(got.size(), want.size()) << source << testing::PrintToString(text);
        for (size_t k = 0; k < got.size(); ++k) {
          ASSERT_EQ(got[k].begin, want[k].begin) << source << testing::PrintToString(text);
          ASSERT_EQ(got[k].end, want[k].end) << source << testing::PrintToString(text);
        }
      }
    }
  }
}

TEST(DigitGroupsTest, AMillionDigitsAreOneRun) {
  PENSTOCK_ASSERT_OK_AND_ASSIGN(
      const auto pattern,
      CompileRegex(R"(\d{1,3}(?=(?:\d{3})*\b))", RegexFlavor::kOniguruma, LoadLimits()));
  std::vector<Piece> pieces;
  pattern->FindAll(std::string(1000000, '7'), &pieces);
  ASSERT_EQ(pieces.size(), 333334u);
  EXPECT_EQ(pieces[0].end, 1u);
}

}  // namespace
}  // namespace penstock::internal
