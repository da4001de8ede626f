// SPDX-License-Identifier: Apache-2.0
//
// Writes a tokenizer.json for formats that name their components without spelling them out: GGUF
// ("pre": "llama-bpe"), vocab.txt (BERT), vocab.json with merges.txt (GPT-2).
//
//   ComponentJson json;
//   json.pre_tokenizer = R"({"type": "ByteLevel", …})";
//   json.AddSpecial(0, "<s>");
//   json.model = WordPieceModelJson(tokens, "[UNK]");
//   return ReadComponentJson(json, file, options);
//
// So that there is one definition of what "ByteLevel" or "WordPiece" means, and one engine to
// prove. The reader of the format checks its own file first, with its own places in messages; what
// reaches the JSON is sound.
#ifndef PENSTOCK_SRC_TOKENIZER_COMPONENTS_COMPONENT_JSON_H_
#define PENSTOCK_SRC_TOKENIZER_COMPONENTS_COMPONENT_JSON_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/base/token.h"
#include "tokenizer/readers.h"

namespace penstock::internal {

// Appends `text` as a JSON string. REQUIRES: valid UTF-8.
void AppendJsonString(std::string_view text, std::string* out);

struct ComponentJson {
  struct Added {
    TokenId id;
    std::string content;
    bool special;
    bool normalized;
    bool lstrip = false;
  };
  std::vector<Added> added;
  std::string normalizer = "null";
  std::string pre_tokenizer = "null";
  std::string post_processor = "null";
  std::string decoder = "null";
  std::string model;  // required
};

// {"type": "TemplateProcessing"} that puts `before` and `after` around every text; "null" if both
// are none.
std::string TemplateJson(const std::optional<std::pair<std::string, TokenId>>& before,
                         const std::optional<std::pair<std::string, TokenId>>& after);
// [CLS] a [SEP] b [SEP].
std::string BertTemplateJson(const std::pair<std::string, TokenId>& cls,
                             const std::pair<std::string, TokenId>& sep);

// tokens[i] has id i; empty ones are holes.
std::string VocabularyJson(const std::vector<std::string>& tokens);
std::string WordPieceModelJson(const std::vector<std::string>& tokens, std::string_view unknown);
// `vocabulary` is JSON; merges are pairs. With `byte_fallback` characters without a token become
// <0xXX>, else `unknown`, one for a run.
struct BpeOptions {
  bool ignore_merges = false;
  bool byte_fallback = false;
  std::optional<std::string> unknown = {};
};
std::string BpeModelJson(const std::string& vocabulary,
                         const std::vector<std::pair<std::string_view, std::string_view>>& merges,
                         const BpeOptions& options);

// The components of BERT.
std::string BertNormalizerJson(bool lowercase, std::optional<bool> strip_accents,
                               bool handle_chinese_chars);

// Reads it as a tokenizer.json; messages bear the name of `file`.
absl::StatusOr<TokenizerPtr> ReadComponentJson(const ComponentJson& json, const SourceFile& file,
                                               const LoadOptions& options);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_COMPONENTS_COMPONENT_JSON_H_
