// SPDX-License-Identifier: Apache-2.0
//
// CodePointSet: a set of Unicode scalar values as sorted ranges, with the operations that character
// classes of regular expressions need.
//
//   CodePointSet set;
//   set.Add('a', 'z');
//   set.Subtract(CodePointSet('x', 'x'));
//   set.Negate();                       // all scalar values but a..w, y and z
//   set.Add(0xD800, 0x110000);          // surrogates and non-characters: ignored
//
// O(ranges) each. Thread-compatible: const calls may run concurrently, others need external
// synchronization.
#ifndef PENSTOCK_SRC_TEXT_CODE_POINT_SET_H_
#define PENSTOCK_SRC_TEXT_CODE_POINT_SET_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "text/utf8.h"

namespace penstock::internal {

class CodePointSet {
 public:
  struct Range {
    char32_t first, last;
    friend bool operator==(Range a, Range b) { return a.first == b.first && a.last == b.last; }
    friend bool operator<(Range a, Range b) {
      return a.first != b.first ? a.first < b.first : a.last < b.last;
    }
  };

  CodePointSet() = default;
  CodePointSet(char32_t first, char32_t last) { Add(first, last); }

  // Builds a set from left to right, from the places where membership changes.
  class Builder {
   public:
    // From `at` on, members or not. REQUIRES: `at` ascends.
    void Switch(char32_t at, bool inside) {
      if (inside_ && at > first_) ranges_.push_back({first_, at - 1});
      inside_ = inside;
      first_ = at;
    }
    CodePointSet Finish() {
      Switch(kMaxCodePoint + 1, false);
      CodePointSet set;
      set.ranges_ = std::move(ranges_);
      set.DropSurrogates();
      return set;
    }

   private:
    std::vector<Range> ranges_;
    bool inside_ = false;
    char32_t first_ = 0;
  };

  void Add(char32_t first, char32_t last);
  void Add(const CodePointSet& other);
  void Negate();
  void Intersect(const CodePointSet& other);
  void Subtract(const CodePointSet& other);
  void SymmetricDifference(const CodePointSet& other);
  // Adds what differs from a member by case only (simple case folding of Unicode 16.0).
  void AddCaseVariants();

  bool empty() const { return ranges_.empty(); }
  bool Contains(char32_t c) const;  // O(log ranges)
  // Ascending, disjoint, not adjacent, but for the gap of the surrogates.
  const std::vector<Range>& ranges() const { return ranges_; }

  friend bool operator==(const CodePointSet& a, const CodePointSet& b) {
    return a.ranges_ == b.ranges_;
  }

 private:
  void Insert(char32_t first, char32_t last);
  void Tidy();
  void DropSurrogates();

  std::vector<Range> ranges_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TEXT_CODE_POINT_SET_H_
