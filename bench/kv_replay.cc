// SPDX-License-Identifier: Apache-2.0
//
// Replays a request trace through the real KVCache, beside the infinite cache, a naive LRU and the
// offline optimum.
//
//   sh bench/run.sh kv_replay --trace FILE [--trace FILE …] [--policy NAME|all] [--capacity N,N,…]
//       [--hint 0.8] [--score-from 0.5] [--seed 1] [--bytes-per-token N] [--no-optimum]
//
// FILE: Mooncake form, plain or .gz; or make:NAME, a synthetic one (kv_synthetic.h); make:all.
// NAME: lru, session, s3fifo, sieve, gdsf. --hint: the host says of each request whether it will be
// continued, and is right with this probability. --score-from: this share of the requests only
// fills the cache and teaches the policy, which learns at run time alone: 0.5 is "fitted on the
// first half, reported on the second".
//
// The optimum may exceed the capacity while a request runs: an upper bound for the other rows,
// exact for caches that may do so.
//
// A trace block stands as one cache block of two tokens (its id, twice); one token more ends each
// prompt, because the cache leaves the last token of a prompt to be computed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench/bench_header.h"
#include "bench/kv_policies.h"
#include "bench/kv_synthetic.h"
#include "bench/kv_trace.h"
#include "penstock/kv_cache.h"
#include "penstock/testing/manual_clock.h"

namespace penstock {
namespace {

constexpr size_t kBlockTokens = 512;

// Names blocks, stores nothing.
class NullStore final : public BlockStore {
 public:
  absl::Status Allocate(GroupId, Tier, absl::Span<BlockId> out) override {
    for (BlockId& id : out) id = static_cast<BlockId>(next_++);
    return absl::OkStatus();
  }
  void Free(GroupId, Tier, absl::Span<const BlockId>) override {}
  absl::Status Copy(absl::Span<const BlockCopy>) override { return absl::OkStatus(); }
  void Transfer(absl::Span<const BlockCopy>, Done done) override {
    std::move(done)(absl::OkStatus());
  }
  size_t BytesPerBlock(GroupId, Tier) const override { return 1; }

