// SPDX-License-Identifier: Apache-2.0
//
// Hugging Face's Precompiled normalizer: SentencePiece's character map, applied grapheme by
// grapheme.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRECOMPILED_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRECOMPILED_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

// kDataLoss, kResourceExhausted: what is wrong with the map, without the file's name.
absl::StatusOr<std::unique_ptr<const Normalizer>> NewPrecompiledNormalizer(
    std::string_view blob, size_t* longest_replacement);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_PRECOMPILED_H_
