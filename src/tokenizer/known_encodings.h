// SPDX-License-Identifier: Apache-2.0
//
// What goes with a bare rank file, by the name of the encoding.
#ifndef PENSTOCK_SRC_TOKENIZER_KNOWN_ENCODINGS_H_
#define PENSTOCK_SRC_TOKENIZER_KNOWN_ENCODINGS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/base/token.h"

namespace penstock::internal {

struct KnownEncoding {
  std::string pattern;
  std::vector<std::pair<std::string, TokenId>> special_tokens;
  // Added around a text on request. OpenAI's encodings have no template.
  std::optional<TokenId> bos, eos, pad;
  bool nfc = false;  // the text is normalized to NFC first
};

// `ranks`: how many the file has; where special tokens are numbered from there. none: no such name.
std::optional<KnownEncoding> FindEncoding(std::string_view name, size_t ranks);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_KNOWN_ENCODINGS_H_
