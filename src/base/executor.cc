// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/executor.h"

#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "penstock/testing/manual_executor.h"

namespace penstock {
namespace {

class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(size_t threads) {
    PENSTOCK_CHECK(threads >= 1);
    threads_.reserve(threads);
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }

  ~ThreadPool() override {
    {
      internal::MutexLock lock(mu_);
      closing_ = true;
    }
    cv_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

  void Schedule(Task task) override {
    {
      internal::MutexLock lock(mu_);
      tasks_.push_back(std::move(task));
    }
    cv_.NotifyOne();
  }

 private:
  // noexcept: a task that throws ends the process, as the header says.
  void Work() noexcept {
    while (true) {
      Task task;
      {
        internal::MutexLock lock(mu_);
        while (tasks_.empty() && !closing_) cv_.Wait(mu_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      std::move(task)();
    }
  }

  internal::Mutex mu_;
  internal::CondVar cv_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

class Inline final : public Executor {
 public:
  void Schedule(Task task) override { std::move(task)(); }
};

}  // namespace

std::unique_ptr<Executor> NewThreadPool(size_t threads) {
  return std::make_unique<ThreadPool>(threads);
}

Executor* InlineExecutor() {
  static Inline* const executor = new Inline;
  return executor;
}

struct ManualExecutor::Rep {
  mutable internal::Mutex mu;
  std::deque<Task> tasks ABSL_GUARDED_BY(mu);
};

ManualExecutor::ManualExecutor() : rep_(std::make_unique<Rep>()) {}
ManualExecutor::~ManualExecutor() { RunAll(); }

void ManualExecutor::Schedule(Task task) {
  internal::MutexLock lock(rep_->mu);
  rep_->tasks.push_back(std::move(task));
}

size_t ManualExecutor::pending() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->tasks.size();
}

bool ManualExecutor::RunOne() {
  Task task;
  {
    internal::MutexLock lock(rep_->mu);
    if (rep_->tasks.empty()) return false;
    task = std::move(rep_->tasks.front());
    rep_->tasks.pop_front();
  }
  std::move(task)();
  return true;
}

size_t ManualExecutor::RunAll() {
  size_t ran = 0;
  while (RunOne()) ++ran;
  return ran;
}

}  // namespace penstock
