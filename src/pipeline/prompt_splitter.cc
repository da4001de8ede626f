// SPDX-License-Identifier: Apache-2.0
#include "pipeline/prompt_splitter.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {
namespace {

constexpr size_t kNone = SIZE_MAX;  // no segment is replaced

// Each attempt takes the excess of the one before off the budget: seams between segments cost a
// token or two, and a second attempt is rare.
constexpr int kAttempts = 6;

size_t LongestUntrusted(const PipelineRequest& request) {
  size_t longest = kNone;
  for (size_t i = 0; i < request.segments.size(); ++i) {
    const OwnedSegment& s = request.segments[i];
    if (s.trusted() || s.text().empty()) continue;
    if (longest == kNone || s.text().size() > request.segments[longest].text().size()) longest = i;
  }
  return longest;
}

// The largest offset <= `at` that does not stand inside a well-formed UTF-8 sequence.
size_t CharacterBefore(std::string_view text, size_t at) {
  size_t back = 0;
  while (back < 3 && at - back > 0 && at - back < text.size() &&
         (static_cast<unsigned char>(text[at - back]) & 0xC0) == 0x80) {
    ++back;
  }
  return at - back;
}

// The tokens that read any of `bytes`. None would make the content invisible to the cache.
absl::StatusOr<ExtraKey> KeyOf(const std::vector<ByteRange>& offsets, ByteRange bytes,
                               size_t segment, const std::array<uint8_t, 32>& content) {
  ExtraKey key;
  key.content = content;
  for (size_t t = 0; t < offsets.size(); ++t) {
    if (offsets[t].begin >= bytes.end || offsets[t].end <= bytes.begin) continue;
    if (key.token_len == 0) key.token_offset = t;
    key.token_len = t + 1 - key.token_offset;
  }
  if (key.token_len == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment ", segment, " has content and no tokens, expected some"));
  }
  return key;
}

}  // namespace

absl::StatusOr<PreparedPrompt> PromptSplitter::EncodeWith(const PipelineRequest& request,
                                                          size_t replaced,
                                                          std::string_view text) const {
  std::vector<Segment> segments;
  segments.reserve(request.segments.size());
  EncodeOptions options;
  for (size_t i = 0; i < request.segments.size(); ++i) {
    const OwnedSegment& s = request.segments[i];
    const std::string_view piece = i == replaced ? text : std::string_view(s.text());
    segments.push_back(s.trusted() ? Trusted(piece) : Untrusted(piece));
    options.offsets = options.offsets || s.content().has_value();
  }
  options.add_special_tokens = request.add_special_tokens;
  PENSTOCK_ASSIGN_OR_RETURN(Encoding encoding, tokenizer_->Encode(segments, options));
  PreparedPrompt prompt;
  size_t begin = 0;
  for (size_t i = 0; options.offsets && i < segments.size(); ++i) {
    const ByteRange bytes{begin, begin + segments[i].text().size()};
    begin = bytes.end;
    if (!request.segments[i].content().has_value()) continue;
    PENSTOCK_ASSIGN_OR_RETURN(ExtraKey key,
                              KeyOf(encoding.offsets, bytes, i, *request.segments[i].content()));
    prompt.extra_keys.push_back(key);
  }
  prompt.ids = std::move(encoding.ids);
  return prompt;
}

absl::StatusOr<size_t> PromptSplitter::CountWithout(const PipelineRequest& request,
                                                    size_t replaced) const {
  std::vector<Segment> segments;
  for (size_t i = 0; i < request.segments.size(); ++i) {
    const OwnedSegment& s = request.segments[i];
    if (i != replaced) segments.push_back(s.trusted() ? Trusted(s.text()) : Untrusted(s.text()));
  }
  EncodeOptions options;
  options.add_special_tokens = request.add_special_tokens;
  PENSTOCK_ASSIGN_OR_RETURN(const Encoding encoding, tokenizer_->Encode(segments, options));
  return encoding.ids.size();
}

