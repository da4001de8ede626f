// SPDX-License-Identifier: Apache-2.0
//
// What the batcher costs: Submit, refusal, cancel; beside queues that a host would otherwise put
// callbacks into.
//
//   sh bench/run.sh batch_bench [rounds=9] [ops=200000] [submit] [whole] [refuse] [cancel]
//
// Every queue carries the same: a request (8 bytes), a callback (AnyInvocable), the time of
// submission read from the steady clock; bounded; one consumer thread runs every callback. The
// batcher additionally checks options, returns a ticket, learns, counts and keeps four histograms.
// oneTBB and moodycamel take part where their headers are installed (libtbb-dev,
// libconcurrentqueue-dev). moodycamel's queue is neither bounded nor first-in-first-out across
// producers. Figures: ns per operation as the producer sees it, median of the rounds; "through"
// until the last callback has run.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/batcher.h"
#ifdef PENSTOCK_BENCH_TBB
#include <tbb/concurrent_queue.h>
#endif
#if __has_include(<concurrentqueue/blockingconcurrentqueue.h>)
#include <concurrentqueue/blockingconcurrentqueue.h>
#define PENSTOCK_BENCH_MOODYCAMEL 1
#endif

namespace penstock {
namespace {

using IntBatch = Batch<uint64_t, uint64_t>;
using IntBatcher = Batcher<uint64_t, uint64_t>;
using Callback = IntBatcher::Callback;

constexpr size_t kBound = 4'000'000;

struct Item {
  uint64_t request = 0;
  Callback callback;
  MonoTime submitted;
};

double NowNs() { return static_cast<double>(Clock::Real()->Now().nanoseconds()); }

// Of this thread: what a busy machine leaves alone.
double CpuNs() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// A queue under test: Push from any thread; whatever is pushed gets its callback run by another
// thread.
class Queue {
 public:
  virtual ~Queue() = default;
  virtual bool Push(uint64_t request, Callback callback) = 0;
};

class BatcherQueue final : public Queue {
 public:
  BatcherQueue() {
    BatcherOptions options;
    options.max_queue_requests = kBound;
    options.max_batch_requests = 256;
    batcher_ = std::make_unique<IntBatcher>(*IntBatcher::Create(options, [](IntBatch batch) {
      for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, batch.request(i));
    }));
  }
  bool Push(uint64_t request, Callback callback) override {
    return batcher_->Submit(std::move(request), options_, std::move(callback)).ok();
  }

 private:
  const SubmitOptions options_;
  std::unique_ptr<IntBatcher> batcher_;
};

void RunItem(Item& item) {
  std::move(item.callback)(absl::StatusOr<uint64_t>(item.request), CompletionInfo());
}

class MutexDeque final : public Queue {
 public:
  MutexDeque() : consumer_([this] { Consume(); }) {}
  ~MutexDeque() override {
    {
      const std::lock_guard<std::mutex> lock(mu_);
      stop_ = true;
    }
    cv_.notify_one();
    consumer_.join();
  }
  bool Push(uint64_t request, Callback callback) override {
    const MonoTime now = Clock::Real()->Now();
    {
      const std::lock_guard<std::mutex> lock(mu_);
      if (items_.size() >= kBound) return false;
      items_.push_back({request, std::move(callback), now});
    }
    cv_.notify_one();
    return true;
  }

