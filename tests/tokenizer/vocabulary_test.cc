// SPDX-License-Identifier: Apache-2.0
//
// Vocabulary: tokens to ids and back, and what it refuses of hosts that make one.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"
#include "tests/support/status_matchers.h"

namespace penstock {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

AddedToken Added(const std::string& content, TokenId id) {
  AddedToken token;
  token.content = content;
  token.id = id;
  return token;
}

TEST(VocabularyTest, FindsEveryTokenByItsBytesAndGivesThemBack) {
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Vocabulary v,
                                Vocabulary::Create({"a", "", "\xFF", "bc"}, {Added("<x>", 6)}));
  EXPECT_EQ(v.size(), 7u);
  for (const TokenId id : {0, 2, 3, 6}) {
    EXPECT_TRUE(v.Contains(id)) << id;
    EXPECT_EQ(v.Find(v.Token(id)), id);
  }
  for (const TokenId id : {-1, 1, 4, 5, 7}) {
    EXPECT_FALSE(v.Contains(id)) << id;
    EXPECT_EQ(v.Token(id), "") << id;
    EXPECT_EQ(v.FindAdded(id), nullptr) << id;
  }
  EXPECT_EQ(v.Find("b"), std::nullopt);
  EXPECT_EQ(v.Find(""), std::nullopt);
  EXPECT_THAT(v.added_tokens(), SizeIs(1));
  EXPECT_EQ(v.FindAdded(6)->content, "<x>");
}

TEST(VocabularyTest, OfTwoTokensWithTheSameBytesTheAddedOneIsFound) {
  PENSTOCK_ASSERT_OK_AND_ASSIGN(const Vocabulary v,
                                Vocabulary::Create({"a", "b"}, {Added("a", 2)}));
  EXPECT_EQ(v.Find("a"), 2);
  EXPECT_EQ(v.Token(0), "a");
}

TEST(VocabularyTest, AnEmptyOneKnowsNothing) {
  const Vocabulary v;
  EXPECT_EQ(v.size(), 0u);
  EXPECT_FALSE(v.Contains(0));
  EXPECT_EQ(v.Find("a"), std::nullopt);
}

TEST(VocabularyTest, RefusesWhatContradictsItself) {
  const auto refused = [](std::vector<std::string> tokens, std::vector<AddedToken> added,
                          SpecialIds special, const char* message) {
    EXPECT_THAT(Vocabulary::Create(std::move(tokens), std::move(added), special),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
  };
  SpecialIds bos;
  bos.bos = 1;
  refused({"a", "a"}, {}, {}, "ids 0 and 1 have the same bytes \"a\"");
  refused({"a"}, {Added("b", 0)}, {}, "id 0, which belongs to \"a\"");
  refused({"a"}, {Added("b", 1), Added("c", 1)}, {}, "id 1 belongs to two added tokens");
  refused({"a"}, {Added("", 1)}, {}, "added token 1 is empty");
  refused({"a"}, {Added("b", -1)}, {}, "id -1");
  refused({"a"}, {Added("b", 1 << 30)}, {}, "expected an id in");
  refused({"a"}, {Added("b", (1 << 22) + 2)}, {}, "far beyond a vocabulary of 1");
  refused({"a", ""}, {}, bos, "bos id 1 is not in the vocabulary");
  bos.bos = -1;
  refused({"a", "b"}, {}, bos, "bos id -1");
}

}  // namespace
}  // namespace penstock
