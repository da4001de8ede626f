// SPDX-License-Identifier: Apache-2.0
//
// vocab.json with merges.txt: byte-level BPE as GPT-2 published it.
//
//   vocab.json   {"!": 0, "\"": 1, …}
//   merges.txt   #version: 0.2
//                Ġ t
//
// Neither file names pre-tokenizer or special tokens. GPT-2's pattern is assumed, and of special
// tokens those that GPT-2 and RoBERTa use, where the vocabulary has them; a vocabulary with <s>,
// </s> and <mask> gets RoBERTa's template.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"
#include "tokenizer/components/component_json.h"
#include "tokenizer/huggingface/json.h"
#include "tokenizer/readers.h"

namespace penstock::internal {
namespace {

using Merges = std::vector<std::pair<std::string_view, std::string_view>>;

// Views into `bytes`.
absl::StatusOr<Merges> ReadMerges(std::string_view bytes, const std::string& name,
                                  const LoadLimits& limits) {
  Merges merges;
  size_t number = 0;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.substr(0, 8) == "#version")) continue;
    const size_t space = line.find(' ');
    const auto where = [&] { return absl::StrCat(name, ":", number, ": "); };
    if (space == std::string_view::npos || space == 0 || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos) {
      return absl::DataLossError(
          absl::StrCat(where(), "expected two tokens with one space between"));
    }
    if (!IsValidUtf8(line)) return absl::DataLossError(absl::StrCat(where(), "is not UTF-8"));
    if (merges.size() >= limits.max_merges) {
      return absl::ResourceExhaustedError(
          absl::StrCat(where(), "more merges than the limit of ", limits.max_merges));
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

absl::StatusOr<std::string> ReadMergesFile(const SourceFile& file, const LoadOptions& options) {
  if (options.merges_path.has_value()) {
    return ReadWholeFile(*options.merges_path, options.limits.max_file_bytes);
  }
  absl::StatusOr<std::string> bytes = ReadSibling(file, "merges.txt", options.limits);
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat(
        AbslView(file.name),
        ": needs its merges; expected merges.txt beside it, or LoadOptions::merges_path"));
  }
  return bytes;
}

// Special tokens of GPT-2 and RoBERTa, and RoBERTa's template.
absl::Status AddSpecials(const Json& vocabulary, ComponentJson* json) {
  std::optional<std::pair<std::string, TokenId>> bos, eos;
  bool has_mask = false;
  for (const char* name : {"<|endoftext|>", "<s>", "<pad>", "</s>", "<unk>", "<mask>"}) {
    const Json value = vocabulary.Get(name);
    if (value.is_null()) continue;
    PENSTOCK_ASSIGN_OR_RETURN(const int64_t id, value.Int());
    ComponentJson::Added added{static_cast<TokenId>(id), name, /*special=*/true,
                               /*normalized=*/false};
    added.lstrip = added.content == "<mask>";
    has_mask = has_mask || added.lstrip;
    if (added.content == "<s>") bos = {name, added.id};
    if (added.content == "</s>") eos = {name, added.id};
    json->added.push_back(std::move(added));
  }
  if (bos.has_value() && eos.has_value() && has_mask) {
    json->post_processor = absl::StrCat(
        R"({"type": "RobertaProcessing", "trim_offsets": true, "add_prefix_space": false,)"
        R"( "cls": ["<s>", )",
        bos->second, R"(], "sep": ["</s>", )", eos->second, "]}");
  } else {
    json->post_processor =
        R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false})";
  }
  return absl::OkStatus();
}

}  // namespace

bool LooksLikeVocabJson(std::string_view head) {
  size_t at = 0;
  const auto skip_space = [&] {
    while (at < head.size() && (head[at] == ' ' || (head[at] >= '\t' && head[at] <= '\r'))) ++at;
  };
  skip_space();
  if (at == head.size() || head[at++] != '{') return false;
  skip_space();
  if (at == head.size() || head[at++] != '"') return false;
  while (at < head.size() && head[at] != '"') at += head[at] == '\\' ? 2 : 1;
  ++at;
  skip_space();
  if (at >= head.size() || head[at++] != ':') return false;
  skip_space();
  return at < head.size() && head[at] >= '0' && head[at] <= '9';
}

absl::StatusOr<TokenizerPtr> ReadVocabAndMerges(const SourceFile& file,
                                                const LoadOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string merges, ReadMergesFile(file, options));
  return ParseVocabAndMerges(file, merges, options);
}

absl::StatusOr<TokenizerPtr> ParseVocabAndMerges(const SourceFile& file,
                                                 std::string_view merges_bytes,
                                                 const LoadOptions& options) {
  const std::string merges_name =
      options.merges_path.value_or(absl::StrCat(AbslView(file.name), ": merges.txt"));
  PENSTOCK_ASSIGN_OR_RETURN(const Merges merges,
                            ReadMerges(merges_bytes, merges_name, options.limits));
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<JsonDocument> document,
                            JsonDocument::Parse(file.bytes, file.name, options.limits));
  const Json root = document->root();
  if (!root.is_object()) return root.Bad("expected an object of tokens and ids");
  ComponentJson json;
  PENSTOCK_RETURN_IF_ERROR(AddSpecials(root, &json));
  json.pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,)"
                       R"( "use_regex": true})";
  json.decoder = R"({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true})";
  json.model = BpeModelJson(std::string(file.bytes), merges, BpeOptions());
  return ReadComponentJson(json, file, options);
}

}  // namespace penstock::internal
