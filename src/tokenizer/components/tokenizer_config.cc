// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/components/tokenizer_config.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
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
  constexpr char kName[] = "tokenizer_config.json";
  if (!options.read_tokenizer_config || file.path.empty()) return TokenizerConfig();
  const absl::StatusOr<std::string> bytes = ReadSibling(file, kName, options.limits);
  if (absl::IsNotFound(bytes.status())) return TokenizerConfig();
  PENSTOCK_RETURN_IF_ERROR(bytes.status());
  return ParseTokenizerConfig(*bytes, absl::StrCat(AbslView(file.name), ": ", kName),
                              options.limits);
}

absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(std::string_view bytes, std::string_view name,
                                                     const LoadLimits& limits) {
  TokenizerConfig config;
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<JsonDocument> document,
                            JsonDocument::Parse(bytes, name, limits));
  const Json root = document->root();
  if (!root.is_object()) return root.Bad("expected a JSON object");
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
