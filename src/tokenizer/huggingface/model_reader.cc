// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/model_reader.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/huggingface/byte_chars.h"
#include "tokenizer/huggingface/unigram_model.h"
#include "tokenizer/huggingface/wordpiece_model.h"

namespace penstock::internal {
namespace {

std::string Quoted(std::string_view s) {
  return absl::StrCat("\"", AbslView(s.substr(0, 60)), s.size() > 60 ? "…" : "", "\"");
}

absl::Status TooLong(const Json& json, size_t bytes, const LoadLimits& limits) {
  return json.Error(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("token of ", bytes, " bytes, expected at most ", limits.max_token_bytes));
}

// {"token": id, …}
absl::Status ReadVocabularyObject(const Json& json, const LoadLimits& limits, ModelPlan* plan) {
  ByteMapBuilder ids;
  PENSTOCK_RETURN_IF_ERROR(
      json.ForEachMember([&](std::string_view token, const Json& value) -> absl::Status {
        PENSTOCK_ASSIGN_OR_RETURN(const int64_t id, value.Int());
        if (id < 0 || static_cast<uint64_t>(id) >= limits.max_vocabulary) {
          return value.Error(
              id < 0 ? absl::StatusCode::kDataLoss : absl::StatusCode::kResourceExhausted,
              absl::StrCat("id ", id, ", expected 0 to ", limits.max_vocabulary - 1));
        }
        if (token.size() > limits.max_token_bytes) return TooLong(value, token.size(), limits);
        if (static_cast<size_t>(id) >= plan->tokens.size()) {
          plan->tokens.resize(static_cast<size_t>(id) + 1);
        }
        std::string& slot = plan->tokens[static_cast<size_t>(id)];
        if (!slot.empty()) {
          return value.Bad(absl::StrCat("id ", id, " also belongs to ", Quoted(slot)));
        }
        if (!ids.Insert(token, static_cast<int32_t>(id))) {
          return value.Bad("the token appears twice");
        }
        slot = token;
        ++plan->entries;
        return absl::OkStatus();
      }));
  plan->ids = std::move(ids).Build();
  return absl::OkStatus();
}

// ["token", score]
absl::Status ReadScoredPiece(const Json& entry, const LoadLimits& limits, ModelPlan* plan) {
  if (plan->tokens.size() >= limits.max_vocabulary) {
    return entry.Error(absl::StatusCode::kResourceExhausted,
                       absl::StrCat("more than ", limits.max_vocabulary, " pieces"));
  }
  size_t index = 0;
  PENSTOCK_RETURN_IF_ERROR(entry.ForEachElement([&](const Json& part) -> absl::Status {
    if (index++ == 0) {
      PENSTOCK_ASSIGN_OR_RETURN(const std::string_view token, part.String());
      if (token.size() > limits.max_token_bytes) return TooLong(part, token.size(), limits);
      plan->tokens.emplace_back(token);
      return absl::OkStatus();
    }
    PENSTOCK_ASSIGN_OR_RETURN(const double score, part.Double());
    if (!std::isfinite(score)) return part.Bad("is no finite score");
    plan->scores.push_back(score);
    return absl::OkStatus();
  }));
  return index == 2 ? absl::OkStatus() : entry.Bad("expected [token, score]");
}

// [["token", score], …]
absl::Status ReadVocabularyArray(const Json& json, const LoadLimits& limits, ModelPlan* plan) {
  PENSTOCK_RETURN_IF_ERROR(
      json.ForEachElement([&](const Json& entry) { return ReadScoredPiece(entry, limits, plan); }));
  ByteMapBuilder ids;
  for (size_t i = plan->tokens.size(); i-- > 0;) {
    ids.Insert(plan->tokens[i], static_cast<int32_t>(i));
  }
  plan->ids = std::move(ids).Build();
  plan->entries = plan->tokens.size();
  return absl::OkStatus();
}

absl::Status ReadMerge(const Json& merge, size_t rank, ModelPlan* plan) {
  std::string why;
  if (merge.is_string()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view text, merge.String());
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      return merge.Bad(absl::StrCat("is ", Quoted(text), ", expected two tokens and one space"));
    }
    const absl::Status status =
        AddMerge(text.substr(0, space), text.substr(space + 1), rank, plan, &why);
    return status.ok() ? status : merge.Error(status.code(), why);
  }
  std::string_view parts[2];
  size_t count = 0;
  PENSTOCK_RETURN_IF_ERROR(merge.ForEachElement([&](const Json& part) -> absl::Status {
    if (count >= 2) return part.Bad("a third token in a merge, expected two");
    PENSTOCK_ASSIGN_OR_RETURN(parts[count], part.String());
    ++count;
    return absl::OkStatus();
  }));
  if (count != 2) return merge.Bad("expected two tokens");
  const absl::Status status = AddMerge(parts[0], parts[1], rank, plan, &why);
  return status.ok() ? status : merge.Error(status.code(), why);
}

