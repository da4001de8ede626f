// SPDX-License-Identifier: Apache-2.0
//
// The session policy. Reuse of K/V in chats is a follow-up some minutes after an answer: what tells
// blocks apart is how far their conversation has come (later turns are continued more often) and
// how long they have been idle, not how often they were used. So:
//
//   kinds      A request belongs to a kind: turn of its conversation × hinted probability × hinted
//       gap. The turn follows
//              from history: a request that continues the end of an earlier one is the next turn;
//                  one that leaves an
//              earlier path in its middle begins a new conversation and marks the block where it
//                  left as shared.
//   history    For each kind, how many requests there were and after which gap their continuation
//       came, evicted blocks
//              included (ghosts): fading counts in logarithmic bins.
//   index      A block of kind k that has been idle for a is worth max over H of P(reuse in (a,
//       a+H]) per expected second
//              of residence in (a, a+H]: the Gittins index of a job whose "completion" is a hit.
//                  The victim is the leaf
//              with the lowest index. The index of a kind may rise and then fall with the age, so
//                  both ends of
//              each kind's list are candidates.
//   guard      A sampled shadow of LRU (and of this policy) runs on the same requests; for as long
//       as the shadow LRU hits
//              more, victims are chosen by LRU.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kv_cache/ghost_table.h"
#include "kv_cache/handle_list.h"
#include "kv_cache/reuse_model.h"
#include "kv_cache/shadow_lru.h"
#include "penstock/kv_cache/eviction.h"

namespace penstock {
namespace {

using internal::GhostEntry;
using internal::GhostTable;
using internal::HandleLinks;
using internal::HandleList;
using internal::ReuseModel;
using internal::ShadowLru;

constexpr size_t kKinds = 192;
constexpr size_t kSharedKinds =
    3;  // the first kinds: blocks where conversations part, by how often

// A small cache would forget before the next turn comes; 64 Ki ghosts are 1.5 MB.
constexpr size_t kFewestGhosts = 65536;

uint64_t Cookie(const GhostEntry& e) {
  return static_cast<uint64_t>(e.kind) | static_cast<uint64_t>(e.turn) << 8 |
         static_cast<uint64_t>(e.length) << 16;
}

class SessionPolicy final : public EvictionPolicy {
 public:
  explicit SessionPolicy(const SessionPolicyOptions& options) : options_(options), kinds_(kKinds) {
    for (size_t i = 0; i < kSharedKinds; ++i) model_.AddKind(1, std::nullopt, std::nullopt);
    used_kinds_ = kSharedKinds;
  }

  uint64_t OnRequest(const PolicyRequest& request) override {
    const uint32_t now = Millis(request.now);
    if (options_.lru_guard) guard_.OnRequest(request.path, request.cached_blocks, count_);
    if (++requests_ % 128 == 0) model_.Refresh();

    GhostEntry* last = nullptr;
    size_t known = request.cached_blocks;
    if (request.deepest != kNoBlockHandle) last = &blocks_[request.deepest].entry;
    while (known < request.path.size()) {
      GhostEntry* ghost = ghosts_.Find(request.path[known]);
      if (ghost == nullptr) break;
      last = ghost;
      ++known;
    }
    GhostEntry mine;
    mine.length = static_cast<uint16_t>(std::min<size_t>(request.path.size(), 65535));
    if (last != nullptr) {
      const bool shared = last->kind < kSharedKinds;
      model_.AddReuse(KindModel(last->kind), now - last->last);
      if (!shared && known + 2 >= last->length) {
        mine.turn = static_cast<uint8_t>(std::min(last->turn + 1, 255));
      } else {
        MarkShared(last, request.deepest, now);
      }
    }
    mean_fresh_ += (static_cast<double>(request.path.size() - known) - mean_fresh_) / 256;
    mine.kind = KindOf(mine.turn, request.path.size() - known, request.hint);
    model_.AddStart(KindModel(mine.kind));
    return Cookie(mine);
  }

  void OnInsert(BlockHandle block, BlockHandle, uint64_t name, uint64_t cookie,
                MonoTime now) override {
    if (block >= blocks_.size()) blocks_.resize(block + 1);
    Block& b = blocks_[block];
    b.entry = FromCookie(cookie);
    b.entry.name = name;
    b.entry.last = Millis(now);
    ghosts_.Erase(name);
    Link(block, true);
    ++count_;
  }

