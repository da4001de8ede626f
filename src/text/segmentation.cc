// SPDX-License-Identifier: Apache-2.0
// Rule numbers are those of UAX #29.
#include "text/segmentation.h"

namespace penstock::internal {

// ---------------------------------------------------------------------------------- graphemes

bool GraphemeBreaker::BreaksBefore(const BreakRecord& record) const {
  using G = GraphemeBreak;
  const G next = static_cast<G>(record.grapheme);
  if (last_ == G::kOther && next == G::kOther) {
    // The common case first; only GB9c and GB11 can still join.
    if (record.pictographic == 0 && record.conjunct == 0) return true;
  }
  if (last_ == G::kCr) return next != G::kLf;                                // GB3, GB4
  if (last_ == G::kLf || last_ == G::kControl) return true;                  // GB4
  if (next == G::kCr || next == G::kLf || next == G::kControl) return true;  // GB5
  if (last_ == G::kL) {                                                      // GB6
    if (next == G::kL || next == G::kV || next == G::kLv || next == G::kLvt) return false;
  }
  if (last_ == G::kLv || last_ == G::kV) {  // GB7
    if (next == G::kV || next == G::kT) return false;
  }
  if ((last_ == G::kLvt || last_ == G::kT) && next == G::kT) return false;             // GB8
  if (next == G::kExtend || next == G::kZwj || next == G::kSpacingMark) return false;  // GB9, GB9a
  if (last_ == G::kPrepend) return false;                                              // GB9b
  if (conjunct_ == Conjunct::kLinked &&
      static_cast<ConjunctBreak>(record.conjunct) == ConjunctBreak::kConsonant) {
    return false;  // GB9c
  }
  if (emoji_ == Emoji::kJoined && record.pictographic != 0) return false;  // GB11
  return !(odd_indicators_ && next == G::kRegionalIndicator);              // GB12, GB13
}

Borders GraphemeBreaker::Push(char32_t c, size_t pos) {
  using G = GraphemeBreak;
  const BreakRecord& record = BreaksOf(c);
  Borders borders;
  if (started_ && BreaksBefore(record)) borders.Add(pos);
  started_ = true;

  last_ = static_cast<G>(record.grapheme);
  odd_indicators_ = last_ == G::kRegionalIndicator && !odd_indicators_;
  if (record.pictographic != 0) {
    emoji_ = Emoji::kPictograph;
  } else if (emoji_ == Emoji::kPictograph && last_ == G::kZwj) {
    emoji_ = Emoji::kJoined;
  } else if (emoji_ != Emoji::kPictograph || last_ != G::kExtend) {
    emoji_ = Emoji::kNone;
  }
  switch (static_cast<ConjunctBreak>(record.conjunct)) {
    case ConjunctBreak::kConsonant:
      conjunct_ = Conjunct::kConsonant;
      break;
    case ConjunctBreak::kLinker:
      if (conjunct_ != Conjunct::kNone) conjunct_ = Conjunct::kLinked;
      break;
    case ConjunctBreak::kExtend:
      break;
    case ConjunctBreak::kNone:
      conjunct_ = Conjunct::kNone;
      break;
  }
  return borders;
}

// -------------------------------------------------------------------------------------- words

namespace {

bool IsLetterOfWord(WordBreak w) {
  return w == WordBreak::kALetter || w == WordBreak::kHebrewLetter;
}
bool IsLineEnd(WordBreak w) {
  return w == WordBreak::kCr || w == WordBreak::kLf || w == WordBreak::kNewline;
}
bool IsSkipped(WordBreak w) {
  return w == WordBreak::kExtend || w == WordBreak::kFormat || w == WordBreak::kZwj;
}
bool IsMidNumLetQ(WordBreak w) {
  return w == WordBreak::kMidNumLet || w == WordBreak::kSingleQuote;
}

}  // namespace

// base_ can stand in the middle between before_ and a third character.
bool WordBreaker::OpensMiddle(WordBreak next) const {
  if (IsLetterOfWord(base_) && (next == WordBreak::kMidLetter || IsMidNumLetQ(next))) return true;
  if (base_ == WordBreak::kHebrewLetter && next == WordBreak::kDoubleQuote) return true;
  return base_ == WordBreak::kNumeric && (next == WordBreak::kMidNum || IsMidNumLetQ(next));
}

bool WordBreaker::JoinsAcrossMiddle(WordBreak next) const {
  if (base_ == WordBreak::kDoubleQuote) return next == WordBreak::kHebrewLetter;  // WB7b, WB7c
  if (before_ == WordBreak::kNumeric) return next == WordBreak::kNumeric;         // WB11, WB12
  return IsLetterOfWord(next);                                                    // WB6, WB7
}

// No border between base_ (or last_, where Extend counts) and `next`.
bool WordBreaker::Joins(WordBreak next, bool pictographic) const {
  using W = WordBreak;
  if (last_ == W::kCr && next == W::kLf) return true;                // WB3
  if (IsLineEnd(last_) || IsLineEnd(next)) return false;             // WB3a, WB3b
  if (last_ == W::kZwj && pictographic) return true;                 // WB3c
  if (last_ == W::kWSegSpace && next == W::kWSegSpace) return true;  // WB3d
  if (IsSkipped(next)) return true;                                  // WB4
  const bool letter = IsLetterOfWord(base_), next_letter = IsLetterOfWord(next);
  const bool number = base_ == W::kNumeric, next_number = next == W::kNumeric;
  if ((letter || number) && (next_letter || next_number)) return true;    // WB5, WB8, WB9, WB10
  if (base_ == W::kHebrewLetter && next == W::kSingleQuote) return true;  // WB7a
  const bool katakana = base_ == W::kKatakana, next_katakana = next == W::kKatakana;
  if (katakana && next_katakana) return true;  // WB13
  const bool extends = base_ == W::kExtendNumLet;
  if (next == W::kExtendNumLet && (letter || number || katakana || extends)) return true;  // WB13a
  if (extends && (next_letter || next_number || next_katakana)) return true;               // WB13b
  return odd_indicators_ && base_ == W::kRegionalIndicator &&
         next == W::kRegionalIndicator;  // WB15, WB16
}

Borders WordBreaker::Push(char32_t c, size_t pos) {
  const BreakRecord& record = BreaksOf(c);
  const WordBreak next = static_cast<WordBreak>(record.word);
  Borders borders;
  if (!started_) {
    started_ = true;
    last_ = base_ = next;
    odd_indicators_ = next == WordBreak::kRegionalIndicator;
    return borders;
  }
  const bool joins = Joins(next, record.pictographic != 0);
  if (IsSkipped(next) && joins) {  // WB4: as if it were not there
    last_ = next;
    return borders;
  }
  const bool across = in_middle_ && JoinsAcrossMiddle(next);
  if (has_pending_ && !across) borders.Add(pending_);
  has_pending_ = false;
  const bool opens = OpensMiddle(next);
  if (!joins && !across) {
    if (opens) {
      has_pending_ = true;
      pending_ = pos;
    } else {
      borders.Add(pos);
    }
  }
  in_middle_ = opens;
  before_ = base_;
  odd_indicators_ = next == WordBreak::kRegionalIndicator &&
                    !(odd_indicators_ && base_ == WordBreak::kRegionalIndicator);
  last_ = base_ = next;
  return borders;
}

Borders WordBreaker::Finish() const {
  Borders borders;
  if (has_pending_) borders.Add(pending_);
  return borders;
}

// ---------------------------------------------------------------------------------- sentences

namespace {

bool IsParagraphEnd(SentenceBreak s) {
  return s == SentenceBreak::kSep || s == SentenceBreak::kCr || s == SentenceBreak::kLf;
}
bool IsTerminator(SentenceBreak s) {
  return s == SentenceBreak::kATerm || s == SentenceBreak::kSTerm;
}
// What ends the search for a Lower (SB8).
bool DecidesCase(SentenceBreak s) {
  return s == SentenceBreak::kOLetter || s == SentenceBreak::kUpper || s == SentenceBreak::kLower ||
         IsParagraphEnd(s) || IsTerminator(s);
}

}  // namespace

// Is there a border after "SATerm Close* Sp*", before `next`? Sets it pending where SB8 cannot say.
bool SentenceBreaker::BreaksAfterTerminator(SentenceBreak next, size_t pos) {
  using S = SentenceBreak;
  if (is_aterm_) {
    if (stage_ == Stage::kTerm && next == S::kNumeric) return false;                 // SB6
    if (stage_ == Stage::kTerm && cased_before_ && next == S::kUpper) return false;  // SB7
    if (next == S::kLower) return false;                                             // SB8
  }
  if (next == S::kSContinue || IsTerminator(next)) return false;   // SB8a
  if (next == S::kClose && stage_ != Stage::kSpace) return false;  // SB9
  if (next == S::kSp || IsParagraphEnd(next)) return false;        // SB9, SB10
  if (is_aterm_ && !DecidesCase(next)) {                           // SB8
    has_pending_ = true;
    pending_ = pos;
    return false;
  }
  return true;  // SB11
}

void SentenceBreaker::Advance(SentenceBreak next) {
  using S = SentenceBreak;
  if (IsTerminator(next)) {
    is_aterm_ = next == S::kATerm;
    cased_before_ = last_ == S::kUpper || last_ == S::kLower;
    stage_ = Stage::kTerm;
  } else if (stage_ == Stage::kNone || has_pending_) {
    stage_ = Stage::kNone;
  } else if (next == S::kClose && stage_ != Stage::kSpace) {
    stage_ = Stage::kClose;
  } else if (next == S::kSp) {
    stage_ = Stage::kSpace;
  } else {
    stage_ = Stage::kNone;
  }
  last_ = next;
}

Borders SentenceBreaker::Push(char32_t c, size_t pos) {
  using S = SentenceBreak;
  const S next = SentenceBreakOf(c);
  Borders borders;
  if (!started_) {
    started_ = true;
    Advance(next);
    return borders;
  }
  if (IsParagraphEnd(last_)) {  // SB3, SB4
    if (last_ != S::kCr || next != S::kLf) borders.Add(pos);
    stage_ = Stage::kNone;
    Advance(next);
    return borders;
  }
  if (next == S::kExtend || next == S::kFormat) return borders;  // SB5
  if (has_pending_) {
    if (DecidesCase(next)) {
      has_pending_ = false;
      if (next != S::kLower) borders.Add(pending_);
    }
  } else if (stage_ != Stage::kNone && BreaksAfterTerminator(next, pos)) {
    borders.Add(pos);
  }
  Advance(next);
  return borders;
}

Borders SentenceBreaker::Finish() const {
  Borders borders;
  if (has_pending_) borders.Add(pending_);
  return borders;
}

}  // namespace penstock::internal
