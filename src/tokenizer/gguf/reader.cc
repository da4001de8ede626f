// SPDX-License-Identifier: Apache-2.0
//
// The vocabulary of a GGUF file: tokenizer.ggml.model says which of five kinds it is.
//   llama   SentencePiece BPE      t5     SentencePiece unigram
//   gpt2    byte-level BPE         bert   WordPiece, continuations spelled without "##"
//   gemma4  BPE over characters (so are some `pre` of gpt2)
#include "tokenizer/sentencepiece/reader.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"
#include "tokenizer/components/component_json.h"
#include "tokenizer/gguf/metadata.h"
#include "tokenizer/gguf/pre_tokenizers.h"
#include "tokenizer/readers.h"

namespace penstock::internal {
namespace {

using spm::PieceType;
using NamedToken = std::pair<std::string, TokenId>;

const std::string kGemma4 = "gemma4";
constexpr const char* kEscapedSpacesDecoder =
    R"({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, )"
    R"("content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]})";
constexpr const char* kTextDecoder =
    R"({"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]})";

class GgufReader {
 public:
  GgufReader(const GgufMetadata& metadata, std::string_view name, const LoadOptions& options)
      : metadata_(metadata), name_(name), options_(options) {}

  absl::StatusOr<TokenizerPtr> Read();

 private:
  absl::Status Damaged(const std::string& what) const {
    return absl::DataLossError(absl::StrCat(AbslView(name_), ": ", what));
  }
  std::optional<bool> Flag(const char* key) const {
    return metadata_.Bool(absl::StrCat("tokenizer.ggml.", key));
  }

  absl::Status ReadTokens();
  absl::Status ReadTypes();
  // The id under `key`, checked; `otherwise` if there is none.
  absl::StatusOr<std::optional<TokenId>> SpecialId(const char* key,
                                                   std::optional<TokenId> otherwise) const;
  absl::Status ReadSpecialIds();
  std::optional<NamedToken> Named(std::optional<TokenId> id) const;
  // Tokens without those of types that text never becomes by the model, and those as added tokens.
  std::vector<std::string> SplitAdded(ComponentJson* json) const;
  // For byte-pair encoding over characters; see GgufPre::Spelling.
  void SpellAsText(bool escaped_spaces, std::vector<std::string>* tokens,
                   ComponentJson* json) const;
  absl::StatusOr<TokenizerPtr> ReadSentencePiece(bool unigram);
  absl::StatusOr<TokenizerPtr> ReadByteLevel();
  absl::StatusOr<TokenizerPtr> ReadBert();

  const GgufMetadata& metadata_;
  std::string_view name_;
  const LoadOptions& options_;
  const std::vector<std::string>* tokens_ = nullptr;
  std::vector<PieceType> types_;
  std::optional<TokenId> bos_, eos_, unk_, pad_, sep_, cls_, mask_;
};

absl::Status GgufReader::ReadTokens() {
  tokens_ = metadata_.Strings("tokenizer.ggml.tokens");
  if (tokens_ == nullptr || tokens_->empty()) {
    return Damaged("no tokenizer.ggml.tokens, expected an array of strings");
  }
  if (tokens_->size() > options_.limits.max_vocabulary) {
    return absl::ResourceExhaustedError(absl::StrCat(AbslView(name_), ": ", tokens_->size(),
                                                     " tokens, the limit is ",
                                                     options_.limits.max_vocabulary));
  }
  for (size_t i = 0; i < tokens_->size(); ++i) {
    if (!IsValidUtf8((*tokens_)[i])) {
      return Damaged(absl::StrCat("tokenizer.ggml.tokens[", i, "]: is not UTF-8"));
    }
  }
  return ReadTypes();
}

