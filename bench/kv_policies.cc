// SPDX-License-Identifier: Apache-2.0
#include "bench/kv_policies.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <set>
#include <unordered_set>
#include <vector>

#include "kv_cache/handle_list.h"

namespace penstock {
namespace {

// What all three keep of a block: its parent, its uses. A request uses its whole path.
class PathPolicy : public EvictionPolicy {
 public:
  uint64_t OnRequest(const PolicyRequest&) override { return 0; }
  void OnLeaf(BlockHandle, BlockHandle) override {}

 protected:
  struct Block {
    BlockHandle parent = kNoBlockHandle;
    uint32_t depth = 0;
    uint32_t uses = 0;
    uint64_t name = 0;
    bool live = false;
  };

  Block& Add(BlockHandle h, BlockHandle parent, uint64_t name) {
    if (h >= blocks_.size()) blocks_.resize(h + 1);
    Block& b = blocks_[h];
    b = Block();
    b.parent = parent;
    b.depth = parent == kNoBlockHandle ? 0 : blocks_[parent].depth + 1;
    b.name = name;
    b.live = true;
    return b;
  }

  template <class F>
  void ForPath(BlockHandle h, F&& f) {
    for (; h != kNoBlockHandle; h = blocks_[h].parent) f(h, blocks_[h]);
  }

  std::vector<Block> blocks_;
};

class SievePolicy final : public PathPolicy {
 public:
  void OnInsert(BlockHandle h, BlockHandle parent, uint64_t name, uint64_t, MonoTime) override {
    Add(h, parent, name);
    links_.PushHot(&list_, h);
    ++count_;
    fresh_.insert(h);
  }
  void OnTouch(BlockHandle h, uint64_t, MonoTime) override {
    ForPath(h, [&](BlockHandle at, Block& b) {
      if (fresh_.erase(at) == 0) b.uses = 1;  // the use that inserted it does not count
    });
  }
  BlockHandle PickVictim(const EvictionView& view, MonoTime) override {
    for (size_t steps = 0; steps < 2 * count_ + 2; ++steps) {
      if (hand_ == kNoBlockHandle) hand_ = list_.cold;
      if (hand_ == kNoBlockHandle) return hand_;
      const BlockHandle h = hand_;
      if (view.evictable(h)) {
        if (blocks_[h].uses == 0) return h;
        blocks_[h].uses = 0;
      }
      hand_ = links_.hotter(h);
    }
    return kNoBlockHandle;
  }
  void OnRemove(BlockHandle h, bool) override {
    if (hand_ == h) hand_ = links_.hotter(h);
    links_.Remove(&list_, h);
    fresh_.erase(h);
    --count_;
  }

 private:
  internal::HandleLinks links_;
  internal::HandleList list_;
  std::unordered_set<BlockHandle> fresh_;
  BlockHandle hand_ = kNoBlockHandle;
  size_t count_ = 0;
};

class S3FifoPolicy final : public PathPolicy {
 public:
  void OnInsert(BlockHandle h, BlockHandle parent, uint64_t name, uint64_t, MonoTime) override {
    Add(h, parent, name);
    fresh_.insert(h);
    const bool main = ghosts_.erase(name) != 0;
    in_main_.resize(std::max(in_main_.size(), static_cast<size_t>(h) + 1));
    in_main_[h] = main;
    links_.PushHot(main ? &main_ : &small_, h);
    ++(main ? main_count_ : small_count_);
  }
  void OnTouch(BlockHandle h, uint64_t, MonoTime) override {
    ForPath(h, [&](BlockHandle at, Block& b) {
      if (fresh_.erase(at) == 0) b.uses = std::min<uint32_t>(b.uses + 1, 3);
    });
  }
  BlockHandle PickVictim(const EvictionView& view, MonoTime) override {
    const size_t total = small_count_ + main_count_;
    for (size_t steps = 0; steps < 5 * total + 5; ++steps) {
      const bool small = small_count_ * 10 >= total || main_count_ == 0;
      internal::HandleList* list = small ? &small_ : &main_;
      const BlockHandle h = list->cold;
      if (h == kNoBlockHandle) return h;
      if (!view.evictable(h)) {
        links_.Remove(list, h);
        links_.PushHot(list, h);
        if (small && ++stuck_ > small_count_) MoveToMain(h);  // a small queue of inner blocks only
        continue;
      }
      stuck_ = 0;
      if (small && blocks_[h].uses > 1) {
        MoveToMain(h);
        blocks_[h].uses = 0;
      } else if (!small && blocks_[h].uses > 0) {
        --blocks_[h].uses;
        links_.Remove(list, h);
        links_.PushHot(list, h);
      } else {
        return h;
      }
    }
    return kNoBlockHandle;
  }
  void OnRemove(BlockHandle h, bool evicted) override {
    links_.Remove(in_main_[h] ? &main_ : &small_, h);
    fresh_.erase(h);
    if (in_main_[h]) {
      --main_count_;
    } else {
      --small_count_;
      if (evicted && ghosts_.insert(blocks_[h].name).second)
        ghost_order_.push_back(blocks_[h].name);
      while (ghost_order_.size() > main_count_ + small_count_ + 1) {
        ghosts_.erase(ghost_order_.front());
        ghost_order_.pop_front();
      }
    }
  }

