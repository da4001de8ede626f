// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/byte_chars.h"

#include <array>

#include "text/utf8.h"

namespace penstock::internal {
namespace {

struct Tables {
  std::array<std::string, 256> chars;
  std::array<int16_t, 512> bytes;
};

// Printable Latin-1 stands for itself, the rest for U+0100 on, in order.
const Tables& GetTables() {
  static const Tables tables = [] {
    Tables t;
    t.bytes.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t c = printable ? static_cast<char32_t>(b) : next++;
      AppendUtf8(c, &t.chars[static_cast<size_t>(b)]);
      t.bytes[c] = static_cast<int16_t>(b);
    }
    return t;
  }();
  return tables;
}

}  // namespace

std::string_view ByteChar(uint8_t byte) { return GetTables().chars[byte]; }

int ByteOfChar(char32_t c) { return c < 512 ? GetTables().bytes[c] : -1; }

bool FromByteChars(std::string_view spelling, std::string* bytes) {
  bytes->clear();
  for (size_t pos = 0; pos < spelling.size();) {
    const DecodedChar c = DecodeUtf8(spelling, pos);
    const int byte = c.valid ? ByteOfChar(c.code_point) : -1;
    if (byte < 0) return false;
    bytes->push_back(static_cast<char>(byte));
    pos += c.size;
  }
  return true;
}

}  // namespace penstock::internal
