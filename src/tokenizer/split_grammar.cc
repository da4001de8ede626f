// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/split_grammar.h"

namespace penstock::internal {
namespace {

// What [^\r\n\p{L}\p{N}] and [^\s\p{L}\p{N}] exclude.
constexpr uint8_t kNotPrefix = kSplitNewline | kSplitLetter | kSplitNumber;
constexpr uint8_t kNotOther = kSplitSpace | kSplitLetter | kSplitNumber;
// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}].
constexpr uint8_t kUpperSet = kSplitUpper | kSplitOtherLetter | kSplitMark;
constexpr uint8_t kLowerSet = kSplitLower | kSplitOtherLetter | kSplitMark;

char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

const std::array<uint8_t, 128> SplitGrammar::kAscii = [] {
  std::array<uint8_t, 128> table{};
  for (char32_t c = 0; c < 128; ++c) table[c] = SplitBits(c);
  return table;
}();

// End of a contraction at `pos`, or `pos`.
size_t SplitGrammar::ContractionAt(std::string_view text, size_t pos, bool any_case) const {
  if (pos + 1 >= text.size() || text[pos] != '\'') return pos;
  const auto letter = [&](size_t i) {
    if (i >= text.size()) return '\0';
    return any_case ? AsciiLower(text[i]) : text[i];
  };
  const char a = letter(pos + 1);
  switch (a) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return pos + 2;
    case 'r':
    case 'v':
      return letter(pos + 2) == 'e' ? pos + 3 : pos;
    case 'l':
      return letter(pos + 2) == 'l' ? pos + 3 : pos;
    case '\xC5':  // U+017F, the long s, folds to s
      return any_case && letter(pos + 2) == '\xBF' ? pos + 3 : pos;
    default:
      return pos;
  }
}

// gpt2 and cl100k; `pos` if there is no word.
size_t SplitGrammar::WordAt(std::string_view text, size_t pos, Char first) const {
  if (first.bits & kSplitLetter) return Skip(text, pos + first.size, kSplitLetter);
  const bool prefix =
      shape_.word == Word::kGpt2 ? text[pos] == ' ' : (first.bits & kNotPrefix) == 0;
  if (!prefix) return pos;
  const Char next = At(text, pos + first.size);
  if ((next.bits & kSplitLetter) == 0) return pos;
  return Skip(text, pos + first.size + next.size, kSplitLetter);
}

// U*L+ from `pos`, greedy with backtracking: the end, or `pos`.
size_t SplitGrammar::LowerAfterUpper(std::string_view text, size_t pos) const {
  size_t backtrack = pos;  // end of the last character that is in both sets
  size_t end = pos;
  for (Char c = At(text, end); (c.bits & kUpperSet) != 0; c = At(text, end)) {
    end += c.size;
    if (c.bits & kLowerSet) backtrack = end;
  }
  if (At(text, end).bits & kLowerSet) return Skip(text, end, kLowerSet);
  return backtrack;
}

size_t SplitGrammar::CasedWordAt(std::string_view text, size_t pos, Char first) const {
  const bool prefix = (first.bits & kNotPrefix) == 0;
  const size_t after = pos + first.size;
  size_t end = pos;
  if (prefix && LowerAfterUpper(text, after) != after) {
    end = LowerAfterUpper(text, after);
  } else if (LowerAfterUpper(text, pos) != pos) {
    end = LowerAfterUpper(text, pos);
  } else if (prefix && (At(text, after).bits & kUpperSet) != 0) {
    end = Skip(text, after, kUpperSet);
  } else {
    end = Skip(text, pos, kUpperSet);
  }
  if (end != pos && shape_.contraction == Contraction::kAnyCaseAtEnd) {
    end = ContractionAt(text, end, true);
  }
  return end;
}

size_t SplitGrammar::NumberAt(std::string_view text, size_t pos) const {
  if (shape_.max_digits == 0) {
    const size_t begin = text[pos] == ' ' ? pos + 1 : pos;
    const size_t end = Skip(text, begin, kSplitNumber);
    return end == begin ? pos : end;
  }
  for (int i = 0; i < shape_.max_digits; ++i) {
    const Char c = At(text, pos);
    if ((c.bits & kSplitNumber) == 0) break;
    pos += c.size;
  }
  return pos;
}

size_t SplitGrammar::OtherAt(std::string_view text, size_t pos) const {
  const size_t begin = text[pos] == ' ' ? pos + 1 : pos;
  size_t end = begin;
  for (Char c = At(text, end); c.size != 0 && (c.bits & kNotOther) == 0; c = At(text, end)) {
    end += c.size;
  }
  if (end == begin) return pos;
  if (shape_.newlines_after) {
    while (end < text.size() &&
           (text[end] == '\r' || text[end] == '\n' || (shape_.slash_after && text[end] == '/'))) {
      ++end;
    }
  }
  return end;
}

size_t SplitGrammar::SpaceAt(std::string_view text, size_t pos) const {
  size_t end = pos;
  size_t last = pos;          // begin of the last character
  size_t newlines_end = pos;  // end of the last newline
  for (Char c = At(text, end); (c.bits & kSplitSpace) != 0; c = At(text, end)) {
    last = end;
    end += c.size;
    if (c.bits & kSplitNewline) newlines_end = end;
  }
  if (shape_.newline_pieces && newlines_end != pos) return newlines_end;
  if (end == text.size() || last == pos) return end;
  return last;  // the last one goes with what follows
}

size_t SplitGrammar::NextPiece(std::string_view text, size_t pos) const {
  const Char first = At(text, pos);
  if (text[pos] == '\'' && (shape_.contraction == Contraction::kAsWritten ||
                            shape_.contraction == Contraction::kAnyCase)) {
    const size_t end = ContractionAt(text, pos, shape_.contraction == Contraction::kAnyCase);
    if (end != pos) return end;
  }
  size_t end =
      shape_.word == Word::kO200k ? CasedWordAt(text, pos, first) : WordAt(text, pos, first);
  if (end != pos) return end;
  end = NumberAt(text, pos);
  if (end != pos) return end;
  end = OtherAt(text, pos);
  if (end != pos) return end;
  end = SpaceAt(text, pos);
  return end != pos ? end : pos + first.size;
}

bool SplitGrammar::CanCut(std::string_view text, size_t pos) const {
  // Behind a letter or a mark of ASCII, as most places are: no white space whatever follows.
  const auto last = static_cast<uint8_t>(pos == 0 ? ' ' : text[pos - 1]);
  if (last > ' ' && last < 0x7F) return true;
  if (At(text, pos).bits & kSplitSpace) return true;
  // Two white space characters before it, the last of which no newline piece took?
  uint8_t before[2] = {0, 0};
  size_t end = pos;
  for (uint8_t& bits : before) {
    if (end == 0) break;
    size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && IsUtf8Continuation(text[begin])) --begin;
    const Char c = At(text, begin);
    bits = begin + c.size == end ? c.bits : uint8_t{0};
    end = begin;
  }
  if ((before[0] & kSplitSpace) == 0 || (before[1] & kSplitSpace) == 0) return true;
  return shape_.newline_pieces && (before[0] & kSplitNewline) != 0;
}

