// SPDX-License-Identifier: Apache-2.0
//
// Writes small GGUF files for tests; wrong ones too.
//
//   GgufWriter file;
//   file.String("tokenizer.ggml.model", "gpt2").Strings("tokenizer.ggml.tokens", {"a", "b"});
//   ParseTokenizer(file.Bytes(), "test.gguf");
#ifndef PENSTOCK_TESTS_SUPPORT_GGUF_WRITER_H_
#define PENSTOCK_TESTS_SUPPORT_GGUF_WRITER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

inline std::string GgufNumber(uint64_t value, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}
inline std::string GgufText(std::string_view text) {
  return GgufNumber(text.size(), 8) + std::string(text);
}

class GgufWriter {
 public:
  GgufWriter& Raw(std::string_view key, uint32_t type, const std::string& value) {
    ++pairs_;
    body_ += GgufText(key) + GgufNumber(type, 4) + value;
    return *this;
  }
  GgufWriter& String(std::string_view key, std::string_view value) {
    return Raw(key, 8, GgufText(value));
  }
  GgufWriter& Uint32(std::string_view key, uint32_t value) {
    return Raw(key, 4, GgufNumber(value, 4));
  }
  GgufWriter& Bool(std::string_view key, bool value) { return Raw(key, 7, GgufNumber(value, 1)); }
  GgufWriter& Strings(std::string_view key, const std::vector<std::string>& values) {
    std::string array = GgufNumber(8, 4) + GgufNumber(values.size(), 8);
    for (const std::string& value : values) array += GgufText(value);
    return Raw(key, 9, array);
  }
  GgufWriter& Int32s(std::string_view key, const std::vector<int32_t>& values) {
    std::string array = GgufNumber(5, 4) + GgufNumber(values.size(), 8);
    for (const int32_t value : values) array += GgufNumber(static_cast<uint32_t>(value), 4);
    return Raw(key, 9, array);
  }
  GgufWriter& Floats(std::string_view key, const std::vector<float>& values) {
    std::string array = GgufNumber(6, 4) + GgufNumber(values.size(), 8);
    for (const float value : values) {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      array += GgufNumber(bits, 4);
    }
    return Raw(key, 9, array);
  }

  std::string Bytes(uint32_t version = 3) const {
    return "GGUF" + GgufNumber(version, 4) + GgufNumber(0, 8) + GgufNumber(pairs_, 8) + body_;
  }
  std::string BytesWithPairs(uint64_t pairs) const {
    return "GGUF" + GgufNumber(3, 4) + GgufNumber(0, 8) + GgufNumber(pairs, 8) + body_;
  }

 private:
  uint64_t pairs_ = 0;
  std::string body_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_GGUF_WRITER_H_
