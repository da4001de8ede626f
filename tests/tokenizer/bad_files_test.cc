// SPDX-License-Identifier: Apache-2.0
//
// Malformed files: every one gets a Status that names the file, none a crash. Cases are named by
// their pathology; besides them every truncation and every single-byte flip of small good files is
// tried (those that still load must also encode and decode).
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/tiny_files.h"

namespace penstock {
namespace {

using testing::HasSubstr;

// Replaces the one occurrence of `from`.
std::string With(std::string file, const std::string& from, const std::string& to) {
  const size_t at = file.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) file.replace(at, from.size(), to);
  return file;
}

struct Case {
  std::string name;
  std::string file;
  std::string message;  // part of it
};

class BadFileTest : public testing::Test {
 protected:
  static void Refused(const Case& c, const LoadOptions& options) {
    const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(c.file, "bad.file", options);
    ASSERT_FALSE(t.ok()) << c.name;
    const std::string message(t.status().message());
    EXPECT_THAT(message, HasSubstr("bad.file")) << c.name;
    EXPECT_THAT(message, HasSubstr(c.message)) << c.name;
    EXPECT_NE(t.status().code(), absl::StatusCode::kInternal) << c.name;
  }
  // Loads or not, but then works.
  static void Survives(const std::string& file, const LoadOptions& options) {
    const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(file, "f", options);
    if (!t.ok()) return;
    (*t)->Decode((*t)->EncodeIds("ab hello <s> \xFF"));
  }
};

TEST_F(BadFileTest, RankFilesSayTheLine) {
  const std::string good = TinyRanks({"he"});
  const std::vector<Case> cases = {
      {"no space", good + "aGU\n", "bad.file:258: \"aGU\""},
      {"empty token", good + " 300\n", ":258"},
      {"bad base64", good + "a*U= 300\n", "not base64"},
      {"padding in the middle", good + "=aGU 300\n", "not base64"},
      {"only padding", good + "= 300\n", "not base64"},
      {"length not a multiple of four", good + "aGVsb 300\n", "not base64"},
      {"stray bits in the padding", good + "aGV= 300\n", "base64"},
      {"no rank", good + "aGVs \n", "rank \"\""},
      {"rank with letters", good + "aGVs 3x0\n", "rank \"3x0\""},
      {"negative rank", good + "aGVs -1\n", "rank \"-1\""},
      {"rank of 2^31", good + "aGVs 2147483648\n", "rank \"2147483648\""},
      {"rank of 2^70", good + "aGVs 1180591620717411303424\n", "rank"},
      {"rank beyond the limit", good + "aGVs 5000000\n", "expected less than"},
      {"duplicate token", good + "aGU= 300\n", "already has rank 256"},
      {"duplicate rank", good + "aGVs 256\n", "rank 256 appears twice"},
      {"two spaces", good + "aGVs  300\n", "rank"},
      {"a missing byte", good.substr(good.find('\n') + 1), "no token for the byte 00"},
      {"NUL in a line", good + std::string("aG\0s 300\n", 9), "not base64"},
  };
  for (const Case& c : cases) Refused(c, TinyOptions());
  EXPECT_THAT(ParseTokenizer(good, "bad.file"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("carries no pattern")));
  LoadOptions options;
  options.encoding = "no such";
  EXPECT_THAT(ParseTokenizer(good, "bad.file", options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cl100k_base")));
  options = LoadOptions();
  options.pattern = "(";
  Refused({"pattern", good, "pattern"}, options);
  options.pattern = "a";
  options.special_tokens = {{"<x>", 5}};
  Refused({"special token on a rank", good, "<x>"}, options);
}

TEST_F(BadFileTest, JsonFilesSayThePlace) {
  const std::string good = TinyJson();
  EXPECT_OK(ParseTokenizer(good, "good"));
  const std::string model = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}";
  std::vector<Case> cases = {
      {"not JSON", "{\"model\": ", "not JSON"},
      {"trailing comma", "{\"model\": 1,}", "not JSON"},
      {"no model", "{\"version\":\"1.0\"}", "model"},
      {"model is null", "{\"model\":null}", "model"},
      {"other version", With(good, "\"1.0\"", "\"9.9\""), "version"},
      {"model twice", "{\"model\":{},\"model\":{}}", "appears twice"},
      {"unknown model", With(good, "\"type\":\"BPE\"", "\"type\":\"XYZ\""), "model.type"},
      {"unknown normalizer", With(good, "\"NFKC\"", "\"NFXC\""), "normalizer.normalizers[0]"},
      {"normalizer without type", With(good, "{\"type\":\"NFKC\"}", "{}"), "normalizers[0].type"},
      {"unknown pre-tokenizer", With(good, "\"Whitespace\"", "\"Blackspace\""), "pre_tokenizer"},
      {"unknown post-processor", With(good, "TemplateProcessing", "Temple"), "post_processor"},
      {"unknown decoder", With(good, "\"decoder\":null", "\"decoder\":{\"type\":\"X\"}"),
       "decoder"},
      {"template without its token",
       With(good, "\"special_tokens\":{\"<s>\"", "\"special_tokens\":{\"<t>\""), "special_tokens"},
      {"template id not in the vocabulary", With(good, "\"ids\":[47]", "\"ids\":[4700]"), "4700"},
      {"negative template id", With(good, "\"ids\":[47]", "\"ids\":[-47]"), "ids[0]"},
      {"merge of unknown tokens", With(good, "\"a b\"", "\"a zz\""), "model.merges[0]: \"zz\""},
      {"merge to an unknown token", With(good, "\"a b\"", "\"b a\""), "merges to \"ba\""},
      {"merge with one token", With(good, "\"a b\"", "\"ab\""), "merges[0]"},
      {"merge with three tokens", With(good, "\"a b\"", "\"a b c\""), "merges[0]"},
      {"merge as a number", With(good, "\"a b\"", "7"), "merges[0]"},
      {"merge pair too short", With(good, "\"a b\"", "[\"a\"]"), "merges[0]"},
      {"merge pair too long", With(good, "\"a b\"", "[\"a\",\"b\",\"c\"]"), "merges[0]"},
      {"id is a string", With(good, "\"ab\":46", "\"ab\":\"46\""), "model.vocab.ab"},
      {"negative id", With(good, "\"ab\":46", "\"ab\":-1"), "id -1"},
      {"huge id", With(good, "\"ab\":46", "\"ab\":4611686018427387904"), "model.vocab.ab"},
      {"id given twice", With(good, "\"ab\":46", "\"ab\":45"), "also belongs to"},
      {"token twice", With(good, "\"ab\":46", "\"a\":46"), "appears twice"},
      {"vocabulary is an array", With(good, "\"vocab\":{", "\"vocab\":[],\"v\":{"), "model.vocab"},
      {"added token without content", With(good, "\"content\":\"<s>\"", "\"x\":1"),
       "added_tokens[0].content"},
      {"added token id is a string", With(good, "\"id\":47", "\"id\":\"47\""),
       "added_tokens[0].id"},
      {"added token with a model id", With(good, "\"id\":47", "\"id\":3"), "added_tokens[0]"},
      {"added token far away", With(good, "\"id\":47", "\"id\":4000000000"), "added_tokens[0]"},
      {"added tokens share an id", With(good, "\"id\":48", "\"id\":47"), "two added tokens"},
      {"added token twice", With(good, "\"<eot>\"", "\"<s>\""), "appears twice"},
      {"added tokens are no array", With(good, "\"added_tokens\":[", "\"added_tokens\":7,\"x\":["),
       "added_tokens"},
      {"padding of a negative length",
       With(good, "\"padding\":null", "\"padding\":{\"strategy\":{\"Fixed\":-1}}"), "padding"},
      {"truncation without length", With(good, "\"truncation\":null", "\"truncation\":{}"),
       "truncation.max_length"},
      {"dropout", With(good, "\"merges\":", "\"dropout\":0.1,\"merges\":"), "model.dropout"},
      {"lone surrogate", With(good, "\"ab\":46", "\"\\ud800\":46"), "not JSON"},
      {"invalid UTF-8", With(good, "\"ab\":46", "\"\xFF\":46"), "not JSON"},
      {"NUL outside strings", With(good, "\"merges\"", std::string("\0\"merges\"", 9)), "not JSON"},
      {"number overflow", With(good, "\"ab\":46", "\"ab\":1e999"), ""},
      {"deep nesting", "{\"model\":" + std::string(100000, '[') + "}", "nested"},
      {"deep components",
       With(good, "{\"type\":\"NFKC\"}",
            [] {
              std::string s;
              for (int i = 0; i < 100; ++i) s += "{\"type\":\"Sequence\",\"normalizers\":[";
              for (int i = 0; i < 100; ++i) s += "]}";
              return s;
            }()),
       "nested"},
  };
  const auto normalizer = [&](const std::string& name, const std::string& json,
                              const std::string& message) {
    cases.push_back({name, With(good, "{\"type\":\"NFKC\"}", json), message});
  };
  normalizer("replace without pattern", R"({"type":"Replace","content":"x"})", "pattern");
  normalizer("replace with a bad regex",
             R"({"type":"Replace","pattern":{"Regex":"(a"},"content":"x"})", "Regex");
  normalizer("prepend without text", R"({"type":"Prepend"})", "prepend");
  normalizer("charsmap no base64", R"({"type":"Precompiled","precompiled_charsmap":"*"})",
             "base64");
  normalizer("charsmap too short", R"({"type":"Precompiled","precompiled_charsmap":"AAA="})",
             "charsmap");
  normalizer("charsmap trie too long",
             R"({"type":"Precompiled","precompiled_charsmap":"/////wAAAAA="})", "charsmap");
  normalizer("charsmap of a hostile root",
             R"({"type":"Precompiled","precompiled_charsmap":"BAAAAP////8A"})", "charsmap");
  normalizer("strip with a string", R"({"type":"Strip","strip_left":"x"})", "strip_left");
  const auto pre = [&](const std::string& name, const std::string& json,
                       const std::string& message) {
    cases.push_back({name, With(good, "{\"type\":\"Whitespace\"}", json), message});
  };
  pre("split without behavior", R"({"type":"Split","pattern":{"String":" "},"invert":false})",
      "behavior");
  pre("split with an unknown behavior",
      R"({"type":"Split","pattern":{"String":" "},"behavior":"Eaten"})", "Eaten");
  pre("split without pattern", R"({"type":"Split","behavior":"Isolated"})", "pattern");
  pre("split with a bad regex",
      R"({"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated"})", "Regex");
  pre("split with a long regex",
      R"({"type":"Split","pattern":{"Regex":")" + std::string(5000, 'a') +
          R"("},"behavior":"Isolated"})",
      "bytes");
  pre("metaspace with two characters", R"({"type":"Metaspace","replacement":"ab"})",
      "exactly one character");
  pre("metaspace without replacement", R"({"type":"Metaspace"})", "replacement");
  pre("metaspace that contradicts itself",
      R"({"type":"Metaspace","replacement":"_","add_prefix_space":false,"prepend_scheme":"first"})",
      "prepend_scheme");
  pre("metaspace with an unknown scheme",
      R"({"type":"Metaspace","replacement":"_","prepend_scheme":"x"})", "\"x\"");
  pre("delimiter empty", R"({"type":"CharDelimiterSplit","delimiter":""})",
      "exactly one character");
  pre("fixed length 0", R"({"type":"FixedLength","length":0})", "length");
  pre("digits with a string", R"({"type":"Digits","individual_digits":"yes"})",
      "individual_digits");
  pre("sequence of nothing", R"({"type":"Sequence"})", "pretokenizers");
  const std::string models[][3] = {
      {"unigram without vocab", R"({"type":"Unigram"})", "vocab"},
      {"unigram with a bad piece", R"({"type":"Unigram","vocab":[["a"]]})", "vocab[0]"},
      {"unigram with a string score", R"({"type":"Unigram","vocab":[["a","b"]]})", "vocab[0][1]"},
      {"unigram with three parts", R"({"type":"Unigram","vocab":[["a",1.0,2.0]]})", "vocab[0]"},
      {"unigram unk outside", R"({"type":"Unigram","unk_id":1,"vocab":[["a",1.0]]})", "unk_id"},
      {"unigram unk negative", R"({"type":"Unigram","unk_id":-1,"vocab":[["a",1.0]]})", "unk_id"},
      {"wordpiece with negative length",
       R"({"type":"WordPiece","vocab":{"[UNK]":0},"max_input_chars_per_word":-1})",
       "max_input_chars_per_word"},
      {"wordlevel without vocab", R"({"type":"WordLevel"})", "vocab"},
      {"bpe without merges", R"({"type":"BPE","vocab":{"a":0}})", "merges"},
      {"bpe with a null vocab", R"({"type":"BPE","vocab":null,"merges":[]})", "vocab"},
  };
  for (const auto& [name, json, message] : models) {
    cases.push_back({name, "{\"version\":\"1.0\",\"model\":" + json + "}", message});
  }
  static_cast<void>(model);
  LoadOptions json;
  json.format = FileFormat::kHuggingFaceJson;  // damage may make it look like another format
  for (const Case& c : cases) Refused(c, json);
}

// Every value of a good file replaced by a value of another kind, or taken away: about 700 files.
TEST_F(BadFileTest, ValuesOfTheWrongKindNeverCrash) {
  const std::string good = TinyJson();
  const std::string others[] = {"null", "true", "-1", "1e30", "\"x\"", "[]", "{}", "[[1]]"};
  size_t files = 0;
  for (size_t at = good.find("\":"); at != std::string::npos; at = good.find("\":", at + 1)) {
    size_t begin = at + 2;
    size_t end = begin;
    int depth = 0;
    bool quoted = false;
    for (; end < good.size(); ++end) {
      const char c = good[end];
      if (c == '"' && good[end - 1] != '\\') quoted = !quoted;
      if (quoted) continue;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      if (depth < 0 || (depth == 0 && c == ',')) break;
    }
    for (const std::string& other : others) {
      ++files;
      Survives(good.substr(0, begin) + other + good.substr(end), LoadOptions());
    }
  }
  EXPECT_GT(files, 400u);
}

TEST_F(BadFileTest, TruncationAtEveryByteNeverCrashes) {
  const std::string json = TinyJson();
  for (size_t size = 0; size < json.size(); ++size) {
    const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(json.substr(0, size), "f");
    EXPECT_FALSE(t.ok()) << size;
  }
  const std::string ranks = TinyRanks(TinyMerges());
  for (size_t size = 0; size < ranks.size(); size += 3)
    Survives(ranks.substr(0, size), TinyOptions());
}

TEST_F(BadFileTest, SingleByteFlipsNeverCrash) {
  SeededRandom random;
  const std::string json = TinyJson();
  for (size_t i = 0; i < json.size(); ++i) {
    std::string file = json;
    file[i] = static_cast<char>(file[i] ^ (1 << random.Below(8)));
    Survives(file, LoadOptions());
  }
  const std::string ranks = TinyRanks(TinyMerges());
  for (size_t i = 0; i < ranks.size(); i += 2) {
    std::string file = ranks;
    file[i] = static_cast<char>(file[i] ^ (1 << random.Below(8)));
    Survives(file, TinyOptions());
  }
}

TEST_F(BadFileTest, LimitsAreRefusedNotExceeded) {
  const auto refused = [](LoadLimits limits, const std::string& file) {
    LoadOptions options = TinyOptions();
    options.limits = limits;
    EXPECT_THAT(ParseTokenizer(file, "bad.file", options),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bad.file")));
  };
  LoadLimits limits;
  limits.max_file_bytes = 100;
  refused(limits, TinyJson());
  limits = LoadLimits();
  limits.max_vocabulary = 40;
  refused(limits, TinyJson());
  refused(limits, TinyRanks());
  limits = LoadLimits();
  limits.max_merges = 0;
  refused(limits, TinyJson());
  limits = LoadLimits();
  limits.max_added_tokens = 2;
  refused(limits, TinyJson());
  limits = LoadLimits();
  limits.max_token_bytes = 2;
  refused(limits, TinyJson());
  refused(limits, TinyRanks({"abcd"}));
  limits = LoadLimits();
  limits.max_nesting = 3;
  refused(limits, TinyJson());
}

TEST_F(BadFileTest, UnknownContentAndMissingFilesSayWhatWasExpected) {
  EXPECT_THAT(ParseTokenizer("", "bad.file"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tokenizer.json")));
  EXPECT_THAT(ParseTokenizer("hello world", "bad.file"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bad.file")));
  EXPECT_THAT(LoadTokenizer("/no/such/file"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(LoadTokenizer("/"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("tokenizer.json")));
}

}  // namespace
}  // namespace penstock
