// SPDX-License-Identifier: Apache-2.0
//
// The normalizers of tokenizer.json, with Hugging Face's alignments.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_NORMALIZERS_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_NORMALIZERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

// Compiles a "normalizer" value; null for null. Sequences are flattened; `byte_level` is set if one of
// them is ByteLevel.
absl::StatusOr<std::unique_ptr<const Normalizer>> ReadNormalizer(const Json& json,
                                                                 const LoadLimits& limits,
                                                                 bool* byte_level);

// NFC alone, as some encodings of rank files want it.
std::unique_ptr<const Normalizer> NewNfcNormalizer();

// Replaces every byte by its byte character (ByteLevel).
void RewriteToByteChars(AlignedText* text);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_NORMALIZERS_H_
