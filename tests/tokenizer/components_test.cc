// SPDX-License-Identifier: Apache-2.0
//
// What holds for every component of a tokenizer.json, one option changed at a time. Which ids each
// gives is asked of tests/golden/components.
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/charsmap_writer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/every_kind.h"
#include "tokenizer/engine.h"
#include "tokenizer/huggingface/serde_numbers.h"
#include "tokenizer/split_grammar.h"
#include "tokenizer/text_pattern.h"

namespace penstock {
namespace {

// A file of characters with this value of one part; every file has the same vocabulary.
std::string File(const std::string& part, const std::string& value) {
  std::string out = R"({"version": "1.0")";
  for (const char* other : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor"}) {
    if (part == other) out += ", \"" + part + "\": " + value;
  }
  const std::string model =
      R"({"type": "BPE", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]})";
  return out + ", \"model\": " + (part == "model" ? value : model) + "}";
}

struct Variants {
  std::string part;
  std::vector<std::string> values;
};

// A pattern as JSON spells it.
std::string Escaped(const std::string& pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\\' || c == '"') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string Wrapped(const std::string& list, const std::string& values) {
  return R"({"type": "Sequence", ")" + list + R"(": [)" + values + "]}";
}

Variants Normalizers() {
  Variants v{"normalizer",
             {R"({"type": "NFC"})",
              R"({"type": "NFD"})",
              R"({"type": "NFKC"})",
              R"({"type": "NFKD"})",
              R"({"type": "Lowercase"})",
              R"({"type": "StripAccents"})",
              R"({"type": "Nmt"})",
              R"({"type": "ByteLevel"})",
              R"({"type": "Strip", "strip_left": true, "strip_right": true})",
              R"({"type": "Strip", "strip_left": false, "strip_right": true})",
              R"({"type": "Strip", "strip_left": true, "strip_right": false})",
              R"({"type": "Prepend", "prepend": "a"})",
              R"({"type": "Prepend", "prepend": "b"})",
              R"({"type": "Replace", "pattern": {"String": "a"}, "content": "b"})",
              R"({"type": "Replace", "pattern": {"String": "b"}, "content": "b"})",
              R"({"type": "Replace", "pattern": {"String": "a"}, "content": ""})",
              R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": "b"})",
              R"({"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"})",
              R"({"type": "Replace", "pattern": {"Regex": ")" + Escaped(internal::kGpt2Pattern) +
                  R"("}, "content": "b"})",
              R"({"type": "Replace", "pattern": {"Regex": ")" + Escaped(internal::kCl100kPattern) +
                  R"("}, "content": "b"})"}};
  const char* const kFlags[] = {"clean_text", "handle_chinese_chars", "lowercase", "strip_accents"};
  for (int bits = 0; bits < 16; ++bits) {
    std::string bert = R"({"type": "BertNormalizer")";
    for (int i = 0; i < 4; ++i) {
      bert += std::string(", \"") + kFlags[i] + "\": " + ((bits >> i & 1) != 0 ? "true" : "false");
    }
    v.values.push_back(bert + "}");
  }
  for (const char* to : {"x", "y"}) {
    v.values.push_back(R"({"type": "Precompiled", "precompiled_charsmap": ")" +
                       absl::Base64Escape(WriteCharsmap({{"a", to}})) + R"("})");
  }
  v.values.push_back(Wrapped("normalizers", v.values[0] + "," + v.values[4]));
  v.values.push_back(Wrapped("normalizers", v.values[4] + "," + v.values[0]));
  return v;
}

