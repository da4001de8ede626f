// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/shadow_lru.h"

#include <algorithm>

namespace penstock::internal {
namespace {

constexpr size_t kShadowBlocks = 32768;  // sampled down to at most this many
constexpr double kAllowance = 0.0015;    // of the block references: what may be lost

// In mean requests: strays come to harm a path at a time.
constexpr double kDoubt = 4;    // strays that are taken to be lost before any is seen
constexpr double kMemory = 20;  // lives of strays that are remembered
constexpr double kCredit = 4;   // how far gains of the past count
constexpr double kHintedCredit = 8;
constexpr double kCover = 2;  // times what strays are expected to cost

}  // namespace

void ShadowLru::Resample() {
  unsigned shift = 0;
  while ((capacity_ >> shift) > kShadowBlocks) ++shift;
  if (shift < shift_ && (capacity_ >> shift) > kShadowBlocks / 2) return;
  SampleBy(shift);
}

void ShadowLru::SampleBy(unsigned shift) {
  if (shift == shift_) return;
  strays_ /= scale();
  shift_ = shift;
  strays_ -= static_cast<double>(recent_.EraseIf([this](uint64_t name) { return !Sampled(name); }));
  strays_ *= scale();
}

void ShadowLru::Shrink() {
  while (has_been_full() && recent_.size() > (capacity_ >> shift_)) {
    if (recent_.PopOldest()) strays_ -= scale();
  }
}

// Expected losses for a stray of average life.
double ShadowLru::Harm() const {
  const double doubt = kDoubt * mean_blocks_;
  return std::min(1.0, (harmed_ + doubt) / (lives_ + doubt));
}

void ShadowLru::OnRequest(absl::Span<const uint64_t> path, size_t cached_blocks, size_t count) {
  if (evicted_) {
    capacity_ = std::max<size_t>(count, 1);
    Resample();
  }
  evicted_ = false;
  size_t lru_hits = 0, real_hits = 0, missing = 0, back = 0;
  bool prefix = true;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!Sampled(path[i])) continue;
    const RecencyQueue::Found found = recent_.Find(path[i]);
    prefix = prefix && found != RecencyQueue::Found::kNo;
    lru_hits += prefix ? 1 : 0;
    real_hits += i < cached_blocks ? 1 : 0;
    missing += found == RecencyQueue::Found::kNo ? 1 : 0;
    back += found == RecencyQueue::Found::kMarked ? 1 : 0;
  }
  for (size_t i = path.size(); i-- > 0;) {  // deepest first, so that it also goes first
    if (Sampled(path[i])) recent_.Touch(path[i]);
  }
  if (!has_been_full() && recent_.size() > kShadowBlocks) SampleBy(shift_ + 1);
  // A life in the shadow is as many newcomers as it has room for.
  if (has_been_full()) {
    lives_ += strays_ * static_cast<double>(missing) * scale() / static_cast<double>(capacity_);
  }
  harmed_ += static_cast<double>(back) * scale();
  strays_ -= static_cast<double>(back) * scale();
  Shrink();

  const auto blocks = static_cast<double>(path.size());
  mean_blocks_ += (blocks - mean_blocks_) / std::min(static_cast<double>(++requests_), 1000.0);
  if (const double most = kMemory * mean_blocks_; harmed_ + lives_ > most) {
    const double by = most / (harmed_ + lives_);
    harmed_ *= by;
    lives_ *= by;
  }
  const double more = (static_cast<double>(real_hits) - static_cast<double>(lru_hits)) * scale();
  balance_ =
      std::min(balance_ + more + kAllowance * blocks,
               (hinted_ ? kHintedCredit : kCredit) * mean_blocks_ + kCover * Harm() * strays_);
}

void ShadowLru::OnFull(size_t count) {
  evicted_ = true;
  if (has_been_full()) return;
  capacity_ = std::max<size_t>(count, 1);  // less what the request brings: the next one knows
  Resample();
  Shrink();
}

bool ShadowLru::MayStray(uint64_t name) const {
  if (Sampled(name) && recent_.Find(name) != RecencyQueue::Found::kYes) return true;  // LRU's too
  const double strays = strays_ + scale();
  return balance_ >= std::max(Harm() * strays, std::min(strays, mean_blocks_));
}

void ShadowLru::OnEviction(uint64_t name, bool stray) {
  if (!Sampled(name)) return;
  if (!stray) {
    if (recent_.Erase(name) == RecencyQueue::Found::kMarked) strays_ -= scale();
  } else if (recent_.Find(name) == RecencyQueue::Found::kYes) {
    recent_.Mark(name);
    strays_ += scale();
  }
}

void ShadowLru::OnHint() {
  if (!hinted_) balance_ = std::max(balance_, kHintedCredit * mean_blocks_);
  hinted_ = true;
}

}  // namespace penstock::internal
