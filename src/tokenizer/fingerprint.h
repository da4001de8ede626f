// SPDX-License-Identifier: Apache-2.0
//
// LazyFingerprint: SHA-256 over everything of an engine that can change an id, computed when first
// asked for.
//
//   std::string_view hex = lazy.Get(parts);       // 64 hex digits, the same for ever
//
// Thread-safe.
#ifndef PENSTOCK_SRC_TOKENIZER_FINGERPRINT_H_
#define PENSTOCK_SRC_TOKENIZER_FINGERPRINT_H_

#include <mutex>
#include <string>
#include <string_view>

#include "tokenizer/engine.h"

namespace penstock::internal {

class LazyFingerprint {
 public:
  std::string_view Get(const EngineParts& parts) const;

 private:
  mutable std::once_flag once_;
  mutable std::string hex_;
};

// Length-prefixed pieces, so that no two descriptions run together.
void DescribeString(std::string_view s, std::string* out);
void DescribeNumber(int64_t n, std::string* out);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_FINGERPRINT_H_
