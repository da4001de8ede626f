// SPDX-License-Identifier: Apache-2.0
//
// Lines and blocks: what a line end means.
#include <algorithm>

#include "chunker/boundary_finder.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// A line this narrow was not wrapped by a machine.
constexpr size_t kNarrowLine = 44;
constexpr size_t kWideIdeographicLine = 60;
constexpr size_t kMaxTitleBytes = 400;

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

// Particles and prepositions that no Chinese or Japanese sentence, title or item ends with.
bool IsConnective(char32_t c) {
  switch (c) {
    case 0x306E:  // の
    case 0x3092:  // を
    case 0x306B:  // に
    case 0x306F:  // は
    case 0x304C:  // が
    case 0x3068:  // と
    case 0x3067:  // で
    case 0x3082:  // も
    case 0x3078:  // へ
    case 0x3084:  // や
    case 0x7684:  // 的
    case 0x548C:  // 和
    case 0x4E0E:  // 与
    case 0x8207:  // 與
    case 0x53CA:  // 及
    case 0x6216:  // 或
    case 0x5728:  // 在
    case 0x628A:  // 把
    case 0x88AB:  // 被
    case 0x5F9E:  // 從
    case 0x4ECE:  // 从
      return true;
    default:
      return false;
  }
}

}  // namespace

size_t BoundaryFinder::SkipSpace(size_t i) const {
  while (i < s_.size()) {
    if (s_[i] == ' ') {
      ++i;
      continue;
    }
    if (s_[i] > ' ') break;
    size_t size = 0;
    if (ClassAt(i, &size) != CharClass::kSpace) break;
    i += size;
  }
  return i;
}

size_t BoundaryFinder::SkipGap(size_t i, int* newlines, size_t* line_start) const {
  while (i < s_.size()) {
    if (s_[i] > ' ') break;
    if (s_[i] == ' ') {
      ++i;
      continue;
    }
    size_t size = 0;
    const CharClass cls = ClassAt(i, &size);
    if (cls != CharClass::kSpace && cls != CharClass::kNewline) break;
    if (cls == CharClass::kNewline) {
      if (s_[i] == '\r' && i + 1 < s_.size() && s_[i + 1] == '\n') size = 2;
      ++*newlines;
      *line_start = i + size;
    }
    i += size;
  }
  return i;
}

size_t BoundaryFinder::LineEnd(size_t i) const {
  const size_t line_feed = std::min(s_.find('\n', i), s_.size());
  return std::min(s_.substr(0, line_feed).find('\r', i), line_feed);
}

// Without the white space before `i`, but not before the current unit.
size_t BoundaryFinder::ContentEnd(size_t i) const {
  while (i > unit_begin_) {
    if (s_[i - 1] > ' ') break;  // ASCII that is no white space
    const CharBefore c = DecodeBefore(s_, i, unit_begin_);
    const CharClass cls = ClassifyChar(c.code_point);
    if (cls != CharClass::kSpace && cls != CharClass::kNewline) break;
    i = c.begin;
  }
  return i;
}

size_t BoundaryFinder::HandleNewline(size_t i) {
  int newlines = 0;
  size_t line_start = i;
  size_t n = SkipGap(i, &newlines, &line_start);
  if (n == s_.size()) {
    if (AtTextEnd(n)) return n;
    // White space beyond the look-ahead: certainly a paragraph; the rest of it is the next unit's.
    while (n > i + 1 && IsUtf8Continuation(held_[n])) --n;
    line_start = n;
    newlines = 2;
  }
  if (in_fence_) {
    if (!fence_closing_) return HandleFenceNewline(i, n);
    in_fence_ = fence_closing_ = false;
    Emit(ContentEnd(i), line_start, n, Unit::kCodeFence, 255);
    BeginLine(ClassifyLine(line_start, n, /*after_blank=*/true), n);
    return n;
  }
  const size_t content_end = ContentEnd(i);
  const bool blank = newlines > 1;
  const Line line = ClassifyLine(line_start, n, blank);
  const bool heading_ends = line_kind_ == LineKind::kHeading || line_kind_ == LineKind::kSetextRule;
  Unit unit = blank ? Unit::kParagraph : Unit::kLine;
  uint8_t score = 255;
  bool cut = true;
  switch (line.kind) {
    case LineKind::kHeading:
      unit = Unit::kHeading;
      break;
    case LineKind::kFence:
    case LineKind::kRule:
      unit = Unit::kParagraph;
      break;
    case LineKind::kItem:
      unit = std::max(unit, Unit::kListItem);
      break;
    case LineKind::kTable:
      if (line_kind_ == LineKind::kTable && !blank) unit = Unit::kTableRow;
      cut = blank || !IsTableDelimiter(n);
      break;
    case LineKind::kSetextRule:
      cut = false;
      break;
    case LineKind::kPlain:
      if (blank || line_kind_ == LineKind::kRule) break;
      if (pending_end_ == content_end && content_end > unit_begin_) {
        cut = pending_score_ > 0;
        score = pending_score_;
        if (!SoftLineBreaks(content_end, n)) unit = Unit::kSentence;
      } else {
        cut = region_end_ <= i && SoftLineBreaks(content_end, n);
        score = 100;
      }
      if (line_kind_ == LineKind::kTable) cut = true;
      break;
  }
  if (heading_ends && line.kind != LineKind::kHeading && line.kind != LineKind::kSetextRule) {
    unit = Unit::kLine;  // a heading stays with what it heads
    score = 1;
    cut = true;
  }
  if (blank) widest_line_ = 0;
  widest_line_ = std::max(widest_line_, std::min<size_t>(content_end - line_begin_, 512));
  if (cut && content_end > unit_begin_) Emit(content_end, line_start, n, unit, score);
  if (unit >= Unit::kParagraph) list_ = ListState();
  BeginLine(line, n);
  return n;
}

