// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/reader.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/components/tokenizer_config.h"
#include "tokenizer/sentencepiece/model_parser.h"
#include "tokenizer/sentencepiece/whole_models.h"

namespace penstock::internal {
namespace spm {
namespace {

absl::StatusOr<std::shared_ptr<const SentencePieceNormalizer>> MakeNormalizer(
    const NormalizerSpec& spec, bool whitespace_as_suffix, const UserPieces& user_pieces,
    const char* where, std::string_view name) {
  absl::StatusOr<Charsmap> charsmap = Charsmap::Parse(spec.precompiled_charsmap);
  if (!charsmap.ok()) {
    return absl::Status(charsmap.status().code(),
                        absl::StrCat(AbslView(name), ": ", where,
                                     ".precompiled_charsmap: ", charsmap.status().message()));
  }
  return std::make_shared<const SentencePieceNormalizer>(spec, *std::move(charsmap),
                                                         whitespace_as_suffix, user_pieces);
}

std::string DescribeNormalizer(const SentencePieceSpec& spec, const SentencePieceOptions& options) {
  const NormalizerSpec& n = spec.normalizer;
  std::string description = absl::StrCat(
      "sentencepiece:", n.add_dummy_prefix, n.remove_extra_whitespaces, n.escape_whitespaces,
      spec.treat_whitespace_as_suffix, options.dummy_prefix == DummyPrefix::kFirstRun, ":",
      n.precompiled_charsmap.size(), ":");
  return description.append(n.precompiled_charsmap);
}

// Control pieces are special added tokens; user-defined pieces are added tokens unless they are
// content, which the model itself matches, in any text.
absl::StatusOr<Vocabulary> MakeVocabulary(const SentencePieceSpec& spec, const PieceTable& table,
                                          const SentencePieceOptions& options) {
  std::vector<std::string> tokens(spec.pieces.size());
  std::vector<AddedToken> added;
  SpecialIds special;
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    const ModelPiece& piece = spec.pieces[i];
    const TokenId id = static_cast<TokenId>(i);
    const bool control = piece.type == PieceType::kControl;
    const bool user = piece.type == PieceType::kUserDefined && !table.content(id);
    if (control || user) {
      AddedToken token;
      token.content = std::string(piece.text);
      token.id = id;
      token.special = control;
      added.push_back(std::move(token));
      if (control && piece.text == spec.bos_piece) special.bos = id;
      if (control && piece.text == spec.eos_piece) special.eos = id;
      if (control && piece.text == spec.pad_piece) special.pad = id;
    } else {
      tokens[i] = std::string(piece.text);
      if (piece.type == PieceType::kUnknown) special.unk = id;
    }
  }
  // Content pieces are no added tokens here: keep their names from being looked for.
  std::vector<std::string> content;
  for (const std::string& name : options.content_tokens) {
    const TokenId id = table.trie().Find(name);
    if (id < 0 || table.type(id) != PieceType::kUserDefined) content.push_back(name);
  }
  PENSTOCK_RETURN_IF_ERROR(ClassifyAddedTokens(content, &added));
  return Vocabulary::Create(std::move(tokens), std::move(added), special);
}

PostProcessor MakeTemplate(const SpecialIds& special, const SentencePieceOptions& options) {
  const bool bos = options.add_bos.value_or(true) && special.bos.has_value();
  const bool eos =
      options.add_eos.value_or(!options.add_bos.has_value() && !bos) && special.eos.has_value();
  using Kind = TemplatePart::Kind;
  PostProcessor post;
  const auto around = [&](std::vector<TemplatePart>* parts, Kind text, int32_t type_id) {
    if (bos) parts->push_back({Kind::kSpecial, type_id, {*special.bos}});
    parts->push_back({text, type_id, {}});
    if (eos) parts->push_back({Kind::kSpecial, type_id, {*special.eos}});
  };
  post.single.clear();
  post.pair.clear();
  around(&post.single, Kind::kFirst, 0);
  around(&post.pair, Kind::kFirst, 0);
  around(&post.pair, Kind::kSecond, 1);
  return post;
}

}  // namespace

SentencePieceLimits LimitsOf(const LoadLimits& limits) {
  SentencePieceLimits out;
  out.max_pieces = limits.max_vocabulary;
  out.max_piece_bytes = limits.max_token_bytes;
  out.max_charsmap_bytes = limits.max_charsmap_bytes;
  return out;
}

absl::StatusOr<EngineParts> SentencePieceParts(const SentencePieceSpec& spec,
                                               const SentencePieceOptions& options,
                                               std::string_view name) {
  PENSTOCK_ASSIGN_OR_RETURN(PieceTable created,
                            PieceTable::Create(spec, options.content_tokens, name));
  const auto table = std::make_shared<const PieceTable>(std::move(created));
  PENSTOCK_ASSIGN_OR_RETURN(const auto normalizer,
                            MakeNormalizer(spec.normalizer, spec.treat_whitespace_as_suffix,
                                           table->user_pieces(), "normalizer_spec", name));
  std::shared_ptr<const SentencePieceNormalizer> denormalizer;
  if (spec.denormalizer.has_value() && !spec.denormalizer->precompiled_charsmap.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(denormalizer, MakeNormalizer(*spec.denormalizer, false, UserPieces(),
                                                           "denormalizer_spec", name));
  }
  EngineParts parts;
  absl::StatusOr<Vocabulary> vocabulary = MakeVocabulary(spec, *table, options);
  if (!vocabulary.ok()) {
    return absl::Status(vocabulary.status().code(),
                        absl::StrCat(AbslView(name), ": ", vocabulary.status().message()));
  }
  parts.vocabulary = *std::move(vocabulary);
  parts.normalizer = std::make_unique<NormalizerStage>(
      normalizer, DescribeNormalizer(spec, options), options.dummy_prefix);
  switch (spec.algorithm) {
    case PieceAlgorithm::kUnigram:
      parts.model = std::make_unique<UnigramModel>(table, options.arithmetic);
      break;
    case PieceAlgorithm::kWord:
      parts.model = std::make_unique<WordModel>(table);
      break;
    case PieceAlgorithm::kChar:
      parts.model = std::make_unique<CharModel>(table);
      break;
    case PieceAlgorithm::kBpe: {
      const auto model = std::make_shared<const BpeModel>(table);
      const TokenId space = table->trie().Find(normalizer->space());
      if (table->byte_fallback() || (space >= 0 && table->type(space) == PieceType::kNormal)) {
        parts.pre_tokenizer = std::make_unique<WordBoundaries>(normalizer->space(), model);
      }
      parts.model = std::make_unique<SharedModel>(model);
      break;
    }
  }
  parts.post_processor = MakeTemplate(parts.vocabulary.special(), options);
  parts.decoder = std::make_unique<DecoderStage>(spec, denormalizer);
  parts.spellings = DecoderSpellings(spec);
  parts.invalid_utf8 = InvalidUtf8::kKeep;  // the normalizer replaces each bad byte
  return parts;
}

}  // namespace spm

bool LooksLikeSentencePiece(std::string_view head) {
  return spm::LooksLikeSentencePieceModel(head);
}

absl::StatusOr<TokenizerPtr> ReadSentencePiece(const SourceFile& file, const LoadOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(
      const spm::SentencePieceSpec spec,
      spm::ParseSentencePieceModel(file.bytes, file.name, spm::LimitsOf(options.limits)));
  spm::SentencePieceOptions model_options;
  model_options.content_tokens = options.content_tokens;
  if (options.sentencepiece_scores == SentencePieceScores::k0_2_3) {
    model_options.arithmetic = spm::UnigramArithmetic::k0_2_3;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const TokenizerConfig config, ReadTokenizerConfig(file, options));
  model_options.add_bos = config.add_bos_token;
  model_options.add_eos = config.add_eos_token;
  if (config.legacy == false) model_options.dummy_prefix = spm::DummyPrefix::kFirstRun;
  PENSTOCK_ASSIGN_OR_RETURN(EngineParts parts,
                            spm::SentencePieceParts(spec, model_options, file.name));
  return NewEngineTokenizer(std::move(parts));
}

}  // namespace penstock::internal
