// SPDX-License-Identifier: Apache-2.0
//
// What holds for every tokenizer and every text, whatever the bytes. Fuzz targets and random tests
// ask it of all vocabularies.
//
//   Broken(*t, text, seed)                  // nullptr, or which promise is broken
//   BrokenAtSeams(*t, {Trusted("<s>"), …})  // the same for segments of mixed provenance
#ifndef PENSTOCK_TESTS_TOKENIZER_INVARIANTS_H_
#define PENSTOCK_TESTS_TOKENIZER_INVARIANTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/tokenizer.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace penstock {

// The unknown token is the model's answer to what it has no piece for, in any text, even where the
// file lists it among its added tokens.
inline bool IsForbidden(const Tokenizer& t, TokenId id) {
  return t.vocabulary().IsControl(id) && id != t.vocabulary().unk_id();
}

inline const char* BrokenIds(const Tokenizer& t, std::string_view text,
                             const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    if (!t.vocabulary().Contains(id)) return "an id outside the vocabulary";
    if (IsForbidden(t, id)) return "a control token in untrusted text";
  }
  std::vector<TokenId> sunk;
  const absl::Status status = t.EncodeTo(text, [&sunk](absl::Span<const TokenId> part) {
    sunk.insert(sunk.end(), part.begin(), part.end());
    return absl::OkStatus();
  });
  if (!status.ok() || sunk != ids) return "EncodeTo() gives other ids";
  return t.Count(text) == ids.size() ? nullptr : "Count() is another number";
}

inline const char* BrokenOffsets(const std::vector<ByteRange>& offsets, size_t ids, size_t bytes) {
  if (offsets.size() != ids) return "as many offsets as ids";
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i].begin > offsets[i].end || offsets[i].end > bytes) return "offset outside";
    if (i > 0 && offsets[i].begin < offsets[i - 1].begin) return "offsets go back";
  }
  return nullptr;
}

inline const char* BrokenCuts(const Tokenizer& t, std::string_view text, const Encoding& e) {
  std::vector<SafeCut> cuts = e.safe_cuts;
  cuts.push_back({text.size(), e.ids.size()});
  SafeCut last;
  for (const SafeCut cut : cuts) {
    if (cut.byte < last.byte || cut.token < last.token || cut.token > e.ids.size()) {
      return "safe cuts are not in order";
    }
    const std::vector<TokenId> want(e.ids.begin() + static_cast<std::ptrdiff_t>(last.token),
                                    e.ids.begin() + static_cast<std::ptrdiff_t>(cut.token));
    if (t.EncodeIds(text.substr(last.byte, cut.byte - last.byte)) != want) {
      return "a safe cut changes a token";
    }
    last = cut;
  }
  return nullptr;
}

// `text` in untrusted segments, cut by the bits of `seed`.
inline std::vector<Segment> CutAnywhere(std::string_view text, uint64_t seed) {
  std::vector<Segment> segments;
  size_t begin = 0;
  for (size_t i = 1; i < text.size(); ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    if ((seed >> 60) != 0) continue;
    segments.push_back(Untrusted(text.substr(begin, i - begin)));
    begin = i;
  }
  segments.push_back(Untrusted(text.substr(begin)));
  return segments;
}

inline const char* Broken(const Tokenizer& t, std::string_view text, uint64_t seed) {
  const std::vector<TokenId> ids = t.EncodeIds(text);
  if (const char* what = BrokenIds(t, text, ids)) return what;
  EncodeOptions options;
  options.offsets = options.safe_cuts = true;
  const absl::StatusOr<Encoding> e = t.Encode({Untrusted(text)}, options);
  if (!e.ok() || e->ids != ids) return "Encode() and EncodeIds() differ";
  if (const char* what = BrokenOffsets(e->offsets, ids.size(), text.size())) return what;
  if (const char* what = BrokenCuts(t, text, *e)) return what;
  const absl::StatusOr<Encoding> seams = t.Encode(CutAnywhere(text, seed), options);
  if (!seams.ok() || seams->ids != ids || seams->offsets != e->offsets) {
    return "untrusted seams change the encoding";
  }
  t.Decode(ids);
  options = EncodeOptions();
  options.add_special_tokens = options.type_ids = options.special_tokens_mask = true;
  options.offsets = true;
  options.truncation.emplace();
  options.truncation->max_tokens = 8;
  options.truncation->stride = seed % 4;
  const absl::StatusOr<Encoding> pair = t.EncodePair({Untrusted(text)}, {Trusted("a b")}, options);
  if (pair.ok() && pair->ids.size() > 8) return "truncation leaves too many tokens";
  return nullptr;
}

// A control token comes out of one trusted segment: all of its bytes but the white space that
// lstrip and rstrip took.
inline const char* BrokenAtSeams(const Tokenizer& t, const std::vector<Segment>& segments) {
  EncodeOptions options;
  options.offsets = true;
  const absl::StatusOr<Encoding> e = t.Encode(segments, options);
  if (!e.ok()) return "Encode() fails";
  std::string text;
  for (const Segment& s : segments) text += s.text();
  if (const char* what = BrokenOffsets(e->offsets, e->ids.size(), text.size())) return what;
  for (size_t i = 0; i < e->ids.size(); ++i) {
    if (!IsForbidden(t, e->ids[i])) continue;
    size_t begin = e->offsets[i].begin;
    size_t end = e->offsets[i].end;
    const AddedToken* const token = t.vocabulary().FindAdded(e->ids[i]);
    // In normalized text, also what normalizers make white space of or drop beside it: trust was
    // checked before lstrip and rstrip took it, and offsets with it are what the reference gives
    // (differential/random_pipelines.py compares them).
    const auto is_space = [&](size_t at) {
      const internal::DecodedChar c = internal::DecodeUtf8(text, at);
      const char32_t p = c.code_point;
      return c.valid &&
             (internal::IsWhiteSpace(p) ||
              (token->normalized && (p < 0x20 || p == 0x7F || p == 0xAD || p == 0xFEFF ||
                                     (p >= 0x300 && p < 0x370) || (p >= 0x200B && p <= 0x200F))));
    };
    while (token->lstrip && begin < end && is_space(begin)) {
      begin += internal::DecodeUtf8(text, begin).size;
    }
    while (token->rstrip && end > begin) {
      size_t last = end - 1;
      while (last > begin && internal::IsUtf8Continuation(text[last])) --last;
      if (!is_space(last)) break;
      end = last;
    }
    size_t at = 0;
    for (const Segment& s : segments) {
      const size_t next = at + s.text().size();
      if (begin >= at && begin < next && (!s.trusted() || end > next)) {
        return "a control token out of untrusted text";
      }
      at = next;
    }
  }
  return nullptr;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_INVARIANTS_H_
