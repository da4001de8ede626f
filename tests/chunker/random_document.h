// SPDX-License-Identifier: Apache-2.0
//
// Random documents out of what makes chunkers stumble.
#ifndef PENSTOCK_TESTS_CHUNKER_RANDOM_DOCUMENT_H_
#define PENSTOCK_TESTS_CHUNKER_RANDOM_DOCUMENT_H_

#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace penstock {

inline std::string RandomDocument(SeededRandom& random, size_t pieces) {
  static const std::vector<std::string> kPieces = {"The cat sat on the mat. ",
                                                   "Dr. Wu paid $3.14 at 5 p.m. to Mr. E. Smith. ",
                                                   "Why? ",
                                                   "No! ",
                                                   "He said, \"It is late. Go home.\" and left. ",
                                                   "今天天气很好。",
                                                   "我们去公园吧！",
                                                   "《你好！世界》是书。",
                                                   "「はい。」と言った。",
                                                   "吾輩は猫である。",
                                                   "Это предложение. ",
                                                   "यह एक वाक्य है। ",
                                                   "مرحبا بك. ",
                                                   "\n",
                                                   "\n\n",
                                                   "\r\n",
                                                   "# Heading\n\n",
                                                   "- item one\n",
                                                   "1. first\n",
                                                   "```\ncode();\n\n  more\n```\n",
                                                   "| a | b |\n|---|---|\n",
                                                   "    ",
                                                   " ",
                                                   "word",
                                                   "e\xCC\x81",
                                                   "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
                                                   "\xFF",
                                                   "\xE4\xB8",
                                                   "((((",
                                                   "…",
                                                   "....",
                                                   " . . . ",
                                                   "'",
                                                   "\"",
                                                   "”",
                                                   "“",
                                                   "’",
                                                   "\t",
                                                   "\xC2\xA0",
                                                   "a.b.c ",
                                                   "http://x.org/a.b?c=d. ",
                                                   "supercalifragilisticexpialidocious",
                                                   "one, two; three: four - ",
                                                   "$%&",
                                                   "12.5",
                                                   "\xE2\x80\xA8",
                                                   "。",
                                                   "！？",
                                                   "한국어 문장입니다. ",
                                                   "Ինչ է սա։ ",
                                                   "ΤΙ ΕΙΝΑΙ; Ναι. ",
                                                   "==\n",
                                                   "---\n",
                                                   "Title\n=====\n",
                                                   "> quote\n"};
  std::string text;
  for (size_t i = 0; i < pieces; ++i) text += kPieces[random.Below(kPieces.size())];
  return text;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_CHUNKER_RANDOM_DOCUMENT_H_
