// SPDX-License-Identifier: Apache-2.0
//
// StreamEncoder: ids of one untrusted text, however long, in memory that does not grow with it.
//
//   StreamEncoder encoder(parts, raw_matcher, normalized_matcher, added_tokens,
//                         [&](absl::Span<const TokenId> ids) { return Write(ids); });
//   absl::Status status = encoder.Run(text);         // the ids of EncodeIds(text), in order
//
// The text passes through the stages of engine.h part by part. Between two stages a buffer holds
// what has arrived; when there is a window of it, the next stage says where it can be split so that
// both sides give what the whole gives (SplitPoint() in stages.h), takes what stands before, and
// the rest waits for more:
//
//   text ─ added tokens ─ bad UTF-8 ─ normalizers ─ normalized added tokens ─ rewriting
//   pre-tokenizers ─ pieces and model ─ sink
//
// Where a stage knows no split point the window doubles: memory grows for as long as that goes on
// (README.md says for what), the ids stay the same. Time is linear. One object for one text.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_TOKENIZER_STREAM_ENCODER_H_
#define PENSTOCK_SRC_TOKENIZER_STREAM_ENCODER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tokenizer/added_token_matcher.h"
#include "tokenizer/engine.h"

namespace penstock::internal {

class StreamEncoder {
 public:
  using Sink = absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)>;

  // The matchers are those for content tokens. `window`: bytes that a stage takes at a time; tests
  // make it small. Everything is borrowed.
  StreamEncoder(const EngineParts& parts, const AddedTokenMatcher& raw,
                const AddedTokenMatcher& normalized, absl::Span<const AddedToken> added, Sink* sink,
                size_t window = size_t{64} << 10);

  // The sink's first error, after which it is not called again.
  absl::Status Run(std::string_view text);

 private:
  // One step of the way; exactly one member is set, none for the last (pieces and model).
  struct Step {
    bool replaces_invalid = false;
    const Normalizer* normalizer = nullptr;
    const AddedTokenMatcher* matcher = nullptr;
    const PreTokenizer* rewriter = nullptr;
    std::string buffer;    // arrived and not yet taken
    size_t threshold = 0;  // bytes that must have arrived before it is worth a look
    bool continued = false;
  };

  void PlainRun(std::string_view run);
  // More of the run arrives at steps_[level].
  void Push(size_t level, std::string_view part, bool last);
  // Takes as much of `view` as steps_[level] can; all if `last`. Returns how much.
  size_t Take(size_t level, std::string_view view, bool last);
  size_t SplitPoint(size_t level, std::string_view view) const;
  void Transform(size_t level, std::string_view part, bool last);
  void Match(size_t level, std::string_view part, bool last);
  size_t TakePieces(std::string_view view, bool last);
  void EncodePieces(std::string_view part);
  void Emit(TokenId id) {
    ids_.push_back(id);
    if (ids_.size() >= kIdsAtATime) Flush();
  }
  void EmitTokens();
  void Flush();

  static constexpr size_t kIdsAtATime = 16384;

  const EngineParts& parts_;
  const AddedTokenMatcher& raw_;
  absl::Span<const AddedToken> added_;
  Sink* sink_;
  const size_t window_;
  std::vector<Step> steps_;
  std::vector<const PreTokenizer*> splitters_;  // after the leading rewriters
  size_t run_begin_ = 0;
  bool at_begin_ = true;  // no piece of the text has been seen yet
  std::unique_ptr<PieceStream> stream_;
  PreTokenizedRun run_{AlignedText({}, 0, false), {}};
  std::vector<PieceToken> tokens_;
  std::vector<TokenId> ids_;
  absl::Status status_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_STREAM_ENCODER_H_
