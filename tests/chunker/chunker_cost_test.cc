// SPDX-License-Identifier: Apache-2.0
//
// What chunking costs in bytes handed to the tokenizer: one encoding of the text, and little more
// at the borders of chunks. Pieces and safe cuts are those of real grammars; tokens are not.
#include <atomic>

#include "tests/chunker/chunk_invariants.h"
#include "tests/support/status_matchers.h"
#include "tokenizer/split_grammar.h"

namespace penstock {
namespace {

// Tokens of up to four bytes within the pieces of a grammar. Counts what it encodes.
class CountingTokenizer final : public Tokenizer {
 public:
  explicit CountingTokenizer(const char* pattern) : grammar_(internal::FindGrammar(pattern)) {}

  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string_view fingerprint() const override { return "counting"; }
  uint64_t encoded_bytes() const { return encoded_bytes_; }

 private:
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>*,
                        const EncodeOptions& options, Encoding* e) const override {
    const std::string_view text = first[0].text();
    encoded_bytes_ += text.size();
    for (size_t i = 0; i < text.size();) {
      if (options.safe_cuts && i > 0 && grammar_->CanCut(text, i)) {
        e->safe_cuts.push_back({i, e->ids.size()});
      }
      const size_t end = grammar_->NextPiece(text, i);
      for (; i < end; i += std::min<size_t>(4, end - i)) {
        TokenId id = 0;
        for (size_t k = i; k < std::min(end, i + 4); ++k) {
          id = (id << 7) ^ static_cast<uint8_t>(text[k]);
        }
        e->ids.push_back(id & 0x3FFFFFFF);
      }
    }
    return absl::OkStatus();
  }
  std::string DoDecode(absl::Span<const TokenId>, const DecodeOptions&) const override {
    return "";
  }

  const internal::SplitGrammar* grammar_;
  Vocabulary vocabulary_;
  mutable std::atomic<uint64_t> encoded_bytes_{0};
};

std::string Text(const std::vector<std::string>& pieces, size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; i = i * 5 + 1 + i / 7) text += pieces[i % pieces.size()];
  return text;
}

struct Case {
  const char* name;
  double most;  // encoded bytes per byte of text, and 64 bytes a chunk
  std::vector<std::string> pieces;
};

const Case kCases[] = {
    {"english",
     1.1,
     {"The cat sat on the mat, and nobody saw it. ", "Why should it (of all cats) leave? ",
      "\"It rained,\" she said.\n\n", "A long one went on and on, as they do, for many words. "}},
    // Most sentence ends are no cuts: "。" goes with the letters after it. Each is tried once.
    {"chinese", 1.7, {"今天天气很好，我们一起去公园散步。", "你要来吗？", "他说：“好的。”\n\n"}},
    {"code",
     1.1,
     {"```\nint f(int x) {\n", "    if (x > 0) {\n", "        return g(x, \"y\");\n", "    }\n",
      "}\n\n", "\n// Says what it does.\n"}},
    // Not one cut: the end is searched for, each try an encoding.
    {"one word", 12, {"a", "b"}},
    {"numbers", 1.1, {"12", "345 "}},
};

const char* const kPatterns[] = {internal::kGpt2Pattern, internal::kCl100kPattern,
                                 internal::kQwen2Pattern, internal::kO200kPattern};

class EveryGrammar : public testing::TestWithParam<int> {};

TEST_P(EveryGrammar, TextIsEncodedOnceAndLittleMoreAtTheBordersOfChunks) {
  for (const Case& c : kCases) {
    for (const Packing packing : {Packing::kLookahead, Packing::kGreedy}) {
      const auto tokenizer = std::make_shared<CountingTokenizer>(kPatterns[GetParam()]);
      ChunkerOptions options;
      options.packing = packing;
      PENSTOCK_ASSERT_OK_AND_ASSIGN(const Chunker chunker, Chunker::Create(tokenizer, options));
      const uint64_t before = tokenizer->encoded_bytes();
      const std::string text = Text(c.pieces, size_t{300} << 10);
      const std::vector<Chunk> chunks = chunker.Split(text);
      const uint64_t encoded = tokenizer->encoded_bytes() - before;
      EXPECT_EQ(encoded, chunker.GetStats().encoded_bytes) << c.name;
      EXPECT_LE(static_cast<double>(encoded), c.most * static_cast<double>(text.size()) +
                                                  64.0 * static_cast<double>(chunks.size()))
          << c.name << ": " << static_cast<double>(encoded) / static_cast<double>(text.size());
      ASSERT_TRUE(CheckChunks(text, *tokenizer, chunker, chunks)) << c.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Grammars, EveryGrammar, testing::Range(0, 4));

}  // namespace
}  // namespace penstock
