// SPDX-License-Identifier: Apache-2.0
//
// A store that fails when told to, and that knows whether every block was allocated and freed
// exactly once.
//
//   FaultyBlockStore store(memory.get());
//   // the third Allocate, Copy or Transfer from now on
//   store.FailCall(3, absl::UnavailableError("cable pulled"));
#ifndef PENSTOCK_TESTS_SUPPORT_FAULTY_BLOCK_STORE_H_
#define PENSTOCK_TESTS_SUPPORT_FAULTY_BLOCK_STORE_H_

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/kv_cache/block_store.h"

namespace penstock {

class FaultyBlockStore final : public BlockStore {
 public:
  explicit FaultyBlockStore(BlockStore* real) : real_(real) {}

  // The n-th failing-capable call from now on fails (1 = the next one); 0 = none.
  void FailCall(size_t n, absl::Status with) {
    std::lock_guard<std::mutex> lock(mu_);
    countdown_ = n;
    with_ = std::move(with);
  }
  void FailAlways(absl::Status with) {
    std::lock_guard<std::mutex> lock(mu_);
    always_ = std::move(with);
  }
  // Every Transfer into a tier fails, without being counted as a call; OK: no more.
  void FailTransfers(Tier into, absl::Status with) {
    into_ = into;
    transfers_ = std::move(with);
  }
  // Transfers are kept instead of done; Deliver runs them.
  void HoldTransfers(bool hold) { hold_ = hold; }
  size_t held_transfers() const { return held_.size(); }
  void Deliver(absl::Status status) {
    std::vector<std::pair<std::vector<BlockCopy>, Done>> held;
    held.swap(held_);
    for (auto& [copies, done] : held) {
      if (status.ok()) {
        real_->Transfer(copies, [](absl::Status) {});
      }
      std::move(done)(status);
    }
  }
  // Runs inside every call: what another thread might do at that moment.
  void OnCall(std::function<void()> hook) { hook_ = std::move(hook); }

  size_t calls() const { return calls_; }
  size_t live() const {
    std::lock_guard<std::mutex> lock(mu_);
    return live_.size();
  }

  absl::Status Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) override {
    if (absl::Status fault = Fault(); !fault.ok()) return fault;
    absl::Status status = real_->Allocate(group, tier, out);
    if (!status.ok()) return status;
    std::lock_guard<std::mutex> lock(mu_);
    for (BlockId id : out)
      EXPECT_TRUE(live_.insert(Key(group, tier, id)).second) << "allocated twice";
    return status;
  }
  void Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) override {
    if (hook_) hook_();
    {
      std::lock_guard<std::mutex> lock(mu_);
      for (BlockId id : blocks) EXPECT_EQ(live_.erase(Key(group, tier, id)), 1u) << "freed twice";
    }
    real_->Free(group, tier, blocks);
  }
  absl::Status Copy(absl::Span<const BlockCopy> copies) override {
    if (absl::Status fault = Fault(); !fault.ok()) return fault;
    CheckLive(copies);
    return real_->Copy(copies);
  }
  void Transfer(absl::Span<const BlockCopy> copies, Done done) override {
    if (absl::Status fault = Fault(); !fault.ok()) return std::move(done)(fault);
    if (!transfers_.ok() && !copies.empty() && copies[0].dst_tier == into_) {
      return std::move(done)(transfers_);
    }
    CheckLive(copies);
    if (hold_) {
      held_.emplace_back(std::vector<BlockCopy>(copies.begin(), copies.end()), std::move(done));
      return;
    }
    real_->Transfer(copies, std::move(done));
  }
  size_t BytesPerBlock(GroupId group, Tier tier) const override {
    return real_->BytesPerBlock(group, tier);
  }

 private:
  using LiveKey = std::pair<std::pair<GroupId, Tier>, BlockId>;
  static LiveKey Key(GroupId group, Tier tier, BlockId id) { return {{group, tier}, id}; }

  void CheckLive(absl::Span<const BlockCopy> copies) {
    std::lock_guard<std::mutex> lock(mu_);
    for (const BlockCopy& c : copies) {
      EXPECT_EQ(live_.count(Key(c.group, c.src_tier, c.src)), 1u) << "copied from a freed block";
      EXPECT_EQ(live_.count(Key(c.group, c.dst_tier, c.dst)), 1u) << "copied to a freed block";
    }
  }

  absl::Status Fault() {
    if (hook_) hook_();
    std::lock_guard<std::mutex> lock(mu_);
    ++calls_;
    if (!always_.ok()) return always_;
    if (countdown_ > 0 && --countdown_ == 0) return with_;
    return absl::OkStatus();
  }

  BlockStore* const real_;
  mutable std::mutex mu_;
  std::set<LiveKey> live_;
  size_t countdown_ = 0, calls_ = 0;
  absl::Status with_, always_, transfers_;
  Tier into_ = Tier::kDevice;
  bool hold_ = false;
  std::vector<std::pair<std::vector<BlockCopy>, Done>> held_;
  std::function<void()> hook_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_FAULTY_BLOCK_STORE_H_
