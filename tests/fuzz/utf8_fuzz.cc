// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tests/support/utf8_oracle.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock::internal;  // NOLINT: a fuzz target is one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (size_t pos = 0; pos < size;) {
    const DecodedChar c = DecodeUtf8(text, pos);
    const penstock::OracleChar expected = penstock::OracleDecode(text, pos);
    PENSTOCK_CHECK(c.size == expected.size && c.valid == expected.valid);
    pos += c.size;
    PENSTOCK_CHECK(pos <= size);
  }
  const std::string replaced = ReplaceInvalidUtf8(text);
  PENSTOCK_CHECK(replaced == penstock::OracleReplace(text));
  PENSTOCK_CHECK(IsValidUtf8(replaced));
  PENSTOCK_CHECK(IncompleteUtf8Suffix(text) <= 3 && IncompleteUtf8Suffix(text) <= size);
  return 0;
}
