// SPDX-License-Identifier: Apache-2.0
//
// ReadHuggingFaceJson: tokenizer.json.
#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/engine.h"
#include "tokenizer/huggingface/byte_chars.h"
#include "tokenizer/huggingface/decoders.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/huggingface/model_reader.h"
#include "tokenizer/huggingface/normalizers.h"
#include "tokenizer/huggingface/post_processor.h"
#include "tokenizer/huggingface/pre_tokenizers.h"
#include "tokenizer/huggingface/serde_numbers.h"
#include "tokenizer/huggingface/tokenizer_config.h"
#include "tokenizer/readers.h"
#include "tokenizer/split_pre_tokenizer.h"

namespace penstock::internal {
namespace {

absl::StatusOr<AddedToken> ReadAddedToken(const Json& json, const LoadLimits& limits) {
  AddedToken token;
  const Json content = json.Get("content");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view bytes, content.String());
  if (bytes.size() > limits.max_token_bytes) {
    return content.Error(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(bytes.size(), " bytes, expected at most ", limits.max_token_bytes));
  }
  token.content = std::string(bytes);
  const Json id_json = json.Get("id");
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t id, id_json.Int());
  if (id < 0 || static_cast<uint64_t>(id) >= limits.max_vocabulary) {
    return id_json.Error(
        id < 0 ? absl::StatusCode::kDataLoss : absl::StatusCode::kResourceExhausted,
        absl::StrCat("is ", id, ", expected 0 to ", limits.max_vocabulary - 1));
  }
  token.id = static_cast<TokenId>(id);
  PENSTOCK_ASSIGN_OR_RETURN(token.special, json.BoolOr("special", false));
  PENSTOCK_ASSIGN_OR_RETURN(token.single_word, json.BoolOr("single_word", false));
  PENSTOCK_ASSIGN_OR_RETURN(token.lstrip, json.BoolOr("lstrip", false));
  PENSTOCK_ASSIGN_OR_RETURN(token.rstrip, json.BoolOr("rstrip", false));
  PENSTOCK_ASSIGN_OR_RETURN(token.normalized, json.BoolOr("normalized", !token.special));
  return token;
}

// The ids that the reference gives: the model's where it has the token, else the next ones behind
// the model's, in the order of the file, whatever the file says.
absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& json, const ModelPlan& model,
                                                        bool keeps_ids, const LoadLimits& limits) {
  std::vector<AddedToken> tokens;
  if (json.is_null()) return tokens;
  std::set<std::string> seen;
  std::set<TokenId> ids;
  TokenId next_id = static_cast<TokenId>(model.entries);
  PENSTOCK_RETURN_IF_ERROR(json.ForEachElement([&](const Json& entry) -> absl::Status {
    if (tokens.size() >= limits.max_added_tokens) {
      return entry.Error(absl::StatusCode::kResourceExhausted,
                         absl::StrCat("more than ", limits.max_added_tokens, " added tokens"));
    }
    PENSTOCK_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(entry, limits));
    if (token.content.empty()) return absl::OkStatus();  // the reference ignores them
    if (!seen.insert(token.content).second) {
      return entry.Bad(absl::StrCat("\"", token.content, "\" appears twice"));
    }
    const TokenId in_model = model.ids.Find(token.content);
    if (in_model >= 0 && in_model != token.id) {
      return entry.Bad(absl::StrCat("\"", token.content, "\" has id ", token.id,
                                    ", but the model's vocabulary gives it ", in_model));
    }
    if (!ids.insert(token.id).second) {
      return entry.Bad(absl::StrCat("id ", token.id, " belongs to two added tokens"));
    }
    if (in_model < 0) {
      // Gaps are closed: a token that the model does not know gets the next id.
      const TokenId numbered = keeps_ids ? token.id : next_id++;
      for (const TokenId candidate : {token.id, numbered}) {
        const size_t id = static_cast<size_t>(candidate);
        if (id >= model.tokens.size() || model.tokens[id].empty()) continue;
        return entry.Bad(absl::StrCat("\"", token.content, "\" has id ", candidate, ", which is \"",
                                      model.tokens[id], "\" in the model's vocabulary"));
      }
      token.id = numbered;
    }
    tokens.push_back(std::move(token));
    return absl::OkStatus();
  }));
  return tokens;
}

