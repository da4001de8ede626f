// SPDX-License-Identifier: Apache-2.0
//
// Where work runs. A host that has a thread pool implements Executor over it; the library needs no
// other hook.
//
//   std::unique_ptr<Executor> pool = NewThreadPool(4);
//   pool->Schedule([] { Work(); });
//   pool.reset();                                 // runs what was scheduled, then joins
//
// Tests use ManualExecutor (penstock/testing/manual_executor.h) or InlineExecutor().
#ifndef PENSTOCK_BASE_EXECUTOR_H_
#define PENSTOCK_BASE_EXECUTOR_H_

#include <cstddef>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "penstock/base/export.h"

namespace penstock {

// Open: implemented by the library and by hosts.
//
// Thread-safe.
class Executor {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  virtual ~Executor() = default;

  // Runs `task` exactly once, now or later, on any thread. Tasks must not throw. An executor that
  // is destroyed runs what it still holds before its destructor returns.
  virtual void Schedule(Task task) = 0;
};

// `threads` threads and one FIFO queue without a bound: whoever schedules bounds the work. Tasks
// may schedule tasks. The destructor runs everything scheduled before it, then joins; it must not
// run on one of the pool's own threads.
//
// REQUIRES: threads >= 1.
PENSTOCK_EXPORT std::unique_ptr<Executor> NewThreadPool(size_t threads);

// Runs each task inside Schedule(), on the caller's stack. Lives for ever.
PENSTOCK_EXPORT Executor* InlineExecutor();

}  // namespace penstock

#endif  // PENSTOCK_BASE_EXECUTOR_H_
