// SPDX-License-Identifier: Apache-2.0
//
// tokenizer.json as damage and attackers leave it: every field of every component with what it
// cannot be. More rows stand in bad_files_test.cc.
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/support/charsmap_writer.h"
#include "tests/tokenizer/bad_file.h"

namespace penstock {
namespace {

LoadOptions Json() {
  LoadOptions options;
  options.format = FileFormat::kHuggingFaceJson;  // damage may make it look like another format
  return options;
}

constexpr char kModel[] =
    R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<unk>":3},"merges":["a b"]})";

// A file of these parts; "" leaves one out.
std::string File(const std::string& key, const std::string& value) {
  std::string out = R"({"version":"1.0")";
  for (const char* part : {"truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                           "post_processor", "decoder"}) {
    if (key == part) out += ",\"" + key + "\":" + value;
  }
  return out + ",\"model\":" + (key == "model" ? value : kModel) + "}";
}

using Rows = std::initializer_list<BadFile>;

// Rows whose bytes are the value of one part of the file.
void ExpectPartRefused(const std::string& key, Rows rows) {
  std::vector<BadFile> files;
  for (BadFile row : rows) {
    row.bytes = File(key, row.bytes);
    files.push_back(row);
  }
  ExpectRefused(files, Json());
}

TEST(BadJsonTest, TheFileThatIsDamagedHereIsGood) {
  for (const char* key : {"truncation", "padding", "normalizer", "pre_tokenizer", "post_processor",
                          "decoder", "added_tokens"}) {
    EXPECT_TRUE(ParseTokenizer(File(key, "null"), "good", Json()).ok()) << key;
  }
}

TEST(BadJsonTest, WhatIsNoJson) {
  const std::string good = File("decoder", "null");
  ExpectRefused(
      {{"nothing", "", kDataLoss, "not JSON"},
       {"white space only", " \n\t ", kDataLoss, "not JSON"},
       {"a NUL", std::string(1, '\0'), kDataLoss, "not JSON"},
       {"1 MB of NULs", std::string(1 << 20, '\0'), kDataLoss, "not JSON"},
       {"byte order mark", "\xEF\xBB\xBF" + good, kDataLoss, "byte order mark"},
       {"UTF-16, little endian", "\xFF\xFE{\0\"\0", kDataLoss, "not JSON"},
       {"UTF-16, big endian", "\xFE\xFF", kDataLoss, "not JSON"},
       {"an array", "[1]", kDataLoss, "expected a JSON object"},
       {"a string", "\"tokenizer\"", kDataLoss, "expected a JSON object"},
       {"a number", "7", kDataLoss, "expected a JSON object"},
       {"null", "null", kDataLoss, "expected a JSON object"},
       {"two documents", good + good, kDataLoss, "not JSON"},
       {"something behind the end", good + "x", kDataLoss, "not JSON"},
       {"a comment", "// tokenizer\n" + good, kDataLoss, "not JSON"},
       {"single quotes", "{'version':'1.0'}", kDataLoss, "not JSON"},
       {"a bare key", "{version:\"1.0\"}", kDataLoss, "not JSON"},
       {"NaN", File("model", "NaN"), kDataLoss, "not JSON"},
       {"Infinity", File("model", "Infinity"), kDataLoss, "not JSON"},
       {"a number with a leading zero", File("model", "01"), kDataLoss, "not JSON"},
       {"a number with a plus", File("model", "+1"), kDataLoss, "not JSON"},
       {"a hexadecimal number", File("model", "0x10"), kDataLoss, "not JSON"},
       {"True of Python", File("model", "True"), kDataLoss, "not JSON"},
       {"a string without end", "{\"version", kDataLoss, "not JSON"},
       {"a control character in a string", With(good, "1.0", "1\n0"), kDataLoss, "not JSON"},
       {"an unknown escape", With(good, "1.0", "\\x41"), kDataLoss, "not JSON"},
       {"half an escape", With(good, "1.0", "\\u00"), kDataLoss, "not JSON"},
       {"a low surrogate alone", With(good, "\"a\"", "\"\\udc00\""), kDataLoss, "not JSON"},
       {"two high surrogates", With(good, "\"a\"", "\"\\ud83d\\ud83d\""), kDataLoss, "not JSON"},
       {"a surrogate in UTF-8", With(good, "\"a\"", "\"\xED\xA0\x80\""), kDataLoss, "not JSON"},
       {"overlong UTF-8", With(good, "\"a\"", "\"\xC0\xAF\""), kDataLoss, "not JSON"},
       {"UTF-8 beyond U+10FFFF", With(good, "\"a\"", "\"\xF4\x90\x80\x80\""), kDataLoss,
        "not JSON"},
       {"half a character", With(good, "\"a\"", "\"\xE4\xB8\""), kDataLoss, "not JSON"},
       {"brackets that do not match", "{\"model\":[}]", kDataLoss, "not JSON"},
       {"a hundred thousand objects in each other",
        Repeat("{\"a\":", 100000) + "1" + Repeat("}", 100000), kTooMuch, "nested"},
       {"nesting one beyond the limit", File("decoder", Repeat("[", 64) + Repeat("]", 64)),
        kTooMuch, "nested"},
       {"an HTML page of an error", "<!DOCTYPE html><html>404</html>", kDataLoss, "not JSON"},
       {"a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        kDataLoss, "not JSON"}},
      Json());
}

TEST(BadJsonTest, TheTopLevel) {
  const std::string good = File("decoder", "null");
  ExpectRefused(
      {{"an empty object", "{}", kDataLoss, "model"},
       {"version as a number", With(good, "\"1.0\"", "1.0"), kDataLoss,
        "version: is a number, expected a string"},
       {"version null", With(good, "\"1.0\"", "null"), kDataLoss, "version: is null"},
       {"version empty", With(good, "\"1.0\"", "\"\""), kUnknown, "expected \"1.0\""},
       {"model as an array", File("model", "[]"), kDataLoss, "model: expected an object"},
       {"model as a string", File("model", "\"BPE\""), kDataLoss, "model: expected an object"},
       {"decoder twice", With(good, "\"decoder\"", "\"decoder\":null,\"decoder\""), kDataLoss,
        "decoder: the key appears twice"},
       {"type twice in a component", File("normalizer", R"({"type":"NFC","type":"NFD"})"),
        kDataLoss, "normalizer.type: the key appears twice"},
       {"content twice in an added token",
        File("added_tokens", R"([{"id":4,"content":"x","content":"y"}])"), kDataLoss,
        "added_tokens[0].content: the key appears twice"},
       {"vocab twice in the model",
        File("model", R"({"type":"BPE","vocab":{},"vocab":{},"merges":[]})"), kDataLoss,
        "model.vocab: the key appears twice"}},
      Json());
}

TEST(BadJsonTest, AddedTokens) {
  const auto flag = [](const char* name) {
    return "[{\"id\":4,\"content\":\"x\",\"" + std::string(name) + "\":1}]";
  };
  ExpectPartRefused(
      "added_tokens",
      {{"an object", "{}", kDataLoss, "added_tokens: is an object, expected an array"},
       {"a string", "\"x\"", kDataLoss, "expected an array"},
       {"a token as a string", "[\"<s>\"]", kDataLoss, "added_tokens[0].content: is missing"},
       {"a token as null", "[null]", kDataLoss, "added_tokens[0]"},
       {"a token as an array", "[[4,\"<s>\"]]", kDataLoss, "added_tokens[0]"},
       {"no id", R"([{"content":"x"}])", kDataLoss, "added_tokens[0].id: is missing"},
       {"id null", R"([{"id":null,"content":"x"}])", kDataLoss, "added_tokens[0].id: is null"},
       {"id as a fraction", R"([{"id":4.5,"content":"x"}])", kDataLoss, "expected an integer"},
       {"id as true", R"([{"id":true,"content":"x"}])", kDataLoss, "expected an integer"},
       {"id -1", R"([{"id":-1,"content":"x"}])", kDataLoss, "added_tokens[0].id: is -1"},
       {"id 2^31", R"([{"id":2147483648,"content":"x"}])", kTooMuch, "is 2147483648"},
       {"id 2^32 + 4", R"([{"id":4294967300,"content":"x"}])", kTooMuch, "is 4294967300"},
       {"id 2^63", R"([{"id":9223372036854775808,"content":"x"}])", kDataLoss,
        "expected an integer"},
       {"id 2^64", R"([{"id":18446744073709551616,"content":"x"}])", kDataLoss,
        "expected an integer"},
       {"content null", R"([{"id":4,"content":null}])", kDataLoss, "content: is null"},
       {"content as a number", R"([{"id":4,"content":7}])", kDataLoss, "content: is a number"},
       {"content as an array", R"([{"id":4,"content":["x"]}])", kDataLoss, "content: is an array"},
       {"single_word as a number", flag("single_word"), kDataLoss, "[0].single_word: is a number"},
       {"lstrip as a number", flag("lstrip"), kDataLoss, "[0].lstrip: is a number"},
       {"rstrip as a number", flag("rstrip"), kDataLoss, "[0].rstrip: is a number"},
       {"normalized as a number", flag("normalized"), kDataLoss, "[0].normalized: is a number"},
       {"special as a number", flag("special"), kDataLoss, "[0].special: is a number"},
       {"special as a string", R"([{"id":4,"content":"x","special":"true"}])", kDataLoss,
        "special: is a string, expected true or false"},
       {"an id of the model for other text", R"([{"id":0,"content":"x"}])", kDataLoss,
        "\"x\" has id 0, which is \"a\""},
       {"another id than the model's for its token", R"([{"id":4,"content":"a"}])", kDataLoss,
        "the model's vocabulary gives it 0"},
       {"a token twice", R"([{"id":4,"content":"x"},{"id":5,"content":"x"}])", kDataLoss,
        "added_tokens[1]: \"x\" appears twice"},
       {"an id twice", R"([{"id":4,"content":"x"},{"id":4,"content":"y"}])", kDataLoss,
        "id 4 belongs to two added tokens"},
       {"a token of more than 64 KiB",
        R"([{"id":4,"content":")" + std::string((64 << 10) + 1, 'x') + "\"}]", kTooMuch,
        "added_tokens[0].content: 65537 bytes"},
       {"65537 tokens",
        [] {
          std::string all;
          for (int i = 0; i <= 65536; ++i) {
            all += (i == 0 ? "[{\"id\":" : ",{\"id\":") + std::to_string(i + 4) +
                   ",\"content\":\"t" + std::to_string(i) + "\"}";
          }
          return all + "]";
        }(),
        kTooMuch, "added_tokens[65536]: more than 65536"}});
}

TEST(BadJsonTest, TruncationAndPadding) {
  ExpectPartRefused(
      "truncation",
      {{"an array", "[]", kDataLoss, "truncation.max_length: is missing"},
       {"a number", "512", kDataLoss, "truncation.max_length: is missing"},
       {"max_length null", R"({"max_length":null})", kDataLoss, "max_length: is null"},
       {"max_length as a string", R"({"max_length":"512"})", kDataLoss, "max_length: is a string"},
       {"max_length negative", R"({"max_length":-1})", kDataLoss, "max_length: is -1"},
       {"max_length as a fraction", R"({"max_length":1.5})", kDataLoss, "expected an integer"},
       {"stride negative", R"({"max_length":8,"stride":-8})", kDataLoss, "stride: is -8"},
       {"stride as true", R"({"max_length":8,"stride":true})", kDataLoss, "stride: is true"},
       {"direction unknown", R"({"max_length":8,"direction":"Up"})", kDataLoss,
        "direction: is \"Up\", expected one of Right, Left"},
       {"direction as a number", R"({"max_length":8,"direction":1})", kDataLoss, "direction"},
       {"strategy unknown", R"({"max_length":8,"strategy":"Best"})", kDataLoss,
        "strategy: is \"Best\""},
       {"strategy as an object", R"({"max_length":8,"strategy":{}})", kDataLoss, "strategy"}});
  ExpectPartRefused(
      "padding",
      {{"strategy unknown", R"({"strategy":"Longest"})", kDataLoss, "strategy: is \"Longest\""},
       {"strategy as a number", R"({"strategy":8})", kDataLoss, "strategy: is a number"},
       {"strategy of another name", R"({"strategy":{"Fix":8}})", kDataLoss, "Fixed: is missing"},
       {"Fixed null", R"({"strategy":{"Fixed":null}})", kDataLoss, "Fixed: is null"},
       {"Fixed negative", R"({"strategy":{"Fixed":-8}})", kDataLoss, "Fixed: is -8"},
       {"Fixed as a string", R"({"strategy":{"Fixed":"8"}})", kDataLoss, "Fixed: is a string"},
       {"Fixed of 2^64", R"({"strategy":{"Fixed":18446744073709551616}})", kDataLoss,
        "expected an integer"},
       {"direction unknown", R"({"direction":"left"})", kDataLoss, "direction: is \"left\""},
       {"pad_id negative", R"({"pad_id":-1})", kDataLoss, "pad_id: is -1"},
       {"pad_id of 2^32", R"({"pad_id":4294967296})", kDataLoss, "pad_id: is 4294967296"},
       {"pad_id as a string", R"({"pad_id":"0"})", kDataLoss, "pad_id: is a string"},
       {"pad_type_id of 2^32", R"({"pad_type_id":4294967296})", kDataLoss, "pad_type_id"},
       {"pad_to_multiple_of negative", R"({"pad_to_multiple_of":-8})", kDataLoss, "is -8"},
       {"pad_to_multiple_of as a fraction", R"({"pad_to_multiple_of":8.5})", kDataLoss,
        "pad_to_multiple_of"}});
}

TEST(BadJsonTest, Normalizers) {
  const auto charsmap = [](const std::string& blob) {
    return R"({"type":"Precompiled","precompiled_charsmap":")" + absl::Base64Escape(blob) + "\"}";
  };
  const std::string doubling = R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})";
  std::string bomb = doubling;
  for (int i = 0; i < 39; ++i) bomb += "," + doubling;
  ExpectPartRefused(
      "normalizer",
      {{"a string", "\"NFC\"", kDataLoss, "normalizer.type: is missing"},
       {"an array", "[{\"type\":\"NFC\"}]", kDataLoss, "normalizer.type: is missing"},
       {"an empty object", "{}", kDataLoss, "normalizer.type: is missing"},
       {"type null", R"({"type":null})", kDataLoss, "normalizer.type: is null"},
       {"type as a number", R"({"type":1})", kDataLoss, "normalizer.type: is a number"},
       {"type empty", R"({"type":""})", kUnknown, "normalizer type \"\""},
       {"type in lower case", R"({"type":"nfc"})", kUnknown, "\"nfc\""},
       {"type of a pre-tokenizer", R"({"type":"Whitespace"})", kUnknown, "\"Whitespace\""},
       {"sequence without members", R"({"type":"Sequence"})", kDataLoss, "normalizers: is missing"},
       {"sequence of an object", R"({"type":"Sequence","normalizers":{}})", kDataLoss,
        "normalizers: is an object"},
       {"sequence of strings", R"({"type":"Sequence","normalizers":["NFC"]})", kDataLoss,
        "normalizers[0].type: is missing"},
       {"sequence whose second is unknown",
        R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"X"}]})", kUnknown,
        "normalizer.normalizers[1]"},
       {"bert: clean_text as a string", R"({"type":"BertNormalizer","clean_text":"yes"})",
        kDataLoss, "clean_text: is a string"},
       {"bert: handle_chinese_chars as 1", R"({"type":"BertNormalizer","handle_chinese_chars":1})",
        kDataLoss, "handle_chinese_chars"},
       {"bert: strip_accents as a string", R"({"type":"BertNormalizer","strip_accents":"no"})",
        kDataLoss, "strip_accents"},
       {"bert: lowercase as an object", R"({"type":"BertNormalizer","lowercase":{}})", kDataLoss,
        "lowercase: is an object"},
       {"strip: strip_right as 0", R"({"type":"Strip","strip_right":0})", kDataLoss, "strip_right"},
       {"replace: pattern as a string", R"({"type":"Replace","pattern":"a","content":"b"})",
        kDataLoss, "pattern.Regex: is missing"},
       {"replace: pattern of another name",
        R"({"type":"Replace","pattern":{"Glob":"*"},"content":"b"})", kDataLoss,
        "pattern.Regex: is missing"},
       {"replace: literal as a number",
        R"({"type":"Replace","pattern":{"String":1},"content":"b"})", kDataLoss, "pattern.String"},
       {"replace: content missing", R"({"type":"Replace","pattern":{"String":"a"}})", kDataLoss,
        "content: is missing"},
       {"replace: content null", R"({"type":"Replace","pattern":{"String":"a"},"content":null})",
        kDataLoss, "content: is null"},
       {"replace: regex null", R"({"type":"Replace","pattern":{"Regex":null},"content":"b"})",
        kDataLoss, "pattern.Regex: is null"},
       {"replace: forty times twice as long", R"({"type":"Sequence","normalizers":[)" + bomb + "]}",
        kTooMuch, "normalizers[10]: lengthens a text 2048 times"},
       {"replace: one byte by 1025",
        R"({"type":"Replace","pattern":{"Regex":"a"},"content":")" + std::string(1025, 'x') + "\"}",
        kTooMuch, "lengthens a text 1025 times"},
       {"replace: nothing by 512 bytes, around every character",
        R"({"type":"Replace","pattern":{"String":""},"content":")" + std::string(512, 'x') + "\"}",
        kTooMuch, "lengthens a text 1025 times"},
       {"replace: a regex that may match nothing",
        R"({"type":"Replace","pattern":{"Regex":"b*"},"content":")" + std::string(512, 'x') + "\"}",
        kTooMuch, "lengthens a text 1025 times"},
       {"prepend: 64 KiB", R"({"type":"Prepend","prepend":")" + std::string(65536, 'x') + "\"}",
        kTooMuch, "lengthens a text"},
       {"prepend: a number", R"({"type":"Prepend","prepend":1})", kDataLoss,
        "prepend: is a number"},
       {"byte level eleven times",
        R"({"type":"Sequence","normalizers":[)" + Repeat(R"({"type":"ByteLevel"},)", 10) +
            R"({"type":"ByteLevel"}]})",
        kTooMuch, "normalizers[10]: lengthens"},
       {"charsmap missing", R"({"type":"Precompiled"})", kDataLoss,
        "precompiled_charsmap: is missing"},
       {"charsmap null", R"({"type":"Precompiled","precompiled_charsmap":null})", kDataLoss,
        "precompiled_charsmap: is null"},
       {"charsmap as an array of bytes", R"({"type":"Precompiled","precompiled_charsmap":[1,2]})",
        kDataLoss, "is an array"},
       {"charsmap in base64 cut short", R"({"type":"Precompiled","precompiled_charsmap":"AAAAA"})",
        kDataLoss, "base64"},
       {"charsmap without a trie", charsmap(CharsmapBlob(0, "", std::string(1, '\0'))), kDataLoss,
        "multiple of 1024"},
       {"charsmap of a replacement of 1025 bytes",
        charsmap(WriteCharsmap({{"a", std::string(1025, 'b')}})), kTooMuch, "1025 bytes"},
       {"two charsmaps of 100 bytes each",
        R"({"type":"Sequence","normalizers":[)" +
            charsmap(WriteCharsmap({{"a", std::string(100, 'a')}})) + "," +
            charsmap(WriteCharsmap({{"a", std::string(100, 'a')}})) + "]}",
        kTooMuch, "normalizers[1]: lengthens a text 10000 times"},
       {"charsmap above its limit",
        R"({"type":"Precompiled","precompiled_charsmap":")" + std::string(23 << 20, 'A') + "\"}",
        kTooMuch, "precompiled_charsmap"}});
}

