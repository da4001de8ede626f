// SPDX-License-Identifier: Apache-2.0
//
// Byte characters: GPT-2's printable stand-ins for the 256 bytes, in which byte-level vocabularies
// are spelled ("Ġthe" is " the").
//
//   ByteChar(' ') == "Ġ"
//   FromByteChars("Ġthe", &bytes)         // " the"; false if a character stands for no byte
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_BYTE_CHARS_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_BYTE_CHARS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::internal {

// UTF-8 of the character that stands for `byte`; one or two bytes. Static storage.
std::string_view ByteChar(uint8_t byte);

// The byte that `c` stands for, or -1.
int ByteOfChar(char32_t c);

// Replaces *bytes by what `spelling` stands for. Returns false if that is nothing; *bytes is then
// unspecified.
bool FromByteChars(std::string_view spelling, std::string* bytes);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_BYTE_CHARS_H_