 private:
  void MoveToMain(BlockHandle h) {
    links_.Remove(&small_, h);
    links_.PushHot(&main_, h);
    in_main_[h] = true;
    --small_count_;
    ++main_count_;
  }

  internal::HandleLinks links_;
  internal::HandleList small_, main_;
  std::vector<bool> in_main_;
  std::unordered_set<BlockHandle> fresh_;
  std::unordered_set<uint64_t> ghosts_;
  std::deque<uint64_t> ghost_order_;
  size_t small_count_ = 0, main_count_ = 0, stuck_ = 0;
};

class GdsfPolicy final : public PathPolicy {
 public:
  void OnInsert(BlockHandle h, BlockHandle parent, uint64_t name, uint64_t, MonoTime) override {
    Block& b = Add(h, parent, name);
    fresh_.insert(h);
    b.uses = 1;
    value_.resize(std::max(value_.size(), static_cast<size_t>(h) + 1));
    Set(h, /*fresh=*/true);
  }
  void OnTouch(BlockHandle h, uint64_t, MonoTime) override {
    ForPath(h, [&](BlockHandle at, Block& b) {
      if (fresh_.erase(at) != 0) return;
      ++b.uses;
      Set(at, false);
    });
    if (queue_.count({value_[h], h}) == 0) queue_.insert({value_[h], h});
  }
  void OnLeaf(BlockHandle h, BlockHandle) override { queue_.insert({value_[h], h}); }
  BlockHandle PickVictim(const EvictionView& view, MonoTime) override {
    while (!queue_.empty()) {
      const auto [value, h] = *queue_.begin();
      if (view.evictable(h)) {
        age_ = value;
        return h;
      }
      queue_.erase(queue_.begin());
    }
    return kNoBlockHandle;
  }
  void OnRemove(BlockHandle h, bool) override {
    queue_.erase({value_[h], h});
    fresh_.erase(h);
  }

 private:
  void Set(BlockHandle h, bool fresh) {
    const Block& b = blocks_[h];
    if (!fresh) queue_.erase({value_[h], h});
    value_[h] = age_ + b.uses * (1.0 + b.depth / 64.0);
    queue_.insert({value_[h], h});
  }

  std::set<std::pair<double, BlockHandle>> queue_;
  std::vector<double> value_;
  std::unordered_set<BlockHandle> fresh_;
  double age_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> NewS3FifoPolicy() { return std::make_unique<S3FifoPolicy>(); }
std::unique_ptr<EvictionPolicy> NewSievePolicy() { return std::make_unique<SievePolicy>(); }
std::unique_ptr<EvictionPolicy> NewGdsfPolicy() { return std::make_unique<GdsfPolicy>(); }

}  // namespace penstock
