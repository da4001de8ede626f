// SPDX-License-Identifier: Apache-2.0
//
// Any bytes, any small budget, any fake tokenizer: cores partition, ids are those of the extent,
// the budget holds, and a stream in odd fragments gives the same chunks.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "penstock/chunker.h"
#include "tests/chunker/fake_tokenizers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;  // NOLINT: a fuzz target is one function
  if (size < 3) return 0;
  const std::vector<FakeKind>& kinds = AllFakeKinds();
  const TokenizerPtr tokenizer = MakeFake(kinds[data[0] % kinds.size()]);
  ChunkerOptions options;
  options.max_tokens = 8 + data[1] % 64;
  options.headroom = 1.0;
  options.packing = static_cast<Packing>(data[2] % 4);
  options.overlap_tokens = data[2] % 16 < 8 ? 0 : options.max_tokens / 3;
  options.format = static_cast<TextFormat>(data[2] / 16 % 3);
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);

  const absl::StatusOr<Chunker> chunker = Chunker::Create(tokenizer, options);
  PENSTOCK_CHECK(chunker.ok());
  const std::vector<Chunk> chunks = chunker->Split(text);
  size_t end = 0;
  for (const Chunk& c : chunks) {
    PENSTOCK_CHECK(c.core.begin == end && c.core.end > end && c.core.end <= text.size());
    PENSTOCK_CHECK(c.extent.begin <= c.core.begin && c.extent.end == c.core.end);
    PENSTOCK_CHECK(c.ids == tokenizer->EncodeIds(c.extent.In(text)));
    PENSTOCK_CHECK(c.over_budget || c.ids.size() <= options.max_tokens);
    end = c.core.end;
  }
  PENSTOCK_CHECK(end == text.size());

  absl::StatusOr<ChunkStream> stream = chunker->NewStream();
  if (!stream.ok()) return 0;
  Chunk chunk;
  size_t k = 0;
  const auto drain = [&] {
    while (stream->Next(&chunk, nullptr)) {
      PENSTOCK_CHECK(k < chunks.size() && chunk.core == chunks[k].core);
      PENSTOCK_CHECK(chunk.extent == chunks[k].extent && chunk.ids == chunks[k].ids);
      ++k;
    }
  };
  for (size_t i = 0; i < text.size();) {
    const size_t step = 1 + data[1] * (i + 1) % 97;
    PENSTOCK_CHECK(stream->Append(text.substr(i, step)).ok());
    i += step;
    drain();
  }
  stream->Finish();
  drain();
  PENSTOCK_CHECK(k == chunks.size());
  return 0;
}
