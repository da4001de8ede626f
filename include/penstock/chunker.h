// SPDX-License-Identifier: Apache-2.0
//
// Long text into chunks: whole sentences, under an exact token budget, at the speed of the
// tokenizer.
//
//   PENSTOCK_ASSIGN_OR_RETURN(Chunker chunker, Chunker::Create(tokenizer));          // 512 tokens,
//   headroom 0.9 for (const Chunk& c : chunker.Split(document)) Send(c.ids, c.text.In(document));
//
//   ChunkerOptions options;
//   options.max_tokens = 4;  options.reserved_tokens = 8;
//   Chunker::Create(tokenizer, options);   // INVALID_ARGUMENT: … reserves 8 of 3 usable tokens …
//
//   PENSTOCK_ASSIGN_OR_RETURN(ChunkStream stream, chunker.NewStream());              // text that
//   is still arriving while (Read(&fragment)) {
//     PENSTOCK_RETURN_IF_ERROR(stream.Append(fragment));
//     while (stream.Next(&chunk, &extent)) Send(chunk.ids, extent);
//   }
//   stream.Finish();  while (stream.Next(&chunk, &extent)) Send(chunk.ids, extent);
//
// What is promised, for every input, also invalid UTF-8:
//   - cores partition the input; chunk.ids is exactly EncodeIds(extent); tokens never exceeds the
//   budget;
//   - a sentence that fits the budget alone is never cut; a larger one is cut at clauses, then
//   words, then graphemes,
//     and only a grapheme larger than the budget is cut between code points;
//   - overlap is whole units; the same text, options and vocabulary give the same chunks on every
//   machine, in one piece
//     or in any fragments.
// Cost: the text is encoded once (counts come from safe cuts, ids are slices); a tokenizer that
// knows no safe cuts is called about three times over the text. Do not use this to split text for
// display: see SplitSentences().
#ifndef PENSTOCK_CHUNKER_H_
#define PENSTOCK_CHUNKER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/base/export.h"
#include "penstock/chunker/boundary.h"
#include "penstock/chunker/chunk.h"
#include "penstock/tokenizer.h"

namespace penstock {

// How units become chunks. "Fits" is always the exact count of the extent.
enum class Packing : uint8_t {
  kGreedy,     // as much as fits: fewest chunks
  kLookahead,  // from min_fill on, the boundary that costs least: strong and sure, against unused
               // budget
  kBalanced,  // as few chunks as greedy (or the next multiple of balanced_multiple), the largest as
              // small as possible
  kOptimal,   // least total cost of boundaries and unused budget over the whole text (dynamic
              // programming)
};

// Behaviour first. Copyable; the defaults are what most hosts want.
struct ChunkerOptions {
  // Upper limit of a chunk for the model, and the share of it to use. Peers leave 10 % because they
  // cannot count; here 1.0 is safe, and the published default is kept. Usable: floor(max_tokens *
  // headroom).
  size_t max_tokens = 512;
  double headroom = 0.9;

  // Tokens of each chunk that are not its text: template, instruction, repeated headings. Counted,
  // not guessed; with count_special_tokens also what Tokenizer::SpecialTokensToAdd() says. Taken
  // off the usable tokens.
  size_t reserved_tokens = 0;
  bool count_special_tokens = false;

  // Left overlap: as many whole units before the core as fit in overlap_tokens, at most
  // overlap_units of them, and fewer where the core's first unit would not fit otherwise. 0 tokens:
  // none. overlap_unit: kSentence or stronger.
  size_t overlap_tokens = 0;
  std::optional<size_t> overlap_units;
  Unit overlap_unit = Unit::kSentence;

  Packing packing = Packing::kLookahead;

  // kLookahead, kOptimal: a chunk this full may end at a stronger boundary. In [0, 1].
  double min_fill = 0.5;

  // kBalanced: the number of chunks is a multiple of this (workers, rows of a batch) where the text
  // has enough units.
  size_t balanced_multiple = 1;

