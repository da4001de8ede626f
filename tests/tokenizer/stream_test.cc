// SPDX-License-Identifier: Apache-2.0
//
// Tokenizer::EncodeTo and Count on long texts against EncodeIds, part by part; every kind on a
// small stack.
#include <pthread.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/class_text.h"
#include "tests/tokenizer/every_kind.h"
#include "tests/tokenizer/tiny_files.h"
#include "tokenizer/engine.h"
#include "tokenizer/split_grammar.h"

namespace penstock {
namespace {

std::vector<TokenId> InWindows(const Tokenizer& t, const std::string& text, size_t window) {
  std::vector<TokenId> ids;
  absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)> sink =
      [&ids](absl::Span<const TokenId> more) {
        ids.insert(ids.end(), more.begin(), more.end());
        return absl::OkStatus();
      };
  EXPECT_OK(t.engine()->EncodeTo(text, &sink, window));
  return ids;
}

void ExpectSameInWindows(const NamedTokenizer& t, const std::string& text, size_t window) {
  const std::vector<TokenId> want = t.tokenizer->EncodeIds(text);
  const std::vector<TokenId> got = InWindows(*t.tokenizer, text, window);
  if (got == want) return;
  const size_t at = static_cast<size_t>(
      std::mismatch(want.begin(), want.end(), got.begin(), got.end()).first - want.begin());
  FAIL() << t.name << ", window " << window << ": ids differ at " << at << " of " << want.size()
         << " and " << got.size() << ", after \""
         << t.tokenizer->Decode(absl::MakeConstSpan(want).subspan(at > 20 ? at - 20 : 0, 20))
         << "\" in " << testing::PrintToString(text.size() > 600 ? text.substr(0, 600) : text);
}

std::vector<NamedTokenizer> Own() {
  std::vector<NamedTokenizer> all = OwnTokenizers();
  EXPECT_GE(all.size(), 18u);
  all.push_back({"tiny ranks", TinyRankTokenizer()});
  all.push_back({"tiny json", TinyJsonTokenizer()});
  LoadOptions options;
  options.content_tokens = {"<mask>", "<r>", "word"};
  const auto add = [&all](const std::string& name, absl::StatusOr<TokenizerPtr> t) {
    EXPECT_OK(t);
    if (t.ok()) all.push_back({name, *std::move(t)});
  };
  add("tiny json, content tokens", ParseTokenizer(TinyJson(), "tiny.json", options));
  for (const char* pattern : {"[^ ]+| ", R"(\s?\p{L}+|\p{N}|[^\s\p{L}\p{N}]+|\s)", "\\bx\\b|."}) {
    LoadOptions foreign;
    foreign.pattern = pattern;
    add(pattern, ParseTokenizer(TinyRanks(TinyMerges()), "ranks", foreign));
  }
  return all;
}

TEST(EncodeToTest, GivesTheIdsOfEncodeIdsWhateverTheWindow) {
  SeededRandom random;
  const std::vector<NamedTokenizer> all = Own();
  for (const NamedTokenizer& t : all) {
    for (size_t i = 0; i < Scaled(60); ++i) {
      const std::string text = MixedText(&random, 1 + random.Below(80));
      ExpectSameInWindows(t, text, 1 + random.Below(random.OneIn(2) ? 24 : 300));
      if (HasFatalFailure()) return;
    }
  }
}

// Any two bytes of RandomText merge, so a piece cut in a wrong place shows in its ids.
std::vector<NamedTokenizer> GrammarsWhereEveryPairMerges() {
  SeededRandom random;
  bool used[256] = {};
  for (int i = 0; i < 2000; ++i) {
    for (const char c : RandomText(&random)) used[static_cast<uint8_t>(c)] = true;
  }
  std::vector<std::string> pairs;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      if (used[a] && used[b]) pairs.push_back({static_cast<char>(a), static_cast<char>(b)});
    }
  }
  std::vector<NamedTokenizer> all;
  for (const char* pattern :
       {internal::kGpt2Pattern, internal::kCl100kPattern, internal::kQwen2Pattern,
        internal::kO200kPattern, internal::kTekkenPattern}) {
    LoadOptions options;
    options.pattern = pattern;
    absl::StatusOr<TokenizerPtr> t = ParseTokenizer(TinyRanks(pairs), "pairs", options);
    EXPECT_OK(t);
    if (t.ok()) all.push_back({pattern, *std::move(t)});
  }
  return all;
}

TEST(EncodeToTest, CutsNoPieceOfAKnownGrammar) {
  SeededRandom random;
  for (const NamedTokenizer& t : GrammarsWhereEveryPairMerges()) {
    for (size_t i = 0; i < Scaled(5000); ++i) {
      const std::string text = RandomText(&random) + RandomText(&random);
      for (const size_t window : {size_t{1}, 1 + random.Below(24)}) {
        ExpectSameInWindows(t, text, window);
        if (HasFatalFailure()) return;
      }
    }
  }
}

