// SPDX-License-Identifier: Apache-2.0
//
// Speed of the tokenizers of a data folder on its texts.
//
//   sh bench/run.sh tokenizer_bench speed [FILE[,ENCODING]…]   MB/s, ns a token: first pass, again,
//                                                              count, ids in parts, load
//   sh bench/run.sh tokenizer_bench words [FILE…]              one word of 1 MiB: letters, runs
//   sh bench/run.sh tokenizer_bench batch [FILE…]              batches over threads
//   sh bench/run.sh tokenizer_bench cache [FILE…]              CachedTokenizer: hit, miss, and the
//                                                              published ratios beside ours
//   sh bench/run.sh tokenizer_bench huge MIB [FILE…]           a text of so many MiB through
//                                                              EncodeTo: memory beside the text
//
//   … tokenizer_bench once SHAPE BYTES FILE                    one such word once, to be counted
//
// PENSTOCK_TEST_DATA: a folder with vocab/ and corpus/ (en, zh, code, multi). FILE is relative to
// its vocab/. Every pass is checked against the first (ids, counts) before a figure is printed.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/base/executor.h"
#include "penstock/tokenizer.h"
#include "penstock/tokenizer/batch_encoding.h"
#include "penstock/tokenizer/cached_tokenizer.h"

namespace penstock {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Vocab {
  std::string name;
  TokenizerPtr tokenizer;
  double load_ms = 0;
};

struct Text {
  std::string name, bytes;
};

double Seconds(const std::function<void()>& f) {
  const auto start = SteadyClock::now();
  f();
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double BestOf(int n, const std::function<void()>& f) {
  double best = 1e9;
  while (n-- > 0) best = std::min(best, Seconds(f));
  return best;
}

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "tokenizer_bench: %s\n", what);
  std::exit(1);
}

std::string Folder() {
  const char* const folder = std::getenv("PENSTOCK_TEST_DATA");
  Require(folder != nullptr, "PENSTOCK_TEST_DATA names no folder with vocab/ and corpus/");
  return folder;
}

Vocab Load(const std::string& spec) {
  const size_t comma = spec.find(',');
  LoadOptions options;
  if (comma != std::string::npos) options.encoding = spec.substr(comma + 1);
  Vocab v{spec.substr(0, comma), nullptr, 0};
  v.load_ms = 1e3 * Seconds([&] {
                absl::StatusOr<TokenizerPtr> t =
                    LoadTokenizer(Folder() + "/vocab/" + v.name, options);
                if (!t.ok()) std::fprintf(stderr, "%s\n", t.status().ToString().c_str());
                Require(t.ok(), "a vocabulary does not load");
                v.tokenizer = *std::move(t);
              });
  return v;
}

std::vector<std::string> Specs(int argc, char** argv, int from) {
  std::vector<std::string> specs(argv + std::min(from, argc), argv + argc);
  if (!specs.empty()) return specs;
  return {"gpt2/gpt2.tiktoken,gpt2",
          "cl100k_base/cl100k_base.tiktoken,cl100k_base",
          "llama3/tokenizer.model,llama3",
          "llama3/tokenizer.json",
          "qwen3/tokenizer.json",
          "mistral-nemo/tokenizer.json",
          "deepseek-llm/ggml-vocab-deepseek-llm.gguf",
          "llama2/tokenizer.model",
          "llama2/tokenizer.repaired.json",
          "t5-small/spiece.model",
          "t5-small/tokenizer.json",
          "bert-base-uncased/vocab.txt"};
}

std::vector<Text> Corpus(size_t bytes) {
  std::vector<Text> texts;
  for (const char* name : {"en", "zh", "code", "multi"}) {
    std::ifstream in(Folder() + "/corpus/" + name + ".txt", std::ios::binary);
    std::string text(bytes, '\0');
    in.read(&text[0], static_cast<std::streamsize>(bytes));
    text.resize(static_cast<size_t>(in.gcount()));
    Require(!text.empty(), "corpus/ lacks en.txt, zh.txt, code.txt or multi.txt");
    texts.push_back({name, std::move(text)});
  }
  return texts;
}

