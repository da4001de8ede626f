// SPDX-License-Identifier: Apache-2.0
//
// Writes small SentencePiece .model files for tests.
//
//   ModelWriter model(/*bpe*/ 2);
//   model.Piece("<unk>", 0, 2).Piece("a", -1).Piece("ab", 0.5f, 4).Normalizer({.dummy_prefix = …});
//   ParseTokenizer(model.Bytes(), "test.model");
#ifndef PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_WRITER_H_
#define PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_WRITER_H_

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace penstock {

inline std::string ProtoVarint(uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out.push_back(static_cast<char>(value | 128));
  out.push_back(static_cast<char>(value));
  return out;
}
inline std::string ProtoBytes(uint32_t field, std::string_view bytes) {
  return ProtoVarint(field << 3 | 2) + ProtoVarint(bytes.size()) + std::string(bytes);
}
inline std::string ProtoInt(uint32_t field, uint64_t value) {
  return ProtoVarint(field << 3) + ProtoVarint(value);
}
inline std::string ProtoFloat(uint32_t field, float value) {
  char bytes[4];
  std::memcpy(bytes, &value, 4);
  return ProtoVarint(field << 3 | 5) + std::string(bytes, 4);
}

class ModelWriter {
 public:
  // 1 unigram, 2 BPE, 3 word, 4 char; the proto's numbers, as are the types of pieces: 1 normal,
  // 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
  explicit ModelWriter(int algorithm) : trainer_(ProtoInt(3, static_cast<uint64_t>(algorithm))) {}

  ModelWriter& Piece(std::string_view text, float score = 0, int type = 1) {
    pieces_ += ProtoBytes(1, ProtoBytes(1, text) + ProtoFloat(2, score) +
                                 (type == 1 ? "" : ProtoInt(3, static_cast<uint64_t>(type))));
    return *this;
  }
  ModelWriter& BytePieces() {
    for (int byte = 0; byte < 256; ++byte) {
      char text[8];
      std::snprintf(text, sizeof(text), "<0x%02X>", byte);
      Piece(text, 0, 6);
    }
    trainer_ += ProtoInt(35, 1);
    return *this;
  }
  ModelWriter& Trainer(std::string_view fields) {
    trainer_ += fields;
    return *this;
  }
  ModelWriter& Normalizer(bool dummy_prefix, bool remove_extra_whitespaces,
                          std::string_view charsmap = {}) {
    normalizer_ = (charsmap.empty() ? "" : ProtoBytes(2, charsmap)) + ProtoInt(3, dummy_prefix) +
                  ProtoInt(4, remove_extra_whitespaces);
    return *this;
  }
  ModelWriter& NormalizerFields(std::string_view fields) {
    normalizer_ += fields;
    return *this;
  }
  std::string Bytes() const {
    return pieces_ + ProtoBytes(2, trainer_) + ProtoBytes(3, normalizer_);
  }

 private:
  std::string pieces_, trainer_, normalizer_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_WRITER_H_
