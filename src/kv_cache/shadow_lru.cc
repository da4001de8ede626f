// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/shadow_lru.h"

#include <algorithm>

namespace penstock::internal {
namespace {

constexpr size_t kShadowBlocks = 8192;     // sampled down to at most this many
constexpr double kShadowFade = 0.999;      // per request
constexpr double kMargin = 0.001;          // of block references
constexpr uint64_t kWarmUpRequests = 256;  // nothing is decided before
constexpr uint64_t kFirstPause = 512;      // requests; twice as many every time

}  // namespace

void ShadowLru::Resample(size_t capacity) {
  unsigned shift = 0;
  while ((capacity >> shift) > kShadowBlocks) ++shift;
  if (shift == shift_ || (shift < shift_ && (capacity >> shift) > kShadowBlocks / 2)) return;
  shift_ = shift;
  for (auto it = order_.begin(); it != order_.end();) {
    if (Sampled(*it)) {
      ++it;
    } else {
      where_.erase(*it);
      it = order_.erase(it);
    }
  }
}

void ShadowLru::OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t capacity) {
  Resample(capacity);
  lru_hits_ *= kShadowFade;
  real_hits_ *= kShadowFade;
  blocks_ *= kShadowFade;
  bool prefix = true;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!Sampled(path[i])) continue;
    blocks_ += 1;
    const bool there = where_.count(path[i]) != 0;
    prefix = prefix && there;
    lru_hits_ += prefix ? 1 : 0;
    real_hits_ += i < cached_blocks ? 1 : 0;
  }
  for (size_t i = path.size(); i-- > 0;) {  // deepest first, so that it also goes first
    if (!Sampled(path[i])) continue;
    const auto it = where_.find(path[i]);
    if (it != where_.end()) {
      order_.splice(order_.begin(), order_, it->second);
    } else {
      order_.push_front(path[i]);
      where_[path[i]] = order_.begin();
    }
  }
  while (order_.size() > (capacity >> shift_)) {
    where_.erase(order_.back());
    order_.pop_back();
  }
  if (++requests_ < kWarmUpRequests) return;
  if (!lru_mode_) {
    if (lru_hits_ > real_hits_ + kMargin * blocks_) {
      lru_mode_ = true;
      retry_at_ = requests_ + (kFirstPause << std::min(losses_, 20u));
      ++losses_;
    }
  } else if (requests_ >= retry_at_) {
    lru_mode_ = false;
    real_hits_ = lru_hits_ - kMargin / 2 * blocks_;  // a fresh start, on a shorter leash
  }
}

}  // namespace penstock::internal
