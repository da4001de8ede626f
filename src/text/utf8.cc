// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <cstring>

namespace penstock::internal {

size_t ValidUtf8Prefix(std::string_view text) {
  size_t pos = 0;
  while (pos < text.size()) {
    if (static_cast<uint8_t>(text[pos]) < 0x80) {
      uint64_t word;
      while (text.size() - pos >= sizeof(word)) {
        std::memcpy(&word, text.data() + pos, sizeof(word));
        if ((word & 0x8080808080808080u) != 0) break;
        pos += sizeof(word);
      }
      while (pos < text.size() && static_cast<uint8_t>(text[pos]) < 0x80) ++pos;
      continue;
    }
    const DecodedChar c = DecodeUtf8(text, pos);
    if (!c.valid) return pos;
    pos += c.size;
  }
  return pos;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t valid = ValidUtf8Prefix(text);
    out.append(text.substr(0, valid));
    if (valid == text.size()) return out;
    AppendUtf8(kReplacementChar, &out);
    text.remove_prefix(valid + DecodeUtf8(text, valid).size);
  }
}

size_t IncompleteUtf8Suffix(std::string_view text) {
  for (size_t back = 1; back < kMaxUtf8Size && back <= text.size(); ++back) {
    const uint8_t byte = static_cast<uint8_t>(text[text.size() - back]);
    if (IsUtf8Continuation(static_cast<char>(byte))) continue;
    // A lead byte: incomplete when it is a maximal subpart that runs to the end and can grow.
    const DecodedChar c = DecodeUtf8(text, text.size() - back);
    const bool can_begin = byte >= 0xC2 && byte <= 0xF4;
    return !c.valid && c.size == back && can_begin ? back : 0;
  }
  return 0;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const char32_t c = IsScalarValue(code_point) ? code_point : kReplacementChar;
  const auto continuation = [c](int shift) {
    return static_cast<char>(0x80 | (c >> shift & 0x3F));
  };
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | c >> 6));
    out->push_back(continuation(0));
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | c >> 12));
    out->push_back(continuation(6));
    out->push_back(continuation(0));
  } else {
    out->push_back(static_cast<char>(0xF0 | c >> 18));
    out->push_back(continuation(12));
    out->push_back(continuation(6));
    out->push_back(continuation(0));
  }
}

}  // namespace penstock::internal
