// SPDX-License-Identifier: Apache-2.0
//
// AlignedText: text on its way through normalizers and pre-tokenizers, every byte of which
// remembers the bytes of the original input it came from (Hugging Face's NormalizedString, in
// bytes).
//
//   AlignedText t(original, /*base=*/0, /*track=*/true);  // identity: a view, nothing copied
//   AlignedText::Rewriter w(t);
//   w.Insert("▁", w.AlignmentAt(0));                      // comes from the first character
//   w.Keep(5);                                            // the next five bytes as they are
//   w.Finish(&t);                                         // t now holds the new text
//   t.OriginalRange(0, 8)                                 // bytes of the original input
//
// Alignments are kept per byte, 8 bytes each, only after the first rewriting and only if `track`.
// Positions within one text are 32-bit: a run of text is at most 4 GiB - 1.
#ifndef PENSTOCK_SRC_TOKENIZER_ALIGNED_TEXT_H_
#define PENSTOCK_SRC_TOKENIZER_ALIGNED_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/token.h"

namespace penstock::internal {

// Bytes [begin, end) of the run of the original that the text started from.
struct Alignment {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// Thread-compatible: const calls may run concurrently, others need external synchronization.
class AlignedText {
 public:
  // Borrows `original` until the first rewriting. `base` is its offset in the whole input. Without
  // `track` OriginalRange() may only be called while identity().
  AlignedText(std::string_view original, size_t base, bool track)
      : original_(original), base_(base), track_(track) {}

  std::string_view text() const { return rewritten_ ? std::string_view(owned_) : original_; }
  std::string_view original() const { return original_; }
  size_t base() const { return base_; }
  bool track() const { return track_; }
  // True while nothing has been rewritten: text()[i] is byte base() + i of the input.
  bool identity() const { return !rewritten_; }

  // The bytes of the input that text()[begin, end) came from. An empty range gives an empty range.
  // O(1). REQUIRES: begin <= end <= text().size(); identity() || track(). In an identity text the
  // range is exact; in a rewritten one it covers whole characters of the original.
  ByteRange OriginalRange(size_t begin, size_t end) const;

  // The part [begin, end) as a text of its own, with the same original. Copies if rewritten.
  AlignedText Slice(size_t begin, size_t end) const;

  // Builds the next version of a text from left to right. Alignment rules are Hugging Face's: an
  // inserted string takes the alignment it is given; kept bytes keep theirs; skipped bytes vanish.
  class Rewriter {
   public:
    explicit Rewriter(const AlignedText& from);

    size_t position() const { return position_; }  // in the old text
    size_t size() const { return text_.size(); }   // of the new text so far
    bool done() const { return position_ == from_.size(); }
    void Keep(size_t bytes);                         // copies the next bytes
    void Skip(size_t bytes) { position_ += bytes; }  // drops the next bytes
    // Appends new bytes that come from `alignment`.
    void Insert(std::string_view bytes, Alignment alignment);
    // Replaces the next `bytes` by `with`, which takes the alignment of the first of them (of the
    // last emitted byte if 0).
    void Replace(size_t bytes, std::string_view with);
    // Alignment of byte `i` of the old text (the whole character if nothing was rewritten before).
    Alignment AlignmentAt(size_t i) const;
    // Alignment of the last emitted byte; {0, 0} if none.
    Alignment LastAlignment() const;
    // Moves the result into `into`, which must be the text this was made from. REQUIRES: every byte
    // kept or skipped.
    void Finish(AlignedText* into);

   private:
    const AlignedText& owner_;
    std::string_view from_;
    size_t position_ = 0;
    std::string text_;
    std::vector<Alignment> alignments_;
  };

 private:
  std::string_view original_;
  size_t base_;
  bool track_;
  bool rewritten_ = false;
  std::string owned_;
  std::vector<Alignment> alignments_;  // one per byte of owned_, if track_
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_ALIGNED_TEXT_H_
