// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the files that stand beside a vocabulary. The first byte chooses: 0 a vocab.json and
// its merges.txt with NUL between, 1 merges for a vocabulary that is sound, 2 a
// tokenizer_config.json for both kinds of readers.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokenizer/invariants.h"
#include "tests/tokenizer/small_vocabularies.h"
#include "tokenizer/components/tokenizer_config.h"
#include "tokenizer/huggingface/tokenizer_config.h"
#include "tokenizer/readers.h"

namespace {

using namespace penstock;            // NOLINT: a fuzz target is one file
using namespace penstock::internal;  // NOLINT

void Check(const absl::Status& status, const char* what) {
  if (!status.ok() && status.message().find("the.file") == absl::string_view::npos) {
    what = "names no file";
  }
  if (what == nullptr) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

LoadOptions SmallLimits() {
  LoadOptions options;
  options.limits.max_vocabulary = 101000;
  return options;
}

void RunMerges(std::string_view vocab, std::string_view merges) {
  const absl::StatusOr<TokenizerPtr> t =
      ParseVocabAndMerges({vocab, "the.file", {}}, merges, SmallLimits());
  const char* what = nullptr;
  if (t.ok()) what = Broken(**t, "ab <s> hello\xFF " + std::string(vocab.substr(0, 50)), 7);
  Check(t.status(), what);
}

void RunConfig(std::string_view bytes) {
  const LoadLimits limits;
  Check(ParseTokenizerConfig(bytes, "the.file", limits).status(), nullptr);
  ByteMapBuilder ids;
  ids.Insert("<s>", 3);
  ids.Insert("</s>", 4);
  const ByteMap model_ids = std::move(ids).Build();
  AddedToken token;
  token.content = "<pad>";
  token.id = 5;
  SpecialIds special;
  EngineParts parts;
  Check(ApplyTokenizerConfig(bytes, "the.file", limits, model_ids, {token}, &special, &parts),
        nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string* const vocab = [] {
    std::vector<std::string> tokens;
    for (int b = 0; b < 256; ++b) tokens.push_back(small::ByteChar(b));
    for (const char* s : {"he", "ll", "hell", "hello", "<s>", "</s>", "<mask>"}) {
      tokens.emplace_back(s);
    }
    return new std::string(small::VocabJson(tokens));
  }();
  if (size == 0 || size > (1 << 16)) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: {
      const size_t nul = std::min(bytes.find('\0'), bytes.size());
      RunMerges(bytes.substr(0, nul), bytes.substr(std::min(nul + 1, bytes.size())));
      return 0;
    }
    case 1:
      RunMerges(*vocab, bytes);
      return 0;
    default:
      RunConfig(bytes);
      return 0;
  }
}
