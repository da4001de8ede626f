// SPDX-License-Identifier: Apache-2.0
//
// The slow twin of text/utf8.h: the rows of Unicode 15's Table 3-7 written down, and nothing
// clever.
#ifndef PENSTOCK_TESTS_SUPPORT_UTF8_ORACLE_H_
#define PENSTOCK_TESTS_SUPPORT_UTF8_ORACLE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

struct OracleChar {
  size_t size;
  bool valid;
};

// The character at `pos`: a full match of a row, else the longest prefix of any row, else one byte.
inline OracleChar OracleDecode(std::string_view text, size_t pos) {
  using Range = std::pair<int, int>;
  static const auto* const kTable37 =
      new std::vector<std::vector<Range>>{{{0x00, 0x7F}},
                                          {{0xC2, 0xDF}, {0x80, 0xBF}},
                                          {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}},
                                          {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}},
                                          {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}},
                                          {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                          {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                          {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}},
                                          {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}};
  size_t longest = 1;
  for (const std::vector<Range>& row : *kTable37) {
    size_t matched = 0;
    while (matched < row.size() && pos + matched < text.size()) {
      const int byte = static_cast<uint8_t>(text[pos + matched]);
      if (byte < row[matched].first || byte > row[matched].second) break;
      ++matched;
    }
    if (matched == row.size()) return {matched, true};
    longest = std::max(longest, matched);
  }
  return {longest, false};
}

inline std::string OracleReplace(std::string_view text) {
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    const OracleChar c = OracleDecode(text, pos);
    out += c.valid ? std::string(text.substr(pos, c.size)) : "\xEF\xBF\xBD";
    pos += c.size;
  }
  return out;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_UTF8_ORACLE_H_
