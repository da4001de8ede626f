// SPDX-License-Identifier: Apache-2.0
//
// SplitGrammar: the pre-tokenizer patterns that models are trained with, compiled by hand.
//
//   const SplitGrammar* g = FindGrammar(pattern_text);  // null: a pattern we do not know by heart
//   for (size_t pos = 0; pos < text.size(); pos = end) end = g->NextPiece(text, pos);
//
// All of them are one family. In order of preference, at each place:
//
//   contraction   's 't 're 've 'm 'll 'd                   (gpt2: as written, cl100k: any case)
//   word          gpt2:   ␠?\p{L}+
//                 cl100k: [^\r\n\p{L}\p{N}]?\p{L}+
//                 o200k:  the same with lower after upper case, contraction at its end
//   number        ␠?\p{N}+, \p{N}{1,3} or \p{N}
//   other         ␠?[^\s\p{L}\p{N}]+, then [\r\n]* or [\r\n/]*
//   newlines      \s*[\r\n]+                                (not gpt2)
//   space         \s+(?!\S), then \s+
//
// Properties the engine lives on: the pieces partition any text; scanning never looks behind, so a
// piece boundary is a state that scanning can be resumed from; the one look-ahead, (?!\S), is why
// the pieces of white space in front of a boundary may depend on what follows it (CanCut). Invalid
// bytes count as one "other" character each maximal subpart. Linear time, no allocation.
// Immutable; safe to share. The twin of each grammar in the tests is its pattern run by PCRE2.
#ifndef PENSTOCK_SRC_TOKENIZER_SPLIT_GRAMMAR_H_
#define PENSTOCK_SRC_TOKENIZER_SPLIT_GRAMMAR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/utf8.h"
#include "tokenizer/char_class.h"

namespace penstock::internal {

class SplitGrammar {
 public:
  enum class Word : uint8_t { kGpt2, kCl100k, kO200k };
  enum class Contraction : uint8_t { kNone, kAsWritten, kAnyCase, kAnyCaseAtEnd };
  struct Shape {
    std::string_view name;  // of the fingerprint
    Word word;
    Contraction contraction;
    uint8_t max_digits;   // 0: ␠?\p{N}+
    bool newlines_after;  // [\r\n]* after other
    bool slash_after;     // / too
    bool newline_pieces;  // \s*[\r\n]+
  };

  explicit constexpr SplitGrammar(const Shape& shape) : shape_(shape) {}

  // End of the piece that begins at `pos`, a piece boundary. REQUIRES: pos < text.size().
  size_t NextPiece(std::string_view text, size_t pos) const;
  // Does cutting the text at the piece boundary `pos` leave the pieces on both sides as they are?
  // Not in "a 4" before the 4: alone, the two spaces are one piece.
  // REQUIRES: 0 < pos < text.size().
  bool CanCut(std::string_view text, size_t pos) const;
  // The last piece boundary strictly inside `text` that stays one whatever follows, and at which
  // the text may be cut; 0: none. Where words end or begin: in the middle of a run of letters a
  // boundary may move as more of them arrive. REQUIRES: `text` begins at a piece boundary. O(text).
  size_t SplitPoint(std::string_view text) const;
  std::string_view name() const { return shape_.name; }

 private:
  struct Char {
    uint8_t bits;
    uint8_t size;  // 0: end of text
  };
  Char At(std::string_view text, size_t pos) const {
    if (pos >= text.size()) return {0, 0};
    const uint8_t byte = static_cast<uint8_t>(text[pos]);
    if (byte < 0x80) return {kAscii[byte], 1};
    const DecodedChar c = DecodeUtf8(text, pos);
    return {c.valid ? SplitBits(c.code_point) : uint8_t{0}, c.size};
  }
  // First position at or after `pos` whose character has none of `bits`.
  size_t Skip(std::string_view text, size_t pos, uint8_t bits) const {
    for (Char c = At(text, pos); c.size != 0 && (c.bits & bits) != 0; c = At(text, pos)) {
      pos += c.size;
    }
    return pos;
  }

  size_t ContractionAt(std::string_view text, size_t pos, bool any_case) const;
  size_t WordAt(std::string_view text, size_t pos, Char first) const;
  size_t CasedWordAt(std::string_view text, size_t pos, Char first) const;
  size_t LowerAfterUpper(std::string_view text, size_t pos) const;
  size_t OtherAt(std::string_view text, size_t pos) const;
  size_t SpaceAt(std::string_view text, size_t pos) const;
  size_t NumberAt(std::string_view text, size_t pos) const;

  static const std::array<uint8_t, 128> kAscii;  // SplitBits

  Shape shape_;
};

// A grammar that is fed as text arrives, stopped and resumed at any byte:
//
//   GrammarScanner s(grammar);  std::vector<size_t> ends;
//   s.Append("Hello, wor", &ends);   s.Append("ld", &ends);   s.Finish(&ends);   // 5, 6, 12
//
// Ends of pieces come out in order, of the whole text, as soon as the scanner knows that nothing
// that follows moves them (SplitPoint). It keeps the bytes behind the last of them and scans those
// again when more have come, at most twice over: O(n) in all, whatever the fragments. Memory: the
// open bytes, a word or two, but a run without end of letters or white space is kept whole.
// Thread-compatible: const calls may run concurrently, others need external synchronization.
class GrammarScanner {
 public:
  explicit GrammarScanner(const SplitGrammar* grammar) : grammar_(grammar) {}
  void Append(std::string_view bytes, std::vector<size_t>* ends);
  // The text ends here: the ends of what is open. The scanner is as new afterwards.
  void Finish(std::vector<size_t>* ends);
  size_t open_bytes() const { return open_.size(); }

 private:
  void Take(size_t bytes, std::vector<size_t>* ends);

  const SplitGrammar* grammar_;
  std::string open_;
  size_t base_ = 0;     // bytes of the text before open_
  size_t look_at_ = 0;  // how much must be open before another look is worth while
};

// The grammar whose pattern is exactly this text, or null. Known: the patterns of GPT-2 (r50k,
// p50k), cl100k (Llama 3), Qwen2, o200k (harmony, Llama 4) and Mistral's tekken, in every published
// spelling.
const SplitGrammar* FindGrammar(std::string_view pattern);

// One spelling per grammar, for rank files whose encoding is named.
extern const char kGpt2Pattern[];
extern const char kCl100kPattern[];
extern const char kQwen2Pattern[];
extern const char kO200kPattern[];
extern const char kTekkenPattern[];

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_SPLIT_GRAMMAR_H_