absl::StatusOr<std::vector<PreparedPrompt>> PromptSplitter::Prepare(
    const PipelineRequest& request) const {
  PENSTOCK_ASSIGN_OR_RETURN(PreparedPrompt all, EncodeWith(request, kNone, ""));
  const std::vector<TokenId>& ids = all.ids;
  if (ids.empty()) return absl::InvalidArgumentError("the text has no tokens, expected some");
  if (ids.size() <= max_tokens_) {
    std::vector<PreparedPrompt> whole;
    whole.push_back(std::move(all));
    return whole;
  }
  if (over_limit_ == OverLimit::kReject) {
    return absl::ResourceExhaustedError(absl::StrCat("the prompt has ", ids.size(),
                                                     " tokens, expected at most ", max_tokens_,
                                                     " (max_prompt_tokens)"));
  }
  const size_t longest = LongestUntrusted(request);
  size_t others = ids.size();
  if (longest != kNone) {
    PENSTOCK_ASSIGN_OR_RETURN(others, CountWithout(request, longest));
  }
  if (others >= max_tokens_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the prompt has ", ids.size(), " tokens; all but its longest untrusted segment are ",
        others, ", expected fewer than ", max_tokens_, " (max_prompt_tokens)"));
  }
  return over_limit_ == OverLimit::kTruncate ? Truncate(request, longest, others)
                                             : Split(request, longest, others);
}

absl::StatusOr<std::vector<PreparedPrompt>> PromptSplitter::Truncate(const PipelineRequest& request,
                                                                     size_t longest,
                                                                     size_t others) const {
  const std::string& text = request.segments[longest].text();
  EncodeOptions options;
  options.offsets = true;
  PENSTOCK_ASSIGN_OR_RETURN(const Encoding alone, tokenizer_->Encode({Untrusted(text)}, options));
  size_t budget = max_tokens_ - others;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const size_t end = budget < alone.offsets.size() ? alone.offsets[budget].begin : text.size();
    const std::string_view head =
        std::string_view(text).substr(0, CharacterBefore(text, std::min(end, text.size())));
    PENSTOCK_ASSIGN_OR_RETURN(PreparedPrompt prompt, EncodeWith(request, longest, head));
    if (prompt.ids.size() <= max_tokens_) {
      prompt.truncated = true;
      std::vector<PreparedPrompt> prompts;
      prompts.push_back(std::move(prompt));
      return prompts;
    }
    budget -= std::min(budget, prompt.ids.size() - max_tokens_);
  }
  return absl::InvalidArgumentError(absl::StrCat("no truncation of the longest segment fits ",
                                                 max_tokens_, " tokens (max_prompt_tokens)"));
}

absl::StatusOr<std::vector<PreparedPrompt>> PromptSplitter::Split(const PipelineRequest& request,
                                                                  size_t longest,
                                                                  size_t others) const {
  const std::string& text = request.segments[longest].text();
  size_t budget = std::min(max_tokens_ - others, chunker_->budget_tokens());
  for (int attempt = 0; attempt < kAttempts && budget > 0; ++attempt) {
    std::vector<Chunk> chunks;
    if (budget == chunker_->budget_tokens()) {
      chunks = chunker_->Split(text);
    } else {  // less room than the chunker was made for: the same rules under a smaller budget
      ChunkerOptions options = chunker_->options();
      options.max_tokens = budget;
      options.headroom = 1.0;
      options.reserved_tokens = 0;
      options.count_special_tokens = false;
      options.overlap_tokens = std::min(options.overlap_tokens, budget / 4);
      // Not owned: the tokenizer outlives this call.
      const TokenizerPtr borrowed(std::shared_ptr<const void>(), tokenizer_);
      absl::StatusOr<Chunker> smaller = Chunker::Create(borrowed, options);
      if (!smaller.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("the segments beside the longest one leave ", budget, " of ", max_tokens_,
                         " tokens (max_prompt_tokens): ", smaller.status().message()));
      }
      chunks = smaller->Split(text);
    }
    if (chunks.size() > max_parts_) {
      return absl::ResourceExhaustedError(absl::StrCat("the prompt makes ", chunks.size(),
                                                       " parts, expected at most ", max_parts_,
                                                       " (max_parts)"));
    }
    std::vector<PreparedPrompt> prompts;
    size_t excess = 0;
    for (const Chunk& chunk : chunks) {
      PENSTOCK_ASSIGN_OR_RETURN(PreparedPrompt prompt,
                                EncodeWith(request, longest, chunk.extent.In(text)));
      const size_t tokens = prompt.ids.size();
      if (tokens > max_tokens_) excess = std::max(excess, tokens - max_tokens_);
      prompt.chunk = chunk.extent;
      prompts.push_back(std::move(prompt));
    }
    if (excess == 0 && !prompts.empty()) return prompts;
    budget -= std::min(budget, excess);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no split of the longest segment fits ", max_tokens_,
                   " tokens (max_prompt_tokens) beside the ", others, " of the others"));
}

}  // namespace penstock::internal
