// SPDX-License-Identifier: Apache-2.0
//
// Added tokens: strings that are matched in raw text, before the model sees it.
//
//   for (const AddedToken& t : tokenizer->vocabulary().added_tokens()) {
//     if (t.token_class == AddedTokenClass::kControl) Reserve(t.id);
//   }
//   tokenizer->EncodeIds("<|endoftext|>")     // never the control token: plain text is untrusted
//
// Every added token has a class, which is part of the tokenizer's fingerprint:
//   content   white space only and not special (the indentation tokens of code models), or named
//             by the caller in LoadOptions::content_tokens: matched everywhere
//   control   all others (<|endoftext|>, <|im_start|>, [MASK], <image>): matched in trusted
//             segments only
//
// "Special" is another thing, said by the file: a special token is skipped by Decode on request.
#ifndef PENSTOCK_TOKENIZER_ADDED_TOKENS_H_
#define PENSTOCK_TOKENIZER_ADDED_TOKENS_H_

#include <cstdint>
#include <string>

#include "penstock/base/token.h"

namespace penstock {

enum class AddedTokenClass : uint8_t { kContent, kControl };

// Hugging Face's fields and meanings. Of several tokens that match at one place the longest wins;
// the leftmost match first.
struct AddedToken {
  std::string content;  // the bytes to match
  TokenId id = 0;
  bool special = false;      // skipped by Decode on request
  bool single_word = false;  // only where no word character stands on either side
  bool lstrip = false;       // takes the white space on its left with it
  bool rstrip = false;       // and on its right
  bool normalized = false;   // matched in normalized text (else in raw text)
  AddedTokenClass token_class = AddedTokenClass::kControl;
};

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_ADDED_TOKENS_H_
