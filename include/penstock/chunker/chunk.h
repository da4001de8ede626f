// SPDX-License-Identifier: Apache-2.0
//
// A chunk: ranges of the input, and the ids of its text.
//
//   document  "One. Two. Three. Four."              budget of two sentences, overlap of one
//   chunk 0    core [0,9)  "One. Two."   extent [0,9)
//   chunk 1    core [9,16) " Three."     extent [4,16) " Two. Three."    text "Two. Three."
//
//   chunk.core.In(document)                          // each byte of the input is in exactly one
//   core tokenizer->EncodeIds(chunk.extent.In(document)) == chunk.ids             // always
//   chunk.ids == the same slice of EncodeIds(document)                       // often, not
//   promised: ask chunk.ids
#ifndef PENSTOCK_CHUNKER_CHUNK_H_
#define PENSTOCK_CHUNKER_CHUNK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/token.h"
#include "penstock/chunker/boundary.h"

namespace penstock {

struct Chunk {
  // Bytes that are this chunk's alone. The cores of all chunks, in order, are the input: no gap, no
  // overlap, none empty.
  ByteRange core;

  // Core plus overlap on its left: what a model should read. extent.end == core.end.
  ByteRange extent;

  // Extent without white space at both ends, for display. May be empty (a chunk of white space
  // only).
  ByteRange text;

  // EncodeIds(extent), exactly; no special tokens.
  std::vector<TokenId> ids;

  // ids.size() plus what ChunkerOptions reserves per chunk (template, special tokens); at most the
  // budget.
  size_t tokens = 0;

  // The strongest unit that ends at core.end; kDocument for the last chunk.
  Unit cut = Unit::kDocument;

  // Score of that boundary, 1 … 255; see Boundary::score.
  uint8_t score = 0;

  // The chunk begins or ends inside a sentence (or line, row, …) that is larger than the budget by
  // itself.
  bool oversize_unit = false;

  // One code point alone costs more than the budget and nothing finer can be cut. Only possible
  // where a normalizer expands a rare code point that Create() did not probe; `tokens` then exceeds
  // the budget.
  bool over_budget = false;

  // Titles of the sections around core.begin, outermost first, without markup. Empty where there
  // are no headings. They are not part of `ids`: reserve tokens for them when a template repeats
  // them.
  std::vector<std::string> headings;
};

}  // namespace penstock

#endif  // PENSTOCK_CHUNKER_CHUNK_H_
