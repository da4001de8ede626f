// SPDX-License-Identifier: Apache-2.0
#include "bench/kv_trace.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <list>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace penstock {
namespace {

bool Number(const std::string& line, const char* key, double* out) {
  const std::string quoted = std::string("\"") + key + "\"";
  size_t at = line.find(quoted);
  if (at == std::string::npos) return false;
  at = line.find(':', at + quoted.size());
  if (at == std::string::npos) return false;
  char* end = nullptr;
  *out = std::strtod(line.c_str() + at + 1, &end);
  return end != line.c_str() + at + 1;
}

bool ParseLine(const std::string& line, TraceRequest* request) {
  double ms = 0, input = 0, output = 0;
  if (!Number(line, "timestamp", &ms) || !Number(line, "input_length", &input)) return false;
  Number(line, "output_length", &output);
  request->seconds = ms / 1000;
  request->input_tokens = static_cast<size_t>(input);
  request->output_tokens = static_cast<size_t>(output);
  size_t at = line.find("\"hash_ids\"");
  if (at == std::string::npos || (at = line.find('[', at)) == std::string::npos) return false;
  const char* p = line.c_str() + at + 1;
  while (*p != '\0' && *p != ']') {
    char* end = nullptr;
    const long long id = std::strtoll(p, &end, 10);
    if (end == p || id < 0 || id > std::numeric_limits<int32_t>::max()) return false;
    request->blocks.push_back(static_cast<int32_t>(id));
    for (p = end; *p == ',' || *p == ' ';) ++p;
  }
  return *p == ']';
}

}  // namespace

void TraceScore::Add(const TraceRequest& request, size_t hit_blocks, size_t block_tokens) {
  blocks += request.blocks.size();
  block_hits += hit_blocks;
  tokens += request.input_tokens;
  token_hits += std::min(request.input_tokens, hit_blocks * block_tokens);
}

std::vector<TraceRequest> ReadTrace(const std::string& path, std::string* error) {
  std::vector<TraceRequest> trace;
  const gzFile file = gzopen(path.c_str(), "rb");  // reads plain files too
  if (file == nullptr) {
    *error = path + ": cannot be opened";
    return trace;
  }
  std::string line;
  char buffer[1 << 16];
  size_t number = 0;
  while (gzgets(file, buffer, sizeof(buffer)) != nullptr) {
    line += buffer;
    if (line.back() != '\n' && gzeof(file) == 0) continue;
    ++number;
    if (line.find_first_not_of(" \r\n\t") != std::string::npos) {
      TraceRequest request;
      if (!ParseLine(line, &request)) {
        *error = path + ":" + std::to_string(number) +
                 ": expected an object with timestamp, input_length and hash_ids";
        trace.clear();
        break;
      }
      trace.push_back(std::move(request));
    }
    line.clear();
  }
  gzclose(file);
  if (trace.empty() && error->empty()) *error = path + ": no requests";
  return trace;
}

TraceScore InfiniteCache(const std::vector<TraceRequest>& trace, size_t score_from,
                         size_t block_tokens) {
  std::unordered_set<int32_t> cached;
  TraceScore score;
  for (size_t r = 0; r < trace.size(); ++r) {
    size_t hits = 0;
    while (hits < trace[r].blocks.size() && cached.count(trace[r].blocks[hits]) != 0) ++hits;
    if (r >= score_from) score.Add(trace[r], hits, block_tokens);
    cached.insert(trace[r].blocks.begin(), trace[r].blocks.end());
  }
  return score;
}

TraceScore OfflineOptimum(const std::vector<TraceRequest>& trace, size_t capacity,
                          size_t score_from, size_t block_tokens) {
  std::vector<std::vector<size_t>> next(trace.size());
  std::unordered_map<int32_t, size_t> seen;
  for (size_t r = trace.size(); r-- > 0;) {
    next[r].resize(trace[r].blocks.size());
    for (size_t i = 0; i < trace[r].blocks.size(); ++i) {
      const auto it = seen.find(trace[r].blocks[i]);
      next[r][i] = it == seen.end() ? trace.size() : it->second;
      seen[trace[r].blocks[i]] = r;
    }
  }
  using Key = std::tuple<size_t, size_t, int32_t>;  // next use, depth, block
  std::set<Key> cached;
  std::unordered_map<int32_t, Key> where;
  TraceScore score;
  for (size_t r = 0; r < trace.size(); ++r) {
    const std::vector<int32_t>& blocks = trace[r].blocks;
    size_t hits = 0;
    while (hits < blocks.size() && where.count(blocks[hits]) != 0) ++hits;
    if (r >= score_from) score.Add(trace[r], hits, block_tokens);
    for (size_t i = 0; i < blocks.size(); ++i) {
      const auto it = where.find(blocks[i]);
      if (it != where.end()) cached.erase(it->second);
      const Key key(next[r][i], i, blocks[i]);
      cached.insert(key);
      where[blocks[i]] = key;
    }
    while (cached.size() > capacity) {
      const auto victim = std::prev(cached.end());
      where.erase(std::get<2>(*victim));
      cached.erase(victim);
    }
  }
  return score;
}

TraceScore NaiveLru(const std::vector<TraceRequest>& trace, size_t capacity, size_t score_from,
                    size_t block_tokens) {
  std::list<int32_t> order;  // hot first
  std::unordered_map<int32_t, std::list<int32_t>::iterator> where;
  TraceScore score;
  for (size_t r = 0; r < trace.size(); ++r) {
    const std::vector<int32_t>& blocks = trace[r].blocks;
    size_t hits = 0;
    while (hits < blocks.size() && where.count(blocks[hits]) != 0) ++hits;
    if (r >= score_from) score.Add(trace[r], hits, block_tokens);
    for (size_t i = 0; i < hits; ++i) {  // held while room is made
      order.splice(order.begin(), order, where[blocks[i]]);
    }
    while (order.size() + blocks.size() - hits > capacity && !order.empty()) {
      where.erase(order.back());
      order.pop_back();
    }
    for (size_t i = blocks.size(); i-- > 0;) {
      const auto it = where.find(blocks[i]);
      if (it != where.end()) order.erase(it->second);
      order.push_front(blocks[i]);
      where[blocks[i]] = order.begin();
    }
  }
  return score;
}

std::vector<bool> WillContinue(const std::vector<TraceRequest>& trace) {
  std::vector<bool> result(trace.size());
  std::unordered_set<int32_t> later;
  for (size_t r = trace.size(); r-- > 0;) {
    const TraceRequest& request = trace[r];
    const size_t whole = request.input_tokens / 512;  // blocks that are full
    const size_t last = std::min(whole, request.blocks.size());
    result[r] = last > 0 && later.count(request.blocks[last - 1]) != 0;
    later.insert(request.blocks.begin(), request.blocks.end());
  }
  return result;
}

}  // namespace penstock
