// SPDX-License-Identifier: Apache-2.0
//
// A tokenizer.json with one bad part.
//
//   ExpectPartRefused("decoder", {{"no type", "{}", kDataLoss, "decoder.type: is missing"}, …});
#ifndef PENSTOCK_TESTS_TOKENIZER_BAD_JSON_H_
#define PENSTOCK_TESTS_TOKENIZER_BAD_JSON_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "tests/tokenizer/bad_file.h"

namespace penstock {

inline LoadOptions Json() {
  LoadOptions options;
  options.format = FileFormat::kHuggingFaceJson;  // damage may make it look like another format
  return options;
}

constexpr char kModel[] =
    R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<unk>":3},"merges":["a b"]})";

// A file of these parts; "" leaves one out.
inline std::string File(const std::string& key, const std::string& value) {
  std::string out = R"({"version":"1.0")";
  for (const char* part : {"truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                           "post_processor", "decoder"}) {
    if (key == part) out += ",\"" + key + "\":" + value;
  }
  return out + ",\"model\":" + (key == "model" ? value : kModel) + "}";
}

using Rows = std::initializer_list<BadFile>;

// Rows whose bytes are the value of one part of the file.
inline void ExpectPartRefused(const std::string& key, Rows rows) {
  std::vector<BadFile> files;
  for (BadFile row : rows) {
    row.bytes = File(key, row.bytes);
    files.push_back(row);
  }
  ExpectRefused(files, Json());
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_BAD_JSON_H_