 private:
  uint64_t next_ = 0;
};

struct Arguments {
  std::vector<std::string> traces;
  std::vector<std::string> policies = {"lru", "session"};
  std::vector<size_t> capacities = {1000, 2000, 5000, 10000, 20000, 50000};
  double hint = 0;
  uint64_t seed = 1;
  double score_from = 0;
  double bytes_per_token =
      131072;  // 8 B parameters, grouped K/V, 16 bit: for the bytes column only
  bool optimum = true;
};

std::function<std::unique_ptr<EvictionPolicy>()> PolicyByName(const std::string& name) {
  if (name == "lru") return [] { return NewLruPolicy(); };
  if (name == "session") return [] { return NewSessionPolicy(); };
  if (name == "session-unguarded") {
    return [] {
      SessionPolicyOptions options;
      options.lru_guard = false;
      return NewSessionPolicy(options);
    };
  }
  if (name == "s3fifo") return [] { return NewS3FifoPolicy(); };
  if (name == "sieve") return [] { return NewSievePolicy(); };
  if (name == "gdsf") return [] { return NewGdsfPolicy(); };
  return nullptr;
}

struct Replayed {
  TraceScore score;
  double ns_per_block = 0;
};

Replayed Replay(const std::vector<TraceRequest>& trace, const std::vector<bool>& continues,
                size_t capacity, const std::string& policy, double hint, size_t score_from) {
  NullStore store;
  ManualClock clock;
  KVCacheOptions options;
  options.block_tokens = 2;
  options.capacity_blocks = capacity + 1;  // one for the token that ends a prompt
  options.min_partial_tokens.reset();
  options.clock = &clock;
  options.policy = PolicyByName(policy);
  KVCache cache = *KVCache::Create(&store, options);
  std::mt19937_64 rng(1);
  Replayed result;
  std::vector<TokenId> ids;
  double now = 0;
  uint64_t references = 0;
  std::chrono::nanoseconds spent{0};
  for (size_t r = 0; r < trace.size(); ++r) {
    const TraceRequest& request = trace[r];
    if (request.seconds > now) {
      clock.Advance(absl::Seconds(request.seconds - now));
      now = request.seconds;
    }
    ids.clear();
    for (int32_t block : request.blocks) ids.insert(ids.end(), 2, block);
    ids.push_back(0);
    KVRequest kv;
    kv.tokens = ids;
    if (hint > 0) {
      const bool right = static_cast<double>(rng() >> 11) / 9007199254740992.0 < hint;
      kv.hint.p_reuse = continues[r] == right ? hint : 1 - hint;
    }
    const auto begin = std::chrono::steady_clock::now();
    absl::StatusOr<Lease> lease = cache.Acquire(kv);
    size_t hits = 0;
    if (lease.ok()) {
      hits = lease->matched_tokens() / 2;
      if (!lease->Commit(ids.size()).ok()) std::abort();
      lease->Release();
    }
    spent += std::chrono::steady_clock::now() - begin;
    references += request.blocks.size();
    if (r >= score_from) result.score.Add(request, hits, kBlockTokens);
  }
  if (absl::Status sound = cache.CheckInvariants(); !sound.ok()) {
    std::fprintf(stderr, "%s\n", sound.ToString().c_str());
    std::abort();
  }
  result.ns_per_block =
      static_cast<double>(spent.count()) / static_cast<double>(std::max<uint64_t>(references, 1));
  return result;
}

void Row(const char* name, const TraceScore& score, double lru, double best, double bytes_per_token,
         double ns) {
  std::printf("  %-18s  %7.4f  %7.4f  %9.1f", name, score.block_rate(), score.token_rate(),
              static_cast<double>(score.token_hits) * bytes_per_token / 1e9);
  if (best > lru && lru >= 0) {
    std::printf("  %+7.2f  %6.1f%%", 100 * (score.block_rate() - lru),
                100 * (score.block_rate() - lru) / (best - lru));
  } else {
    std::printf("  %7s  %7s", "", "");
  }
  if (ns > 0) std::printf("  %7.0f", ns);
  std::printf("\n");
}

// A file, or "make:NAME" for a synthetic trace.
std::vector<TraceRequest> Load(const std::string& path, uint64_t seed, std::string* error) {
  if (path.rfind("make:", 0) != 0) return ReadTrace(path, error);
  std::vector<TraceRequest> trace = MakeTrace(path.substr(5), seed);
  if (trace.empty()) *error = path + ": no such synthetic trace";
  return trace;
}

int Main(const Arguments& arguments) {
  for (const std::string& path : arguments.traces) {
    std::string error;
    const std::vector<TraceRequest> trace = Load(path, arguments.seed, &error);
    if (!error.empty()) {
      std::fprintf(stderr, "%s\n", error.c_str());
      return 1;
    }
    const std::vector<bool> continues = WillContinue(trace);
    const auto from = static_cast<size_t>(arguments.score_from * static_cast<double>(trace.size()));
    const TraceScore infinite = InfiniteCache(trace, from, kBlockTokens);
    std::printf("\n%s: %zu requests, %zu scored, %llu block references\n", path.c_str(),
                trace.size(), trace.size() - from,
                static_cast<unsigned long long>(infinite.blocks));
    std::printf("  %-18s  %7s  %7s  %9s  %7s  %7s  %7s\n", "policy", "blocks", "tokens", "GB saved",
                "vs LRU", "of gap", "ns/blk");
    Row("infinite", infinite, -1, 0, arguments.bytes_per_token, 0);
    for (size_t capacity : arguments.capacities) {
      const TraceScore lru = NaiveLru(trace, capacity, from, kBlockTokens);
      const TraceScore best =
          arguments.optimum ? OfflineOptimum(trace, capacity, from, kBlockTokens) : TraceScore();
      std::printf(" %zu blocks\n", capacity);
      if (arguments.optimum) Row("offline optimum", best, -1, 0, arguments.bytes_per_token, 0);
      Row("naive LRU", lru, -1, 0, arguments.bytes_per_token, 0);
      for (const std::string& policy : arguments.policies) {
        const Replayed run = Replay(trace, continues, capacity, policy, 0, from);
        Row(policy.c_str(), run.score, lru.block_rate(), best.block_rate(),
            arguments.bytes_per_token, run.ns_per_block);
        if (arguments.hint > 0 && policy.rfind("session", 0) == 0) {
          const Replayed hinted = Replay(trace, continues, capacity, policy, arguments.hint, from);
          Row((policy + " hinted").c_str(), hinted.score, lru.block_rate(), best.block_rate(),
              arguments.bytes_per_token, hinted.ns_per_block);
        }
      }
    }
  }
  std::printf(
      "\nns/blk: wall clock of Acquire, Commit and Release over block references; only a quiet "
      "machine's counts.\n");
  return 0;
}

bool Parse(int argc, char** argv, Arguments* a) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--no-optimum") {
      a->optimum = false;
      continue;
    }
    if (i + 1 >= argc) return false;
    const std::string value = argv[++i];
    if (flag == "--trace") {
      if (value == "make:all") {
        for (const std::string& name : SyntheticNames()) a->traces.push_back("make:" + name);
      } else {
        a->traces.push_back(value);
      }
    } else if (flag == "--seed") {
      a->seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (flag == "--policy") {
      a->policies = {value};
      if (value == "all") a->policies = {"lru", "session", "s3fifo", "sieve", "gdsf"};
      for (const std::string& p : a->policies) {
        if (PolicyByName(p) == nullptr) return false;
      }
    } else if (flag == "--capacity") {
      a->capacities.clear();
      for (const char* p = value.c_str(); *p != '\0';) {
        char* end = nullptr;
        a->capacities.push_back(std::strtoull(p, &end, 10));
        if (end == p) return false;
        p = *end == ',' ? end + 1 : end;
      }
    } else if (flag == "--hint") {
      a->hint = std::strtod(value.c_str(), nullptr);
    } else if (flag == "--score-from") {
      a->score_from = std::strtod(value.c_str(), nullptr);
    } else if (flag == "--bytes-per-token") {
      a->bytes_per_token = std::strtod(value.c_str(), nullptr);
    } else {
      return false;
    }
  }
  return !a->traces.empty();
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  if (!penstock::PrintBenchHeader(argv[0])) return 2;
  penstock::Arguments arguments;
  if (!penstock::Parse(argc, argv, &arguments)) {
    std::fprintf(stderr,
                 "usage: kv_replay --trace FILE [--trace FILE ...] [--policy "
                 "lru|session|s3fifo|sieve|gdsf|all]\n"
                 "                 [--capacity N,N,...] [--hint P] [--score-from SHARE] "
                 "[--bytes-per-token N] [--no-optimum]\n");
    return 2;
  }
  return penstock::Main(arguments);
}
