// SPDX-License-Identifier: Apache-2.0
#include "batcher/request_queue.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"

namespace penstock::internal {
namespace {

constexpr size_t kMaxIdleFlows = 4096;

uint32_t BandNumber(int priority) {
  return static_cast<uint32_t>(RequestQueue::kMaxPriority - priority);
}

}  // namespace

RequestQueue::RequestQueue(Slab* slots, int64_t ageing_ns,
                           const std::map<std::string, double>& weights)
    : slots_(slots), ageing_ns_(ageing_ns), weights_(weights.begin(), weights.end()) {}

RequestQueue::~RequestQueue() = default;

RequestQueue::Band& RequestQueue::BandOf(int priority) {
  std::unique_ptr<Band>& band = bands_[BandNumber(priority)];
  if (band == nullptr) {
    band = std::make_unique<Band>();
    band->priority = priority;
  }
  return *band;
}

const RequestQueue::Band* RequestQueue::FindBand(int priority) const {
  return bands_[BandNumber(priority)].get();
}

uint32_t RequestQueue::FindFlow(const Band& band, std::string_view tenant) const {
  const auto [begin, end] = band.by_hash.equal_range(std::hash<std::string_view>()(tenant));
  for (auto it = begin; it != end; ++it) {
    if (flows_[it->second].tenant == tenant) return it->second;
  }
  return kNoSlot;
}

uint32_t RequestQueue::FlowFor(Band& band, uint32_t band_number, std::string_view tenant) {
  if (const uint32_t found = FindFlow(band, tenant); found != kNoSlot) return found;
  uint32_t f;
  if (free_flows_.empty()) {
    f = static_cast<uint32_t>(flows_.size());
    flows_.emplace_back();
  } else {
    f = free_flows_.back();
    free_flows_.pop_back();
  }
  Flow& flow = flows_[f];
  flow = Flow();
  flow.tenant = std::string(tenant);
  flow.hash = std::hash<std::string_view>()(tenant);
  flow.band = band_number;
  flow.in_use = true;
  if (const auto it = weights_.find(tenant); it != weights_.end()) flow.weight = it->second;
  band.by_hash.emplace(flow.hash, f);
  ++flow_count_;
  return f;
}

double RequestQueue::ChargeOf(const Flow& flow, int64_t tokens) const {
  return static_cast<double>(std::max<int64_t>(tokens, 1)) / flow.weight;
}

int64_t RequestQueue::KeyOf(const Band& band, const Slot& slot) const {
  return slot.submitted - band.priority * ageing_ns_;
}

// Equal counters: the flow whose head came first.
bool RequestQueue::FlowLess(uint32_t a, uint32_t b) const {
  const Flow& x = flows_[a];
  const Flow& y = flows_[b];
  if (x.counter != y.counter) return x.counter < y.counter;
  return SlotAt(*slots_, x.head).serial < SlotAt(*slots_, y.head).serial;
}

void RequestQueue::HeapFix(Band& band, size_t at) {
  std::vector<uint32_t>& heap = band.heap;
  const uint32_t flow = heap[at];
  while (at > 0 && FlowLess(flow, heap[(at - 1) / 2])) {
    heap[at] = heap[(at - 1) / 2];
    flows_[heap[at]].heap_position = static_cast<uint32_t>(at);
    at = (at - 1) / 2;
  }
  while (true) {
    size_t child = 2 * at + 1;
    if (child >= heap.size()) break;
    if (child + 1 < heap.size() && FlowLess(heap[child + 1], heap[child])) ++child;
    if (!FlowLess(heap[child], flow)) break;
    heap[at] = heap[child];
    flows_[heap[at]].heap_position = static_cast<uint32_t>(at);
    at = child;
  }
  heap[at] = flow;
  flows_[flow].heap_position = static_cast<uint32_t>(at);
}

// REQUIRES: flow.head is set.
void RequestQueue::Activate(Band& band, uint32_t f) {
  if (flows_[f].idle) UnlinkIdle(band, f);
  band.heap.push_back(f);
  HeapFix(band, band.heap.size() - 1);
}

void RequestQueue::Deactivate(Band& band, uint32_t f) {
  Flow& flow = flows_[f];
  const size_t at = flow.heap_position;
  flow.heap_position = kNoSlot;
  const uint32_t last = band.heap.back();
  band.heap.pop_back();
  if (last != f) {
    band.heap[at] = last;
    HeapFix(band, at);
  }
  band.last_counter = flow.counter;
}

void RequestQueue::MaybeIdle(Band& band, uint32_t f) {
  Flow& flow = flows_[f];
  if (flow.count != 0 || flow.picked != 0 || flow.idle) return;
  flow.idle = true;
  flow.idle_prev = band.idle_tail;
  flow.idle_next = kNoSlot;
  (band.idle_tail != kNoSlot ? flows_[band.idle_tail].idle_next : band.idle_head) = f;
  band.idle_tail = f;
  ++band.idle_count;
  CollectIdle(band);
}

void RequestQueue::UnlinkIdle(Band& band, uint32_t f) {
  Flow& flow = flows_[f];
  (flow.idle_prev != kNoSlot ? flows_[flow.idle_prev].idle_next : band.idle_head) = flow.idle_next;
  (flow.idle_next != kNoSlot ? flows_[flow.idle_next].idle_prev : band.idle_tail) = flow.idle_prev;
  flow.idle = false;
  --band.idle_count;
}

// A flow's counter matters only while it is above what a newcomer would be lifted to. The flow that
// became idle last is kept: a lone tenant that comes and goes allocates nothing.
void RequestQueue::CollectIdle(Band& band) {
  for (int i = 0; i < 2 && band.idle_count > 1; ++i) {
    const uint32_t f = band.idle_head;
    if (flows_[f].counter > band.floor && band.idle_count <= kMaxIdleFlows) return;
    UnlinkIdle(band, f);
    EraseFlow(band, f);
  }
}

void RequestQueue::EraseFlow(Band& band, uint32_t f) {
  Flow& flow = flows_[f];
  const auto [begin, end] = band.by_hash.equal_range(flow.hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second == f) {
      band.by_hash.erase(it);
      break;
    }
  }
  flow = Flow();
  free_flows_.push_back(f);
  --flow_count_;
}

