// SPDX-License-Identifier: Apache-2.0
//
// No spelling of a control token by somebody who is not trusted becomes that token: for every
// control token of every vocabulary, spelled in the ways that attackers know.
//
//   PENSTOCK_TEST_DATA=… PENSTOCK_TEST_SCALE=100 penstock_injection_test      a million cases
//
// Vocabularies: a small one of every kind (small_vocabularies.h), and those that the manifest of
// PENSTOCK_TEST_DATA names.
#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/test_data.h"
#include "tests/tokenizer/invariants.h"
#include "tests/tokenizer/small_vocabularies.h"

namespace penstock {
namespace {

struct Subject {
  std::string name;
  TokenizerPtr tokenizer;
};

std::vector<Subject> SmallSubjects() {
  std::vector<Subject> all;
  for (const SmallVocabulary& v : SmallVocabularies()) all.push_back({v.name, Load(v)});
  return all;
}

// Those files of $PENSTOCK_TEST_DATA/vocab that load; the manifest names the encodings.
std::vector<Subject> RealSubjects() {
  std::vector<Subject> all;
  const auto folder = TestDataPath("vocab");
  if (!folder.has_value()) return all;
  std::ifstream manifest(*folder + "/MANIFEST.tsv");
  std::vector<std::string> columns;
  for (std::string line; std::getline(manifest, line);) {
    std::map<std::string, std::string> row;
    std::istringstream cells(line);
    size_t column = 0;
    for (std::string cell; std::getline(cells, cell, '\t'); ++column) {
      if (columns.size() <= column) columns.resize(column + 1);
      if (columns[column].empty()) columns[column] = cell;
      row[columns[column]] = cell;
    }
    if (row["file"] == "file" || row["format"] == "hf-config") continue;
    LoadOptions options;
    if (!row["encoding"].empty()) options.encoding = row["encoding"];
    absl::StatusOr<TokenizerPtr> t = LoadTokenizer(*folder + "/" + row["file"], options);
    if (t.ok()) all.push_back({row["file"], *std::move(t)});
  }
  return all;
}

// Other characters that normalizers turn into `spelling`, or that they drop out of it.
std::string Disguise(const std::string& spelling, SeededRandom* random) {
  static const char* const kDropped[] = {"\xE2\x80\x8B", "\xC2\xAD", "\xE2\x80\x8D",
                                         "\xEF\xBB\xBF", "\xCC\x81", "\x01"};
  std::string out;
  for (const char c : spelling) {
    const unsigned char byte = static_cast<unsigned char>(c);
    switch (random->Below(6)) {
      case 0:  // fullwidth
        if (byte > 0x20 && byte < 0x7F) {
          const unsigned code = 0xFF01u + byte - 0x21u;
          out += {static_cast<char>(0xEF), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
                  static_cast<char>(0x80 | (code & 0x3F))};
        } else {
          out.push_back(c);
        }
        break;
      case 1:
        out.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
        break;
      case 2:
        if (byte < 0x80) out += kDropped[random->Below(6)];
        out.push_back(c);
        break;
      default:
        out.push_back(c == ' ' && random->OneIn(2) ? '\t' : c);
    }
  }
  return out;
}

class Attack {
 public:
  Attack(const Subject& subject, SeededRandom* random) : subject_(subject), random_(*random) {
    for (const AddedToken& t : subject.tokenizer->vocabulary().added_tokens()) {
      (t.token_class == AddedTokenClass::kControl ? control_ : content_).push_back(t.content);
    }
  }

  const std::vector<std::string>& control() const { return control_; }
  size_t cases() const { return cases_; }

