// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/serde_numbers.h"

#include <simdjson.h>

#include <cstdint>
#include <limits>
#include <string>

namespace penstock::internal {
namespace {

constexpr int kLargestPower = 308;

// 10^exponent, correctly rounded; 0 <= exponent <= 308.
double PowerOfTen(int exponent) {
  static const std::vector<double> powers = [] {
    std::vector<double> p;
    for (int e = 0; e <= kLargestPower; ++e) p.push_back(std::stod("1e" + std::to_string(e)));
    return p;
  }();
  return powers[static_cast<size_t>(exponent)];
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

double SerdeDouble(std::string_view token) {
  size_t pos = 0;
  const bool negative = !token.empty() && token[0] == '-';
  if (negative) ++pos;
  uint64_t significand = 0;
  int exponent = 0;
  bool full = false;
  // Takes a digit while the significand has room; says whether it did.
  const auto take = [&](char c) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    full |= significand > (std::numeric_limits<uint64_t>::max() - digit) / 10;
    if (!full) significand = significand * 10 + digit;
    return !full;
  };
  for (; pos < token.size() && IsDigit(token[pos]); ++pos) {
    if (!take(token[pos])) ++exponent;
  }
  if (pos < token.size() && token[pos] == '.') {
    for (++pos; pos < token.size() && IsDigit(token[pos]); ++pos) {
      if (take(token[pos])) --exponent;
    }
  }
  if (pos < token.size() && (token[pos] == 'e' || token[pos] == 'E')) {
    ++pos;
    const bool minus = pos < token.size() && token[pos] == '-';
    if (pos < token.size() && (token[pos] == '-' || token[pos] == '+')) ++pos;
    int written = 0;
    for (; pos < token.size() && IsDigit(token[pos]); ++pos) {
      if (written < 100000) written = written * 10 + (token[pos] - '0');
    }
    exponent += minus ? -written : written;
  }
  double value = static_cast<double>(significand);
  while (exponent < -kLargestPower && value != 0) {
    value /= PowerOfTen(kLargestPower);
    exponent += kLargestPower;
  }
  if (value != 0 && exponent > kLargestPower) value = std::numeric_limits<double>::infinity();
  if (value != 0 && exponent >= 0 && exponent <= kLargestPower) value *= PowerOfTen(exponent);
  if (value != 0 && exponent < 0) value /= PowerOfTen(-exponent);
  return negative ? -value : value;
}

absl::StatusOr<std::vector<double>> ReadUnigramScores(std::string_view file) {
  const simdjson::padded_string padded(file.data(), file.size());
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::array vocabulary;
  const auto bad = [] { return absl::DataLossError("expected [[token, score], …]"); };
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return bad();
  if (document["model"]["vocab"].get_array().get(vocabulary) != simdjson::SUCCESS) return bad();
  std::vector<double> scores;
  for (auto entry : vocabulary) {
    simdjson::ondemand::array parts;
    if (entry.get_array().get(parts) != simdjson::SUCCESS) return bad();
    int index = 0;
    for (auto part : parts) {
      simdjson::ondemand::value value;
      if (part.get(value) != simdjson::SUCCESS) return bad();
      if (index++ != 1) continue;
      const std::string_view token(value.raw_json_token().data(), value.raw_json_token().size());
      scores.push_back(SerdeDouble(token));
    }
  }
  return scores;
}

}  // namespace penstock::internal