 private:
  void Consume() {
    while (true) {
      Item item;
      {
        std::unique_lock<std::mutex> lock(mu_);
        cv_.wait(lock, [this] { return stop_ || !items_.empty(); });
        if (items_.empty()) return;
        item = std::move(items_.front());
        items_.pop_front();
      }
      RunItem(item);
    }
  }
  std::mutex mu_;
  std::condition_variable cv_;
  std::deque<Item> items_;
  bool stop_ = false;
  std::thread consumer_;
};

// D. Vyukov's bounded ring. An idle consumer yields, or (kBlocks) tries again for a while and then
// sleeps: it says so, looks once more, and a producer that reads it after its push wakes it.
template <bool kBlocks>
class Ring final : public Queue {
 public:
  Ring() : cells_(1 << 22), consumer_([this] { Consume(); }) {
    for (size_t i = 0; i < cells_.size(); ++i) cells_[i].sequence.store(i);
    ready_.store(true);
  }
  ~Ring() override {
    stop_.store(true);
    Wake();
    consumer_.join();
  }
  bool Push(uint64_t request, Callback callback) override {
    const MonoTime now = Clock::Real()->Now();
    size_t at = tail_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[at & (cells_.size() - 1)];
      const auto lead = static_cast<int64_t>(cell.sequence.load(std::memory_order_acquire) - at);
      if (lead < 0) return false;
      if (lead == 0 && tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
        cell.item = {request, std::move(callback), now};
        cell.sequence.store(at + 1, std::memory_order_release);
        if (kBlocks) {
          std::atomic_thread_fence(std::memory_order_seq_cst);
          if (asleep_.load(std::memory_order_relaxed)) Wake();
        }
        return true;
      }
      if (lead > 0) at = tail_.load(std::memory_order_relaxed);
    }
  }

 private:
  struct Cell {
    std::atomic<size_t> sequence{0};
    Item item;
  };
  void Wake() {
    {
      const std::lock_guard<std::mutex> lock(mu_);
      asleep_.store(false, std::memory_order_relaxed);
    }
    cv_.notify_one();
  }
  // Until cell `at` is filled, or `stop_`.
  void Idle(const Cell& cell, size_t at, int* tries) {
    if (!kBlocks || ++*tries < 100) return std::this_thread::yield();
    *tries = 0;
    std::unique_lock<std::mutex> lock(mu_);
    asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (cell.sequence.load(std::memory_order_acquire) == at + 1 || stop_.load()) {
      asleep_.store(false, std::memory_order_relaxed);
      return;
    }
    cv_.wait(lock, [this] { return !asleep_.load(std::memory_order_relaxed); });
  }
  void Consume() {
    while (!ready_.load()) std::this_thread::yield();
    int tries = 0;
    for (size_t at = 0;;) {
      Cell& cell = cells_[at & (cells_.size() - 1)];
      if (cell.sequence.load(std::memory_order_acquire) != at + 1) {
        if (stop_.load()) return;
        Idle(cell, at, &tries);
        continue;
      }
      Item item = std::move(cell.item);
      cell.sequence.store(at + cells_.size(), std::memory_order_release);
      ++at;
      RunItem(item);
    }
  }
  std::vector<Cell> cells_;
  std::atomic<size_t> tail_{0};
  std::atomic<bool> ready_{false}, stop_{false}, asleep_{false};
  std::mutex mu_;
  std::condition_variable cv_;
  std::thread consumer_;
};

#ifdef PENSTOCK_BENCH_TBB
class Tbb final : public Queue {
 public:
  Tbb() : consumer_([this] { Consume(); }) { items_.set_capacity(kBound); }
  ~Tbb() override {
    items_.push(std::make_shared<Item>());
    consumer_.join();
  }
  // Copyable elements are required: the callback is shared.
  bool Push(uint64_t request, Callback callback) override {
    auto item = std::make_shared<Item>();
    *item = {request, std::move(callback), Clock::Real()->Now()};
    return items_.try_push(std::move(item));
  }

 private:
  void Consume() {
    while (true) {
      std::shared_ptr<Item> item;
      items_.pop(item);
      if (item->callback == nullptr) return;
      RunItem(*item);
    }
  }
  tbb::concurrent_bounded_queue<std::shared_ptr<Item>> items_;
  std::thread consumer_;
};
#endif

#ifdef PENSTOCK_BENCH_MOODYCAMEL
class Moodycamel final : public Queue {
 public:
  Moodycamel() : consumer_([this] { Consume(); }) {}
  ~Moodycamel() override {
    items_.enqueue(Item());
    consumer_.join();
  }
  bool Push(uint64_t request, Callback callback) override {
    return items_.enqueue(Item{request, std::move(callback), Clock::Real()->Now()});
  }