std::string Split(const std::string& regex) {
  return R"({"type":"Split","behavior":"Isolated","pattern":{"Regex":")" + regex + "\"}}";
}

TEST(BadJsonTest, PreTokenizers) {
  ExpectPartRefused(
      "pre_tokenizer",
      {{"a string", "\"ByteLevel\"", kDataLoss, "pre_tokenizer.type: is missing"},
       {"type empty", R"({"type":""})", kUnknown, "pre-tokenizer type \"\""},
       {"type of a normalizer", R"({"type":"NFC"})", kUnknown, "\"NFC\""},
       {"sequence of null", R"({"type":"Sequence","pretokenizers":null})", kDataLoss,
        "pretokenizers: is null"},
       {"sequence with null in it", R"({"type":"Sequence","pretokenizers":[null]})", kDataLoss,
        "pretokenizers[0].type: is missing"},
       {"byte level: add_prefix_space as 1", R"({"type":"ByteLevel","add_prefix_space":1})",
        kDataLoss, "add_prefix_space"},
       {"byte level: use_regex as a string", R"({"type":"ByteLevel","use_regex":"x"})", kDataLoss,
        "use_regex"},
       {"byte level eleven times",
        R"({"type":"Sequence","pretokenizers":[)" + Repeat(R"({"type":"ByteLevel"},)", 10) +
            R"({"type":"ByteLevel"}]})",
        kTooMuch, "pretokenizers[10]: lengthens"},
       {"split: behavior null", R"({"type":"Split","pattern":{"String":" "},"behavior":null})",
        kDataLoss, "behavior: is null"},
       {"split: behavior in lower case",
        R"({"type":"Split","pattern":{"String":" "},"behavior":"isolated"})", kDataLoss,
        "is \"isolated\", expected Removed"},
       {"split: invert as a string",
        R"({"type":"Split","pattern":{"String":" "},"behavior":"Isolated","invert":"no"})",
        kDataLoss, "invert"},
       {"split: pattern null", R"({"type":"Split","pattern":null,"behavior":"Isolated"})",
        kDataLoss, "pattern.Regex: is missing"},
       {"split: literal as an array",
        R"({"type":"Split","pattern":{"String":[]},"behavior":"Isolated"})", kDataLoss,
        "pattern.String: is an array"},
       {"metaspace: replacement empty", R"({"type":"Metaspace","replacement":""})", kDataLoss,
        "exactly one character"},
       {"metaspace: replacement a number", R"({"type":"Metaspace","replacement":95})", kDataLoss,
        "replacement: is a number"},
       {"metaspace: split as 1", R"({"type":"Metaspace","replacement":"_","split":1})", kDataLoss,
        "split: is a number"},
       {"metaspace: prepend_scheme true",
        R"({"type":"Metaspace","replacement":"_","prepend_scheme":true})", kDataLoss,
        "prepend_scheme: is true"},
       {"delimiter missing", R"({"type":"CharDelimiterSplit"})", kDataLoss,
        "delimiter: is missing"},
       {"delimiter of two characters", R"({"type":"CharDelimiterSplit","delimiter":"ab"})",
        kDataLoss, "exactly one character"},
       {"punctuation: behavior unknown", R"({"type":"Punctuation","behavior":"x"})", kDataLoss,
        "is \"x\""},
       {"punctuation: behavior null", R"({"type":"Punctuation","behavior":null})", kDataLoss,
        "behavior: is null"},
       {"fixed length -5", R"({"type":"FixedLength","length":-5})", kDataLoss, "length: is -5"},
       {"fixed length as a string", R"({"type":"FixedLength","length":"5"})", kDataLoss,
        "length: is a string"}});
}

