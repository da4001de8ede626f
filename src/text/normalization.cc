// SPDX-License-Identifier: Apache-2.0
#include "text/normalization.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "text/unicode_tables.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// NormalizationRecord::flags
constexpr uint8_t kComposesBackward = 1;  // is the second of a composition
constexpr uint8_t kNeverComposed = 2;     // has a canonical decomposition that does not come back
constexpr uint8_t kCanonicalReachesBack = 4;  // its decomposition begins with a mark or such
constexpr uint8_t kNewerThanUnicode9 = 8;
constexpr uint8_t kCompatibleReachesBack = 16;

constexpr char32_t kHangulBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28, kHangulCount = 11172;

bool IsHangul(char32_t c) { return c - kHangulBase < kHangulCount; }

const NormalizationRecord& RecordOf(char32_t c) {
  if (c > kMaxCodePoint) return kNormalizationRecords[0];
  const uint32_t block = kNormalizationIndex[c >> kNormalizationShift];
  return kNormalizationRecords[kNormalizationLeaf[(block << kNormalizationShift) |
                                                  (c & ((1u << kNormalizationShift) - 1))]];
}

// The form as two questions, and the version applied to every look-up.
class Rules {
 public:
  explicit Rules(Normalization n)
      : compose_(n.form == NormalizationForm::kNfc || n.form == NormalizationForm::kNfkc),
        compatible_(n.form == NormalizationForm::kNfkc || n.form == NormalizationForm::kNfkd),
        old_(n.version == NormalizationVersion::kHuggingFace) {}

  bool compose() const { return compose_; }
  bool compatible() const { return compatible_; }

  const NormalizationRecord& Record(char32_t c) const {
    const NormalizationRecord& record = RecordOf(c);
    return old_ && (record.flags & kNewerThanUnicode9) != 0 ? kNormalizationRecords[0] : record;
  }

  // A starter that is its own normal form, whatever stands before it. (What follows it may change
  // it: compose.)
  bool IsInert(char32_t c) const {
    if (c < 0xA0) return true;
    if (IsHangul(c)) return compose_;
    const NormalizationRecord& r = Record(c);
    if (&r == &kNormalizationRecords[0]) return true;
    if (r.combining_class != 0) return false;
    if (!compose_) return (compatible_ ? r.compatible_units : r.canonical_units) == 0;
    if ((r.flags & (kComposesBackward | kNeverComposed | kCanonicalReachesBack)) != 0) return false;
    return !compatible_ || (r.compatible == r.canonical && r.compatible_units == r.canonical_units);
  }

  // Nothing before `c` can meet `c` or what it decomposes to.
  bool StartsAnew(char32_t c) const {
    if (c < 0xA0 || IsHangul(c)) return true;
    const NormalizationRecord& r = Record(c);
    if (r.combining_class != 0 || (r.flags & kComposesBackward) != 0) return false;
    return (r.flags & (compatible_ ? kCompatibleReachesBack : kCanonicalReachesBack)) == 0;
  }

  // The composition of two characters, or 0.
  char32_t Compose(char32_t first, char32_t second) const;

 private:
  const bool compose_;
  const bool compatible_;
  const bool old_;
};

char32_t Rules::Compose(char32_t first, char32_t second) const {
  if (first - kLBase < kLCount && second - kVBase < kVCount) {
    return kHangulBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
  }
  if (IsHangul(first) && (first - kHangulBase) % kTCount == 0 && second > kTBase &&
      second < kTBase + kTCount) {
    return first + (second - kTBase);
  }
  if ((Record(second).flags & kComposesBackward) == 0) return 0;
  const CompositionPair* end = std::end(kCompositionPairs);
  const CompositionPair* it =
      std::lower_bound(std::begin(kCompositionPairs), end, std::make_pair(second, first),
                       [](const CompositionPair& pair, const std::pair<char32_t, char32_t>& key) {
                         return std::make_pair(char32_t{pair.second}, char32_t{pair.first}) < key;
                       });
  if (it == end || it->second != second || it->first != first) return 0;
  return &Record(it->composite) == &kNormalizationRecords[0] ? 0 : it->composite;
}

// First position at or after `pos` of a byte that is not ASCII.
size_t SkipAscii(std::string_view text, size_t pos) {
  for (; pos + 8 <= text.size(); pos += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + pos, 8);
    if ((word & 0x8080808080808080) != 0) break;
  }
  while (pos < text.size() && static_cast<uint8_t>(text[pos]) < 0x80) ++pos;
  return pos;
}

