// SPDX-License-Identifier: Apache-2.0
//
// Sentence ends: UAX #29's sentence rules with the tailoring its section 5.3 invites. Unsure is no.
#include <algorithm>
#include <array>

#include "chunker/boundary_finder.h"
#include "chunker/scan.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// Quotations and brackets that close within this many bytes are not cut.
constexpr size_t kQuoteReach = 600;
constexpr size_t kBracketReach = 1000;
constexpr int kCloserEvents = 96;  // "((((((" must not be searched a thousand bytes for each

// A language found holds for this many bytes of a paragraph, a quarter of it in the next ones.
constexpr size_t kLanguageReach = 1024;

bool IsIdeographicStop(char32_t c) {
  return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61 || c == 0xFF0E;
}

bool IsDirectionalQuote(char32_t c) {
  return c == 0x2018 || c == 0x201C || c == 0x201A || c == 0x201E || c == 0xAB || c == 0x2039;
}

// Verbs of speech after a quotation that ended with its own full stop: “……。”他说。
bool IsSpeechCharacter(char32_t c) {
  switch (c) {
    case 0x8BF4:  // 说
    case 0x8AAA:  // 說
    case 0x9053:  // 道
    case 0x95EE:  // 问
    case 0x554F:  // 問
    case 0x7B54:  // 答
    case 0x558A:  // 喊
    case 0x53EB:  // 叫
      return true;
    default:
      return false;
  }
}

// Japanese particles that tie what follows a closing bracket to it: 「……。」と言った.
bool IsParticle(char32_t c) {
  switch (c) {
    case 0x3068:  // と
    case 0x3063:  // っ
    case 0x306A:  // な
    case 0x306E:  // の
    case 0x306F:  // は
    case 0x304C:  // が
    case 0x3092:  // を
    case 0x306B:  // に
    case 0x3067:  // で
    case 0x3082:  // も
    case 0x3084:  // や
      return true;
    default:
      return false;
  }
}

