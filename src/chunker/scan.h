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
#include <string_view>

namespace penstock::internal {

// First event at or after `from`, or text.size(). Events are the ASCII bytes . ! ? : ; " ' ( ) [ ]
// { | } and U+000A ... U+000D, and any non-ASCII character whose first two bytes are those of a
// sentence end, quotation mark, bracket or line separator in some script. A lead byte that is the
// last byte of the text is an event as well. O(distance).
size_t FindEvent(std::string_view text, size_t from);

size_t FindEventPortable(std::string_view text, size_t from);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_SCAN_H_
