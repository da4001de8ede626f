// SPDX-License-Identifier: Apache-2.0
#include "text/normalization.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tests/text/reference_digest.h"
#include "tests/text/unicode_data.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

constexpr NormalizationForm kForms[] = {NormalizationForm::kNfc, NormalizationForm::kNfd,
                                        NormalizationForm::kNfkc, NormalizationForm::kNfkd};
constexpr const char* kFormNames[] = {"NFC", "NFD", "NFKC", "NFKD"};
constexpr NormalizationVersion kVersions[] = {NormalizationVersion::kUnicode17,
                                              NormalizationVersion::kHuggingFace};

std::string Utf8(const std::u32string& text) {
  std::string out;
  for (char32_t c : text) AppendUtf8(c, &out);
  return out;
}

std::u32string CodePoints(std::string_view text) {
  std::u32string out;
  for (size_t pos = 0; pos < text.size();) {
    const DecodedChar c = DecodeUtf8(text, pos);
    out.push_back(c.code_point);
    pos += c.size;
  }
  return out;
}

// The same strings as random_strings() of reference_digests.py.
constexpr char32_t kAlphabet[] =
    U"aeoq A1\u0301\u0323\u0308\u0302\u0327\u0344\u0345\u031B\u00E9\u00C5\u212B\u1EB9"
    U"\u1E9B\uFB01\u1100\u1161\u11A8\uAC00\uAC01\u0F73\u0F71\u0F72\u09C7\u09BE\u0CC6\u0CC2\u0CD5"
    U"\u3099\u304B\u2126\u00A0\uFDFA\u0958\u0915\u093C\uF900\u200D\u4E2D\u07FD\u0C3C\U00011938"
    U"\U000105D2\u0307\U0001D15E\U0001D158\U0001D165\u1E69\u017F\u0130\u03B1\u1F80\u2076\u3131"
    U"\uFFA1\U00016121";
constexpr uint32_t kAlphabetSize = std::size(kAlphabet) - 1;

class Random {
 public:
  uint32_t Below(uint32_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>((state_ >> 33) % n);
  }
  std::string String() {
    std::u32string s;
    const uint32_t size = 1 + Below(10);
    for (uint32_t i = 0; i < size; ++i) {
      if (Below(17) == 0) {
        const char32_t c = Below(Below(2) != 0 ? 0x3000 : 0x20000);
        s.push_back(c >= 0xD800 && c < 0xE000 ? U'a' : c);
      } else {
        s.push_back(kAlphabet[Below(kAlphabetSize)]);
      }
    }
    return Utf8(s);
  }

 private:
  uint64_t state_ = 1;
};

// The source character each character of the result is aligned to, by the rule in the header.
std::u32string AlignedSource(std::string_view source, std::string_view result,
                             const std::vector<NormalizedPiece>& pieces) {
  std::u32string out;
  size_t from = 0, to = 0;
  for (const NormalizedPiece& piece : pieces) {
    if (piece.kept()) {
      out += CodePoints(source.substr(from, piece.source_bytes));
    } else if (piece.source_bytes > 0) {
      out += CodePoints(source.substr(from, piece.aligned_bytes));
    } else {
      out += CodePoints(source.substr(0, from)).back();
    }
    from += piece.source_bytes;
    to += piece.result_bytes;
  }
  EXPECT_EQ(from, source.size());
  EXPECT_EQ(to, result.size());
  return out;
}

void AddHex(const std::u32string& text, Digest* digest) {
  std::string line;
  char buffer[16];
  for (char32_t c : text) {
    std::snprintf(buffer, sizeof buffer, line.empty() ? "%X" : " %X", static_cast<unsigned>(c));
    line += buffer;
  }
  digest->Add((line + ";").c_str());
}

TEST(Normalization, EveryCodePointIsAsTheReferencesHaveIt) {
  for (int f = 0; f < 4; ++f) {
    for (int v = 0; v < 2; ++v) {
      const std::string name = std::string(v == 0 ? "Unicode 17 " : "HuggingFace ") + kFormNames[f];
      SCOPED_TRACE(name);
      const Normalization n(kForms[f], kVersions[v]);
      EXPECT_EQ(DigestOfMap([&](char32_t c) { return CodePoints(Normalize(Utf8({c}), n)); }),
                ReferenceFor(name));
    }
  }
}

TEST(Normalization, RandomStringsAreAsPythonsUnicodedataHasThem) {
  for (int f = 0; f < 4; ++f) {
    SCOPED_TRACE(kFormNames[f]);
    Digest digest;
    Random random;
    for (digest.count = 0; digest.count < 20000; ++digest.count) {
      AddHex(CodePoints(Normalize(random.String(), kForms[f])), &digest);
    }
    EXPECT_EQ(digest, ReferenceFor(std::string("Unicode 17 strings ") + kFormNames[f]));
  }
}

TEST(Normalization, RandomStringsAndTheirAlignmentsAreHuggingFaces) {
  for (int f = 0; f < 4; ++f) {
    SCOPED_TRACE(kFormNames[f]);
    Digest digest;
    Random random;
    for (digest.count = 0; digest.count < 20000; ++digest.count) {
      const std::string source = random.String();
      std::string result;
      std::vector<NormalizedPiece> pieces;
      Normalize(source, {kForms[f], NormalizationVersion::kHuggingFace}, &result, &pieces);
      std::u32string line = CodePoints(result);
      for (char32_t c : AlignedSource(source, result, pieces)) (line += U'|') += c;
      AddHex(line, &digest);
    }
    EXPECT_EQ(digest, ReferenceFor(std::string("HuggingFace strings ") + kFormNames[f]));
  }
}

