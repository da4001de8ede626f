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

// White space at one end of a token, where U+0120, the byte-level spelling of the space, counts as
// such. In byte-level vocabularies, where white space is spelled by letters, only the space does.
struct Spaces {
  size_t leading = 0;
  size_t trailing = 0;
};

Spaces CountSpaces(std::string_view token, bool spaces_only) {
  Spaces spaces;
  size_t chars = 0;
  for (size_t pos = 0; pos < token.size(); ++chars) {
    const DecodedChar c = DecodeUtf8(token, pos);
    const bool space = spaces_only
                           ? token[pos] == ' '
                           : c.valid && (IsWhiteSpace(c.code_point) || c.code_point == 0x120);
    spaces.trailing = space ? spaces.trailing + 1 : 0;
    if (space && spaces.leading == chars) ++spaces.leading;
    pos += c.size;
  }
  return spaces;
}

// Offsets are trimmed by characters of the text, whatever stands there.
size_t Forward(std::string_view text, size_t pos, size_t chars, size_t limit) {
  for (; chars > 0 && pos < limit; --chars) pos += DecodeUtf8(text, pos).size;
  return std::min(pos, limit);
}

// Not at all if there are not as many.
size_t Back(std::string_view text, size_t end, size_t chars, size_t limit) {
  size_t pos = end;
  for (; chars > 0; --chars) {
    if (pos == 0) return end;
    --pos;
    while (pos > 0 && IsUtf8Continuation(text[pos])) --pos;
  }
  return std::max(pos, limit);
}

// Widens to whole characters what is trimmed, as the reference counts in characters.
ByteRange Trim(std::string_view text, Spaces spaces, ByteRange offsets) {
  size_t limit = offsets.end;
  while (limit < text.size() && IsUtf8Continuation(text[limit])) ++limit;
  if (spaces.leading > 0) {
    while (offsets.begin > 0 && offsets.begin < text.size() &&
           IsUtf8Continuation(text[offsets.begin])) {
      --offsets.begin;
    }
    offsets.begin = Forward(text, offsets.begin, spaces.leading, limit);
    offsets.end = std::max(offsets.begin, offsets.end);
  }
  if (spaces.trailing > 0) offsets.end = Back(text, limit, spaces.trailing, offsets.begin);
  return offsets;
}

}  // namespace

void ReplaceAll(std::string_view from, std::string_view to, std::string* text) {
  std::string out;
  if (from.empty()) {
    for (size_t i = 0; i < text->size(); ++i) {
      if (!IsUtf8Continuation((*text)[i])) out.append(to);
      out.push_back((*text)[i]);
    }
    *text = out.append(to);
    return;
  }
  size_t pos = text->find(from);
  if (pos == std::string::npos) return;
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
    if (options.replace_invalid_utf8) {
      parts.decoder->DecodeReplacing(&tokens);
    } else {
      parts.decoder->Decode(&tokens);
    }
    for (const std::string& token : tokens) text.append(token);
  }
  if (options.replace_invalid_utf8 && !IsValidUtf8(text)) text = ReplaceInvalidUtf8(text);
  if (options.clean_up_spaces.value_or(parts.clean_up_spaces)) CleanUpSpaces(&text, false);
  return text;
}

void TrimOffsets(const EngineParts& parts, std::string_view text, bool second,
                 const EncodeOptions& options, TokenRun* run) {
  const bool truncated = options.truncation.has_value();
  if (truncated) run->offsets_if_first = run->offsets;
  size_t matched = 0;
  for (size_t i = 0; i < run->ids.size(); ++i) {
    const TokenId id = run->ids[i];
    const bool added = parts.vocabulary.FindAdded(id) != nullptr;
    std::string_view token = parts.vocabulary.Token(id);
    if (matched < run->matched.size() && run->matched[matched].first == i) {
      token = run->matched[matched++].second;
    }
    const Spaces spaces = CountSpaces(token, !added && parts.byte_level_vocabulary);
    if (spaces.leading + spaces.trailing == 0) continue;
    for (const PostProcessor::Trim& trim : parts.post_processor.trims) {
      // The space that add_prefix_space put there stands for no byte of the text.
      Spaces first = spaces;
      if (trim.add_prefix_space && spaces.leading == 1) first.leading = 0;
      const bool leads = !options.add_special_tokens || !trim.behind_special[second ? 1 : 0];
      const auto apply = [&](bool is_first, ByteRange* offsets) {
        *offsets = Trim(text, is_first || offsets->begin == 0 ? first : spaces, *offsets);
      };
      apply(leads && i == 0, &run->offsets[i]);
      if (truncated) apply(leads, &run->offsets_if_first[i]);
    }
  }
}

}  // namespace penstock::internal
