// SPDX-License-Identifier: Apache-2.0
//
// kv_cache: nanoseconds a block of 16 tokens, at 590 000 distinct blocks (2 304 prompts of 256), as
// in the bars.
//
//   sh bench/run.sh kv_bench [--benchmark_filter=Match]
//
// On a machine that others use, count instructions instead: valgrind --tool=callgrind, or perf
// stat.
#ifdef __linux__
#include <malloc.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "benchmark/benchmark.h"
#include "kv_cache/prefix_index.h"
#include "penstock/kv_cache.h"

namespace penstock {
namespace {

using internal::PrefixIndex;
using internal::PromptBlocks;

constexpr size_t kBlock = 16, kPromptBlocks = 256, kPrompts = 2304;

class NullStore final : public BlockStore {
 public:
  absl::Status Allocate(GroupId, Tier, absl::Span<BlockId> out) override {
    uint64_t next = next_.fetch_add(out.size(), std::memory_order_relaxed);
    for (BlockId& id : out) id = static_cast<BlockId>(next++);
    return absl::OkStatus();
  }
  void Free(GroupId, Tier, absl::Span<const BlockId>) override {}
  absl::Status Copy(absl::Span<const BlockCopy>) override { return absl::OkStatus(); }
  void Transfer(absl::Span<const BlockCopy>, Done done) override {
    std::move(done)(absl::OkStatus());
  }
  size_t BytesPerBlock(GroupId, Tier) const override { return 1; }

 private:
  std::atomic<uint64_t> next_{0};
};

std::vector<TokenId> Prompt(size_t i, size_t blocks = kPromptBlocks) {
  std::mt19937 rng(static_cast<uint32_t>(i));
  std::vector<TokenId> ids(blocks * kBlock + 1);
  for (TokenId& id : ids) id = static_cast<TokenId>(rng() % 128000);
  return ids;
}

const std::vector<std::vector<TokenId>>& Prompts() {
  static const auto* const prompts = [] {
    auto* p = new std::vector<std::vector<TokenId>>();
    for (size_t i = 0; i < kPrompts; ++i) p->push_back(Prompt(i));
    return p;
  }();
  return *prompts;
}

void InsertAll(PrefixIndex* index, BlockHandle root, const std::vector<TokenId>& ids) {
  const PromptBlocks prompt(index->hasher(), index->node(root).name, ids, {}, kBlock);
  BlockHandle at = root;
  for (size_t i = 0; i < prompt.names.size(); ++i) {
    if (i + 8 < prompt.names.size()) index->Prefetch(prompt.names[i + 8]);  // as Commit does
    at = index->Insert(at, prompt.names[i], ids.data() + i * kBlock, {}, Tier::kDevice);
    index->slots(at)[0] = static_cast<BlockId>(i);
  }
}

void BM_Match(benchmark::State& state) {
  PrefixIndex index(kBlock, 1, 7);
  const BlockHandle root = index.AddRoot(1, 0);
  for (const auto& ids : Prompts()) InsertAll(&index, root, ids);
  std::vector<BlockHandle> path;
  size_t i = 0;
  for (auto _ : state) {
    const auto& ids = Prompts()[(i += 977) % kPrompts];
    const PromptBlocks prompt(index.hasher(), 1, ids, {}, kBlock);
    path.clear();
    index.Match(root, prompt, kPromptBlocks, &path);
    if (path.size() != kPromptBlocks) state.SkipWithError("not all matched");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPromptBlocks));
  state.counters["metadata_bytes_per_block"] =
      static_cast<double>(index.metadata_bytes()) / static_cast<double>(index.blocks());
}
BENCHMARK(BM_Match);

void BM_Hash(benchmark::State& state) {
  const internal::BlockHasher hasher(7);
  size_t i = 0;
  for (auto _ : state) {
    const PromptBlocks prompt(&hasher, 1, Prompts()[(i += 977) % kPrompts], {}, kBlock);
    benchmark::DoNotOptimize(prompt.names.back());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPromptBlocks));
}
BENCHMARK(BM_Hash);

