// SPDX-License-Identifier: Apache-2.0
//
// A long text into whole sentences under an exact token budget.
//
//   02_chunk [TEXT-FILE [MAX-TOKENS]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "demo_tokenizer.h"
#include "penstock/base/status_macros.h"
#include "penstock/chunker.h"

using namespace penstock;

namespace {

// The first 40 bytes of the first line, cut at a character.
std::string Beginning(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  size_t end = std::min<size_t>(40, text.size());
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

absl::Status Run(const std::string& path, size_t max_tokens) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(path + ": cannot be read");
  const std::string text{std::istreambuf_iterator<char>(file), {}};

  PENSTOCK_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, LoadDemoTokenizer("", ""));
  ChunkerOptions options;
  options.max_tokens = max_tokens;
  PENSTOCK_ASSIGN_OR_RETURN(const Chunker chunker, Chunker::Create(tokenizer, options));

  size_t bytes = 0;
  for (const Chunk& chunk : chunker.Split(text)) {
    std::printf("bytes [%5zu, %5zu)  %4zu tokens  ends at a %-10s  %s…\n", chunk.core.begin,
                chunk.core.end, chunk.tokens, std::string(UnitName(chunk.cut)).c_str(),
                Beginning(chunk.text.In(text)).c_str());
    bytes += chunk.core.size();
  }
  std::printf("%zu of %zu bytes, none twice; budget %zu tokens\n", bytes, text.size(),
              chunker.budget_tokens());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      Run(argc > 1 ? argv[1] : PENSTOCK_EXAMPLES_DATA "/documents/en_rail.txt",
          argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 128);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