  // How the text is read; see BoundaryOptions.
  TextFormat format = TextFormat::kAuto;
  std::string language;

  // A model that scores boundaries; none: the rules' own scores.
  std::shared_ptr<const BoundaryScorer> scorer;

  // Usable tokens per chunk before special tokens are counted; 0 where nothing is left.
  PENSTOCK_EXPORT size_t UsableTokens() const;

  // kInvalidArgument, naming the field, its value and what was expected. Create() also checks
  // against the tokenizer.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

// Counters since Create(), over Split() and all streams.
struct ChunkerStats {
  uint64_t texts = 0;  // Split() calls and finished streams
  uint64_t bytes = 0;  // of cores
  uint64_t chunks = 0;
  uint64_t tokens = 0;           // of ids
  uint64_t oversize_chunks = 0;  // Chunk::oversize_unit
  uint64_t sliced_chunks = 0;    // ids are a slice of a longer encoding
  uint64_t encoded_bytes = 0;    // handed to the tokenizer; bytes * 1.0 is the ideal
};

class ChunkStream;

// Immutable; safe to share. Closed, move-only; keeps its tokenizer alive.
class PENSTOCK_EXPORT Chunker {
 public:
  // kInvalidArgument: null tokenizer; options.Validate(); a budget below the tokens reserved, below
  // the overlap, or below the costliest single code point among some thousands probed (the message
  // names it). Calls the tokenizer a few times, or some thousands for budgets under 64 tokens.
  static absl::StatusOr<Chunker> Create(TokenizerPtr tokenizer, const ChunkerOptions& options = {});

  Chunker(Chunker&&) noexcept;
  Chunker& operator=(Chunker&&) noexcept;
  ~Chunker();

  // The chunks of `text`, in order; none for an empty text. Total. Linear in text.size() (kOptimal:
  // times the boundaries per chunk). The ranges count bytes of `text`. Thread-safe.
  std::vector<Chunk> Split(std::string_view text) const;

  // A stream with the same output as Split() of all it was given. kFailedPrecondition for kBalanced
  // and kOptimal, which need the whole text. The stream may outlive the chunker. Thread-safe.
  absl::StatusOr<ChunkStream> NewStream() const;

  const ChunkerOptions& options() const ABSL_ATTRIBUTE_LIFETIME_BOUND;

  // Tokens a chunk's text may have: usable tokens less all that is reserved.
  size_t budget_tokens() const;

  // Thread-safe; each counter is exact, together they are not a snapshot.
  ChunkerStats GetStats() const;

  struct Rep;  // private

 private:
  explicit Chunker(std::shared_ptr<const Rep> rep);

  std::shared_ptr<const Rep> rep_;
};

// Chunks of a text that arrives in fragments, cut anywhere, also inside a character. What Next()
// yields does not depend on the fragments. Holds the text of the current chunk, its overlap and the
// look-ahead: in bytes about three chunks, and at most 64 KiB + 16 bytes per budget token more
// where the text has no boundary.
//
// Closed, move-only. Thread-compatible: const calls may run concurrently, others need external
// synchronization.
class PENSTOCK_EXPORT ChunkStream {
 public:
  ChunkStream(ChunkStream&&) noexcept;
  ChunkStream& operator=(ChunkStream&&) noexcept;
  ~ChunkStream();

  // Copies `fragment`. kFailedPrecondition after Finish(). Amortised O(fragment), whatever the
  // fragments' size.
  absl::Status Append(std::string_view fragment);

  // No more text will come. Idempotent.
  void Finish();

  // Moves out the next chunk that no further text can change. False: append more, or all is out
  // after Finish(). Ranges count bytes of the whole stream. `extent` gets the bytes of
  // chunk->extent (the stream forgets them), or null. REQUIRES: chunk != nullptr.
  bool Next(Chunk* chunk, std::string* extent);

  // Bytes of text held now.
  size_t held_bytes() const;

  struct Rep;  // private

 private:
  friend class Chunker;
  explicit ChunkStream(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_CHUNKER_H_