// In order of arrival. A request that comes back is near the front, or near the next of its flow:
// the place is looked for from both.
void RequestQueue::LinkArrival(Band& band, uint32_t s) {
  Slot& slot = SlotAt(*slots_, s);
  const auto serial = [this](uint32_t i) { return SlotAt(*slots_, i).serial; };
  uint32_t next = kNoSlot;
  if (band.tail != kNoSlot && serial(band.tail) > slot.serial) {
    next = slot.next != kNoSlot ? slot.next : band.tail;
    uint32_t front = band.head;
    while (true) {
      if (serial(front) > slot.serial) {
        next = front;
        break;
      }
      const uint32_t before = SlotAt(*slots_, next).band_prev;
      if (before == kNoSlot || serial(before) < slot.serial) break;
      next = before;
      front = SlotAt(*slots_, front).band_next;
    }
  }
  const uint32_t prev = next == kNoSlot ? band.tail : SlotAt(*slots_, next).band_prev;
  slot.band_prev = prev;
  slot.band_next = next;
  (prev != kNoSlot ? SlotAt(*slots_, prev).band_next : band.head) = s;
  (next != kNoSlot ? SlotAt(*slots_, next).band_prev : band.tail) = s;
}

void RequestQueue::UnlinkArrival(Band& band, uint32_t s) {
  const Slot& slot = SlotAt(*slots_, s);
  (slot.band_prev != kNoSlot ? SlotAt(*slots_, slot.band_prev).band_next : band.head) =
      slot.band_next;
  (slot.band_next != kNoSlot ? SlotAt(*slots_, slot.band_next).band_prev : band.tail) =
      slot.band_prev;
}

void RequestQueue::CountIn(Band& band, uint32_t number, const Slot& slot) {
  if (band.count++ == 0) {
    active_.insert(std::lower_bound(active_.begin(), active_.end(), number), number);
  }
  band.tokens += slot.tokens;
  ++size_;
  tokens_ += slot.tokens;
}

void RequestQueue::CountOut(Band& band, uint32_t number, const Slot& slot) {
  if (--band.count == 0) {
    active_.erase(std::lower_bound(active_.begin(), active_.end(), number));
  }
  band.tokens -= slot.tokens;
  --size_;
  tokens_ -= slot.tokens;
}