TEST(BadJsonTest, Patterns) {
  ExpectPartRefused(
      "pre_tokenizer",
      {{"a group without end", Split("(a"), kWrong, "pattern"},
       {"an end without group", Split("a)"), kWrong, "pattern"},
       {"a class without end", Split("[a-"), kWrong, "pattern"},
       {"a range backwards", Split("[z-a]"), kWrong, "pattern"},
       {"nothing to repeat", Split("*a"), kWrong, "pattern"},
       {"a repetition backwards", Split("a{3,2}"), kWrong, "pattern"},
       {"a repetition of a million", Split("a{1000000}"), kWrong, "pattern"},
       {"a backslash at the end", Split("a\\\\"), kWrong, "pattern"},
       {"an unknown property", Split("\\\\p{Klingon}"), kUnknown, "pattern"},
       {"a property without end", Split("\\\\p{L"), kWrong, "pattern"},
       {"a code point beyond the last", Split("\\\\x{110000}"), kWrong, "pattern"},
       {"a reference to no group", Split("(a)\\\\7"), kWrong, "pattern"},
       {"a look-behind without bound", Split("(?<=a+)b"), kWrong, "pattern"},
       {"repetitions that multiply to 10^9", Split("(((a{1000}){1000}){1000})"), kWrong, "pattern"},
       {"a thousand groups in each other", Split(Repeat("(", 1000) + "a" + Repeat(")", 1000)),
        kWrong, "pattern"},
       {"one byte beyond the limit", Split(std::string(4097, 'a')), kTooMuch,
        "pattern of 4097 bytes"},
       {"a single byte of a character", Split("\\\\C"), kUnknown, "pattern"},
       {"calling out", Split("(?C1)a"), kUnknown, "pattern"},
       {"a verb that changes the mode", Split("(*UTF)a(*NO_SUCH)"), kWrong, "pattern"}});
}