Variants PreTokenizers() {
  Variants v{
      "pre_tokenizer",
      {R"({"type": "Whitespace"})", R"({"type": "WhitespaceSplit"})",
       R"({"type": "BertPreTokenizer"})", R"({"type": "UnicodeScripts"})",
       R"({"type": "CharDelimiterSplit", "delimiter": "a"})",
       R"({"type": "CharDelimiterSplit", "delimiter": "b"})",
       R"({"type": "Digits", "individual_digits": true})",
       R"({"type": "Digits", "individual_digits": false})",
       R"({"type": "FixedLength", "length": 2})", R"({"type": "FixedLength", "length": 3})"}};
  for (const char* b :
       {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    const std::string behavior = std::string("\"behavior\": \"") + b + "\"";
    v.values.push_back(R"({"type": "Punctuation", )" + behavior + "}");
    for (const char* pattern :
         {R"({"String": "a "})", R"({"Regex": "a "})", R"({"Regex": "a."})"}) {
      for (const char* invert : {"true", "false"}) {
        v.values.push_back(R"({"type": "Split", "pattern": )" + std::string(pattern) + ", " +
                           behavior + ", \"invert\": " + invert + "}");
      }
    }
  }
  for (const char* replacement : {"_", "-"}) {
    for (const char* scheme : {"always", "first", "never"}) {
      for (const char* split : {"true", "false"}) {
        v.values.push_back(R"({"type": "Metaspace", "replacement": ")" + std::string(replacement) +
                           R"(", "prepend_scheme": ")" + scheme + R"(", "split": )" + split + "}");
      }
    }
  }
  for (const char* prefix : {"true", "false"}) {
    for (const char* regex : {"true", "false"}) {
      v.values.push_back(R"({"type": "ByteLevel", "add_prefix_space": )" + std::string(prefix) +
                         R"(, "trim_offsets": true, "use_regex": )" + regex + "}");
    }
  }
  v.values.push_back(Wrapped("pretokenizers", v.values[0] + "," + v.values[6]));
  v.values.push_back(Wrapped("pretokenizers", v.values[6] + "," + v.values[0]));
  return v;
}

Variants PostProcessors() {
  const auto bert = [](const char* cls, const char* sep) {
    return R"({"type": "BertProcessing", "cls": [)" + std::string(cls) + R"(], "sep": [)" + sep +
           "]}";
  };
  const auto template_of = [](const char* first, const char* type_id, const char* ids) {
    return R"({"type": "TemplateProcessing", "single": [{")" + std::string(first) +
           R"(": {"id": "A", "type_id": )" + type_id +
           R"(}}, {"SpecialToken": {"id": "X", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
           {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"X": {"id": "X", "ids": )" +
           ids + R"(, "tokens": ["a"]}}})";
  };
  return {"post_processor",
          {"null", bert(R"("a", 1)", R"("b", 2)"), bert(R"("b", 2)", R"("b", 2)"),
           bert(R"("a", 1)", R"("a", 1)"), template_of("Sequence", "0", "[1]"),
           template_of("Sequence", "1", "[1]"), template_of("Sequence", "0", "[2]")}};
}

Variants Models() {
  const std::string words = R"("vocab": {"<unk>": 0, "a": 1, "##b": 2, "ab": 3})";
  const auto bpe = [](const std::string& options, const char* merges = R"(["a b"])") {
    return R"({"type": "BPE", "vocab": {"<unk>": 0, "a": 1, "b": 2, "ab": 3}, "merges": )" +
           std::string(merges) + options + "}";
  };
  const auto unigram = [](const char* unk, const char* score, const char* fallback) {
    return R"({"type": "Unigram", "unk_id": )" + std::string(unk) +
           R"(, "vocab": [["<unk>", 0.0], ["a", -1.5], ["b", )" + score +
           R"(], ["ab", -2.5]], "byte_fallback": )" + fallback + "}";
  };
  return {
      "model",
      {bpe(""), bpe(R"(, "unk_token": "<unk>")"),
       bpe(R"(, "unk_token": "<unk>", "fuse_unk": true)"), bpe(R"(, "byte_fallback": true)"),
       bpe(R"(, "ignore_merges": true)"), bpe("", "[]"),
       R"({"type": "WordLevel", "unk_token": "<unk>", )" + words + "}",
       R"({"type": "WordLevel", "unk_token": "a", )" + words + "}",
       R"({"type": "WordPiece", "unk_token": "<unk>", "max_input_chars_per_word": 100, )" + words +
           "}",
       R"({"type": "WordPiece", "unk_token": "a", "max_input_chars_per_word": 100, )" + words + "}",
       R"({"type": "WordPiece", "unk_token": "<unk>", "max_input_chars_per_word": 9, )" + words +
           "}",
       R"({"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "", "max_input_chars_per_word": 100, )" +
           words + "}",
       unigram("0", "-1.0", "false"), unigram("1", "-1.0", "false"),
       unigram("null", "-1.0", "false"), unigram("0", "-1.0000000000000002", "false"),
       unigram("0", "-1.0", "true")}};
}

