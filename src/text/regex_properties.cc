// SPDX-License-Identifier: Apache-2.0
#include "text/regex_properties.h"

#include <iterator>
#include <string>

#include "text/unicode.h"

namespace penstock::internal {
namespace {

struct CategoryName {
  const char* short_name;
  const char* long_name;
  CategorySet set;
};

constexpr CategoryName kCategoryNames[] = {
    {"cn", "unassigned", kUnassigned},
    {"lu", "uppercaseletter", kUppercase},
    {"ll", "lowercaseletter", kLowercase},
    {"lt", "titlecaseletter", kTitlecase},
    {"lm", "modifierletter", kModifier},
    {"lo", "otherletter", kOtherLetter},
    {"lc", "casedletter", kCased},
    {"l", "letter", kLetter},
    {"mn", "nonspacingmark", kNonspacing},
    {"mc", "spacingmark", SetOf(GeneralCategory::kSpacingMark)},
    {"me", "enclosingmark", SetOf(GeneralCategory::kEnclosingMark)},
    {"m", "mark", kMark},
    {"nd", "decimalnumber", kDecimal},
    {"nl", "letternumber", SetOf(GeneralCategory::kLetterNumber)},
    {"no", "othernumber", SetOf(GeneralCategory::kOtherNumber)},
    {"n", "number", kNumber},
    {"pc", "connectorpunctuation", SetOf(GeneralCategory::kConnectorPunctuation)},
    {"pd", "dashpunctuation", SetOf(GeneralCategory::kDashPunctuation)},
    {"ps", "openpunctuation", SetOf(GeneralCategory::kOpenPunctuation)},
    {"pe", "closepunctuation", SetOf(GeneralCategory::kClosePunctuation)},
    {"pi", "initialpunctuation", SetOf(GeneralCategory::kInitialPunctuation)},
    {"pf", "finalpunctuation", SetOf(GeneralCategory::kFinalPunctuation)},
    {"po", "otherpunctuation", SetOf(GeneralCategory::kOtherPunctuation)},
    {"p", "punctuation", kPunctuation},
    {"sm", "mathsymbol", SetOf(GeneralCategory::kMathSymbol)},
    {"sc", "currencysymbol", SetOf(GeneralCategory::kCurrencySymbol)},
    {"sk", "modifiersymbol", SetOf(GeneralCategory::kModifierSymbol)},
    {"so", "othersymbol", SetOf(GeneralCategory::kOtherSymbol)},
    {"s", "symbol", kSymbol},
    {"zs", "spaceseparator", SetOf(GeneralCategory::kSpaceSeparator)},
    {"zl", "lineseparator", SetOf(GeneralCategory::kLineSeparator)},
    {"zp", "paragraphseparator", SetOf(GeneralCategory::kParagraphSeparator)},
    {"z", "separator", kSeparator},
    {"cc", "control", kControls},
    {"cf", "format", SetOf(GeneralCategory::kFormat)},
    {"co", "privateuse", SetOf(GeneralCategory::kPrivateUse)},
    {"cs", "surrogate", SetOf(GeneralCategory::kSurrogate)},
    {"c", "other", kOthers},
};

// The code points whose leaf in a two-stage table satisfies `predicate`. Repeated uniform blocks,
// most of the code space, are looked at once.
template <class Index, class Leaf, class Predicate>
CodePointSet OfTable(const Index& index, const Leaf& leaf, int shift, Predicate predicate) {
  const char32_t size = char32_t{1} << shift;
  CodePointSet::Builder builder;
  bool uniform = false, inside = false;
  for (size_t block = 0; block < std::size(index); ++block) {
    const char32_t begin = static_cast<char32_t>(block) << shift;
    if (!uniform || index[block] != index[block - 1]) {
      uniform = true;
      for (char32_t i = 0; i < size; ++i) {
        const bool now = predicate(leaf[(size_t{index[block]} << shift) + i]);
        uniform = uniform && (i == 0 || now == inside);
        if (now != inside || begin + i == 0) builder.Switch(begin + i, now);
        inside = now;
      }
    }
  }
  return builder.Finish();
}

template <class Predicate>
CodePointSet OfClassBytes(Predicate predicate) {
  return OfTable(kClassIndex, kClassLeaf, kClassShift, predicate);
}

CodePointSet OfCategories(CategorySet set) {
  return OfClassBytes([set](uint8_t c) { return ((set >> (c & kClassCategoryMask)) & 1) != 0; });
}

template <size_t N>
CodePointSet WithRanges(CodePointSet set, const CodePointRange (&ranges)[N]) {
  CodePointSet extra;
  for (const CodePointRange& range : ranges) extra.Add(range.first, range.last);
  set.Add(extra);
  return set;
}

CodePointSet Alphabetic() {
  return WithRanges(OfCategories(kLetter | SetOf(GeneralCategory::kLetterNumber)),
                    kOtherAlphabetic);
}
CodePointSet Lowercase() { return WithRanges(OfCategories(kLowercase), kOtherLowercase); }
CodePointSet Uppercase() { return WithRanges(OfCategories(kUppercase), kOtherUppercase); }
CodePointSet WhiteSpace() {
  return OfClassBytes([](uint8_t c) { return (c & kClassWhiteSpace) != 0; });
}
CodePointSet WordCharacters() {
  return OfClassBytes([](uint8_t c) { return (c & kClassWord) != 0; });
}

std::optional<CodePointSet> FindCategory(std::string_view name) {
  for (const CategoryName& category : kCategoryNames) {
    if (name == category.short_name || name == category.long_name)
      return OfCategories(category.set);
  }
  if (name == "punct") return OfCategories(kPunctuation);
  if (name == "digit") return OfCategories(kDecimal);
  if (name == "cntrl") return OfCategories(kControls);
  return std::nullopt;
}

std::optional<CodePointSet> FindScriptSet(std::string_view name) {
  std::optional<Script> script = FindScript(name);
  for (size_t i = 0; !script.has_value() && i < std::size(kScriptNames); ++i) {
    char code[5] = {};
    for (int k = 0; k < 4; ++k) code[k] = static_cast<char>(kScriptCodes[4 * i + k] | 0x20);
    if (name == code) script = static_cast<Script>(i);
  }
  if (!script.has_value()) return std::nullopt;
  CodePointSet set = OfTable(kScriptIndex, kScriptLeaf, kScriptShift,
                             [s = static_cast<uint8_t>(*script)](uint8_t x) { return x == s; });
  // The table is of a newer Unicode; unassigned in this one is Unknown.
  if (*script == Script::kUnknown) {
    set.Add(OfCategories(kUnassigned));
  } else {
    set.Intersect(OfCategories(~kUnassigned));
  }
  return set;
}

std::optional<CodePointSet> FindBinary(std::string_view name) {
  if (name == "any") return CodePointSet(0, kMaxCodePoint);
  if (name == "ascii") return CodePointSet(0, 0x7F);
  if (name == "assigned") return OfCategories(~kUnassigned);
  if (name == "alphabetic" || name == "alpha") return Alphabetic();
  if (name == "lowercase" || name == "lower") return Lowercase();
  if (name == "uppercase" || name == "upper") return Uppercase();
  if (name == "whitespace" || name == "wspace" || name == "space") return WhiteSpace();
  if (name == "emoji") return WithRanges({}, kEmojiRanges);
  if (name == "emojipresentation" || name == "epres")
    return WithRanges({}, kEmojiPresentationRanges);
  if (name == "extendedpictographic" || name == "extpict") {
    return WithRanges({}, kExtendedPictographicRanges);
  }
  if (name == "ideographic" || name == "ideo") return WithRanges({}, kIdeographicRanges);
  return std::nullopt;
}

// Lower case, without '_', '-' and ' '.
std::string Folded(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '_' || c == '-' || c == ' ') continue;
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return out;
}

}  // namespace