// ASCII that stands inside words, names of files and addresses.
constexpr std::array<bool, 128> MakeWordBytes() {
  std::array<bool, 128> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789.-'/@_:&=%,#")) {
    table[static_cast<size_t>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 128> kWordByte = MakeWordBytes();

bool IsLetter(CharClass cls) {
  return cls == CharClass::kUpper || cls == CharClass::kLower || cls == CharClass::kOtherLetter ||
         cls == CharClass::kIdeograph;
}

}  // namespace

// --- Brackets and quotations -------------------------------------------------------------------

size_t BoundaryFinder::HandleOpen(size_t i, char32_t c, size_t size) {
  const size_t next = i + size;
  if (region_end_ > i) return next;
  if (next >= s_.size()) return next;
  size_t next_size = 0;
  const CharClass after = ClassAt(next, &next_size);
  if (after == CharClass::kSpace && c != 0xAB) return next;
  if (ClassifyChar(c) == CharClass::kQuote) {
    if (c == 0x2019 || after == CharClass::kNewline || after == CharClass::kClose) return next;
    if (i > unit_begin_) {
      const CharClass before = ClassifyChar(DecodeBefore(s_, i, unit_begin_).code_point);
      const bool opens = before == CharClass::kSpace || before == CharClass::kNewline ||
                         before == CharClass::kOpen || before == CharClass::kDash ||
                         (before == CharClass::kIdeograph && c == '"') ||
                         (before == CharClass::kContinue && c == '"');
      if (!opens) return next;
    }
    region_end_ = FindCloser(next, c, c, c == '"' ? kQuoteReach : kQuoteReach / 2);
    return next;
  }
  char32_t partner = ClosingPartner(c);
  if (partner == 0) {
    // »German«, »Swedish» and ”Swedish”: a closing mark that stands like an opening one.
    const CharBefore before = DecodeBefore(s_, i, unit_begin_ < i ? unit_begin_ : i - 1);
    const CharClass before_class = ClassifyChar(before.code_point);
    const bool opens = i == unit_begin_ || before_class == CharClass::kSpace ||
                       before_class == CharClass::kNewline || before_class == CharClass::kOpen ||
                       before_class == CharClass::kDash;
    if (!opens || (c != 0xBB && c != 0x203A && c != 0x201D)) return next;
    partner = c == 0xBB ? 0xAB : c == 0x203A ? 0x2039 : c;
    region_end_ = FindCloser(next, c, partner, kQuoteReach);
    if (region_end_ == 0 && c != partner) region_end_ = FindCloser(next, c, c, kQuoteReach);
    return next;
  }
  size_t end = FindCloser(next, c, partner, IsDirectionalQuote(c) ? kQuoteReach : kBracketReach);
  if (end == 0 && c == 0x201E) end = FindCloser(next, c, 0x201D, kQuoteReach);  // „...”
  if (end == 0 && c == 0x201A) end = FindCloser(next, c, 0x2019, kQuoteReach);
  region_end_ = end;
  return next;
}

// After the bracket or mark that closes what was opened before `from`; 0 if none within `reach`.
size_t BoundaryFinder::FindCloser(size_t from, char32_t open, char32_t close, size_t reach) const {
  const std::string_view view = s_.substr(0, std::min(s_.size(), from + reach));
  int depth = 1;
  int events = 0;
  for (size_t i = FindEvent(view, from); i < view.size(); i = FindEvent(view, i)) {
    if (++events > kCloserEvents) return 0;
    const DecodedChar c = DecodeUtf8(view, i);
    const size_t end = i + c.size;
    if (c.code_point == '\n' && end < view.size() && view[end] == '\n') return 0;
    if (c.code_point == close) {
      bool closes = true;
      if (close == open && close >= 0x80) {
        const CharClass before = ClassifyChar(DecodeBefore(view, i, from - 1).code_point);
        closes = before != CharClass::kSpace;
      }
      if (close == '\'' || close == 0x2019 || close == '"') {
        // An apostrophe, or the opening mark of the next quotation, closes nothing.
        size_t size = 0;
        const CharClass after = end < view.size() ? ClassAt(end, &size) : CharClass::kSpace;
        const CharClass before = ClassifyChar(DecodeBefore(view, i, from - 1).code_point);
        closes = before != CharClass::kSpace && before != CharClass::kOpen;
        if (close != '"') {
          closes &= !IsLetter(after) && after != CharClass::kDigit && !IsLetter(before);
        }
      }
      if (closes && --depth == 0) return end;
    } else if (c.code_point == open) {
      ++depth;
    }
    i = end;
  }
  return 0;
}

// --- Lists inside a line -----------------------------------------------------------------------

// Value of the small roman numeral of two letters or more that ends there, or 0.
int BoundaryFinder::RomanBefore(size_t end, size_t floor, size_t* begin) const {
  int value = 0;
  int largest = 0;
  size_t i = end;
  for (; i > floor; --i) {
    const char c = s_[i - 1];
    const int digit = c == 'i' ? 1 : c == 'v' ? 5 : c == 'x' ? 10 : 0;
    if (digit == 0) break;
    value += digit < largest ? -digit : digit;
    largest = std::max(largest, digit);
  }
  const bool alone = i == floor || s_[i - 1] == ' ' || s_[i - 1] == '(' || s_[i - 1] == '\n';
  // One letter is taken as a letter: "i." after "h.".
  if (end - i < 2 || !alone || i < unit_begin_) return 0;
  *begin = i;
  return value;
}

// At '.' or ')' behind a number or letter. Returns 0 where it is no list marker.
size_t BoundaryFinder::HandleMarker(size_t i) {
  const size_t floor = std::max(unit_begin_, i - std::min<size_t>(i, 7));
  size_t word = i;
  if (s_[i] == ')' && word > floor && s_[word - 1] == '.') --word;
  const size_t word_end = word;
  int value = 0;
  while (word > floor && s_[word - 1] >= '0' && s_[word - 1] <= '9') --word;
  char style = '1';
  const int roman = word == word_end ? RomanBefore(word_end, floor, &word) : 0;
  if (roman > 0) {
    style = 'i';
    value = roman;
  } else if (word == word_end) {
    if (word == floor || word_end - floor < 1) return 0;
    const char c = s_[word - 1];
    const bool lower = c >= 'a' && c <= 'z';
    if (!lower && (c < 'A' || c > 'Z' || s_[i] == '.')) return 0;
    --word;
    style = lower ? 'a' : 'A';
    value = c - (lower ? 'a' : 'A') + 1;
  } else {
    if (word_end - word > 3) return 0;
    for (size_t k = word; k < word_end; ++k) value = value * 10 + (s_[k] - '0');
  }
  size_t next = i + 1;
  if (next < s_.size() && s_[i] == '.' && s_[next] == ')') ++next;
  const size_t content = SkipSpace(next);
  if (content == next || content >= s_.size()) return 0;
  size_t begin = word;
  if (begin > unit_begin_ && s_[begin - 1] == '(') --begin;
  const char tail = s_[next - 1];
  const bool at_begin =
      begin == unit_begin_ || ContentEnd(begin) == unit_begin_ ||
      (ContentEnd(begin) - unit_begin_ <= 3 && IsListMarker(unit_begin_) && style == '1');
  if (at_begin) {
    list_ = {style, tail, value};
    return next;
  }
  // The first roman numeral is a letter to look at.
  const bool first_roman = style == 'i' && value == 2 && list_.style == 'a' && list_.value == 9;
  const bool successor =
      list_.tail == tail && ((list_.style == style && value == list_.value + 1) || first_roman);
  if (!successor || s_[begin - 1] == '(') return 0;
  const CharClass before = ClassifyChar(DecodeBefore(s_, begin, unit_begin_).code_point);
  if (before != CharClass::kSpace && before != CharClass::kNewline) return 0;
  list_.value = value;
  list_.style = style;
  size_t cut = begin;
  size_t content_end = ContentEnd(cut);
  const CharBefore bullet = DecodeBefore(s_, content_end, unit_begin_);
  if (content_end > unit_begin_ && bullet.code_point == 0x2022) {
    cut = bullet.begin;
    content_end = ContentEnd(cut);
  }
  if (content_end > unit_begin_ && region_end_ <= cut) {
    Emit(content_end, content_end, cut, Unit::kListItem, 150);
  }
  return next;
}

// A bullet inside a line, where the unit began with one.
size_t BoundaryFinder::HandleBullet(size_t i) {
  const size_t next = i + 3;
  const bool list = unit_begin_ < i && DecodeUtf8(s_, unit_begin_).code_point == 0x2022;
  if (!list || SkipSpace(next) == next) return next;
  const size_t content_end = ContentEnd(i);
  if (content_end < i && content_end > unit_begin_ && region_end_ <= i) {
    Emit(content_end, content_end, i, Unit::kListItem, 180);
  }
  return next;
}

// --- Terminators -------------------------------------------------------------------------------

// Marks that end sentences in one script only: ':' in Armenian, ';' in Greek, two Ethiopic spaces.
bool BoundaryFinder::IsColonFullStop(size_t i) {
  if (i <= unit_begin_) return false;
  const DecodedChar c = DecodeUtf8(s_, i);
  const char32_t before = DecodeBefore(s_, i, unit_begin_).code_point;
  const size_t next = i + c.size;
  if (c.code_point == ':') {
    return before >= 0x561 && before <= 0x587 && next < s_.size() && SkipSpace(next) > next;
  }
  if (c.code_point == ';') {
    const bool greek = (before >= 0x370 && before < 0x400) || (before >= 0x1F00 && before < 0x2000);
    return greek && (next >= s_.size() || SkipSpace(next) > next || s_[next] == '\n');
  }
  if (c.code_point == '|') {
    const bool indic = before >= 0x900 && before < 0xE00;
    return (indic || before == ' ') && (next >= s_.size() || s_[next] == ' ' || s_[next] == '\n') &&
           (LanguagesAt(i) & kDevanagariLanguages) != 0;
  }
  return c.code_point == 0x1361 && next < s_.size() && DecodeUtf8(s_, next).code_point == 0x1361;
}

size_t BoundaryFinder::HandleTerminator(size_t i) {
  if (s_[i] == '.') {
    if (const size_t after = HandleMarker(i); after != 0) return after;
    const bool spaced = i + 2 < s_.size() && s_[i + 1] == ' ' && s_[i + 2] == '.';
    if (spaced && (i + 3 >= s_.size() || s_[i + 3] != '.')) return HandleSpacedEllipsis(i);
  }
  Ending e;
  e.begin = i;
  size_t j = i;
  while (j < s_.size()) {
    const DecodedChar c = DecodeUtf8(s_, j);
    const CharClass cls = ClassifyChar(c.code_point);
    const bool first = j == i;
    if (cls == CharClass::kPeriod) {
      ++e.dots;
    } else if (cls == CharClass::kEllipsis) {
      e.dots += 3;
    } else if (cls == CharClass::kBang || cls == CharClass::kFullStop ||
               (first && cls == CharClass::kContinue) || c.code_point == 0x1361 ||
               c.code_point == '|') {
      e.strong = true;
      e.no_space |= cls == CharClass::kFullStop || c.code_point == 0x1361;
    } else if (cls != CharClass::kExtend || first) {
      break;
    }
    if (cls != CharClass::kExtend) e.last = c.code_point;
    j += c.size;
  }
  e.run_end = j;
  const bool omission = i > unit_begin_ && j < s_.size() &&
                        ((s_[i - 1] == '[' && s_[j] == ']') || (s_[i - 1] == '(' && s_[j] == ')'));
  if (omission) return j;  // [...]
  e.end = ConsumeClosers(&e);
  if (region_end_ > e.end) return e.end;
  if (!e.strong && e.dots == 1) SkipFootnote(&e);
  const size_t gap = SkipSpace(e.end);
  size_t size = 0;
  if (gap >= s_.size()) return gap;
  if (ClassAt(gap, &size) == CharClass::kNewline) {
    // The line end decides; it wants to know what the text alone says.
    int newlines = 0;
    size_t line_start = 0;
    e.next = SkipGap(gap, &newlines, &line_start);
    if (e.next >= s_.size()) return gap;
    pending_end_ = e.end;
    pending_score_ = Decide(e);
    return gap;
  }
  e.next = gap;
  const uint8_t score = gap > e.end || e.no_space ? Decide(e) : DecideNoSpace(e);
  if (score == 0) return e.end;
  Emit(e.end, e.end, gap, Unit::kSentence, score);
  return std::max(gap, e.end);
}

// ". . ." and ". . . .": an ellipsis; of four, the first is the full stop (Chicago style).
size_t BoundaryFinder::HandleSpacedEllipsis(size_t i) {
  size_t j = i + 1;
  int dots = 1;
  while (j + 1 < s_.size() && s_[j] == ' ' && s_[j + 1] == '.') {
    j += 2;
    ++dots;
  }
  const size_t n = SkipSpace(j);
  if (dots < 3 || n >= s_.size() || region_end_ > i) return j;
  size_t at = 0;
  if (NextLetter(n, &at) != CharClass::kUpper) return j;
  if (dots > 3 && i > unit_begin_ && s_[i - 1] != ' ') {
    Emit(i + 1, i + 1, i + 2, Unit::kSentence, 130);
  } else if (s_[at] != 'I' || WordEnd(at) > at + 1) {
    Emit(j, j, n, Unit::kSentence, 110);
  }
  return j;
}

// "fast thinking.10 This model": the number of a footnote belongs to the sentence before it.
void BoundaryFinder::SkipFootnote(Ending* e) const {
  size_t k = e->end;
  while (k < s_.size() && k - e->end < 3 && s_[k] >= '0' && s_[k] <= '9') ++k;
  if (k == e->end || k >= s_.size() || s_[k] != ' ' || e->begin == unit_begin_) return;
  const CharClass before = ClassifyChar(DecodeBefore(s_, e->begin, unit_begin_).code_point);
  if (before != CharClass::kLower && before != CharClass::kClose) return;
  const size_t word = WordBegin(e->begin);
  if (before == CharClass::kLower && e->begin - word < 4) return;  // No.5, fig.2
  size_t at = 0;
  if (NextLetter(SkipSpace(k), &at) == CharClass::kUpper) e->end = k;
}

// After a reference mark "[12]" that begins at `i`; 0 where there is none.
size_t BoundaryFinder::ReferenceEnd(size_t i) const {
  if (i >= s_.size() || s_[i] != '[') return 0;
  size_t k = i + 1;
  while (k < s_.size() && k - i < 5 && s_[k] >= '0' && s_[k] <= '9') ++k;
  return k > i + 1 && k < s_.size() && s_[k] == ']' ? k + 1 : 0;
}

// Closing quotes, brackets, emphasis and reference marks right behind the terminators.
size_t BoundaryFinder::ConsumeClosers(Ending* e) const {
  size_t j = e->run_end;
  while (j < s_.size()) {
    const DecodedChar c = DecodeUtf8(s_, j);
    const CharClass cls = ClassifyChar(c.code_point);
    const size_t after = j + c.size;
    size_t size = 0;
    const CharClass next = after < s_.size() ? ClassAt(after, &size) : CharClass::kSpace;
    const bool letter_next = IsLetter(next) || next == CharClass::kDigit;
    const bool region = region_end_ == after;
    if (cls == CharClass::kClose || region) {
      e->closed_quote |= cls != CharClass::kClose || c.code_point >= 0x80;
    } else if (cls == CharClass::kQuote) {
      if (letter_next && !(next == CharClass::kIdeograph && c.code_point == '"')) break;
      e->closed_quote = true;
    } else if (c.code_point == 0x201C || c.code_point == 0x2018) {
      if (letter_next) break;  // „...“ closes with it
      e->closed_quote = true;
    } else if (c.code_point == '*' || c.code_point == '_') {
      if (letter_next) break;
    } else if (c.code_point == '[') {
      const size_t reference_end = ReferenceEnd(j);
      if (reference_end == 0) break;
      j = reference_end;
      continue;
    } else if (c.code_point == ' ') {
      // A detached reference or closing mark: " [2]", " '' ".
      size_t k = ReferenceEnd(after);
      if (k == 0) {
        k = after;
        while (k < s_.size() && k - after < 2 && (s_[k] == '\'' || s_[k] == '"')) ++k;
        if (k == after || k >= s_.size() || (s_[k] != ' ' && s_[k] != '\n')) break;
      }
      j = k;
      continue;
    } else {
      break;
    }
    j = after;
  }
  return j;
}

// --- Decisions: 0 is no, else how sure ----------------------------------------------------------

uint8_t BoundaryFinder::Decide(const Ending& e) {
  size_t size = 0;
  const CharClass next = ClassAt(e.next, &size);
  if (next == CharClass::kContinue || next == CharClass::kExtend) return 0;
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  if (next == CharClass::kClose && letter == CharClass::kOther) return 0;
  if (next == CharClass::kPeriod || next == CharClass::kBang || next == CharClass::kEllipsis) {
    // "gone. ...and back": an ellipsis before a word begins a sentence; other marks go on.
    const bool leading = next != CharClass::kBang && at > e.next + 1 && at < s_.size() &&
                         letter != CharClass::kOther && s_[at - 1] != ' ';
    return leading && (e.strong || e.dots == 1) ? 120 : 0;
  }
  if (e.no_space && (IsIdeographicStop(e.last) || e.next == e.end)) return DecideIdeographic(e);
  if (!e.strong && e.dots == 1) return DecidePeriod(e);
  if (letter == CharClass::kLower) return 0;
  if (letter == CharClass::kOther && next == CharClass::kDash) return 0;
  if (!e.strong) {  // ellipsis; I is a capital anywhere
    const bool pronoun = s_[at] == 'I' && WordEnd(at) == at + 1;
    return letter == CharClass::kIdeograph || pronoun ? 0 : 120;
  }
  if (e.closed_quote && IsSpeechAfterName(e.next)) return 0;
  return 220;
}

uint8_t BoundaryFinder::DecideIdeographic(const Ending& e) const {
  const DecodedChar c = DecodeUtf8(s_, e.next);
  const CharClass next = ClassifyChar(c.code_point);
  if (next == CharClass::kContinue || next == CharClass::kClose) return 0;
  if (e.last == 0xFF0E) return 0;
  if (e.last < 0x2000 && next == CharClass::kLower) return 0;
  if (e.closed_quote) {
    if (IsParticle(c.code_point)) return 0;
    size_t i = e.next;
    for (int k = 0; k < 8 && i < s_.size(); ++k) {
      const DecodedChar d = DecodeUtf8(s_, i);
      if (ClassifyChar(d.code_point) != CharClass::kIdeograph) break;
      if (IsSpeechCharacter(d.code_point)) return 0;
      i += d.size;
    }
  }
  return 230;
}

// "world.Today is": white space was lost; only before a word that is nothing but a beginning.
uint8_t BoundaryFinder::DecideNoSpace(const Ending& e) {
  size_t size = 0;
  const CharClass next = ClassAt(e.next, &size);
  const size_t word = WordBegin(e.begin);
  if (e.begin == word) return 0;
  const char32_t before = DecodeBefore(s_, e.begin, word).code_point;
  const CharClass before_class = ClassifyChar(before);
  if (e.strong && e.dots == 0 && next == CharClass::kIdeograph) {
    return before_class == CharClass::kIdeograph || e.closed_quote ? 200 : 0;
  }
  if (next != CharClass::kUpper) return 0;
  if (before_class != CharClass::kLower && before_class != CharClass::kDigit) return 0;
  const size_t word_end = WordEnd(e.next);
  const FoldedWord token = Folded(word, e.begin);
  if (token.view().find_first_of("/@_\\#=&%:.") != std::string_view::npos) return 0;
  if (e.begin - word < 2) return 0;
  const bool apart = word_end >= s_.size() || s_[word_end] == ' ' || s_[word_end] == ',';
  const WordFacts facts = Facts(e.next, word_end);
  const LanguageSet languages = LanguagesAt(e.begin);
  if (apart && ((facts.starter | facts.calendar) & languages) != 0) return 90;
  const bool stop = word_end + 1 < s_.size() && s_[word_end] == '.' && s_[word_end + 1] == ' ';
  return stop && facts.Abbreviation(languages) == AbbreviationKind::kTitle ? 80 : 0;
}

uint8_t BoundaryFinder::DecidePeriod(const Ending& e) {
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  const size_t word = WordBegin(e.begin);
  size_t word_end = e.begin;  // without directional marks: "د\u202A.\u202C"
  while (word_end > word) {
    const CharBefore c = DecodeBefore(s_, word_end, word);
    if (c.code_point < 0x200B || ClassifyChar(c.code_point) != CharClass::kExtend) break;
    word_end = c.begin;
  }
  const FoldedWord folded = Folded(word, word_end);
  const WordFacts facts = FindWord(folded.view());
  size_t first_size = 0;
  const CharClass first = word < e.begin ? ClassAt(word, &first_size) : CharClass::kOther;
  const size_t dot = folded.view().find('.');
  const bool one_letter =
      word + first_size == word_end && IsLetter(first) && first != CharClass::kIdeograph;
  const bool roman = IsRomanNumeral(word, e.begin);
  const bool ordinary = !facts.IsAbbreviation() && dot == std::string_view::npos && !one_letter &&
                        !roman && first != CharClass::kDigit;
  // Most words are no abbreviation anywhere: the language does not matter then.
  const LanguageSet languages = ordinary ? 0 : LanguagesAt(e.begin);
  const bool western = (languages & (kLatinLanguages | kCyrillicLanguages)) != 0;
  const AbbreviationKind kind =
      facts.Abbreviation(western ? languages | Bit(Language::kInternational) : languages);
  if (letter == CharClass::kLower) {
    // iPhone, eBay: a small letter before a capital begins a name.
    size_t size = 0;
    const bool name = kind == AbbreviationKind::kNone && at + 1 < s_.size() &&
                      ClassAt(at + 1, &size) == CharClass::kUpper && !e.closed_quote;
    return name ? 140 : 0;
  }
  size_t next_size = 0;
  if (ClassAt(e.next, &next_size) == CharClass::kDash &&
      (letter == CharClass::kOther || letter == CharClass::kDigit)) {
    return 0;
  }
  if (word == e.begin) return 180;  // after a quote, a bracket, a symbol
  if (e.closed_quote && IsSpeechAfterName(e.next)) return 0;
  const uint8_t plain = e.closed_quote                ? 190
                        : letter == CharClass::kUpper ? 210
                        : letter == CharClass::kOther ? 150
                                                      : 190;
  if (ordinary) return plain;
  const bool starter =
      letter == CharClass::kUpper && (Facts(at, WordEnd(at)).starter & languages) != 0;
  if (first == CharClass::kDigit) return DecideNumber(word, e, languages, starter);
  if (dot != std::string_view::npos && kind != AbbreviationKind::kTitle) {
    return DecideAcronym(folded.view(), e, starter);
  }
  if (one_letter) return DecideLetter(word, languages, starter);
  const bool one_language = (languages & (languages - 1)) == 0;
  if (roman && one_language && (languages & kOrdinalLanguages) != 0) return starter ? 150 : 0;
  switch (kind) {
    case AbbreviationKind::kTitle:
      return 0;
    case AbbreviationKind::kNumber:
      if (letter == CharClass::kDigit || letter == CharClass::kOther) return 0;
      if (letter == CharClass::kUpper && WordEnd(at) - at > 2) return 150;
      return starter ? 150 : 0;
    case AbbreviationKind::kMonth:
    case AbbreviationKind::kWord:
      return starter ? 150 : 0;
    case AbbreviationKind::kNone:
      break;
  }
  return plain;
}

uint8_t BoundaryFinder::DecideLetter(size_t word, LanguageSet languages, bool starter) {
  size_t size = 0;
  const CharClass cls = ClassAt(word, &size);
  if (cls == CharClass::kOtherLetter) return 0;
  const size_t before_end = ContentEnd(word);
  const size_t before = WordBegin(before_end);
  const bool has_before = before < before_end && before_end > unit_begin_;
  size_t before_size = 0;
  const CharClass before_class = has_before ? ClassAt(before, &before_size) : CharClass::kOther;
  if (cls == CharClass::kLower) {
    const bool chained = before_end > unit_begin_ && s_[before_end - 1] == '.';  // z. B.
    return starter && !chained ? 130 : 0;
  }
  if (s_[word] == 'I' && (languages & Bit(Language::kEnglish)) != 0 &&
      before_class == CharClass::kLower) {
    const FoldedWord previous = Folded(before, before_end);
    const bool pronoun = previous == "and" || previous == "am" || previous == "than" ||
                         previous == "or" || previous == "as" || previous == "but" ||
                         previous == "do" || previous == "did" || previous == "have";
    if (pronoun) return 140;
  }
  return starter ? 120 : 0;
}

uint8_t BoundaryFinder::DecideNumber(size_t word, const Ending& e, LanguageSet languages,
                                     bool starter) {
  const size_t digits = e.begin - word;
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  bool plain = true;
  for (size_t k = word; k < e.begin; ++k) plain &= s_[k] >= '0' && s_[k] <= '9';
  const bool one_language = (languages & (languages - 1)) == 0;
  if (plain && digits <= 2 && one_language && (languages & kOrdinalLanguages) != 0) {
    if (starter) return 150;
    const bool german = languages == Bit(Language::kGerman);
    const bool calendar = (Facts(at, WordEnd(at)).calendar & languages) != 0;
    if (german || calendar) return 0;
  }
  if (word == unit_begin_ && plain && digits <= 3) return 0;  // a list's or heading's number
  return letter == CharClass::kUpper ? 200 : 170;
}

uint8_t BoundaryFinder::DecideAcronym(std::string_view folded, const Ending& e, bool starter) {
  size_t segment = 0;
  bool acronym = true;
  for (const char c : folded) {
    segment = c == '.' ? 0 : segment + (IsUtf8Continuation(c) ? 0 : 1);
    acronym &= segment <= 3;
  }
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  if (!acronym) return letter == CharClass::kUpper ? 200 : 170;  // example.com, file.txt
  if (letter == CharClass::kDigit) return 0;
  if (letter != CharClass::kUpper) return 0;
  if (starter) return 140;
  // What follows a time, an era or a degree is seldom a part of it.
  static constexpr std::string_view kFinal[] = {"a.m",  "p.m",  "b.c",  "a.d",  "b.c.e", "c.e",
                                                "ph.d", "m.d",  "j.d",  "ll.m", "ll.b",  "b.a",
                                                "m.a",  "b.sc", "m.sc", "m.b.a"};
  if (std::find(std::begin(kFinal), std::end(kFinal), folded) == std::end(kFinal)) return 0;
  const size_t word_end = WordEnd(at);
  if (Facts(at, word_end).calendar != 0) return 0;
  const bool initial = word_end < s_.size() && s_[word_end] == '.' && word_end - at == 1;
  bool capitals = true;  // a time zone
  for (size_t k = at; k < word_end; ++k) capitals &= s_[k] >= 'A' && s_[k] <= 'Z';
  if (initial || (capitals && word_end - at > 1)) return 0;
  return IsOpeningPhrase(e.begin) ? 0 : 130;
}

// Capitals only: XIV.
bool BoundaryFinder::IsRomanNumeral(size_t begin, size_t end) const {
  const std::string_view word = s_.substr(begin, end - begin);
  return !word.empty() && word.find_first_not_of("IVXLCDM") == std::string_view::npos;
}

// "At 5 a.m. Mr. Smith left": up to `end`, the unit only says when.
bool BoundaryFinder::IsOpeningPhrase(size_t end) const {
  size_t words = 0;
  for (size_t i = unit_begin_; i < end; ++i) words += s_[i] == ' ';
  if (words > 3) return false;
  size_t at = 0;
  if (NextLetter(unit_begin_, &at) == CharClass::kOther) return false;
  const FoldedWord first = Folded(at, WordEnd(at));
  static constexpr std::string_view kWhen[] = {
      "at",   "by",      "around", "about", "before", "after", "since", "until", "from",
      "till", "klokken", "kl",     "um",    "gegen",  "om",    "alle",  "klo"};
  return std::find(std::begin(kWhen), std::end(kWhen), first.view()) != std::end(kWhen);
}

// --- Looking around ----------------------------------------------------------------------------

// Class of the first letter or digit at or after `n`, behind opening marks; kOther for anything
// else. *at: where it is.
CharClass BoundaryFinder::NextLetter(size_t n, size_t* at) const {
  *at = n;
  for (int k = 0; k < 6 && n < s_.size(); ++k) {
    size_t size = 0;
    const CharClass cls = ClassAt(n, &size);
    *at = n;
    if (IsLetter(cls) || cls == CharClass::kDigit) return cls;
    const bool skip =
        cls == CharClass::kOpen || cls == CharClass::kQuote || cls == CharClass::kDash ||
        cls == CharClass::kPeriod || cls == CharClass::kEllipsis || cls == CharClass::kExtend ||
        DecodeUtf8(s_, n).code_point == 0xBB || DecodeUtf8(s_, n).code_point == 0x201D ||
        (cls == CharClass::kSpace && k > 0) || s_[n] == '*' || s_[n] == '_' ||
        DecodeUtf8(s_, n).code_point == 0xBF || DecodeUtf8(s_, n).code_point == 0xA1;
    if (!skip) return CharClass::kOther;
    n += size;
  }
  return CharClass::kOther;
}

// Begin of the run of letters, digits, marks, inner dots, hyphens and apostrophes that ends there.
size_t BoundaryFinder::WordBegin(size_t end) const {
  size_t begin = end;
  const size_t floor = std::max(unit_begin_, end - std::min<size_t>(end, 96));
  while (begin > floor) {
    const auto byte = static_cast<uint8_t>(s_[begin - 1]);
    if (byte < 0x80) {
      if (!kWordByte[byte]) break;
      --begin;
      continue;
    }
    const CharBefore c = DecodeBefore(s_, begin, floor);
    const CharClass cls = ClassifyChar(c.code_point);
    const bool inside = IsLetter(cls) || cls == CharClass::kDigit || cls == CharClass::kExtend ||
                        cls == CharClass::kPeriod || c.code_point == 0x2019 ||
                        c.code_point == 0x2116 || c.code_point == 0xB0 || c.code_point == 0x5F4;
    if (!inside) break;
    begin = c.begin;
  }
  while (begin < end && s_[begin] == '-') ++begin;
  // Elided articles and opening quotes are not part of the word: l'Avv., 'Mr.
  for (size_t i = begin; i < end; ++i) {
    const bool apostrophe = s_[i] == '\'';
    const bool curly = i + 2 < end && s_.substr(i, 3) == "\xE2\x80\x99";
    if ((apostrophe || curly) && i - begin <= 4) {
      begin = i + (apostrophe ? 1 : 3);
      break;
    }
  }
  return begin;
}

size_t BoundaryFinder::WordEnd(size_t begin) const {
  size_t end = begin;
  while (end < s_.size() && end - begin < 64) {
    size_t size = 0;
    const CharClass cls = ClassAt(end, &size);
    if (!IsLetter(cls) && cls != CharClass::kDigit && cls != CharClass::kExtend) break;
    end += size;
  }
  return end;
}

FoldedWord::FoldedWord(std::string_view text, size_t begin, size_t end) {
  for (size_t i = begin; i < end && size_ + 2 * kMaxUtf8Size <= sizeof(bytes_);) {
    const char byte = text[i];
    if (static_cast<uint8_t>(byte) < 0x80) {
      bytes_[size_++] = static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
      ++i;
      continue;
    }
    const DecodedChar c = DecodeUtf8(text, i);
    std::string lower;
    AppendUtf8(FoldCase(c.code_point), &lower);
    for (const char l : lower) bytes_[size_++] = l;
    i += c.size;
  }
}

FoldedWord BoundaryFinder::Folded(size_t begin, size_t end) const {
  return FoldedWord(s_, begin, end);
}

WordFacts BoundaryFinder::Facts(size_t begin, size_t end) const {
  return FindWord(FoldedWord(s_, begin, end).view());
}

// `"..." John said`: one name, then a verb of speech.
bool BoundaryFinder::IsSpeechAfterName(size_t n) const {
  const size_t name_end = WordEnd(n);
  if (name_end == n || name_end >= s_.size() || s_[name_end] != ' ') return false;
  const size_t verb_end = WordEnd(name_end + 1);
  return verb_end > name_end + 1 && Facts(name_end + 1, verb_end).speech != 0;
}

// The languages whose rules hold at `i`: the option's, else those of the script of the letters
// before, narrowed by the function words of the unit where they tell.
LanguageSet BoundaryFinder::LanguagesAt(size_t i) {
  LanguageSet script = 0;
  const size_t floor = std::max(unit_begin_, i - std::min<size_t>(i, 96));
  for (size_t j = i; j > floor && script == 0;) {
    const CharBefore c = DecodeBefore(s_, j, floor);
    if (IsLetter(ClassifyChar(c.code_point))) script = LanguagesOfScript(c.code_point);
    j = c.begin;
  }
  if (script == 0) script = kLatinLanguages;
  // Within a few sentences the language stays; asking costs as much as a sentence.
  const size_t reach = language_paragraph_ == paragraph_ ? kLanguageReach : kLanguageReach / 4;
  if (language_script_ != script || i - language_from_ >= reach) {
    language_set_ = FindLanguages(i, script);
    language_script_ = script;
    language_from_ = i;
    language_paragraph_ = paragraph_;
  }
  return language_set_;
}

LanguageSet BoundaryFinder::FindLanguages(size_t i, LanguageSet script) {
  if (option_language_ != Language::kNone && (script & Bit(option_language_)) != 0) {
    return Bit(option_language_);
  }
  LanguageSet* detected = script == kLatinLanguages          ? &detected_latin_
                          : script == kCyrillicLanguages     ? &detected_cyrillic_
                          : script == kArabicScriptLanguages ? &detected_arabic_
                                                             : nullptr;
  if (detected == nullptr) return script;
  int counts[static_cast<size_t>(Language::kCount)] = {};
  int best = 0;
  LanguageSet winner = 0;
  const size_t end = std::min(s_.size(), i + 200);
  for (size_t j = std::max(unit_begin_, i - std::min<size_t>(i, 300)); j < end;) {
    const size_t word_end = WordEnd(j);
    if (word_end == j) {
      j += DecodeUtf8(s_, j).size;
      continue;
    }
    const WordFacts facts = Facts(j, word_end);
    LanguageSet hits = (facts.frequent | facts.starter) & script;
    while (hits != 0) {
      const unsigned bit = static_cast<unsigned>(__builtin_ctzll(hits));
      hits &= hits - 1;
      const int count = ++counts[bit];
      if (count > best) {
        best = count;
        winner = LanguageSet{1} << bit;
      } else if (count == best) {
        winner |= LanguageSet{1} << bit;
      }
    }
    j = word_end;
    if (best >= 4 && (winner & (winner - 1)) == 0) break;  // clear enough
  }
  if ((winner & Bit(Language::kEnglish)) != 0) winner = Bit(Language::kEnglish);  // a tie
  if (best >= 2) *detected = winner;
  if (*detected != 0) return *detected;
  return script == kLatinLanguages ? Bit(Language::kEnglish) : script;
}

}  // namespace penstock::internal
