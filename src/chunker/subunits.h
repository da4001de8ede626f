// SPDX-License-Identifier: Apache-2.0
//
// Inside a sentence that is too large: clauses, words, graphemes, code points.
//
//   GraphemeEnd("e\u0301x", 0) == 3
//   LastBoundary("one, two three", 0, 12, Unit::kClause) == 5
#ifndef PENSTOCK_SRC_CHUNKER_SUBUNITS_H_
#define PENSTOCK_SRC_CHUNKER_SUBUNITS_H_

#include <cstddef>
#include <string_view>

#include "penstock/chunker/boundary.h"

namespace penstock::internal {

// End of the grapheme that begins at `i` (UAX #29, extended). REQUIRES: i < text.size(), and i is a
// grapheme boundary.
size_t GraphemeEnd(std::string_view text, size_t i);

// The last boundary p with from < p <= limit at which a unit of kind `unit` (kLine, kClause or
// kWord) ends, or 0. `limit` is a grapheme boundary. Looks at no byte at or after `limit` + 8.
size_t LastBoundary(std::string_view text, size_t from, size_t limit, Unit unit);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_SUBUNITS_H_
