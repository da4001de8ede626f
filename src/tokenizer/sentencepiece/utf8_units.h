// SPDX-License-Identifier: Apache-2.0
//
// One question about UTF-8, asked as sentencepiece asks it.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UTF8_UNITS_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UTF8_UNITS_H_

#include <cstddef>
#include <string_view>

namespace penstock::internal::spm {

// Bytes of the well-formed UTF-8 character that `text` begins with (Unicode table 3-7); 0 if there
// is none.
inline size_t ValidUtf8Length(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto trails = [&](size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
  if (text.empty()) return 0;
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (!trails(1)) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) {
    if ((lead == 0xE0 && at(1) < 0xA0) || (lead == 0xED && at(1) > 0x9F)) return 0;
    return trails(2) ? 3 : 0;
  }
  if ((lead == 0xF0 && at(1) < 0x90) || (lead == 0xF4 && at(1) > 0x8F)) return 0;
  return trails(2) && trails(3) ? 4 : 0;
}

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_UTF8_UNITS_H_
