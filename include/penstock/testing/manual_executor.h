// SPDX-License-Identifier: Apache-2.0
//
// An executor that runs a task when told to, on the thread that says so.
//
//   ManualExecutor executor;
//   executor.Schedule(task);                      // nothing happens
//   executor.RunAll();                            // runs it, and whatever it scheduled
#ifndef PENSTOCK_TESTING_MANUAL_EXECUTOR_H_
#define PENSTOCK_TESTING_MANUAL_EXECUTOR_H_

#include <cstddef>
#include <memory>

#include "penstock/base/executor.h"
#include "penstock/base/export.h"

namespace penstock {

// Thread-safe.
class PENSTOCK_EXPORT ManualExecutor final : public Executor {
 public:
  ManualExecutor();
  ~ManualExecutor() override;  // runs what is left

  void Schedule(Task task) override;

  size_t pending() const;
  bool RunOne();    // the oldest task; false if there was none
  size_t RunAll();  // until none is left; returns how many ran

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTING_MANUAL_EXECUTOR_H_