 private:
  void Consume() {
    while (true) {
      Item item;
      items_.wait_dequeue(item);
      if (item.callback == nullptr) return;
      RunItem(item);
    }
  }
  moodycamel::BlockingConcurrentQueue<Item> items_;
  std::thread consumer_;
};
#endif

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <class Q>
void SubmitRow(const char* name, size_t producers, size_t rounds, size_t ops) {
  std::vector<double> push, through, p999;
  for (size_t round = 0; round < rounds + 1; ++round) {
    Q queue;
    std::atomic<size_t> ran{0};
    std::vector<std::thread> threads;
    std::vector<std::vector<double>> blocks(producers);
    std::atomic<size_t> ready{0};
    const double start = NowNs();
    for (size_t p = 0; p < producers; ++p) {
      threads.emplace_back([&, p] {
        blocks[p].reserve(ops / 16 + 1);
        ready.fetch_add(1);
        while (ready.load() < producers) {
        }
        for (size_t i = 0; i < ops; i += 16) {
          const double before = NowNs();
          for (size_t k = 0; k < 16; ++k) {
            queue.Push(i + k, [&ran](absl::StatusOr<uint64_t>, const CompletionInfo&) {
              ran.fetch_add(1, std::memory_order_relaxed);
            });
          }
          blocks[p].push_back((NowNs() - before) / 16);
        }
      });
    }
    for (std::thread& t : threads) t.join();
    while (ran.load() < producers * ops) std::this_thread::yield();
    const double took = NowNs() - start;
    if (round == 0) continue;  // warm-up
    std::vector<double> all;
    for (const auto& b : blocks) all.insert(all.end(), b.begin(), b.end());
    push.push_back(Median(all));
    std::sort(all.begin(), all.end());
    p999.push_back(all[all.size() * 999 / 1000]);
    through.push_back(took / static_cast<double>(producers * ops));
  }
  std::printf("  %-34s %9zu %12.0f %12.0f %12.0f\n", name, producers, Median(push), Median(p999),
              Median(through));
  std::fflush(stdout);
}

void SubmitRows(size_t rounds, size_t ops) {
  std::printf(
      "\nSubmit, ns per operation (a block of 16), one consumer\n  %-34s %9s %12s %12s %12s\n", "",
      "producers", "p50", "p99.9", "through");
  for (const size_t producers : {1, 2}) {
    SubmitRow<BatcherQueue>("Batcher", producers, rounds, ops);
    SubmitRow<MutexDeque>("mutex + deque + condition variable", producers, rounds, ops);
    SubmitRow<Ring<false>>("bounded ring (Vyukov), yielding", producers, rounds, ops);
    SubmitRow<Ring<true>>("bounded ring (Vyukov), blocking", producers, rounds, ops);
#ifdef PENSTOCK_BENCH_TBB
    SubmitRow<Tbb>("tbb::concurrent_bounded_queue", producers, rounds, ops);
#endif
#ifdef PENSTOCK_BENCH_MOODYCAMEL
    SubmitRow<Moodycamel>("moodycamel blocking (unbounded)", producers, rounds, ops);
#endif
  }
}

void RejectRow(size_t rounds, size_t ops) {
  BatcherOptions options;
  options.max_queue_requests = 1;
  options.former_thread = false;
  IntBatcher batcher = *IntBatcher::Create(options, [](IntBatch) {});
  const SubmitOptions submit;
  const auto nothing = [](absl::StatusOr<uint64_t>, const CompletionInfo&) {};
  batcher.Submit(1, submit, nothing).IgnoreError();
  std::vector<double> ns;
  for (size_t round = 0; round < rounds; ++round) {
    Callback callback = nothing;
    const double start = CpuNs();
    for (size_t i = 0; i < ops; ++i) {
      batcher.Submit(uint64_t{i}, submit, std::move(callback)).IgnoreError();
    }
    ns.push_back((CpuNs() - start) / static_cast<double>(ops));
  }
  std::printf("  refusal when full: %.0f ns of CPU\n", Median(ns));
}

