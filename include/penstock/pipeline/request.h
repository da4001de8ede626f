// SPDX-License-Identifier: Apache-2.0
//
// What goes into a Pipeline, and what comes out.
//
//   PipelineRequest request;
//   request.segments = {TrustedText("<|user|>"), UntrustedText(body), TrustedText("<|end|>")};
//   request.timeout = absl::Seconds(2);
//   pipeline.Submit(std::move(request), [](absl::StatusOr<PipelineResult> result) {
//     if (result.ok()) Reply(result->parts[0].result.output_ids);
//   });
//
//   request.segments = {};
//   pipeline.Submit(…).status();    // kInvalidArgument: request "7": no text, expected some
#ifndef PENSTOCK_PIPELINE_REQUEST_H_
#define PENSTOCK_PIPELINE_REQUEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "penstock/base/token.h"
#include "penstock/batcher/outcome.h"
#include "penstock/kv_cache/request.h"

namespace penstock {

// A Segment (penstock/tokenizer/segment.h) that owns its text, because a request outlives the call
// that submits it. Made only by TrustedText() and UntrustedText(), so that every call site says who
// wrote the text.
class OwnedSegment {
 public:
  using Digest = std::array<uint8_t, 32>;

  const std::string& text() const { return text_; }
  bool trusted() const { return trusted_; }
  // What the text stands for, if its K/V depends on more than its tokens (ExtraKey::content).
  const std::optional<Digest>& content() const { return content_; }

 private:
  friend OwnedSegment TrustedText(std::string text, std::optional<Digest> content);
  friend OwnedSegment UntrustedText(std::string text);
  OwnedSegment(std::string text, bool trusted, std::optional<Digest> content)
      : text_(std::move(text)), trusted_(trusted), content_(content) {}

  std::string text_;
  bool trusted_;
  std::optional<Digest> content_;
};

// Text of the host (templates, markers): control tokens spelled in it count. `content`: a digest of
// the image, audio or embedding for which it is the placeholder; K/V of its tokens is then reused
// only for the same content. It must have tokens (else kInvalidArgument).
inline OwnedSegment TrustedText(std::string text,
                                std::optional<OwnedSegment::Digest> content = std::nullopt) {
  return OwnedSegment(std::move(text), true, content);
}

// Text of anybody else: never becomes a control token.
inline OwnedSegment UntrustedText(std::string text) {
  return OwnedSegment(std::move(text), false, std::nullopt);
}

struct PipelineRequest {
  std::string id;  // the host's own name for it; for messages, never interpreted
  std::vector<OwnedSegment> segments;
  bool add_special_tokens = false;  // EncodeOptions::add_special_tokens

  // fairness, and by default who shares K/V (PipelineOptions)
  std::string tenant;
  int priority = 0;                       // higher first
  std::optional<absl::Duration> timeout;  // from Submit to the result; > 0

  // For the KV cache.
  std::optional<Scope> scope;  // none: PipelineOptions::scope
  ReuseHint hint;
  size_t reserve_tokens = 0;  // room for decode beyond the prompt, reserved at dispatch
  bool read_cache = true;     // false: computes everything
  bool publish = true;        // false: nobody reuses what this request computed

  std::shared_ptr<void> host_data;  // whatever the runner wants to find (sampling parameters, …)
};

// What the host's runner answers for one prefill.
struct PrefillResult {
  std::vector<TokenId> output_ids;  // usually the first token, or all of a decode
  std::shared_ptr<void> value;      // anything else (logits, an embedding, a handle)
};

// One prefill of a request. Most requests have one; a prompt over the limit that was split has one
// for each chunk.
struct PipelinePart {
  PrefillResult result;
  size_t prompt_tokens = 0;
  size_t cached_tokens = 0;  // K/V that was not computed: Lease::matched_tokens()
  // of the segment that was split: the bytes this part read; none: all of it
  std::optional<ByteRange> chunk;
  bool truncated = false;  // the longest untrusted segment lost its end

  absl::Duration preparation_time;  // Submit to the batcher's queue
  absl::Duration queue_delay;       // queue to dispatch
  absl::Duration service_time;      // dispatch to result
  // Submit to the first part of the result that the runner gave
  absl::Duration time_to_first_token;
  size_t batch_size = 0;
  ReleaseReason release_reason = ReleaseReason::kIdleRuntime;
};

struct PipelineResult {
  std::vector<PipelinePart> parts;  // in the order of the text; at least one
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_REQUEST_H_