Variants AddedTokens() {
  Variants v{"added_tokens", {"[]"}};
  for (int bits = 0; bits < 32; ++bits) {
    std::string token = R"([{"id": 4, "content": "xy")";
    int bit = 0;
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
      token += std::string(", \"") + flag + "\": " + ((bits >> bit++ & 1) != 0 ? "true" : "false");
    }
    v.values.push_back(token + "}]");
  }
  return v;
}

TEST(ComponentsTest, EveryOptionThatChangesIdsChangesTheFingerprint) {
  for (const Variants& v :
       {Normalizers(), PreTokenizers(), PostProcessors(), Models(), AddedTokens()}) {
    std::map<std::string, std::string> seen;
    for (const std::string& value : v.values) {
      std::string fingerprints[2];
      for (std::string& fingerprint : fingerprints) {
        PENSTOCK_ASSERT_OK_AND_ASSIGN(const TokenizerPtr t,
                                      ParseTokenizer(File(v.part, value), "tokenizer.json"));
        fingerprint = std::string(t->fingerprint());
      }
      EXPECT_EQ(fingerprints[0], fingerprints[1]) << value;
      const auto [other, fresh] = seen.emplace(fingerprints[0], value);
      EXPECT_TRUE(fresh) << v.part << ": one fingerprint for\n" << value << "\n" << other->second;
    }
  }
}

void ExpectSameIdsInWindows(const NamedTokenizer& t, SeededRandom* random) {
  for (size_t i = 0; i < Scaled(10); ++i) {
    const std::string text = MixedText(random, 1 + random->Below(40));
    std::vector<TokenId> ids;
    absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)> sink =
        [&ids](absl::Span<const TokenId> more) {
          ids.insert(ids.end(), more.begin(), more.end());
          return absl::OkStatus();
        };
    ASSERT_OK(t.tokenizer->engine()->EncodeTo(text, &sink, 1 + random->Below(60)));
    ASSERT_EQ(ids, t.tokenizer->EncodeIds(text)) << t.name << ": " << testing::PrintToString(text);
  }
}

TEST(ComponentsTest, EachGivesTheSameIdsInWindowsOfAnySize) {
  SeededRandom random;
  const std::vector<NamedTokenizer> all = TokenizersOf(PENSTOCK_GOLDEN_FOLDER "/components");
  ASSERT_GE(all.size(), 90u);
  for (const NamedTokenizer& t : all) {
    ExpectSameIdsInWindows(t, &random);
    if (HasFatalFailure()) return;
  }
}