void Speed(const std::vector<std::string>& specs) {
  const std::vector<Text> texts = Corpus(size_t{2} << 20);
  std::printf("%-44s %8s  text     first MB/s  again MB/s  ns/token   count MB/s  parts MB/s\n",
              "vocabulary", "load ms");
  for (const std::string& spec : specs) {
    const Vocab v = Load(spec);
    for (const Text& text : texts) {
      const double mb = static_cast<double>(text.bytes.size()) / 1e6;
      std::vector<TokenId> ids, again;
      const double first = Seconds([&] { ids = v.tokenizer->EncodeIds(text.bytes); });
      const double best = BestOf(2, [&] { again = v.tokenizer->EncodeIds(text.bytes); });
      Require(again == ids, "two passes differ");
      size_t count = 0;
      const double counted = Seconds([&] { count = v.tokenizer->Count(text.bytes); });
      Require(count == ids.size(), "Count() differs");
      again.clear();
      const double parts = Seconds([&] {
        const absl::Status status =
            v.tokenizer->EncodeTo(text.bytes, [&](absl::Span<const TokenId> more) {
              again.insert(again.end(), more.begin(), more.end());
              return absl::OkStatus();
            });
        Require(status.ok(), "EncodeTo() failed");
      });
      Require(again == ids, "EncodeTo() differs");
      std::printf("%-44s %8.1f  %-7s %11.1f %11.1f %9.1f %12.1f %11.1f\n", v.name.c_str(),
                  v.load_ms, text.name.c_str(), mb / first, mb / best,
                  1e9 * best / static_cast<double>(ids.size()), mb / counted, mb / parts);
      std::fflush(stdout);
    }
  }
}

std::vector<Text> LongWords(size_t bytes) {
  std::mt19937_64 random(1);
  std::string letters, alternation, digits;
  for (size_t i = 0; i < bytes; ++i) {
    letters.push_back(static_cast<char>('a' + random() % 26));
    digits.push_back(static_cast<char>('0' + random() % 10));
    alternation.push_back("ab"[i % 2]);
  }
  return {{"letters", letters},
          {"one letter", std::string(bytes, 'a')},
          {"abab", alternation},
          {"digits", digits},
          {"spaces", std::string(bytes, ' ')},
          {"newlines", std::string(bytes, '\n')}};
}

void Words(const std::vector<std::string>& specs) {
  const std::vector<Text> texts = LongWords(size_t{1} << 20);
  std::printf("one word of 1 MiB, ms\n%-44s", "vocabulary");
  for (const Text& text : texts) std::printf(" %10s", text.name.c_str());
  for (const std::string& spec : specs) {
    const Vocab v = Load(spec);
    std::printf("\n%-44s", v.name.c_str());
    for (const Text& text : texts) {
      size_t ids = 0;
      std::printf(" %10.1f",
                  1e3 * BestOf(2, [&] { ids += v.tokenizer->EncodeIds(text.bytes).size(); }));
      std::fflush(stdout);
    }
  }
  std::printf("\n");
}

// Texts of about `bytes` each, cut at line ends.
std::vector<std::string> Requests(size_t bytes, size_t count) {
  std::vector<std::string> out;
  for (const Text& text : Corpus(count * bytes)) {
    for (size_t at = 0; at + bytes < text.bytes.size() && out.size() < count;) {
      const size_t end = std::min(text.bytes.find('\n', at + bytes), text.bytes.size());
      out.push_back(text.bytes.substr(at, end - at));
      at = end;
    }
  }
  return out;
}

