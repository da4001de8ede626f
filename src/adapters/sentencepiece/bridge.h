// SPDX-License-Identifier: Apache-2.0
//
// The wall around the sentencepiece library: the standard library only. Its header opens namespace
// absl and cannot share a translation unit with abseil where a distribution built abseil with a
// string_view of its own; what it throws stays behind.
//
//   std::string error;
//   std::unique_ptr<SentencePieceBridge> sp = SentencePieceBridge::Load(bytes, &error);
//   if (sp == nullptr) return absl::DataLossError(error);
#ifndef PENSTOCK_SRC_ADAPTERS_SENTENCEPIECE_BRIDGE_H_
#define PENSTOCK_SRC_ADAPTERS_SENTENCEPIECE_BRIDGE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::internal {

// Immutable; safe to share.
class SentencePieceBridge {
 public:
  struct Token {
    int32_t id;
    uint32_t begin, end;  // bytes of the text
  };

  // Null, and why in `*error`, if the library refuses the model.
  static std::unique_ptr<SentencePieceBridge> Load(std::string_view model, std::string* error);
  ~SentencePieceBridge();

  // Appends the tokens of `text`. False, and why, if the library fails.
  bool Encode(std::string_view text, std::vector<Token>* tokens, std::string* error) const;
  // Ids out of range are left out. Empty if the library fails.
  std::string Decode(const std::vector<int>& ids) const;

 private:
  struct Rep;
  explicit SentencePieceBridge(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_ADAPTERS_SENTENCEPIECE_BRIDGE_H_