struct Stretch {
  size_t begin, end;  // no character outside interacts with one inside
};

// The next stretch at or after `pos` that has to be normalized; empty at the end of the text.
// `pos` must be a border: nothing before it interacts with what follows.
Stretch NextStretch(std::string_view text, size_t pos, const Rules& rules) {
  size_t starter = pos;  // the last inert character, or the border
  for (;;) {
    const size_t ascii_end = SkipAscii(text, pos);
    if (ascii_end > pos) starter = ascii_end - 1;
    pos = ascii_end;
    if (pos == text.size()) return {pos, pos};
    const DecodedChar c = DecodeUtf8(text, pos);
    if (c.valid && !rules.IsInert(c.code_point)) {
      if (rules.StartsAnew(c.code_point)) starter = pos;
      break;
    }
    starter = c.valid ? pos : pos + c.size;
    pos += c.size;
  }
  size_t end = pos + DecodeUtf8(text, pos).size;
  while (end < text.size()) {
    const DecodedChar c = DecodeUtf8(text, end);
    if (!c.valid || rules.StartsAnew(c.code_point)) break;
    end += c.size;
  }
  return {starter, end};
}

// A character on its way; `change` as Hugging Face counts: 1 = added, 0 = stands for the next
// source character, -n = and for n more.
struct Item {
  char32_t code_point;
  int32_t change;
  uint8_t combining_class;
};

class Rewriter {
 public:
  Rewriter(const Rules& rules, std::string* result, std::vector<NormalizedPiece>* pieces)
      : rules_(rules), result_(result), pieces_(pieces) {}

  void Keep(std::string_view source) {
    result_->append(source);
    if (pieces_ == nullptr) return;
    while (!source.empty()) {
      if (pieces_->empty() || !pieces_->back().kept() || pieces_->back().source_bytes >= kMaxRun) {
        pieces_->push_back({});
      }
      NormalizedPiece& piece = pieces_->back();
      const size_t take = std::min<size_t>(source.size(), kMaxRun - piece.source_bytes);
      piece.source_bytes += static_cast<uint32_t>(take);
      piece.result_bytes += static_cast<uint32_t>(take);
      source.remove_prefix(take);
    }
  }

  // Normalizes a stretch: well-formed UTF-8.
  void Rewrite(std::string_view source) {
    items_.clear();
    for (size_t pos = 0; pos < source.size();) {
      const DecodedChar c = DecodeUtf8(source, pos);
      Decompose(c.code_point);
      pos += c.size;
    }
    SortMarks();
    if (rules_.compose()) ComposeItems();
    Emit(source);
  }

 private:
  static constexpr uint32_t kMaxRun = 1u << 30;

  void Push(char32_t c, bool added) {
    items_.push_back({c, added ? 1 : 0, rules_.Record(c).combining_class});
  }

