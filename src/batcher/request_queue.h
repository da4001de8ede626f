// SPDX-License-Identifier: Apache-2.0
//
// Who goes next. Requests wait in flows (one per tenant and priority, first come first served);
// flows of one priority form a band.
//
//   queue.Push(slot, "tenant", 0);
//   uint32_t next = queue.Pick();          // charges its tenant; queue.Unpick(next) undoes it
//   queue.Pick()                           // kNoSlot: empty
//
// Description: inside a band the flow with the smallest virtual counter is next (service received /
// weight; a flow that becomes active is lifted to the smallest active counter, or to that of the
// flow that left last). Between bands the request with the smallest key arrival - priority × ageing
// is next, which orders as linear ageing does, because all waiting requests age at the same rate.
// Push and Remove O(log flows of the band); Pick adds O(bands in use). Flows without requests are
// forgotten when their counter no longer matters, and at 4096 a band at the latest.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BATCHER_REQUEST_QUEUE_H_
#define PENSTOCK_SRC_BATCHER_REQUEST_QUEUE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "batcher/engine_slot.h"

namespace penstock::internal {

class RequestQueue {
 public:
  static constexpr int kMaxPriority = 100;

  // `ageing_ns` < 0: strict priority.
  RequestQueue(Slab* slots, int64_t ageing_ns, const std::map<std::string, double>& weights);
  ~RequestQueue();

  void Push(uint32_t slot, std::string_view tenant, int priority);
  void Remove(uint32_t slot);

  // Takes the next request out of the order. It keeps its flow, so that Unpick can put it back
  // where it was. REQUIRES of Unpick: requests are unpicked in reverse order of Pick, or were
  // dispatched meanwhile (put back).
  uint32_t Pick();
  void Unpick(uint32_t slot);
  // The picked request left for good.
  void Forget(uint32_t slot);

  void Charge(std::string_view tenant, int priority, int64_t tokens);

  size_t size() const { return size_; }
  int64_t tokens() const { return tokens_; }
  int64_t oldest() const;               // arrival of the oldest request; kNever when empty
  uint32_t Oldest(int priority) const;  // of the lowest priority in use, if not above `priority`
  uint32_t NewestBelow(int priority) const;  // of the lowest priority in use, if below `priority`

  // What a newcomer of this priority would wait for: requests and tokens ahead of it.
  struct Ahead {
    size_t requests;
    int64_t tokens;
  };
  Ahead CountAhead(std::string_view tenant, int priority) const;

  int priority(uint32_t slot) const;
  // Calls f(slot) for the oldest requests in band order until it returns false.
  template <class F>
  void ForEach(F f) const {
    for (const uint32_t b : active_) {
      for (uint32_t s = bands_[b]->head; s != kNoSlot; s = SlotAt(*slots_, s).band_next) {
        if (!f(s)) return;
      }
    }
  }
  size_t flows() const { return flow_count_; }
  absl::Status CheckInvariants() const;

 private:
  struct Flow {
    std::string tenant;
    uint64_t hash = 0;
    uint32_t band = 0;
    double counter = 0;
    double weight = 1;
    uint32_t head = kNoSlot, tail = kNoSlot;
    uint32_t count = 0;
    uint32_t picked = 0;               // picked or in flight: may come back
    uint32_t heap_position = kNoSlot;  // kNoSlot: nothing queued
    uint32_t idle_prev = kNoSlot, idle_next = kNoSlot;
    bool in_use = false;
    bool idle = false;
  };
  struct Band {
    int priority = 0;
    uint32_t head = kNoSlot, tail = kNoSlot;
    size_t count = 0;
    int64_t tokens = 0;
    double last_counter = 0;     // of the flow that left last
    double floor = 0;            // what a newcomer is lifted to; never falls
    std::vector<uint32_t> heap;  // flows with requests, smallest counter first
    std::unordered_multimap<uint64_t, uint32_t> by_hash;
    uint32_t idle_head = kNoSlot, idle_tail = kNoSlot;
    size_t idle_count = 0;
  };

  Band& BandOf(int priority);
  const Band* FindBand(int priority) const;
  uint32_t FindFlow(const Band& band, std::string_view tenant) const;
  uint32_t FlowFor(Band& band, uint32_t band_number, std::string_view tenant);
  void Activate(Band& band, uint32_t flow);
  void Deactivate(Band& band, uint32_t flow);
  void MaybeIdle(Band& band, uint32_t flow);
  void UnlinkIdle(Band& band, uint32_t flow);
  void EraseFlow(Band& band, uint32_t flow);
  void CollectIdle(Band& band);
  bool FlowLess(uint32_t a, uint32_t b) const;
  void HeapFix(Band& band, size_t at);
  void LinkArrival(Band& band, uint32_t slot);
  void UnlinkArrival(Band& band, uint32_t slot);
  void CountIn(Band& band, uint32_t band_number, const Slot& slot);
  void CountOut(Band& band, uint32_t band_number, const Slot& slot);
  double ChargeOf(const Flow& flow, int64_t tokens) const;
  int64_t KeyOf(const Band& band, const Slot& slot) const;

  Slab* const slots_;
  const int64_t ageing_ns_;
  std::map<std::string, double, std::less<>> weights_;
  std::array<std::unique_ptr<Band>, 2 * kMaxPriority + 1> bands_;
  std::vector<uint32_t> active_;  // numbers of bands with requests, highest priority first
  std::vector<Flow> flows_;
  std::vector<uint32_t> free_flows_;
  size_t flow_count_ = 0;
  size_t size_ = 0;
  int64_t tokens_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BATCHER_REQUEST_QUEUE_H_
