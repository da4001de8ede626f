// SPDX-License-Identifier: Apache-2.0
//
// Tokenizer files small enough to write in a test.
//
//   TinyRanks({"th", "the", " the"})      // a rank file: 256 bytes, then these
//   TinyJson()  // a byte-level tokenizer.json with control and content tokens
#ifndef PENSTOCK_TESTS_TOKENIZER_TINY_FILES_H_
#define PENSTOCK_TESTS_TOKENIZER_TINY_FILES_H_

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "penstock/tokenizer.h"
#include "tests/support/status_matchers.h"

namespace penstock {

inline std::string TinyRanks(const std::vector<std::string>& more = {}) {
  std::string file;
  size_t rank = 0;
  const auto add = [&](const std::string& token) {
    file += absl::Base64Escape(token) + " " + std::to_string(rank++) + "\n";
  };
  for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
  for (const std::string& token : more) add(token);
  return file;
}

// Ranks over which BPE has something to do on English, spaces and "é".
inline std::vector<std::string> TinyMerges() {
  return {"he",       "th",   " t",  " th",  "in",  "er",    "an",  "ing",   " the",
          "ll",       "lo",   "hel", "    ", "  ",  "\n\n",  "llo", "hello", " a",
          "\xC3\xA9", "wo",   "or",  "ld",   "wor", "world", " w",  "12",    "123",
          "ab",       "abab", "aa",  "aaaa", "zzz", " hello"};
}

inline LoadOptions TinyOptions() {
  LoadOptions options;
  options.encoding = "cl100k_base";
  return options;
}

inline TokenizerPtr TinyRankTokenizer() {
  LoadOptions options;
  options.pattern =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
      R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
  options.special_tokens = {{"<|user|>", 1000}, {"<|end|>", 1001}, {"<|user|><|", 1002}};
  absl::StatusOr<TokenizerPtr> t = ParseTokenizer(TinyRanks(TinyMerges()), "tiny", options);
  EXPECT_OK(t);
  return t.ok() ? *t : nullptr;
}

// Character-level BPE behind an NFKC and lowercase normalizer, with every sort of added token.
inline std::string TinyJson() {
  std::string vocab;
  const std::string alphabet = "abcdefghijklmnopqrstuvwxyz<>|/[]_ .0123456789";
  int id = 0;
  for (const char c : alphabet) {
    vocab += std::string(id ? "," : "") + "\"" + c + "\":" + std::to_string(id);
    ++id;
  }
  // ids: a=0 … z=25, then < > | / [ ] _ space . 0…9; 45 unk; 46 on: added tokens
  vocab += ",\"<unk>\":45,\"ab\":46";
  const auto added = [](int n, const std::string& content, const std::string& flags) {
    const auto flag = [&flags](const char* name) {
      return std::string("\"") + name +
             "\":" + (flags.find(name) != std::string::npos ? "true" : "false");
    };
    return "{\"id\":" + std::to_string(n) + ",\"content\":\"" + content + "\"," + flag("special") +
           "," + flag("normalized") + "," + flag("lstrip") + "," + flag("rstrip") + "," +
           flag("single_word") + "}";
  };
  return "{\"version\":\"1.0\",\"added_tokens\":[" + added(47, "<s>", "special") + "," +
         added(48, "<eot>", "special normalized") + "," + added(49, "    ", "") + "," +
         added(50, "<mask>", "special lstrip") + "," + added(51, "<r>", "rstrip") + "," +
         added(52, "word", "single_word") +
         "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},"
         "{\"type\":\"Lowercase\"}]},\"pre_tokenizer\":{\"type\":\"Whitespace\"},"
         "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
         "\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{"
         "\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":"
         "0}},"
         "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":1}},{\"Sequence\":{\"id\":\"B\",\"type_"
         "id\":1}}],"
         "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[47],\"tokens\":[\"<s>\"]}}},"
         "\"decoder\":null,\"truncation\":null,\"padding\":null,\"model\":{\"type\":\"BPE\","
         "\"unk_token\":\"<unk>\",\"vocab\":{" +
         vocab + "},\"merges\":[\"a b\"]}}";
}

inline TokenizerPtr TinyJsonTokenizer() {
  absl::StatusOr<TokenizerPtr> t = ParseTokenizer(TinyJson(), "tiny.json");
  EXPECT_OK(t);
  return t.ok() ? *t : nullptr;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_TINY_FILES_H_
