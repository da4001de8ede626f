// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/model_parser.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/sentencepiece/proto_reader.h"

namespace penstock::internal::spm {
namespace {

class ModelParser {
 public:
  ModelParser(std::string_view bytes, std::string_view name, const SentencePieceLimits& limits)
      : bytes_(bytes), name_(name), limits_(limits) {}

  absl::StatusOr<SentencePieceSpec> Parse();

 private:
  absl::Status Damaged(const std::string& where, size_t offset, std::string_view what) const {
    return absl::DataLossError(
        absl::StrCat(AbslView(name_), ": ", where, " at byte ", offset, ": ", AbslView(what)));
  }
  absl::Status TooMuch(const std::string& where, uint64_t size, uint64_t limit) const {
    return absl::ResourceExhaustedError(
        absl::StrCat(AbslView(name_), ": ", where, ": ", size, ", the limit is ", limit));
  }
  absl::Status Expect(const ProtoField& field, WireType type, const std::string& where) const {
    if (field.type == type) return absl::OkStatus();
    return Damaged(where, field.offset, "has another wire type than ModelProto gives it");
  }
  absl::Status Finish(const ProtoReader& reader, const std::string& where) const {
    return reader.ok() ? absl::OkStatus() : Damaged(where, reader.offset(), reader.error());
  }
  size_t OffsetOf(std::string_view part) const {
    return static_cast<size_t>(part.data() - bytes_.data());
  }

  absl::Status ParsePiece(std::string_view message);
  absl::Status ParseTrainer(std::string_view message);
  absl::Status ParseNormalizer(std::string_view message, const std::string& where,
                               NormalizerSpec* normalizer);

  std::string_view bytes_;
  std::string_view name_;
  const SentencePieceLimits& limits_;
  SentencePieceSpec spec_;
  size_t piece_bytes_ = 0;
};

absl::Status ModelParser::ParsePiece(std::string_view message) {
  const size_t index = spec_.pieces.size();
  if (index >= limits_.max_pieces) {
    return TooMuch("number of pieces", index + 1, limits_.max_pieces);
  }
  const auto where = [index] { return absl::StrCat("pieces[", index, "]"); };
  ModelPiece piece;
  ProtoReader reader(message, OffsetOf(message));
  ProtoField field;
  while (reader.Next(&field)) {
    if (field.number == 1) {
      PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kBytes, where() + ".piece"));
      piece.text = field.bytes;
    } else if (field.number == 2) {
      PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kFixed32, where() + ".score"));
      piece.score = field.AsFloat();
    } else if (field.number == 3) {
      PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kVarint, where() + ".type"));
      const int32_t type = field.AsInt32();
      // An enum value that the schema does not know counts as unset (proto2).
      if (type >= 1 && type <= 6) piece.type = static_cast<PieceType>(type);
    }
  }
  PENSTOCK_RETURN_IF_ERROR(Finish(reader, where()));
  if (piece.text.size() > limits_.max_piece_bytes) {
    return TooMuch(where() + " length in bytes", piece.text.size(), limits_.max_piece_bytes);
  }
  piece_bytes_ += piece.text.size();
  if (piece_bytes_ > limits_.max_total_piece_bytes) {
    return TooMuch("bytes of all pieces", piece_bytes_, limits_.max_total_piece_bytes);
  }
  spec_.pieces.push_back(piece);
  return absl::OkStatus();
}

absl::Status ModelParser::ParseTrainer(std::string_view message) {
  ProtoReader reader(message, OffsetOf(message));
  ProtoField field;
  while (reader.Next(&field)) {
    std::string_view* text = nullptr;
    switch (field.number) {
      case 3: {
        PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kVarint, "trainer_spec.model_type"));
        const int32_t type = field.AsInt32();
        if (type >= 1 && type <= 4) spec_.algorithm = static_cast<PieceAlgorithm>(type);
        continue;
      }
      case 24:
        PENSTOCK_RETURN_IF_ERROR(
            Expect(field, WireType::kVarint, "trainer_spec.treat_whitespace_as_suffix"));
        spec_.treat_whitespace_as_suffix = field.varint != 0;
        continue;
      case 35:
        PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kVarint, "trainer_spec.byte_fallback"));
        spec_.byte_fallback = field.varint != 0;
        continue;
      case 44:
        text = &spec_.unk_surface;
        break;
      case 45:
        text = &spec_.unk_piece;
        break;
      case 46:
        text = &spec_.bos_piece;
        break;
      case 47:
        text = &spec_.eos_piece;
        break;
      case 48:
        text = &spec_.pad_piece;
        break;
      default:
        continue;
    }
    PENSTOCK_RETURN_IF_ERROR(
        Expect(field, WireType::kBytes, absl::StrCat("trainer_spec field ", field.number)));
    // An empty name means the default; an empty surface is one.
    if (!field.bytes.empty() || field.number == 44) *text = field.bytes;
  }
  return Finish(reader, "trainer_spec");
}

