// SPDX-License-Identifier: Apache-2.0
//
// Padding: make the rows of a batch equally long. Used by EncodeBatch (batch_encoding.h).
//
//   PaddingOptions padding;
//   padding.side = Side::kLeft;           // decoder-only models generate at the right end
//   padding.multiple_of = 8;
//
// Without `pad_id` the vocabulary's pad token is used; a vocabulary without one (most decoder-only
// models) needs it here, else EncodeBatch refuses with kInvalidArgument. Rows are never cut: a row
// longer than `fixed_length` is refused.
#ifndef PENSTOCK_TOKENIZER_PADDING_H_
#define PENSTOCK_TOKENIZER_PADDING_H_

#include <cstddef>
#include <optional>

#include "penstock/base/token.h"
#include "penstock/tokenizer/truncation.h"

namespace penstock {

struct PaddingOptions {
  Side side = Side::kRight;
  std::optional<size_t> fixed_length;  // tokens; none: the longest row of the batch
  std::optional<size_t> multiple_of;   // round the length up to a multiple of this
  std::optional<TokenId> pad_id;       // none: the vocabulary's pad token
  int32_t pad_type_id = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_PADDING_H_
