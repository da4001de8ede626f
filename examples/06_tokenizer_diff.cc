// SPDX-License-Identifier: Apache-2.0
//
// Do two tokenizer files encode alike? If not: the first byte where a text's ids part, and where
// its tokens do (later, or nowhere, if the vocabularies only number alike pieces differently), and
// both segmentations around it.
//
//   06_tokenizer_diff A[,ENCODING] B[,ENCODING] [TEXT-FILE]       (or text from standard input)
//
// Exit status: 0 the same ids, 1 different ones, 2 a file that cannot be read.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "penstock/base/status_macros.h"
#include "penstock/tokenizer.h"

using namespace penstock;

namespace {

absl::StatusOr<TokenizerPtr> Load(const std::string& file_and_encoding) {
  const size_t comma = file_and_encoding.rfind(',');
  LoadOptions options;
  if (comma != std::string::npos) options.encoding = file_and_encoding.substr(comma + 1);
  return LoadTokenizer(file_and_encoding.substr(0, comma), options);
}

// The tokens that touch bytes [at - 20, at + 20), as `id "text"`.
void PrintAround(const char* name, const Encoding& e, const std::string& text, size_t at) {
  std::printf("%s:", name);
  for (size_t i = 0; i < e.ids.size(); ++i) {
    if (e.offsets[i].end + 20 <= at || e.offsets[i].begin >= at + 20) continue;
    std::printf("  %d \"%s\"", e.ids[i], std::string(e.offsets[i].In(text)).c_str());
  }
  std::printf("\n");
}

// 0: they agree on `text`; 1: they do not.
absl::StatusOr<int> Diff(const std::string& a, const std::string& b, const std::string& text) {
  PENSTOCK_ASSIGN_OR_RETURN(const TokenizerPtr left, Load(a));
  PENSTOCK_ASSIGN_OR_RETURN(const TokenizerPtr right, Load(b));
  std::printf("fingerprints: %.16s… and %.16s…%s\n", std::string(left->fingerprint()).c_str(),
              std::string(right->fingerprint()).c_str(),
              left->fingerprint() == right->fingerprint() ? ", alike for every text" : "");
  EncodeOptions options;
  options.offsets = true;
  PENSTOCK_ASSIGN_OR_RETURN(const Encoding x, left->Encode({Untrusted(text)}, options));
  PENSTOCK_ASSIGN_OR_RETURN(const Encoding y, right->Encode({Untrusted(text)}, options));
  const auto parted = std::mismatch(x.ids.begin(), x.ids.end(), y.ids.begin(), y.ids.end());
  const size_t i = static_cast<size_t>(parted.first - x.ids.begin());
  if (i == x.ids.size() && i == y.ids.size()) {
    std::printf("the same %zu ids for %zu bytes\n", i, text.size());
    return 0;
  }
  size_t at = text.size();
  if (i < x.ids.size()) at = std::min(at, x.offsets[i].begin);
  if (i < y.ids.size()) at = std::min(at, y.offsets[i].begin);
  std::printf("%zu and %zu ids; the first %zu agree, then they part at byte %zu of %zu\n",
              x.ids.size(), y.ids.size(), i, at, text.size());
  PrintAround("A", x, text, at);
  PrintAround("B", y, text, at);
  const auto cut =
      std::mismatch(x.offsets.begin(), x.offsets.end(), y.offsets.begin(), y.offsets.end(),
                    [](ByteRange l, ByteRange r) { return l.begin == r.begin && l.end == r.end; });
  const bool more_x = cut.first != x.offsets.end(), more_y = cut.second != y.offsets.end();
  if (!more_x && !more_y) {
    std::printf("both cut the text into the same pieces\n");
    return 1;
  }
  size_t cut_at = text.size();
  if (more_x) cut_at = std::min(cut_at, cut.first->begin);
  if (more_y) cut_at = std::min(cut_at, cut.second->begin);
  if (cut_at == at) return 1;
  std::printf("their pieces part at byte %zu\n", cut_at);
  PrintAround("A", x, text, cut_at);
  PrintAround("B", y, text, cut_at);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3)
    return std::fprintf(stderr, "usage: %s A[,ENCODING] B[,ENCODING] [TEXT-FILE]\n", argv[0]), 2;
  std::ifstream file(argc > 3 ? argv[3] : "", std::ios::binary);
  if (argc > 3 && !file) return std::fprintf(stderr, "%s: cannot be read\n", argv[3]), 2;
  std::istream& in = argc > 3 ? static_cast<std::istream&>(file) : std::cin;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const absl::StatusOr<int> result = Diff(argv[1], argv[2], text);
  if (!result.ok()) std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  return result.ok() ? *result : 2;
}