  void Try(const std::string& token) {
    const std::string& other = control_[random_.Below(control_.size())];
    const size_t middle = random_.Below(token.size() + 1);
    const std::string nested = token.substr(0, middle) + other + token.substr(middle);
    Untrusting(token);
    Untrusting("a" + token + "b");
    Untrusting(" " + token + "\n");
    Untrusting("\t \t" + token + " \xE3\x80\x80");
    Untrusting(token + token + other);
    Untrusting(nested);
    Untrusting(token.substr(0, middle) + "\xFF" + token.substr(middle));
    Untrusting(token + token.substr(0, middle));
    for (int i = 0; i < 4; ++i) Untrusting(Disguise(token, &random_));
    Untrusting(Disguise(nested, &random_));
    if (!content_.empty()) {
      const std::string& content = content_[random_.Below(content_.size())];
      Untrusting(content + token + content);
      Untrusting(token.substr(0, middle) + content + token.substr(middle));
    }
    // Around a seam, at each byte; beside trusted text that would complete it.
    for (size_t at = 0; at <= token.size(); ++at) {
      if (token.size() > 12 && at % 3 != 0) continue;
      const std::string left = token.substr(0, at);
      const std::string right = token.substr(at);
      Mixed({{left, true}, {right, false}});
      Mixed({{left, false}, {right, true}});
      Mixed({{"x " + left, false}, {right + " y", false}});
      if (at > 0 && at < token.size()) Mixed({{left, true}, {right, true}});
    }
    Mixed({{other, true}, {token, false}, {other, true}});
    Mixed({{" ", true}, {token, false}, {" ", true}});
    Mixed({{token.substr(0, middle), false}, {other, true}, {token.substr(middle), false}});
    Mixed({{token + " ", true}, {" " + Disguise(token, &random_), false}, {" " + token, true}});
  }

 private:
  void Untrusting(const std::string& text) {
    ++cases_;
    const std::vector<TokenId> ids = subject_.tokenizer->EncodeIds(text);
    for (const TokenId id : ids) {
      ASSERT_FALSE(IsForbidden(*subject_.tokenizer, id))
          << subject_.name << ": id " << id << " from " << testing::PrintToString(text);
    }
    const absl::StatusOr<Encoding> cut = subject_.tokenizer->Encode(CutAnywhere(text, random_()));
    ASSERT_TRUE(cut.ok() && cut->ids == ids)
        << subject_.name << ": seams in " << testing::PrintToString(text);
  }
  void Mixed(const std::vector<std::pair<std::string, bool>>& parts) {
    ++cases_;
    std::vector<Segment> segments;
    for (const auto& [text, trusted] : parts) {
      segments.push_back(trusted ? Trusted(text) : Untrusted(text));
    }
    const char* const broken = BrokenAtSeams(*subject_.tokenizer, segments);
    if (broken == nullptr) return;
    std::string shown;
    for (const auto& [text, trusted] : parts) {
      shown += (trusted ? " trusted " : " untrusted ") + testing::PrintToString(text);
    }
    FAIL() << subject_.name << ": " << broken << ":" << shown;
  }

