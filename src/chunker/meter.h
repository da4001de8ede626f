// SPDX-License-Identifier: Apache-2.0
//
// Meter: how many tokens any stretch of a text has, from as few encodings as possible.
//
//   Meter meter(tokenizer, safe_cuts);
//   meter.SetText(held, base);
//   meter.Cover(0, 65536);                  // one encoding, kept
//   meter.Count(20, 90);                    // two look-ups
//   meter.Ids(20, 90, &ids);                // a copy; == tokenizer->EncodeIds([20, 90))
//
// Where both ends are safe cuts of the kept encoding, counts and ids are slices of it; at another
// end Ids() encodes the text from a few safe cuts before it (to a few after a begin) and joins both
// at a cut that both know: exact by the contract of SafeCut. Where they agree on none, Ids()
// encodes the stretch itself. Count() does not ask whether they agree; it is never trusted for a
// chunk: what is emitted comes from Ids().
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_CHUNKER_METER_H_
#define PENSTOCK_SRC_CHUNKER_METER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "penstock/tokenizer.h"

namespace penstock::internal {

class Meter {
 public:
  // use_safe_cuts: false for a tokenizer that knows none; then every count is an encoding.
  Meter(const Tokenizer* tokenizer, bool use_safe_cuts)
      : tokenizer_(tokenizer), use_safe_cuts_(use_safe_cuts) {}

  // `held` is the text from byte `base` on. Keeps the encoding made before.
  void SetText(std::string_view held, size_t base) {
    held_ = held;
    base_ = base;
  }

  // Makes [begin, end) part of the kept encoding; encodes [begin, preferred_end) when it is not.
  // REQUIRES: end <= preferred_end; all within the text.
  void Cover(size_t begin, size_t end, size_t preferred_end);

  // Whether Cover() would have nothing to do.
  bool Covers(size_t begin, size_t end) const {
    return have_window_ && window_begin_ <= begin && end <= window_end_;
  }

  // Tokens of [begin, end) encoded alone. REQUIRES: begin <= end, within the text.
  size_t Count(size_t begin, size_t end);

  // The same without re-using what lies around an unsafe end: exact for any tokenizer.
  size_t ExactCount(size_t begin, size_t end) {
    return IsSlice(begin, end) ? Count(begin, end) : CountDirectly(begin, end);
  }

  // Whether Count() is a difference of two safe cuts.
  bool IsSlice(size_t begin, size_t end);

  // EncodeIds([begin, end)). Returns whether they are a slice as a whole.
  bool Ids(size_t begin, size_t end, std::vector<TokenId>* ids);

  bool use_safe_cuts() const { return use_safe_cuts_; }
  uint64_t encoded_bytes() const { return encoded_bytes_; }

 private:
  // Safe cuts after an unsafe begin, and up to an unsafe end, that are re-encoded.
  static constexpr size_t kHeadMargin = 4;
  static constexpr size_t kTailMargin = 2;

  std::string_view Text(size_t begin, size_t end) const {
    return held_.substr(begin - base_, end - begin);
  }
  size_t CountDirectly(size_t begin, size_t end);
  // The cuts of the window, relative to window_begin_: 0 is its begin, the last its end.
  SafeCut CutAt(size_t index) const {
    if (index == 0) return {0, 0};
    if (index <= cuts_.size()) return cuts_[index - 1];
    return {window_end_ - window_begin_, ids_.size()};
  }
  size_t CutByte(size_t index) const { return window_begin_ + CutAt(index).byte; }
  // The last cut at or before `byte`. Looks near *hint, the answer to a question before, and leaves
  // the answer there: packing asks for ascending places. O(log(distance)).
  size_t CutAtOrBefore(size_t byte, size_t* hint);
  size_t TailCount(size_t cut_index, size_t end);
  bool Joined(size_t begin, size_t end, std::vector<TokenId>* ids);
  // Encodes [begin, end); false unless a safe cut is known at `cut`, of which `token` is the index.
  bool EncodeAround(size_t begin, size_t end, size_t cut, std::vector<TokenId>* ids, size_t* token);

  const Tokenizer* tokenizer_;
  bool use_safe_cuts_;
  std::string_view held_;
  size_t base_ = 0;
  bool have_window_ = false;
  size_t window_begin_ = 0;
  size_t window_end_ = 0;
  std::vector<TokenId> ids_;
  std::vector<SafeCut> cuts_;  // relative to window_begin_, without both ends: see CutAt()
  size_t begin_hint_ = 0;
  size_t end_hint_ = 0;
  // The last tails and the last head that were encoded: packing asks for the same ones again and
  // again.
  struct Stretch {
    size_t begin = 0, end = 0, count = 0;
  };
  std::array<Stretch, 256> tails_;  // by the last byte of `end`
  Stretch head_;
  uint64_t encoded_bytes_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_METER_H_
