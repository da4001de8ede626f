// SPDX-License-Identifier: Apache-2.0
//
// The post-processors of tokenizer.json, as the plain data of stages.h.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_POST_PROCESSOR_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_POST_PROCESSOR_H_

#include "absl/status/statusor.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

// Compiles a "post_processor" value; null gives the default, the texts alone.
absl::StatusOr<PostProcessor> ReadPostProcessor(const Json& json);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_POST_PROCESSOR_H_
