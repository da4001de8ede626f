// SPDX-License-Identifier: Apache-2.0
//
// Kinds of blocks and what they are worth: requests by turn of their conversation and by hints,
// and blocks where conversations part.
//
//   RequestClasses classes;
//   const uint8_t kind = classes.Of(/*turn=*/1, hint);
//   classes.CountStart(entry);                    // entry.kind == kind
//   classes.Worth(kind, SessionRuns::kNew, /*age=*/30000)
//
// Description: a class has statistics for each part of a prompt (reuse_model.h); classes that
// differ in priority or time to live alone share them. Made on demand; the plain one serves when
// there are too many. Statistics count blocks, in units of a mean request: room is what they cost.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_REQUEST_CLASSES_H_
#define PENSTOCK_SRC_KV_CACHE_REQUEST_CLASSES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kv_cache/ghost_table.h"
#include "kv_cache/reuse_model.h"
#include "kv_cache/session_runs.h"
#include "penstock/kv_cache/request.h"

namespace penstock::internal {

class RequestClasses {
 public:
  RequestClasses();

  size_t size() const { return used_; }
  size_t turn(size_t kind) const { return classes_[kind].turn; }

  uint8_t Of(size_t turn, const ReuseHint& hint);

  // Below zero: its time to live is over.
  double Worth(size_t kind, size_t part, uint32_t age_ms) const;

  void CountStart(const GhostEntry& request);
  // The first `known` blocks of it are used again.
  void CountReuse(const GhostEntry& request, size_t known, uint32_t gap_ms);
  // `at` is where conversations part: a system prompt, a template. Returns its kind from now on.
  uint8_t CountShared(const GhostEntry& at, uint32_t now);
  void Refresh() { model_.Refresh(); }

 private:
  struct Class {
    size_t model[SessionRuns::kParts] = {};
    size_t turn = 0;
    int priority = 0;
    uint32_t ttl_ms = UINT32_MAX;
    uint64_t key = 0;
  };

  void AddModels(Class* made, const ReuseHint& hint, bool p, bool gap);

  std::vector<Class> classes_;
  size_t used_ = 0;
  ReuseModel model_;
  double mean_length_ = 16;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_REQUEST_CLASSES_H_
