// SPDX-License-Identifier: Apache-2.0
#include "penstock/testing/manual_clock.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace penstock {

struct ManualClock::Rep {
  mutable internal::Mutex mu;
  internal::CondVar waiters_changed;
  MonoTime now ABSL_GUARDED_BY(mu) = MonoTime::FromNanoseconds(1'000'000'000);
  std::vector<std::pair<Bell*, MonoTime>> waiters ABSL_GUARDED_BY(mu);
};

ManualClock::ManualClock() : rep_(std::make_unique<Rep>()) {}
ManualClock::~ManualClock() = default;

MonoTime ManualClock::Now() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->now;
}

bool ManualClock::WaitUntil(Bell& bell, MonoTime deadline) {
  const std::pair<Bell*, MonoTime> self(&bell, deadline);
  bool listed = false;
  bool rung = false;
  while (true) {
    rung = rung || bell.TryTake();
    {
      internal::MutexLock lock(rep_->mu);
      if (rung || rep_->now >= deadline) {
        if (listed)
          rep_->waiters.erase(std::find(rep_->waiters.begin(), rep_->waiters.end(), self));
        return rung;
      }
      if (!listed) {
        rep_->waiters.push_back(self);
        rep_->waiters_changed.NotifyAll();
        listed = true;
      }
    }
    rung = bell.WaitFor(absl::InfiniteDuration());
  }
}

void ManualClock::Advance(absl::Duration by) {
  internal::MutexLock lock(rep_->mu);
  rep_->now = rep_->now + by;
  for (const auto& [bell, deadline] : rep_->waiters) {
    if (rep_->now >= deadline) bell->Nudge();
  }
}

void ManualClock::AwaitWaiters(size_t count) {
  internal::MutexLock lock(rep_->mu);
  while (rep_->waiters.size() < count) rep_->waiters_changed.Wait(rep_->mu);
}

MonoTime ManualClock::next_deadline() const {
  internal::MutexLock lock(rep_->mu);
  MonoTime next = MonoTime::InfiniteFuture();
  for (const auto& waiter : rep_->waiters) next = std::min(next, waiter.second);
  return next;
}

}  // namespace penstock
