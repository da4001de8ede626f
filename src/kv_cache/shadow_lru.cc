// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/shadow_lru.h"

#include <algorithm>

namespace penstock::internal {
namespace {

constexpr size_t kShadowBlocks = 32768;  // sampled down to at most this many

// Shares of block references; windows and pauses in requests.
constexpr double kPayback = 0.002;     // what may be lost in the long run
constexpr double kTrust = 0.001;       // of a window: debt at which LRU takes over
constexpr double kCredit = 0.0075;     // of a window: how far gains of the past count
constexpr double kWindow = 1000;       // the first one is LRU's: it teaches the habits
constexpr uint64_t kFirstPause = 512;  // twice as many after every trial in a row that fails

}  // namespace

void ShadowLru::Resample(size_t capacity) {
  unsigned shift = 0;
  while ((capacity >> shift) > kShadowBlocks) ++shift;
  if (shift == shift_ || (shift < shift_ && (capacity >> shift) > kShadowBlocks / 2)) return;
  shift_ = shift;
  recent_.EraseIf([this](uint64_t name) { return !Sampled(name); });
}

void ShadowLru::OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t capacity) {
  Resample(capacity);
  if (full_) recent_.Shrink(capacity >> shift_);
  full_ = false;
  size_t lru_hits = 0, real_hits = 0;
  bool prefix = true;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!Sampled(path[i])) continue;
    prefix = prefix && recent_.Find(path[i]) != nullptr;
    lru_hits += prefix ? 1 : 0;
    real_hits += i < cached_blocks ? 1 : 0;
  }
  for (size_t i = path.size(); i-- > 0;) {  // deepest first, so that it also goes first
    if (!Sampled(path[i])) continue;
    GhostEntry entry;
    entry.name = path[i] & GhostEntry::kNameMask;
    recent_.Insert(entry, SIZE_MAX / 2);
  }
  const auto blocks = static_cast<double>(path.size());
  mean_blocks_ += (blocks - mean_blocks_) / std::min(static_cast<double>(++requests_), kWindow);
  const double window = kWindow * mean_blocks_;
  const double more = (static_cast<double>(lru_hits) - static_cast<double>(real_hits)) *
                      static_cast<double>(uint64_t{1} << shift_);
  lost_ += more;
  debt_ = std::max(debt_ + more - kPayback * blocks, -kCredit * window);
  if (requests_ < static_cast<uint64_t>(kWindow) && !hinted_) {
    debt_ = 0;
    return;
  }
  if (!lru_mode_ && debt_ > kTrust * window) {
    lru_mode_ = true;
    retry_at_ = requests_ + (kFirstPause << std::min(losses_, 20u));
    ++losses_;
    worst_ = debt_;
  } else if (lru_mode_) {
    worst_ = std::max(worst_, debt_);
    if (debt_ <= 0 || (requests_ >= retry_at_ && lost_ < -worst_)) {
      lru_mode_ = false;
      debt_ = 0;
    }
  }
  if (debt_ <= -kCredit * window) losses_ = 0;
}

}  // namespace penstock::internal