// Which of `names` the member `key` is; absent: the first.
absl::StatusOr<size_t> OneOf(const Json& json, const char* key,
                             std::initializer_list<const char*> names) {
  const Json member = json.Get(key);
  if (member.is_null()) return size_t{0};
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view value, member.String());
  std::string expected;
  for (const char* const* name = names.begin(); name != names.end(); ++name) {
    if (value == *name) return static_cast<size_t>(name - names.begin());
    absl::StrAppend(&expected, expected.empty() ? "" : ", ", *name);
  }
  return member.Bad(absl::StrCat("is \"", AbslView(value), "\", expected one of ", expected));
}

// The member `key` within [0, limit]; absent: 0.
absl::StatusOr<int64_t> SizeOr0(const Json& json, const char* key, int64_t limit) {
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t n, json.IntOr(key, 0));
  if (n >= 0 && n <= limit) return n;
  const Json member = json.Get(key);
  return member.Bad(absl::StrCat("is ", n, ", expected 0 to ", limit));
}

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

absl::Status ReadStoredTruncation(const Json& json, EngineParts* parts) {
  if (json.is_null()) return absl::OkStatus();
  TruncationOptions t;
  PENSTOCK_RETURN_IF_ERROR(json.IntAt("max_length").status());
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t max_length, SizeOr0(json, "max_length", kMaxInt64));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t stride, SizeOr0(json, "stride", kMaxInt64));
  PENSTOCK_ASSIGN_OR_RETURN(const size_t direction, OneOf(json, "direction", {"Right", "Left"}));
  PENSTOCK_ASSIGN_OR_RETURN(const size_t strategy,
                            OneOf(json, "strategy", {"LongestFirst", "OnlyFirst", "OnlySecond"}));
  t.max_tokens = static_cast<size_t>(max_length);
  t.stride = static_cast<size_t>(stride);
  t.side = direction == 1 ? Side::kLeft : Side::kRight;
  if (strategy == 1) t.strategy = TruncationStrategy::kOnlyFirst;
  if (strategy == 2) t.strategy = TruncationStrategy::kOnlySecond;
  parts->stored_truncation = t;
  return absl::OkStatus();
}

absl::Status ReadStoredPadding(const Json& json, EngineParts* parts) {
  if (json.is_null()) return absl::OkStatus();
  PaddingOptions p;
  const Json strategy = json.Get("strategy");
  if (strategy.is_object()) {
    PENSTOCK_RETURN_IF_ERROR(strategy.IntAt("Fixed").status());
    PENSTOCK_ASSIGN_OR_RETURN(const int64_t length, SizeOr0(strategy, "Fixed", kMaxInt64));
    p.fixed_length = static_cast<size_t>(length);
  } else {
    PENSTOCK_RETURN_IF_ERROR(OneOf(json, "strategy", {"BatchLongest"}).status());
  }
  PENSTOCK_ASSIGN_OR_RETURN(const size_t direction, OneOf(json, "direction", {"Right", "Left"}));
  p.side = direction == 1 ? Side::kLeft : Side::kRight;
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t pad_id, SizeOr0(json, "pad_id", kMaxInt32));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t type_id, SizeOr0(json, "pad_type_id", kMaxInt32));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t multiple, SizeOr0(json, "pad_to_multiple_of", kMaxInt64));
  p.pad_id = static_cast<TokenId>(pad_id);
  p.pad_type_id = static_cast<int32_t>(type_id);
  if (multiple > 0) p.multiple_of = static_cast<size_t>(multiple);
  parts->stored_padding = p;
  return absl::OkStatus();
}

// Roles by the names in common use; the file itself has none but unk.
SpecialIds FindSpecialIds(const ModelPlan& model, const std::vector<AddedToken>& added,
                          const EngineParts& parts) {
  const auto find = [&](std::initializer_list<const char*> names) -> std::optional<TokenId> {
    for (const char* name : names) {
      for (const AddedToken& t : added) {
        if (t.special && t.content == name) return t.id;
      }
    }
    return std::nullopt;
  };
  SpecialIds special;
  special.unk = model.unk;
  special.bos = find({"<s>", "<bos>", "<|begin_of_text|>", "[BOS]", "<|startoftext|>"});
  special.eos = find({"</s>", "<eos>", "<|end_of_text|>", "[EOS]", "<|endoftext|>"});
  special.pad = find({"<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|pad|>", "<|endoftext|>"});
  special.mask = find({"<mask>", "[MASK]"});
  special.cls = find({"[CLS]"});
  special.sep = find({"[SEP]"});
  if (parts.stored_padding.has_value() && parts.stored_padding->pad_id.has_value()) {
    const TokenId pad = *parts.stored_padding->pad_id;
    if (pad >= 0 && static_cast<size_t>(pad) < model.tokens.size() &&
        !model.tokens[static_cast<size_t>(pad)].empty()) {
      special.pad = pad;
    }
  }
  return special;
}

