// SPDX-License-Identifier: Apache-2.0
//
// What a Chunker knows from Create() on, shared with its streams.
#ifndef PENSTOCK_SRC_CHUNKER_REP_H_
#define PENSTOCK_SRC_CHUNKER_REP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "penstock/chunker.h"

namespace penstock {

namespace internal {

// Where in the white space between two units to cut, so that the cut is a safe one for this
// vocabulary: byte-level vocabularies glue a space to the word after it and line ends to the text
// before; found out once, in Create().
enum class CutSide : uint8_t { kContentEnd, kLineStart, kNextBegin };

struct CutPolicy {
  CutSide spaces = CutSide::kContentEnd;
  CutSide one_line_end = CutSide::kLineStart;
  CutSide blank_lines = CutSide::kLineStart;
};

struct ChunkerCounters {
  std::atomic<uint64_t> texts{0}, bytes{0}, chunks{0}, tokens{0}, oversize_chunks{0},
      sliced_chunks{0}, encoded_bytes{0};
};

}  // namespace internal

struct Chunker::Rep {
  TokenizerPtr tokenizer;
  ChunkerOptions options;
  size_t budget = 0;          // tokens of text in a chunk
  size_t overhead = 0;        // reserved and special tokens
  bool safe_cuts = false;     // the tokenizer knows some
  size_t joint_saving = 0;    // without safe cuts: tokens saved where two units are encoded as one
  size_t max_unit_bytes = 0;  // longer units are oversize unseen
  internal::CutPolicy cut_policy;
  mutable internal::ChunkerCounters counters;
};

}  // namespace penstock

#endif  // PENSTOCK_SRC_CHUNKER_REP_H_
