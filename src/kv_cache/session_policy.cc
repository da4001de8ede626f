// SPDX-License-Identifier: Apache-2.0
//
// The session policy. Reuse of K/V in chats is a follow-up some minutes after an answer: what tells
// blocks apart is how far their conversation has come, which part of the prompt they are, and how
// long they have been idle; not how often they were used. So:
//
//   class      Of a request: turn of its conversation x hinted probability x hinted gap. The turn
//              follows from history: a request that continues the end of an earlier one is the next
//              turn; one that leaves an earlier path in its middle begins a new conversation and
//              marks the block where it left as shared.
//   part       Of a prompt: what had been seen before, what is new, and its last block. A prefix
//              that came back once comes back again more often than new text does.
//   history    For each class and part, how many blocks there were and after which gap they were
//              used again, evicted ones included (ghosts): fading counts in logarithmic bins.
//   index      A block that has been idle for a is worth max over H of P(reuse in (a, a+H]) per
//              expected second of residence in (a, a+H]: the Gittins index of a job whose
//              "completion" is a hit. The victim is the leaf with the lowest index. The index may
//              rise and then fall with the age, so both ends of each list are candidates.
//   guard      A shadow of LRU gets the same requests. Blocks that it would still hold go early
//              only while what that may cost is covered by what it gained, and a small allowance.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kv_cache/ghost_table.h"
#include "kv_cache/request_classes.h"
#include "kv_cache/session_runs.h"
#include "kv_cache/shadow_lru.h"
#include "penstock/kv_cache/eviction.h"

namespace penstock {
namespace {

using internal::GhostEntry;
using internal::GhostTable;
using internal::RequestClasses;
using internal::SessionRuns;
using internal::ShadowLru;

// A small cache would forget before the next turn comes; 64 Ki ghosts are 0.8 MB.
constexpr size_t kFewestGhosts = 65536;

// A request as the cache hands it back with its blocks.
uint64_t Cookie(const GhostEntry& e) {
  return e.kind | uint64_t{1} << 8 | static_cast<uint64_t>(e.known) << 16 |
         static_cast<uint64_t>(e.length) << 32;
}
GhostEntry FromCookie(uint64_t cookie, uint32_t last) {
  GhostEntry e;
  e.kind = static_cast<uint8_t>(cookie);
  e.known = static_cast<uint16_t>(cookie >> 16);
  e.length = static_cast<uint16_t>(cookie >> 32);
  e.last = last;
  return e;
}

class SessionPolicy final : public EvictionPolicy {
 public:
  explicit SessionPolicy(const SessionPolicyOptions& options) : options_(options) {}

  uint64_t OnRequest(const PolicyRequest& request) override {
    const uint32_t now = Millis(request.now);
    if (options_.lru_guard) guard_.OnRequest(request.path, request.cached_blocks, count_);
    if (++requests_ % 128 == 0) classes_.Refresh();

    size_t known = request.cached_blocks;
    GhostEntry* ghost = nullptr;
    for (; known < request.path.size(); ++known) {
      GhostEntry* const next = ghosts_.Find(request.path[known]);
      if (next == nullptr) break;
      ghost = next;
    }
    const bool cached = ghost == nullptr && request.deepest != kNoBlockHandle;
    GhostEntry last;
    if (ghost != nullptr) last = *ghost;
    if (cached) last = runs_.EntryOf(runs_.of(request.deepest));
    const bool any = ghost != nullptr || cached;
    size_t turn = 0;
    const bool continues =
        any && last.kind >= SessionRuns::kSharedKinds && known + 2 >= last.length;
    if (continues) {
      turn = classes_.turn(last.kind) + 1;
      classes_.CountReuse(last, known, now - last.last);
    } else if (any) {
      last.kind = classes_.CountShared(last, now);
      last.last = now;
      if (ghost != nullptr) {
        *ghost = last;
      } else {
        runs_.Relink(runs_.Alone(request.deepest), last);
      }
    }
    GhostEntry mine;
    mine.last = now;
    mine.known = SessionRuns::Clamp16(known);
    mine.length = SessionRuns::Clamp16(request.path.size());
    mine.kind = ClassOf(turn, request.hint);
    classes_.CountStart(mine);
    // The path may go on from here again, whatever it ends in.
    if (continues && cached) runs_.Become(runs_.EndingIn(request.deepest), mine);
    return Cookie(mine);
  }

