// SPDX-License-Identifier: Apache-2.0
//
// Built with -fno-exceptions -fno-rtti: the public headers allow it, and a host built this way can
// implement what is open. No test framework, so that nothing else decides the flags.
#include <cstdio>
#include <memory>
#include <utility>

#include "all_public_headers.h"

namespace {

class MyExecutor final : public penstock::Executor {
 public:
  void Schedule(Task task) override {
    ++scheduled;
    std::move(task)();
  }
  int scheduled = 0;
};

class MyClock final : public penstock::Clock {
 public:
  penstock::MonoTime Now() const override { return penstock::MonoTime::FromNanoseconds(7); }
  bool WaitUntil(penstock::Bell& bell, penstock::MonoTime) override { return bell.TryTake(); }
};

bool Expect(bool condition, const char* what) {
  if (!condition) std::fprintf(stderr, "failed: %s\n", what);
  return condition;
}

}  // namespace

int main() {
  MyExecutor executor;
  penstock::Executor* const as_executor = &executor;
  bool ran = false;
  as_executor->Schedule([&ran] { ran = true; });

  MyClock clock;
  penstock::Bell bell;
  bell.Ring();
  const std::unique_ptr<penstock::Executor> pool = penstock::NewThreadPool(1);

  bool ok = Expect(ran && executor.scheduled == 1, "a host's executor runs tasks");
  ok = Expect(clock.WaitUntil(bell, clock.Now()), "a host's clock takes a ring") && ok;
  ok = Expect(!penstock::Version().empty(), "the library says its version") && ok;
  return ok ? 0 : 1;
}