// NormalizationTest.txt: "c1;c2;c3;c4;c5; # …", NFC c2, NFD c3, NFKC c4, NFKD c5.
TEST(Normalization, TheConformanceFileHolds) {
  std::vector<std::string> lines;
  if (!ReadUnicodeData("NormalizationTest.txt", &lines)) GTEST_SKIP() << kNoUnicodeData;
  size_t cases = 0;
  for (const std::string& line : lines) {
    if (line.empty() || line[0] == '#' || line[0] == '@') continue;
    std::array<std::string, 5> c;
    size_t at = 0;
    for (std::string& column : c) {
      const size_t end = line.find(';', at);
      column = Utf8(ParseCodePoints(line.substr(at, end - at)));
      at = end + 1;
    }
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(Normalize(c[i], NormalizationForm::kNfkc), c[3]) << line;
      ASSERT_EQ(Normalize(c[i], NormalizationForm::kNfkd), c[4]) << line;
      ASSERT_EQ(Normalize(c[i], NormalizationForm::kNfc), c[i < 3 ? 1 : 3]) << line;
      ASSERT_EQ(Normalize(c[i], NormalizationForm::kNfd), c[i < 3 ? 2 : 4]) << line;
    }
    ++cases;
  }
  EXPECT_GT(cases, 19000u);
}

TEST(Normalization, ResultsAreNormalizedAndIsNormalizedSaysSo) {
  Random random;
  for (int i = 0; i < 4000; ++i) {
    const std::string source = random.String();
    for (NormalizationForm form : kForms) {
      for (NormalizationVersion version : kVersions) {
        const Normalization n(form, version);
        const std::string result = Normalize(source, n);
        ASSERT_EQ(Normalize(result, n), result);
        ASSERT_TRUE(IsNormalized(result, n));
        ASSERT_EQ(IsNormalized(source, n), source == result);
      }
    }
  }
}

TEST(Normalization, ThePrefixIsKeptWhateverFollows) {
  Random random;
  for (int i = 0; i < 4000; ++i) {
    const std::string source = random.String(), more = random.String();
    for (NormalizationForm form : kForms) {
      const size_t prefix = NormalizedPrefix(source, form);
      const std::string kept = source.substr(0, prefix);
      ASSERT_EQ(Normalize(source, form).substr(0, prefix), kept);
      if (prefix < source.size()) {
        ASSERT_EQ(Normalize(source + more, form).substr(0, prefix), kept);
      } else {
        ASSERT_EQ(Normalize(source, form), source);
      }
    }
  }
}

TEST(Normalization, TextsApartAtABoundaryAreTheTextTogether) {
  Random random;
  for (int i = 0; i < 4000; ++i) {
    const std::string left = random.String(), right = random.String();
    for (NormalizationForm form : kForms) {
      for (NormalizationVersion version : kVersions) {
        const Normalization n(form, version);
        if (!IsNormalizationBoundary(right, 0, n)) continue;
        ASSERT_EQ(Normalize(left + right, n), Normalize(left, n) + Normalize(right, n));
      }
    }
  }
}

TEST(Normalization, MalformedBytesAreKeptAndAreBorders) {
  for (NormalizationForm form : kForms) {
    EXPECT_EQ(Normalize("a\xFFz\xE4\xB8", form), "a\xFFz\xE4\xB8");
    EXPECT_EQ(Normalize("e\xFF\xCC\x81", form), "e\xFF\xCC\x81");
  }
  Random random;
  std::string bytes;
  for (int i = 0; i < 20000; ++i) {
    bytes.clear();
    for (uint32_t k = random.Below(12); k > 0; --k) {
      bytes += random.Below(3) == 0 ? random.String().substr(0, 2)
                                    : std::string(1, static_cast<char>(random.Below(256)));
    }
    for (NormalizationForm form : kForms) {
      std::string result;
      std::vector<NormalizedPiece> pieces;
      Normalize(bytes, form, &result, &pieces);
      size_t from = 0, to = 0;
      for (const NormalizedPiece& piece : pieces) {
        from += piece.source_bytes;
        to += piece.result_bytes;
      }
      ASSERT_EQ(from, bytes.size());
      ASSERT_EQ(to, result.size());
    }
  }
}

TEST(Normalization, WhatUnicode9DidNotKnowIsLeftAloneForHuggingFace) {
  const std::string modern = Utf8({0x105D2, 0x307});  // decomposition of U+105C9, 16.0
  EXPECT_EQ(Normalize(modern, NormalizationForm::kNfc), Utf8({0x105C9}));
  EXPECT_EQ(Normalize(modern, {NormalizationForm::kNfc, NormalizationVersion::kHuggingFace}),
            modern);
}

TEST(Normalization, LongRunsOfMarksAreSortedOnce) {
  std::string marks = "a";
  for (int i = 0; i < 200000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const std::string result = Normalize(marks, NormalizationForm::kNfd);
  EXPECT_EQ(result.size(), marks.size());
  EXPECT_EQ(result.substr(1, 2), "\u0323");
  EXPECT_EQ(result.substr(result.size() - 2), "\u0301");
}

}  // namespace
}  // namespace penstock::internal
