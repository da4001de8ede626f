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
//   guard      A shadow of LRU, sampled where the cache is large, gets the same requests; while it
//              hits more than the real cache, victims are chosen by LRU.
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

constexpr size_t kMaxClasses = 64;  // turn x hints
constexpr size_t kTurns = 5;
constexpr size_t kSharedClasses = 3;  // the first: blocks where conversations part, by how often
enum Part : size_t {
  kPrefix,
  kNew,
  kEnd,
  kParts
};  // of a prompt: seen before, new, its last block
constexpr double kEndOdds = 0.3;
constexpr size_t kSortSteps = 32;

// A small cache would forget before the next turn comes; 64 Ki ghosts are 1.5 MB.
constexpr size_t kFewestGhosts = 65536;

uint64_t Cookie(const GhostEntry& e) {
  return e.kind | uint64_t{1} << 8 | static_cast<uint64_t>(e.known) << 16 |
         static_cast<uint64_t>(e.length) << 32;
}

class SessionPolicy final : public EvictionPolicy {
 public:
  explicit SessionPolicy(const SessionPolicyOptions& options)
      : options_(options), classes_(kMaxClasses) {
    for (size_t i = 0; i < kSharedClasses; ++i) {
      classes_[i].model[0] = model_.AddKind(1, std::nullopt, std::nullopt);
    }
    used_classes_ = kSharedClasses;
  }

  uint64_t OnRequest(const PolicyRequest& request) override {
    const uint32_t now = Millis(request.now);
    if (options_.lru_guard) guard_.OnRequest(request.path, request.cached_blocks, count_);
    if (++requests_ % 128 == 0) model_.Refresh();

    size_t known = request.cached_blocks;
    GhostEntry* ghost = nullptr;
    while (known < request.path.size()) {
      GhostEntry* next = ghosts_.Find(request.path[known]);
      if (next == nullptr) break;
      ghost = next;
      ++known;
    }
    const bool cached = ghost == nullptr && request.deepest != kNoBlockHandle;
    GhostEntry last;
    if (ghost != nullptr) last = *ghost;
    if (cached) last = EntryOf(blocks_.run(request.deepest));
    const bool any = ghost != nullptr || cached;
    GhostEntry mine;
    mine.last = now;
    mine.known = Clamp16(known);
    mine.length = Clamp16(request.path.size());
    size_t turn = 0;
    const bool continues = any && last.kind >= kSharedClasses && known + 2 >= last.length;
    if (continues) {
      turn = classes_[last.kind].turn + 1;
      CountReuse(last, known, now - last.last);
    } else if (any) {
      const uint8_t kind = CountShared(last, now);
      if (ghost != nullptr) {
        ghost->kind = kind;
        ghost->last = now;
      } else {
        const uint32_t run = Alone(request.deepest);
        Unlink(run);
        runs_[run].kind = kind;
        runs_[run].last = now;
        LinkHot(run);
      }
    }
    mine.kind = ClassOf(turn, request.hint);
    CountStart(mine);
    if (continues && cached) {  // the path may go on from here again, whatever it ends in
      const uint32_t run = EndingIn(request.deepest);
      Unlink(run);
      Become(&runs_[run], mine);
    }
    return Cookie(mine);
  }

  void OnInsert(BlockHandle block, BlockHandle parent, uint64_t name, uint64_t cookie,
                MonoTime now) override {
    ghosts_.Erase(name);
    GhostEntry request = FromCookie(cookie);
    request.last = Millis(now);
    const uint32_t above = parent == kNoBlockHandle ? kNoRun : blocks_.run(parent);
    blocks_.Add(block, parent == kNoBlockHandle ? 0 : Clamp16(blocks_.depth(parent) + size_t{1}));
    if (above != kNoRun && runs_[above].end == parent && SameRequest(runs_[above], request)) {
      blocks_.run(block) = above;
      Run& run = runs_[above];
      run.end = block;
      run.last = request.last;
      ++run.blocks;
      if (classes_[run.kind].list[run.part].hot != above || run.part != PartOf(run)) {
        Unlink(above);
        LinkHot(above);
      }
    } else {
      LinkHot(NewRun(block, request));
    }
    ++count_;
  }

  void OnTouch(BlockHandle block, uint64_t cookie, MonoTime now) override {
    GhostEntry request = FromCookie(cookie);
    request.last = Millis(now);
    const uint32_t among = blocks_.run(block);
    if (runs_[among].end != block && SameRequest(runs_[among], request)) return;  // goes on already
    const uint32_t id = EndingIn(block);
    Run& run = runs_[id];
    Unlink(id);
    if (run.kind >= kSharedClasses && cookie != 0) Become(&run, request);
    run.last = request.last;
    LinkHot(id);
  }

