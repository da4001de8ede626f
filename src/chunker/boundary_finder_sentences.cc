// SPDX-License-Identifier: Apache-2.0
//
// Sentence ends: UAX #29's sentence rules with the tailoring its section 5.3 invites. Unsure is no.
#include <algorithm>

#include "chunker/boundary_finder.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

bool IsIdeographicStop(char32_t c) {
  return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61 || c == 0xFF0E;
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

bool IsDetachedCloser(char c) { return c == '\'' || c == '"' || c == ')' || c == ']'; }

}  // namespace

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
  if (j < s_.size()) {  // nothing closes here: the usual case
    const bool space = s_[j] == ' ' && j + 1 < s_.size();
    if (s_[j] == '\n' || IsAsciiLetterOrDigit(s_[space ? j + 1 : j])) return j;
  }
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
      // A detached reference or closing mark: " [2]", " '' ", " ) ".
      size_t k = ReferenceEnd(after);
      if (k == 0) {
        k = after;
        while (k < s_.size() && k - after < 2 && IsDetachedCloser(s_[k])) ++k;
        if (k == after || (k < s_.size() && s_[k] != ' ' && s_[k] != '\n')) break;
        if (k >= s_.size() && k - e->begin >= kLookahead / 2) break;  // else the text ends there
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

// Decisions: 0 is no, else how sure.

uint8_t BoundaryFinder::Decide(const Ending& ending) {
  Ending e = ending;
  // ",,": an opening quotation mark in typewritten Dutch, German, Danish.
  if (s_.substr(e.next, 2) == ",," && e.next + 2 < s_.size()) {
    const size_t n = SkipSpace(e.next + 2);
    if (n < s_.size() && s_[n] != ',') e.next = n;
  }
  size_t size = 0;
  const CharClass next = ClassAt(e.next, &size);
  if (next == CharClass::kContinue || next == CharClass::kExtend) return 0;
  size_t at = 0;
  const CharClass letter = NextLetter(e.next, &at);
  if (next == CharClass::kClose && letter == CharClass::kOther) return 0;
  if (next == CharClass::kPeriod || next == CharClass::kBang || next == CharClass::kEllipsis) {
    // "gone. ...and back": an ellipsis before a word begins a sentence; other marks go on.
    const bool leading = next != CharClass::kBang && at > e.next + 1 && at < s_.size() &&
                         letter != CharClass::kOther && s_[at - 1] != ' ' && s_[e.next + 1] != ' ';
    return leading && (e.strong || e.dots == 1) ? 120 : 0;
  }
  if (e.no_space && (IsIdeographicStop(e.last) || e.next == e.end)) return DecideIdeographic(e);
  if (!e.strong && e.dots == 1) return DecidePeriod(e);
  if (letter == CharClass::kLower) {
    return e.strong && e.end == e.run_end && BeginsSmall() ? 110 : 0;
  }
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
  if (next != CharClass::kUpper && next != CharClass::kIdeograph) return 0;
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
  const WordFacts& facts = Facts(e.next, word_end);
  const LanguageSet languages = LanguagesAt(e.begin);
  if (apart && ((facts.starter | facts.calendar) & languages) != 0) return 90;
  const bool stop = word_end + 1 < s_.size() && s_[word_end] == '.' && s_[word_end + 1] == ' ';
  return stop && facts.Abbreviation(languages) == AbbreviationKind::kTitle ? 80 : 0;
}

}  // namespace penstock::internal