std::string ReadText(const std::string& path, size_t bytes) {
  std::ifstream in(path, std::ios::binary);
  std::string text(bytes, '\0');
  in.read(&text[0], static_cast<std::streamsize>(bytes));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

TEST(EncodeToTest, GivesTheIdsOfEncodeIdsForRealVocabularies) {
  const std::vector<NamedTokenizer> all = DataTokenizers();
  if (all.empty()) GTEST_SKIP() << "PENSTOCK_TEST_DATA is not set";
  SeededRandom random;
  std::string corpus;
  for (const char* name : {"en", "zh", "code", "multi"}) {
    corpus += ReadText(std::string(std::getenv("PENSTOCK_TEST_DATA")) + "/corpus/" + name + ".txt",
                       30000);
  }
  for (const NamedTokenizer& t : all) {
    ExpectSameInWindows(t, corpus, 4096);
    for (size_t i = 0; i < Scaled(6); ++i) {
      ExpectSameInWindows(t, MixedText(&random, 400), 40 + random.Below(1000));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(EncodeToTest, StopsAtTheFirstErrorOfTheSinkAndReturnsIt) {
  const TokenizerPtr t = TinyRankTokenizer();
  size_t calls = 0;
  const absl::Status status =
      t->EncodeTo(std::string(200000, 'q'), [&calls](absl::Span<const TokenId>) {
        ++calls;
        return absl::ResourceExhaustedError("disk full");
      });
  EXPECT_EQ(status, absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(calls, 1u);
}

TEST(EncodeToTest, AnEmptyTextCallsNobody) {
  EXPECT_OK(TinyRankTokenizer()->EncodeTo(
      "", [](absl::Span<const TokenId>) { return absl::InternalError("called"); }));
}

TEST(CountTest, OfALongTextIsTheNumberOfItsIds) {
  SeededRandom random;
  for (const NamedTokenizer& t : Own()) {
    std::string text = MixedText(&random, 2000);
    while (text.size() < 200000) text += text;
    ASSERT_EQ(t.tokenizer->Count(text), t.tokenizer->EncodeIds(text).size()) << t.name;
  }
}

// Runs f on a thread with a stack of `bytes`.
void OnStackOf(size_t bytes, const std::function<void()>& f) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread;
  const auto run = [](void* argument) -> void* {
    (*static_cast<const std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&f)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

std::vector<std::string> HardTexts() {
  SeededRandom random;
  std::string letters, digits;
  for (int i = 0; i < 30000; ++i) {
    letters.push_back(static_cast<char>('a' + random.Below(26)));
    digits.push_back(static_cast<char>('0' + random.Below(10)));
  }
  std::string alternation;
  for (int i = 0; i < 15000; ++i) alternation += "ab";
  std::string marks = "e";
  for (int i = 0; i < 6000; ++i) marks += "\xCC\x81";
  return {std::string(30000, 'a'),
          std::string(30000, ' '),
          std::string(30000, '\n'),
          std::string(30000, '\xFF'),
          letters,
          digits,
          alternation,
          marks,
          MixedText(&random, 3000)};
}

// Sanitizers put red zones around every local and need more themselves.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStack = 512 << 10;
#else
constexpr size_t kStack = 64 << 10;
#endif

void LoadAndUseOnSmallStack(const std::function<std::vector<NamedTokenizer>()>& load) {
  const std::vector<std::string> texts = HardTexts();
  OnStackOf(kStack, [&] {
    for (const NamedTokenizer& t : load()) {
      for (const std::string& text : texts) {
        EncodeOptions options;
        options.offsets = options.safe_cuts = true;
        const Segment segment = Trusted(text);
        EXPECT_OK(t.tokenizer->Encode(absl::MakeConstSpan(&segment, 1), options));
        const std::vector<TokenId> ids = t.tokenizer->EncodeIds(text);
        EXPECT_EQ(t.tokenizer->Count(text), ids.size()) << t.name;
        t.tokenizer->Decode(ids);
      }
    }
  });
}

TEST(SmallStackTest, EveryKindLoadsEncodesDecodesAndCountsOn64KiB) { LoadAndUseOnSmallStack(Own); }

TEST(SmallStackTest, RealVocabulariesDoSoToo) {
  if (std::getenv("PENSTOCK_TEST_DATA") == nullptr) {
    GTEST_SKIP() << "PENSTOCK_TEST_DATA is not set";
  }
  LoadAndUseOnSmallStack(DataTokenizers);
}

}  // namespace
}  // namespace penstock
