// SPDX-License-Identifier: Apache-2.0
//
// Cached blocks as the session policy sees them: runs of neighbours that came with one request, in
// lists by kind and part, coldest first.
//
//   SessionRuns runs;
//   runs.Add(block, parent, request);
//   const uint32_t id = runs.EndingIn(block);
//   runs.Relink(id, request);                     // as if it came with this request
//   runs.coldest(kind, SessionRuns::kNew)         // kNoRun: none of this kind
//
// Description: only the end of a run can be a leaf, so runs stand for blocks: 6 bytes a block and
// 28 a run. A run is a chain; an end that goes leaves the block before it as the end, unless that
// has other continuations: then the end is unknown until it has none. O(1) each; LinkByAge at most
// kSortSteps. Thread-compatible: const calls may run concurrently, others need external
// synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_SESSION_RUNS_H_
#define PENSTOCK_SRC_KV_CACHE_SESSION_RUNS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kv_cache/ghost_table.h"
#include "kv_cache/handle_list.h"
#include "penstock/kv_cache/eviction.h"

namespace penstock::internal {

class SessionRuns {
 public:
  static constexpr uint32_t kNoRun = kNoBlockHandle;
  static constexpr size_t kMaxKinds = 64;
  static constexpr size_t kSharedKinds = 3;  // the first: blocks where conversations part; one list
  // Of a prompt: seen before, new, its last block.
  enum Part : size_t { kPrefix, kNew, kEnd, kParts };

  struct Run {
    BlockHandle end = kNoBlockHandle;
    uint32_t last = 0;  // milliseconds
    uint32_t blocks = 0;
    uint16_t known = 0;  // of the request: as GhostEntry
    uint16_t length = 0;
    uint8_t kind = 0;
    uint8_t part = 0;  // of the list it stands in, if it is linked
  };

  // `block` is cached, by a request that is described so: with its parent's run if that is of the
  // same request.
  void Add(BlockHandle block, BlockHandle parent, const GhostEntry& request);
  // `block` is gone.
  void Remove(BlockHandle block);
  // Its last continuation, `child`, goes.
  void OnLeaf(BlockHandle block, BlockHandle child);

  uint32_t of(BlockHandle block) { return blocks_.run(block); }
  const Run& operator[](uint32_t id) const { return runs_[id]; }
  GhostEntry EntryOf(uint32_t id) const;
  bool SameRequest(uint32_t id, const GhostEntry& request) const;

  // The run of `block` alone, like the one it was in; the run whose end it is.
  uint32_t Alone(BlockHandle block);
  uint32_t EndingIn(BlockHandle block);

  // Hottest of its list from now on: as part of another request, or only used again.
  void Relink(uint32_t id, const GhostEntry& request);
  void Touch(uint32_t id, uint32_t last);
  // As the blocks of this request, but not linked until it is used or becomes a leaf.
  void Become(uint32_t id, const GhostEntry& request);

  uint32_t coldest(size_t kind, size_t part) const { return lists_[kind][part].cold; }
  uint32_t hottest(size_t kind, size_t part) const { return lists_[kind][part].hot; }
  void Unlink(uint32_t id);

  static uint16_t Clamp16(size_t n) { return static_cast<uint16_t>(n < 65534 ? n : 65534); }

 private:
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

  uint32_t NewRun(BlockHandle block, const GhostEntry& request);
  void Leave(BlockHandle block, uint32_t id);
  void Lose(uint32_t id);
  uint8_t PartOf(const Run& run) const;
  HandleList* ListFor(uint32_t id);
  void LinkHot(uint32_t id) { links_.PushHot(ListFor(id), id); }
  void LinkByAge(uint32_t id);

  Blocks blocks_;
  std::vector<Run> runs_;
  std::vector<uint32_t> free_runs_;
  HandleLinks links_;  // of runs
  HandleList lists_[kMaxKinds][kParts];
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_SESSION_RUNS_H_
