// SPDX-License-Identifier: Apache-2.0
//
// What a SentencePiece model says, whatever file it came from: pieces with scores and types, how
// text is normalized, which algorithm segments it. A `.model` file (model_parser.h) and a GGUF
// vocabulary both become this.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_SPEC_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::internal::spm {

// The values are those of sentencepiece_model.proto (and of GGUF's tokenizer.ggml.token_type).
enum class PieceType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct ModelPiece {
  std::string_view text;  // borrowed from the owner of the spec
  float score = 0;
  PieceType type = PieceType::kNormal;
};

enum class PieceAlgorithm : uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

// The defaults are those of the proto: a file that says nothing means them.
struct NormalizerSpec {
  std::string_view precompiled_charsmap;  // borrowed; empty: identity
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

struct SentencePieceSpec {
  PieceAlgorithm algorithm = PieceAlgorithm::kUnigram;
  std::vector<ModelPiece> pieces;  // index is the id
  bool byte_fallback = false;
  bool treat_whitespace_as_suffix = false;
  std::string_view unk_piece = "<unk>";
  std::string_view bos_piece = "<s>";
  std::string_view eos_piece = "</s>";
  std::string_view pad_piece = "<pad>";
  std::string_view unk_surface = " \xE2\x81\x87 ";  // what an unknown token decodes to
  NormalizerSpec normalizer;
  std::optional<NormalizerSpec>
      denormalizer;  // applied to decoded text when it has a character map
};

// Breach → kResourceExhausted.
struct SentencePieceLimits {
  size_t max_pieces = size_t{4} << 20;
  size_t max_piece_bytes = size_t{64} << 10;
  size_t max_total_piece_bytes = size_t{64} << 20;
  size_t max_charsmap_bytes = size_t{16} << 20;
};

// U+2581, what sentencepiece writes for a space.
inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

// Bytes of the UTF-8 character that starts with `lead`, judged by its first four bits alone, as
// sentencepiece judges.
inline size_t LeadLength(char lead) {
  return static_cast<size_t>(
      "\1\1\1\1\1\1\1\1\1\1\1\1\2\2\3\4"[static_cast<unsigned char>(lead) >> 4]);
}

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_MODEL_SPEC_H_
