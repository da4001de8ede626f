// SPDX-License-Identifier: Apache-2.0
//
// The precompiled character map of a SentencePiece normalizer: longest matching key → replacement.
//
//   PENSTOCK_ASSIGN_OR_RETURN(Charsmap map, Charsmap::Parse(blob));
//   map.LongestPrefix("Ⅳx")                  // {3, "IV"}
//   Charsmap::Parse(damaged).status()        // DATA_LOSS: unit 77 leads outside the array
//
// Blob: uint32 trie_bytes, little endian | trie_bytes of 4-byte units | replacements, each ended by
// NUL. The trie is a darts-clone double array (https://github.com/s-yata/darts-clone,
// DoubleArrayUnit): bit 31 marks a unit that holds a value (an offset into the replacements), bit 8
// one that has such a child; bits 10–30, shifted by 8 if bit 9 is set, are its offset; bits 0–7 its
// label.
//
// Damaged maps are how sentencepiece was attacked (CVE-2026-1260 and later): Parse() walks every
// unit once and refuses any that could lead outside or in a circle, so that look-ups need no
// checks. Memory: the blob, once. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHARSMAP_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHARSMAP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::internal::spm {

class Charsmap {
 public:
  struct Match {
    size_t length = 0;  // 0: no key matches
    std::string_view replacement;
  };

  Charsmap() = default;  // matches nothing
  // A replacement may be this long: what a map makes of a text must not grow with the file.
  static constexpr size_t kMaxReplacementBytes = 1024;

  // kDataLoss: what is wrong with the blob, without the file's name. kResourceExhausted: a
  // replacement of more than kMaxReplacementBytes.
  static absl::StatusOr<Charsmap> Parse(std::string_view blob);

  bool empty() const { return units_.empty(); }
  size_t longest_key() const { return longest_key_; }
  size_t longest_replacement() const { return longest_replacement_; }
  // O(length of the longest key). `text` may be any bytes.
  Match LongestPrefix(std::string_view text) const;
  // May a key begin with this byte?
  bool Begins(char byte) const { return begins_[static_cast<unsigned char>(byte)]; }
  // May a key begin with this byte and be one byte long, or go on with an ASCII byte?
  bool BeginsAscii(char byte) const { return begins_ascii_[static_cast<unsigned char>(byte)]; }

 private:
  absl::Status Validate();
  absl::Status MeasureKeys();

  std::vector<uint32_t> units_;
  std::string replacements_;
  size_t longest_key_ = 0;
  size_t longest_replacement_ = 0;
  bool begins_[256] = {};
  bool begins_ascii_[256] = {};
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_CHARSMAP_H_
