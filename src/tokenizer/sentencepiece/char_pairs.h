// SPDX-License-Identifier: Apache-2.0
//
// Which two characters stand side by side inside some piece. Where two do not, no token can reach
// across: text may be cut there and both sides segmented alone.
//
//   CharPairs pairs;  pairs.AddPiece("▁the");
//   pairs.MayJoin("t", "h");      // true
//   pairs.MayJoin("e", "▁");      // false: a cut
//
// A bitmap of hashed pairs: it may say true wrongly (1 in 16 or fewer), which only costs a cut,
// never false wrongly. Characters are told apart as sentencepiece does, by their lead byte.
// Immutable after building; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHAR_PAIRS_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHAR_PAIRS_H_

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/sentencepiece/model_spec.h"

namespace penstock::internal::spm {

class CharPairs {
 public:
  // `pairs` is about how many different pairs will be added.
  explicit CharPairs(size_t pairs = 0) {
    while ((size_t{1} << bits_) < 16 * pairs && bits_ < 26) ++bits_;
    words_.resize(size_t{1} << (bits_ - 6));
  }

  void AddPiece(std::string_view piece) {
    uint32_t before = 0;
    for (size_t at = 0; at < piece.size();) {
      const uint32_t now = CharAt(piece, at);
      if (at > 0) {
        const uint64_t slot = Slot(before, now);
        words_[slot / 64] |= uint64_t{1} << (slot % 64);
      }
      before = now;
      at += LengthAt(piece, at);
    }
  }

  bool MayJoin(uint32_t left, uint32_t right) const {
    const uint64_t slot = Slot(left, right);
    return (words_[slot / 64] >> (slot % 64) & 1) != 0;
  }

  static size_t LengthAt(std::string_view text, size_t at) {
    return std::min(LeadLength(text[at]), text.size() - at);
  }
  // The bytes of the character at `at`, as a number.
  static uint32_t CharAt(std::string_view text, size_t at) {
    uint32_t value = 0;
    for (char byte : text.substr(at, LeadLength(text[at]))) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

 private:
  uint64_t Slot(uint32_t left, uint32_t right) const {
    return ((uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15u) >> (64 - bits_);
  }
  int bits_ = 12;
  std::vector<uint64_t> words_;
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHAR_PAIRS_H_
