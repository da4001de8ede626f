// SPDX-License-Identifier: Apache-2.0
//
// The conformance files of the Unicode Character Database, read from $PENSTOCK_TEST_DATA/unicode:
// NAME or NAME.gz (through gzip).
#ifndef PENSTOCK_TESTS_TEXT_UNICODE_DATA_H_
#define PENSTOCK_TESTS_TEXT_UNICODE_DATA_H_

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace penstock::internal {

inline constexpr char kNoUnicodeData[] =
    "PENSTOCK_TEST_DATA is not set or has no unicode/ folder with this file";

inline bool ReadUnicodeData(const std::string& name, std::vector<std::string>* lines) {
  const char* root = std::getenv("PENSTOCK_TEST_DATA");
  if (root == nullptr) return false;
  const std::string path = std::string(root) + "/unicode/" + name;
  const std::string command =
      "gzip -dcf '" + path + "' 2>/dev/null || gzip -dcf '" + path + ".gz' 2>/dev/null";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  std::string line;
  for (int c; (c = std::fgetc(pipe)) != EOF;) {
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
      continue;
    }
    lines->push_back(line);
    line.clear();
  }
  pclose(pipe);
  return !lines->empty();
}

// "0044 0307" as code points.
inline std::u32string ParseCodePoints(const std::string& text) {
  std::u32string out;
  const char* at = text.c_str();
  for (char* end = nullptr;; at = end) {
    const unsigned long value = std::strtoul(at, &end, 16);
    if (end == at) return out;
    out.push_back(static_cast<char32_t>(value));
  }
}

}  // namespace penstock::internal

#endif  // PENSTOCK_TESTS_TEXT_UNICODE_DATA_H_
