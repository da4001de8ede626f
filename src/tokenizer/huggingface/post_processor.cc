// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/post_processor.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/assemble.h"

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

// What the reference has between two processors: for each of its encodings the parts it is made of.
using Encodings = std::vector<std::vector<TemplatePart>>;

// Puts special tokens around encodings.
struct Step {
  enum class Type : uint8_t { kBert, kRoberta, kTemplate };
  Type type;
  TokenId cls, sep;                        // kBert, kRoberta
  std::vector<TemplatePart> single, pair;  // kTemplate
};

size_t AddedBy(const Step& step, bool pair) {
  if (step.type == Step::Type::kBert) return pair ? 3 : 2;
  if (step.type == Step::Type::kRoberta) return pair ? 4 : 2;
  return TemplateTokens(pair ? step.pair : step.single);
}

void Wrap(const Step& step, bool first, bool special_tokens, std::vector<TemplatePart>* encoding) {
  const bool roberta = step.type == Step::Type::kRoberta;
  Kind around = Kind::kSpecial;
  for (TemplatePart& part : *encoding) {
    if (part.kind != Kind::kSpecial) around = part.kind;
    if (roberta) part.type_id = 0;
    if (!special_tokens) continue;
    if (roberta) part.cut_type_id = 0;
    part.masked = false;  // as in the reference: the mask knows of the outermost ones
  }
  if (!special_tokens) return;
  const auto token = [around](TokenId id, int32_t type_id) {
    return TemplatePart{Kind::kSpecial, type_id, {id}, type_id, around, true};
  };
  if (first) encoding->insert(encoding->begin(), token(step.cls, 0));
  if (!first && roberta) encoding->insert(encoding->begin(), token(step.sep, 0));
  encoding->push_back(token(step.sep, first || roberta ? 0 : 1));
}

// False: the reference has no answer.
bool Apply(const Step& step, bool special_tokens, Encodings* encodings) {
  if (step.type != Step::Type::kTemplate) {
    for (size_t i = 0; i < encodings->size(); ++i) {
      if (step.type == Step::Type::kBert && !special_tokens) break;
      Wrap(step, i == 0, special_tokens, &(*encodings)[i]);
    }
    return true;
  }
  if (encodings->empty() || encodings->size() > 2) return false;
  Encodings result;
  for (const TemplatePart& piece : encodings->size() == 2 ? step.pair : step.single) {
    if (piece.kind == Kind::kSpecial) {
      if (special_tokens) result.push_back({piece});
      continue;
    }
    result.push_back((*encodings)[piece.kind == Kind::kFirst ? 0 : 1]);
    for (TemplatePart& part : result.back()) part.type_id = piece.type_id;
  }
  *encodings = std::move(result);
  return true;
}

// What all steps make of a text or pair; none: the reference has no answer.
absl::StatusOr<std::optional<std::vector<TemplatePart>>> ApplyAll(const Json& json,
                                                                  const std::vector<Step>& steps,
                                                                  bool pair, bool special_tokens) {
  Encodings encodings = {{{Kind::kFirst, 0}}};
  if (pair) encodings.push_back({{Kind::kSecond, 1}});
  std::vector<TemplatePart> parts;
  for (const Step& step : steps) {
    if (!Apply(step, special_tokens, &encodings)) {
      return std::optional<std::vector<TemplatePart>>();
    }
    size_t count = 0;
    for (const std::vector<TemplatePart>& encoding : encodings) count += encoding.size();
    if (count > kMaxParts) {
      return json.Error(absl::StatusCode::kResourceExhausted,
                        absl::StrCat("templates that make more than ", kMaxParts, " parts"));
    }
  }
  for (const std::vector<TemplatePart>& encoding : encodings) {
    parts.insert(parts.end(), encoding.begin(), encoding.end());
  }
  return std::optional<std::vector<TemplatePart>>(std::move(parts));
}

absl::Status Compile(const Json& json, const std::vector<Step>& steps, PostProcessor* post) {
  for (const bool pair : {false, true}) {
    PostProcessor::Chain chain;
    PENSTOCK_ASSIGN_OR_RETURN(chain.with_special, ApplyAll(json, steps, pair, true));
    PENSTOCK_ASSIGN_OR_RETURN(chain.without_special, ApplyAll(json, steps, pair, false));
    for (const Step& step : steps) chain.room += AddedBy(step, pair);
    if (steps.size() > 1) {
      (pair ? post->pair_chain : post->single_chain) = std::move(chain);
    } else {
      (pair ? post->pair : post->single) = *std::move(chain.with_special);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTrim(const Json& json, const std::vector<Step>& before, PostProcessor* post) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool trim, json.BoolOr("trim_offsets", true));
  PENSTOCK_ASSIGN_OR_RETURN(const bool prefix, json.BoolOr("add_prefix_space", true));
  PostProcessor::Trim how{prefix, {false, false}};
  for (const Step& step : before) {
    how.behind_special[0] |= step.type != Step::Type::kTemplate;
    how.behind_special[1] |= step.type == Step::Type::kRoberta;
  }
  if (trim) post->trims.push_back(how);
  return absl::OkStatus();
}

absl::StatusOr<Step> ReadBert(const Json& json, bool roberta) {
  const Json sep_json = json.Get("sep");
  const Json cls_json = json.Get("cls");
  Step step{roberta ? Step::Type::kRoberta : Step::Type::kBert, 0, 0, {}, {}};
  PENSTOCK_ASSIGN_OR_RETURN(step.sep, ReadTokenPair(sep_json));
  PENSTOCK_ASSIGN_OR_RETURN(step.cls, ReadTokenPair(cls_json));
  return step;
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

absl::StatusOr<Step> ReadTemplate(const Json& json) {
  const Json special_tokens = json.Get("special_tokens");
  Step step{Step::Type::kTemplate, 0, 0, {}, {}};
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
    (pair ? step.pair : step.single) = std::move(parts);
  }
  return step;
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status ReadInto(const Json& json, std::vector<Step>* steps, PostProcessor* post) {
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view type, type_json.String());
  if (type == "Sequence") {
    const Json children = json.Get("processors");
    return children.ForEachElement([&](const Json& child) { return ReadInto(child, steps, post); });
  }
  if (type == "ByteLevel") return ReadTrim(json, *steps, post);
  bool roberta = type == "RobertaProcessing";
  if (!roberta && type != "BertProcessing" && type != "TemplateProcessing") {
    return json.Error(absl::StatusCode::kUnimplemented,
                      absl::StrCat("post-processor type \"", AbslView(type), "\" is not known"));
  }
  // One of before these fields is read as BertProcessing, by the reference too.
  if (json.Get("trim_offsets").is_null() || json.Get("add_prefix_space").is_null()) roberta = false;
  PENSTOCK_ASSIGN_OR_RETURN(
      Step step, type == "TemplateProcessing" ? ReadTemplate(json) : ReadBert(json, roberta));
  if (steps->size() == kMaxParts) {
    return json.Error(absl::StatusCode::kResourceExhausted,
                      absl::StrCat("more than ", kMaxParts, " templates"));
  }
  if (roberta) PENSTOCK_RETURN_IF_ERROR(ReadTrim(json, *steps, post));
  steps->push_back(std::move(step));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PostProcessor> ReadPostProcessor(const Json& json) {
  PostProcessor post;
  std::vector<Step> steps;
  if (!json.is_null()) PENSTOCK_RETURN_IF_ERROR(ReadInto(json, &steps, &post));
  if (!steps.empty()) PENSTOCK_RETURN_IF_ERROR(Compile(json, steps, &post));
  return post;
}

}  // namespace penstock::internal
