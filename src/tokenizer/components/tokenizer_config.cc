// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/components/tokenizer_config.h"

#include <memory>

#include "penstock/base/status_macros.h"
#include "tokenizer/huggingface/json.h"

namespace penstock::internal {
namespace {

// Null counts as absent.
absl::Status ReadFlag(const Json& root, const char* key, std::optional<bool>* flag) {
  const Json value = root.Get(key);
  if (value.is_null()) return absl::OkStatus();
  PENSTOCK_ASSIGN_OR_RETURN(*flag, value.Bool());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerConfig> ReadTokenizerConfig(const SourceFile& file,
                                                    const LoadOptions& options) {
  TokenizerConfig config;
  if (!options.read_tokenizer_config || file.path.empty()) return config;
  absl::StatusOr<std::string> bytes = ReadSibling(file, "tokenizer_config.json", options.limits);
  if (absl::IsNotFound(bytes.status())) return config;
  if (!bytes.ok()) return bytes.status();
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<JsonDocument> document,
                            JsonDocument::Parse(*bytes, "tokenizer_config.json", options.limits));
  const Json root = document->root();
  PENSTOCK_RETURN_IF_ERROR(ReadFlag(root, "add_bos_token", &config.add_bos_token));
  PENSTOCK_RETURN_IF_ERROR(ReadFlag(root, "add_eos_token", &config.add_eos_token));
  PENSTOCK_RETURN_IF_ERROR(ReadFlag(root, "legacy", &config.legacy));
  PENSTOCK_RETURN_IF_ERROR(ReadFlag(root, "do_lower_case", &config.do_lower_case));
  PENSTOCK_RETURN_IF_ERROR(ReadFlag(root, "strip_accents", &config.strip_accents));
  PENSTOCK_RETURN_IF_ERROR(
      ReadFlag(root, "tokenize_chinese_chars", &config.tokenize_chinese_chars));
  PENSTOCK_ASSIGN_OR_RETURN(config.tokenizer_class, root.StringOr("tokenizer_class", ""));
  return config;
}

}  // namespace penstock::internal
