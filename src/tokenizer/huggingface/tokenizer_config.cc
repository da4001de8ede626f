// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/tokenizer_config.h"

#include <memory>
#include <optional>
#include <string>

#include "penstock/base/status_macros.h"
#include "tokenizer/huggingface/json.h"

namespace penstock::internal {
namespace {

// "<s>" or {"content": "<s>", …}; none where absent or no token of the vocabulary.
absl::StatusOr<std::optional<TokenId>> TokenNamed(const Json& root, const char* key,
                                                  const ByteMap& model_ids,
                                                  const std::vector<AddedToken>& added) {
  const Json value = root.Get(key);
  if (value.is_null()) return std::optional<TokenId>();
  const Json content = value.Get("content");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view name,
                            content.exists() ? content.String() : value.String());
  for (const AddedToken& t : added) {
    if (t.content == name) return std::optional<TokenId>(t.id);
  }
  const TokenId id = model_ids.Find(name);
  return id < 0 ? std::optional<TokenId>() : std::optional<TokenId>(id);
}

// Whether BOS is added by default; none: the class keeps the file's template.
std::optional<bool> RebuildsTemplate(std::string_view tokenizer_class) {
  constexpr std::string_view kFast = "Fast";
  if (tokenizer_class.size() > kFast.size() &&
      tokenizer_class.substr(tokenizer_class.size() - kFast.size()) == kFast) {
    tokenizer_class.remove_suffix(kFast.size());
  }
  for (const char* name :
       {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer"}) {
    if (tokenizer_class == name) return true;
  }
  if (tokenizer_class == "GPTNeoXTokenizer") return false;
  return std::nullopt;
}

void AddTemplate(std::optional<TokenId> bos, std::optional<TokenId> eos, PostProcessor* post) {
  using Kind = TemplatePart::Kind;
  const auto text = [&](Kind kind, int32_t type_id, std::vector<TemplatePart>* parts) {
    if (bos.has_value()) parts->push_back({Kind::kSpecial, type_id, {*bos}});
    parts->push_back({kind, type_id, {}});
    if (eos.has_value()) parts->push_back({Kind::kSpecial, type_id, {*eos}});
  };
  *post = PostProcessor();
  post->single.clear();
  text(Kind::kFirst, 0, &post->single);
  post->pair = post->single;
  text(Kind::kSecond, 1, &post->pair);
}

}  // namespace

absl::Status ApplyTokenizerConfig(std::string_view bytes, std::string_view name,
                                  const LoadLimits& limits, const ByteMap& model_ids,
                                  const std::vector<AddedToken>& added, SpecialIds* special,
                                  EngineParts* parts) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<JsonDocument> document,
                            JsonDocument::Parse(bytes, name, limits));
  const Json root = document->root();
  if (!root.is_object()) return root.Bad("expected a JSON object");
  PENSTOCK_ASSIGN_OR_RETURN(parts->clean_up_spaces,
                            root.BoolOr("clean_up_tokenization_spaces", false));
  const struct {
    const char* key;
    std::optional<TokenId>* id;
  } roles[] = {{"unk_token", &special->unk},   {"bos_token", &special->bos},
               {"eos_token", &special->eos},   {"pad_token", &special->pad},
               {"mask_token", &special->mask}, {"cls_token", &special->cls},
               {"sep_token", &special->sep}};
  for (const auto& role : roles) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::optional<TokenId> id,
                              TokenNamed(root, role.key, model_ids, added));
    if (id.has_value()) *role.id = id;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::string tokenizer_class,
                            root.StringOr("tokenizer_class", ""));
  const std::optional<bool> bos_by_default = RebuildsTemplate(tokenizer_class);
  if (!bos_by_default.has_value() ||
      (!root.Get("add_bos_token").exists() && !root.Get("add_eos_token").exists())) {
    return absl::OkStatus();
  }
  PENSTOCK_ASSIGN_OR_RETURN(const bool add_bos, root.BoolOr("add_bos_token", *bos_by_default));
  PENSTOCK_ASSIGN_OR_RETURN(const bool add_eos, root.BoolOr("add_eos_token", false));
  AddTemplate(add_bos ? special->bos : std::nullopt, add_eos ? special->eos : std::nullopt,
              &parts->post_processor);
  return absl::OkStatus();
}

}  // namespace penstock::internal
