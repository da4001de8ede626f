// SPDX-License-Identifier: Apache-2.0
//
// Short texts in which characters of every class meet that pre-tokenizer patterns tell apart.
//
//   const std::string text = RandomText(&random);   // "'S\u0301LL  333"
#ifndef PENSTOCK_TESTS_TOKENIZER_CLASS_TEXT_H_
#define PENSTOCK_TESTS_TOKENIZER_CLASS_TEXT_H_

#include <string>

#include "tests/support/seed.h"

namespace penstock {

// Characters of every class that patterns tell apart; all older than any Unicode version in use.
inline std::string RandomText(SeededRandom* random) {
  static const char* const kParts[] = {"a",
                                       "B",
                                       "Z",
                                       "s",
                                       "S",
                                       "t",
                                       "re",
                                       "LL",
                                       "'",
                                       "'s",
                                       "'S",
                                       "'ll",
                                       "'Re",
                                       "'x",
                                       "\xC5\xBF",
                                       " ",
                                       "  ",
                                       "\n",
                                       "\r",
                                       "\r\n",
                                       "\t",
                                       "\xC2\xA0",
                                       "\xE3\x80\x80",
                                       "\xC2\x85",
                                       "\xE2\x80\xA8",
                                       "1",
                                       "22",
                                       "333",
                                       "4444",
                                       "\xC2\xB2",
                                       "\xD9\xA3",
                                       "\xE2\x85\xA3",
                                       "!",
                                       "...",
                                       "/",
                                       "//",
                                       "_",
                                       "$",
                                       "\xC3\xA9",
                                       "\xC3\x89",
                                       "\xC7\x85",
                                       "\xCA\xB0",
                                       "\xE4\xB8\xAD",
                                       "\xE3\x81\x8B",
                                       "\xCC\x81",
                                       "\xE0\xA4\xBF",
                                       "\xF0\x9F\x98\x80",
                                       "\xE2\x80\x8D",
                                       "\xEF\xBB\xBF",
                                       "\xEF\xBC\xA1",
                                       "x\xCC\x88Y"};
  std::string text;
  for (size_t n = random->Below(14); n > 0; --n) {
    text += kParts[random->Below(sizeof(kParts) / sizeof(kParts[0]))];
  }
  return text;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_CLASS_TEXT_H_
