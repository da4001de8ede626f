// SPDX-License-Identifier: Apache-2.0
//
// One live request inside the engine. Times are nanoseconds of the engine's axis.
#ifndef PENSTOCK_SRC_BATCHER_ENGINE_SLOT_H_
#define PENSTOCK_SRC_BATCHER_ENGINE_SLOT_H_

#include <cstdint>
#include <limits>

#include "batcher/slab.h"

namespace penstock::internal {

inline constexpr uint32_t kNoSlot = UINT32_MAX;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kLongAgo = std::numeric_limits<int64_t>::min();

// Picked: out of the order while a batch forms. Chosen: picked, and will leave in it.
enum class SlotState : uint8_t { kFree, kQueued, kPicked, kChosen, kInFlight };

struct Slot {
  uint64_t serial;  // 0: free
  uint64_t tag;
  int64_t submitted;
  int64_t deadline;
  int64_t dispatched;
  int64_t tokens;
  uint32_t prev, next;            // its flow while queued; the engine's in-flight list after
  uint32_t band_prev, band_next;  // its band, in order of arrival
  uint32_t flow;
  uint32_t heap_position;  // in the heap of queued or of in-flight deadlines; kNoSlot: no timeout
  uint32_t batch;
  SlotState state;
};

inline Slot& SlotAt(const Slab& slab, uint32_t index) {
  return *static_cast<Slot*>(slab.At(index));
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_ENGINE_SLOT_H_
