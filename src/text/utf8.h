// SPDX-License-Identifier: Apache-2.0
//
// UTF-8: decoding, validation, replacement of what is malformed. The one decoder of the library.
//
//   for (size_t pos = 0; pos < text.size();) {
//     const DecodedChar c = DecodeUtf8(text, pos);     // "世": {0x4E16, 3, true}
//     pos += c.size;                                   // "\xE4\xB8!": {0xFFFD, 2, false}, then '!'
//   }
//   ReplaceInvalidUtf8("a\xFFz") == "a\uFFFDz"
//
// Malformed input follows "substitution of maximal subparts" (Unicode 15, section 3.9, Table 3-8;
// also the WHATWG decoder, Python's errors="replace" and Rust's from_utf8_lossy): a run of bytes
// that begins a well-formed sequence and is cut short counts as one U+FFFD, any other offending
// byte as one each. Surrogates (ED A0..BF), overlong forms and values past U+10FFFF are malformed,
// so every byte of them is replaced by itself.
//
// All functions are pure. Thread-safe.
#ifndef PENSTOCK_SRC_TEXT_UTF8_H_
#define PENSTOCK_SRC_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::internal {

inline constexpr char32_t kReplacementChar = 0xFFFD;
inline constexpr char32_t kMaxCodePoint = 0x10FFFF;
inline constexpr size_t kMaxUtf8Size = 4;

// One step of decoding.
struct DecodedChar {
  char32_t code_point = kReplacementChar;  // U+FFFD when malformed
  uint8_t size = 1;                        // bytes consumed, 1..4; of a maximal subpart 1..3
  bool valid = false;                      // false: text[pos, pos + size) is malformed
};

// The character that begins at `pos`. O(1).
// REQUIRES: pos < text.size().
DecodedChar DecodeUtf8(std::string_view text, size_t pos);

// Bytes of the longest well-formed prefix; text.size() when all of it is. Eight ASCII bytes a step.
size_t ValidUtf8Prefix(std::string_view text);
inline bool IsValidUtf8(std::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

// `text` with U+FFFD in place of each maximal subpart. Idempotent; may grow threefold.
std::string ReplaceInvalidUtf8(std::string_view text);

// Bytes at the end of `text`, 0..3, that begin a well-formed character which more bytes could
// complete: what a decoder of arriving text holds back.
size_t IncompleteUtf8Suffix(std::string_view text);

// Whether a byte can only stand inside a character: 80..BF.
constexpr bool IsUtf8Continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// Whether `code_point` has a UTF-8 form: at most U+10FFFF and no surrogate.
constexpr bool IsScalarValue(char32_t code_point) {
  return code_point < 0xD800 || (code_point > 0xDFFF && code_point <= kMaxCodePoint);
}

// Bytes of `code_point` in UTF-8. REQUIRES: IsScalarValue(code_point).
constexpr size_t Utf8Size(char32_t code_point) {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

// Appends `code_point` in UTF-8; U+FFFD when it is no scalar value.
void AppendUtf8(char32_t code_point, std::string* out);

// Implementation only below: the decoder is inline because it is in every inner loop.

inline DecodedChar DecodeUtf8(std::string_view text, size_t pos) {
  const auto byte = [text, pos](size_t i) { return static_cast<uint8_t>(text[pos + i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};  // continuation, overlong, or past U+10FFFF
  const size_t left = text.size() - pos;
  if (left < 2) return {};
  const uint8_t second = byte(1);
  if (lead < 0xE0) {
    if ((second & 0xC0) != 0x80) return {};
    return {static_cast<char32_t>((lead & 0x1F) << 6 | (second & 0x3F)), 2, true};
  }
  // Table 3-7: only the second byte has borders of its own.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (second < low || second > high) return {};
  if (left < 3 || !IsUtf8Continuation(text[pos + 2])) return {kReplacementChar, 2, false};
  const char32_t upper = static_cast<char32_t>((second & 0x3F) << 6 | (byte(2) & 0x3F));
  if (lead < 0xF0) return {static_cast<char32_t>((lead & 0x0F) << 12) | upper, 3, true};
  if (left < 4 || !IsUtf8Continuation(text[pos + 3])) return {kReplacementChar, 3, false};
  return {static_cast<char32_t>((lead & 0x07) << 18) | upper << 6 | (byte(3) & 0x3F), 4, true};
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_UTF8_H_
