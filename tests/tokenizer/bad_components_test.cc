// SPDX-License-Identifier: Apache-2.0
//
// tokenizer.json as damage and attackers leave it: normalizers, pre-tokenizers, their patterns,
// post-processors, decoders. The rest of the file stands in bad_json_test.cc.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/support/charsmap_writer.h"
#include "tests/tokenizer/bad_json.h"

namespace penstock {
namespace {

TEST(BadComponentsTest, Normalizers) {
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

TEST(BadComponentsTest, PreTokenizers) {
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

TEST(BadComponentsTest, Patterns) {
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

TEST(BadComponentsTest, PostProcessors) {
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
        R"({"type":"RobertaProcessing","sep":["a",0],"cls":["b",1],"trim_offsets":true,"add_prefix_space":1})",
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

TEST(BadComponentsTest, Decoders) {
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

}  // namespace
}  // namespace penstock