// Decoding sees tokens as the file spells them. Where the decoder is ByteLevel alone that is the
// same as concatenating bytes, so `spellings` then holds those, and only if they differ from the
// vocabulary.
void SetSpellings(const ModelPlan& model, const std::vector<AddedToken>& added,
                  const DecoderPlan& decoder, bool byte_level, EngineParts* parts) {
  std::vector<std::string> spellings = model.tokens;
  bool differs = false;
  for (const AddedToken& t : added) {
    const size_t id = static_cast<size_t>(t.id);
    if (id >= spellings.size()) spellings.resize(id + 1);
    spellings[id] = t.content;
  }
  if (decoder.byte_level_only) {
    std::string bytes;
    for (std::string& s : spellings) {
      if (FromByteChars(s, &bytes)) s = bytes;
    }
    for (const AddedToken& t : added) {
      differs |= spellings[static_cast<size_t>(t.id)] != t.content;
    }
  } else {
    differs = byte_level;
  }
  if (differs || (decoder.byte_level_only && !byte_level)) parts->spellings = std::move(spellings);
}

absl::StatusOr<Vocabulary> BuildVocabulary(const ModelPlan& model,
                                           const std::vector<AddedToken>& added, bool byte_level,
                                           const SpecialIds& special) {
  std::vector<std::string> tokens = model.tokens;
  std::string bytes;
  if (byte_level) {
    for (std::string& t : tokens) {
      if (FromByteChars(t, &bytes)) t = bytes;
    }
  }
  for (const AddedToken& t : added) {
    if (static_cast<size_t>(t.id) < tokens.size()) tokens[static_cast<size_t>(t.id)] = t.content;
  }
  return VocabularyAccess::CreateWithDuplicates(std::move(tokens), added, special);
}

std::vector<uint8_t> ControlIds(const std::vector<AddedToken>& added, size_t size) {
  std::vector<uint8_t> control(size);
  for (const AddedToken& t : added) {
    if (t.token_class == AddedTokenClass::kControl && static_cast<size_t>(t.id) < size) {
      control[static_cast<size_t>(t.id)] = 1;
    }
  }
  return control;
}

absl::Status CheckTopLevel(const Json& root) {
  if (!root.is_object()) return root.Bad("expected a JSON object with a model");
  const Json version = root.Get("version");
  if (version.exists()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view v, version.String());
    if (v != "1.0") {
      return version.Error(absl::StatusCode::kUnimplemented,
                           absl::StrCat("is \"", AbslView(v), "\", expected \"1.0\""));
    }
  }
  return root.CheckKeysUnique();
}

bool HasAllByteTokens(const ModelPlan& model) {
  for (int b = 0; b < 256; ++b) {
    char code[8];
    std::snprintf(code, sizeof(code), "<0x%02X>", b);
    if (model.ids.Find(code) < 0) return false;
  }
  return true;
}

absl::Status InFile(const SourceFile& file, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(AbslView(file.name), ": ", status.message()));
}

// The scores with the reference's last bits; ReadModel() has checked their form.
absl::Status UseReferenceScores(const SourceFile& file, ModelPlan* model) {
  if (model->kind != ModelPlan::Kind::kUnigram) return absl::OkStatus();
  absl::StatusOr<std::vector<double>> scores = ReadUnigramScores(file.bytes);
  if (!scores.ok()) return InFile(file, scores.status());
  if (scores->size() != model->scores.size()) {
    return absl::DataLossError(absl::StrCat(AbslView(file.name), ": model.vocab: ", scores->size(),
                                            " scores, expected ", model->scores.size()));
  }
  model->scores = *std::move(scores);
  return absl::OkStatus();
}

absl::Status ReadConfigBeside(const SourceFile& file, const LoadLimits& limits,
                              const ModelPlan& model, const std::vector<AddedToken>& added,
                              SpecialIds* special, EngineParts* parts) {
  constexpr char kName[] = "tokenizer_config.json";
  const absl::StatusOr<std::string> config = ReadSibling(file, kName, limits);
  if (config.status().code() == absl::StatusCode::kNotFound) return absl::OkStatus();
  PENSTOCK_RETURN_IF_ERROR(config.status());
  const std::string name = absl::StrCat(AbslView(file.name), ": ", kName);
  return ApplyTokenizerConfig(*config, name, limits, model.ids, added, special, parts);
}

}  // namespace