TEST(BadJsonTest, PostProcessors) {
  const auto bert = [](const std::string& sep, const std::string& cls) {
    return R"({"type":"BertProcessing","sep":)" + sep + R"(,"cls":)" + cls + "}";
  };
  const auto whole = [](const std::string& single, const std::string& specials) {
    return R"({"type":"TemplateProcessing","single":)" + single +
           R"(,"pair":[],"special_tokens":)" + specials + "}";
  };
  const std::string a = R"({"Sequence":{"id":"A","type_id":0}})";
  const std::string s = R"([{"SpecialToken":{"id":"s","type_id":0}}])";
  ExpectPartRefused(
      "post_processor",
      {{"a string", "\"ByteLevel\"", kDataLoss, "post_processor.type: is missing"},
       {"type unknown", R"({"type":"T5"})", kUnknown, "\"T5\""},
       {"type of a decoder", R"({"type":"WordPiece"})", kUnknown, "\"WordPiece\""},
       {"sequence without members", R"({"type":"Sequence"})", kDataLoss, "processors: is missing"},
       {"byte level: trim_offsets as 1", R"({"type":"ByteLevel","trim_offsets":1})", kDataLoss,
        "trim_offsets"},
       {"bert without cls", R"({"type":"BertProcessing","sep":["a",0]})", kDataLoss,
        "cls: is missing"},
       {"bert: sep as a string", bert("\"a\"", R"(["b",1])"), kDataLoss, "sep: is a string"},
       {"bert: sep of one", bert(R"(["a"])", R"(["b",1])"), kDataLoss, "sep: expected [token, id]"},
       {"bert: sep of three", bert(R"(["a",0,1])", R"(["b",1])"), kDataLoss, "[token, id]"},
       {"bert: sep turned round", bert(R"([0,"a"])", R"(["b",1])"), kDataLoss, "sep[0]"},
       {"bert: id -1", bert(R"(["a",-1])", R"(["b",1])"), kDataLoss, "sep[1]: is no token id"},
       {"bert: id 2^31", bert(R"(["a",2147483648])", R"(["b",1])"), kDataLoss, "no token id"},
       {"bert: id not in the vocabulary", bert(R"(["a",77])", R"(["b",1])"), kWrong, "77"},
       {"roberta: add_prefix_space as 1",
        R"({"type":"RobertaProcessing","sep":["a",0],"cls":["b",1],"add_prefix_space":1})",
        kDataLoss, "add_prefix_space"},
       {"template: single missing", R"({"type":"TemplateProcessing","pair":[]})", kDataLoss,
        "single: is missing"},
       {"template: single as the string of Python", whole("\"<s> $A\"", "{}"), kDataLoss,
        "single: is a string"},
       {"template: pair missing", R"({"type":"TemplateProcessing","single":[]})", kDataLoss,
        "pair: is missing"},
       {"template: a part as a string", whole(R"(["$A"])", "{}"), kDataLoss, "single[0]"},
       {"template: a part of another name", whole(R"([{"Token":{"id":"A"}}])", "{}"), kDataLoss,
        "single[0].SpecialToken.id: is missing"},
       {"template: sequence C", whole(R"([{"Sequence":{"id":"C","type_id":0}}])", "{}"), kDataLoss,
        "expected A or B"},
       {"template: B in single", whole(R"([{"Sequence":{"id":"B","type_id":0}}])", "{}"), kDataLoss,
        "Sequence B in the template of a single text"},
       {"template: type_id as a string", whole(R"([{"Sequence":{"id":"A","type_id":"0"}}])", "{}"),
        kDataLoss, "type_id: is a string"},
       {"template: type_id -1", whole(R"([{"Sequence":{"id":"A","type_id":-1}}])", "{}"), kDataLoss,
        "type_id: is -1"},
       {"template: type_id 2^32", whole(R"([{"Sequence":{"id":"A","type_id":4294967296}}])", "{}"),
        kDataLoss, "type_id: is 4294967296"},
       {"template: special_tokens missing",
        R"({"type":"TemplateProcessing","single":)" + s + R"(,"pair":[]})", kDataLoss,
        "\"s\" is not in special_tokens"},
       {"template: special_tokens as an array", whole(s, "[]"), kDataLoss, "not in special_tokens"},
       {"template: special token without ids", whole(s, R"({"s":{"id":"s"}})"), kDataLoss,
        "post_processor.special_tokens.s.ids: is missing"},
       {"template: ids as a number", whole(s, R"({"s":{"ids":0}})"), kDataLoss, "ids: is a number"},
       {"template: ids of strings", whole(s, R"({"s":{"ids":["0"]}})"), kDataLoss, "ids[0]"},
       {"template: ids beyond the vocabulary", whole(s, R"({"s":{"ids":[0,4]}})"), kWrong,
        "special token id 4 is not in the vocabulary"},
       {"template: the text 1025 times", whole("[" + a + Repeat("," + a, 1024) + "]", "{}"),
        kTooMuch, "single[1024]: a template of more than 1024 parts"}});
}

