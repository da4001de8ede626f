// SPDX-License-Identifier: Apache-2.0
//
// FindEvent: the next byte at which a sentence, quotation, bracket or line can begin or end.
//
//   FindEvent("plain words, more. Next", 0) == 17
//
// All else in the text is passed over at the speed of a few compares per 16 bytes. The set is
// generous: what an event means is decided by the caller. FindEventPortable is the definition.
#ifndef PENSTOCK_SRC_CHUNKER_SCAN_H_
#define PENSTOCK_SRC_CHUNKER_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::internal {

// First event at or after `from`, or text.size(). Events are the ASCII bytes . ! ? : ; " ' ( ) [ ]
// { | } and U+000A ... U+000D, and any non-ASCII character whose first two bytes are those of a
// sentence end, quotation mark, bracket or line separator in some script. A lead byte that is the
// last byte of the text is an event as well. O(distance).
size_t FindEvent(std::string_view text, size_t from);

size_t FindEventPortable(std::string_view text, size_t from);

// Number of ASCII letters and digits from `i` on; kAsciiRun or more: kAsciiRun. REQUIRES: kAsciiRun
// bytes can be read there.
inline constexpr size_t kAsciiRun = 16;
size_t AsciiRun(std::string_view text, size_t i);

// FindEvent for many events of one text: each block of 64 bytes is compared once. A plain value.
class EventScanner {
 public:
  EventScanner() = default;
  explicit EventScanner(std::string_view text) : text_(text) {}

  // First event at or after `from`, or text.size().
  size_t Next(size_t from) {
    for (;;) {
      if (from - block_ < kBlock && valid_) {
        const uint64_t rest = mask_ >> (from - block_);
        if (rest != 0) return from + static_cast<size_t>(__builtin_ctzll(rest));
        from = block_ + kBlock;
      }
      if (from + kBlock + 1 > text_.size()) return FindEventPortable(text_, from);
      block_ = from;
      mask_ = EventMask(text_.data() + from);
      valid_ = true;
    }
  }

 private:
  static constexpr size_t kBlock = 64;

  // Bit i: data[i] is an event. Reads kBlock + 1 bytes.
  static uint64_t EventMask(const char* data);

  std::string_view text_;
  size_t block_ = 0;
  uint64_t mask_ = 0;
  bool valid_ = false;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_SCAN_H_
