// SPDX-License-Identifier: Apache-2.0
//
// FindBoundaries and SplitSentences: the finder over a whole text.
#include <algorithm>

#include "chunker/boundary_finder.h"
#include "penstock/chunker/boundary.h"
#include "text/segmentation.h"

namespace penstock {
namespace {

// No budget here, so no unit is too long; the limit only bounds what one decision looks back at.
constexpr size_t kNoLimit = static_cast<size_t>(-1) / 4;

// What is found in so much text stays in the cache until it is used.
constexpr size_t kScanStep = size_t{64} << 10;

// About as many as ordinary text has; memory that is not used is not touched.
constexpr size_t kBytesPerBoundary = 64;

// Calls use(candidate) for each, in order.
template <class Use>
void ForEachCandidate(std::string_view text, const BoundaryOptions& options, Use use) {
  if (options.rules == SentenceRules::kUax29) {
    for (internal::SentenceIterator it(text); it.Next();) {
      const size_t end = it.range().end;
      if (end < text.size()) use(internal::Candidate{end, end, end, Unit::kSentence, 255});
    }
    return;
  }
  std::vector<internal::Candidate> candidates;
  std::vector<internal::Heading> headings;
  internal::BoundaryFinder finder(options, kNoLimit);
  for (size_t to = 0; to < text.size();) {
    to += std::min(kScanStep, text.size() - to);
    finder.Scan(text.substr(0, to), 0, to == text.size(), &candidates, &headings);
    for (const internal::Candidate& c : candidates) use(c);
    candidates.clear();
    headings.clear();
  }
}

bool IsSpace(char32_t c) {
  const internal::CharClass cls = internal::ClassifyChar(c);
  return cls == internal::CharClass::kSpace || cls == internal::CharClass::kNewline;
}

}  // namespace

std::vector<Boundary> FindBoundaries(std::string_view text, const BoundaryOptions& options) {
  std::vector<Boundary> boundaries;
  if (text.empty()) return boundaries;
  boundaries.reserve(text.size() / kBytesPerBoundary + 1);
  ForEachCandidate(text, options, [&](const internal::Candidate& c) {
    if (c.next_begin < text.size()) boundaries.push_back({c.next_begin, c.unit, c.score});
  });
  boundaries.push_back({text.size(), Unit::kDocument, 255});
  return boundaries;
}

std::vector<ByteRange> SplitSentences(std::string_view text, const BoundaryOptions& options) {
  std::vector<ByteRange> sentences;
  size_t begin = 0;
  const auto add = [&](size_t end) {
    while (begin < end) {
      const internal::DecodedChar c = internal::DecodeUtf8(text, begin);
      if (!IsSpace(c.code_point)) break;
      begin += c.size;
    }
    while (begin < end) {
      const internal::CharBefore c = internal::DecodeBefore(text, end, begin);
      if (!IsSpace(c.code_point)) break;
      end = c.begin;
    }
    if (begin < end) sentences.push_back({begin, end});
  };
  ForEachCandidate(text, options, [&](const internal::Candidate& c) {
    add(c.content_end);
    begin = c.next_begin;
  });
  add(text.size());
  return sentences;
}

}  // namespace penstock
