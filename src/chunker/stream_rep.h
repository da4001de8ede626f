// SPDX-License-Identifier: Apache-2.0
//
// What a ChunkStream holds: the text that is still needed, and the session over it.
#ifndef PENSTOCK_SRC_CHUNKER_STREAM_REP_H_
#define PENSTOCK_SRC_CHUNKER_STREAM_REP_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "chunker/session.h"

namespace penstock {

struct ChunkStream::Rep {
  explicit Rep(std::shared_ptr<const Chunker::Rep> chunker_rep)
      : chunker(std::move(chunker_rep)), session(chunker.get()), wait_bytes(2 * chunker->budget) {}

  std::shared_ptr<const Chunker::Rep> chunker;
  internal::Session session;
  std::string buffer;  // from byte `base` of the stream on
  size_t base = 0;
  size_t wait_bytes;  // do not look again before the buffer is this long
  bool finished = false;
  bool counted = false;        // in ChunkerStats::texts
  uint64_t encoded_bytes = 0;  // already in ChunkerStats::encoded_bytes
};

}  // namespace penstock

#endif  // PENSTOCK_SRC_CHUNKER_STREAM_REP_H_
