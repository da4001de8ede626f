// SPDX-License-Identifier: Apache-2.0
//
// Speed of sentences and chunks, beside ICU's sentence iterator and one plain encode of the text.
//
//   sh bench/run.sh chunker_bench [--benchmark_filter=…]
//
// Texts: PENSTOCK_BENCH_TEXT, one file; else corpus/*.txt of PENSTOCK_TEST_DATA, else a short text
// repeated. Tokenizer: cl100k_base from there, else none. PENSTOCK_BENCH_TOKENIZER and
// PENSTOCK_BENCH_ENCODING name another one. Peers: bench/peers/chunkers.py.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "penstock/chunker.h"
#include "penstock/tokenizer/load.h"
#ifdef PENSTOCK_BENCH_WITH_ICU
#include <unicode/brkiter.h>
#include <unicode/utext.h>
#endif

namespace penstock {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  if (in) out << in.rdbuf();
  return out.str();
}

std::string Corpus(const std::string& name) {
  std::string text = Read(Environment("PENSTOCK_TEST_DATA") + "/corpus/" + name);
  while (text.size() < (4u << 20)) {
    text += name == "zh.txt" ? "今天天气很好，我们一起去公园散步。你要来吗？他说：“好的。”\n\n"
                             : "The cat sat on the mat, and Dr. Wu saw it at 5 p.m. Did it stay? "
                               "Nobody knows; \"it left,\" she said.\n\n";
  }
  return text;
}

TokenizerPtr Load() {
  LoadOptions options;
  std::string path = Environment("PENSTOCK_BENCH_TOKENIZER");
  std::string encoding = Environment("PENSTOCK_BENCH_ENCODING");
  if (path.empty()) {
    path = Environment("PENSTOCK_TEST_DATA") + "/vocab/cl100k_base/cl100k_base.tiktoken";
    encoding = "cl100k_base";
  }
  if (!encoding.empty()) options.encoding = encoding;
  absl::StatusOr<TokenizerPtr> tokenizer = LoadTokenizer(path, options);
  return tokenizer.ok() ? *tokenizer : nullptr;
}

void Sentences(benchmark::State& state, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(FindBoundaries(text, {}));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}

#ifdef PENSTOCK_BENCH_WITH_ICU
void IcuSentences(benchmark::State& state, const std::string& text, const char* language) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> it(
      icu::BreakIterator::createSentenceInstance(icu::Locale(language), status));
  UText* const utext =
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status);
  for (auto _ : state) {
    it->setText(utext, status);
    size_t boundaries = 0;
    while (it->next() != icu::BreakIterator::DONE) ++boundaries;
    benchmark::DoNotOptimize(boundaries);
  }
  utext_close(utext);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
#endif

void Encode(benchmark::State& state, const TokenizerPtr& tokenizer, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->EncodeIds(text));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}

void Split(benchmark::State& state, const TokenizerPtr& tokenizer, const std::string& text,
           const ChunkerOptions& options) {
  const absl::StatusOr<Chunker> chunker = Chunker::Create(tokenizer, options);
  if (!chunker.ok()) {
    state.SkipWithError(std::string(chunker.status().message()).c_str());
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(chunker->Split(text));
  const ChunkerStats stats = chunker->GetStats();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["encoded_per_byte"] =
      static_cast<double>(stats.encoded_bytes) / static_cast<double>(stats.bytes);
  state.counters["sliced"] =
      static_cast<double>(stats.sliced_chunks) / static_cast<double>(stats.chunks);
}

void Stream(benchmark::State& state, const TokenizerPtr& tokenizer, const std::string& text,
            size_t fragment) {
  const absl::StatusOr<Chunker> chunker = Chunker::Create(tokenizer);
  for (auto _ : state) {
    absl::StatusOr<ChunkStream> stream = chunker->NewStream();
    Chunk chunk;
    for (size_t i = 0; i < text.size(); i += fragment) {
      (void)stream->Append(std::string_view(text).substr(i, fragment));
      while (stream->Next(&chunk, nullptr)) {
      }
    }
    stream->Finish();
    while (stream->Next(&chunk, nullptr)) {
    }
  }
  const ChunkerStats stats = chunker->GetStats();
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["encoded_per_byte"] =
      static_cast<double>(stats.encoded_bytes) / static_cast<double>(stats.bytes);
}

bool Register() {
  const TokenizerPtr tokenizer = Load();
  const std::string file = Environment("PENSTOCK_BENCH_TEXT");
  std::vector<std::string> names = {"en.txt", "zh.txt", "multi.txt", "code.txt"};
  if (!file.empty()) names = {"text"};
  for (const std::string& name : names) {
    const auto text = std::make_shared<std::string>(file.empty() ? Corpus(name) : Read(file));
    const std::string suffix = "/" + name;
    benchmark::RegisterBenchmark(("Sentences" + suffix).c_str(),
                                 [text](benchmark::State& s) { Sentences(s, *text); });
#ifdef PENSTOCK_BENCH_WITH_ICU
    const char* const language = name == "zh.txt" ? "zh" : "en";
    benchmark::RegisterBenchmark(
        ("IcuSentences" + suffix).c_str(),
        [text, language](benchmark::State& s) { IcuSentences(s, *text, language); });
#endif
    if (tokenizer == nullptr) continue;
    benchmark::RegisterBenchmark(
        ("Encode" + suffix).c_str(),
        [text, tokenizer](benchmark::State& s) { Encode(s, tokenizer, *text); });
    benchmark::RegisterBenchmark(
        ("Split512" + suffix).c_str(),
        [text, tokenizer](benchmark::State& s) { Split(s, tokenizer, *text, {}); });
    for (const size_t fragment : {size_t{64}, size_t{4096}}) {
      benchmark::RegisterBenchmark(("Stream/" + std::to_string(fragment) + suffix).c_str(),
                                   [text, tokenizer, fragment](benchmark::State& s) {
                                     Stream(s, tokenizer, *text, fragment);
                                   });
    }
  }
  return true;
}

const bool registered = Register();

}  // namespace
}  // namespace penstock