  void OnInsert(BlockHandle block, BlockHandle parent, uint64_t name, uint64_t cookie,
                MonoTime now) override {
    ghosts_.Erase(name);
    runs_.Add(block, parent, FromCookie(cookie, Millis(now)));
    ++count_;
  }

  void OnTouch(BlockHandle block, uint64_t cookie, MonoTime now) override {
    const GhostEntry request = FromCookie(cookie, Millis(now));
    const uint32_t among = runs_.of(block);
    if (runs_[among].end != block && runs_.SameRequest(among, request)) return;  // goes on already
    const uint32_t id = runs_.EndingIn(block);
    if (runs_[id].kind >= SessionRuns::kSharedKinds && cookie != 0) {
      runs_.Relink(id, request);
    } else {
      runs_.Touch(id, request.last);
    }
  }

  void OnLeaf(BlockHandle block, BlockHandle child) override { runs_.OnLeaf(block, child); }

  BlockHandle PickVictim(const EvictionView& view, MonoTime time) override {
    const Choice choice = Choose(view, Millis(time));
    uint32_t victim = choice.least;
    if (victim == SessionRuns::kNoRun) return kNoBlockHandle;
    victim_name_ = view.name(runs_[victim].end);
    if (options_.lru_guard) {
      guard_.OnFull(count_);
      // What the host says is over is nobody's loss.
      bool stray = victim != choice.oldest && choice.worth >= 0;
      if (stray && !guard_.MayStray(victim_name_)) {
        stray = false;
        victim = choice.oldest;
        victim_name_ = view.name(runs_[victim].end);
      }
      guard_.OnEviction(victim_name_, stray);
    }
    return runs_[victim].end;
  }

  void OnRemove(BlockHandle block, bool evicted) override {
    --count_;
    if (evicted) {
      ghosts_.Insert(victim_name_, runs_.EntryOf(runs_.of(block)),
                     std::max(kFewestGhosts, options_.ghosts_per_block * (count_ + 1)));
    }
    runs_.Remove(block);
  }

 private:
  struct Choice {
    uint32_t least = SessionRuns::kNoRun;  // by worth
    double worth = 0;
    uint32_t oldest = SessionRuns::kNoRun;
  };

  Choice Choose(const EvictionView& view, uint32_t now) {
    Choice choice;
    const auto drop = [&](uint32_t id) {
      const bool gone = id != SessionRuns::kNoRun && !view.evictable(runs_[id].end);
      if (gone) runs_.Unlink(id);
      return gone;
    };
    const auto consider = [&](size_t kind, size_t part, uint32_t id) {
      const double worth = classes_.Worth(kind, part, now - runs_[id].last);
      if (choice.least != SessionRuns::kNoRun && worth >= choice.worth) return;
      choice.least = id;
      choice.worth = worth;
    };
    for (size_t kind = 0; kind < classes_.size(); ++kind) {
      const size_t parts = kind < SessionRuns::kSharedKinds ? 1 : size_t{SessionRuns::kParts};
      for (size_t part = 0; part < parts; ++part) {
        while (drop(runs_.coldest(kind, part))) {
        }
        const uint32_t cold = runs_.coldest(kind, part);
        if (cold == SessionRuns::kNoRun) continue;
        while (drop(runs_.hottest(kind, part))) {
        }
        consider(kind, part, cold);
        consider(kind, part, runs_.hottest(kind, part));
        if (choice.oldest == SessionRuns::kNoRun || runs_[cold].last < runs_[choice.oldest].last) {
          choice.oldest = cold;
        }
      }
    }
    return choice;
  }

  uint8_t ClassOf(size_t turn, const ReuseHint& hint) {
    if (!options_.use_hints) return classes_.Of(turn, ReuseHint());
    if (hint.p_reuse.has_value() || hint.expected_gap.has_value() || hint.ttl.has_value() ||
        hint.priority != 0) {
      guard_.OnHint();
    }
    return classes_.Of(turn, hint);
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

  const SessionPolicyOptions options_;
  RequestClasses classes_;
  SessionRuns runs_;
  GhostTable ghosts_;
  ShadowLru guard_;
  uint64_t victim_name_ = 0;
  size_t count_ = 0;
  uint64_t requests_ = 0;
  bool started_ = false;
  int64_t epoch_ = 0;
  uint32_t latest_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> NewSessionPolicy(const SessionPolicyOptions& options) {
  return std::make_unique<SessionPolicy>(options);
}

}  // namespace penstock