void BM_Insert(benchmark::State& state) {
  (void)Prompts();
  for (auto _ : state) {
    PrefixIndex index(kBlock, 1, 7);
    const BlockHandle root = index.AddRoot(1, 0);
    for (const auto& ids : Prompts()) InsertAll(&index, root, ids);
    benchmark::DoNotOptimize(index.blocks());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPrompts * kPromptBlocks));
}
BENCHMARK(BM_Insert)->Unit(benchmark::kMillisecond);

KVCache Filled(NullStore* store, bool lru, size_t blocks, bool bounded = false) {
  KVCacheOptions options;
  if (bounded) options.capacity_blocks = blocks + kPromptBlocks;  // a lease needs room of its own
  if (lru) options.policy = [] { return NewLruPolicy(); };
  KVCache cache = *KVCache::Create(store, options);
  for (size_t i = 0; i < blocks / kPromptBlocks; ++i) {
    KVRequest request;
    const std::vector<TokenId> ids = i < kPrompts ? Prompts()[i] : Prompt(i);
    request.tokens = ids;
    Lease lease = *cache.Acquire(request);
    if (!lease.Commit(ids.size()).ok()) std::abort();
  }
  return cache;
}

// Evictions alone, 256 at a time: victims, index removal, one call to the store.
void Evict(benchmark::State& state, bool lru) {
  NullStore store;
  const auto blocks = static_cast<size_t>(state.range(0));
  std::optional<KVCache> cache(Filled(&store, lru, blocks));
  size_t left = blocks;
  for (auto _ : state) {
    if (left < 1024) {
      state.PauseTiming();
      cache.emplace(Filled(&store, lru, blocks));
      left = blocks;
      state.ResumeTiming();
    }
    left -= 256;
    if (cache->Shrink(left) != 256) state.SkipWithError("evicted another number");
  }
  state.SetItemsProcessed(state.iterations() * 256);
}
void BM_EvictLru(benchmark::State& state) { Evict(state, true); }
void BM_EvictSession(benchmark::State& state) { Evict(state, false); }
BENCHMARK(BM_EvictLru)->Arg(1 << 14)->Arg(589824);
BENCHMARK(BM_EvictSession)->Arg(1 << 14)->Arg(589824);

// Acquire and release of a hit of 4 096 tokens; the last token's block is reserved and given back.
void BM_AcquireReleaseHit(benchmark::State& state) {
  static NullStore* store = nullptr;
  static KVCache* cache = nullptr;
  if (state.thread_index() == 0 && cache == nullptr) {
    store = new NullStore();
    cache = new KVCache(Filled(store, true, kPrompts * kPromptBlocks));
  }
  size_t i = static_cast<size_t>(state.thread_index()) * 31;
  std::vector<float> nanoseconds;
  nanoseconds.reserve(1 << 20);
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    KVRequest request;
    request.tokens = Prompts()[(i += 977) % kPrompts];
    absl::StatusOr<Lease> lease = cache->Acquire(request);
    if (!lease.ok() || lease->matched_tokens() != kPromptBlocks * kBlock)
      state.SkipWithError("not a hit");
    lease->Release();
    const std::chrono::duration<float, std::nano> took = std::chrono::steady_clock::now() - begin;
    nanoseconds.push_back(took.count());
  }
  state.SetItemsProcessed(state.iterations());
  std::sort(nanoseconds.begin(), nanoseconds.end());
  using benchmark::Counter;
  state.counters["p50_ns"] = Counter(nanoseconds[nanoseconds.size() / 2], Counter::kAvgThreads);
  state.counters["p99_ns"] =
      Counter(nanoseconds[nanoseconds.size() / 100 * 99], Counter::kAvgThreads);
}
BENCHMARK(BM_AcquireReleaseHit)->Threads(1)->Threads(2)->UseRealTime();