  void OnTouch(BlockHandle block, uint64_t cookie, MonoTime now) override {
    Block& b = blocks_[block];
    Unlink(block);
    b.entry.last = Millis(now);
    const GhostEntry request = FromCookie(cookie);
    if (b.entry.kind >= kSharedKinds && cookie != 0 &&
        Worth(request.kind, 0) >= Worth(b.entry.kind, 0)) {
      const uint64_t name = b.entry.name;
      const uint32_t last = b.entry.last;
      b.entry = request;
      b.entry.name = name;
      b.entry.last = last;
    }
    Link(block, true);
  }

  void OnLeaf(BlockHandle block, BlockHandle child) override {
    Block& b = blocks_[block];
    const Block& c = blocks_[child];
    if (b.entry.kind <
        kSharedKinds) {  // worth what it was found to be worth, whatever hung below it
      if (!links_.linked(block)) LinkByAge(block);
      return;
    }
    if (b.entry.last > c.entry.last && links_.linked(block)) return;
    if (Worth(b.entry.kind, latest_ - b.entry.last) > Worth(c.entry.kind, latest_ - c.entry.last)) {
      if (!links_.linked(block))
        LinkByAge(block);  // the end of an earlier turn, from which it may go on elsewhere
      return;
    }
    Unlink(block);
    b.entry.kind = c.entry.kind;
    b.entry.turn = c.entry.turn;
    b.entry.length = c.entry.length;
    b.entry.last = std::max(b.entry.last, c.entry.last);
    if (b.entry.kind < kSharedKinds) b.entry.kind = kSharedKinds;
    Link(block, kinds_[c.entry.kind].list.hot == child && kinds_[c.entry.kind].list.cold != child);
  }

  BlockHandle PickVictim(const EvictionView& view, MonoTime time) override {
    const uint32_t now = Millis(time);
    const bool lru = options_.lru_guard && guard_.lru_is_better();
    BlockHandle best = kNoBlockHandle;
    double lowest = 0;
    for (size_t k = 0; k < used_kinds_; ++k) {
      HandleList& list = kinds_[k].list;
      for (const bool hot : {false, true}) {
        BlockHandle* end = hot ? &list.hot : &list.cold;
        while (*end != kNoBlockHandle && !view.evictable(*end)) links_.Remove(&list, *end);
        if (*end == kNoBlockHandle) break;
        const uint32_t age = now - blocks_[*end].entry.last;
        const double worth = lru ? -static_cast<double>(age) : Worth(k, age);
        if (best == kNoBlockHandle || worth < lowest) {
          best = *end;
          lowest = worth;
        }
        if (lru) break;
      }
    }
    return best;
  }

  void OnRemove(BlockHandle block, bool evicted) override {
    Unlink(block);
    --count_;
    if (evicted)
      ghosts_.Insert(blocks_[block].entry,
                     std::max(kFewestGhosts, options_.ghosts_per_block * (count_ + 1)));
  }

 private:
  struct Block {
    GhostEntry entry;
  };
  struct Kind {
    HandleList list;
    size_t model = 0;
    int priority = 0;
    uint32_t ttl_ms = UINT32_MAX;
    uint64_t key = 0;
  };

  static GhostEntry FromCookie(uint64_t cookie) {
    GhostEntry e;
    e.kind = static_cast<uint8_t>(cookie);
    e.turn = static_cast<uint8_t>(cookie >> 8);
    e.length = static_cast<uint16_t>(cookie >> 16);
    return e;
  }

  uint32_t Millis(MonoTime t) {
    if (!started_) {
      started_ = true;
      epoch_ = t.nanoseconds();
    }
    const int64_t ms = (t.nanoseconds() - epoch_) / 1000000;
    latest_ = std::max(latest_, static_cast<uint32_t>(std::clamp<int64_t>(ms, 0, UINT32_MAX)));
    return latest_;  // never backwards, whatever the clock does
  }

  size_t KindModel(uint8_t kind) const { return kind < kSharedKinds ? kind : kinds_[kind].model; }

  double Worth(size_t kind, uint32_t age) const {
    const Kind& k = kinds_[kind];
    if (age >= k.ttl_ms) return -1;
    const double worth = model_.Worth(kind < kSharedKinds ? kind : k.model, age);
    return k.priority == 0 ? worth : worth * std::exp2(k.priority / 8.0);
  }