TEST(BadJsonTest, Decoders) {
  ExpectPartRefused(
      "decoder",
      {{"a string", "\"ByteLevel\"", kDataLoss, "decoder.type: is missing"},
       {"type unknown", R"({"type":"Bytes"})", kUnknown, "decoder type \"Bytes\""},
       {"sequence of a string", R"({"type":"Sequence","decoders":"x"})", kDataLoss,
        "decoders: is a string"},
       {"sequence whose third is unknown",
        R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Fuse"},{"type":"X"}]})",
        kUnknown, "decoders[2]"},
       {"word piece: prefix as a number", R"({"type":"WordPiece","prefix":2})", kDataLoss,
        "prefix"},
       {"word piece: cleanup as a string", R"({"type":"WordPiece","cleanup":"x"})", kDataLoss,
        "cleanup"},
       {"metaspace: replacement missing", R"({"type":"Metaspace"})", kDataLoss,
        "replacement: is missing"},
       {"metaspace: replacement of two", R"({"type":"Metaspace","replacement":"__"})", kDataLoss,
        "exactly one character"},
       {"metaspace: add_prefix_space as 1",
        R"({"type":"Metaspace","replacement":"_","add_prefix_space":1})", kDataLoss,
        "add_prefix_space"},
       {"bpe: suffix as an array", R"({"type":"BPEDecoder","suffix":[]})", kDataLoss, "suffix"},
       {"ctc: pad_token as null in an array", R"({"type":"CTC","pad_token":[null]})", kDataLoss,
        "pad_token: is an array"},
       {"ctc: word_delimiter_token as 1", R"({"type":"CTC","word_delimiter_token":1})", kDataLoss,
        "word_delimiter_token"},
       {"ctc: cleanup as 1", R"({"type":"CTC","cleanup":1})", kDataLoss, "cleanup"},
       {"strip: content missing", R"({"type":"Strip","start":1,"stop":0})", kDataLoss,
        "content: is missing"},
       {"strip: content empty", R"({"type":"Strip","content":"","start":1,"stop":0})", kDataLoss,
        "exactly one character"},
       {"strip: start missing", R"({"type":"Strip","content":" ","stop":0})", kDataLoss,
        "start: is missing"},
       {"strip: start negative", R"({"type":"Strip","content":" ","start":-1,"stop":0})", kDataLoss,
        "negative"},
       {"strip: stop as a fraction", R"({"type":"Strip","content":" ","start":1,"stop":0.5})",
        kDataLoss, "stop"},
       {"replace: pattern missing", R"({"type":"Replace","content":" "})", kDataLoss,
        "pattern.Regex: is missing"},
       {"replace: content missing", R"({"type":"Replace","pattern":{"String":"a"}})", kDataLoss,
        "content: is missing"},
       {"replace: a bad regex", R"({"type":"Replace","pattern":{"Regex":"("},"content":""})",
        kWrong, "pattern.Regex"},
       {"replace: one byte by 2000",
        R"({"type":"Replace","pattern":{"String":"a"},"content":")" + std::string(2000, 'x') +
            "\"}",
        kTooMuch, "lengthens a text 2000 times"}});
}

