// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a vocabulary file of any format; what loads must encode, decode and cut as promised.
// The first byte chooses the format, so that the fuzzer need not find magic numbers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/tokenizer.h"

namespace {

using penstock::FileFormat;

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > (1 << 16)) return 0;
  static constexpr FileFormat kFormats[] = {FileFormat::kSentencePiece, FileFormat::kGguf,
                                            FileFormat::kWordPieceVocab};
  penstock::LoadOptions options;
  if (data[0] % 4 != 3) options.format = kFormats[data[0] % 4];
  options.limits.max_file_bytes = 1 << 20;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto t = penstock::ParseTokenizer(bytes, "fuzz", options);
  if (!t.ok()) {
    Check(!t.status().message().empty());
    return 0;
  }
  const std::string text =
      "ab  <s></s>[MASK] \xE4\xB8\x96\xFF\n▁" + std::string(bytes.substr(0, 200));
  const std::vector<penstock::TokenId> ids = (*t)->EncodeIds(text);
  for (const penstock::TokenId id : ids) {
    Check((*t)->vocabulary().Contains(id));
    // What is unknown is [UNK], a special token, in any text.
    Check(id == (*t)->vocabulary().unk_id() || !(*t)->vocabulary().IsControl(id));
  }
  (*t)->Decode(ids);
  penstock::EncodeOptions encode;
  encode.offsets = true;
  encode.safe_cuts = true;
  const auto e = (*t)->Encode({penstock::Untrusted(text)}, encode);
  Check(e.ok() && e->ids == ids && e->offsets.size() == ids.size());
  for (const penstock::ByteRange range : e->offsets) {
    Check(range.begin <= range.end && range.end <= text.size());
  }
  for (const penstock::SafeCut cut : e->safe_cuts) {
    const std::vector<penstock::TokenId> rest(ids.begin() + static_cast<std::ptrdiff_t>(cut.token),
                                              ids.end());
    Check((*t)->EncodeIds(std::string_view(text).substr(cut.byte)) == rest);
  }
  return 0;
}
