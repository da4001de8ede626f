// SPDX-License-Identifier: Apache-2.0
//
// The user-defined pieces of a SentencePiece model: matched as units, the longest at each place.
//
//   size_t n = user_pieces.MatchLength(rest, UserPieceMode::kAll);      // 0: none begins here
//
// Whoever wrote the text decides which count (issue of provenance): in plain text only those that
// are content, that is white space only or named by the caller; the others are control pieces.
// Source: PrefixMatcher::PrefixMatch, sentencepiece 0.2.3. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_USER_PIECES_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_USER_PIECES_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/sentencepiece/piece_trie.h"

namespace penstock::internal::spm {

enum class UserPieceMode : uint8_t { kContentOnly, kAll };

class UserPieces {
 public:
  UserPieces() : trie_(std::make_shared<PieceTrie>()) {}
  // `pieces`: text and whether it is content.
  explicit UserPieces(const std::vector<std::pair<std::string_view, bool>>& pieces) {
    std::vector<std::pair<std::string_view, int32_t>> keys;
    for (const auto& [text, content] : pieces) {
      if (text.empty()) continue;
      keys.emplace_back(text, content ? 1 : 0);
      longest_ = text.size() > longest_ ? text.size() : longest_;
      begins_[static_cast<unsigned char>(text[0])] = true;
    }
    trie_ = std::make_shared<PieceTrie>(PieceTrie::Build(std::move(keys)));
  }

  bool empty() const { return trie_->empty(); }
  size_t longest() const { return longest_; }  // bytes
  bool Begins(char byte) const { return begins_[static_cast<unsigned char>(byte)]; }

  // Length of the longest piece that `text` begins with and that counts in `mode`; 0: none.
  size_t MatchLength(std::string_view text, UserPieceMode mode) const {
    if (text.empty() || !Begins(text[0])) return 0;
    size_t length = 0;
    uint32_t node = PieceTrie::kRoot;
    for (size_t i = 0; i < text.size() && trie_->Step(&node, text[i]); ++i) {
      const int32_t content = trie_->value(node);
      if (content == 1 || (content == 0 && mode == UserPieceMode::kAll)) length = i + 1;
    }
    return length;
  }

 private:
  std::shared_ptr<const PieceTrie> trie_;  // value: 1 content, 0 control
  size_t longest_ = 0;
  bool begins_[256] = {};
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_USER_PIECES_H_
