// SPDX-License-Identifier: Apache-2.0
//
// vocab.txt of BERT: one token a line, the line number is the id.
//
// What the file does not say is what BERT's tokenizer does (Hugging Face's BertTokenizerFast):
// clean text, spaces around Chinese characters, words and punctuation, WordPiece with "##", [CLS] a
// [SEP]. Whether text is lower-cased comes from tokenizer_config.json beside the file; without one,
// from the vocabulary: one that holds capital letters is cased.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"
#include "tokenizer/components/component_json.h"
#include "tokenizer/components/tokenizer_config.h"
#include "tokenizer/readers.h"

namespace penstock::internal {
namespace {

constexpr const char* kSpecials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

// Splits into lines; "\n" or "\r\n" ends one, the last may lack it.
absl::StatusOr<std::vector<std::string>> ReadLines(const SourceFile& file,
                                                   const LoadLimits& limits) {
  std::vector<std::string> lines;
  std::string_view rest = file.bytes;
  if (rest.substr(0, 3) == "\xEF\xBB\xBF") {
    return absl::DataLossError(
        absl::StrCat(AbslView(file.name), ":1: begins with a byte order mark, expected a token"));
  }
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const auto where = [&] {
      return absl::StrCat(AbslView(file.name), ":", lines.size() + 1, ": ");
    };
    if (line.empty()) return absl::DataLossError(absl::StrCat(where(), "empty, expected a token"));
    if (!IsValidUtf8(line)) return absl::DataLossError(absl::StrCat(where(), "is not UTF-8"));
    if (line.size() > limits.max_token_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          where(), "a token of ", line.size(), " bytes, the limit is ", limits.max_token_bytes));
    }
    if (lines.size() >= limits.max_vocabulary) {
      return absl::ResourceExhaustedError(
          absl::StrCat(where(), "more tokens than the limit of ", limits.max_vocabulary));
    }
    lines.emplace_back(line);
  }
  return lines;
}

// Of equal lines the last one counts, as in the reference; the others become holes.
void DropRepeated(std::vector<std::string>* tokens) {
  std::vector<uint32_t> order(tokens->size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int compared = (*tokens)[a].compare((*tokens)[b]);
    return compared < 0 || (compared == 0 && a < b);
  });
  std::vector<uint32_t> repeated;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    if ((*tokens)[order[i]] == (*tokens)[order[i + 1]]) repeated.push_back(order[i]);
  }
  for (const uint32_t i : repeated) (*tokens)[i].clear();
}

bool HoldsCapitals(const std::vector<std::string>& tokens) {
  return std::any_of(tokens.begin(), tokens.end(), [](const std::string& token) {
    if (!token.empty() && token.front() == '[' && token.back() == ']') return false;
    return std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  });
}

}  // namespace

bool LooksLikeWordPieceVocab(std::string_view head) {
  if (head.substr(0, 6) == "[PAD]\n" || head.substr(0, 7) == "[PAD]\r\n") return true;
  const size_t at = head.find("[UNK]");
  if (at == std::string_view::npos || (at > 0 && head[at - 1] != '\n')) return false;
  const std::string_view rest = head.substr(at + 5);
  return rest.empty() || rest[0] == '\n' || rest[0] == '\r';
}

absl::StatusOr<TokenizerPtr> ReadWordPieceVocab(const SourceFile& file,
                                                const LoadOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<std::string> tokens, ReadLines(file, options.limits));
  DropRepeated(&tokens);
  PENSTOCK_ASSIGN_OR_RETURN(const TokenizerConfig config, ReadTokenizerConfig(file, options));
  ComponentJson json;
  std::optional<std::pair<std::string, TokenId>> cls, sep;
  bool has_unknown = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (std::find(std::begin(kSpecials), std::end(kSpecials), tokens[i]) == std::end(kSpecials)) {
      continue;
    }
    const TokenId id = static_cast<TokenId>(i);
    json.added.push_back({id, tokens[i], /*special=*/true, /*normalized=*/false});
    if (tokens[i] == "[CLS]") cls = {tokens[i], id};
    if (tokens[i] == "[SEP]") sep = {tokens[i], id};
    has_unknown = has_unknown || tokens[i] == "[UNK]";
  }
  if (!has_unknown) {
    return absl::DataLossError(
        absl::StrCat(AbslView(file.name), ": no line \"[UNK]\", expected a WordPiece vocabulary"));
  }
  json.normalizer =
      BertNormalizerJson(config.do_lower_case.value_or(!HoldsCapitals(tokens)),
                         config.strip_accents, config.tokenize_chinese_chars.value_or(true));
  json.pre_tokenizer = R"({"type": "BertPreTokenizer"})";
  if (cls.has_value() && sep.has_value()) json.post_processor = BertTemplateJson(*cls, *sep);
  json.decoder = R"({"type": "WordPiece", "prefix": "##", "cleanup": true})";
  json.model = WordPieceModelJson(tokens, "[UNK]");
  return ReadComponentJson(json, file, options);
}

}  // namespace penstock::internal
