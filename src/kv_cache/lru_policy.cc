// SPDX-License-Identifier: Apache-2.0
//
// Least recently used leaf first, exactly, with one list operation a request.
//
// All blocks stand in one list by their own last touch, inner ones too. What reaches the cold end
// and is not evictable leaves the list: an inner block returns to the cold end when its last child
// goes (every use of the child was a use of it, so it is exactly as old as that child), a leased
// one returns to the hot end when its lease ends.
#include <memory>

#include "kv_cache/handle_list.h"
#include "penstock/kv_cache/eviction.h"

namespace penstock {
namespace {

class LruPolicy final : public EvictionPolicy {
 public:
  uint64_t OnRequest(const PolicyRequest&) override { return 0; }

  void OnInsert(BlockHandle block, BlockHandle, uint64_t, uint64_t, MonoTime) override {
    links_.PushHot(&list_, block);
  }

  void OnTouch(BlockHandle block, uint64_t, MonoTime) override {
    if (links_.linked(block)) links_.Remove(&list_, block);
    links_.PushHot(&list_, block);
  }

  void OnLeaf(BlockHandle block, BlockHandle) override {
    if (!links_.linked(block)) links_.PushCold(&list_, block);
  }

  BlockHandle PickVictim(const EvictionView& view, MonoTime) override {
    while (list_.cold != kNoBlockHandle && !view.evictable(list_.cold)) {
      links_.Remove(&list_, list_.cold);
    }
    return list_.cold;
  }

  void OnRemove(BlockHandle block, bool) override {
    if (links_.linked(block)) links_.Remove(&list_, block);
  }

 private:
  internal::HandleLinks links_;
  internal::HandleList list_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> NewLruPolicy() { return std::make_unique<LruPolicy>(); }

}  // namespace penstock
