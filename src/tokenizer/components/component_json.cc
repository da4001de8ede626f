// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/components/component_json.h"

#include <cstdio>

namespace penstock::internal {
namespace {

const char* Bool(bool value) { return value ? "true" : "false"; }

std::string SpecialTokenJson(const std::pair<std::string, TokenId>& token) {
  std::string name;
  AppendJsonString(token.first, &name);
  return name + ": {\"id\": " + name + ", \"ids\": [" + std::to_string(token.second) +
         "], \"tokens\": [" + name + "]}";
}

std::string SpecialPart(const std::string& token, int type_id) {
  std::string part = "{\"SpecialToken\": {\"id\": ";
  AppendJsonString(token, &part);
  return part + ", \"type_id\": " + std::to_string(type_id) + "}}";
}

std::string SequencePart(const char* text, int type_id) {
  return std::string("{\"Sequence\": {\"id\": \"") + text +
         "\", \"type_id\": " + std::to_string(type_id) + "}}";
}

std::string Template(const std::string& single, const std::string& pair,
                     const std::string& special_tokens) {
  return "{\"type\": \"TemplateProcessing\", \"single\": [" + single + "], \"pair\": [" + pair +
         "], \"special_tokens\": {" + special_tokens + "}}";
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      out->append(escape);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string TemplateJson(const std::optional<std::pair<std::string, TokenId>>& before,
                         const std::optional<std::pair<std::string, TokenId>>& after) {
  if (!before.has_value() && !after.has_value()) return "null";
  const auto around = [&](const char* text, int type_id) {
    std::string parts;
    if (before.has_value()) parts += SpecialPart(before->first, type_id) + ", ";
    parts += SequencePart(text, type_id);
    if (after.has_value()) parts += ", " + SpecialPart(after->first, type_id);
    return parts;
  };
  std::string specials;
  if (before.has_value()) specials = SpecialTokenJson(*before);
  if (after.has_value() && (!before.has_value() || before->first != after->first)) {
    if (!specials.empty()) specials += ", ";
    specials += SpecialTokenJson(*after);
  }
  return Template(around("A", 0), around("A", 0) + ", " + around("B", 1), specials);
}

std::string BertTemplateJson(const std::pair<std::string, TokenId>& cls,
                             const std::pair<std::string, TokenId>& sep) {
  const std::string single =
      SpecialPart(cls.first, 0) + ", " + SequencePart("A", 0) + ", " + SpecialPart(sep.first, 0);
  return Template(single, single + ", " + SequencePart("B", 1) + ", " + SpecialPart(sep.first, 1),
                  SpecialTokenJson(cls) + ", " + SpecialTokenJson(sep));
}

std::string VocabularyJson(const std::vector<std::string>& tokens) {
  std::string out = "{";
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    if (out.size() > 1) out.push_back(',');
    AppendJsonString(tokens[i], &out);
    out.append(":").append(std::to_string(i));
  }
  return out + "}";
}

std::string WordPieceModelJson(const std::vector<std::string>& tokens, std::string_view unknown) {
  std::string out = "{\"type\": \"WordPiece\", \"unk_token\": ";
  AppendJsonString(unknown, &out);
  return out +
         ", \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, "
         "\"vocab\": " +
         VocabularyJson(tokens) + "}";
}

std::string BpeModelJson(const std::string& vocabulary,
                         const std::vector<std::pair<std::string_view, std::string_view>>& merges,
                         const BpeOptions& options) {
  std::string out = "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": ";
  if (options.unknown.has_value()) {
    AppendJsonString(*options.unknown, &out);
  } else {
    out.append("null");
  }
  out.append(", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": ");
  out.append(Bool(options.byte_fallback)).append(", \"byte_fallback\": ");
  out.append(Bool(options.byte_fallback)).append(", \"ignore_merges\": ");
  out.append(Bool(options.ignore_merges)).append(", \"vocab\": ").append(vocabulary);
  out.append(", \"merges\": [");
  for (size_t i = 0; i < merges.size(); ++i) {
    out.append(i == 0 ? "[" : ",[");
    AppendJsonString(merges[i].first, &out);
    out.push_back(',');
    AppendJsonString(merges[i].second, &out);
    out.push_back(']');
  }
  return out + "]}";
}

std::string BertNormalizerJson(bool lowercase, std::optional<bool> strip_accents,
                               bool handle_chinese_chars) {
  return std::string("{\"type\": \"BertNormalizer\", \"clean_text\": true, ") +
         "\"handle_chinese_chars\": " + Bool(handle_chinese_chars) +
         ", \"strip_accents\": " + (strip_accents.has_value() ? Bool(*strip_accents) : "null") +
         ", \"lowercase\": " + Bool(lowercase) + "}";
}

absl::StatusOr<TokenizerPtr> ReadComponentJson(const ComponentJson& json, const SourceFile& file,
                                               const LoadOptions& options) {
  std::string out = "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, ";
  out += "\"added_tokens\": [";
  for (size_t i = 0; i < json.added.size(); ++i) {
    const ComponentJson::Added& token = json.added[i];
    out += i == 0 ? "{\"id\": " : ", {\"id\": ";
    out += std::to_string(token.id) + ", \"content\": ";
    AppendJsonString(token.content, &out);
    out += std::string(", \"single_word\": false, \"lstrip\": ") + Bool(token.lstrip) +
           ", \"rstrip\": false, \"normalized\": " + Bool(token.normalized) +
           ", \"special\": " + Bool(token.special) + "}";
  }
  out += "], \"normalizer\": " + json.normalizer + ", \"pre_tokenizer\": " + json.pre_tokenizer +
         ", \"post_processor\": " + json.post_processor + ", \"decoder\": " + json.decoder +
         ", \"model\": " + json.model + "}";
  LoadOptions inner = options;
  inner.format = FileFormat::kHuggingFaceJson;
  // The detour through JSON may not fail where the file itself was within the limit.
  inner.limits.max_file_bytes = options.limits.max_file_bytes * 4;
  return ReadHuggingFaceJson({out, file.name, {}, /*keeps_ids=*/true}, inner);
}

}  // namespace penstock::internal
