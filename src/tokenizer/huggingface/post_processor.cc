// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/post_processor.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {
namespace {

using Kind = TemplatePart::Kind;

// Each may repeat the text: what a template can make of it must not grow with the file.
constexpr size_t kMaxParts = 1024;

absl::StatusOr<TokenId> ReadId(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t id, json.Int());
  if (id < 0 || id > 0x7FFFFFFF) return json.Bad("is no token id, expected 0 to 2147483647");
  return static_cast<TokenId>(id);
}

// ["[SEP]", 102]
absl::StatusOr<TokenId> ReadTokenPair(const Json& json) {
  std::vector<TokenId> ids;
  int64_t index = 0;
  PENSTOCK_RETURN_IF_ERROR(json.ForEachElement([&](const Json& element) -> absl::Status {
    if (index++ == 0) return element.String().status();
    PENSTOCK_ASSIGN_OR_RETURN(const TokenId id, ReadId(element));
    ids.push_back(id);
    return absl::OkStatus();
  }));
  if (ids.size() != 1) return json.Bad("expected [token, id]");
  return ids[0];
}

TemplatePart Special(TokenId id, int32_t type_id) { return {Kind::kSpecial, type_id, {id}}; }
TemplatePart Text(Kind kind, int32_t type_id) { return {kind, type_id, {}}; }

absl::Status ReadTrim(const Json& json, PostProcessor* post) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool trim, json.BoolOr("trim_offsets", true));
  PENSTOCK_ASSIGN_OR_RETURN(const bool prefix, json.BoolOr("add_prefix_space", true));
  if (trim) post->trims.push_back(prefix);
  return absl::OkStatus();
}

absl::Status ReadBert(const Json& json, bool roberta, PostProcessor* post) {
  const Json sep_json = json.Get("sep");
  const Json cls_json = json.Get("cls");
  PENSTOCK_ASSIGN_OR_RETURN(const TokenId sep, ReadTokenPair(sep_json));
  PENSTOCK_ASSIGN_OR_RETURN(const TokenId cls, ReadTokenPair(cls_json));
  const int32_t second = roberta ? 0 : 1;
  post->single = {Special(cls, 0), Text(Kind::kFirst, 0), Special(sep, 0)};
  post->pair = {Special(cls, 0), Text(Kind::kFirst, 0), Special(sep, 0)};
  if (roberta) post->pair.push_back(Special(sep, 0));
  post->pair.push_back(Text(Kind::kSecond, second));
  post->pair.push_back(Special(sep, second));
  if (!roberta) return absl::OkStatus();
  return ReadTrim(json, post);
}

absl::StatusOr<TemplatePart> ReadPart(const Json& json, const Json& special_tokens) {
  TemplatePart part;
  const Json sequence = json.Get("Sequence");
  const Json& body = sequence.exists() ? sequence : json.Get("SpecialToken");
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t type_id, body.IntOr("type_id", 0));
  if (type_id < 0 || type_id > 0x7FFFFFFF) {
    const Json at = body.Get("type_id");
    return at.Bad(absl::StrCat("is ", type_id, ", expected 0 to 2147483647"));
  }
  part.type_id = static_cast<int32_t>(type_id);
  PENSTOCK_ASSIGN_OR_RETURN(const std::string id, body.StringAt("id"));
  if (sequence.exists()) {
    if (id != "A" && id != "B")
      return json.Bad(absl::StrCat("Sequence \"", id, "\", expected A or B"));
    part.kind = id == "A" ? Kind::kFirst : Kind::kSecond;
    return part;
  }
  part.kind = Kind::kSpecial;
  const Json token = special_tokens.Get(id);
  if (!token.exists()) return json.Bad(absl::StrCat("\"", id, "\" is not in special_tokens"));
  const Json ids = token.Get("ids");
  PENSTOCK_RETURN_IF_ERROR(ids.ForEachElement([&part](const Json& element) -> absl::Status {
    PENSTOCK_ASSIGN_OR_RETURN(const TokenId n, ReadId(element));
    part.ids.push_back(n);
    return absl::OkStatus();
  }));
  return part;
}

absl::Status ReadTemplate(const Json& json, PostProcessor* post) {
  const Json special_tokens = json.Get("special_tokens");
  post->overflow_by_text = true;
  for (const bool pair : {false, true}) {
    const Json parts_json = json.Get(pair ? "pair" : "single");
    std::vector<TemplatePart> parts;
    PENSTOCK_RETURN_IF_ERROR(parts_json.ForEachElement([&](const Json& element) -> absl::Status {
      PENSTOCK_ASSIGN_OR_RETURN(TemplatePart part, ReadPart(element, special_tokens));
      if (!pair && part.kind == Kind::kSecond) {
        return element.Bad("Sequence B in the template of a single text");
      }
      if (parts.size() == kMaxParts) {
        return element.Error(absl::StatusCode::kResourceExhausted,
                             absl::StrCat("a template of more than ", kMaxParts, " parts"));
      }
      parts.push_back(std::move(part));
      return absl::OkStatus();
    }));
    (pair ? post->pair : post->single) = std::move(parts);
  }
  return absl::OkStatus();
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status ReadInto(const Json& json, bool* has_template, PostProcessor* post) {
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view type, type_json.String());
  if (type == "Sequence") {
    const Json children = json.Get("processors");
    return children.ForEachElement(
        [&](const Json& child) { return ReadInto(child, has_template, post); });
  }
  if (type == "ByteLevel") {
    return ReadTrim(json, post);
  }
  const bool roberta = type == "RobertaProcessing";
  if (!roberta && type != "BertProcessing" && type != "TemplateProcessing") {
    return json.Error(absl::StatusCode::kUnimplemented,
                      absl::StrCat("post-processor type \"", AbslView(type), "\" is not known"));
  }
  if (*has_template) {
    return json.Error(absl::StatusCode::kUnimplemented, "a second template in one sequence");
  }
  *has_template = true;
  if (type == "TemplateProcessing") return ReadTemplate(json, post);
  return ReadBert(json, roberta, post);
}

}  // namespace

absl::StatusOr<PostProcessor> ReadPostProcessor(const Json& json) {
  PostProcessor post;
  bool has_template = false;
  if (!json.is_null()) PENSTOCK_RETURN_IF_ERROR(ReadInto(json, &has_template, &post));
  return post;
}

}  // namespace penstock::internal
