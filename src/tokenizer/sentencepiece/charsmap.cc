// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/charsmap.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal::spm {
namespace {

constexpr uint32_t kValueBit = uint32_t{1} << 31;

bool HoldsValue(uint32_t unit) { return (unit & kValueBit) != 0; }
bool HasValueChild(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
// Of a unit that holds a value, never equal to a byte.
uint32_t Label(uint32_t unit) { return unit & (kValueBit | 0xFF); }

uint32_t LittleEndian32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

absl::StatusOr<Charsmap> Charsmap::Parse(std::string_view blob) {
  Charsmap map;
  if (blob.empty()) return map;
  if (blob.size() < 4) return absl::DataLossError("shorter than its 4-byte header");
  const uint64_t trie_bytes = LittleEndian32(blob, 0);
  if (trie_bytes > blob.size() - 4) {
    return absl::DataLossError(absl::StrCat("says that its trie has ", trie_bytes,
                                            " bytes, but only ", blob.size() - 4, " follow"));
  }
  if (trie_bytes == 0 || trie_bytes % 1024 != 0) {
    return absl::DataLossError(
        absl::StrCat("its trie has ", trie_bytes, " bytes, expected a multiple of 1024"));
  }
  map.units_.resize(trie_bytes / 4);
  for (size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = LittleEndian32(blob, 4 + 4 * i);
  map.replacements_.assign(blob.substr(4 + trie_bytes));
  PENSTOCK_RETURN_IF_ERROR(map.Validate());
  PENSTOCK_RETURN_IF_ERROR(map.MeasureKeys());
  return map;
}

// The array is a multiple of 256 units and children of a unit differ in their low 8 bits only: if
// one lies inside, all do.
absl::Status Charsmap::Validate() {
  if (replacements_.empty() || replacements_.back() != '\0') {
    return absl::DataLossError("its replacements do not end with NUL");
  }
  for (size_t begin = 0; begin < replacements_.size();) {
    const size_t end = replacements_.find('\0', begin);
    longest_replacement_ = std::max(longest_replacement_, end - begin);
    begin = end + 1;
  }
  if (longest_replacement_ > kMaxReplacementBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a replacement of ", longest_replacement_, " bytes, the limit is ", kMaxReplacementBytes));
  }
  const uint32_t root = units_[0];
  if (Label(root) != 0 || HasValueChild(root) || Offset(root) == 0) {
    return absl::DataLossError("unit 0 is no root of a trie");
  }
  for (size_t i = 0; i < units_.size(); ++i) {
    const uint32_t unit = units_[i];
    if (HoldsValue(unit)) {
      if ((unit & ~kValueBit) >= replacements_.size()) {
        return absl::DataLossError(absl::StrCat("unit ", i, " points to replacement byte ",
                                                unit & ~kValueBit, " of ", replacements_.size()));
      }
      continue;
    }
    const size_t children = i ^ Offset(unit);
    if (children >= units_.size()) {
      return absl::DataLossError(absl::StrCat("unit ", i, " leads outside the array"));
    }
    if (HasValueChild(unit) && !HoldsValue(units_[children])) {
      return absl::DataLossError(absl::StrCat("unit ", i, " has a value that is none"));
    }
  }
  return absl::OkStatus();
}

// A damaged array may contain circles, which would make look-ups as long as the text. Branches may
// meet again (the builder shares equal tails), so this is a depth-first walk that gives every unit
// its height once.
absl::Status Charsmap::MeasureKeys() {
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const uint32_t node = Offset(units_[0]) ^ byte;
    begins_[byte] = Label(units_[node]) == byte;
    if (!begins_[byte]) continue;
    begins_ascii_[byte] = HasValueChild(units_[node]);
    for (uint32_t second = 0; second < 128 && !begins_ascii_[byte]; ++second) {
      const uint32_t child = node ^ Offset(units_[node]) ^ second;
      begins_ascii_[byte] = Label(units_[child]) == second;
    }
  }
  // Unit u is a child of the nodes whose base is u ^ label(u): lists of children by base.
  const uint32_t size = static_cast<uint32_t>(units_.size());
  constexpr uint32_t kEnd = ~uint32_t{0};
  std::vector<uint32_t> first(size, kEnd), sibling(size, kEnd);
  for (uint32_t i = 1; i < size; ++i) {
    if (HoldsValue(units_[i])) continue;
    const uint32_t base = i ^ Label(units_[i]);
    sibling[i] = first[base];
    first[base] = i;
  }
  constexpr uint32_t kUnseen = ~uint32_t{0}, kOpen = kUnseen - 1;
  std::vector<uint32_t> height(size, kUnseen);
  struct Step {
    uint32_t node, next_child;
  };
  std::vector<Step> path = {{0, first[Offset(units_[0])]}};
  height[0] = kOpen;
  while (!path.empty()) {
    const uint32_t child = path.back().next_child;
    if (child == kEnd) {
      uint32_t tallest = 0;
      const uint32_t node = path.back().node;
      for (uint32_t c = first[node ^ Offset(units_[node])]; c != kEnd; c = sibling[c]) {
        tallest = std::max(tallest, height[c] + 1);
      }
      height[node] = tallest;
      path.pop_back();
      continue;
    }
    path.back().next_child = sibling[child];
    if (height[child] == kOpen) {
      return absl::DataLossError(absl::StrCat("unit ", child, " is reached in a circle"));
    }
    if (height[child] != kUnseen) continue;
    height[child] = kOpen;
    path.push_back({child, first[child ^ Offset(units_[child])]});
  }
  longest_key_ = height[0];
  return absl::OkStatus();
}

Charsmap::Match Charsmap::LongestPrefix(std::string_view text) const {
  Match match;
  if (units_.empty() || text.empty() || !Begins(text[0])) return match;
  uint32_t node = Offset(units_[0]);
  uint32_t value = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint32_t byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    const uint32_t unit = units_[node];
    if (Label(unit) != byte) break;
    node ^= Offset(unit);
    if (HasValueChild(unit)) {
      match.length = i + 1;
      value = units_[node] & ~kValueBit;
    }
  }
  if (match.length > 0) match.replacement = std::string_view(replacements_.data() + value);
  return match;
}

}  // namespace penstock::internal::spm