void Batch(const std::vector<std::string>& specs) {
  const std::vector<std::string> requests = Requests(2000, 2000);
  const std::vector<std::string_view> views(requests.begin(), requests.end());
  double mb = 0;
  for (const std::string& r : requests) mb += static_cast<double>(r.size()) / 1e6;
  std::printf("%zu requests of 2 kB: requests/s (MB/s) with 0, 1, 2, … threads of an executor\n",
              requests.size());
  for (const std::string& spec : specs) {
    const Vocab v = Load(spec);
    std::printf("%-44s", v.name.c_str());
    for (unsigned threads = 0; threads <= std::thread::hardware_concurrency(); ++threads) {
      const std::unique_ptr<Executor> pool = threads == 0 ? nullptr : NewThreadPool(threads);
      const double s = BestOf(2, [&] {
        Require(EncodeBatch(*v.tokenizer, views, {}, pool.get()).ok(), "a batch failed");
      });
      std::printf("  %8.0f (%5.1f)", static_cast<double>(requests.size()) / s, mb / s);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
}

// Requests by popularity: the i-th most popular is asked for 1/i as often as the first.
std::vector<size_t> Zipf(size_t distinct, size_t count) {
  std::vector<double> weights;
  for (size_t i = 0; i < distinct; ++i) weights.push_back(1.0 / static_cast<double>(i + 1));
  std::discrete_distribution<size_t> pick(weights.begin(), weights.end());
  std::mt19937_64 random(7);
  std::vector<size_t> out;
  while (out.size() < count) out.push_back(pick(random));
  return out;
}

// Requests per second of `threads` callers that share `t`.
double RequestsPerSecond(const Tokenizer& t, const std::vector<std::string>& requests,
                         const std::vector<size_t>& order, unsigned threads) {
  EncodeOptions options;
  options.truncation.emplace();
  options.truncation->max_tokens = 512;
  const double s = Seconds([&] {
    std::vector<std::thread> callers;
    for (unsigned k = 0; k < threads; ++k) {
      callers.emplace_back([&, k] {
        for (size_t i = k; i < order.size(); i += threads) {
          const Segment segment = Untrusted(requests[order[i]]);
          Require(t.Encode(absl::MakeConstSpan(&segment, 1), options).ok(), "a request failed");
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  });
  return static_cast<double>(order.size()) / s;
}

void Cache(const std::vector<std::string>& specs) {
  const std::vector<std::string> requests = Requests(4000, 4096);
  const std::vector<size_t> order = Zipf(requests.size(), 20000);
  const unsigned threads = std::max(2u, std::thread::hardware_concurrency());
  std::printf(
      "%zu distinct requests of 4 kB, Zipf, truncated to 512 tokens, %u threads; published: 48 -> "
      "12 ms (4.0x), 12 000 -> 47 000 requests/s (3.9x)\n",
      requests.size(), threads);
  std::printf("%-44s %10s %10s %6s %6s %9s %9s\n", "vocabulary", "plain/s", "cached/s", "ratio",
              "hits", "hit us", "miss us");
  for (const std::string& spec : specs) {
    const Vocab v = Load(spec);
    // About 1024 entries, as published; then the default.
    for (const size_t capacity : {size_t{1024} * 7000, CachedTokenizerOptions().capacity_bytes}) {
      CachedTokenizerOptions options;
      options.capacity_bytes = capacity;
      const auto cached = NewCachedTokenizer(v.tokenizer, options);
      const double plain = RequestsPerSecond(*v.tokenizer, requests, order, threads);
      const double with = RequestsPerSecond(*cached, requests, order, threads);
      const CachedTokenizerStats stats = cached->GetStats();
      const double hits =
          static_cast<double>(stats.hits) / static_cast<double>(stats.hits + stats.misses);
      cached->Clear();
      std::vector<TokenId> ids;
      const double miss = Seconds([&] { ids = cached->EncodeIds(requests[0]); });
      const double hit =
          BestOf(9, [&] { Require(cached->EncodeIds(requests[0]) == ids, "a hit differs"); });
      std::printf("%-44s %10.0f %10.0f %6.1f %5.1f%% %9.2f %9.2f\n", v.name.c_str(), plain, with,
                  with / plain, 100 * hits, 1e6 * hit, 1e6 * miss);
      std::fflush(stdout);
    }
  }
}

double PeakMib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::string HugeText(size_t mib) {
  std::string text;
  text.reserve(mib << 20);
  const std::vector<Text> corpus = Corpus(size_t{1} << 20);
  while (text.size() < (mib << 20)) {
    const std::string& more = corpus[text.size() / 7919 % corpus.size()].bytes;
    text.append(more, 0, (mib << 20) - text.size());
  }
  return text;
}

// A server's order: the vocabulary first. The peak is the process's: one file a run.
void Huge(size_t mib, const std::vector<std::string>& specs) {
  for (const std::string& spec : specs) {
    const Vocab v = Load(spec);
    const std::string text = HugeText(mib);
    const double before = PeakMib();
    size_t count = 0;
    const double s = Seconds([&] {
      Require(v.tokenizer
                  ->EncodeTo(text,
                             [&count](absl::Span<const TokenId> ids) {
                               count += ids.size();
                               return absl::OkStatus();
                             })
                  .ok(),
              "EncodeTo() failed");
    });
    std::printf("%-44s %zu MiB of text, %zu ids, %.1f MB/s; peak RSS %.1f MiB, %.1f more\n",
                v.name.c_str(), mib, count, static_cast<double>(text.size()) / 1e6 / s, PeakMib(),
                PeakMib() - before);
    std::fflush(stdout);
  }
}

// For instruction counts (callgrind): one text, once.
void Once(const std::string& shape, size_t bytes, const std::vector<std::string>& specs) {
  const Vocab v = Load(specs[0]);
  for (const Text& text : LongWords(bytes)) {
    if (text.name != shape) continue;
    std::printf("%zu ids\n", v.tokenizer->EncodeIds(text.bytes).size());
  }
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "speed") {
    Speed(Specs(argc, argv, 2));
  } else if (what == "words") {
    Words(Specs(argc, argv, 2));
  } else if (what == "batch") {
    Batch(Specs(argc, argv, 2));
  } else if (what == "cache") {
    Cache(Specs(argc, argv, 2));
  } else if (what == "once" && argc > 4) {
    Once(argv[2], std::strtoull(argv[3], nullptr, 10), Specs(argc, argv, 4));
  } else if (what == "huge" && argc > 2) {
    Huge(std::strtoull(argv[2], nullptr, 10), Specs(argc, argv, 3));
  } else {
    std::fprintf(stderr, "usage: tokenizer_bench speed|words|batch|cache|huge MIB [FILE…]\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
