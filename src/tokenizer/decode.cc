// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/decode.h"

#include <algorithm>
#include <utility>

#include "text/unicode.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

constexpr std::string_view kUnknownId = "\xEF\xBF\xBD";

std::string_view Spelling(const EngineParts& parts, TokenId id) {
  const size_t index = static_cast<size_t>(id);
  if (index < parts.spellings.size()) return parts.spellings[index];
  return parts.vocabulary.Token(id);
}

// White space characters at the begin (or end) of `token`. In byte-level spelling, where white
// space but for the space itself is spelled by letters, only that counts.
size_t LeadingSpaces(std::string_view token, bool spaces_only) {
  size_t count = 0;
  for (size_t pos = 0; pos < token.size(); ++count) {
    const DecodedChar c = DecodeUtf8(token, pos);
    const bool space = spaces_only ? token[pos] == ' ' : c.valid && IsWhiteSpace(c.code_point);
    if (!space) break;
    pos += c.size;
  }
  return count;
}

size_t TrailingSpaces(std::string_view token, bool spaces_only) {
  size_t count = 0;
  for (size_t pos = 0; pos < token.size();) {
    const DecodedChar c = DecodeUtf8(token, pos);
    const bool space = spaces_only ? token[pos] == ' ' : c.valid && IsWhiteSpace(c.code_point);
    count = space ? count + 1 : 0;
    pos += c.size;
  }
  return count;
}

// Offsets are trimmed by characters of the text, whatever stands there.
size_t Forward(std::string_view text, size_t pos, size_t chars, size_t limit) {
  for (; chars > 0 && pos < limit; --chars) pos += DecodeUtf8(text, pos).size;
  return std::min(pos, limit);
}

size_t Back(std::string_view text, size_t pos, size_t chars, size_t limit) {
  for (; chars > 0 && pos > limit; --chars) {
    --pos;
    while (pos > limit && IsUtf8Continuation(text[pos])) --pos;
  }
  return pos;
}

}  // namespace

void ReplaceAll(std::string_view from, std::string_view to, std::string* text) {
  if (from.empty()) return;
  size_t pos = text->find(from);
  if (pos == std::string::npos) return;
  std::string out;
  size_t done = 0;
  for (; pos != std::string::npos; pos = text->find(from, done)) {
    out.append(*text, done, pos - done);
    out.append(to);
    done = pos + from.size();
  }
  out.append(*text, done, std::string::npos);
  *text = std::move(out);
}

void CleanUpSpaces(std::string* text, bool do_not) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) {
    if (do_not || from != " do not") ReplaceAll(from, to, text);
  }
}

std::string DecodeTokens(const EngineParts& parts, absl::Span<const TokenId> ids,
                         const DecodeOptions& options) {
  std::string text;
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    const bool known = parts.vocabulary.Contains(id);
    if (known && options.skip_special_tokens && parts.vocabulary.IsSpecial(id)) continue;
    const std::string_view spelling = known ? Spelling(parts, id) : kUnknownId;
    if (parts.decoder == nullptr) {
      text.append(spelling);
    } else {
      tokens.emplace_back(spelling);
    }
  }
  if (parts.decoder != nullptr) {
    parts.decoder->Decode(&tokens);
    for (const std::string& token : tokens) text.append(token);
  }
  if (options.replace_invalid_utf8 && !IsValidUtf8(text)) text = ReplaceInvalidUtf8(text);
  if (options.clean_up_spaces.value_or(parts.clean_up_spaces)) CleanUpSpaces(&text, false);
  return text;
}

void TrimOffsets(const EngineParts& parts, std::string_view text, TokenRun* run) {
  for (size_t i = 0; i < run->ids.size(); ++i) {
    ByteRange& offsets = run->offsets[i];
    const bool added = parts.vocabulary.FindAdded(run->ids[i]) != nullptr;
    const std::string_view token = added ? offsets.In(text) : parts.vocabulary.Token(run->ids[i]);
    const bool spaces_only = !added && parts.byte_level_vocabulary;
    size_t leading = LeadingSpaces(token, spaces_only);
    const size_t trailing = TrailingSpaces(token, spaces_only);
    // The space that add_prefix_space put there stands for no byte of the text.
    const bool is_first = i == 0 || offsets.begin == 0;
    if (is_first && parts.post_processor.trim_keeps_prefix_space && leading == 1) leading = 0;
    offsets.begin = Forward(text, offsets.begin, leading, offsets.end);
    offsets.end = Back(text, offsets.end, trailing, offsets.begin);
  }
}

}  // namespace penstock::internal