TEST(BadJsonTest, Bpe) {
  const auto bpe = [](const std::string& more) {
    return R"({"type":"BPE",)" + more + R"(,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]})";
  };
  const auto merges = [](const std::string& array) {
    return R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"a b":3},"merges":)" + array + "}";
  };
  const auto vocab = [](const std::string& object) {
    return R"({"type":"BPE","vocab":)" + object + R"(,"merges":[]})";
  };
  ExpectPartRefused(
      "model",
      {{"type as a number", R"({"type":1,"vocab":{}})", kDataLoss, "model.type"},
       {"type in lower case", R"({"type":"bpe","vocab":{}})", kUnknown, "\"bpe\""},
       {"dropout as a string", bpe(R"("dropout":"0")"), kDataLoss, "dropout: is a string"},
       {"dropout negative", bpe(R"("dropout":-0.1)"), kDataLoss, "not within 0 to 1"},
       {"dropout of 2", bpe(R"("dropout":2)"), kDataLoss, "not within 0 to 1"},
       {"unk_token as a number", bpe(R"("unk_token":3)"), kDataLoss, "unk_token: is a number"},
       {"unk_token empty", bpe(R"("unk_token":"")"), kDataLoss, "unk_token"},
       {"continuing_subword_prefix as 1", bpe(R"("continuing_subword_prefix":1)"), kDataLoss,
        "continuing_subword_prefix"},
       {"end_of_word_suffix as true", bpe(R"("end_of_word_suffix":true)"), kDataLoss,
        "end_of_word_suffix"},
       {"fuse_unk as a string", bpe(R"("fuse_unk":"true")"), kDataLoss, "fuse_unk"},
       {"byte_fallback as 1", bpe(R"("byte_fallback":1)"), kDataLoss, "byte_fallback"},
       {"ignore_merges as 1", bpe(R"("ignore_merges":1)"), kDataLoss, "ignore_merges"},
       {"a prefix longer than the right side of a merge",
        bpe(R"("continuing_subword_prefix":"####")"), kDataLoss,
        "merges[0]: \"b\" is shorter than continuing_subword_prefix"},
       {"merges null", merges("null"), kDataLoss, "model.merges: is null"},
       {"merges as an object", merges("{}"), kDataLoss, "merges: is an object"},
       {"merges as one text", merges(R"("a b")"), kDataLoss, "merges: is a string"},
       {"a merge null", merges("[null]"), kDataLoss, "merges[0]"},
       {"a merge empty", merges(R"([""])"), kDataLoss, "merges[0]"},
       {"a merge of a space", merges(R"([" "])"), kDataLoss, "merges[0]"},
       {"a merge of an empty pair", merges(R"([[]])"), kDataLoss, "expected two tokens"},
       {"a merge of empty texts", merges(R"([["",""]])"), kDataLoss, "not in the vocabulary"},
       {"a merge of numbers", merges("[[0,1]]"), kDataLoss, "merges[0][0]"},
       {"a merge with a pair in it", merges(R"([["a",["b"]]])"), kDataLoss, "merges[0][1]"},
       {"a merge with two spaces", merges(R"(["a  b"])"), kDataLoss, "merges[0]"},
       {"a merge with a tab", merges(R"(["a\tb"])"), kDataLoss, "merges[0]"},
       {"a version line further down", merges(R"(["a b","#version: 0.2"])"), kDataLoss,
        "merges[1]"},
       {"vocab as a string", vocab("\"x\""), kDataLoss, "vocab: is a string"},
       {"vocab of pieces with scores", vocab(R"([["a",0]])"), kDataLoss, "vocab: is an array"},
       {"id null", vocab(R"({"a":null})"), kDataLoss, "vocab.a: is null"},
       {"id as a fraction", vocab(R"({"a":0.5})"), kDataLoss, "vocab.a: is a number, expected an"},
       {"id as an array", vocab(R"({"a":[0]})"), kDataLoss, "vocab.a: is an array"},
       {"id of 2^22", vocab(R"({"a":4194304})"), kTooMuch, "expected 0 to 4194303"},
       {"id of 2^64", vocab(R"({"a":18446744073709551616})"), kDataLoss, "expected an integer"},
       {"an id twice", vocab(R"({"a":0,"b":0})"), kDataLoss, "id 0 also belongs to \"a\""},
       {"a token twice", vocab(R"({"a":0,"a":1})"), kDataLoss, "the token appears twice"},
       {"a token of more than 64 KiB", vocab("{\"" + std::string((64 << 10) + 1, 'x') + "\":0}"),
        kTooMuch, "token of 65537"}});
}

TEST(BadJsonTest, OtherModels) {
  const auto unigram = [](const std::string& vocab, const std::string& more = "") {
    return R"({"type":"Unigram","vocab":)" + vocab + more + "}";
  };
  const auto words = [](const std::string& more) {
    return R"({"type":"WordPiece","vocab":{"[UNK]":0,"a":1})" + more + "}";
  };
  ExpectPartRefused(
      "model",
      {{"unigram: vocab as an object", unigram(R"({"a":0})"), kDataLoss, "vocab: is an object"},
       {"unigram: vocab null", unigram("null"), kDataLoss, "vocab: is null"},
       {"unigram: a piece as a string", unigram(R"(["a"])"), kDataLoss, "vocab[0]: is a string"},
       {"unigram: a piece empty", unigram("[[]]"), kDataLoss, "expected [token, score]"},
       {"unigram: a piece turned round", unigram(R"([[-1.0,"a"]])"), kDataLoss, "vocab[0][0]"},
       {"unigram: a score null", unigram(R"([["a",null]])"), kDataLoss, "vocab[0][1]: is null"},
       {"unigram: a score true", unigram(R"([["a",true]])"), kDataLoss, "vocab[0][1]"},
       {"unigram: a score beyond double", unigram(R"([["a",-1e999]])"), kDataLoss, ""},
       {"unigram: a score NaN", unigram(R"([["a",NaN]])"), kDataLoss, "not JSON"},
       {"unigram: a score -Infinity", unigram(R"([["a",-Infinity]])"), kDataLoss, "not JSON"},
       {"unigram: unk_id as a string", unigram(R"([["a",0]])", R"(,"unk_id":"0")"), kDataLoss,
        "unk_id: is a string"},
       {"unigram: unk_id of 2^32", unigram(R"([["a",0]])", R"(,"unk_id":4294967296)"), kDataLoss,
        "unk_id: is 4294967296"},
       {"unigram: byte_fallback as 1", unigram(R"([["a",0]])", R"(,"byte_fallback":1)"), kDataLoss,
        "byte_fallback"},
       {"unigram: a piece of more than 64 KiB",
        unigram("[[\"" + std::string((64 << 10) + 1, 'x') + "\",0]]"), kTooMuch, "65537 bytes"},
       {"word piece: vocab missing", R"({"type":"WordPiece"})", kDataLoss, "vocab: is missing"},
       {"word piece: unk_token as a number", words(R"(,"unk_token":0)"), kDataLoss, "unk_token"},
       {"word piece: unk_token not there", words(R"(,"unk_token":"<unk>")"), kDataLoss,
        "unk_token: \"<unk>\" is not in the vocabulary"},
       {"word piece: prefix as an array", words(R"(,"continuing_subword_prefix":[])"), kDataLoss,
        "continuing_subword_prefix"},
       {"word piece: 10^7 characters a word", words(R"(,"max_input_chars_per_word":10000000)"),
        kDataLoss, "expected 0 to 1000000"},
       {"word piece: length as a string", words(R"(,"max_input_chars_per_word":"100")"), kDataLoss,
        "max_input_chars_per_word"},
       {"word level: vocab as an array", R"({"type":"WordLevel","vocab":[]})", kDataLoss,
        "vocab: is an array"},
       {"word level: unk_token as true", R"({"type":"WordLevel","vocab":{},"unk_token":true})",
        kDataLoss, "unk_token"},
       {"no type and nothing to guess by", R"({"foo":1})", kDataLoss, "vocab"}});
}

}  // namespace
}  // namespace penstock
