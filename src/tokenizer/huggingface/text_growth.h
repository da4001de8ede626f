// SPDX-License-Identifier: Apache-2.0
//
// TextGrowth: by how much the stages of a file may lengthen a text, in the worst case. Forty
// replacements of "a" by "aa" stand in a file of 4 kB and make 2^40 bytes of one.
//
//   TextGrowth growth;
//   PENSTOCK_RETURN_IF_ERROR(growth.Replace(json, *pattern, content.size()));
//   // RESOURCE_EXHAUSTED: tokenizer.json: normalizer: lengthens a text 1125 times, expected …
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TEXT_GROWTH_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TEXT_GROWTH_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {

class TextGrowth {
 public:
  static constexpr size_t kLimit = 1024;

  // One more stage, at `where`, which puts at most `made` bytes in the place of at least `taken`.
  absl::Status Times(const Json& where, size_t made, size_t taken = 1) {
    if (made > taken) times_ *= static_cast<double>(made) / static_cast<double>(taken);
    if (times_ <= static_cast<double>(kLimit)) return absl::OkStatus();
    return where.Error(absl::StatusCode::kResourceExhausted,
                       "lengthens a text " + std::to_string(static_cast<uint64_t>(times_)) +
                           " times, expected at most " + std::to_string(kLimit));
  }

  // Every match of `pattern` becomes `content` bytes; an empty one inserts them.
  absl::Status Replace(const Json& where, const TextPattern& pattern, size_t content) {
    const size_t least = pattern.least_bytes();
    return least == 0 ? Times(where, 2 * content + 1) : Times(where, content, least);
  }

 private:
  double times_ = 1;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_TEXT_GROWTH_H_
