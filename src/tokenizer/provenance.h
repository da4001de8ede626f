// SPDX-License-Identifier: Apache-2.0
//
// Provenance: a list of segments as one text, and who wrote which byte of it.
//
//   Provenance p(segments);
//   p.text()  // the concatenation; a view of the segment if there is only one
//   p.OneTrusted(3, 9)              // do bytes [3, 9) lie within one trusted segment?
//
// Borrows the segments. Thread-compatible: const calls may run concurrently.
#ifndef PENSTOCK_SRC_TOKENIZER_PROVENANCE_H_
#define PENSTOCK_SRC_TOKENIZER_PROVENANCE_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "penstock/tokenizer/segment.h"

namespace penstock::internal {

class Provenance {
 public:
  explicit Provenance(absl::Span<const Segment> segments) {
    if (segments.size() == 1) {
      text_ = segments[0].text();
    } else {
      for (const Segment& s : segments) storage_.append(s.text());
      text_ = storage_;
    }
    size_t end = 0;
    for (const Segment& s : segments) {
      if (s.text().empty()) continue;
      end += s.text().size();
      parts_.push_back({end, s.trusted()});
      any_trusted_ |= s.trusted();
    }
  }
  Provenance(const Provenance&) = delete;
  Provenance& operator=(const Provenance&) = delete;

  std::string_view text() const { return text_; }
  bool any_trusted() const { return any_trusted_; }
  // The whole text is one trusted segment.
  bool one_trusted() const { return parts_.size() == 1 && any_trusted_; }

  // O(log segments). An empty range belongs to the segment of the byte after it, or the last.
  bool OneTrusted(size_t begin, size_t end) const {
    if (one_trusted()) return true;
    if (!any_trusted_) return false;
    auto part = std::upper_bound(parts_.begin(), parts_.end(), begin,
                                 [](size_t at, const Part& p) { return at < p.end; });
    if (part == parts_.end()) part = std::prev(parts_.end());
    return part->trusted && end <= part->end;
  }

 private:
  struct Part {
    size_t end;
    bool trusted;
  };
  std::string storage_;
  std::string_view text_;
  std::vector<Part> parts_;
  bool any_trusted_ = false;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_PROVENANCE_H_