size_t BoundaryFinder::HandleFenceNewline(size_t i, size_t next) {
  // Blank lines inside a fence do not matter: judge the line at `next` only.
  size_t n = next;
  size_t size = 0;
  while (n + size < s_.size() && s_[n + size] == fence_) ++size;
  if (size >= fence_size_ && LineEnd(n + size) == SkipSpace(n + size)) fence_closing_ = true;
  return std::max(i + 1, n);
}

void BoundaryFinder::BeginLine(const Line& line, size_t n) {
  line_begin_ = n;
  line_kind_ = line.kind;
  if (line.kind == LineKind::kFence) {
    in_fence_ = true;
    fence_closing_ = false;
    fence_ = line.fence;
    fence_size_ = line.fence_size;
  } else if (line.kind == LineKind::kHeading) {
    const std::string_view title = s_.substr(line.title_begin, line.title_end - line.title_begin);
    headings_->push_back({base_ + n, line.level, std::string(title)});
  }
}

BoundaryFinder::Line BoundaryFinder::ClassifyLine(size_t line_start, size_t n,
                                                  bool after_blank) const {
  Line line;
  if (n >= s_.size() || n - line_start > 3 * kLookahead) return line;
  const bool markup = options_.format != TextFormat::kPlain;
  const bool indented = n - line_start > 3;  // by CommonMark no block but a list item
  if (markup && !indented) {
    if (ClassifyHeading(n, after_blank, &line)) return line;
    if (ClassifyFenceOrRule(n, &line)) return line;
    if (s_[n] == '|') {
      line.kind = LineKind::kTable;
      return line;
    }
  }
  if (IsListMarker(n)) line.kind = LineKind::kItem;
  return line;
}

bool BoundaryFinder::ClassifyHeading(size_t n, bool after_blank, Line* line) const {
  if (s_[n] != '#' && !after_blank) return false;
  const size_t end = LineEnd(n);
  size_t hashes = 0;
  while (n + hashes < end && s_[n + hashes] == '#') ++hashes;
  const bool sure = options_.format == TextFormat::kMarkdown || after_blank;
  if (hashes >= 1 && hashes <= 6 && sure) {
    size_t begin = SkipSpace(n + hashes);
    if (begin == n + hashes && begin < end) return false;  // "#hashtag"
    begin = std::min(begin, end);
    size_t title_end = std::min(end, begin + kMaxTitleBytes);
    while (title_end < end && title_end > begin && IsUtf8Continuation(s_[title_end])) --title_end;
    while (title_end > begin && (s_[title_end - 1] == ' ' || s_[title_end - 1] == '#')) --title_end;
    *line = {LineKind::kHeading, static_cast<int>(hashes), 0, 0, begin, title_end};
    return true;
  }
  // Setext: a line of = or - under one line of text. Under two lines it is a rule or a table.
  if (end + 3 >= s_.size() || end - n > kMaxTitleBytes || !after_blank) return false;
  size_t under = end + (s_[end] == '\r' && s_[end + 1] == '\n' ? 2 : 1);
  const char mark = under < s_.size() ? s_[under] : ' ';
  if (mark != '=' && mark != '-') return false;
  size_t size = 0;
  while (under + size < s_.size() && s_[under + size] == mark) ++size;
  const size_t after = SkipSpace(under + size);
  if (size < 3 || (after < s_.size() && s_[after] != '\n' && s_[after] != '\r')) return false;
  if (IsListMarker(n) || s_[n] == '|' || s_[n] == '>') return false;
  *line = {LineKind::kHeading, mark == '=' ? 1 : 2, 0, 0, n, end};
  while (line->title_end > n && s_[line->title_end - 1] == ' ') --line->title_end;
  return true;
}