absl::Status GgufReader::ReadTypes() {
  types_.assign(tokens_->size(), PieceType::kNormal);
  if (!metadata_.Has("tokenizer.ggml.token_type")) return absl::OkStatus();
  const std::vector<int64_t>* types = metadata_.Integers("tokenizer.ggml.token_type");
  if (types == nullptr) return Damaged("tokenizer.ggml.token_type: expected an array of integers");
  if (types->size() != tokens_->size()) {
    return Damaged(absl::StrCat("tokenizer.ggml.token_type: ", types->size(), " elements, but ",
                                tokens_->size(), " tokens"));
  }
  for (size_t i = 0; i < types->size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 0 || type > 6) {
      return Damaged(
          absl::StrCat("tokenizer.ggml.token_type[", i, "]: ", type, ", expected 0 to 6"));
    }
    if (type != 0) types_[i] = static_cast<PieceType>(type);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<TokenId>> GgufReader::SpecialId(
    const char* key, std::optional<TokenId> otherwise) const {
  const std::string full = absl::StrCat("tokenizer.ggml.", key);
  if (!metadata_.Has(full)) {
    // A default that the vocabulary does not have is none.
    if (otherwise.has_value() && static_cast<size_t>(*otherwise) >= tokens_->size()) {
      return std::optional<TokenId>();
    }
    return otherwise;
  }
  const std::optional<int64_t> id = metadata_.Integer(full);
  if (!id.has_value()) return Damaged(absl::StrCat(full, ": expected an integer"));
  // Converters write 2^32 - 1 for none.
  if (*id == -1 || *id == 0xFFFFFFFF) return std::optional<TokenId>();
  if (*id < 0 || static_cast<uint64_t>(*id) >= tokens_->size()) {
    return Damaged(absl::StrCat(full, ": ", *id, ", but there are ", tokens_->size(), " tokens"));
  }
  return std::optional<TokenId>(static_cast<TokenId>(*id));
}

absl::Status GgufReader::ReadSpecialIds() {
  const std::string* model = metadata_.String("tokenizer.ggml.model");
  const bool llama = *model == "llama", t5 = *model == "t5", bert = *model == "bert";
  const auto by = [](bool condition, TokenId id) {
    return condition ? std::optional<TokenId>(id) : std::nullopt;
  };
  PENSTOCK_ASSIGN_OR_RETURN(unk_, SpecialId("unknown_token_id", llama ? by(true, 0)
                                                                : t5  ? by(true, 2)
                                                                      : by(bert, 100)));
  PENSTOCK_ASSIGN_OR_RETURN(bos_, SpecialId("bos_token_id", by(llama, 1)));
  PENSTOCK_ASSIGN_OR_RETURN(eos_, SpecialId("eos_token_id", llama ? by(true, 2) : by(t5, 1)));
  PENSTOCK_ASSIGN_OR_RETURN(pad_, SpecialId("padding_token_id", by(t5 || bert, 0)));
  PENSTOCK_ASSIGN_OR_RETURN(cls_, SpecialId("cls_token_id", bert && !bos_ ? by(true, 101) : bos_));
  PENSTOCK_ASSIGN_OR_RETURN(sep_, SpecialId("seperator_token_id", by(bert, 102)));
  PENSTOCK_ASSIGN_OR_RETURN(mask_, SpecialId("mask_token_id", by(bert, 103)));
  return absl::OkStatus();
}

std::optional<NamedToken> GgufReader::Named(std::optional<TokenId> id) const {
  if (!id.has_value()) return std::nullopt;
  return NamedToken((*tokens_)[static_cast<size_t>(*id)], *id);
}

absl::StatusOr<TokenizerPtr> GgufReader::ReadSentencePiece(bool unigram) {
  spm::SentencePieceSpec spec;
  spec.algorithm = unigram ? spm::PieceAlgorithm::kUnigram : spm::PieceAlgorithm::kBpe;
  const std::vector<float>* scores = metadata_.Floats("tokenizer.ggml.scores");
  if (scores == nullptr) return Damaged("no tokenizer.ggml.scores, expected an array of numbers");
  if (scores->size() != tokens_->size()) {
    return Damaged(absl::StrCat("tokenizer.ggml.scores: ", scores->size(), " elements, but ",
                                tokens_->size(), " tokens"));
  }
  for (const auto& id : {bos_, eos_}) {
    if (id.has_value()) types_[static_cast<size_t>(*id)] = PieceType::kControl;
  }
  if (unk_.has_value()) types_[static_cast<size_t>(*unk_)] = PieceType::kUnknown;
  for (size_t i = 0; i < tokens_->size(); ++i) {
    spec.pieces.push_back({(*tokens_)[i], (*scores)[i], types_[i]});
    spec.byte_fallback = spec.byte_fallback || types_[i] == PieceType::kByte;
  }
  if (bos_.has_value()) spec.bos_piece = (*tokens_)[static_cast<size_t>(*bos_)];
  if (eos_.has_value()) spec.eos_piece = (*tokens_)[static_cast<size_t>(*eos_)];
  if (pad_.has_value()) spec.pad_piece = (*tokens_)[static_cast<size_t>(*pad_)];
  spec.normalizer.add_dummy_prefix = Flag("add_space_prefix").value_or(true);
  spec.normalizer.remove_extra_whitespaces = Flag("remove_extra_whitespaces").value_or(unigram);
  spec.normalizer.escape_whitespaces = Flag("escape_whitespaces").value_or(true);
  spec.treat_whitespace_as_suffix = Flag("treat_whitespace_as_suffix").value_or(false);
  if (const std::string* map = metadata_.Bytes("tokenizer.ggml.precompiled_charsmap")) {
    spec.normalizer.precompiled_charsmap = *map;
  }
  spm::SentencePieceOptions options;
  options.content_tokens = options_.content_tokens;
  if (options_.sentencepiece_scores == SentencePieceScores::k0_2_3) {
    options.arithmetic = spm::UnigramArithmetic::k0_2_3;
  }
  options.add_bos = Flag("add_bos_token").value_or(!unigram);
  options.add_eos = Flag("add_eos_token").value_or(unigram);
  PENSTOCK_ASSIGN_OR_RETURN(EngineParts parts, spm::SentencePieceParts(spec, options, name_));
  return NewEngineTokenizer(std::move(parts));
}

std::vector<std::string> GgufReader::SplitAdded(ComponentJson* json) const {
  std::vector<std::string> tokens = *tokens_;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (types_[i] == PieceType::kUnused) {
      tokens[i].clear();  // fills a hole of the original vocabulary
      continue;
    }
    const bool special = types_[i] == PieceType::kControl || types_[i] == PieceType::kUnknown;
    if ((!special && types_[i] != PieceType::kUserDefined) || tokens[i].empty()) continue;
    json->added.push_back({static_cast<TokenId>(i), tokens[i], special, /*normalized=*/!special});
    if (types_[i] == PieceType::kUserDefined) tokens[i].clear();
  }
  return tokens;
}