void RequestQueue::Push(uint32_t s, std::string_view tenant, int priority) {
  Band& band = BandOf(priority);
  const uint32_t number = BandNumber(priority);
  const uint32_t f = FlowFor(band, number, tenant);
  Flow& flow = flows_[f];
  Slot& slot = SlotAt(*slots_, s);
  slot.flow = f;
  slot.state = SlotState::kQueued;
  slot.prev = flow.tail;
  slot.next = kNoSlot;
  (flow.tail != kNoSlot ? SlotAt(*slots_, flow.tail).next : flow.head) = s;
  flow.tail = s;
  ++flow.count;
  LinkArrival(band, s);
  CountIn(band, number, slot);
  if (flow.heap_position == kNoSlot) {
    band.floor = std::max(
        band.floor, band.heap.empty() ? band.last_counter : flows_[band.heap.front()].counter);
    flow.counter = std::max(flow.counter, band.floor);
    Activate(band, f);
  }
}

void RequestQueue::Remove(uint32_t s) {
  Slot& slot = SlotAt(*slots_, s);
  const uint32_t f = slot.flow;
  Flow& flow = flows_[f];
  Band& band = *bands_[flow.band];
  const bool was_head = flow.head == s;
  (slot.prev != kNoSlot ? SlotAt(*slots_, slot.prev).next : flow.head) = slot.next;
  (slot.next != kNoSlot ? SlotAt(*slots_, slot.next).prev : flow.tail) = slot.prev;
  --flow.count;
  UnlinkArrival(band, s);
  CountOut(band, flow.band, slot);
  if (flow.count == 0) {
    Deactivate(band, f);
    MaybeIdle(band, f);
  } else if (was_head) {
    HeapFix(band, flow.heap_position);
  }
}

uint32_t RequestQueue::Pick() {
  if (active_.empty()) return kNoSlot;
  Band* band = bands_[active_[0]].get();
  if (ageing_ns_ >= 0 && active_.size() > 1) {
    int64_t best = kNever;
    for (const uint32_t number : active_) {
      Band& other = *bands_[number];
      const int64_t key = KeyOf(other, SlotAt(*slots_, flows_[other.heap.front()].head));
      if (key < best) {
        best = key;
        band = &other;
      }
    }
  }
  const uint32_t f = band->heap.front();
  Flow& flow = flows_[f];
  const uint32_t s = flow.head;
  Slot& slot = SlotAt(*slots_, s);
  ++flow.picked;
  flow.counter += ChargeOf(flow, slot.tokens);
  flow.head = slot.next;
  (slot.next != kNoSlot ? SlotAt(*slots_, slot.next).prev : flow.tail) = kNoSlot;
  --flow.count;
  UnlinkArrival(*band, s);
  CountOut(*band, flow.band, slot);
  if (flow.count == 0) {
    Deactivate(*band, f);
  } else {
    HeapFix(*band, 0);
  }
  slot.state = SlotState::kPicked;
  return s;
}

void RequestQueue::Unpick(uint32_t s) {
  Slot& slot = SlotAt(*slots_, s);
  const uint32_t f = slot.flow;
  Flow& flow = flows_[f];
  Band& band = *bands_[flow.band];
  --flow.picked;
  flow.counter -= ChargeOf(flow, slot.tokens);
  // Requests put back out of order find their place by arrival.
  uint32_t next = flow.head;
  while (next != kNoSlot && SlotAt(*slots_, next).serial < slot.serial) {
    next = SlotAt(*slots_, next).next;
  }
  slot.next = next;
  slot.prev = next != kNoSlot ? SlotAt(*slots_, next).prev : flow.tail;
  (slot.prev != kNoSlot ? SlotAt(*slots_, slot.prev).next : flow.head) = s;
  (next != kNoSlot ? SlotAt(*slots_, next).prev : flow.tail) = s;
  ++flow.count;
  slot.state = SlotState::kQueued;
  LinkArrival(band, s);
  CountIn(band, flow.band, slot);
  if (flow.heap_position == kNoSlot) {
    Activate(band, f);
  } else {
    HeapFix(band, flow.heap_position);
  }
}

void RequestQueue::Forget(uint32_t s) {
  const uint32_t f = SlotAt(*slots_, s).flow;
  --flows_[f].picked;
  MaybeIdle(*bands_[flows_[f].band], f);
}

