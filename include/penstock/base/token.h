// SPDX-License-Identifier: Apache-2.0
//
// Two words that all parts share: a token id, and a half-open range of bytes.
//
//   ByteRange range{6, 11};
//   range.In("Hello world") == "world"
#ifndef PENSTOCK_BASE_TOKEN_H_
#define PENSTOCK_BASE_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// Index of a token in its vocabulary; never negative in an encoding.
using TokenId = int32_t;

// Bytes [begin, end) of a text that the context names (usually the original input).
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }

  // The bytes themselves. REQUIRES: begin <= end <= text.size().
  std::string_view In(std::string_view text) const { return text.substr(begin, end - begin); }

  friend bool operator==(ByteRange a, ByteRange b) { return a.begin == b.begin && a.end == b.end; }
  friend bool operator!=(ByteRange a, ByteRange b) { return !(a == b); }
};

}  // namespace penstock

#endif  // PENSTOCK_BASE_TOKEN_H_
