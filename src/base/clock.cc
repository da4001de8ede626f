// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/clock.h"

#include <algorithm>
#include <chrono>

#include "base/mutex.h"

namespace penstock {
namespace {

using std::chrono::steady_clock;

class RealClock final : public Clock {
 public:
  MonoTime Now() const override {
    return MonoTime::FromNanoseconds(
        std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now().time_since_epoch())
            .count());
  }

  bool WaitUntil(Bell& bell, MonoTime deadline) override {
    while (true) {
      if (bell.TryTake()) return true;
      const MonoTime now = Now();
      if (now >= deadline) return false;
      if (bell.WaitFor(deadline - now)) return true;
    }
  }
};

}  // namespace

struct Bell::Rep {
  internal::Mutex mu;
  internal::CondVar cv;
  bool rung ABSL_GUARDED_BY(mu) = false;
  bool nudged ABSL_GUARDED_BY(mu) = false;
  bool waiting ABSL_GUARDED_BY(mu) = false;
};

Bell::Bell() : rep_(std::make_unique<Rep>()) {}
Bell::~Bell() = default;

void Bell::Ring() {
  internal::MutexLock lock(rep_->mu);
  rep_->rung = true;
  if (rep_->waiting) rep_->cv.NotifyOne();
}

void Bell::Nudge() {
  internal::MutexLock lock(rep_->mu);
  rep_->nudged = true;
  if (rep_->waiting) rep_->cv.NotifyOne();
}

bool Bell::TryTake() {
  internal::MutexLock lock(rep_->mu);
  const bool rung = rep_->rung;
  rep_->rung = false;
  return rung;
}

bool Bell::WaitFor(absl::Duration at_most) {
  // A day at a time: condition_variable overflows on infinite durations and would return at once.
  const auto deadline = steady_clock::now() + absl::ToChronoNanoseconds(std::clamp(
                                                  at_most, absl::ZeroDuration(), absl::Hours(24)));
  internal::MutexLock lock(rep_->mu);
  rep_->waiting = true;
  while (!rep_->rung && !rep_->nudged) {
    if (!rep_->cv.WaitUntil(rep_->mu, deadline)) break;
  }
  rep_->waiting = false;
  rep_->nudged = false;
  const bool rung = rep_->rung;
  rep_->rung = false;
  return rung;
}

Clock* Clock::Real() {
  static RealClock* const clock = new RealClock;
  return clock;
}

}  // namespace penstock
