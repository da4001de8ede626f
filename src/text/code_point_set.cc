// SPDX-License-Identifier: Apache-2.0
#include "text/code_point_set.h"

#include <algorithm>
#include <utility>

#include "text/unicode_tables.h"

namespace penstock::internal {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

}  // namespace

void CodePointSet::Insert(char32_t first, char32_t last) {
  if (first <= last) ranges_.push_back({first, last});
}

// Sorts and merges.
void CodePointSet::Tidy() {
  std::sort(ranges_.begin(), ranges_.end());
  size_t out = 0;
  for (const Range& range : ranges_) {
    if (out > 0 && range.first <= ranges_[out - 1].last + 1) {
      ranges_[out - 1].last = std::max(ranges_[out - 1].last, range.last);
    } else {
      ranges_[out++] = range;
    }
  }
  ranges_.resize(out);
}

void CodePointSet::DropSurrogates() {
  CodePointSet scalars(0, kMaxCodePoint);
  Intersect(scalars);
}

void CodePointSet::Add(char32_t first, char32_t last) {
  last = std::min(last, kMaxCodePoint);
  Insert(first, std::min<char32_t>(last, kFirstSurrogate - 1));
  Insert(std::max<char32_t>(first, kLastSurrogate + 1), last);
  Tidy();
}

void CodePointSet::Add(const CodePointSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  Tidy();
}

void CodePointSet::Negate() {
  std::vector<Range> old;
  old.swap(ranges_);
  char32_t next = 0;
  const auto gap = [this](char32_t first, char32_t end) {  // [first, end) without surrogates
    if (first >= end) return;
    Insert(first, std::min<char32_t>(end - 1, kFirstSurrogate - 1));
    Insert(std::max<char32_t>(first, kLastSurrogate + 1), end - 1);
  };
  for (const Range& range : old) {
    gap(next, range.first);
    next = range.last + 1;
  }
  gap(next, kMaxCodePoint + 1);
}

void CodePointSet::Intersect(const CodePointSet& other) {
  std::vector<Range> out;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const char32_t first = std::max(a->first, b->first), last = std::min(a->last, b->last);
    if (first <= last) out.push_back({first, last});
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  ranges_ = std::move(out);
}

void CodePointSet::Subtract(const CodePointSet& other) {
  CodePointSet rest = other;
  rest.Negate();
  Intersect(rest);
}

void CodePointSet::SymmetricDifference(const CodePointSet& other) {
  CodePointSet both = *this;
  both.Intersect(other);
  Add(other);
  Subtract(both);
}

bool CodePointSet::Contains(char32_t c) const {
  const auto it = std::upper_bound(ranges_.begin(), ranges_.end(), c,
                                   [](char32_t value, Range range) { return value < range.first; });
  return it != ranges_.begin() && c <= (it - 1)->last;
}

void CodePointSet::AddCaseVariants() {
  std::vector<std::pair<char32_t, char32_t>> folds;  // (folded, what folds to it)
  for (const CaseRange& range : kFoldRanges) {
    for (uint32_t c = range.first; c <= range.last; c += range.stride) {
      folds.emplace_back(static_cast<char32_t>(static_cast<int64_t>(c) + range.delta), c);
    }
  }
  std::sort(folds.begin(), folds.end());
  const CodePointSet before = *this;
  for (auto it = folds.begin(); it != folds.end();) {
    auto end = it;
    bool any = before.Contains(it->first);
    for (; end != folds.end() && end->first == it->first; ++end) {
      any = any || before.Contains(end->second);
    }
    if (any) {
      Insert(it->first, it->first);
      for (; it != end; ++it) Insert(it->second, it->second);
    }
    it = end;
  }
  Tidy();
}

}  // namespace penstock::internal
