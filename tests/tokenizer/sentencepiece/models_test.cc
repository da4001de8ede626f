// SPDX-License-Identifier: Apache-2.0
//
// The segmenting algorithms against their slow twins: small alphabets, random vocabularies, so that
// ties, overlaps and dominoes come up all the time.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/sentencepiece_twin.h"
#include "tokenizer/sentencepiece/bpe_model.h"
#include "tokenizer/sentencepiece/piece_table.h"
#include "tokenizer/sentencepiece/unigram_model.h"
#include "tokenizer/sentencepiece/whole_models.h"

namespace penstock::internal::spm {
namespace {

struct Vocab {
  std::vector<std::string> texts;
  SentencePieceSpec spec;
  TwinPieces twin;

  void Add(const std::string& text, float score, PieceType type) {
    if (twin.count(text) > 0) return;
    const int id = static_cast<int>(texts.size());
    twin[text] = {id, score, type == PieceType::kUnused, type == PieceType::kUserDefined};
    texts.push_back(text);
    spec.pieces.push_back({{}, score, type});
  }
  std::shared_ptr<const PieceTable> Table() {
    for (size_t i = 0; i < texts.size(); ++i) spec.pieces[i].text = texts[i];
    absl::StatusOr<PieceTable> table = PieceTable::Create(spec, {}, "test");
    EXPECT_TRUE(table.ok()) << table.status();
    return std::make_shared<const PieceTable>(*std::move(table));
  }
};

// Piece 0 is unknown. Letters are single bytes but for the space symbol.
Vocab RandomVocab(SeededRandom& random, int scores, bool unused, bool user_defined) {
  Vocab vocab;
  vocab.texts.push_back("<unk>");
  vocab.spec.pieces.push_back({{}, 0, PieceType::kUnknown});
  const std::vector<std::string> letters = {"a", "b", "c", std::string(kSpaceSymbol)};
  for (const std::string& letter : letters) {
    if (!random.OneIn(5)) vocab.Add(letter, -20, PieceType::kNormal);
  }
  const size_t count = 2 + random.Below(20);
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (size_t n = 2 + random.Below(5); n > 0; --n) text += letters[random.Below(letters.size())];
    PieceType type = PieceType::kNormal;
    if (unused && random.OneIn(4)) type = PieceType::kUnused;
    if (user_defined && random.OneIn(6)) type = PieceType::kUserDefined;
    const float score = -0.37f * static_cast<float>(random.Below(static_cast<uint64_t>(scores)));
    vocab.Add(text, score, type);
  }
  return vocab;
}

std::string RandomText(SeededRandom& random, size_t length) {
  const std::vector<std::string> letters = {"a", "b", "c", std::string(kSpaceSymbol), "d"};
  std::string text;
  const size_t distinct = 1 + random.Below(letters.size());
  while (length-- > 0) text += letters[random.Below(distinct)];
  return text;
}

std::vector<int> Ids(const Model& model, std::string_view text) {
  std::vector<PieceToken> tokens;
  model.Encode(text, /*allow_control=*/true, &tokens);
  std::vector<int> ids;
  size_t end = 0;
  for (const PieceToken& token : tokens) {
    EXPECT_EQ(token.begin, end);
    end = token.end;
    ids.push_back(token.id);
  }
  EXPECT_EQ(end, text.size());
  return ids;
}

TEST(SentencePieceBpeTest, ShortTextsMergeAsTheTwinDoes) {
  SeededRandom random(1);
  for (size_t round = 0; round < Scaled(3000); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), false, false);
    const BpeModel model(vocab.Table());
    for (int i = 0; i < 4; ++i) {
      const std::string text = RandomText(random, random.Below(30));
      ASSERT_EQ(Ids(model, text), TwinBpe(vocab.twin, 0, text)) << text;
    }
  }
}

TEST(SentencePieceBpeTest, TextsBeyondTheSmallLoopMergeAsTheTwinDoes) {
  SeededRandom random(2);
  for (size_t round = 0; round < Scaled(300); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), false, true);
    const BpeModel model(vocab.Table());
    const std::string text = RandomText(random, 41 + random.Below(200));
    ASSERT_EQ(Ids(model, text), TwinBpe(vocab.twin, 0, text)) << text;
  }
}

TEST(SentencePieceBpeTest, WindowsMeetWhereTheWholeWouldHaveCut) {
  SeededRandom random(3);
  for (size_t round = 0; round < Scaled(12); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), false, false);
    const BpeModel model(vocab.Table());
    const std::string text = RandomText(random, 1500 + random.Below(1500));
    ASSERT_EQ(Ids(model, text), TwinBpe(vocab.twin, 0, text)) << text.size();
  }
}

