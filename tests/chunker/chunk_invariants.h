// SPDX-License-Identifier: Apache-2.0
//
// What must hold of the chunks of any text, recomputed from nothing.
#ifndef PENSTOCK_TESTS_CHUNKER_CHUNK_INVARIANTS_H_
#define PENSTOCK_TESTS_CHUNKER_CHUNK_INVARIANTS_H_

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "chunker/subunits.h"
#include "gtest/gtest.h"
#include "penstock/chunker.h"

namespace penstock {

inline bool operator==(const Chunk& a, const Chunk& b) {
  return a.core == b.core && a.extent == b.extent && a.text == b.text && a.ids == b.ids &&
         a.tokens == b.tokens && a.cut == b.cut && a.score == b.score &&
         a.oversize_unit == b.oversize_unit && a.over_budget == b.over_budget &&
         a.headings == b.headings;
}

// I1, I2, I4, I6 and I8 of the chunker's README. False stops a caller that loops.
inline bool CheckChunks(std::string_view text, const Tokenizer& tokenizer, const Chunker& chunker,
                        const std::vector<Chunk>& chunks) {
  const ChunkerOptions& options = chunker.options();
  std::set<size_t> graphemes = {0};
  for (size_t i = 0; i < text.size();) graphemes.insert(i = internal::GraphemeEnd(text, i));
  size_t end = 0;
  for (const Chunk& c : chunks) {
    EXPECT_EQ(c.core.begin, end) << "a gap between cores";
    EXPECT_LT(c.core.begin, c.core.end) << "an empty core";
    EXPECT_LE(c.extent.begin, c.core.begin);
    EXPECT_EQ(c.extent.end, c.core.end);
    if (c.core.end > text.size() || c.core.begin >= c.core.end) return false;
    EXPECT_EQ(c.ids, tokenizer.EncodeIds(c.extent.In(text))) << "ids are not those of the extent";
    EXPECT_GE(c.tokens, c.ids.size() + options.reserved_tokens);
    if (!c.over_budget) {
      EXPECT_LE(c.tokens, options.UsableTokens() + options.reserved_tokens) << "over the budget";
    }
    EXPECT_TRUE(c.text.begin >= c.extent.begin && c.text.end <= c.extent.end);
    if (c.cut != Unit::kCodePoint) {
      EXPECT_EQ(graphemes.count(c.core.end), 1u) << "cut inside a grapheme at " << c.core.end;
    } else {
      const size_t cluster = *std::prev(graphemes.upper_bound(c.core.begin));
      const size_t cluster_end = *graphemes.upper_bound(c.core.begin);
      EXPECT_GT(tokenizer.Count(text.substr(cluster, cluster_end - cluster)),
                chunker.budget_tokens())
          << "a grapheme that fits was cut";
    }
    if (c.extent.begin < c.core.begin) {
      EXPECT_LE(tokenizer.Count(text.substr(c.extent.begin, c.core.begin - c.extent.begin)),
                options.overlap_tokens);
    }
    end = c.core.end;
  }
  EXPECT_EQ(end, text.size()) << "bytes after the last core";
  return !testing::Test::HasFailure();
}

// I3: no cut inside a unit whose own cost fits. Units as the finder sees them, without the white
// space that the cut may put on either side.
inline void CheckWholeUnits(std::string_view text, const Tokenizer& tokenizer,
                            const Chunker& chunker, const std::vector<Chunk>& chunks) {
  BoundaryOptions options;
  options.format = chunker.options().format;
  options.language = chunker.options().language;
  for (const ByteRange s : SplitSentences(text, options)) {
    for (const Chunk& c : chunks) {
      const bool inside = c.core.end > s.begin && c.core.end < s.end;
      if (!inside) continue;
      // With the white space around it the unit may be over the budget while its words are not.
      size_t begin = s.begin;
      while (begin > 0 && text[begin - 1] <= ' ') --begin;
      size_t end = s.end;
      while (end < text.size() && text[end] <= ' ') ++end;
      EXPECT_GT(tokenizer.Count(text.substr(begin, end - begin)), chunker.budget_tokens())
          << "cut at " << c.core.end << " inside \"" << s.In(text) << "\"";
    }
  }
}

inline std::vector<Chunk> Stream(const Chunker& chunker, std::string_view text,
                                 const std::vector<size_t>& fragment_ends) {
  absl::StatusOr<ChunkStream> stream = chunker.NewStream();
  EXPECT_TRUE(stream.ok());
  std::vector<Chunk> chunks;
  Chunk chunk;
  std::string extent;
  size_t begin = 0;
  const auto drain = [&] {
    while (stream->Next(&chunk, &extent)) {
      EXPECT_EQ(extent, chunk.extent.In(text));
      chunks.push_back(std::move(chunk));
    }
  };
  for (const size_t end : fragment_ends) {
    EXPECT_TRUE(stream->Append(text.substr(begin, end - begin)).ok());
    drain();
    begin = end;
  }
  EXPECT_TRUE(stream->Append(text.substr(begin)).ok());
  drain();
  stream->Finish();
  drain();
  return chunks;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_CHUNKER_CHUNK_INVARIANTS_H_