// Submit to callback on one thread, without hand-offs: what the batcher does for a request.
void WholeRow(size_t rounds, size_t ops) {
  BatcherOptions options;
  options.max_batch_requests = 256;
  options.former_thread = false;
  IntBatcher batcher = *IntBatcher::Create(options, [](IntBatch batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, batch.request(i));
  });
  const SubmitOptions submit;
  std::vector<double> push, rest;
  uint64_t ran = 0;
  for (size_t round = 0; round < rounds + 1; ++round) {
    double push_ns = 0, rest_ns = 0;
    for (size_t i = 0; i < ops; i += 256) {
      const double start = CpuNs();
      for (size_t k = 0; k < 256; ++k) {
        batcher
            .Submit(i + k, submit,
                    [&ran](absl::StatusOr<uint64_t>, const CompletionInfo&) { ++ran; })
            .IgnoreError();
      }
      const double submitted = CpuNs();
      batcher.PollOnce();
      push_ns += submitted - start;
      rest_ns += CpuNs() - submitted;
    }
    if (round == 0) continue;
    push.push_back(push_ns / static_cast<double>(ops));
    rest.push_back(rest_ns / static_cast<double>(ops));
  }
  std::printf(
      "  on one thread, batches of 256: Submit %.0f ns, from there to the end of its callback %.0f "
      "ns of CPU\n",
      Median(push), Median(rest));
  std::fflush(stdout);
}

void CancelRow() {
  constexpr size_t kMany = 1'000'000;
  BatcherOptions options;
  options.max_queue_requests = kMany;
  options.former_thread = false;
  options.mode = BatchMode::kFullOrTimeout;
  options.max_delay = absl::Hours(1);
  IntBatcher batcher = *IntBatcher::Create(options, [](IntBatch) {});
  std::vector<Ticket> tickets(kMany);
  for (int round = 0; round < 3; ++round) {
    malloc_trim(0);
    const auto before = mallinfo2();
    for (size_t i = 0; i < kMany; ++i) {
      tickets[i] = *batcher.Submit(uint64_t{i}, SubmitOptions(),
                                   [](absl::StatusOr<uint64_t>, const CompletionInfo&) {});
    }
    const auto full = mallinfo2();
    const double start = NowNs(), cpu_start = CpuNs();
    for (const Ticket& t : tickets) batcher.Cancel(t);
    const double seconds = (NowNs() - start) * 1e-9, cpu = (CpuNs() - cpu_start) * 1e-9;
    malloc_trim(0);
    const auto after = mallinfo2();
    const auto mib = [](const auto& m) {
      return static_cast<double>(m.uordblks + m.hblkhd) / (1 << 20);
    };
    std::printf(
        "  a million cancels: %.3f s (%.3f s of CPU); memory %.1f MiB before, %.1f full (%.0f B a "
        "request), "
        "%.1f after\n",
        seconds, cpu, mib(before), mib(full),
        (mib(full) - mib(before)) * (1 << 20) / static_cast<double>(kMany), mib(after));
  }
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  size_t rounds = 9, ops = 200'000;
  std::vector<std::string> asked;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "rounds=", 7) == 0) {
      rounds = std::strtoull(argv[i] + 7, nullptr, 10);
    } else if (std::strncmp(argv[i], "ops=", 4) == 0) {
      ops = std::strtoull(argv[i] + 4, nullptr, 10);
    } else {
      asked.push_back(argv[i]);
    }
  }
  const auto wanted = [&asked](const char* name) {
    return asked.empty() || std::find(asked.begin(), asked.end(), name) != asked.end();
  };
  if (wanted("submit")) SubmitRows(rounds, ops);
  if (wanted("whole")) WholeRow(rounds, ops);
  if (wanted("refuse")) RejectRow(rounds, ops);
  if (wanted("cancel")) CancelRow();
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
