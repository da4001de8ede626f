// SPDX-License-Identifier: Apache-2.0
//
// Doubly linked lists over small dense handles; all lists of one HandleLinks share the two link
// arrays.
//
//   HandleLinks links;
//   HandleList lru;
//   links.PushHot(&lru, 7);                       // hot end
//   links.Remove(&lru, 7);                        // REQUIRES: linked.
//
// O(1) each; 8 bytes a handle. A handle is in at most one list. Thread-compatible: const calls may
// run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_KV_CACHE_HANDLE_LIST_H_
#define PENSTOCK_SRC_KV_CACHE_HANDLE_LIST_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "penstock/kv_cache/eviction.h"

namespace penstock::internal {

struct HandleList {
  BlockHandle hot = kNoBlockHandle;
  BlockHandle cold = kNoBlockHandle;
};

class HandleLinks {
 public:
  bool linked(BlockHandle h) const { return h < links_.size() && links_[h].hotter != kUnlinked; }
  BlockHandle hotter(BlockHandle h) const { return links_[h].hotter; }
  BlockHandle colder(BlockHandle h) const { return links_[h].colder; }

  void PushHot(HandleList* list, BlockHandle h) {
    Link& l = At(h);
    l.hotter = kNoBlockHandle;
    l.colder = list->hot;
    (list->hot == kNoBlockHandle ? list->cold : links_[list->hot].hotter) = h;
    list->hot = h;
  }

  void PushCold(HandleList* list, BlockHandle h) {
    Link& l = At(h);
    l.colder = kNoBlockHandle;
    l.hotter = list->cold;
    (list->cold == kNoBlockHandle ? list->hot : links_[list->cold].colder) = h;
    list->cold = h;
  }

  // Beside `at`, which is linked in `list`.
  void InsertHotter(HandleList* list, BlockHandle at, BlockHandle h) {
    const BlockHandle above = links_[at].hotter;
    if (above == kNoBlockHandle) return PushHot(list, h);
    InsertBetween(at, h, above);
  }
  void InsertColder(HandleList* list, BlockHandle at, BlockHandle h) {
    const BlockHandle below = links_[at].colder;
    if (below == kNoBlockHandle) return PushCold(list, h);
    InsertBetween(below, h, at);
  }

  void Remove(HandleList* list, BlockHandle h) {
    Link& l = links_[h];
    (l.hotter == kNoBlockHandle ? list->hot : links_[l.hotter].colder) = l.colder;
    (l.colder == kNoBlockHandle ? list->cold : links_[l.colder].hotter) = l.hotter;
    l.hotter = kUnlinked;
  }

  size_t memory_bytes() const { return links_.capacity() * sizeof(Link); }

 private:
  static constexpr BlockHandle kUnlinked = kNoBlockHandle - 1;
  struct Link {
    BlockHandle hotter = kUnlinked;
    BlockHandle colder = kNoBlockHandle;
  };

  void InsertBetween(BlockHandle colder, BlockHandle h, BlockHandle hotter) {
    Link& l = At(h);
    l.colder = colder;
    l.hotter = hotter;
    links_[colder].hotter = h;
    links_[hotter].colder = h;
  }

  Link& At(BlockHandle h) {
    if (h >= links_.size()) links_.resize(h + 1);
    return links_[h];
  }

  std::vector<Link> links_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_HANDLE_LIST_H_