absl::Status ReadBpe(const Json& json, const LoadLimits& limits, ModelPlan* plan) {
  const Json dropout = json.Get("dropout");
  if (!dropout.is_null()) {
    PENSTOCK_ASSIGN_OR_RETURN(const double p, dropout.Double());
    if (!(p >= 0.0 && p <= 1.0)) return dropout.Bad("is not within 0 to 1");
    if (p != 0.0) {
      return dropout.Error(absl::StatusCode::kUnimplemented,
                           "random merges are for training, expected null or 0");
    }
  }
  PENSTOCK_ASSIGN_OR_RETURN(plan->fuse_unk, json.BoolOr("fuse_unk", false));
  PENSTOCK_ASSIGN_OR_RETURN(plan->byte_fallback, json.BoolOr("byte_fallback", false));
  PENSTOCK_ASSIGN_OR_RETURN(plan->ignore_merges, json.BoolOr("ignore_merges", false));
  PENSTOCK_ASSIGN_OR_RETURN(plan->prefix, json.StringOr("continuing_subword_prefix", ""));
  PENSTOCK_ASSIGN_OR_RETURN(plan->suffix, json.StringOr("end_of_word_suffix", ""));
  const Json vocabulary = json.Get("vocab");
  PENSTOCK_RETURN_IF_ERROR(ReadVocabularyObject(vocabulary, limits, plan));
  const Json unk = json.Get("unk_token");
  if (!unk.is_null()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view token, unk.String());
    // One that is only an added token is none: the reference fails on the first text that needs it.
    const TokenId id = plan->ids.Find(token);
    if (id >= 0) plan->unk = id;
  }
  const Json merges = json.Get("merges");
  size_t rank = 0;
  return merges.ForEachElement([&](const Json& merge) -> absl::Status {
    // Version lines of merges.txt survive in some files.
    if (merge.is_string() && rank == 0) {
      PENSTOCK_ASSIGN_OR_RETURN(const std::string_view text, merge.String());
      if (text.substr(0, 8) == "#version") return absl::OkStatus();
    }
    if (rank >= limits.max_merges) {
      return merge.Error(absl::StatusCode::kResourceExhausted,
                         absl::StrCat("more than ", limits.max_merges, " merges"));
    }
    return ReadMerge(merge, rank++, plan);
  });
}

absl::Status ReadUnk(const Json& json, const char* without_field, ModelPlan* plan) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string token, json.StringOr("unk_token", without_field));
  const TokenId id = plan->ids.Find(token);
  if (id >= 0) plan->unk = id;
  return absl::OkStatus();
}

absl::Status ReadWordPiece(const Json& json, const LoadLimits& limits, ModelPlan* plan) {
  const Json vocabulary = json.Get("vocab");
  PENSTOCK_RETURN_IF_ERROR(ReadVocabularyObject(vocabulary, limits, plan));
  PENSTOCK_ASSIGN_OR_RETURN(plan->prefix, json.StringOr("continuing_subword_prefix", "##"));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t max_chars, json.IntOr("max_input_chars_per_word", 100));
  if (max_chars < 0 || max_chars > 1000000) {
    const Json at = json.Get("max_input_chars_per_word");
    return at.Bad(absl::StrCat("is ", max_chars, ", expected 0 to 1000000"));
  }
  plan->max_chars = static_cast<size_t>(max_chars);
  return ReadUnk(json, "[UNK]", plan);
}

absl::Status ReadUnigram(const Json& json, const LoadLimits& limits, ModelPlan* plan) {
  const Json vocabulary = json.Get("vocab");
  PENSTOCK_RETURN_IF_ERROR(ReadVocabularyArray(vocabulary, limits, plan));
  PENSTOCK_ASSIGN_OR_RETURN(plan->byte_fallback, json.BoolOr("byte_fallback", false));
  const Json unk = json.Get("unk_id");
  if (unk.is_null()) return absl::OkStatus();
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t id, unk.Int());
  if (id < 0 || static_cast<size_t>(id) >= plan->tokens.size()) {
    return unk.Bad(absl::StrCat("is ", id, ", expected less than the ", plan->tokens.size(),
                                " pieces of the vocabulary"));
  }
  plan->unk = static_cast<TokenId>(id);
  return absl::OkStatus();
}

// Files from before the field "type": what is there decides, as in the reference.
std::string GuessType(const Json& json) {
  if (json.Get("merges").exists()) return "BPE";
  if (json.Get("vocab").is_array()) return "Unigram";
  if (json.Get("continuing_subword_prefix").exists()) return "WordPiece";
  return "WordLevel";
}

// The model's pieces as it meets them: bytes, where spelled in byte characters.
ByteMap BytePieces(const ModelPlan& plan) {
  ByteMapBuilder pieces;
  size_t bytes = 0;
  for (const std::string& t : plan.tokens) bytes += t.size();
  pieces.Reserve(plan.tokens.size(), bytes);
  std::string raw;
  for (size_t id = 0; id < plan.tokens.size(); ++id) {
    if (plan.tokens[id].empty() || !FromByteChars(plan.tokens[id], &raw)) continue;
    pieces.Insert(raw, static_cast<int32_t>(id));
  }
  return std::move(pieces).Build();
}

}  // namespace