  void OnLeaf(BlockHandle block, BlockHandle child) override {
    const uint32_t from = blocks_.run(child);
    if (const uint32_t id = blocks_.run(block); id == from || runs_[id].end == kNoBlockHandle) {
      runs_[id].end = block;
    }
    const uint32_t to = EndingIn(block);
    if (from == to) {
      if (links_.linked(to) && runs_[to].part == PartOf(runs_[to])) return;
      Unlink(to);
    } else {
      const Run& c = runs_[from];
      if (runs_[to].kind >= kSharedClasses && c.last >= runs_[to].last) {
        Unlink(to);
        Become(&runs_[to], EntryOf(from));
      }
    }
    if (!links_.linked(to)) LinkByAge(to);
  }

  BlockHandle PickVictim(const EvictionView& view, MonoTime time) override {
    const uint32_t now = Millis(time);
    uint32_t best = kNoRun, oldest = kNoRun;
    double lowest = 0;
    for (size_t k = 0; k < used_classes_; ++k) {
      const size_t parts = k < kSharedClasses ? 1 : static_cast<size_t>(kParts);
      for (size_t part = 0; part < parts; ++part) {
        HandleList& list = classes_[k].list[part];
        for (const bool hot : {false, true}) {
          uint32_t* end = hot ? &list.hot : &list.cold;
          while (*end != kNoRun && !view.evictable(runs_[*end].end)) links_.Remove(&list, *end);
          if (*end == kNoRun) break;
          const double worth = Worth(k, part, now - runs_[*end].last);
          if (best == kNoRun || worth < lowest) {
            best = *end;
            lowest = worth;
          }
          if (!hot && (oldest == kNoRun || runs_[*end].last < runs_[oldest].last)) oldest = *end;
        }
      }
    }
    if (best == kNoRun) return kNoBlockHandle;
    victim_name_ = view.name(runs_[best].end);
    if (options_.lru_guard) {
      const bool expired = lowest < 0;
      guard_.OnFull(count_);
      if (best != oldest && !expired && !guard_.MayStray(victim_name_)) {
        best = oldest;
        victim_name_ = view.name(runs_[best].end);
      }
      guard_.OnEviction(victim_name_, best != oldest && !expired);
    }
    return runs_[best].end;
  }

  void OnRemove(BlockHandle block, bool evicted) override {
    const uint32_t id = blocks_.run(block);
    Run& run = runs_[id];
    --count_;
    if (evicted) {
      GhostEntry ghost = EntryOf(id);
      ghost.name = victim_name_ & GhostEntry::kNameMask;
      ghosts_.Insert(ghost, std::max(kFewestGhosts, options_.ghosts_per_block * (count_ + 1)));
    }
    if (run.end == block) Lose(id);
    Leave(block, id);
  }

 private:
  // Of a class of requests: turn and hints.
  struct Class {
    HandleList list[kParts];
    size_t model[kParts] = {};
    size_t turn = 0;
    int priority = 0;
    uint32_t ttl_ms = UINT32_MAX;
    uint64_t key = 0;
  };

  static uint16_t Clamp16(size_t n) { return static_cast<uint16_t>(std::min<size_t>(n, 65534)); }

  static GhostEntry FromCookie(uint64_t cookie) {
    GhostEntry e;
    e.kind = static_cast<uint8_t>(cookie);
    e.known = static_cast<uint16_t>(cookie >> 16);
    e.length = static_cast<uint16_t>(cookie >> 32);
    return e;
  }

  // What neighbours on a path that came with one request have in common. Ordered by their ends:
  // only the end of a run can be a leaf. A run is a chain, so an end that goes leaves the block
  // before it as the end, unless that has other continuations: then the end is unknown until it has
  // none.
  struct Run {
    BlockHandle end = kNoBlockHandle;
    uint32_t last = 0;  // milliseconds
    uint32_t blocks = 0;
    uint16_t known = 0;  // of the request: as GhostEntry
    uint16_t length = 0;
    uint8_t kind = 0;
    uint8_t part = 0;  // of the list it stands in, if it is linked
  };
  static constexpr uint32_t kNoRun = kNoBlockHandle;

  // Run and depth by block, in pieces: growing copies nothing and reserves little.
  class Blocks {
   public:
    void Add(BlockHandle block, uint16_t depth) {
      while (block / kPiece >= pieces_.size()) pieces_.push_back(std::make_unique<Piece>());
      pieces_[block / kPiece]->depth[block % kPiece] = depth;
    }
    uint32_t& run(BlockHandle block) { return pieces_[block / kPiece]->run[block % kPiece]; }
    uint16_t depth(BlockHandle block) const {
      return pieces_[block / kPiece]->depth[block % kPiece];
    }

   private:
    static constexpr size_t kPiece = 4096;
    struct Piece {
      uint32_t run[kPiece];
      uint16_t depth[kPiece];
    };
    std::vector<std::unique_ptr<Piece>> pieces_;
  };

