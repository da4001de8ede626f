// SPDX-License-Identifier: Apache-2.0
//
// Monotonic time as an injected dependency. Nothing in penstock reads a wall clock, so a clock that
// is set back or forward moves no deadline.
//
//   Clock& clock = *Clock::Real();
//   MonoTime deadline = clock.Now() + absl::Milliseconds(50);
//   Bell bell;                                    // another thread: bell.Ring()
//   bool rung = clock.WaitUntil(bell, deadline);  // false: the deadline came first
//
// Tests inject a ManualClock (penstock/testing/manual_clock.h): time moves only when they say so.
#ifndef PENSTOCK_BASE_CLOCK_H_
#define PENSTOCK_BASE_CLOCK_H_

#include <cstdint>
#include <limits>
#include <memory>

#include "absl/time/time.h"
#include "penstock/base/export.h"

namespace penstock {

// A point on a monotonic axis: nanoseconds since an epoch of the clock's own. Points of different
// clocks do not compare. Arithmetic saturates: InfiniteFuture() + d is InfiniteFuture(), and so is
// any sum past it.
class MonoTime {
 public:
  constexpr MonoTime() = default;
  static constexpr MonoTime FromNanoseconds(int64_t ns) { return MonoTime(ns); }
  static constexpr MonoTime InfiniteFuture() {
    return MonoTime(std::numeric_limits<int64_t>::max());
  }

  constexpr int64_t nanoseconds() const { return ns_; }
  constexpr bool is_infinite() const { return ns_ == std::numeric_limits<int64_t>::max(); }

  friend MonoTime operator+(MonoTime t, absl::Duration d) {
    return t.Plus(absl::ToInt64Nanoseconds(d));
  }
  friend MonoTime operator-(MonoTime t, absl::Duration d) {
    return t.Plus(absl::ToInt64Nanoseconds(-d));
  }
  friend absl::Duration operator-(MonoTime a, MonoTime b) {
    if (a.is_infinite()) return b.is_infinite() ? absl::ZeroDuration() : absl::InfiniteDuration();
    if (b.is_infinite()) return -absl::InfiniteDuration();
    return absl::Nanoseconds(a.ns_) - absl::Nanoseconds(b.ns_);
  }
  friend constexpr bool operator==(MonoTime a, MonoTime b) { return a.ns_ == b.ns_; }
  friend constexpr bool operator!=(MonoTime a, MonoTime b) { return a.ns_ != b.ns_; }
  friend constexpr bool operator<(MonoTime a, MonoTime b) { return a.ns_ < b.ns_; }
  friend constexpr bool operator<=(MonoTime a, MonoTime b) { return a.ns_ <= b.ns_; }
  friend constexpr bool operator>(MonoTime a, MonoTime b) { return a.ns_ > b.ns_; }
  friend constexpr bool operator>=(MonoTime a, MonoTime b) { return a.ns_ >= b.ns_; }

 private:
  constexpr explicit MonoTime(int64_t ns) : ns_(ns) {}
  MonoTime Plus(int64_t ns) const {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
    if (is_infinite() || (ns > 0 && ns_ > kMax - ns)) return InfiniteFuture();
    if (ns < 0 && ns_ < kMin - ns) return MonoTime(kMin);
    return MonoTime(ns_ + ns);
  }

  int64_t ns_ = 0;
};

// A sticky signal from any number of ringers to one waiter: a ring with nobody waiting is kept for
// the next wait, and several rings before it count as one. Ring() costs an uncontended lock, and a
// system call only when somebody waits.
//
// Thread-safe.
class PENSTOCK_EXPORT Bell {
 public:
  Bell();
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void Ring();

  // Takes the ring if there is one. Never blocks.
  bool TryTake();

  // For implementations of Clock. Blocks until Ring(), Nudge() or `at_most` (real, monotonic);
  // takes the ring if there is one and says so. Nudge() wakes the waiter without ringing.
  bool WaitFor(absl::Duration at_most);
  void Nudge();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Open: implemented by the library (Real) and by tests (ManualClock).
//
// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual MonoTime Now() const = 0;

  // Blocks until `bell` rings (takes the ring, returns true) or Now() >= deadline (returns false).
  // Callers hold no lock.
  virtual bool WaitUntil(Bell& bell, MonoTime deadline) = 0;

  // CLOCK_MONOTONIC; lives for ever.
  PENSTOCK_EXPORT static Clock* Real();
};

}  // namespace penstock

#endif  // PENSTOCK_BASE_CLOCK_H_
