// SPDX-License-Identifier: Apache-2.0
//
// .model and GGUF files as damage and attackers leave them. More rows stand in
// sentencepiece/model_files_test.cc and gguf/gguf_test.cc.
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/charsmap_writer.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/sentencepiece_writer.h"
#include "tests/tokenizer/bad_file.h"

namespace penstock {
namespace {

const std::string kNul(1, '\0');

// ------------------------------------------------------------------------------------------ .model

ModelWriter Model(int algorithm = 2) {
  return ModelWriter(algorithm).Piece("<unk>", 0, 2).Piece("\xE2\x96\x81", -1).Piece("a", -2);
}

LoadOptions ModelOptions() {
  LoadOptions options;
  options.format = FileFormat::kSentencePiece;
  return options;
}

TEST(BadModelTest, TheWireFormat) {
  const std::string good = Model().Bytes();
  const auto piece = [&good](const std::string& fields) { return good + ProtoBytes(1, fields); };
  const std::string text = ProtoBytes(1, "b");
  ExpectRefused(
      {{"nothing", "", kDataLoss, "no pieces"},
       {"a text file", "hello\n", kDataLoss, "at byte"},
       {"JSON", R"({"version":"1.0"})", kDataLoss, "at byte"},
       {"a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\n", kDataLoss,
        "at byte"},
       {"zeros", std::string(4096, '\0'), kDataLoss, "not a field tag"},
       {"ones", std::string(4096, '\xFF'), kDataLoss, "varint"},
       {"a tag alone", "\x0A", kDataLoss, "ends inside a varint"},
       {"a tag of 11 bytes", good + std::string(10, '\x80') + "\x01", kDataLoss,
        "longer than 64 bits"},
       {"a tag whose tenth byte overflows", good + std::string(9, '\xFF') + "\x7F", kDataLoss,
        "longer than 64 bits"},
       {"a field number above 2^29", good + ProtoVarint(uint64_t{1} << 40), kDataLoss,
        "not a field tag"},
       {"a length of 2^63", good + "\x0A" + ProtoVarint(uint64_t{1} << 63), kDataLoss,
        "a length runs past the end"},
       {"a length of 2^64 - 1", good + "\x0A" + ProtoVarint(~uint64_t{0}), kDataLoss,
        "a length runs past the end"},
       {"a length of 2^31", good + "\x0A" + ProtoVarint(uint64_t{1} << 31), kDataLoss,
        "a length runs past the end"},
       {"a length one too long", good + "\x0A\x02\x0A", kDataLoss, "a length runs past the end"},
       {"a length in 11 bytes", good + "\x0A" + std::string(10, '\x80') + "\x01", kDataLoss,
        "longer than 64 bits"},
       {"an end of a group", good + "\x0C", kDataLoss, "wire type"},
       {"wire type 6", good + "\x0E", kDataLoss, "wire type"},
       {"wire type 7", good + "\x0F", kDataLoss, "wire type"},
       {"a fixed64 cut short", good + "\x31\x01\x02\x03", kDataLoss, "ends inside a number"},
       {"a fixed32 cut short", good + "\x35\x01", kDataLoss, "ends inside a number"},
       {"a score cut short", piece(text + "\x15\x01\x02"), kDataLoss, "pieces[3]"},
       {"a piece as a fixed32", good + ProtoFloat(1, 1), kDataLoss, "ModelProto field 1"},
       {"the normalizer as a number", good + ProtoInt(3, 1), kDataLoss, "ModelProto field 3"},
       {"self-test data as a number", good + ProtoInt(4, 1), kDataLoss, "ModelProto field 4"},
       {"the denormalizer as a number", good + ProtoInt(5, 1), kDataLoss, "ModelProto field 5"},
       {"a piece's text as a number", piece(ProtoInt(1, 7)), kDataLoss, "pieces[3].piece"},
       {"a piece's text as a float", piece(ProtoFloat(1, 7)), kDataLoss, "pieces[3].piece"},
       {"a piece's score as bytes", piece(text + ProtoBytes(2, "1.0")), kDataLoss,
        "pieces[3].score"},
       {"a piece's score as a double", piece(text + "\x11" + std::string(8, '\0')), kDataLoss,
        "pieces[3].score"},
       {"a piece's type as a float", piece(text + ProtoFloat(3, 1)), kDataLoss, "pieces[3].type"},
       {"a type in 11 bytes", piece(text + "\x18" + std::string(11, '\x81')), kDataLoss,
        "pieces[3]"},
       {"the algorithm as bytes", good + ProtoBytes(2, ProtoBytes(3, "x")), kDataLoss,
        "trainer_spec.model_type"},
       {"treat_whitespace_as_suffix as bytes", good + ProtoBytes(2, ProtoBytes(24, "x")), kDataLoss,
        "treat_whitespace_as_suffix"},
       {"byte_fallback as a float", good + ProtoBytes(2, ProtoFloat(35, 1)), kDataLoss,
        "byte_fallback"},
       {"unk_surface as a number", good + ProtoBytes(2, ProtoInt(44, 1)), kDataLoss,
        "trainer_spec field 44"},
       {"bos_piece as a number", good + ProtoBytes(2, ProtoInt(46, 1)), kDataLoss,
        "trainer_spec field 46"},
       {"add_dummy_prefix as bytes", good + ProtoBytes(3, ProtoBytes(3, "x")), kDataLoss,
        "normalizer_spec field 3"},
       {"escape_whitespaces as a float", good + ProtoBytes(3, ProtoFloat(5, 1)), kDataLoss,
        "normalizer_spec field 5"},
       {"a denormalizer cut short", good + ProtoBytes(5, "\x12\x7F"), kDataLoss,
        "denormalizer_spec at byte"},
       {"a trainer cut short", good + ProtoBytes(2, "\x18"), kDataLoss, "trainer_spec at byte"}},
      ModelOptions());
}

TEST(BadModelTest, ThePieces) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const auto type = [](uint64_t n) {
    return ModelWriter(1).Bytes() +
           ProtoBytes(1, ProtoBytes(1, "u") + ProtoInt(3, n));  // no unknown piece
  };
  std::vector<BadFile> files = {
      {"the first piece empty", ModelWriter(1).Piece("", 0, 2).Bytes(), kDataLoss,
       "pieces[0]: is empty"},
      {"a score -infinity", Model().Piece("b", -inf).Bytes(), kDataLoss, "no finite number"},
      {"a score NaN of a control piece", Model().Piece("b", nan, 3).Bytes(), kDataLoss,
       "pieces[3]: its score"},
      {"a score NaN of an unused piece", Model().Piece("b", nan, 5).Bytes(), kDataLoss,
       "pieces[3]: its score"},
      {"a user-defined piece twice", Model().Piece("x", 0, 4).Piece("x", 0, 4).Bytes(), kDataLoss,
       "\"x\" is already piece 3"},
      {"an unused piece that is a normal one", Model().Piece("a", 0, 5).Bytes(), kDataLoss,
       "\"a\" is already piece 2"},
      {"a control piece named as the unknown", Model().Piece("<unk>", 0, 3).Bytes(), kDataLoss,
       "\"<unk>\" is already piece 0"},
      {"a byte piece of three digits", Model().BytePieces().Piece("<0x100>", 0, 6).Bytes(),
       kDataLoss, "is no byte"},
      {"a byte piece without digits", Model().BytePieces().Piece("<0x>", 0, 6).Bytes(), kDataLoss,
       "is no byte"},
      {"a byte piece with a space", Model().BytePieces().Piece("<0x 1>", 0, 6).Bytes(), kDataLoss,
       "is no byte"},
      {"a byte piece twice", Model().BytePieces().Piece("<0x41>", 0, 6).Bytes(), kDataLoss,
       "is already piece"},
      {"type 0 for the unknown", type(0), kDataLoss, "no piece of type unknown"},
      {"type 7 for the unknown", type(7), kDataLoss, "no piece of type unknown"},
      {"type -1 for the unknown", type(~uint64_t{0}), kDataLoss, "no piece of type unknown"},
      {"type 2^32 + 2 cut down to another", type((uint64_t{1} << 32) + 1), kDataLoss,
       "no piece of type unknown"},
      {"byte fallback with one byte only",
       Model().Piece("<0x00>", 0, 6).Trainer(ProtoInt(35, 1)).Bytes(), kDataLoss,
       "byte 1 has no piece"},
      {"a piece of more than 64 KiB", Model().Piece(std::string((64 << 10) + 1, 'x')).Bytes(),
       kTooMuch, "pieces[3] length in bytes: 65537"}};
  for (int algorithm = 1; algorithm <= 4; ++algorithm) {
    files.push_back({"no unknown piece, algorithm " + std::to_string(algorithm),
                     ModelWriter(algorithm).Piece("a").Bytes(), kDataLoss,
                     "no piece of type unknown"});
  }
  ExpectRefused(files, ModelOptions());
}

// CVE-2026-1260 and its kin: the double array is walked without checks while encoding.
TEST(BadModelTest, TheCharacterMap) {
  const auto with = [](const std::string& blob) {
    return Model().Normalizer(true, true, blob).Bytes();
  };
  const auto units = [&with](std::vector<std::pair<size_t, uint32_t>> set, size_t count = 256) {
    std::vector<uint32_t> all(count, 0x80000000u);
    all[0] = 1u << 10;
    for (const auto& [at, unit] : set) all[at] = unit;
    return with(CharsmapBlob(static_cast<uint32_t>(4 * count), CharsmapUnits(all), kNul));
  };
  const std::string good = WriteCharsmap({{"A", "a"}, {"B", "b"}});
  ExpectRefused(
      {{"one byte", with("x"), kDataLoss, "shorter than its 4-byte header"},
       {"a header alone", with(std::string(4, '\0')), kDataLoss, "multiple of 1024"},
       {"a trie of 2^32 - 1 bytes", with("\xFF\xFF\xFF\xFF" + good), kDataLoss, "but only"},
       {"a trie of one unit", with(CharsmapBlob(4, std::string(4, kNul[0]), kNul)), kDataLoss,
        "multiple of 1024"},
       {"a trie as long as everything",
        with(CharsmapBlob(static_cast<uint32_t>(good.size() - 4), good.substr(4), "")), kDataLoss,
        "multiple of 1024"},
       {"a map cut short by one byte", with(good.substr(0, good.size() - 1)), kDataLoss,
        "do not end with NUL"},
       {"a map cut short within the trie", with(good.substr(0, 500)), kDataLoss, "but only"},
       {"a root whose label is a letter", units({{0, 'a' | 1u << 10}}), kDataLoss, "no root"},
       {"a root with a value", units({{0, 0x100 | 1u << 10}}), kDataLoss, "no root"},
       {"a root that is its own child", units({{0, 0}}), kDataLoss, "no root"},
       {"a root of ones", units({{0, ~0u}}), kDataLoss, "no root"},
       {"a root at the extended offset", units({{0, 1u << 9 | 1u << 10}}), kDataLoss,
        "unit 0 leads outside"},
       {"a unit at the extended offset", units({{9, 9 | 1u << 9 | 0x1000u << 10}}), kDataLoss,
        "unit 9 leads outside"},
       {"the last unit leads out", units({{255, 255 | 0x100u << 10}}), kDataLoss,
        "unit 255 leads outside"},
       {"a value one beyond the end", units({{9, 0x80000001u}}), kDataLoss,
        "unit 9 points to replacement byte 1 of 1"},
       {"a value of 2^31 - 1", units({{9, ~0u}}), kDataLoss, "replacement byte 2147483647"},
       {"a unit that is its own child",
        units({{1 ^ 'a', 'a' | ((1u ^ 'a') ^ (1u ^ 'a' ^ 'a')) << 10}}), kDataLoss, ""},
       {"two units in a circle",
        units({{1 ^ 'a', 'a' | ((1u ^ 'a') ^ 0x80u) << 10},
               {0x80 ^ 'b', 'b' | ((0x80u ^ 'b') ^ 1u) << 10}}),
        kDataLoss, "reached in a circle"},
       {"a replacement of 1025 bytes", with(WriteCharsmap({{"a", std::string(1025, 'x')}})),
        kTooMuch, "a replacement of 1025 bytes"},
       {"a denormalizer's map damaged", Model().Bytes() + ProtoBytes(5, ProtoBytes(2, "abc")),
        kDataLoss, "denormalizer_spec.precompiled_charsmap: shorter"}},
      ModelOptions());
}

// -------------------------------------------------------------------------------------------- GGUF

std::string N(uint64_t value, size_t bytes) { return GgufNumber(value, bytes); }

GgufWriter Tokens(const char* model, const std::vector<std::string>& tokens = {"a", "b"}) {
  return GgufWriter()
      .String("tokenizer.ggml.model", model)
      .Strings("tokenizer.ggml.tokens", tokens);
}

TEST(BadGgufTest, TheHeader) {
  const auto header = [](const std::string& magic, uint64_t tensors, uint64_t pairs) {
    return magic + N(3, 4) + N(tensors, 8) + N(pairs, 8);
  };
  LoadOptions options;
  options.format = FileFormat::kGguf;
  ExpectRefused(
      {{"nothing", "", kDataLoss, "the file ends here"},
       {"three bytes", "GGU", kDataLoss, "the file ends here"},
       {"GGML", header("lmgg", 0, 0), kDataLoss, "does not begin with \"GGUF\""},
       {"GGJT", header("tjgg", 0, 0), kDataLoss, "does not begin with \"GGUF\""},
       {"the magic backwards", header("FUGG", 0, 0), kDataLoss, "does not begin with"},
       {"the magic in lower case", header("gguf", 0, 0), kDataLoss, "does not begin with"},
       {"a version alone", "GGUF\x03", kDataLoss, "at byte 4: the file ends here"},
       {"version 0", Tokens("gpt2").Bytes(0), kUnknown, "GGUF version 0"},
       {"version 2^32 - 1", Tokens("gpt2").Bytes(~0u), kUnknown, "GGUF version 4294967295"},
       {"version 2, big endian", Tokens("gpt2").Bytes(0x02000000), kUnknown, "big-endian"},
       {"counts cut short", "GGUF" + N(3, 4) + N(0, 7), kDataLoss, "the file ends here"},
       {"2^16 + 1 pairs", header("GGUF", 0, 65537), kTooMuch, "key-value pairs: 65537"},
       {"2^64 - 1 pairs", header("GGUF", 0, ~uint64_t{0}), kTooMuch, "key-value pairs"},
       {"2^64 - 1 tensors and nothing else", header("GGUF", ~uint64_t{0}, 0), kDataLoss,
        "no tokenizer.ggml.model"},
       {"a pair that is not there", header("GGUF", 0, 1), kDataLoss, "the file ends here"}},
      options);
}

TEST(BadGgufTest, KeysAndValues) {
  const auto pair = [](uint32_t type, const std::string& value) {
    return GgufWriter().Raw("tokenizer.x", type, value).Bytes();
  };
  const auto skipped = [](uint32_t type, const std::string& value) {
    return GgufWriter().Raw("llama.x", type, value).Bytes();
  };
  const uint64_t top = uint64_t{1} << 63;
  const auto raw = [](const std::string& body) { return GgufWriter().BytesWithPairs(1) + body; };
  std::vector<BadFile> files = {
      {"a key of 2^63 bytes", raw(N(top, 8)), kDataLoss, "runs past the end"},
      {"a key of 2^64 - 1 bytes", raw(N(~uint64_t{0}, 8)), kDataLoss, "runs past the end"},
      {"a key one byte too long", raw(N(4, 8) + "abc"), kDataLoss, "runs past the end"},
      {"a key of 65536 bytes", raw(GgufText(std::string(65536, 'k'))), kTooMuch,
       "bytes of a string: 65536"},
      {"a key without a type", raw(GgufText("tokenizer.x")), kDataLoss, "\"tokenizer.x\", at byte"},
      {"type 2^32 - 1", pair(~0u, N(0, 8)), kDataLoss, "a value of type 4294967295"},
      {"a skipped value of type 13", skipped(13, N(0, 8)), kDataLoss, "a value of type 13"},
      {"a string one byte too long", pair(8, N(3, 8) + "ab"), kDataLoss, "runs past the end"},
      {"a skipped string of 2^63 bytes", skipped(8, N(top, 8)), kDataLoss, "runs past the end"},
      {"a string of 16 MiB and one", pair(8, GgufText(std::string((16 << 20) + 1, 'x'))), kTooMuch,
       "bytes of a string: 16777217"},
      {"a string without length", pair(8, N(0, 3)), kDataLoss, "the file ends here"},
      {"an array without count", pair(9, N(4, 4)), kDataLoss, "the file ends here"},
      {"an array of type 13", pair(9, N(13, 4) + N(0, 8)), kDataLoss, "an array of type 13"},
      {"an array of type 2^32 - 1", pair(9, N(~0u, 4) + N(0, 8)), kDataLoss, "an array of type"},
      {"a skipped array of arrays", skipped(9, N(9, 4) + N(1, 8)), kDataLoss, "an array of type 9"},
      {"an array of 2^64 - 1 bytes", pair(9, N(0, 4) + N(~uint64_t{0}, 8)), kDataLoss,
       "runs past the end"},
      {"an array of 2^63 strings", pair(9, N(8, 4) + N(top, 8)), kDataLoss, "runs past the end"},
      {"a skipped array of 2^63 strings", skipped(9, N(8, 4) + N(top, 8)), kDataLoss,
       "runs past the end"},
      {"an array of 2^61 + 1 doubles, whose size wraps to 8",
       pair(9, N(12, 4) + N((uint64_t{1} << 61) + 1, 8) + N(0, 8)), kDataLoss, "runs past the end"},
      {"a skipped array whose size wraps",
       skipped(9, N(5, 4) + N((uint64_t{1} << 62) + 1, 8) + N(0, 4)), kDataLoss,
       "runs past the end"},
      {"an array one element too long", pair(9, N(4, 4) + N(2, 8) + N(0, 4)), kDataLoss,
       "runs past the end"},
      {"a string of an array past the end", pair(9, N(8, 4) + N(1, 8) + N(9, 8)), kDataLoss,
       "runs past the end"},
      {"a string of an array beyond the limit of tokens",
       pair(9, N(8, 4) + N(1, 8) + GgufText(std::string((128 << 10) + 2, 'x'))), kTooMuch,
       "bytes of a string"},
      {"bools of 255", pair(9, N(7, 4) + N(1, 8) + "\xFF"), kDataLoss, "a bool of value 255"},
      {"a number of an array above int64", pair(9, N(10, 4) + N(1, 8) + N(~uint64_t{0}, 8)),
       kDataLoss, "larger than any"},
      {"a key with bytes that are no UTF-8", GgufWriter().Raw("tokenizer.\xFF\x01", 13, "").Bytes(),
       kDataLoss, "tokenizer."}};
  const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  for (uint32_t type = 0; type <= 12; ++type) {
    if (sizes[type] == 0) continue;
    files.push_back({"a value of type " + std::to_string(type) + " cut short",
                     pair(type, std::string(sizes[type] - 1, '\0')), kDataLoss,
                     "the file ends here"});
  }
  LoadOptions options;
  options.format = FileFormat::kGguf;
  ExpectRefused(files, options);
}

TEST(BadGgufTest, WhatTheVocabularyNeeds) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const auto llama = [](const std::vector<float>& scores, const std::vector<int32_t>& types) {
    return Tokens("llama", {"<unk>", "<s>", "</s>", "a"})
        .Floats("tokenizer.ggml.scores", scores)
        .Int32s("tokenizer.ggml.token_type", types)
        .Bytes();
  };
  const auto merges = [](const std::vector<std::string>& lines) {
    return Tokens("gpt2", {"a", "b", "ab", "Ġ"}).Strings("tokenizer.ggml.merges", lines).Bytes();
  };
  const auto special = [](const char* key, uint32_t id) {
    return Tokens("gpt2").Uint32(std::string("tokenizer.ggml.") + key, id).Bytes();
  };
  std::vector<BadFile> files = {
      {"a model of no name", GgufWriter().String("tokenizer.ggml.model", "").Bytes(), kUnknown,
       "tokenizer.ggml.model: \"\""},
      {"no vocabulary, as llama.cpp writes it", Tokens("no_vocab").Bytes(), kUnknown,
       "\"no_vocab\""},
      {"plamo2", Tokens("plamo2").Bytes(), kUnknown, "\"plamo2\""},
      {"no tokens at all", Tokens("gpt2", {}).Bytes(), kDataLoss, "no tokenizer.ggml.tokens"},
      {"tokens as one string",
       GgufWriter()
           .String("tokenizer.ggml.model", "gpt2")
           .String("tokenizer.ggml.tokens", "a b")
           .Bytes(),
       kDataLoss, "no tokenizer.ggml.tokens"},
      {"a token cut within a character", Tokens("gpt2", {"a", "\xE4\xB8"}).Bytes(), kDataLoss,
       "tokens[1]: is not UTF-8"},
      {"token types as floats", Tokens("gpt2").Floats("tokenizer.ggml.token_type", {1, 1}).Bytes(),
       kDataLoss, "token_type: expected an array of integers"},
      {"token types as one number", Tokens("gpt2").Uint32("tokenizer.ggml.token_type", 1).Bytes(),
       kDataLoss, "token_type: expected an array of integers"},
      {"more types than tokens",
       Tokens("gpt2").Int32s("tokenizer.ggml.token_type", {1, 1, 1}).Bytes(), kDataLoss,
       "token_type: 3 elements"},
      {"a type of 2^31 - 1",
       Tokens("gpt2").Int32s("tokenizer.ggml.token_type", {1, 2147483647}).Bytes(), kDataLoss,
       "token_type[1]: 2147483647"},
      {"bos as a string", Tokens("gpt2").String("tokenizer.ggml.bos_token_id", "0").Bytes(),
       kDataLoss, "bos_token_id: expected an integer"},
      {"bos as a bool", Tokens("gpt2").Bool("tokenizer.ggml.bos_token_id", true).Bytes(), kDataLoss,
       "bos_token_id: expected an integer"},
      {"bos of -2", Tokens("gpt2").Raw("tokenizer.ggml.bos_token_id", 5, N(0xFFFFFFFE, 4)).Bytes(),
       kDataLoss, "bos_token_id: -2"},
      {"bos of 2^40",
       Tokens("gpt2").Raw("tokenizer.ggml.bos_token_id", 10, N(uint64_t{1} << 40, 8)).Bytes(),
       kDataLoss, "bos_token_id: 1099511627776"},
      {"eos beyond the tokens", special("eos_token_id", 2), kDataLoss, "eos_token_id: 2"},
      {"padding beyond the tokens", special("padding_token_id", 99), kDataLoss,
       "padding_token_id: 99"},
      {"separator beyond the tokens", special("seperator_token_id", 99), kDataLoss,
       "seperator_token_id: 99"},
      {"mask beyond the tokens", special("mask_token_id", 99), kDataLoss, "mask_token_id: 99"},
      {"cls beyond the tokens", special("cls_token_id", 99), kDataLoss, "cls_token_id: 99"},
      {"a score NaN", llama({0, 0, 0, nan}, {2, 3, 3, 1}), kDataLoss, "pieces[3]: its score"},
      {"a score of infinity", llama({0, 0, 0, inf}, {2, 3, 3, 1}), kDataLoss,
       "pieces[3]: its score"},
      {"more scores than tokens", llama({0, 0, 0, 0, 0}, {2, 3, 3, 1}), kDataLoss,
       "scores: 5 elements"},
      {"two unknown tokens", llama({0, 0, 0, 0}, {2, 3, 3, 2}), kDataLoss, "already is"},
      {"an empty token",
       Tokens("t5", {"<pad>", "</s>", "<unk>", ""})
           .Floats("tokenizer.ggml.scores", {0, 0, 0, 0})
           .Bytes(),
       kDataLoss, "pieces[3]: is empty"},
      {"a token twice",
       Tokens("t5", {"<pad>", "</s>", "<unk>", "a", "a"})
           .Floats("tokenizer.ggml.scores", {0, 0, 0, 0, 0})
           .Bytes(),
       kDataLoss, "is already piece 3"},
      {"merges as numbers", Tokens("gpt2").Int32s("tokenizer.ggml.merges", {1}).Bytes(), kDataLoss,
       "no tokenizer.ggml.merges"},
      {"a merge empty", merges({""}), kDataLoss, "merges[0]"},
      {"a merge of a space", merges({" "}), kDataLoss, "merges[0]"},
      {"a merge that ends in its space", merges({"a "}), kDataLoss, "merges[0]"},
      {"a merge that is no UTF-8", merges({"a b", "a \xFF"}), kDataLoss, "merges[1]"},
      {"a merge to no token", merges({"b a"}), kDataLoss, "merges to \"ba\""},
      {"an added token twice",
       Tokens("gpt2", {"a", "<x>", "<x>"})
           .Int32s("tokenizer.ggml.token_type", {1, 3, 3})
           .Strings("tokenizer.ggml.merges", {})
           .Bytes(),
       kDataLoss, "<x>"},
      {"pre with a space",
       Tokens("gpt2")
           .String("tokenizer.ggml.pre", "gpt-2 mpt")
           .Strings("tokenizer.ggml.merges", {})
           .Bytes(),
       kUnknown, "\"gpt-2 mpt\""},
      {"pre empty",
       Tokens("gpt2").String("tokenizer.ggml.pre", "").Strings("tokenizer.ggml.merges", {}).Bytes(),
       kUnknown, "tokenizer.ggml.pre"},
      {"bert whose unknown token is a hole",
       Tokens("bert", {"[PAD]", ""}).Uint32("tokenizer.ggml.unknown_token_id", 1).Bytes(),
       kDataLoss, "no unknown token"}};
  LoadOptions options;
  options.format = FileFormat::kGguf;
  ExpectRefused(files, options);
}

}  // namespace
}  // namespace penstock
