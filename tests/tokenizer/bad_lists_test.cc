// SPDX-License-Identifier: Apache-2.0
//
// Rank files, vocab.txt, vocab.json with merges.txt, tokenizer_config.json and limits, as damage
// and attackers leave them. More rows stand in bad_files_test.cc and wordpiece/vocab_files_test.cc.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/support/charsmap_writer.h"
#include "tests/support/sentencepiece_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/bad_file.h"
#include "tests/tokenizer/tiny_files.h"
#include "tokenizer/components/tokenizer_config.h"
#include "tokenizer/huggingface/tokenizer_config.h"
#include "tokenizer/readers.h"

namespace penstock {
namespace {

LoadOptions Format(FileFormat format) {
  LoadOptions options = TinyOptions();
  options.format = format;
  return options;
}

TEST(BadRankFileTest, EveryLineIsABase64AndARank) {
  const std::string good = TinyRanks({"he"});
  ExpectRefused(
      {{"nothing", "", kDataLoss, "no token for the byte 00"},
       {"empty lines only", "\n\n\r\n", kDataLoss, "no token for the byte 00"},
       {"byte order mark", "\xEF\xBB\xBF" + good, kDataLoss, "bad.file:1"},
       {"JSON", R"({"model": 1})", kDataLoss, "bad.file:1"},
       {"a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\n", kDataLoss,
        "bad.file:1"},
       {"UTF-16", std::string("A\0A\0=\0 \0", 8), kDataLoss, "bad.file:1"},
       {"a tab for the space", good + "aGVs\t300\n", kDataLoss, "bad.file:258"},
       {"a comma for the space", good + "aGVs,300\n", kDataLoss, "bad.file:258"},
       {"the columns turned round", good + "300 aGVs\n", kDataLoss, "bad.file:258"},
       {"a third column", good + "aGVs 300 1\n", kDataLoss, "rank \"300 1\""},
       {"a space at the end", good + "aGVs 300 \n", kDataLoss, "rank \"300 \""},
       {"a space at the begin", good + " aGVs 300\n", kDataLoss, "not base64"},
       {"a rank with a plus", good + "aGVs +300\n", kDataLoss, "rank \"+300\""},
       {"a hexadecimal rank", good + "aGVs 0x12c\n", kDataLoss, "rank \"0x12c\""},
       {"a fraction as rank", good + "aGVs 300.0\n", kDataLoss, "rank \"300.0\""},
       {"a rank of 2^64", good + "aGVs 18446744073709551616\n", kDataLoss, "rank"},
       {"a rank of 2^32 + 300", good + "aGVs 4294967596\n", kDataLoss, "rank"},
       {"a rank of a thousand digits", good + "aGVs " + std::string(1000, '9') + "\n", kDataLoss,
        "rank \"99"},
       {"base64 without padding", good + "aGU 300\n", kDataLoss, "not base64"},
       {"base64 with three paddings", good + "a=== 300\n", kDataLoss, "not base64"},
       {"base64 with padding before the end", good + "aG=s 300\n", kDataLoss, "not base64"},
       {"base64 for file names", good + "aG-_ 300\n", kDataLoss, "not base64"},
       {"base64 of a million letters and a dot", good + std::string(1000000, 'A') + ". 300\n",
        kDataLoss, "bad.file:258"},
       {"a carriage return in a line", good + "aG\rVs 300\n", kDataLoss, "not base64"},
       {"rank of a byte given to a word", good + "aGVs 65\n", kDataLoss, "rank 65 appears twice"},
       {"a byte again", good + "QQ== 300\n", kDataLoss, "already has rank 65"},
       {"the last byte missing", TinyRanks().substr(0, TinyRanks().find("/w== 255")), kDataLoss,
        "no token for the byte ff"},
       {"a token of more than 64 KiB",
        good + absl::Base64Escape(std::string((64 << 10) + 1, 'x')) + " 300\n", kTooMuch,
        "bad.file:258: token of 65537 bytes"},
       {"a rank of 2^22", good + "aGVs 4194304\n", kTooMuch, "expected less than 4194304"},
       {"two tokens of 64 KiB, hours of merges",
        good + absl::Base64Escape(std::string(64 << 10, 'x')) + " 300\n" +
            absl::Base64Escape(std::string(64 << 10, 'y')) + " 301\n",
        kTooMuch, "too many long tokens"}},
      Format(FileFormat::kTiktoken));
}

TEST(BadRankFileTest, WhatTheCallerGivesIsCheckedToo) {
  const std::string good = TinyRanks({"he"});
  const auto refused = [&good](const char* pathology, LoadOptions options, absl::StatusCode code,
                               const char* message) {
    ExpectRefused({pathology, {}, code, message},
                  ParseTokenizer(good, "bad.file", options).status());
  };
  LoadOptions options;
  options.pattern = "(a+";
  refused("a pattern that does not compile", options, kWrong, "pattern");
  options.pattern = std::string(4097, 'a');
  refused("a pattern one byte too long", options, kTooMuch, "4097 bytes");
  options.pattern = "a";
  options.special_tokens = {{"", 1000}};
  refused("a special token of no bytes", options, kWrong, "1000");
  options.special_tokens = {{"<x>", -1}};
  refused("a special token of a negative id", options, kWrong, "-1");
  options.special_tokens = {{"<x>", 1000}, {"<y>", 1000}};
  refused("two special tokens of one id", options, kWrong, "belongs to two added tokens");
  options.special_tokens = {{"<x>", 2147483647}};
  refused("a special token far beyond", options, kWrong, "2147483647");
  options.special_tokens = {{"<x>", 1000}};
  options.content_tokens = {"<y>"};
  refused("a content token that is none", options, kWrong, "\"<y>\" is not an added token");
  options = LoadOptions();
  options.encoding = "";
  refused("an encoding of no name", options, kWrong, "unknown encoding \"\"");
}

TEST(BadVocabTxtTest, EveryLineIsAToken) {
  const std::string good = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n";
  ExpectRefused(
      {{"nothing", "", kDataLoss, "no line \"[UNK]\""},
       {"one empty line", "\n", kDataLoss, "bad.file:1: empty"},
       {"byte order mark", "\xEF\xBB\xBF" + good, kDataLoss, "byte order mark"},
       {"UTF-16", "\xFF\xFE[\0U\0", kDataLoss, "bad.file:1: is not UTF-8"},
       {"two line ends at the end", good + "\n", kDataLoss, "bad.file:6: empty"},
       {"a carriage return alone", good + "\r\n", kDataLoss, "bad.file:6: empty"},
       {"old line ends of a Mac", "[PAD]\r[UNK]\ra\r", kDataLoss, "no line \"[UNK]\""},
       {"a surrogate", good + "\xED\xA0\x80\n", kDataLoss, "bad.file:6: is not UTF-8"},
       {"half a character at the end", good + "\xE4\xB8", kDataLoss, "bad.file:6: is not UTF-8"},
       {"Latin-1", good + "caf\xE9\n", kDataLoss, "bad.file:6: is not UTF-8"},
       {"an unknown token in lower case", "[pad]\n[unk]\na\n", kDataLoss, "no line \"[UNK]\""},
       {"white space around the unknown token", "[PAD]\n [UNK]\na\n", kDataLoss,
        "no line \"[UNK]\""},
       {"a token of more than 64 KiB", good + std::string((64 << 10) + 1, 'x') + "\n", kTooMuch,
        "bad.file:6: a token of 65537 bytes"},
       {"a zip archive", "PK\x03\x04\x14", kDataLoss, "no line \"[UNK]\""},
       {"a gzip file", "\x1F\x8B\x08", kDataLoss, "is not UTF-8"}},
      Format(FileFormat::kWordPieceVocab));
}

constexpr char kVocab[] = R"({"a":0,"b":1,"ab":2,"<s>":3})";

TEST(BadVocabJsonTest, IsAnObjectOfIds) {
  for (const BadFile& bad : std::vector<BadFile>{
           {"nothing", "", kDataLoss, "not JSON"},
           {"an array", "[]", kDataLoss, "expected an object of tokens and ids"},
           {"a list of tokens", R"(["a","b"])", kDataLoss, "expected an object"},
           {"byte order mark", "\xEF\xBB\xBF" + std::string(kVocab), kDataLoss, "byte order mark"},
           {"something behind the end", std::string(kVocab) + "}", kDataLoss, "not JSON"},
           {"another member behind the end", std::string(kVocab) + R"(,"x":{})", kDataLoss,
            "not JSON"},
           {"id as a string", R"({"a":"0"})", kDataLoss, "a: is a string"},
           {"id negative", R"({"a":-1})", kDataLoss, "id -1"},
           {"id null", R"({"a":null})", kDataLoss, "a: is null"},
           {"id of a special token as a string", R"({"<s>":"0"})", kDataLoss, "<s>: is a string"},
           {"id of a special token as an object", R"({"<s>":{}})", kDataLoss, "<s>: is an object"},
           {"id of a special token of 2^32", R"({"<s>":4294967296})", kTooMuch, "4294967296"},
           {"an id twice", R"({"a":0,"b":0})", kDataLoss, "also belongs to"},
           {"a token twice", R"({"a":0,"a":1})", kDataLoss, "appears twice"},
           {"a special token twice", R"({"<s>":0,"<s>":1})", kDataLoss, "appears twice"},
           {"tokens in each other", R"({"a":{"b":1}})", kDataLoss, "a: is an object"}}) {
    ExpectRefused(bad, internal::ParseVocabAndMerges({bad.bytes, "bad.file", {}}, "", {}).status());
  }
}

TEST(BadMergesTest, EveryLineIsTwoTokens) {
  for (const BadFile& bad : std::vector<BadFile>{
           {"byte order mark", "\xEF\xBB\xBF#version: 0.2\na b\n", kDataLoss, "merges"},
           {"one token", "a\n", kDataLoss, "merges.txt:1: expected two tokens"},
           {"a tab for the space", "a\tb\n", kDataLoss, ":1: expected two tokens"},
           {"two spaces", "a  b\n", kDataLoss, ":1: expected two tokens"},
           {"a space at the end", "a b \n", kDataLoss, ":1: expected two tokens"},
           {"only a space", "a b\n \n", kDataLoss, ":2: expected two tokens"},
           {"a count behind", "a b 17\n", kDataLoss, ":1: expected two tokens"},
           {"a version further down", "a b\n#version: 0.2\n", kDataLoss, "#version:"},
           {"a NUL", std::string("a \0b\n", 5), kDataLoss, "merges[0]"},
           {"half a character", "a \xE4\xB8\n", kDataLoss, ":1: is not UTF-8"},
           {"a quote that would end the string", "a\" b\n", kDataLoss, "not in the vocabulary"},
           {"a backslash", "a\\ b\n", kDataLoss, "not in the vocabulary"},
           {"an unknown left side", "x b\n", kDataLoss, "\"x\" is not in the vocabulary"},
           {"an unknown right side", "a x\n", kDataLoss, "\"x\" is not in the vocabulary"},
           {"a merge to no token", "b a\n", kDataLoss, "merges to \"ba\""}}) {
    ExpectRefused(bad,
                  internal::ParseVocabAndMerges({kVocab, "bad.file", {}}, bad.bytes, {}).status());
  }
}

TEST(BadTokenizerConfigTest, FieldsAreOfTheirKind) {
  const internal::ByteMap ids;
  const auto apply = [&ids](const std::string& bytes) {
    SpecialIds special;
    internal::EngineParts parts;
    return internal::ApplyTokenizerConfig(bytes, "bad.file", {}, ids, {}, &special, &parts);
  };
  const auto field = [](const std::string& key, const std::string& value) {
    return "{\"" + key + "\":" + value + "}";
  };
  const std::string llama = R"("tokenizer_class":"LlamaTokenizer")";
  std::vector<BadFile> files = {
      {"nothing", "", kDataLoss, "not JSON"},
      {"an array", "[]", kDataLoss, "expected a JSON object"},
      {"null", "null", kDataLoss, "expected a JSON object"},
      {"nested too deeply", Repeat("[", 100) + Repeat("]", 100), kTooMuch, "nested"},
      {"clean-up as a string", field("clean_up_tokenization_spaces", "\"x\""), kDataLoss,
       "clean_up_tokenization_spaces"},
      {"bos_token as a number", field("bos_token", "1"), kDataLoss, "bos_token: is a number"},
      {"pad_token as an array", field("pad_token", "[]"), kDataLoss, "pad_token: is an array"},
      {"eos_token's content as null", field("eos_token", R"({"content":null})"), kDataLoss,
       "eos_token.content: is null"},
      {"unk_token as an empty object", field("unk_token", "{}"), kDataLoss, "unk_token"},
      {"tokenizer_class as true", field("tokenizer_class", "true"), kDataLoss, "tokenizer_class"},
      {"add_bos_token as 1", "{" + llama + R"(,"add_bos_token":1})", kDataLoss, "add_bos_token"},
      {"add_eos_token as a string", "{" + llama + R"(,"add_bos_token":true,"add_eos_token":"x"})",
       kDataLoss, "add_eos_token"}};
  for (const BadFile& bad : files) ExpectRefused(bad, apply(bad.bytes));

  files = {
      {"nothing", "", kDataLoss, "not JSON"},
      {"a string", "\"x\"", kDataLoss, "expected a JSON object"},
      {"add_bos_token as a string", field("add_bos_token", "\"yes\""), kDataLoss, "add_bos_token"},
      {"add_eos_token as 0", field("add_eos_token", "0"), kDataLoss, "add_eos_token"},
      {"legacy as a string", field("legacy", "\"no\""), kDataLoss, "legacy"},
      {"do_lower_case as 1", field("do_lower_case", "1"), kDataLoss, "do_lower_case"},
      {"strip_accents as 1", field("strip_accents", "1"), kDataLoss, "strip_accents"},
      {"tokenize_chinese_chars as 1", field("tokenize_chinese_chars", "1"), kDataLoss,
       "tokenize_chinese_chars"},
      {"tokenizer_class as 1", field("tokenizer_class", "1"), kDataLoss, "tokenizer_class"}};
  for (const BadFile& bad : files) {
    ExpectRefused(bad, internal::ParseTokenizerConfig(bad.bytes, "bad.file", {}).status());
  }
}

// What every limit allows, and one less.
TEST(LimitsTest, ExactlyTheLimitIsAllowedAndOneMoreIsNot) {
  struct Row {
    const char* what;
    std::string file;
    LoadOptions options;
    size_t needs;
    void (*set)(LoadLimits*, size_t);
  };
  const auto nesting = [](LoadLimits* l, size_t n) { l->max_nesting = n; };
  const auto file_bytes = [](LoadLimits* l, size_t n) { l->max_file_bytes = n; };
  const auto vocabulary = [](LoadLimits* l, size_t n) { l->max_vocabulary = n; };
  const auto merges = [](LoadLimits* l, size_t n) { l->max_merges = n; };
  const auto added = [](LoadLimits* l, size_t n) { l->max_added_tokens = n; };
  const auto token = [](LoadLimits* l, size_t n) { l->max_token_bytes = n; };
  const auto charsmap = [](LoadLimits* l, size_t n) { l->max_charsmap_bytes = n; };
  const auto pattern = [](LoadLimits* l, size_t n) { l->max_pattern_bytes = n; };
  const std::string json = TinyJson();
  const std::string ranks = TinyRanks({"abcd"});
  const std::string map = WriteCharsmap({{"A", "a"}});
  const std::string model =
      ModelWriter(2).Piece("<unk>", 0, 2).Piece("abcdef", -1).Normalizer(true, true, map).Bytes();
  const std::string txt = "[PAD]\n[UNK]\nabcdefgh\n";
  LoadOptions rank_pattern;
  rank_pattern.pattern = "abc|.";
  const LoadOptions tiny = TinyOptions();
  const LoadOptions spm = Format(FileFormat::kSentencePiece);
  for (const Row& row :
       std::vector<Row>{{"json: file", json, tiny, json.size(), file_bytes},
                        {"json: vocabulary", json, tiny, 53, vocabulary},
                        {"json: merges", json, tiny, 1, merges},
                        {"json: added tokens", json, tiny, 6, added},
                        {"json: token", json, tiny, 6, token},
                        {"json: nesting", json, tiny, 6, nesting},
                        {"ranks: file", ranks, tiny, ranks.size(), file_bytes},
                        {"ranks: vocabulary", ranks, rank_pattern, 257, vocabulary},
                        {"ranks: token", ranks, tiny, 4, token},
                        {"ranks: pattern", ranks, rank_pattern, 5, pattern},
                        {"model: file", model, spm, model.size(), file_bytes},
                        {"model: vocabulary", model, spm, 2, vocabulary},
                        {"model: token", model, spm, 6, token},
                        {"model: character map", model, spm, map.size(), charsmap},
                        {"vocab.txt: vocabulary", txt, {}, 3, vocabulary},
                        {"vocab.txt: token", txt, {}, 8, token}}) {
    LoadOptions options = row.options;
    row.set(&options.limits, row.needs);
    EXPECT_OK(ParseTokenizer(row.file, "good", options)) << row.what;
    row.set(&options.limits, row.needs - 1);
    ExpectRefused({row.what, {}, kTooMuch, ""},
                  ParseTokenizer(row.file, "bad.file", options).status());
  }
}

}  // namespace
}  // namespace penstock