  static void Become(Run* run, const GhostEntry& request) {
    run->kind = request.kind;
    run->known = request.known;
    run->length = request.length;
    run->last = request.last;
  }
  static bool SameRequest(const Run& run, const GhostEntry& request) {
    return run.kind == request.kind && run.known == request.known && run.length == request.length;
  }
  GhostEntry EntryOf(uint32_t id) const {
    GhostEntry e;
    e.kind = runs_[id].kind;
    e.known = runs_[id].known;
    e.length = runs_[id].length;
    e.last = runs_[id].last;
    return e;
  }

  uint32_t NewRun(BlockHandle block, const GhostEntry& request) {
    uint32_t id = static_cast<uint32_t>(runs_.size());
    if (free_runs_.empty()) {
      runs_.emplace_back();
    } else {
      id = free_runs_.back();
      free_runs_.pop_back();
    }
    runs_[id] = Run();
    Become(&runs_[id], request);
    runs_[id].end = block;
    runs_[id].blocks = 1;
    blocks_.run(block) = id;
    return id;
  }
  // `block` is not of the run any more.
  void Leave(BlockHandle block, uint32_t id) {
    blocks_.run(block) = kNoRun;
    if (--runs_[id].blocks == 0) {
      Unlink(id);
      free_runs_.push_back(id);
    }
  }
  void Lose(uint32_t id) {
    Unlink(id);
    runs_[id].end = kNoBlockHandle;
  }
  // The run of `block` alone, like the one it was in.
  uint32_t Alone(BlockHandle block) {
    const uint32_t id = blocks_.run(block);
    if (runs_[id].blocks == 1) {
      runs_[id].end = block;
      return id;
    }
    if (runs_[id].end == block) Lose(id);
    const GhostEntry entry = EntryOf(id);
    Leave(block, id);
    return NewRun(block, entry);
  }
  // A run whose end `block` is.
  uint32_t EndingIn(BlockHandle block) {
    const uint32_t id = blocks_.run(block);
    return runs_[id].end == block ? id : Alone(block);
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

  uint8_t PartOf(const Run& run) const {
    if (run.kind < kSharedClasses || run.end == kNoBlockHandle) return 0;
    const size_t depth = blocks_.depth(run.end);
    if (depth < run.known) return kPrefix;
    return depth + 1u >= run.length ? kEnd : kNew;
  }

  double Worth(size_t c, size_t part, uint32_t age) const {
    const Class& k = classes_[c];
    if (age >= k.ttl_ms) return -1;
    const double worth = model_.Worth(k.model[part], age);
    return k.priority == 0 ? worth : worth * std::exp2(k.priority / 8.0);
  }

  // Statistics count blocks, in units of a mean request: room is what they cost.
  void CountStart(const GhostEntry& r) {
    mean_length_ += (static_cast<double>(r.length) - mean_length_) / 256;
    const double unit = 1 / std::max(mean_length_, 1.0);
    const Class& c = classes_[r.kind];
    const size_t fresh = r.length - r.known;
    if (r.known > 0) model_.AddStart(c.model[kPrefix], unit * r.known);
    if (fresh > 1) model_.AddStart(c.model[kNew], unit * static_cast<double>(fresh - 1));
    if (fresh > 0) model_.AddStart(c.model[kEnd], unit);
  }
  void CountReuse(const GhostEntry& r, size_t known, uint32_t gap_ms) {
    const double unit = 1 / std::max(mean_length_, 1.0);
    const Class& c = classes_[r.kind];
    known = std::min<size_t>(known, r.length);
    const size_t prefix = std::min<size_t>(known, r.known);
    const size_t end = known > prefix && known == r.length ? 1 : 0;
    const size_t fresh = known - prefix - end;
    if (prefix > 0) model_.AddReuse(c.model[kPrefix], gap_ms, unit * static_cast<double>(prefix));
    if (fresh > 0) model_.AddReuse(c.model[kNew], gap_ms, unit * static_cast<double>(fresh));
    if (end > 0) model_.AddReuse(c.model[kEnd], gap_ms, unit);
  }

  // Classes are made on demand, and the plain one serves when there are too many.
  uint8_t ClassOf(size_t turn, const ReuseHint& hint) {
    uint64_t turns = std::min<size_t>(turn, kTurns - 1);
    uint64_t p = 0, gap = 0, ttl = 0;
    int priority = 0;
    if (options_.use_hints) {
      if (hint.p_reuse.has_value() || hint.expected_gap.has_value() || hint.ttl.has_value() ||
          hint.priority != 0) {
        guard_.OnHint();
      }
      if (hint.p_reuse.has_value()) {
        turns = std::min<uint64_t>(turns, 2);
        p = 1 + static_cast<uint64_t>(std::clamp(*hint.p_reuse, 0.0, 1.0) * 5.999);
      }
      if (hint.expected_gap.has_value())
        gap = 1 + Log2(absl::ToInt64Seconds(*hint.expected_gap)) / 2;
      if (hint.ttl.has_value()) ttl = 1 + Log2(absl::ToInt64Seconds(*hint.ttl));
      priority = std::clamp(hint.priority, -128, 127);
    }
    const uint64_t statistics = 1 | turns << 1 | p << 8 | gap << 12;
    const uint64_t key = statistics | ttl << 18 | static_cast<uint64_t>(priority + 128) << 26;
    for (size_t k = kSharedClasses; k < used_classes_; ++k) {
      if (classes_[k].key == key) return static_cast<uint8_t>(k);
    }
    if (used_classes_ == kMaxClasses) return kSharedClasses;
    Class& made = classes_[used_classes_];
    made.key = key;
    made.turn = turns;
    made.priority = priority;
    if (ttl != 0)
      made.ttl_ms = static_cast<uint32_t>(
          std::min<int64_t>(absl::ToInt64Milliseconds(*hint.ttl), UINT32_MAX - 1));
    for (size_t k = kSharedClasses; k < used_classes_; ++k) {
      // ttl and priority change the worth, not the odds
      if ((classes_[k].key & ((uint64_t{1} << 18) - 1)) == statistics) {
        std::copy(classes_[k].model, classes_[k].model + kParts, made.model);
        return static_cast<uint8_t>(used_classes_++);
      }
    }
    std::optional<double> gap_seconds;
    if (gap != 0) gap_seconds = std::max(0.001, absl::ToDoubleSeconds(*hint.expected_gap));
    // Later turns are continued more often, and a last block was often not full: a first guess,
    // soon outweighed.
    const double odds = 0.8 + 0.25 * static_cast<double>(turns);
    for (size_t part = 0; part < kParts; ++part) {
      made.model[part] = model_.AddKind(odds * (part == kEnd ? kEndOdds : 1),
                                        p != 0 ? hint.p_reuse : std::nullopt, gap_seconds);
    }
    return static_cast<uint8_t>(used_classes_++);
  }

  static uint64_t Log2(int64_t seconds) {
    uint64_t log = 0;
    for (; seconds > 1 && log < 30; seconds >>= 1) ++log;
    return log;
  }

  // `at` is where conversations part: a system prompt, a template. Returns its kind from now on.
  uint8_t CountShared(const GhostEntry& at, uint32_t now) {
    const bool again = at.kind < kSharedClasses;
    if (again) model_.AddReuse(classes_[at.kind].model[0], now - at.last, 1);
    const size_t kind = again ? std::min<size_t>(at.kind + 1u, kSharedClasses - 1) : 0;
    model_.AddStart(classes_[kind].model[0], 1);
    return static_cast<uint8_t>(kind);
  }

  HandleList* ListFor(uint32_t id) {
    Run& run = runs_[id];
    run.part = PartOf(run);
    return &classes_[run.kind].list[run.part];
  }
  void LinkHot(uint32_t id) { links_.PushHot(ListFor(id), id); }
  // At its age; near enough if that is far from both ends.
  void LinkByAge(uint32_t id) {
    HandleList* list = ListFor(id);
    uint32_t hot = list->hot, cold = list->cold;
    const uint32_t last = runs_[id].last;
    for (size_t steps = 0; hot != kNoRun && steps < kSortSteps; ++steps) {
      if (runs_[hot].last <= last) {
        links_.InsertHotter(list, hot, id);
        return;
      }
      if (runs_[cold].last >= last) {
        links_.InsertColder(list, cold, id);
        return;
      }
      hot = links_.colder(hot);
      cold = links_.hotter(cold);
    }
    if (hot == kNoRun || cold == kNoRun) {
      links_.PushCold(list, id);
    } else {
      links_.InsertHotter(list, hot, id);
    }
  }
  void Unlink(uint32_t id) {
    if (links_.linked(id)) links_.Remove(&classes_[runs_[id].kind].list[runs_[id].part], id);
  }

  const SessionPolicyOptions options_;
  std::vector<Class> classes_;
  size_t used_classes_ = 0;
  Blocks blocks_;
  std::vector<Run> runs_;
  std::vector<uint32_t> free_runs_;
  HandleLinks links_;  // of runs
  uint64_t victim_name_ = 0;
  GhostTable ghosts_;
  ReuseModel model_;
  ShadowLru guard_;
  size_t count_ = 0;
  uint64_t requests_ = 0;
  double mean_length_ = 16;
  bool started_ = false;
  int64_t epoch_ = 0;
  uint32_t latest_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> NewSessionPolicy(const SessionPolicyOptions& options) {
  return std::make_unique<SessionPolicy>(options);
}

}  // namespace penstock
