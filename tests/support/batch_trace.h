// SPDX-License-Identifier: Apache-2.0
//
// Arrival times and lengths from a trace file: .csv with a header, or .jsonl; either may be .gz
// (read through gzip).
//
//   ReadTrace("azure2023_conv.csv.gz")     // columns: a time (seconds, or a date), tokens
//   ReadTrace("mooncake.jsonl")  // {"timestamp": milliseconds, "input_length": tokens, …}
//   ReadTrace("no such file")              // empty
#ifndef PENSTOCK_TESTS_SUPPORT_BATCH_TRACE_H_
#define PENSTOCK_TESTS_SUPPORT_BATCH_TRACE_H_

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/batch_simulator.h"

namespace penstock {
namespace trace_internal {

// "2023-11-16 18:15:46.6805900" or a number, in seconds. Dates count days as if every month had 31.
inline double ParseTime(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%d%*c%d:%d:%lf", &year, &month, &day, &hour, &minute,
                  &second) == 6) {
    return ((year * 12.0 + month) * 31 + day) * 86400 + hour * 3600.0 + minute * 60.0 + second;
  }
  return std::strtod(text.c_str(), nullptr);
}

inline std::vector<std::string> Split(const std::string& line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else if (c != '\r' && c != '"') {
      cells.back() += c;
    }
  }
  return cells;
}

inline double JsonNumber(const std::string& line, const std::string& key) {
  const size_t at = line.find("\"" + key + "\"");
  if (at == std::string::npos) return -1;
  const size_t colon = line.find(':', at);
  return colon == std::string::npos ? -1 : std::strtod(line.c_str() + colon + 1, nullptr);
}

// The first column whose name contains one of the words; -1 if none does.
inline int Column(const std::vector<std::string>& names, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    for (size_t i = 0; i < names.size(); ++i) {
      std::string lower = names[i];
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (lower.find(word) != std::string::npos) return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace trace_internal

inline std::vector<SimArrival> ReadTrace(const std::string& path) {
  namespace in = trace_internal;
  std::string quoted;
  for (const char c : path) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  std::FILE* const file = popen(("gzip -cdf -- '" + quoted + "' 2>/dev/null").c_str(), "r");
  std::vector<SimArrival> arrivals;
  if (file == nullptr) return arrivals;
  const bool json = path.find(".jsonl") != std::string::npos;
  int time_column = -1, token_column = -1;
  bool first = true;
  std::string line;
  char buffer[1 << 16];
  while (std::fgets(buffer, sizeof(buffer), file) != nullptr) {
    line += buffer;
    if (line.back() != '\n' && !std::feof(file)) continue;
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    if (json) {
      const double at = in::JsonNumber(line, "timestamp");
      const double tokens = in::JsonNumber(line, "input_length");
      if (at >= 0)
        arrivals.push_back({at / 1e3, std::max<int64_t>(1, static_cast<int64_t>(tokens))});
    } else if (const auto cells = in::Split(line); first) {
      time_column = in::Column(cells, {"timestamp", "arrived", "arrival", "time"});
      token_column = in::Column(cells, {"contexttokens", "prefill", "input", "prompt", "tokens"});
      first = false;
    } else if (!line.empty()) {
      const auto cell = [&cells](int i) {
        return i >= 0 && static_cast<size_t>(i) < cells.size() ? cells[static_cast<size_t>(i)]
                                                               : std::string();
      };
      SimArrival a;
      a.at =
          time_column < 0 ? static_cast<double>(arrivals.size()) : in::ParseTime(cell(time_column));
      if (token_column >= 0)
        a.tokens = std::max<int64_t>(1, std::atoll(cell(token_column).c_str()));
      arrivals.push_back(a);
    }
    line.clear();
  }
  pclose(file);
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const SimArrival& a, const SimArrival& b) { return a.at < b.at; });
  return arrivals;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_BATCH_TRACE_H_