bool BoundaryFinder::ClassifyFenceOrRule(size_t n, Line* line) const {
  const char c = s_[n];
  if (c != '`' && c != '~' && c != '-' && c != '*' && c != '_' && c != '=') return false;
  size_t size = 0;
  size_t i = n;
  const bool fence = c == '`' || c == '~';
  while (i < s_.size() && (s_[i] == c || (!fence && s_[i] == ' '))) size += s_[i++] == c;
  if (size < 3) return false;
  const size_t end = LineEnd(i);
  if (fence) {
    if (c == '`' && s_.substr(i, end - i).find('`') != std::string_view::npos) return false;
    *line = {LineKind::kFence, 0, c, size, 0, 0};
    return true;
  }
  if (i != end) return false;
  const bool under_heading = line_kind_ == LineKind::kHeading && (c == '=' || c == '-');
  if (c == '=' && !under_heading) return false;
  line->kind = under_heading ? LineKind::kSetextRule : LineKind::kRule;
  return true;
}

bool BoundaryFinder::IsListMarker(size_t n) const {
  if (IsAsciiLetter(s_[n]) && n + 1 < s_.size() && s_[n + 1] != '.' && s_[n + 1] != ')') {
    // Of words, only small roman numerals are markers.
    if (s_[n] != 'i' && s_[n] != 'v' && s_[n] != 'x') return false;
    if (s_[n + 1] != 'i' && s_[n + 1] != 'v' && s_[n + 1] != 'x') return false;
  }
  const DecodedChar c = DecodeUtf8(s_, n);
  size_t i = n + c.size;
  switch (c.code_point) {
    case 0x2022:
    case 0x25E6:
    case 0x25AA:
    case 0x25CF:
    case 0x25CB:
    case 0x25A0:
    case 0x2043:
    case 0x2023:
    case 0x2219:
    case 0xB7:
      return i < s_.size();
    case '-':
    case '*':
    case '+':
    case 0x2013:
      return i < s_.size() && (s_[i] == ' ' || s_[i] == '\t');
    default:
      break;
  }
  i = n;
  const bool paren = s_[i] == '(';
  if (paren) ++i;
  const size_t begin = i;
  while (i < s_.size() && i - begin < 3 && IsAsciiDigit(s_[i])) ++i;
  if (i == begin) {
    while (i < s_.size() && i - begin < 5 && IsAsciiLetter(s_[i])) ++i;
    const std::string_view word = s_.substr(begin, i - begin);
    const bool roman = word.find_first_not_of("ivx") == std::string_view::npos;
    if (word.empty() || (word.size() > 1 && !roman)) return false;
  }
  if (i + 1 >= s_.size() || (s_[i] != '.' && s_[i] != ')') || (paren && s_[i] != ')')) return false;
  if (s_[i] == '.' && s_[i + 1] == ')') ++i;
  return i + 1 < s_.size() && (s_[i + 1] == ' ' || s_[i + 1] == '\t');
}

bool BoundaryFinder::IsTableDelimiter(size_t n) const {
  bool dash = false;
  for (size_t i = n; i < s_.size() && s_[i] != '\n' && s_[i] != '\r'; ++i) {
    const char c = s_[i];
    if (c != '|' && c != '-' && c != ':' && c != ' ') return false;
    dash |= c == '-';
  }
  return dash;
}

// Whether a line end between two plain lines is meant, not made by wrapping. Unsure is no.
bool BoundaryFinder::SoftLineBreaks(size_t content_end, size_t n) const {
  if (content_end <= unit_begin_ || n >= s_.size()) return false;
  const CharBefore last = DecodeBefore(s_, content_end, unit_begin_);
  const CharClass last_class = ClassifyChar(last.code_point);
  size_t at = 0;
  const CharClass next_class = NextLetter(n, &at);
  const size_t bytes = std::min<size_t>(content_end - line_begin_, 4096);
  if (last_class == CharClass::kIdeograph || next_class == CharClass::kIdeograph) {
    if (IsConnective(last.code_point)) return false;
    return bytes * 2 / 3 < kWideIdeographicLine || last_class == CharClass::kFullStop;
  }
  // Source code: a statement or brace ends the line, or an indented line begins with a symbol.
  const bool indented = n > 0 && (s_[n - 1] == ' ' || s_[n - 1] == '\t');
  const char first = s_[n];
  if (last.code_point == '{' || last.code_point == '}' || first == '}') return true;
  if (last.code_point == ';' && indented) return true;
  if (next_class == CharClass::kLower) return false;
  if (last_class == CharClass::kContinue && last.code_point != ':') return false;
  if (last_class == CharClass::kDash || last_class == CharClass::kOpen) return false;
  const bool two_bytes = last.code_point >= 0x80;  // Cyrillic, Greek, Arabic, ...
  const size_t width = two_bytes ? bytes / 2 : bytes;
  const size_t widest = two_bytes ? widest_line_ / 2 : widest_line_;
  if (width < kNarrowLine) {
    // One short line may be an accident of wrapping; words enough for a title, or verse, are not.
    if (LineEnd(n) - n < (two_bytes ? 2 : 1) * kNarrowLine) return true;
    const std::string_view line = s_.substr(unit_begin_, content_end - unit_begin_);
    return std::count(line.begin(), line.end(), ' ') >= 2;
  }
  // The next word would have fitted, measured by the widest line of the paragraph.
  const size_t word = WordEnd(n) - n;
  return width + 1 + word + 4 < widest;
}

}  // namespace penstock::internal
