// SPDX-License-Identifier: Apache-2.0
//
// A tokenizer of every kind: our own small vocabularies (tests/golden), and those of a data folder.
//
//   for (const NamedTokenizer& t : OwnTokenizers()) Check(*t.tokenizer);
//   DataTokenizers()                  // of PENSTOCK_TEST_DATA; empty where it is not set
#ifndef PENSTOCK_TESTS_TOKENIZER_EVERY_KIND_H_
#define PENSTOCK_TESTS_TOKENIZER_EVERY_KIND_H_

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "penstock/tokenizer.h"
#include "tests/support/seed.h"

namespace penstock {

struct NamedTokenizer {
  std::string name;  // file
  TokenizerPtr tokenizer;
};

// Files of FOLDER/vocab/MANIFEST.tsv (columns name, format, file and encoding are looked up in its
// first line) that can be loaded by themselves.
inline std::vector<NamedTokenizer> TokenizersOf(const std::string& folder) {
  std::vector<NamedTokenizer> out;
  std::ifstream manifest(folder + "/vocab/MANIFEST.tsv");
  const auto split = [](const std::string& line) {
    std::vector<std::string> parts;
    std::stringstream in(line);
    for (std::string part; std::getline(in, part, '\t');) parts.push_back(part);
    return parts;
  };
  std::string line;
  std::getline(manifest, line);
  const std::vector<std::string> names = split(line);
  while (std::getline(manifest, line)) {
    const std::vector<std::string> parts = split(line);
    const auto column = [&](const std::string& name) {
      for (size_t i = 0; i < names.size() && i < parts.size(); ++i) {
        if (names[i] == name) return parts[i];
      }
      return std::string();
    };
    LoadOptions options;
    if (!column("encoding").empty()) options.encoding = column("encoding");
    absl::StatusOr<TokenizerPtr> t = LoadTokenizer(folder + "/vocab/" + column("file"), options);
    if (t.ok()) out.push_back({column("file"), *std::move(t)});
  }
  return out;
}

inline std::vector<NamedTokenizer> OwnTokenizers() {
  std::vector<NamedTokenizer> all = TokenizersOf(PENSTOCK_GOLDEN_FOLDER "/huggingface");
  for (NamedTokenizer& t : TokenizersOf(PENSTOCK_GOLDEN_FOLDER "/sentencepiece")) {
    all.push_back(std::move(t));
  }
  return all;
}

inline std::vector<NamedTokenizer> DataTokenizers() {
  const char* const folder = std::getenv("PENSTOCK_TEST_DATA");
  return folder == nullptr ? std::vector<NamedTokenizer>() : TokenizersOf(folder);
}

// Text of many scripts with everything that tokenizers look at: spaces, digits, marks, look-alikes,
// runs, bytes that are no UTF-8.
inline std::string MixedText(SeededRandom* random, size_t parts) {
  static const char* const kParts[] = {"the ",
                                       "Hello",
                                       " world",
                                       "ing",
                                       "s",
                                       "'s",
                                       "'LL",
                                       " 123",
                                       "4567",
                                       "\n",
                                       "\n\n",
                                       "\r\n",
                                       " ",
                                       "  ",
                                       "      ",
                                       "\t",
                                       ".",
                                       "...",
                                       "!?",
                                       " (",
                                       "//",
                                       "_",
                                       "<|endoftext|>",
                                       "<s>",
                                       "</s>",
                                       "\xE2\x96\x81",
                                       "\xC3\xA9",
                                       "e\xCC\x81",
                                       "\xCC\x81",
                                       "\xC3\x89T\xC3\x89",
                                       "\xE4\xB8\xAD\xE6\x96\x87",
                                       "\xE3\x80\x82",
                                       "\xE3\x80\x80",
                                       "\xE3\x81\x8B\xE3\x81\xAA",
                                       "\xED\x95\x9C\xEA\xB5\xAD",
                                       "\xE1\x84\x92\xE1\x85\xA1",
                                       "\xD0\x9F\xD1\x80\xD0\xB8",
                                       "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85",
                                       "\xE0\xA4\xA8\xE0\xA4\xBF",
                                       "\xF0\x9F\x98\x80",
                                       "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9",
                                       "\xEF\xAC\x81",
                                       "\xC2\xA0",
                                       "\xC2\xAD",
                                       "\xE2\x80\x8B",
                                       "\xC2\xA8",
                                       "\xEF\xBC\xA1\xEF\xBC\xA2",
                                       "\xFF",
                                       "\xE2\x82",
                                       "\x80\x80",
                                       "aaaaaaaaaaaaaaaa",
                                       "abababab",
                                       "AbCdEf",
                                       "xyzzy",
                                       "\xC2\x85",
                                       "I",
                                       "\xC4\xB0",
                                       "\xE2\x80\xA8",
                                       "=-=-=-",
                                       "#",
                                       "def f(x):\n    return x\n"};
  std::string text;
  for (size_t n = 0; n < parts; ++n) {
    const std::string part = kParts[random->Below(sizeof(kParts) / sizeof(kParts[0]))];
    for (size_t k = random->OneIn(12) ? random->Below(40) : 1; k > 0; --k) text += part;
  }
  return text;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_EVERY_KIND_H_
