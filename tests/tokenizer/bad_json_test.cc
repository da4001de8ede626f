// SPDX-License-Identifier: Apache-2.0
//
// tokenizer.json as damage and attackers leave it: every field of every component with what it
// cannot be. The stages between text and model stand in bad_components_test.cc, more rows in
// bad_files_test.cc.
#include "tests/tokenizer/bad_json.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace penstock {
namespace {

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