void GgufReader::SpellAsText(bool escaped_spaces, std::vector<std::string>* tokens,
                             ComponentJson* json) const {
  std::vector<ComponentJson::Added> added;
  for (ComponentJson::Added& token : json->added) {
    std::string& spelling = (*tokens)[static_cast<size_t>(token.id)];
    token.normalized = false;
    if (spelling.empty()) spelling = token.content;  // merges may name it
    if (escaped_spaces)
      spelling = absl::StrReplaceAll(spelling, {{" ", AbslView(spm::kSpaceSymbol)}});
    // Runs of spaces are what merging makes of them.
    const bool spaces = absl::StrReplaceAll(spelling, {{AbslView(spm::kSpaceSymbol), ""}}).empty();
    if (!spaces || token.special) added.push_back(std::move(token));
  }
  json->added = std::move(added);
  json->decoder = escaped_spaces ? kEscapedSpacesDecoder : kTextDecoder;
}

absl::StatusOr<TokenizerPtr> GgufReader::ReadByteLevel() {
  const std::string* name = metadata_.String("tokenizer.ggml.pre");
  if (*metadata_.String("tokenizer.ggml.model") == "gemma4") name = &kGemma4;
  const std::optional<GgufPre> pre = FindGgufPre(name == nullptr ? "default" : *name);
  if (!pre.has_value()) {
    return absl::UnimplementedError(
        absl::StrCat(AbslView(name_), ": tokenizer.ggml.pre: \"", *name,
                     "\" is no pre-tokenizer known here, expected one of", KnownGgufPres()));
  }
  const std::vector<std::string>* lines = metadata_.Strings("tokenizer.ggml.merges");
  if (lines == nullptr) return Damaged("no tokenizer.ggml.merges, expected an array of strings");
  if (lines->size() > options_.limits.max_merges) {
    return absl::ResourceExhaustedError(absl::StrCat(AbslView(name_), ": ", lines->size(),
                                                     " merges, the limit is ",
                                                     options_.limits.max_merges));
  }
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  for (size_t i = 0; i < lines->size(); ++i) {
    const std::string_view line = (*lines)[i];
    const size_t space = line.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == line.size() || !IsValidUtf8(line)) {
      return Damaged(
          absl::StrCat("tokenizer.ggml.merges[", i, "]: expected two tokens with a space between"));
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  ComponentJson json;
  std::vector<std::string> tokens = SplitAdded(&json);
  json.normalizer = pre->normalizer;
  json.pre_tokenizer = pre->pre_tokenizer;
  json.post_processor =
      TemplateJson(Flag("add_bos_token").value_or(pre->add_bos) ? Named(bos_) : std::nullopt,
                   Flag("add_eos_token").value_or(false) ? Named(eos_) : std::nullopt);
  json.decoder = R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true})";
  BpeOptions model;
  model.ignore_merges = pre->ignore_merges;
  if (pre->spelling != GgufPre::Spelling::kBytes) {
    SpellAsText(pre->spelling == GgufPre::Spelling::kEscapedSpaces, &tokens, &json);
    model.byte_fallback = true;
    if (unk_.has_value()) model.unknown = (*tokens_)[static_cast<size_t>(*unk_)];
  }
  json.model = BpeModelJson(VocabularyJson(tokens), merges, model);
  return ReadComponentJson(json, {{}, name_, {}}, options_);
}

