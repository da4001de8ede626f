// SPDX-License-Identifier: Apache-2.0
//
// How much of what answers questions stays whole in chunks.
//
//   sh bench/run.sh retention --data DIR --tokenizer PATH [--encoding NAME] [--max-tokens N]
//                             [--headroom H]
//
// DIR holds texts and questions.jsonl, one object a line: corpus (a file's name, with or without
// extension), spans [{start, end}] in code points of that text. A span is retained when it lies
// wholly inside one chunk's extent; a sentence (of SplitSentences, if it fits the budget alone)
// likewise. fill: mean tokens / budget. duplication: bytes of all extents / bytes of all cores.
// Fixed-size chunking, cut every so many tokens, stands beside.
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "bench/bench_header.h"
#include "penstock/chunker.h"
#include "penstock/tokenizer/load.h"
#include "text/utf8.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

struct Corpus {
  std::string text;
  std::vector<ByteRange> spans;
  std::vector<ByteRange> sentences;
};

struct Score {
  size_t chunks = 0, tokens = 0, core_bytes = 0, extent_bytes = 0;
  size_t spans = 0, spans_whole = 0, sentences = 0, sentences_whole = 0;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

bool Whole(ByteRange span, const std::vector<ByteRange>& extents) {
  for (const ByteRange e : extents) {
    if (e.begin <= span.begin && span.end <= e.end) return true;
  }
  return false;
}

// Extents sorted by begin; a span can only lie in those that begin before it.
size_t CountWhole(const std::vector<ByteRange>& spans, const std::vector<ByteRange>& extents) {
  size_t whole = 0;
  for (const ByteRange span : spans) whole += Whole(span, extents);
  return whole;
}

// Every `size` tokens, `overlap` of them shared with the chunk before.
std::vector<ByteRange> FixedChunks(const Tokenizer& tokenizer, const std::string& text, size_t size,
                                   size_t overlap, size_t* tokens) {
  EncodeOptions options;
  options.offsets = true;
  const Segment segment = Untrusted(text);
  const absl::StatusOr<Encoding> e = tokenizer.Encode({&segment, 1}, options);
  std::vector<ByteRange> extents;
  if (!e.ok()) return extents;
  for (size_t i = 0; i < e->ids.size(); i += size - overlap) {
    const size_t end = std::min(e->ids.size(), i + size);
    extents.push_back({e->offsets[i].begin, e->offsets[end - 1].end});
    *tokens += end - i;
    if (end == e->ids.size()) break;
  }
  return extents;
}

void Print(const std::string& name, const Score& s, size_t budget) {
  const auto percent = [](size_t part, size_t all) {
    return all == 0 ? 100.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
  };
  const double mean = static_cast<double>(s.tokens) / static_cast<double>(s.chunks);
  std::printf("%-34s %7zu %7.1f %6.3f %10.2f %9.2f %12.3f\n", name.c_str(), s.chunks, mean,
              mean / static_cast<double>(budget), percent(s.sentences_whole, s.sentences),
              percent(s.spans_whole, s.spans),
              static_cast<double>(s.extent_bytes) / static_cast<double>(s.core_bytes));
}

void AddRanges(const Corpus& corpus, const std::vector<ByteRange>& extents, Score* score) {
  score->chunks += extents.size();
  for (const ByteRange e : extents) score->extent_bytes += e.size();
  score->core_bytes += corpus.text.size();
  score->spans += corpus.spans.size();
  score->spans_whole += CountWhole(corpus.spans, extents);
  score->sentences += corpus.sentences.size();
  score->sentences_whole += CountWhole(corpus.sentences, extents);
}

bool LoadCorpora(const fs::path& folder, std::map<std::string, Corpus>* corpora) {
  simdjson::dom::parser parser;
  std::ifstream questions(folder / "questions.jsonl", std::ios::binary);
  for (std::string line; std::getline(questions, line);) {
    simdjson::dom::element row;
    std::string_view name;
    simdjson::dom::array spans;
    if (line.empty()) continue;
    if (parser.parse(line).get(row) != simdjson::SUCCESS ||
        row["corpus"].get(name) != simdjson::SUCCESS ||
        row["spans"].get(spans) != simdjson::SUCCESS) {
      std::fprintf(stderr, "questions.jsonl: expected corpus and spans: %.80s\n", line.c_str());
      return false;
    }
    Corpus& corpus = (*corpora)[std::string(name)];
    if (corpus.text.empty()) {
      for (const auto& entry : fs::directory_iterator(folder)) {
        const bool match = entry.path().filename() == name || entry.path().stem() == name;
        if (match && entry.is_regular_file()) corpus.text = ReadFile(entry.path());
      }
    }
    for (const simdjson::dom::element span : spans) {
      int64_t start = 0, end = 0;
      if (span["start"].get(start) != simdjson::SUCCESS ||
          span["end"].get(end) != simdjson::SUCCESS) {
        return false;
      }
      corpus.spans.push_back({static_cast<size_t>(start), static_cast<size_t>(end)});
    }
  }
  for (auto& [name, corpus] : *corpora) {
    std::vector<size_t> bytes;  // of each code point
    for (size_t i = 0; i < corpus.text.size(); i += internal::DecodeUtf8(corpus.text, i).size) {
      bytes.push_back(i);
    }
    bytes.push_back(corpus.text.size());
    for (ByteRange& span : corpus.spans) {
      if (span.end >= bytes.size()) {
        std::fprintf(stderr, "%s: a span ends after the text\n", name.c_str());
        return false;
      }
      span = {bytes[span.begin], bytes[span.end]};
    }
  }
  return !corpora->empty();
}

struct Plan {
  const char* name;
  Packing packing;
  bool overlap;
  double headroom;
};

int Run(const std::map<std::string, Corpus>& loaded, const TokenizerPtr& tokenizer,
        size_t max_tokens, double headroom) {
  ChunkerOptions base;
  base.max_tokens = max_tokens;
  base.headroom = headroom;
  const size_t budget = base.UsableTokens();
  std::map<std::string, Corpus> corpora = loaded;
  for (auto& [name, corpus] : corpora) {
    for (const ByteRange s : SplitSentences(corpus.text, {})) {
      if (tokenizer->Count(s.In(corpus.text)) <= budget) corpus.sentences.push_back(s);
    }
  }
  std::printf("budget %zu tokens (max_tokens %zu, headroom %.2f)\n", budget, max_tokens, headroom);
  std::printf("%-34s %7s %7s %6s %10s %9s %12s\n", "", "chunks", "tokens", "fill", "sentences",
              "evidence", "duplication");
  for (const size_t overlap : {size_t{0}, budget / 8}) {
    Score score;
    for (const auto& [name, corpus] : corpora) {
      AddRanges(corpus, FixedChunks(*tokenizer, corpus.text, budget, overlap, &score.tokens),
                &score);
    }
    Print(overlap == 0 ? "fixed size" : "fixed size, overlap 1/8", score, budget);
  }
  const Plan plans[] = {
      {"greedy", Packing::kGreedy, false, headroom},
      {"lookahead (default)", Packing::kLookahead, false, headroom},
      {"lookahead, one sentence overlap", Packing::kLookahead, true, headroom},
      {"balanced", Packing::kBalanced, false, headroom},
      {"optimal", Packing::kOptimal, false, headroom},
      {"lookahead, headroom 1.0", Packing::kLookahead, false, 1.0},
  };
  for (const Plan& plan : plans) {
    ChunkerOptions options = base;
    options.packing = plan.packing;
    options.headroom = plan.headroom;
    if (plan.overlap) {
      options.overlap_tokens = budget / 2;
      options.overlap_units = 1;
    }
    const absl::StatusOr<Chunker> chunker = Chunker::Create(tokenizer, options);
    if (!chunker.ok()) {
      std::fprintf(stderr, "%s\n", std::string(chunker.status().message()).c_str());
      return 1;
    }
    Score score;
    for (const auto& [name, corpus] : corpora) {
      std::vector<ByteRange> extents;
      for (const Chunk& chunk : chunker->Split(corpus.text)) {
        if (tokenizer->EncodeIds(chunk.extent.In(corpus.text)) != chunk.ids) {
          std::fprintf(stderr, "ids of a chunk are not those of its text\n");
          return 1;
        }
        extents.push_back(chunk.extent);
        score.tokens += chunk.ids.size();
      }
      AddRanges(corpus, extents, &score);
    }
    Print(plan.name, score, options.UsableTokens());
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (!PrintBenchHeader(argv[0])) return 2;
  std::string data, path, encoding;
  size_t max_tokens = 512;
  double headroom = 0.9;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--data") data = argv[i + 1];
    if (flag == "--tokenizer") path = argv[i + 1];
    if (flag == "--encoding") encoding = argv[i + 1];
    if (flag == "--max-tokens") max_tokens = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--headroom") headroom = std::strtod(argv[i + 1], nullptr);
  }
  if (data.empty() || path.empty()) {
    std::fprintf(stderr,
                 "usage: retention --data DIR --tokenizer PATH [--encoding NAME] [--max-tokens N] "
                 "[--headroom H]\n");
    return 2;
  }
  LoadOptions load;
  if (!encoding.empty()) load.encoding = encoding;
  const absl::StatusOr<TokenizerPtr> tokenizer = LoadTokenizer(path, load);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s\n", std::string(tokenizer.status().message()).c_str());
    return 1;
  }
  fs::path folder = data;
  if (!fs::exists(folder / "questions.jsonl")) folder /= "evidence";
  std::map<std::string, Corpus> corpora;
  if (!LoadCorpora(folder, &corpora)) {
    std::fprintf(stderr, "%s: no readable questions.jsonl with its texts\n", folder.c_str());
    return 1;
  }
  return Run(corpora, *tokenizer, max_tokens, headroom);
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
