// SPDX-License-Identifier: Apache-2.0
//
// A clock that moves only when told to, for tests without sleeps.
//
//   ManualClock clock;
//   MonoTime t = clock.Now();
//   clock.Advance(absl::Milliseconds(50));        // wakes every waiter whose deadline has come
//   clock.Now() - t == absl::Milliseconds(50)     // exactly
#ifndef PENSTOCK_TESTING_MANUAL_CLOCK_H_
#define PENSTOCK_TESTING_MANUAL_CLOCK_H_

#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"

namespace penstock {

// Thread-safe.
class PENSTOCK_EXPORT ManualClock final : public Clock {
 public:
  // Starts at one second after its epoch, so that subtracting a little stays positive.
  ManualClock();
  ~ManualClock() override;

  MonoTime Now() const override;
  bool WaitUntil(Bell& bell, MonoTime deadline) override;

  // Moves time forward, or back for tests of clocks that misbehave.
  void Advance(absl::Duration by);

  // Blocks until `count` threads are inside WaitUntil: what a test waits for instead of sleeping.
  void AwaitWaiters(size_t count);

  // The earliest deadline anyone waits for; InfiniteFuture() when nobody waits.
  MonoTime next_deadline() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTING_MANUAL_CLOCK_H_
