// SPDX-License-Identifier: Apache-2.0
//
// Truncation: fit an encoding into a number of tokens. Hugging Face's meanings, exactly.
//
//   EncodeOptions options;
//   options.add_special_tokens = true;
//   options.truncation.emplace();
//   options.truncation->max_tokens = 512;     // special tokens of the post-processor included
//   options.truncation->stride = 64;
//   encoding.overflowing                      // the rest, in windows that share 64 tokens
//
// A limit that the special tokens alone exceed, or a stride that is not smaller than what they
// leave of it, is refused with kInvalidArgument: no window could make progress.
#ifndef PENSTOCK_TOKENIZER_TRUNCATION_H_
#define PENSTOCK_TOKENIZER_TRUNCATION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "penstock/base/export.h"

namespace penstock {

// Which end of a text is cut off (truncation) or filled up (padding).
enum class Side : uint8_t { kLeft, kRight };

// Which text of a pair gives way.
enum class TruncationStrategy : uint8_t {
  kLongestFirst,  // token by token from the longer one
  kOnlyFirst,     // kInvalidArgument if the first alone cannot make room
  kOnlySecond,    // the same for the second
};

struct TruncationOptions {
  size_t max_tokens = 512;  // of the finished encoding, special tokens included
  size_t stride = 0;        // tokens that consecutive overflowing windows share
  Side side = Side::kRight;
  TruncationStrategy strategy = TruncationStrategy::kLongestFirst;

  // kInvalidArgument if stride >= max_tokens (and max_tokens is not 0).
  PENSTOCK_EXPORT absl::Status Validate() const;
};

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_TRUNCATION_H_
