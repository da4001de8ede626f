// SPDX-License-Identifier: Apache-2.0
//
// Our half of the differential programs: loads tokenizers, encodes and decodes what standard input
// says, one command a line, one answer a line.
//
//   penstock_serve_tool < COMMANDS > ANSWERS
//
//   open PATH OPTIONS              a file or folder
//   load NAME BASE64 OPTIONS       the same from memory; NAME is for messages
//   encode OPTIONS BASE64 [BASE64] one text, or a pair
//   decode OPTIONS ID,ID,…
//
// OPTIONS is "-" or key=value,… : for open and load `encoding`, `pattern` (base64), `special`
// (base64:id;…), `sentencepiece=0.2.3`; for encode `special`, `literal`, `max`, `stride`, `left`,
// `only` (first, second); for decode `skip`.
//
// Answers: "ok", "error MESSAGE"; for encode ids|begin-end,…|type ids|mask, then ";" and the same
// for each overflowing window; for decode base64.
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "penstock/tokenizer.h"

namespace {

using namespace penstock;
using Options = std::map<std::string, std::string>;

Options ParseOptions(const std::string& text) {
  Options options;
  if (text == "-") return options;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const size_t equal = part.find('=');
    options[part.substr(0, equal)] = equal == std::string::npos ? "1" : part.substr(equal + 1);
  }
  return options;
}

std::string Unescape(const std::string& base64) {
  std::string bytes;
  return absl::Base64Unescape(base64, &bytes) ? bytes : std::string();
}

LoadOptions ToLoadOptions(const Options& options) {
  LoadOptions load;
  for (const auto& [key, value] : options) {
    if (key == "encoding") load.encoding = value;
    if (key == "pattern") load.pattern = Unescape(value);
    if (key == "sentencepiece") load.sentencepiece_scores = SentencePieceScores::k0_2_3;
    if (key == "special") {
      for (const std::string& entry : std::vector<std::string>(absl::StrSplit(value, ';'))) {
        const size_t colon = entry.find(':');
        load.special_tokens.emplace_back(Unescape(entry.substr(0, colon)),
                                         std::stoi(entry.substr(colon + 1)));
      }
    }
  }
  return load;
}

EncodeOptions ToEncodeOptions(const Options& options) {
  EncodeOptions encode;
  encode.offsets = encode.type_ids = encode.special_tokens_mask = true;
  if (options.count("special") > 0) encode.add_special_tokens = true;
  if (options.count("literal") > 0) encode.added_tokens = AddedTokenMatching::kReferencePlain;
  if (options.count("max") > 0) {
    encode.truncation.emplace();
    encode.truncation->max_tokens = std::stoul(options.at("max"));
    if (options.count("stride") > 0) encode.truncation->stride = std::stoul(options.at("stride"));
    if (options.count("left") > 0) encode.truncation->side = Side::kLeft;
    if (options.count("only") > 0) {
      encode.truncation->strategy = options.at("only") == "first" ? TruncationStrategy::kOnlyFirst
                                                                  : TruncationStrategy::kOnlySecond;
    }
  }
  return encode;
}

std::string Print(const Encoding& e) {
  const auto range = [](std::string* out, ByteRange r) {
    out->append(std::to_string(r.begin) + "-" + std::to_string(r.end));
  };
  const auto number = [](std::string* out, int n) { out->append(std::to_string(n)); };
  std::string out = absl::StrJoin(e.ids, ",") + "|" + absl::StrJoin(e.offsets, ",", range) + "|" +
                    absl::StrJoin(e.type_ids, ",") + "|" +
                    absl::StrJoin(e.special_tokens_mask, ",", number);
  for (const Encoding& window : e.overflowing) out += ";" + Print(window);
  return out;
}

std::string Error(const absl::Status& status) {
  std::string message = status.ToString();
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return "error " + message;
}

std::string Answer(const std::vector<std::string>& words, TokenizerPtr* tokenizer) {
  if (words[0] == "open" || words[0] == "load") {
    const LoadOptions load = ToLoadOptions(ParseOptions(words.back()));
    absl::StatusOr<TokenizerPtr> loaded = words[0] == "open"
                                              ? LoadTokenizer(words[1], load)
                                              : ParseTokenizer(Unescape(words[2]), words[1], load);
    *tokenizer = loaded.ok() ? *loaded : nullptr;
    return loaded.ok() ? "ok" : Error(loaded.status());
  }
  if (*tokenizer == nullptr) return "error nothing loaded";
  const Options options = ParseOptions(words[1]);
  if (words[0] == "encode") {
    const EncodeOptions encode = ToEncodeOptions(options);
    const std::string text = Unescape(words[2]);
    const auto segment = [&encode](const std::string& s) {
      return encode.added_tokens == AddedTokenMatching::kReferencePlain ? Untrusted(s) : Trusted(s);
    };
    const std::string second = words.size() > 3 ? Unescape(words[3]) : std::string();
    const absl::StatusOr<Encoding> e =
        words.size() > 3 ? (*tokenizer)->EncodePair({segment(text)}, {segment(second)}, encode)
                         : (*tokenizer)->Encode({segment(text)}, encode);
    return e.ok() ? Print(*e) : Error(e.status());
  }
  std::vector<TokenId> ids;
  for (const absl::string_view id : absl::StrSplit(words[2], ',', absl::SkipEmpty())) {
    ids.push_back(std::stoi(std::string(id)));
  }
  DecodeOptions decode;
  decode.replace_invalid_utf8 = true;
  decode.clean_up_spaces = options.count("clean") > 0;  // off: as `tokenizers`
  decode.skip_special_tokens = options.count("skip") > 0;
  return absl::Base64Escape((*tokenizer)->Decode(ids, decode));
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  penstock::TokenizerPtr tokenizer;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << Answer(absl::StrSplit(line, ' '), &tokenizer) << '\n' << std::flush;
  }
  return 0;
}