absl::StatusOr<TokenizerPtr> GgufReader::ReadBert() {
  const std::optional<NamedToken> unk = Named(unk_);
  if (!unk.has_value() || unk->first.empty()) {
    return Damaged("no unknown token, expected tokenizer.ggml.unknown_token_id");
  }
  ComponentJson json;
  std::vector<std::string> tokens = SplitAdded(&json);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string& token = tokens[i];
    if (token.empty() || types_[i] != PieceType::kNormal || token == unk->first) continue;
    // Words are spelled "▁word", continuations "word", and what stands in brackets as it is.
    if (token.rfind(spm::kSpaceSymbol, 0) == 0) {
      token.erase(0, spm::kSpaceSymbol.size());
    } else if (token.front() != '[' || token.back() != ']') {
      token.insert(0, "##");
    }
  }
  json.normalizer = BertNormalizerJson(Flag("normalizer.lowercase").value_or(true),
                                       Flag("normalizer.strip_accents"), true);
  json.pre_tokenizer = R"({"type": "BertPreTokenizer"})";
  if (cls_.has_value() && sep_.has_value()) {
    json.post_processor = BertTemplateJson(*Named(cls_), *Named(sep_));
  }
  json.decoder = R"({"type": "WordPiece", "prefix": "##", "cleanup": true})";
  json.model = WordPieceModelJson(tokens, unk->first);
  return ReadComponentJson(json, {{}, name_, {}}, options_);
}

absl::StatusOr<TokenizerPtr> GgufReader::Read() {
  const std::string* model = metadata_.String("tokenizer.ggml.model");
  if (model == nullptr) {
    return Damaged(
        "no tokenizer.ggml.model, expected \"llama\", \"gpt2\", \"gemma4\", \"bert\" or \"t5\"");
  }
  const bool bpe = *model == "gpt2" || *model == "gemma4";
  if (*model != "llama" && !bpe && *model != "bert" && *model != "t5") {
    return absl::UnimplementedError(
        absl::StrCat(AbslView(name_), ": tokenizer.ggml.model: \"", *model,
                     "\", expected \"llama\", \"gpt2\", \"gemma4\", \"bert\" or \"t5\""));
  }
  PENSTOCK_RETURN_IF_ERROR(ReadTokens());
  PENSTOCK_RETURN_IF_ERROR(ReadSpecialIds());
  if (bpe) return ReadByteLevel();
  if (*model == "bert") return ReadBert();
  return ReadSentencePiece(/*unigram=*/*model == "t5");
}

}  // namespace

bool LooksLikeGguf(std::string_view head) { return head.substr(0, 4) == "GGUF"; }

absl::StatusOr<TokenizerPtr> ReadGguf(const SourceFile& file, const LoadOptions& options) {
  MemorySource source(file.bytes);
  PENSTOCK_ASSIGN_OR_RETURN(const GgufMetadata metadata,
                            ReadGgufMetadata(&source, file.name, options.limits));
  return GgufReader(metadata, file.name, options).Read();
}

absl::StatusOr<TokenizerPtr> ReadGgufFile(const std::string& path, const LoadOptions& options) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (file == nullptr) {
    return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  FileSource source(file.get());
  PENSTOCK_ASSIGN_OR_RETURN(const GgufMetadata metadata,
                            ReadGgufMetadata(&source, path, options.limits));
  return GgufReader(metadata, path, options).Read();
}

}  // namespace penstock::internal