  // The kind of a turn and its hints; kinds are made on demand, and the plain one serves when there
  // are too many.
  uint8_t KindOf(uint8_t turn, size_t fresh, const ReuseHint& hint) {
    // How much a request adds, against the running mean: a follow-up that adds little is chat, one
    // that adds a document is not. Relative, so that the size of a block does not matter.
    const double added = static_cast<double>(fresh) / mean_fresh_;
    const uint64_t size = added < 1.0 / 6 ? 0 : added < 2.0 / 3 ? 1 : added < 2 ? 2 : 3;
    uint64_t turns = std::min<uint64_t>(turn, 4) + 5 * size;
    if (options_.use_hints && hint.p_reuse.has_value()) turns = std::min<uint64_t>(turn, 2);
    uint64_t p = 0, gap = 0, ttl = 0;
    int priority = 0;
    if (options_.use_hints) {
      if (hint.p_reuse.has_value())
        p = 1 + static_cast<uint64_t>(std::clamp(*hint.p_reuse, 0.0, 1.0) * 5.999);
      if (hint.expected_gap.has_value())
        gap = 1 + Log2(absl::ToInt64Seconds(*hint.expected_gap)) / 2;
      if (hint.ttl.has_value()) ttl = 1 + Log2(absl::ToInt64Seconds(*hint.ttl));
      priority = std::clamp(hint.priority, -128, 127);
    }
    const uint64_t key = 1 | turns << 1 | p << 8 | gap << 12 | ttl << 18 |
                         static_cast<uint64_t>(priority + 128) << 26;
    for (size_t k = kSharedKinds; k < used_kinds_; ++k) {
      if (kinds_[k].key == key) return static_cast<uint8_t>(k);
    }
    if (used_kinds_ == kKinds) return kSharedKinds;
    Kind& kind = kinds_[used_kinds_];
    kind.key = key;
    kind.priority = priority;
    if (ttl != 0)
      kind.ttl_ms = static_cast<uint32_t>(
          std::min<int64_t>(absl::ToInt64Milliseconds(*hint.ttl), UINT32_MAX - 1));
    const uint64_t statistics =
        key & ((uint64_t{1} << 18) - 1);  // ttl and priority change the worth, not the odds
    for (size_t k = kSharedKinds; k < used_kinds_; ++k) {
      if ((kinds_[k].key & ((uint64_t{1} << 18) - 1)) == statistics) {
        kind.model = kinds_[k].model;
        return static_cast<uint8_t>(used_kinds_++);
      }
    }
    std::optional<double> gap_seconds;
    if (gap != 0) gap_seconds = std::max(0.001, absl::ToDoubleSeconds(*hint.expected_gap));
    // Later turns are continued more often: a first guess, soon outweighed.
    kind.model = model_.AddKind(0.8 + 0.25 * static_cast<double>(std::min<uint64_t>(turn, 4)),
                                p != 0 ? hint.p_reuse : std::nullopt, gap_seconds);
    return static_cast<uint8_t>(used_kinds_++);
  }

  static uint64_t Log2(int64_t seconds) {
    uint64_t log = 0;
    for (; seconds > 1 && log < 30; seconds >>= 1) ++log;
    return log;
  }

  // `at` is where conversations part: a system prompt, a template.
  void MarkShared(GhostEntry* at, BlockHandle handle, uint32_t now) {
    const bool cached = handle != kNoBlockHandle && at == &blocks_[handle].entry;
    if (cached) Unlink(handle);
    at->kind = static_cast<uint8_t>(
        at->kind < kSharedKinds ? std::min<size_t>(at->kind + 1u, kSharedKinds - 1) : 0);
    at->last = now;
    model_.AddStart(at->kind);
    if (cached) Link(handle, true);
  }

  void Link(BlockHandle block, bool hot) {
    HandleList* list = &kinds_[blocks_[block].entry.kind].list;
    hot ? links_.PushHot(list, block) : links_.PushCold(list, block);
  }
  void LinkByAge(BlockHandle block) {
    const HandleList& list = kinds_[blocks_[block].entry.kind].list;
    Link(block,
         list.hot != kNoBlockHandle && blocks_[list.hot].entry.last <= blocks_[block].entry.last);
  }
  void Unlink(BlockHandle block) {
    if (links_.linked(block)) links_.Remove(&kinds_[blocks_[block].entry.kind].list, block);
  }

  const SessionPolicyOptions options_;
  std::vector<Kind> kinds_;
  size_t used_kinds_ = 0;
  std::vector<Block> blocks_;
  HandleLinks links_;
  GhostTable ghosts_;
  ReuseModel model_;
  ShadowLru guard_;
  size_t count_ = 0;
  uint64_t requests_ = 0;
  double mean_fresh_ = 8;
  bool started_ = false;
  int64_t epoch_ = 0;
  uint32_t latest_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> NewSessionPolicy(const SessionPolicyOptions& options) {
  return std::make_unique<SessionPolicy>(options);
}

}  // namespace penstock
