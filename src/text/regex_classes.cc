// SPDX-License-Identifier: Apache-2.0
#include "text/regex_classes.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "penstock/base/status_macros.h"
#include "text/regex_parser.h"

namespace penstock::internal {
namespace {

constexpr char kNothing[] = "(?!)";  // the empty set

std::string Hex(const char* format, char32_t value) {
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(value));
  return buffer;
}

// "[\x{41}-\x{5A}…]", large ranges first: PCRE2 tries them in this order.
std::string SpellOut(const CodePointSet& set) {
  std::vector<CodePointSet::Range> ranges = set.ranges();
  if (ranges.empty()) return kNothing;
  std::stable_sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return a.last - a.first > b.last - b.first;
  });
  if (ranges.size() == 1 && ranges[0].first == ranges[0].last) {
    return Hex("\\x{%X}", ranges[0].first);
  }
  std::string out = "[";
  for (const auto& range : ranges) {
    out += Hex("\\x{%X}", range.first);
    if (range.first != range.last) out += Hex("-\\x{%X}", range.last);
  }
  return out + "]";
}

// "[\x01\x04-\x06]"
std::string SpellKinds(const std::vector<uint8_t>& kinds) {
  if (kinds.empty()) return kNothing;
  if (kinds.size() == 1) return Hex("\\x%02X", kinds[0]);
  std::string out = "[";
  for (size_t i = 0; i < kinds.size();) {
    size_t end = i + 1;
    while (end < kinds.size() && kinds[end] == kinds[end - 1] + 1) ++end;
    out += Hex("\\x%02X", kinds[i]);
    if (end - i > 1) out += Hex("-\\x%02X", kinds[end - 1]);
    i = end;
  }
  return out + "]";
}

// The kinds of code points that a list of sets tells apart.
struct Partition {
  std::vector<std::pair<char32_t, int>> starts;  // (first code point, kind) of each run
  std::vector<std::vector<uint8_t>> kinds;       // of each set, ascending
  int count = 0;
};

Partition MakePartition(const std::vector<CodePointSet>& sets) {
  std::vector<std::pair<char32_t, size_t>> toggles;
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const CodePointSet::Range& range : sets[s].ranges()) {
      toggles.emplace_back(range.first, s);
      toggles.emplace_back(range.last + 1, s);
    }
  }
  std::sort(toggles.begin(), toggles.end());
  Partition partition;
  partition.kinds.resize(sets.size());
  std::map<std::vector<bool>, int> known;
  std::vector<bool> inside(sets.size(), false);
  size_t t = 0;
  for (char32_t at = 0; at <= kMaxCodePoint;) {
    for (; t < toggles.size() && toggles[t].first == at; ++t) inside[toggles[t].second].flip();
    const auto [it, fresh] = known.emplace(inside, partition.count);
    if (fresh) {
      for (size_t s = 0; s < sets.size(); ++s) {
        if (inside[s]) partition.kinds[s].push_back(static_cast<uint8_t>(partition.count));
      }
      ++partition.count;
    }
    partition.starts.emplace_back(at, it->second);
    at = t < toggles.size() ? toggles[t].first : kMaxCodePoint + 1;
  }
  return partition;
}

}  // namespace

absl::StatusOr<std::string> RewriteClasses(std::string_view pattern, RegexFlavor flavor) {
  PENSTOCK_ASSIGN_OR_RETURN(const RegexProgram program, ParseRegex(pattern, flavor));
  std::string out;
  for (const RegexItem& item : program.items) {
    out += item.set < 0 ? item.syntax : SpellOut(program.sets[static_cast<size_t>(item.set)]);
  }
  return out;
}

absl::StatusOr<ClassRegex> ClassRegex::Create(std::string_view pattern, RegexFlavor flavor) {
  PENSTOCK_ASSIGN_OR_RETURN(const RegexProgram program, ParseRegex(pattern, flavor));
  if (program.compares_characters) {
    return absl::UnimplementedError("pattern has a back-reference; classes cannot tell characters");
  }
  const Partition partition = MakePartition(program.sets);
  if (partition.count > kMalformed) {
    return absl::UnimplementedError("pattern tells more than 255 kinds of characters apart");
  }
  ClassRegex regex;
  for (const RegexItem& item : program.items) {
    regex.pattern_ +=
        item.set < 0 ? item.syntax : SpellKinds(partition.kinds[static_cast<size_t>(item.set)]);
  }

  constexpr size_t kBlock = size_t{1} << kShift;
  std::map<std::vector<uint8_t>, uint16_t> known;
  std::vector<uint8_t> block(kBlock);
  size_t run = 0;
  for (char32_t begin = 0; begin <= kMaxCodePoint; begin += kBlock) {
    for (size_t i = 0; i < kBlock; ++i) {
      const char32_t c = begin + static_cast<char32_t>(i);
      while (run + 1 < partition.starts.size() && partition.starts[run + 1].first <= c) ++run;
      block[i] = static_cast<uint8_t>(partition.starts[run].second);
    }
    const auto [it, fresh] = known.emplace(block, static_cast<uint16_t>(known.size()));
    if (fresh) regex.blocks_.insert(regex.blocks_.end(), block.begin(), block.end());
    regex.index_.push_back(it->second);
  }
  return regex;
}

void ClassRegex::Classify(std::string_view text, std::string* kinds) const {
  for (size_t pos = 0; pos < text.size();) {
    const DecodedChar c = DecodeUtf8(text, pos);
    kinds->push_back(static_cast<char>(c.valid ? KindOf(c.code_point) : kMalformed));
    pos += c.size;
  }
}

}  // namespace penstock::internal