size_t SplitGrammar::SplitPoint(std::string_view text) const {
  constexpr uint8_t kInWord = kSplitLetter | kSplitMark;
  constexpr size_t kLongestContraction = 4;
  size_t point = 0;
  uint8_t before = 0;
  for (size_t pos = 0; pos + kLongestContraction < text.size();) {
    if (pos > 0) {
      const Char at = At(text, pos);
      const bool decided = (at.bits & kSplitSpace) != 0
                               ? (before & kSplitSpace) == 0
                               : ((at.bits & kInWord) != 0) != ((before & kInWord) != 0);
      if (decided && CanCut(text, pos)) point = pos;
    }
    const size_t end = NextPiece(text, pos);
    size_t last = end - 1;
    while (last > pos && end - last < 4 && IsUtf8Continuation(text[last])) --last;
    before = At(text, last).bits;
    pos = end;
  }
  return point;
}

void GrammarScanner::Append(std::string_view bytes, std::vector<size_t>* ends) {
  open_.append(bytes);
  if (open_.size() < look_at_) return;
  const size_t point = grammar_->SplitPoint(open_);
  Take(point, ends);
  look_at_ = point > 0 ? 0 : 2 * open_.size();
}

void GrammarScanner::Finish(std::vector<size_t>* ends) {
  Take(open_.size(), ends);
  *this = GrammarScanner(grammar_);
}

void GrammarScanner::Take(size_t bytes, std::vector<size_t>* ends) {
  const std::string_view part = std::string_view(open_).substr(0, bytes);
  for (size_t pos = 0; pos < bytes;) {
    pos = grammar_->NextPiece(part, pos);
    ends->push_back(base_ + pos);
  }
  open_.erase(0, bytes);
  base_ += bytes;
}

#define PENSTOCK_O200K_WORDS(contraction)                                                       \
  R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)" contraction \
  R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)" contraction

const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char kCl100kPattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kO200kPattern[] = PENSTOCK_O200K_WORDS(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)?") R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kTekkenPattern[] =
    PENSTOCK_O200K_WORDS("") R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const SplitGrammar* FindGrammar(std::string_view pattern) {
  using Word = SplitGrammar::Word;
  using Contraction = SplitGrammar::Contraction;
  static const SplitGrammar gpt2(
      {"gpt2", Word::kGpt2, Contraction::kAsWritten, 0, false, false, false});
  static const SplitGrammar cl100k(
      {"cl100k", Word::kCl100k, Contraction::kAnyCase, 3, true, false, true});
  static const SplitGrammar qwen2(
      {"qwen2", Word::kCl100k, Contraction::kAnyCase, 1, true, false, true});
  static const SplitGrammar o200k(
      {"o200k", Word::kO200k, Contraction::kAnyCaseAtEnd, 3, true, true, true});
  static const SplitGrammar tekken(
      {"tekken", Word::kO200k, Contraction::kNone, 1, true, true, true});
  static const struct {
    std::string_view pattern;
    const SplitGrammar* grammar;
  } known[] = {
      {kGpt2Pattern, &gpt2},
      {R"('s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", &gpt2},
      {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", &gpt2},
      {kCl100kPattern, &cl100k},
      {kQwen2Pattern, &qwen2},
      {kO200kPattern, &o200k},
      {kTekkenPattern, &tekken},
  };
  for (const auto& entry : known) {
    if (entry.pattern == pattern) return entry.grammar;
  }
  return nullptr;
}

}  // namespace penstock::internal