void RequestQueue::Charge(std::string_view tenant, int priority, int64_t tokens) {
  if (FindBand(priority) == nullptr) return;
  Band& band = BandOf(priority);
  const uint32_t f = FindFlow(band, tenant);
  if (f == kNoSlot) return;
  Flow& flow = flows_[f];
  flow.counter += static_cast<double>(tokens) / flow.weight;
  if (flow.heap_position != kNoSlot) HeapFix(band, flow.heap_position);
}

int64_t RequestQueue::oldest() const {
  int64_t oldest = kNever;
  for (const uint32_t number : active_) {
    oldest = std::min(oldest, SlotAt(*slots_, bands_[number]->head).submitted);
  }
  return oldest;
}

uint32_t RequestQueue::Oldest(int priority) const {
  if (active_.empty() || bands_[active_.back()]->priority > priority) return kNoSlot;
  return bands_[active_.back()]->head;
}

uint32_t RequestQueue::NewestBelow(int priority) const {
  if (active_.empty() || bands_[active_.back()]->priority >= priority) return kNoSlot;
  return bands_[active_.back()]->tail;
}

RequestQueue::Ahead RequestQueue::CountAhead(std::string_view tenant, int priority) const {
  Ahead ahead{0, 0};
  for (const uint32_t number : active_) {
    const Band& band = *bands_[number];
    if (band.priority < priority) break;
    size_t count = band.count;
    if (band.priority == priority && band.heap.size() > 1) {
      // Fair shares: each other tenant is served about once per request of this one.
      const uint32_t f = FindFlow(band, tenant);
      const size_t own = f == kNoSlot ? 0 : flows_[f].count;
      const size_t others = band.heap.size() - (own == 0 ? 0 : 1);
      count = std::min(count, own + (own + 1) * others);
    }
    ahead.requests += count;
    ahead.tokens +=
        static_cast<int64_t>(static_cast<double>(band.tokens) *
                             (static_cast<double>(count) / static_cast<double>(band.count)));
  }
  return ahead;
}

int RequestQueue::priority(uint32_t s) const {
  return bands_[flows_[SlotAt(*slots_, s).flow].band]->priority;
}

absl::Status RequestQueue::CheckInvariants() const {
  const auto fail = [](const char* what) { return absl::InternalError(what); };
  size_t size = 0;
  int64_t tokens = 0;
  std::vector<size_t> per_flow(flows_.size());
  for (const auto& band : bands_) {
    if (band == nullptr) continue;
    size_t count = 0;
    uint64_t last = 0;
    for (uint32_t s = band->head; s != kNoSlot; s = SlotAt(*slots_, s).band_next) {
      const Slot& slot = SlotAt(*slots_, s);
      if (slot.serial <= last) return fail("band: not in order of arrival");
      last = slot.serial;
      if (slot.state != SlotState::kQueued) return fail("band: holds a request not queued");
      ++count;
      ++per_flow[slot.flow];
      tokens += slot.tokens;
    }
    if (count != band->count) return fail("band: wrong count");
    size += count;
    for (size_t i = 0; i < band->heap.size(); ++i) {
      if (flows_[band->heap[i]].heap_position != i) return fail("flow: wrong heap position");
      if (i > 0 && FlowLess(band->heap[i], band->heap[(i - 1) / 2])) return fail("flows: no heap");
    }
  }
  for (size_t f = 0; f < flows_.size(); ++f) {
    const Flow& flow = flows_[f];
    if (!flow.in_use) continue;
    size_t count = 0;
    for (uint32_t s = flow.head; s != kNoSlot; s = SlotAt(*slots_, s).next) {
      if (SlotAt(*slots_, s).flow != f) return fail("flow: holds a request of another");
      ++count;
    }
    if (count != flow.count || count != per_flow[f]) return fail("flow: wrong count");
    if ((count != 0) != (flow.heap_position != kNoSlot))
      return fail("flow: active without requests");
    if (flow.idle != (count == 0 && flow.picked == 0)) return fail("flow: idle mark wrong");
  }
  if (size != size_ || tokens != tokens_) return fail("queue: wrong sums");
  return absl::OkStatus();
}

}  // namespace penstock::internal