// Tokens that untrusted text may hold, of every sort, normalized ones among them.
TEST(ComponentsTest, ContentTokensAreFoundInWindowsOfAnySizeToo) {
  SeededRandom random;
  for (const char* normalizer : {"null", R"({"type": "Lowercase"})", R"({"type": "NFKC"})"}) {
    for (const std::string& added : AddedTokens().values) {
      if (added == "[]") continue;
      const std::string file = File("added_tokens", added);
      for (const char* token : {"the", " ", "  ", "e\xCC\x81", "A"}) {
        std::string named = file;
        named.replace(named.find("\"xy\""), 4, "\"" + std::string(token) + "\"");
        named.insert(named.rfind(", \"model\""), std::string(", \"normalizer\": ") + normalizer);
        LoadOptions options;
        options.content_tokens = {token};
        PENSTOCK_ASSERT_OK_AND_ASSIGN(const TokenizerPtr t,
                                      ParseTokenizer(named, "tokenizer.json", options));
        ExpectSameIdsInWindows({named, t}, &random);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(TextPatternTest, ATextOfOneCharacterIsMatchedAsAnyOther) {
  struct Case {
    const char* pattern;
    const char* text;
    std::vector<std::pair<size_t, size_t>> matches;
  };
  const Case cases[] = {{R"(\s?[a-z]+)", "b", {{0, 1}}},    {R"(\s?[a-z]+)", "\n", {}},
                        {R"(\s+$)", "\n", {{0, 1}}},        {R"(\s+$)", "b", {}},
                        {R"(\p{L})", "\xC3\xA9", {{0, 2}}}, {R"(\p{L})", "\xE4\xB8\x96", {{0, 3}}},
                        {R"(x*)", "x", {{0, 1}}},           {R"(x*)", "a", {{0, 0}, {1, 1}}},
                        {R"((?=a))", "a", {{0, 0}}},        {R"((?=a))", "b", {}},
                        {R"([^\s\p{L}]|^)", "a", {{0, 0}}}};
  for (const Case& c : cases) {
    PENSTOCK_ASSERT_OK_AND_ASSIGN(
        const auto pattern,
        internal::CompilePcre(c.pattern, internal::RegexFlavor::kOniguruma, LoadLimits()));
    std::vector<internal::Piece> matches;
    pattern->FindAll(c.text, &matches);
    std::vector<std::pair<size_t, size_t>> got;
    for (const internal::Piece& m : matches) got.emplace_back(m.begin, m.end);
    EXPECT_EQ(got, c.matches) << c.pattern << " in " << testing::PrintToString(c.text);
  }
}

// What serde_json 1 reads, seen as scores that tokenizers 0.22.2 writes back. The second half is
// not the nearest double.
TEST(SerdeNumbersTest, AreTheReferencesBits) {
  const std::vector<std::pair<const char*, double>> numbers = {
      {"0", 0.0},
      {"1", 1.0},
      {"-10.123456789012345", -0x1.43f35ba6e8decp+3},
      {"123456789012345678901234567890", 0x1.8ee90ff6c373ep+96},
      {"18446744073709551615", 0x1p+64},
      {"18446744073709551616", 0x1p+64},
      {"1844674407370955161599", 0x1.9p+70},
      {"0.000000000000000000000000123", 0x1.3088830ccc5b7p-83},
      {"1E+5", 0x1.86ap+16},
      {"-1.5e-3", -0x1.89374bc6a7efap-10},
      {"0.1e1", 1.0},
      {"1.7976931348623157e308", 0x1.fffffffffffffp+1023},
      {"5e-324", 0x0.0000000000001p-1022},
      {"1e-400", 0.0},
      {"0e999999999", 0.0},
      {"2.2250738585072011e-308", 0x1p-1022},
      {"-8.8738069560423041", -0x1.1bf63a0167021p+3},
      {"-8.274953493096563431", -0x1.08cc6b4498a9ap+3},
      {"-11.9754192136377623347", -0x1.7f36a25acedb0p+3},
      {"5.5028895972918374e-243", 0x1.2c9786ce6d166p-805},
      {"4.5035398210968569e75", 0x1.3e9d39015e782p+251}};
  for (const auto& [text, value] : numbers) {
    EXPECT_EQ(internal::SerdeDouble(text), value) << text;
  }
  EXPECT_TRUE(std::signbit(internal::SerdeDouble("-0")));
  for (const char* refused : {"1e309", "-1e400", "1e999999999999"}) {
    EXPECT_TRUE(std::isinf(internal::SerdeDouble(refused))) << refused;
  }
}

}  // namespace
}  // namespace penstock