// Every pair is stronger than the one before it: one more letter at the end changes all tokens.
TEST(SentencePieceBpeTest, DominoesThatReachThroughAllWindowsFallAsTheTwinsDo) {
  Vocab vocab;
  vocab.texts.push_back("<unk>");
  vocab.spec.pieces.push_back({{}, 0, PieceType::kUnknown});
  const auto letter = [](size_t i) {
    std::string c = "\xE4\x80\x80";  // U+4000 and on
    c[1] = static_cast<char>(0x80 + i / 64);
    c[2] = static_cast<char>(0x80 + i % 64);
    return c;
  };
  constexpr size_t kLetters = 2600;
  for (size_t i = 0; i < kLetters; ++i) vocab.Add(letter(i), -1e6f, PieceType::kNormal);
  for (size_t i = 0; i + 1 < kLetters; ++i) {
    vocab.Add(letter(i) + letter(i + 1), static_cast<float>(i), PieceType::kNormal);
  }
  const BpeModel model(vocab.Table());
  std::string text;
  for (size_t i = 0; i < kLetters; ++i) text += letter(i);
  for (size_t cut : {0, 3}) {
    const std::string_view part = std::string_view(text).substr(0, text.size() - cut);
    const std::vector<int> ids = Ids(model, part);
    // The strongest pair is the last one; an odd letter is left over at the front.
    const size_t letters = part.size() / 3;
    std::vector<int> want;
    if (letters % 2 == 1) want.push_back(vocab.twin.find(letter(0))->second.id);
    for (size_t i = letters % 2; i < letters; i += 2) {
      want.push_back(vocab.twin.find(letter(i) + letter(i + 1))->second.id);
    }
    EXPECT_EQ(ids, want) << letters;
  }
}

TEST(SentencePieceBpeTest, UnusedPiecesFallApartAsTheTwinSays) {
  SeededRandom random(4);
  for (size_t round = 0; round < Scaled(3000); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), true, false);
    const BpeModel model(vocab.Table());
    const std::string text = RandomText(random, random.Below(70));
    ASSERT_EQ(Ids(model, text), TwinBpe(vocab.twin, 0, text)) << text;
  }
}

TEST(SentencePieceUnigramTest, FindsThePathThatTheTwinFinds) {
  SeededRandom random(5);
  for (size_t round = 0; round < Scaled(2000); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), true, true);
    const UnigramModel model(vocab.Table(), UnigramArithmetic::kClassic);
    const std::string text = RandomText(random, random.Below(60));
    ASSERT_EQ(Ids(model, text), TwinUnigram(vocab.twin, 0, text)) << text;
  }
}

TEST(SentencePieceUnigramTest, ReadingThePathBackEarlyChangesNothing) {
  SeededRandom random(6);
  for (size_t round = 0; round < Scaled(30); ++round) {
    Vocab vocab = RandomVocab(random, 1 + static_cast<int>(random.Below(12)), true, true);
    const UnigramModel model(vocab.Table(), UnigramArithmetic::kClassic);
    const std::string text = RandomText(random, 3000 + random.Below(3000));
    ASSERT_EQ(Ids(model, text), TwinUnigram(vocab.twin, 0, text)) << text.size();
  }
}

TEST(SentencePieceWordTest, WordsArePiecesOrUnknown) {
  Vocab vocab;
  vocab.texts = {"<unk>"};
  vocab.spec.pieces = {{{}, 0, PieceType::kUnknown}};
  vocab.Add("▁ab", 0, PieceType::kNormal);
  vocab.Add("▁c", 0, PieceType::kUnused);
  const WordModel model(vocab.Table());
  EXPECT_THAT(Ids(model, "▁ab▁c▁ab"), testing::ElementsAre(1, 0, 1));
  EXPECT_THAT(Ids(model, "▁c▁c"), testing::ElementsAre(0));
}

TEST(SentencePieceCharTest, CharactersArePiecesOrUnknown) {
  Vocab vocab;
  vocab.texts = {"<unk>"};
  vocab.spec.pieces = {{{}, 0, PieceType::kUnknown}};
  vocab.Add("▁", 0, PieceType::kNormal);
  vocab.Add("世", 0, PieceType::kNormal);
  vocab.Add("xy", 0, PieceType::kUserDefined);
  const CharModel model(vocab.Table());
  EXPECT_THAT(Ids(model, "▁世xyx世"), testing::ElementsAre(1, 2, 3, 0, 2));
}

TEST(PieceTrieTest, FindsWhatAMapFinds) {
  SeededRandom random(7);
  for (size_t round = 0; round < Scaled(300); ++round) {
    std::map<std::string, int32_t> map;
    std::vector<std::string> texts;
    for (size_t n = random.Below(300); n > 0; --n) {
      std::string text;
      for (size_t k = 1 + random.Below(6); k > 0; --k) {
        text.push_back(
            static_cast<char>(random.OneIn(2) ? random.Below(256) : 'a' + random.Below(3)));
      }
      if (map.emplace(text, static_cast<int32_t>(map.size())).second) texts.push_back(text);
    }
    std::vector<std::pair<std::string_view, int32_t>> keys;
    for (const std::string& text : texts) keys.emplace_back(text, map[text]);
    const PieceTrie trie = PieceTrie::Build(keys);
    for (const std::string& text : texts) {
      ASSERT_EQ(trie.Find(text), map[text]);
      std::string other = text;
      other.back() = static_cast<char>(random.Below(256));
      const auto found = map.find(other);
      ASSERT_EQ(trie.Find(other), found == map.end() ? -1 : found->second);
      ASSERT_EQ(trie.Find(text + "a"), map.count(text + "a") > 0 ? map[text + "a"] : -1);
    }
  }
}

}  // namespace
}  // namespace penstock::internal::spm
