// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a tokenizer file: refused with a Status, or a tokenizer that encodes and decodes
// anything.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "penstock/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  LoadOptions options;
  options.encoding = "cl100k_base";
  options.limits.max_vocabulary = 100000;
  const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(file, "fuzz", options);
  if (!t.ok()) return 0;
  const std::string_view text = file.substr(0, 300);
  const std::vector<TokenId> ids = (*t)->EncodeIds(text);
  for (const TokenId id : ids) {
    if (id != (*t)->vocabulary().unk_id() && (*t)->vocabulary().IsControl(id)) std::abort();
  }
  if ((*t)->Count(text) != ids.size()) std::abort();
  (*t)->Decode(ids);
  EncodeOptions all;
  all.offsets = all.type_ids = all.special_tokens_mask = all.safe_cuts = true;
  const absl::StatusOr<Encoding> e = (*t)->Encode({Trusted(text), Untrusted(" <s> x")}, all);
  if (e.ok() && e->offsets.size() != e->ids.size()) std::abort();
  return 0;
}
