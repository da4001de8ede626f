// SPDX-License-Identifier: Apache-2.0
//
// Our half of differential.py: encodes lines of base64 from standard input.
//
//   penstock_encode_tool FILE [--encoding NAME] [--literal] [--special] [--offsets] [--decode]
//                        [--sentencepiece-0.2.3]
//
// One line out for each line in: ids separated by spaces; with --offsets id:begin-end (bytes); with
// --decode then a tab and the base64 of the decoded text.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

#include "absl/strings/escaping.h"
#include "penstock/tokenizer.h"

int main(int argc, char** argv) {
  using namespace penstock;
  LoadOptions load;
  EncodeOptions options;
  bool literal = false;
  bool decode = false;
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--encoding" && i + 1 < argc) {
      load.encoding = argv[++i];
    } else if (arg == "--literal") {
      literal = true;
    } else if (arg == "--sentencepiece-0.2.3") {
      load.sentencepiece_scores = SentencePieceScores::k0_2_3;
    } else if (arg == "--special") {
      options.add_special_tokens = true;
    } else if (arg == "--offsets") {
      options.offsets = true;
    } else if (arg == "--decode") {
      decode = true;
    } else {
      path = arg;
    }
  }
  if (literal) options.added_tokens = AddedTokenMatching::kReferencePlain;
  const absl::StatusOr<TokenizerPtr> tokenizer = LoadTokenizer(path, load);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", tokenizer.status().ToString().c_str());
    return 1;
  }
  std::ios::sync_with_stdio(false);
  std::string line, text, out;
  while (std::getline(std::cin, line)) {
    if (!absl::Base64Unescape(line, &text)) return 2;
    const absl::StatusOr<Encoding> e =
        (*tokenizer)->Encode({literal ? Untrusted(text) : Trusted(text)}, options);
    if (!e.ok()) return 3;
    out.clear();
    for (size_t i = 0; i < e->ids.size(); ++i) {
      if (i > 0) out.push_back(' ');
      out.append(std::to_string(e->ids[i]));
      if (options.offsets) {
        out.append(":" + std::to_string(e->offsets[i].begin) + "-" +
                   std::to_string(e->offsets[i].end));
      }
    }
    if (decode) {
      DecodeOptions decode_options;
      decode_options.replace_invalid_utf8 = true;
      decode_options.clean_up_spaces = false;  // as `tokenizers`; transformers cleans up
      out.append("\t" + absl::Base64Escape((*tokenizer)->Decode(e->ids, decode_options)));
    }
    out.push_back('\n');
    std::cout << out;
  }
  return 0;
}
