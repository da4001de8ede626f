// SPDX-License-Identifier: Apache-2.0
#include "chunker/boundary_finder.h"

#include <algorithm>

#include "chunker/scan.h"
#include "chunker/subunits.h"
#include "text/utf8.h"

namespace penstock::internal {

BoundaryFinder::BoundaryFinder(const BoundaryOptions& options, size_t max_unit_bytes)
    : options_(options),
      max_unit_bytes_(std::max(max_unit_bytes, 2 * kLookahead)),
      option_language_(LanguageFromTag(options.language)) {}

void BoundaryFinder::Rebase(size_t base) {
  const size_t shift = base_ - base;  // modulo 2^64: positions before the base are only subtracted
  pos_ += shift;
  unit_begin_ += shift;
  line_begin_ += shift;
  if (region_end_ != 0) region_end_ += shift;
  pending_end_ += shift;
  language_from_ += shift;
  base_ = base;
}

void BoundaryFinder::Scan(std::string_view held, size_t base, bool at_end,
                          std::vector<Candidate>* candidates, std::vector<Heading>* headings) {
  Rebase(base);
  held_ = held;
  at_end_ = at_end;
  scanner_ = EventScanner(held);
  candidates_ = candidates;
  headings_ = headings;
  if (!started_) {
    if (!at_end && held.size() < kLookahead) return;
    s_ = held.substr(0, kLookahead);
    StartText();
    started_ = true;
  }
  for (;;) {
    const size_t i = in_fence_ ? std::min(held.find('\n', pos_), held.size()) : scanner_.Next(pos_);
    if (i > unit_begin_ + max_unit_bytes_) {
      // Certain as soon as the text goes past the limit: no event before it is left.
      if (held.size() - unit_begin_ < max_unit_bytes_ + kLookahead && !at_end) {
        pos_ = std::max(pos_, std::min(i, unit_begin_ + max_unit_bytes_));
        return;
      }
      ForceLongUnit(unit_begin_ + max_unit_bytes_);
      continue;
    }
    if (i >= held.size()) {
      pos_ = std::max(pos_, held.size());
      return;
    }
    if (!at_end && i + kLookahead > held.size()) {
      pos_ = i;
      return;
    }
    s_ = held.substr(0, i + kLookahead);
    pos_ = HandleEvent(i);
  }
}

// Cuts after the last white space within the last quarter KiB before `limit`, else after the last
// grapheme that begins there; packing subdivides such units further anyway.
void BoundaryFinder::ForceLongUnit(size_t limit) {
  size_t begin = limit - 256;
  while (begin > limit - 260 && IsUtf8Continuation(held_[begin])) --begin;
  const std::string_view view = held_.substr(0, limit + kLookahead / 2);
  size_t cut = 0;
  bool word = false;
  for (size_t i = GraphemeEnd(view, begin); i < view.size(); i = GraphemeEnd(view, i)) {
    const bool space = held_[i - 1] == ' ' || held_[i - 1] == '\n';
    if (cut == 0 || (i <= limit && (space || !word))) {
      cut = i;
      word = space;
    }
    if (i >= limit) break;
  }
  if (cut == 0) cut = limit;  // one grapheme of many hundred bytes: no place is good
  Emit(cut, cut, cut, Unit::kWord, 1);
  pos_ = std::max(pos_, cut);
}

void BoundaryFinder::StartText() {
  int newlines = 0;
  size_t line_start = 0;
  const size_t n = SkipGap(0, &newlines, &line_start);
  BeginLine(ClassifyLine(line_start, n, /*after_blank=*/true), n);
  pos_ = n;
}

size_t BoundaryFinder::HandleEvent(size_t i) {
  if (in_fence_) return HandleNewline(i);
  const char byte = s_[i];
  if (byte == '\n') return HandleNewline(i);
  if (byte == '.') return HandleTerminator(i);
  if (byte == '\'' || byte == '"' || byte == ':' || byte == ';') {
    // Right behind a letter of ASCII: an apostrophe, a closing mark, a pause.
    if (i > unit_begin_ && IsAsciiLetterOrDigit(s_[i - 1])) return i + 1;
  }
  // The commas of Chinese and Japanese, every other event there, share their first bytes with marks
  // that matter: ， ： ； and 、.
  if (byte < 0 && i + 2 < s_.size()) {
    const char third = s_[i + 2];
    const bool comma = byte == '\xEF' && s_[i + 1] == '\xBC' &&
                       (third == '\x8C' || third == '\x9A' || third == '\x9B');
    if (comma || (byte == '\xE3' && s_[i + 1] == '\x80' && third == '\x81')) return i + 3;
  }
  const DecodedChar c = DecodeUtf8(s_, i);
  switch (ClassifyChar(c.code_point)) {
    case CharClass::kNewline:
      return HandleNewline(i);
    case CharClass::kPeriod:
    case CharClass::kBang:
    case CharClass::kFullStop:
    case CharClass::kEllipsis:
      return HandleTerminator(i);
    case CharClass::kOpen:
    case CharClass::kQuote:
      return HandleOpen(i, c.code_point, c.size);
    case CharClass::kClose: {
      if (c.code_point != ')') return HandleOpen(i, c.code_point, c.size);
      const size_t after_marker = HandleMarker(i);
      return after_marker != 0 ? after_marker : i + c.size;
    }
    case CharClass::kContinue:
      if (c.code_point >= 0x80) return i + c.size;
      return IsColonFullStop(i) ? HandleTerminator(i) : i + c.size;
    default:
      break;
  }
  if (c.code_point == 0x2022) return HandleBullet(i);
  if ((c.code_point == 0x1361 || c.code_point == '|') && IsColonFullStop(i)) {
    return HandleTerminator(i);
  }
  return i + c.size;
}

void BoundaryFinder::Emit(size_t content_end, size_t line_start, size_t next, Unit unit,
                          uint8_t score) {
  candidates_->push_back({base_ + content_end, base_ + line_start, base_ + next, unit, score});
  unit_begin_ = next;
  if (region_end_ <= next) region_end_ = 0;
  if (unit >= Unit::kParagraph) {
    list_ = ListState();
    ++paragraph_;
  }
}

}  // namespace penstock::internal
