// SPDX-License-Identifier: Apache-2.0
#include "text/unicode.h"

#include <gtest/gtest.h>

#include "tests/text/reference_digest.h"
#include "text/reference_classes.h"

namespace penstock::internal {
namespace {

struct NamedSet {
  const char* name;
  CategorySet set;
};

constexpr NamedSet kNamedSets[] = {
    {"\\p{Lu}", kUppercase},
    {"\\p{Ll}", kLowercase},
    {"\\p{Lt}", kTitlecase},
    {"\\p{Lm}", kModifier},
    {"\\p{Lo}", kOtherLetter},
    {"\\p{Mn}", kNonspacing},
    {"\\p{Mc}", SetOf(GeneralCategory::kSpacingMark)},
    {"\\p{Me}", SetOf(GeneralCategory::kEnclosingMark)},
    {"\\p{Nd}", kDecimal},
    {"\\p{Nl}", SetOf(GeneralCategory::kLetterNumber)},
    {"\\p{No}", SetOf(GeneralCategory::kOtherNumber)},
    {"\\p{Pc}", SetOf(GeneralCategory::kConnectorPunctuation)},
    {"\\p{Pd}", SetOf(GeneralCategory::kDashPunctuation)},
    {"\\p{Ps}", SetOf(GeneralCategory::kOpenPunctuation)},
    {"\\p{Pe}", SetOf(GeneralCategory::kClosePunctuation)},
    {"\\p{Pi}", SetOf(GeneralCategory::kInitialPunctuation)},
    {"\\p{Pf}", SetOf(GeneralCategory::kFinalPunctuation)},
    {"\\p{Po}", SetOf(GeneralCategory::kOtherPunctuation)},
    {"\\p{Sm}", SetOf(GeneralCategory::kMathSymbol)},
    {"\\p{Sc}", SetOf(GeneralCategory::kCurrencySymbol)},
    {"\\p{Sk}", SetOf(GeneralCategory::kModifierSymbol)},
    {"\\p{So}", SetOf(GeneralCategory::kOtherSymbol)},
    {"\\p{Zs}", SetOf(GeneralCategory::kSpaceSeparator)},
    {"\\p{Zl}", SetOf(GeneralCategory::kLineSeparator)},
    {"\\p{Zp}", SetOf(GeneralCategory::kParagraphSeparator)},
    {"\\p{Cc}", kControls},
    {"\\p{Cf}", SetOf(GeneralCategory::kFormat)},
    {"\\p{Co}", SetOf(GeneralCategory::kPrivateUse)},
    {"\\p{Cn}", kUnassigned},
    {"\\p{L}", kLetter},
    {"\\p{M}", kMark},
    {"\\p{N}", kNumber},
    {"\\p{P}", kPunctuation},
    {"\\p{S}", kSymbol},
    {"\\p{Z}", kSeparator},
    {"\\p{C}", kOthers},
};

TEST(Unicode, EveryCategoryIsTheOneOfTiktokenAndOnigurumaForEveryCodePoint) {
  for (const NamedSet& named : kNamedSets) {
    SCOPED_TRACE(named.name);
    EXPECT_EQ(DigestOfSet([&](char32_t c) { return IsIn(c, named.set); }),
              ReferenceFor(named.name));
  }
}

TEST(Unicode, WhiteSpaceIsBackslashSOfBothReferenceEngines) {
  const Digest ours = DigestOfSet([](char32_t c) { return IsWhiteSpace(c); });
  EXPECT_EQ(ours, ReferenceFor("tiktoken \\s"));
  EXPECT_EQ(ours, ReferenceFor("oniguruma \\s"));
}

TEST(Unicode, WordCharactersAreThoseOfTheFlavour) {
  EXPECT_EQ(DigestOfSet([](char32_t c) { return IsWord(c, RegexFlavor::kRust); }),
            ReferenceFor("tiktoken \\w"));
  EXPECT_EQ(DigestOfSet([](char32_t c) { return IsWord(c, RegexFlavor::kOniguruma); }),
            ReferenceFor("oniguruma \\w"));
}

TEST(Unicode, PythonCountsTheInformationSeparatorsAsSpace) {
  EXPECT_EQ(DigestOfSet([](char32_t c) { return IsSpace(c, RegexFlavor::kPython); }),
            ReferenceFor("python \\s"));
}

TEST(Unicode, HuggingFaceClassesAreTheOnesItsComponentsShow) {
  EXPECT_EQ(DigestOfSet(IsHuggingFacePunctuation), ReferenceFor("Punctuation"));
  EXPECT_EQ(DigestOfSet(IsHuggingFaceDigit), ReferenceFor("Digits"));
  EXPECT_EQ(DigestOfSet([](char32_t c) { return IsHuggingFaceControl(c) || c == 0xFFFD; }),
            ReferenceFor("BertNormalizer clean_text"));
  EXPECT_EQ(DigestOfSet(IsHuggingFaceBertAccent), ReferenceFor("BertNormalizer strip_accents"));
  EXPECT_EQ(DigestOfSet(IsHuggingFaceAccent), ReferenceFor("StripAccents"));
}

TEST(Unicode, LowerCaseIsHuggingFacesForEveryCodePoint) {
  EXPECT_EQ(DigestOfMap(ToLower), ReferenceFor("Lowercase"));
}

TEST(Unicode, ScriptsOfTheRegexVersionAreThoseOfBothEngines) {
  for (const char* name : {"Han", "Hiragana", "Katakana", "Hangul", "Thai", "Arabic"}) {
    SCOPED_TRACE(name);
    const auto script = FindScript(name);
    ASSERT_TRUE(script.has_value());
    EXPECT_EQ(DigestOfSet([&](char32_t c) { return ScriptOf(c, UnicodeVersion::k16) == *script; }),
              ReferenceFor(std::string("\\p{") + name + "}"));
  }
}

TEST(Unicode, ScriptNamesAreFoundWhateverTheirCaseAndSeparators) {
  EXPECT_EQ(FindScript("old_italic"), Script::kOldItalic);
  EXPECT_EQ(FindScript("OldItalic"), Script::kOldItalic);
  EXPECT_EQ(FindScript("Latinx"), std::nullopt);
  EXPECT_EQ(FindScript(""), std::nullopt);
  EXPECT_EQ(ScriptName(Script::kNko), "Nko");
  for (int i = 0; i < 175; ++i) {
    const Script script = static_cast<Script>(i);
    EXPECT_EQ(FindScript(ScriptName(script)), script);
  }
}

TEST(Unicode, ScriptsOfUnicode9LackWhatCameLater) {
  EXPECT_EQ(HuggingFaceScript(U'a'), Script::kLatin);
  EXPECT_EQ(HuggingFaceScript(0x10D50), Script::kUnknown);  // Garay, 16.0
  EXPECT_EQ(ScriptOf(0x10D50), Script::kGaray);
  EXPECT_EQ(HuggingFaceScript(0x0560), Script::kUnknown);  // Armenian turned ayb, 11.0
}

TEST(Unicode, ValuesThatAreNoCodePointsAreUnassigned) {
  for (char32_t c : {0x110000u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    EXPECT_EQ(CategoryOf(c), GeneralCategory::kUnassigned);
    EXPECT_EQ(CategoryOf(c, UnicodeVersion::k8), GeneralCategory::kUnassigned);
    EXPECT_EQ(ScriptOf(c), Script::kUnknown);
    EXPECT_FALSE(IsWhiteSpace(c) || IsWord(c));
    EXPECT_EQ(*ToLower(c).begin(), c);
  }
  EXPECT_EQ(CategoryOf(0xD800), GeneralCategory::kSurrogate);
}

TEST(Unicode, VersionsDifferOnlyWhereTheClassByteSaysSo) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    const auto here = CategoryOf(c);
    const bool differs = CategoryOf(c, UnicodeVersion::k8) != here ||
                         CategoryOf(c, UnicodeVersion::k9) != here ||
                         CategoryOf(c, UnicodeVersion::k17) != here;
    ASSERT_EQ(differs, (ClassOf(c) & kClassDiffers) != 0) << std::hex << c;
    ASSERT_EQ(CategoryOf(c, UnicodeVersion::k16), here);
  }
}

TEST(Unicode, SigmaHasNoFinalFormAndDottedIBecomesTwo) {
  EXPECT_EQ(*ToLower(0x3A3).begin(), 0x3C3u);
  const LowerCase dotted = ToLower(0x130);
  ASSERT_EQ(dotted.size, 2u);
  EXPECT_EQ(dotted.code_points[0], 0x69u);
  EXPECT_EQ(dotted.code_points[1], 0x307u);
}

}  // namespace
}  // namespace penstock::internal