// The same with one request in twenty that nobody has asked before: it evicts, and is committed.
void BM_NineteenHitsAndAnInsert(benchmark::State& state) {
  static NullStore* store = nullptr;
  static KVCache* cache = nullptr;
  static std::atomic<TokenId> fresh{0};
  if (state.thread_index() == 0 && cache == nullptr) {
    store = new NullStore();
    cache = new KVCache(Filled(store, true, kPrompts * kPromptBlocks, /*bounded=*/true));
  }
  size_t i = static_cast<size_t>(state.thread_index()) * 31, hits = 0, n = 0;
  std::vector<TokenId> strange = Prompts()[static_cast<size_t>(state.thread_index())];
  for (auto _ : state) {
    KVRequest request;
    const bool insert = ++n % 20 == 0;
    if (insert) strange[0] = 200000 + fresh.fetch_add(1, std::memory_order_relaxed);
    // Among the newest half of what was there at first, so that LRU keeps it.
    request.tokens = insert ? strange : Prompts()[kPrompts / 2 + (i += 977) % (kPrompts / 2)];
    absl::StatusOr<Lease> lease = cache->Acquire(request);
    if (!lease.ok()) {
      state.SkipWithError("refused");
      break;
    }
    hits += lease->matched_tokens() == kPromptBlocks * kBlock ? 1 : 0;
    if (insert && !lease->Commit(strange.size()).ok()) state.SkipWithError("not committed");
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["hit_share"] =
      benchmark::Counter(static_cast<double>(hits) / static_cast<double>(state.iterations()),
                         benchmark::Counter::kAvgThreads);
}
BENCHMARK(BM_NineteenHitsAndAnInsert)->Threads(1)->Threads(2)->UseRealTime();

// Bytes of the process that are in memory.
size_t Resident() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  size_t all = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r"); f != nullptr) {
    if (std::fscanf(f, "%zu %zu", &all, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// What the process grows by for each cached block, the policy's share included; then with ghosts of
// as many blocks as the policy remembers. One run each.
void Metadata(benchmark::State& state, bool lru) {
  constexpr size_t kBlocks = kPrompts * kPromptBlocks;
  for (auto _ : state) {
    NullStore store;
    (void)Prompts();
    const size_t before = Resident();
    KVCache cache = Filled(&store, lru, kBlocks, /*bounded=*/true);
    const size_t filled = Resident();
    for (size_t i = kPrompts; i < 10 * kPrompts; ++i) {  // nine times as many blocks pass through
      KVRequest request;
      const std::vector<TokenId> ids = Prompt(i);
      request.tokens = ids;
      Lease lease = *cache.Acquire(request);
      if (!lease.Commit(ids.size()).ok()) std::abort();
    }
    const auto of = [&](size_t now) {
      return (static_cast<double>(now) - static_cast<double>(before)) /
             static_cast<double>(kBlocks);
    };
    state.counters["bytes_per_block"] = of(filled);
    state.counters["with_history"] = of(Resident());
  }
}
void BM_MetadataLru(benchmark::State& state) { Metadata(state, true); }
void BM_MetadataSession(benchmark::State& state) { Metadata(state, false); }
BENCHMARK(BM_MetadataLru)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_MetadataSession)->Iterations(1)->Unit(benchmark::kMillisecond);

void BM_Peek(benchmark::State& state) {
  NullStore store;
  KVCache cache = Filled(&store, true, kPrompts * kPromptBlocks);
  size_t i = 0;
  for (auto _ : state) {
    KVRequest request;
    request.tokens = Prompts()[(i += 977) % kPrompts];
    benchmark::DoNotOptimize(cache.Peek(request).tokens);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPromptBlocks));
}
BENCHMARK(BM_Peek);

}  // namespace
}  // namespace penstock
