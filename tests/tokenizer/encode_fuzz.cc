// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as text for small tokenizers of two kinds: round trip, seams, no control token from
// untrusted text, safe cuts that hold.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokenizer/tiny_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  static const TokenizerPtr* const ranks = new TokenizerPtr(TinyRankTokenizer());
  static const TokenizerPtr* const json = new TokenizerPtr(TinyJsonTokenizer());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view left = text.substr(0, size / 3);
  const std::string_view right = text.substr(size / 3);
  for (const TokenizerPtr& t : {*ranks, *json}) {
    const std::vector<TokenId> ids = t->EncodeIds(text);
    for (const TokenId id : ids) {
      if (t->vocabulary().IsControl(id)) std::abort();
    }
    const absl::StatusOr<Encoding> e = t->Encode({Untrusted(left), Untrusted(right)});
    if (!e.ok() || e->ids != ids) std::abort();
  }
  const std::vector<TokenId> ids = (*ranks)->EncodeIds(text);
  if ((*ranks)->Decode(ids) != text) std::abort();
  EncodeOptions options;
  options.safe_cuts = true;
  const absl::StatusOr<Encoding> e = (*ranks)->Encode({Untrusted(text)}, options);
  for (const SafeCut cut : e->safe_cuts) {
    std::vector<TokenId> both = (*ranks)->EncodeIds(text.substr(0, cut.byte));
    if (both.size() != cut.token) std::abort();
    for (const TokenId id : (*ranks)->EncodeIds(text.substr(cut.byte))) both.push_back(id);
    if (both != ids) std::abort();
  }
  return 0;
}