bool LooksLikeHuggingFaceJson(std::string_view head) {
  size_t pos = head.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;
  while (pos < head.size() &&
         (head[pos] == ' ' || head[pos] == '\t' || head[pos] == '\n' || head[pos] == '\r')) {
    ++pos;
  }
  if (pos == head.size() || head[pos] != '{') return false;
  for (const char* key : {"\"version\"", "\"model\"", "\"added_tokens\"", "\"normalizer\"",
                          "\"pre_tokenizer\"", "\"truncation\""}) {
    if (head.find(key) != std::string_view::npos) return true;
  }
  return false;
}

absl::StatusOr<TokenizerPtr> ReadHuggingFaceJson(const SourceFile& file,
                                                 const LoadOptions& options) {
  const LoadLimits& limits = options.limits;
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<JsonDocument> document,
                            JsonDocument::Parse(file.bytes, file.name, limits));
  const Json root = document->root();
  PENSTOCK_RETURN_IF_ERROR(CheckTopLevel(root));
  PENSTOCK_ASSIGN_OR_RETURN(ModelPlan model, ReadModel(root.Get("model"), limits));
  PENSTOCK_RETURN_IF_ERROR(UseReferenceScores(file, &model));
  PENSTOCK_ASSIGN_OR_RETURN(
      std::vector<AddedToken> added,
      ReadAddedTokens(root.Get("added_tokens"), model, file.keeps_ids, limits));
  PENSTOCK_RETURN_IF_ERROR(InFile(file, ClassifyAddedTokens(options.content_tokens, &added)));

  EngineParts parts;
  bool normalizer_byte_level = false;
  PENSTOCK_ASSIGN_OR_RETURN(parts.normalizer,
                            ReadNormalizer(root.Get("normalizer"), limits, &normalizer_byte_level));
  PENSTOCK_ASSIGN_OR_RETURN(PreTokenizerPlan pre,
                            ReadPreTokenizer(root.Get("pre_tokenizer"), limits));
  PENSTOCK_ASSIGN_OR_RETURN(parts.post_processor, ReadPostProcessor(root.Get("post_processor")));
  PENSTOCK_ASSIGN_OR_RETURN(DecoderPlan decoder, ReadDecoder(root.Get("decoder"), limits));
  PENSTOCK_RETURN_IF_ERROR(ReadStoredTruncation(root.Get("truncation"), &parts));
  PENSTOCK_RETURN_IF_ERROR(ReadStoredPadding(root.Get("padding"), &parts));

  const bool byte_level = pre.byte_level || normalizer_byte_level || decoder.byte_level_only;
  const bool bytes = pre.byte_level_last && !normalizer_byte_level && CanUseBytes(model);
  for (auto& stage : pre.byte_level_split) pre.stages.push_back(std::move(stage));
  if (pre.byte_level_last && !bytes) pre.stages.push_back(NewByteCharsPreTokenizer());
  if (!pre.stages.empty()) parts.pre_tokenizer = NewPreTokenizerSequence(std::move(pre.stages));
  const bool keeps_bytes = bytes || (model.byte_fallback && HasAllByteTokens(model));
  parts.invalid_utf8 = keeps_bytes ? InvalidUtf8::kKeep : InvalidUtf8::kReplace;

  SpecialIds special = FindSpecialIds(model, added, parts);
  if (options.read_tokenizer_config) {
    PENSTOCK_RETURN_IF_ERROR(ReadConfigBeside(file, limits, model, added, &special, &parts));
  }
  absl::StatusOr<Vocabulary> vocabulary = BuildVocabulary(model, added, byte_level, special);
  if (!vocabulary.ok()) return InFile(file, vocabulary.status());
  parts.vocabulary = *std::move(vocabulary);
  parts.byte_level_vocabulary = byte_level;
  SetSpellings(model, added, decoder, byte_level, &parts);
  parts.decoder = std::move(decoder.decoder);
  std::vector<uint8_t> control = ControlIds(added, parts.vocabulary.size());
  parts.model = BuildModel(std::move(model), bytes, std::move(control));
  absl::StatusOr<TokenizerPtr> tokenizer = NewEngineTokenizer(std::move(parts));
  if (!tokenizer.ok()) return InFile(file, tokenizer.status());
  return tokenizer;
}

}  // namespace penstock::internal