absl::Status ModelParser::ParseNormalizer(std::string_view message, const std::string& where,
                                          NormalizerSpec* normalizer) {
  ProtoReader reader(message, OffsetOf(message));
  ProtoField field;
  while (reader.Next(&field)) {
    if (field.number == 2) {
      PENSTOCK_RETURN_IF_ERROR(Expect(field, WireType::kBytes, where + ".precompiled_charsmap"));
      if (field.bytes.size() > limits_.max_charsmap_bytes) {
        return TooMuch(where + ".precompiled_charsmap bytes", field.bytes.size(),
                       limits_.max_charsmap_bytes);
      }
      normalizer->precompiled_charsmap = field.bytes;
    } else if (field.number >= 3 && field.number <= 5) {
      PENSTOCK_RETURN_IF_ERROR(
          Expect(field, WireType::kVarint, absl::StrCat(where, " field ", field.number)));
      bool* const flag = field.number == 3   ? &normalizer->add_dummy_prefix
                         : field.number == 4 ? &normalizer->remove_extra_whitespaces
                                             : &normalizer->escape_whitespaces;
      *flag = field.varint != 0;
    }
  }
  return Finish(reader, where);
}

absl::StatusOr<SentencePieceSpec> ModelParser::Parse() {
  ProtoReader reader(bytes_, 0);
  ProtoField field;
  while (reader.Next(&field)) {
    if (field.number == 0 || field.number > 5) continue;
    PENSTOCK_RETURN_IF_ERROR(
        Expect(field, WireType::kBytes, absl::StrCat("ModelProto field ", field.number)));
    switch (field.number) {
      case 1:
        PENSTOCK_RETURN_IF_ERROR(ParsePiece(field.bytes));
        break;
      case 2:
        PENSTOCK_RETURN_IF_ERROR(ParseTrainer(field.bytes));
        break;
      case 3:
        PENSTOCK_RETURN_IF_ERROR(
            ParseNormalizer(field.bytes, "normalizer_spec", &spec_.normalizer));
        break;
      case 5:
        if (!spec_.denormalizer.has_value()) spec_.denormalizer.emplace();
        PENSTOCK_RETURN_IF_ERROR(
            ParseNormalizer(field.bytes, "denormalizer_spec", &*spec_.denormalizer));
        break;
      default:
        break;  // self_test_data
    }
  }
  PENSTOCK_RETURN_IF_ERROR(Finish(reader, "ModelProto"));
  if (spec_.pieces.empty()) {
    return absl::DataLossError(
        absl::StrCat(AbslView(name_), ": no pieces, expected a SentencePiece ModelProto"));
  }
  return std::move(spec_);
}

}  // namespace

bool LooksLikeSentencePieceModel(std::string_view head) {
  // Field 1 (a piece): tag 0x0A, its length, then inside it field 1 (its text): tag 0x0A. A text
  // file could begin with two line feeds, but its second byte is then the length of the piece and
  // its third no tag.
  ProtoReader reader(head, 0);
  ProtoField field;
  if (!reader.Next(&field) || field.type != WireType::kBytes) return false;
  if (field.number != 1) {
    // Legal, though no writer does it: another field of ModelProto first.
    return field.number == 2 || field.number == 3;
  }
  ProtoReader piece(field.bytes, 0);
  bool has_text = false;
  while (piece.Next(&field)) {
    has_text = has_text || (field.number == 1 && field.type == WireType::kBytes);
    if (field.number == 2 && field.type != WireType::kFixed32) return false;
    if (field.number == 3 && field.type != WireType::kVarint) return false;
  }
  return piece.ok() && has_text;
}

absl::StatusOr<SentencePieceSpec> ParseSentencePieceModel(std::string_view bytes,
                                                          std::string_view name,
                                                          const SentencePieceLimits& limits) {
  return ModelParser(bytes, name, limits).Parse();
}

}  // namespace penstock::internal::spm