absl::Status AddMerge(std::string_view left, std::string_view right, size_t rank, ModelPlan* plan,
                      std::string* why) {
  const TokenId left_id = plan->ids.Find(left);
  const TokenId right_id = plan->ids.Find(right);
  if (left_id < 0 || right_id < 0) {
    *why = absl::StrCat(Quoted(left_id < 0 ? left : right), " is not in the vocabulary");
    return absl::DataLossError(*why);
  }
  if (right.size() < plan->prefix.size()) {
    *why = absl::StrCat(Quoted(right), " is shorter than continuing_subword_prefix");
    return absl::DataLossError(*why);
  }
  const std::string merged =
      absl::StrCat(AbslView(left), AbslView(right.substr(plan->prefix.size())));
  const TokenId id = plan->ids.Find(merged);
  if (id < 0) {
    *why = absl::StrCat("merges to ", Quoted(merged), ", which is not in the vocabulary");
    return absl::DataLossError(*why);
  }
  plan->merges.Insert(left_id, right_id, {static_cast<uint32_t>(rank), id});
  return absl::OkStatus();
}

absl::StatusOr<ModelPlan> ReadModel(const Json& json, const LoadLimits& limits) {
  if (!json.is_object()) return json.Bad("expected an object with vocab");
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(std::string type, json.StringOr("type", ""));
  if (type.empty()) type = GuessType(json);
  ModelPlan plan;
  if (type == "BPE") {
    plan.kind = ModelPlan::Kind::kBpe;
    PENSTOCK_RETURN_IF_ERROR(ReadBpe(json, limits, &plan));
  } else if (type == "WordPiece") {
    plan.kind = ModelPlan::Kind::kWordPiece;
    PENSTOCK_RETURN_IF_ERROR(ReadWordPiece(json, limits, &plan));
  } else if (type == "WordLevel") {
    plan.kind = ModelPlan::Kind::kWordLevel;
    const Json vocabulary = json.Get("vocab");
    PENSTOCK_RETURN_IF_ERROR(ReadVocabularyObject(vocabulary, limits, &plan));
    PENSTOCK_RETURN_IF_ERROR(ReadUnk(json, "<unk>", &plan));
  } else if (type == "Unigram") {
    plan.kind = ModelPlan::Kind::kUnigram;
    PENSTOCK_RETURN_IF_ERROR(ReadUnigram(json, limits, &plan));
  } else {
    return type_json.Error(
        absl::StatusCode::kUnimplemented,
        absl::StrCat(Quoted(type), ", expected BPE, WordPiece, WordLevel or Unigram"));
  }
  return plan;
}

bool CanUseBytes(const ModelPlan& plan) {
  if (plan.kind != ModelPlan::Kind::kBpe || plan.byte_fallback || !plan.prefix.empty() ||
      !plan.suffix.empty()) {
    return false;
  }
  for (int b = 0; b < 256; ++b) {
    if (plan.ids.Find(ByteChar(static_cast<uint8_t>(b))) < 0) return false;
  }
  return true;
}

std::unique_ptr<const Model> BuildModel(ModelPlan plan, bool bytes, std::vector<uint8_t> control) {
  switch (plan.kind) {
    case ModelPlan::Kind::kWordPiece:
      return std::make_unique<WordPieceModel>(
          WordPieceModel::Spec{std::move(plan.ids), plan.prefix, plan.unk, plan.max_chars},
          std::move(control));
    case ModelPlan::Kind::kWordLevel:
      return std::make_unique<WordLevelModel>(std::move(plan.ids), plan.unk, std::move(control));
    case ModelPlan::Kind::kUnigram: {
      std::vector<std::pair<std::string, double>> pieces;
      for (size_t i = 0; i < plan.tokens.size(); ++i) {
        pieces.emplace_back(std::move(plan.tokens[i]), plan.scores[i]);
      }
      return std::make_unique<UnigramModel>(std::move(pieces), plan.unk, plan.byte_fallback,
                                            std::move(control));
    }
    case ModelPlan::Kind::kBpe:
      break;
  }
  BpeModel::Spec spec;
  spec.bytes = bytes;
  spec.pieces = bytes ? BytePieces(plan) : std::move(plan.ids);
  spec.merges = std::move(plan.merges);
  spec.whole_piece = plan.ignore_merges;
  spec.unk = plan.unk;
  spec.fuse_unk = plan.fuse_unk;
  spec.byte_fallback = plan.byte_fallback;
  spec.continuing_subword_prefix = plan.prefix;
  spec.end_of_word_suffix = plan.suffix;
  return std::make_unique<BpeModel>(std::move(spec), std::move(control));
}

}  // namespace penstock::internal
