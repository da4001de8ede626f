// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/base/executor.h"
#include "penstock/penstock.h"

namespace {

class MyExecutor final : public penstock::Executor {
 public:
  void Schedule(Task task) override { std::move(task)(); }
};

class MyClock final : public penstock::Clock {
 public:
  penstock::MonoTime Now() const override { return penstock::MonoTime::FromNanoseconds(7); }
  bool WaitUntil(penstock::Bell& bell, penstock::MonoTime) override { return bell.TryTake(); }
};

}  // namespace

int main() {
  const std::unique_ptr<penstock::Executor> executor = std::make_unique<MyExecutor>();
  const std::unique_ptr<penstock::Clock> clock = std::make_unique<MyClock>();
  bool ran = false;
  executor->Schedule([&ran] { ran = true; });
  penstock::Bell bell;
  bell.Ring();
  const bool rung = clock->WaitUntil(bell, clock->Now());
  std::puts(ran && rung ? "a host without RTTI works" : "failed");
  return ran && rung ? 0 : 1;
}
