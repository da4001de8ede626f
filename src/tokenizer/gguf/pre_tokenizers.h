// SPDX-License-Identifier: Apache-2.0
//
// What a GGUF file means by tokenizer.ggml.pre: the components of the tokenizer.json that the model
// came with; where we do not know that, what llama.cpp does.
//
//   const GgufPre* pre = FindGgufPre("llama-bpe");          // null: not known
//   pre->pre_tokenizer                                        // R"({"type": "Sequence", …})"
#ifndef PENSTOCK_SRC_TOKENIZER_GGUF_PRE_TOKENIZERS_H_
#define PENSTOCK_SRC_TOKENIZER_GGUF_PRE_TOKENIZERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::internal {

struct GgufPre {
  // How the vocabulary spells text: the stand-ins of bytes; text with U+2581 for the space, or just
  // text, and <0xXX> for the bytes of characters that it does not have.
  enum class Spelling : uint8_t { kBytes, kEscapedSpaces, kText };
  Spelling spelling = Spelling::kBytes;
  std::string pre_tokenizer = "null";  // JSON
  std::string normalizer = "null";     // JSON
  bool ignore_merges = false;
  bool add_bos = false;  // where the file has no add_bos_token
};

std::optional<GgufPre> FindGgufPre(std::string_view name);
// All names, for messages.
std::string KnownGgufPres();

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_GGUF_PRE_TOKENIZERS_H_
