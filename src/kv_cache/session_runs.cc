// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/session_runs.h"

namespace penstock::internal {
namespace {

constexpr size_t kSortSteps = 32;

}  // namespace

void SessionRuns::Add(BlockHandle block, BlockHandle parent, const GhostEntry& request) {
  const uint32_t above = parent == kNoBlockHandle ? kNoRun : blocks_.run(parent);
  blocks_.Add(block, parent == kNoBlockHandle ? 0 : Clamp16(blocks_.depth(parent) + size_t{1}));
  if (above == kNoRun || runs_[above].end != parent || !SameRequest(above, request)) {
    LinkHot(NewRun(block, request));
    return;
  }
  blocks_.run(block) = above;
  Run& run = runs_[above];
  run.end = block;
  run.last = request.last;
  ++run.blocks;
  if (hottest(run.kind, run.part) != above || run.part != PartOf(run)) {
    Unlink(above);
    LinkHot(above);
  }
}

void SessionRuns::Remove(BlockHandle block) {
  const uint32_t id = blocks_.run(block);
  if (runs_[id].end == block) Lose(id);
  Leave(block, id);
}

void SessionRuns::OnLeaf(BlockHandle block, BlockHandle child) {
  const uint32_t from = blocks_.run(child);
  if (const uint32_t id = blocks_.run(block); id == from || runs_[id].end == kNoBlockHandle) {
    runs_[id].end = block;
  }
  const uint32_t to = EndingIn(block);
  if (from == to) {
    if (links_.linked(to) && runs_[to].part == PartOf(runs_[to])) return;
    Unlink(to);
  } else if (runs_[to].kind >= kSharedKinds && runs_[from].last >= runs_[to].last) {
    Become(to, EntryOf(from));
  }
  if (!links_.linked(to)) LinkByAge(to);
}

GhostEntry SessionRuns::EntryOf(uint32_t id) const {
  GhostEntry e;
  e.kind = runs_[id].kind;
  e.known = runs_[id].known;
  e.length = runs_[id].length;
  e.last = runs_[id].last;
  return e;
}

bool SessionRuns::SameRequest(uint32_t id, const GhostEntry& request) const {
  const Run& run = runs_[id];
  return run.kind == request.kind && run.known == request.known && run.length == request.length;
}

uint32_t SessionRuns::NewRun(BlockHandle block, const GhostEntry& request) {
  uint32_t id = static_cast<uint32_t>(runs_.size());
  if (free_runs_.empty()) {
    runs_.emplace_back();
  } else {
    id = free_runs_.back();
    free_runs_.pop_back();
  }
  runs_[id] = Run();
  Become(id, request);
  runs_[id].end = block;
  runs_[id].blocks = 1;
  blocks_.run(block) = id;
  return id;
}

// `block` is not of the run any more.
void SessionRuns::Leave(BlockHandle block, uint32_t id) {
  blocks_.run(block) = kNoRun;
  if (--runs_[id].blocks == 0) {
    Unlink(id);
    free_runs_.push_back(id);
  }
}

void SessionRuns::Lose(uint32_t id) {
  Unlink(id);
  runs_[id].end = kNoBlockHandle;
}

uint32_t SessionRuns::Alone(BlockHandle block) {
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

uint32_t SessionRuns::EndingIn(BlockHandle block) {
  const uint32_t id = blocks_.run(block);
  return runs_[id].end == block ? id : Alone(block);
}

void SessionRuns::Become(uint32_t id, const GhostEntry& request) {
  if (links_.linked(id)) Unlink(id);
  Run& run = runs_[id];
  run.kind = request.kind;
  run.known = request.known;
  run.length = request.length;
  run.last = request.last;
}

void SessionRuns::Relink(uint32_t id, const GhostEntry& request) {
  Become(id, request);
  LinkHot(id);
}

void SessionRuns::Touch(uint32_t id, uint32_t last) {
  Unlink(id);
  runs_[id].last = last;
  LinkHot(id);
}

uint8_t SessionRuns::PartOf(const Run& run) const {
  if (run.kind < kSharedKinds || run.end == kNoBlockHandle) return 0;
  const size_t depth = blocks_.depth(run.end);
  if (depth < run.known) return kPrefix;
  return depth + 1u >= run.length ? kEnd : kNew;
}

HandleList* SessionRuns::ListFor(uint32_t id) {
  Run& run = runs_[id];
  run.part = PartOf(run);
  return &lists_[run.kind][run.part];
}

// At its age; near enough if that is far from both ends.
void SessionRuns::LinkByAge(uint32_t id) {
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

void SessionRuns::Unlink(uint32_t id) {
  if (links_.linked(id)) links_.Remove(&lists_[runs_[id].kind][runs_[id].part], id);
}

}  // namespace penstock::internal