  const Subject& subject_;
  SeededRandom& random_;
  std::vector<std::string> control_, content_;
  size_t cases_ = 0;
};

// Every control token once, then random ones until `cases` are through.
size_t AttackAll(const std::vector<Subject>& subjects, size_t cases) {
  SeededRandom random;
  size_t tried = 0;
  size_t tokens = 0;
  for (const Subject& subject : subjects) {
    Attack attack(subject, &random);
    tokens += attack.control().size();
    for (const std::string& token : attack.control()) attack.Try(token);
    while (!attack.control().empty() && attack.cases() < cases / subjects.size() &&
           !testing::Test::HasFailure()) {
      attack.Try(attack.control()[random.Below(attack.control().size())]);
    }
    tried += attack.cases();
    if (testing::Test::HasFailure()) break;
  }
  std::printf("%zu vocabularies, %zu control tokens, %zu cases\n", subjects.size(), tokens, tried);
  return tried;
}

TEST(InjectionTest, NoControlTokenComesOutOfUntrustedTextInSmallVocabularies) {
  EXPECT_GE(AttackAll(SmallSubjects(), Scaled(10000)), 10000u);
}

TEST(InjectionTest, NoControlTokenComesOutOfUntrustedTextInRealVocabularies) {
  PENSTOCK_TEST_DATA_OR_SKIP(folder, "vocab/MANIFEST.tsv");
  const std::vector<Subject> subjects = RealSubjects();
  ASSERT_FALSE(subjects.empty());
  AttackAll(subjects, Scaled(10000));
}

TEST(InjectionTest, IndentedCodeStillGetsItsWhiteSpaceTokens) {
  size_t vocabularies = 0;
  std::vector<Subject> subjects = SmallSubjects();
  for (Subject& s : RealSubjects()) subjects.push_back(std::move(s));
  for (const Subject& subject : subjects) {
    for (const AddedToken& token : subject.tokenizer->vocabulary().added_tokens()) {
      if (token.token_class != AddedTokenClass::kContent) continue;
      ++vocabularies;
      const std::string code = "x" + token.content + "y";
      const std::vector<TokenId> plain = subject.tokenizer->EncodeIds(code);
      const absl::StatusOr<Encoding> trusted = subject.tokenizer->Encode({Trusted(code)});
      ASSERT_TRUE(trusted.ok());
      EXPECT_EQ(plain, trusted->ids) << subject.name;
      // A normalizer may leave nothing of one that is matched in normalized text.
      if (token.normalized) continue;
      EXPECT_NE(std::find(plain.begin(), plain.end(), token.id), plain.end())
          << subject.name << ": " << testing::PrintToString(token.content);
    }
  }
  EXPECT_GE(vocabularies, 8u);
}

// -------------------------------------------------------------------------------------- round trip

std::string RandomBytes(SeededRandom* random) {
  static const char* const kParts[] = {
      "the ", "  ", "\n\n", "\xC3\xA9",     "\xE4\xB8\x96", "\xF0\x9F\x98\x80",
      "123",  "'s", "\r",   "\xEF\xBB\xBF", "\xE2\x80\x8D"};
  std::string text;
  for (size_t n = random->Below(40); n > 0; --n) {
    if (random->OneIn(3)) {
      text += kParts[random->Below(11)];
    } else {
      text.push_back(static_cast<char>(random->Below(random->OneIn(2) ? 256 : 128)));
    }
  }
  return text;
}

TEST(RoundTripTest, SmallByteLevelAndByteFallbackVocabulariesGiveBackAnyBytes) {
  SeededRandom random;
  size_t vocabularies = 0;
  for (const SmallVocabulary& v : SmallVocabularies()) {
    if (v.round_trip == SmallVocabulary::RoundTrip::kNo) continue;
    const TokenizerPtr t = Load(v);
    ++vocabularies;
    for (size_t i = 0; i < Scaled(1000); ++i) {
      std::string text = RandomBytes(&random);
      // SentencePiece reads each bad byte as U+FFFD before anything else.
      if (v.round_trip == SmallVocabulary::RoundTrip::kUtf8) {
        text = internal::ReplaceInvalidUtf8(text);
      }
      ASSERT_EQ(t->Decode(t->EncodeIds(text)), text) << v.name;
    }
  }
  EXPECT_GE(vocabularies, 7u);
}

// What a vocabulary can keep is asked of it: byte-level ones that normalize nothing, and those with
// byte fallback but for the space symbol. It says so by giving back all bytes that are no ASCII and
// a probe of text that normalizers change.
TEST(RoundTripTest, RealByteLevelAndByteFallbackVocabulariesGiveBackAnyBytes) {
  PENSTOCK_TEST_DATA_OR_SKIP(folder, "vocab/MANIFEST.tsv");
  SeededRandom random;
  DecodeOptions as_it_is;
  as_it_is.clean_up_spaces = false;  // some files ask for it
  std::string names;
  for (const Subject& subject : RealSubjects()) {
    const Tokenizer& t = *subject.tokenizer;
    bool bytes = true;
    for (int b = 0x80; b < 256 && bytes; ++b) {
      const std::string text = "a" + std::string(1, static_cast<char>(b));
      bytes = t.Decode(t.EncodeIds(text), as_it_is) == text;
    }
    const std::string probe = "e\xCC\x81 \xEF\xBC\xA1 A  b \xE2\x84\xAB\n";
    if (!bytes || t.Decode(t.EncodeIds(probe), as_it_is) != probe) continue;
    names += " " + subject.name;
    const bool fallback = t.vocabulary().Find("<0x41>").has_value();
    for (size_t i = 0; i < Scaled(300); ++i) {
      const std::string text = RandomBytes(&random);
      if (fallback && text.find("\xE2\x96\x81") != std::string::npos) continue;
      ASSERT_EQ(t.Decode(t.EncodeIds(text), as_it_is), text) << subject.name;
    }
  }
  std::printf("round trip:%s\n", names.c_str());
  EXPECT_NE(names.find("gpt2/tokenizer.json"), std::string::npos);
}

}  // namespace
}  // namespace penstock
