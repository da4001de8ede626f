// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a vocabulary file of one format (PENSTOCK_FUZZ_FORMAT, a name of FileFormat):
// refused with a Status that names the file, or a tokenizer that keeps every promise on any text.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/tokenizer/invariants.h"

namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;  // NOLINT: a fuzz target is one function
  if (size > (1 << 16)) return 0;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  static const LoadOptions options = [] {
    LoadOptions o;
    o.format = FileFormat::PENSTOCK_FUZZ_FORMAT;
    o.encoding = "cl100k_base";
    o.limits.max_vocabulary = 101000;
    return o;
  }();
  const absl::StatusOr<TokenizerPtr> t = ParseTokenizer(file, "the.file", options);
  if (!t.ok()) {
    if (t.status().message().find("the.file") == absl::string_view::npos) Fail("names no file");
    return 0;
  }
  std::string text = "ab  <s></s>[MASK] \xE4\xB8\x96\xFF\n\xE2\x96\x81";
  for (const AddedToken& token : (*t)->vocabulary().added_tokens()) {
    text += token.content.substr(0, 20);
    if (text.size() > 100) break;
  }
  text += file.substr(size / 2, 100);
  if (const char* what = Broken(**t, text, size)) Fail(what);
  const std::string_view view = text;
  const char* what =
      BrokenAtSeams(**t, {Untrusted(view.substr(0, 7)), Trusted(view.substr(7, 40)),
                          Untrusted(view.substr(47 < view.size() ? 47 : view.size()))});
  if (what != nullptr) Fail(what);
  return 0;
}
