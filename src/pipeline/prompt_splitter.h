// SPDX-License-Identifier: Apache-2.0
//
// A request's text into the ids of its prefills: one, or several when it is over the limit and may
// be split.
//
//   PromptSplitter splitter(tokenizer.get(), &chunker, OverLimit::kSplit, limits);
//   splitter.Prepare(request)     // kResourceExhausted: 70 parts, expected at most 64 (max_parts)
#ifndef PENSTOCK_SRC_PIPELINE_PROMPT_SPLITTER_H_
#define PENSTOCK_SRC_PIPELINE_PROMPT_SPLITTER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/base/token.h"
#include "penstock/chunker.h"
#include "penstock/kv_cache/request.h"
#include "penstock/pipeline.h"
#include "penstock/tokenizer.h"

namespace penstock::internal {

struct PreparedPrompt {
  std::vector<TokenId> ids;
  std::vector<ExtraKey> extra_keys;  // where segments have content
  std::optional<ByteRange> chunk;    // of the split segment
  bool truncated = false;
};

// Immutable; safe to share. Borrows tokenizer and chunker (null: none).
class PromptSplitter {
 public:
  PromptSplitter(const Tokenizer* tokenizer, const Chunker* chunker, OverLimit over_limit,
                 size_t max_prompt_tokens, size_t max_parts)
      : tokenizer_(tokenizer),
        chunker_(chunker),
        over_limit_(over_limit),
        max_tokens_(max_prompt_tokens),
        max_parts_(max_parts) {}

  // kInvalidArgument: no tokens, or no room beside the other segments. kResourceExhausted: over a
  // limit. Each result has at least one token and at most max_prompt_tokens.
  absl::StatusOr<std::vector<PreparedPrompt>> Prepare(const PipelineRequest& request) const;

 private:
  // The request with `text` in place of segment `replaced`.
  absl::StatusOr<PreparedPrompt> EncodeWith(const PipelineRequest& request, size_t replaced,
                                            std::string_view text) const;
  // Tokens of the request without segment `replaced`.
  absl::StatusOr<size_t> CountWithout(const PipelineRequest& request, size_t replaced) const;
  absl::StatusOr<std::vector<PreparedPrompt>> Truncate(const PipelineRequest& request,
                                                       size_t longest, size_t others) const;
  absl::StatusOr<std::vector<PreparedPrompt>> Split(const PipelineRequest& request, size_t longest,
                                                    size_t others) const;

  const Tokenizer* tokenizer_;
  const Chunker* chunker_;
  OverLimit over_limit_;
  size_t max_tokens_;
  size_t max_parts_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_PIPELINE_PROMPT_SPLITTER_H_