  void Decompose(char32_t c) {
    if (IsHangul(c)) {
      const char32_t index = c - kHangulBase;
      Push(kLBase + index / (kVCount * kTCount), false);
      Push(kVBase + index % (kVCount * kTCount) / kTCount, true);
      if (index % kTCount != 0) Push(kTBase + index % kTCount, true);
      return;
    }
    const NormalizationRecord& r = rules_.Record(c);
    const char16_t* units = kDecompositionPool + (rules_.compatible() ? r.compatible : r.canonical);
    const size_t size = rules_.compatible() ? r.compatible_units : r.canonical_units;
    if (size == 0) return Push(c, false);
    for (size_t i = 0; i < size; ++i) {
      const bool added = i > 0;
      char32_t unit = units[i];
      if (unit >= 0xD800 && unit < 0xDC00) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (units[++i] - 0xDC00u);
      }
      Push(unit, added);
    }
  }

  // Canonical ordering: each run of marks by combining class, stable.
  void SortMarks() {
    auto begin = items_.begin();
    while (begin != items_.end()) {
      if (begin->combining_class == 0) {
        ++begin;
        continue;
      }
      auto end = begin;
      bool sorted = true;
      for (; end != items_.end() && end->combining_class != 0; ++end) {
        sorted = sorted && (end == begin || (end - 1)->combining_class <= end->combining_class);
      }
      if (!sorted) {
        std::stable_sort(begin, end, [](const Item& a, const Item& b) {
          return a.combining_class < b.combining_class;
        });
      }
      begin = end;
    }
  }

  // Canonical composition in place (UAX #15, D117): each character meets the last starter unless
  // one between them has the same or a higher combining class.
  void ComposeItems() {
    size_t out = 0;
    size_t starter = items_.size();  // none yet
    int last_class = -1;             // of what stands between; -1: nothing
    for (size_t i = 0; i < items_.size(); ++i) {
      const Item item = items_[i];
      if (starter < out && last_class < static_cast<int>(item.combining_class)) {
        const char32_t composite = rules_.Compose(items_[starter].code_point, item.code_point);
        if (composite != 0) {
          items_[starter].code_point = composite;
          items_[starter].change += item.change - 1;
          continue;
        }
      }
      if (item.combining_class == 0) {
        starter = out;
        last_class = -1;
      } else {
        last_class = item.combining_class;
      }
      items_[out++] = item;
    }
    items_.resize(out);
  }

  void Emit(std::string_view source) {
    size_t from = 0;
    for (const Item& item : items_) {
      char bytes[4];
      const size_t size = Encode(item.code_point, bytes);
      size_t used = 0, aligned = 0;
      for (int32_t count = item.change; count <= 0 && from + used < source.size(); ++count) {
        used += DecodeUtf8(source, from + used).size;
        if (aligned == 0) aligned = used;
      }
      const std::string_view text(bytes, size);
      if (source.substr(from, used) == text) {
        Keep(text);
      } else {
        result_->append(text);
        if (pieces_ != nullptr) {
          pieces_->push_back({static_cast<uint32_t>(size), static_cast<uint32_t>(used),
                              static_cast<uint32_t>(aligned)});
        }
      }
      from += used;
    }
  }

  static size_t Encode(char32_t c, char* out) {
    const auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
    if (c < 0x80) {
      out[0] = static_cast<char>(c);
      return 1;
    }
    if (c < 0x800) {
      out[0] = static_cast<char>(0xC0 | c >> 6);
      out[1] = tail(0);
      return 2;
    }
    if (c < 0x10000) {
      out[0] = static_cast<char>(0xE0 | c >> 12);
      out[1] = tail(6);
      out[2] = tail(0);
      return 3;
    }
    out[0] = static_cast<char>(0xF0 | c >> 18);
    out[1] = tail(12);
    out[2] = tail(6);
    out[3] = tail(0);
    return 4;
  }

  const Rules& rules_;
  std::string* result_;
  std::vector<NormalizedPiece>* pieces_;
  std::vector<Item> items_;
};

}  // namespace

void Normalize(std::string_view text, Normalization normalization, std::string* result,
               std::vector<NormalizedPiece>* pieces) {
  const Rules rules(normalization);
  Rewriter rewriter(rules, result, pieces);
  for (size_t pos = 0; pos < text.size();) {
    const Stretch stretch = NextStretch(text, pos, rules);
    rewriter.Keep(text.substr(pos, stretch.begin - pos));
    rewriter.Rewrite(text.substr(stretch.begin, stretch.end - stretch.begin));
    pos = stretch.end;
  }
}

std::string Normalize(std::string_view text, Normalization normalization) {
  std::string result;
  result.reserve(text.size());
  Normalize(text, normalization, &result, nullptr);
  return result;
}

size_t NormalizedPrefix(std::string_view text, Normalization normalization) {
  const Rules rules(normalization);
  return NextStretch(text, 0, rules).begin;
}

bool IsNormalized(std::string_view text, Normalization normalization) {
  const Rules rules(normalization);
  std::string rewritten;
  Rewriter rewriter(rules, &rewritten, nullptr);
  for (size_t pos = 0; pos < text.size();) {
    const Stretch stretch = NextStretch(text, pos, rules);
    const std::string_view source = text.substr(stretch.begin, stretch.end - stretch.begin);
    rewritten.clear();
    rewriter.Rewrite(source);
    if (rewritten != source) return false;
    pos = stretch.end;
  }
  return true;
}

bool IsNormalizationBoundary(std::string_view text, size_t pos, Normalization normalization) {
  const DecodedChar c = DecodeUtf8(text, pos);
  return !c.valid || Rules(normalization).StartsAnew(c.code_point);
}

uint8_t CombiningClassOf(char32_t c) { return RecordOf(c).combining_class; }

}  // namespace penstock::internal
