// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/stages.h"

#include "text/utf8.h"

namespace penstock::internal {

size_t Normalizer::SplitPoint(std::string_view text) const {
  constexpr size_t kTries = 512;
  size_t pos = text.size();
  for (size_t tries = 0; tries < kTries && pos > 1; ++tries) {
    --pos;
    while (pos > 0 && IsUtf8Continuation(text[pos])) --pos;
    if (pos == 0) return 0;
    if (CanSplit(text, pos)) return pos;
  }
  return 0;
}

}  // namespace penstock::internal