std::optional<CodePointSet> FindProperty(std::string_view name) {
  std::string folded = Folded(name);
  const size_t equals = folded.find_first_of("=:");
  if (equals != std::string::npos) {
    const std::string key = folded.substr(0, equals), value = folded.substr(equals + 1);
    if (key == "gc" || key == "generalcategory") return FindCategory(value);
    if (key == "sc" || key == "script") return FindScriptSet(value);
    return std::nullopt;
  }
  for (;;) {
    if (auto set = FindCategory(folded)) return set;
    if (auto set = FindBinary(folded)) return set;
    if (auto set = FindScriptSet(folded)) return set;
    if (folded.compare(0, 2, "is") != 0) return std::nullopt;
    folded.erase(0, 2);
  }
}

std::optional<CodePointSet> FindPerlClass(char letter, RegexFlavor flavor) {
  switch (letter) {
    case 'd':
      return OfCategories(kDecimal);
    case 's': {
      CodePointSet set = WhiteSpace();
      if (flavor == RegexFlavor::kPython) set.Add(0x1C, 0x1F);
      return set;
    }
    case 'w': {
      if (flavor == RegexFlavor::kPython) {
        CodePointSet set = OfCategories(kLetter | kNumber);
        set.Add('_', '_');
        return set;
      }
      CodePointSet set = WordCharacters();
      if (flavor == RegexFlavor::kOniguruma) {
        set.Subtract(CodePointSet(0x200C, 0x200D));
        for (char32_t c : {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}) set.Add(c, c);
      }
      return set;
    }
    case 'h': {
      CodePointSet set('0', '9');
      set.Add('A', 'F');
      set.Add('a', 'f');
      return set;
    }
    default:
      return std::nullopt;
  }
}

std::optional<CodePointSet> FindPosixClass(std::string_view name, RegexFlavor flavor) {
  CodePointSet set;
  const auto rest = [&set](CategorySet without) {
    set = OfCategories(~without);
    return set;
  };
  if (name == "alpha") {
    set = Alphabetic();
  } else if (name == "alnum") {
    set = Alphabetic();
    set.Add(OfCategories(kDecimal));
  } else if (name == "ascii") {
    set = CodePointSet(0, 0x7F);
  } else if (name == "blank") {
    set = OfCategories(SetOf(GeneralCategory::kSpaceSeparator));
    set.Add('\t', '\t');
  } else if (name == "cntrl") {
    set = OfCategories(kControls);
  } else if (name == "digit") {
    set = OfCategories(kDecimal);
  } else if (name == "graph") {
    rest(kControls | kUnassigned | kSeparator);
  } else if (name == "lower") {
    set = Lowercase();
  } else if (name == "print") {
    rest(kControls | kUnassigned | SetOf(GeneralCategory::kLineSeparator) |
         SetOf(GeneralCategory::kParagraphSeparator));
  } else if (name == "punct") {
    set = OfCategories(kPunctuation | kSymbol);
  } else if (name == "space") {
    set = WhiteSpace();
  } else if (name == "upper") {
    set = Uppercase();
  } else if (name == "word") {  // not the \w of Oniguruma: without its Latin-1 extras
    set = WordCharacters();
    set.Subtract(CodePointSet(0x200C, 0x200D));
  } else if (name == "xdigit") {
    set = *FindPerlClass('h', flavor);
  } else {
    return std::nullopt;
  }
  if (flavor != RegexFlavor::kOniguruma) set.Intersect(CodePointSet(0, 0x7F));
  return set;
}

}  // namespace penstock::internal
