// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "chunker/rep.h"
#include "chunker/stream_rep.h"
#include "penstock/chunker.h"

namespace penstock {

ChunkStream::ChunkStream(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ChunkStream::ChunkStream(ChunkStream&&) noexcept = default;
ChunkStream& ChunkStream::operator=(ChunkStream&&) noexcept = default;
ChunkStream::~ChunkStream() = default;

absl::Status ChunkStream::Append(std::string_view fragment) {
  if (rep_->finished) {
    return absl::FailedPreconditionError("Append after Finish; expected a new stream");
  }
  rep_->buffer.append(fragment.data(), fragment.size());
  return absl::OkStatus();
}

void ChunkStream::Finish() { rep_->finished = true; }

bool ChunkStream::Next(Chunk* chunk, std::string* extent) {
  Rep& rep = *rep_;
  if (!rep.finished && rep.buffer.size() < rep.wait_bytes) return false;
  rep.session.SetText(rep.buffer, rep.base, rep.finished);
  const bool found = rep.session.Next(chunk);
  const uint64_t encoded = rep.session.encoded_bytes();
  rep.chunker->counters.encoded_bytes.fetch_add(encoded - rep.encoded_bytes,
                                                std::memory_order_relaxed);
  rep.encoded_bytes = encoded;
  if (!found) {
    // Looking again costs in proportion to what is held: wait for a quarter more.
    rep.wait_bytes = rep.buffer.size() + std::max<size_t>(64, rep.buffer.size() / 4);
    if (rep.finished && !rep.counted) {
      rep.counted = true;
      rep.chunker->counters.texts.fetch_add(1, std::memory_order_relaxed);
    }
    return false;
  }
  if (extent != nullptr) {
    extent->assign(rep.buffer, chunk->extent.begin - rep.base, chunk->extent.size());
  }
  rep.wait_bytes = 0;
  const size_t needed = rep.session.needed_from();
  PENSTOCK_DCHECK(needed >= rep.base);
  // Moving the rest down costs its length: only when that is no more than what is dropped.
  if (needed - rep.base >= rep.buffer.size() / 2) {
    rep.buffer.erase(0, needed - rep.base);
    rep.base = needed;
  }
  return true;
}

size_t ChunkStream::held_bytes() const { return rep_->buffer.size(); }

}  // namespace penstock
