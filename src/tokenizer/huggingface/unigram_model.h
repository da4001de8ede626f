// SPDX-License-Identifier: Apache-2.0
//
// UnigramModel: the best path through all segmentations, in Hugging Face's arithmetic (doubles, the
// first of equal paths by start, unknown characters fused). SentencePiece's own .model files have
// their own engine, in its arithmetic.
//
//   UnigramModel m({{"▁the", -3.1}, …}, unk, byte_fallback, control);
//
// Time: O(n × longest piece), no recursion; memory 16 bytes a byte of the piece while it is
// encoded.
// Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_UNIGRAM_MODEL_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_UNIGRAM_MODEL_H_

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/byte_map.h"
#include "tokenizer/stages.h"

namespace penstock::internal {

class UnigramModel final : public Model {
 public:
  // Ids are positions. REQUIRES: not empty if unk has a value.
  UnigramModel(std::vector<std::pair<std::string, double>> pieces, std::optional<TokenId> unk,
               bool byte_fallback, std::vector<uint8_t> control);
  void Encode(std::string_view piece, bool allow_control,
              std::vector<PieceToken>* out) const override;
  TokenId verbatim_token() const override { return unk_.value_or(-1); }
  void Describe(std::string* out) const override;

 private:
  static constexpr TokenId kUnreached = -1;
  static constexpr TokenId kUnknown = -2;  // an unknown character, where there is no unk
  struct Best {
    double score = 0;
    uint32_t begin = 0;
    TokenId id = kUnreached;
  };
  struct Node {
    uint32_t first = 0;  // children are nodes_[first, first + count), sorted by byte
    uint16_t count = 0;
    uint8_t byte = 0;
    TokenId id = -1;
  };
  void BuildTrie();
  uint32_t Child(uint32_t node, uint8_t byte) const;  // 0: none
  void Relax(std::string_view piece, uint32_t at, uint32_t char_size, bool allow_control,
             std::vector<Best>* best) const;
  void EmitPart(std::string_view piece, uint32_t begin, uint32_t end, bool unknown, TokenId id,
                bool allow_control, std::vector<PieceToken>* out) const;
  bool Forbidden(TokenId id, bool allow_control) const {
    return !allow_control && static_cast<size_t>(id) < control_.size() &&
           control_[static_cast<size_t>(id)] != 0;
  }

  std::vector<std::pair<std::string, double>> pieces_;
  std::optional<TokenId> unk_;
  bool byte_fallback_;
  std::vector<uint8_t> control_;
  ByteMap ids_;  // of equal pieces the last
  std::array<TokenId, 256> fallback_ids_;
  std::vector<Node> nodes_;
  double unk_score_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_UNIGRAM_MODEL_H_
