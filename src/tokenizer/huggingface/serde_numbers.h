// SPDX-License-Identifier: Apache-2.0
//
// Numbers as Rust's serde_json reads them, which is not always the nearest double: digits are taken
// into 64 bits while they fit, then one multiplication or division by a power of ten. Scores of
// Unigram models decide ties by their last bit, so the reference's bits are needed.
//
//   SerdeDouble("-3.4631688594818115")
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_SERDE_NUMBERS_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_SERDE_NUMBERS_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::internal {

// REQUIRES: `token` is a number of valid JSON. Infinite where the reference refuses.
double SerdeDouble(std::string_view token);

// model.vocab[i][1] of a tokenizer.json that JsonDocument has parsed. kDataLoss without place if
// the array is not [[string, number], …].
absl::StatusOr<std::vector<double>> ReadUnigramScores(std::string_view file);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_SERDE_NUMBERS_H_
