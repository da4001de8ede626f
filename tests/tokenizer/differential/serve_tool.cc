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
//   batch OPTIONS BASE64[:BASE64] …   texts and pairs, padded
//   decode OPTIONS ID,ID,…
//
// OPTIONS is "-" or key=value,… : for open and load `encoding`, `pattern` (base64), `special`
// (base64:id;…), `sentencepiece=0.2.3`; for encode `special`, `literal`, `max`, `stride`, `left`,
// `only` (first, second); for batch also `pad` (id), `pad_type`, `pad_left`, `fixed`, `multiple`;
// for decode `skip`.
//
// Answers: "ok", "error MESSAGE"; for encode ids|begin-end,…|type ids|mask, then ";" and the same
// for each overflowing window; for batch ids|attention mask|type ids a row; for decode base64.
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "penstock/tokenizer.h"
#include "penstock/tokenizer/batch_encoding.h"

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

PaddingOptions ToPaddingOptions(const Options& options) {
  PaddingOptions padding;
  padding.pad_id = std::stoi(options.at("pad"));
  padding.side = options.count("pad_left") > 0 ? Side::kLeft : Side::kRight;
  if (options.count("pad_type") > 0) padding.pad_type_id = std::stoi(options.at("pad_type"));
  if (options.count("fixed") > 0) padding.fixed_length = std::stoul(options.at("fixed"));
  if (options.count("multiple") > 0) padding.multiple_of = std::stoul(options.at("multiple"));
  return padding;
}

absl::StatusOr<BatchEncoding> EncodeRows(const Tokenizer& tokenizer,
                                         const std::vector<std::string>& words,
                                         const EncodeOptions& encode) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::vector<Segment>> inputs;
  bool pairs = false;
  for (size_t i = 2; i < words.size(); ++i) {
    rows.emplace_back();
    for (const std::string& text : std::vector<std::string>(absl::StrSplit(words[i], ':'))) {
      rows.back().push_back(Unescape(text));
    }
    pairs = pairs || rows.back().size() > 1;
  }
  for (const auto& row : rows) inputs.push_back({Trusted(row[0])});
  if (!pairs) return EncodeSegmentsBatch(tokenizer, inputs, encode);
  BatchEncoding batch;
  for (const auto& row : rows) {
    absl::StatusOr<Encoding> e =
        row.size() == 1 ? tokenizer.Encode({Trusted(row[0])}, encode)
                        : tokenizer.EncodePair({Trusted(row[0])}, {Trusted(row[1])}, encode);
    if (!e.ok()) return e.status();
    batch.encodings.push_back(*std::move(e));
  }
  return batch;
}

std::string AnswerBatch(const Tokenizer& tokenizer, const std::vector<std::string>& words) {
  const Options options = ParseOptions(words[1]);
  const auto batch = EncodeRows(tokenizer, words, ToEncodeOptions(options));
  if (!batch.ok()) return Error(batch.status());
  const PaddingOptions padding = ToPaddingOptions(options);
  const auto tensors = batch->Padded<int64_t>(padding);
  if (!tensors.ok()) return Error(tensors.status());
  const auto types = batch->PaddedTypeIds<int64_t>(padding);
  if (!types.ok()) return Error(types.status());
  const size_t length = tensors->input_ids.size() / batch->encodings.size();
  std::string out;
  for (size_t row = 0; row < batch->encodings.size(); ++row) {
    const auto join = [&](const std::vector<int64_t>& all) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * length);
      return absl::StrJoin(begin, begin + static_cast<std::ptrdiff_t>(length), ",");
    };
    if (row > 0) out += ";";
    out += join(tensors->input_ids) + "|" + join(tensors->attention_mask) + "|" + join(*types);
  }
  return out;
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
  if (words[0] == "batch") return AnswerBatch(**tokenizer, words);
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
