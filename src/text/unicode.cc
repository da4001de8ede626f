// SPDX-License-Identifier: Apache-2.0
#include "text/unicode.h"

#include <algorithm>
#include <iterator>

namespace penstock::internal {
namespace {

// The range that holds `c` in an array sorted by `first`, or null.
template <class Range, size_t N>
const Range* FindRange(const Range (&ranges)[N], char32_t c) {
  const Range* it =
      std::upper_bound(std::begin(ranges), std::end(ranges), c,
                       [](char32_t value, const Range& range) { return value < range.first; });
  if (it == std::begin(ranges)) return nullptr;
  --it;
  return c <= it->last ? it : nullptr;
}

// The next letter of a property name, folded: case and separators do not matter. 0 at the end.
char NextFolded(std::string_view* name) {
  while (!name->empty()) {
    const char c = name->front();
    name->remove_prefix(1);
    if (c == '_' || c == '-' || c == ' ') continue;
    return (c >= 'A' && c <= 'Z') ? static_cast<char>(c + 32) : c;
  }
  return 0;
}

bool SameName(std::string_view a, std::string_view b) {
  for (;;) {
    const char x = NextFolded(&a);
    if (x != NextFolded(&b)) return false;
    if (x == 0) return true;
  }
}

}  // namespace

GeneralCategory CategoryOf(char32_t c, UnicodeVersion version) {
  const uint8_t bits = ClassOf(c);
  const auto here = static_cast<GeneralCategory>(bits & kClassCategoryMask);
  if ((bits & kClassDiffers) == 0 || version == UnicodeVersion::k16) return here;
  const CategoryDelta* delta = FindRange(kCategoryDeltas, c);
  if (delta == nullptr) return here;
  switch (version) {
    case UnicodeVersion::k8:
      return static_cast<GeneralCategory>(delta->v8);
    case UnicodeVersion::k9:
      return static_cast<GeneralCategory>(delta->v9);
    case UnicodeVersion::k16:
    case UnicodeVersion::k17:
      break;
  }
  return static_cast<GeneralCategory>(delta->v17);
}

Script ScriptOf(char32_t c, UnicodeVersion version) {
  if (version == UnicodeVersion::k17) return ScriptOf(c);
  if (version != UnicodeVersion::k16) {
    const ScriptException* odd = FindRange(kScript9Exceptions, c);
    if (odd != nullptr) return static_cast<Script>(odd->script);
  }
  // The generator proves that nothing else ever moved from one script to another.
  if (CategoryOf(c, version) == GeneralCategory::kUnassigned) return Script::kUnknown;
  return ScriptOf(c);
}

std::string_view ScriptName(Script script) {
  const size_t index = static_cast<size_t>(script);
  return index < std::size(kScriptNames) ? kScriptNames[index] : kScriptNames[0];
}

std::optional<Script> FindScript(std::string_view name) {
  for (size_t i = 0; i < std::size(kScriptNames); ++i) {
    if (SameName(name, kScriptNames[i])) return static_cast<Script>(i);
  }
  return std::nullopt;
}

LowerCase ToLower(char32_t c) {
  if (c < 0x80) return {{c >= 'A' && c <= 'Z' ? c + 32 : c, 0}, 1};
  if (c == 0x130) return {{0x69, 0x307}, 2};
  const CaseRange* range = FindRange(kLowerRanges, c);
  if (range == nullptr || (c - range->first) % range->stride != 0) return {{c, 0}, 1};
  return {{static_cast<char32_t>(static_cast<int64_t>(c) + range->delta), 0}, 1};
}

}  // namespace penstock::internal
