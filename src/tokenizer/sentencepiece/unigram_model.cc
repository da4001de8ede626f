// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/unigram_model.h"

#include <algorithm>
#include <cfloat>
#include <utility>

#include "tokenizer/sentencepiece/char_pairs.h"

namespace penstock::internal::spm {
namespace {

constexpr float kUnknownPenalty = 10.0f;
constexpr float kScoreResetThreshold = 100000.0f;
constexpr size_t kFlushBytes = 1024;

template <UnigramArithmetic>
struct Arithmetic;
template <>
struct Arithmetic<UnigramArithmetic::kClassic> {
  using Score = double;
  static double UserDefined(size_t bytes, float highest) {
    return static_cast<float>(bytes) * highest - 0.1;
  }
};
template <>
struct Arithmetic<UnigramArithmetic::k0_2_3> {
  using Score = float;
  static float UserDefined(size_t bytes, float) {
    return static_cast<float>(0.1 * (static_cast<int>(bytes) - 1));
  }
};

}  // namespace

// The best path to each position of [base_, base_ + best_.size()).
template <UnigramArithmetic arithmetic>
class UnigramLattice {
 public:
  UnigramLattice(const UnigramModel& model, std::string_view text, bool allow_control,
                 std::vector<PieceToken>* out)
      : model_(model),
        table_(*model.table_),
        text_(text),
        allow_control_(allow_control),
        writer_(table_, text, out) {}

  void Encode(float score = 0) {
    best_.assign(1, Node{score, PieceTable::kNone, kNowhere});
    size_t at = 0;
    while (at < text_.size()) {
      if (at == frontier_ && at - base_ >= kFlushBytes) Flush(at);
      KeepScoresSmall(at);
      at += Extend(at);
    }
    Flush(text_.size());
  }

  // The begin of `text` that no text behind it can change, from sums that begin with *score.
  // Returns its length, and in *score the sum there. Stops at known tokens: unknown ones may go on.
  size_t EncodeDecided(float* score) {
    best_.assign(1, Node{*score, PieceTable::kNone, kNowhere});
    for (size_t at = 0; at + model_.longest_ < text_.size();) {
      if (at == frontier_ && at > base_ &&
          (table_.byte_fallback() || Known(best_[at - base_].id))) {
        Flush(at);
      }
      KeepScoresSmall(at);
      at += Extend(at);
    }
    *score = best_[0].score;
    return base_;
  }

 private:
  using Score = typename Arithmetic<arithmetic>::Score;
  static constexpr size_t kNowhere = ~size_t{0};
  struct Node {
    float score = 0;
    TokenId id = PieceTable::kNone;
    size_t begin = kNowhere;  // of the last token of the path
  };

  bool Known(TokenId id) const { return id != PieceTable::kNone && id != table_.unk_id(); }

  // Tries every piece that begins at `at`; returns the length of the character there.
  size_t Extend(size_t at) {
    const float here = best_[at - base_].score;
    const size_t character = CharPairs::LengthAt(text_, at);
    bool has_single = false;
    uint32_t node = PieceTrie::kRoot;
    const PieceTrie& trie = table_.trie();
    for (size_t end = at; end < text_.size() && trie.Step(&node, text_[end]);) {
      ++end;
      const TokenId id = trie.value(node);
      if (id < 0) continue;
      Score score = table_.score(id);
      const PieceType type = table_.type(id);
      if (type != PieceType::kNormal) {
        if (type == PieceType::kUnused) continue;
        if (!allow_control_ && !table_.content(id)) continue;
        score = Arithmetic<arithmetic>::UserDefined(end - at, model_.highest_score_);
      }
      Offer(at, end, id, score + here);
      has_single = has_single || end - at == character;
    }
    if (!has_single) {
      // Float32 in either version.
      Offer(at, at + character, PieceTable::kNone, Score{model_.unknown_score_ + here});
    }
    return character;
  }

  void Offer(size_t begin, size_t end, TokenId id, Score score) {
    if (end > frontier_) {
      frontier_ = end;
      best_.resize(end - base_ + 1);
    }
    Node& node = best_[end - base_];
    if (node.begin == kNowhere || score > Score{node.score}) {
      node = {static_cast<float>(score), id, begin};
    }
  }

  void KeepScoresSmall(size_t at) {
    if (arithmetic == UnigramArithmetic::kClassic) return;
    const float offset = best_[at - base_].score;
    if (offset >= -kScoreResetThreshold && offset <= kScoreResetThreshold) return;
    for (size_t i = at; i <= frontier_; ++i) {
      Node& node = best_[i - base_];
      if (i == at || node.begin != kNowhere) node.score -= offset;
    }
    best_[at - base_].score = 0;
  }

  // Every path goes through `at`: what lies before is decided.
  void Flush(size_t at) {
    path_.clear();
    for (size_t end = at; end > base_;) {
      const Node& node = best_[end - base_];
      path_.push_back({node.id, static_cast<uint32_t>(node.begin), static_cast<uint32_t>(end)});
      end = node.begin;
    }
    for (size_t i = path_.size(); i-- > 0;) writer_.Add(path_[i].id, path_[i].begin, path_[i].end);
    const float score = best_[at - base_].score;
    best_.assign(1, Node{score, PieceTable::kNone, kNowhere});
    base_ = at;
  }

  const UnigramModel& model_;
  const PieceTable& table_;
  const std::string_view text_;
  const bool allow_control_;
  TokenWriter writer_;
  size_t base_ = 0;
  size_t frontier_ = 0;  // the furthest position that some path reaches
  std::vector<Node> best_;
  std::vector<PieceToken> path_;
};

namespace {

template <UnigramArithmetic arithmetic>
class UnigramStream final : public PieceStream {
 public:
  UnigramStream(const UnigramModel& model, bool allow_control)
      : model_(model), allow_control_(allow_control) {}
  size_t Encode(std::string_view text, bool last, std::vector<PieceToken>* out) override {
    UnigramLattice<arithmetic> lattice(model_, text, allow_control_, out);
    if (!last) return lattice.EncodeDecided(&score_);
    lattice.Encode(score_);
    return text.size();
  }

 private:
  const UnigramModel& model_;
  const bool allow_control_;
  float score_ = 0;
};

}  // namespace

std::unique_ptr<PieceStream> UnigramModel::NewStream(bool allow_control) const {
  if (arithmetic_ == UnigramArithmetic::kClassic) {
    return std::make_unique<UnigramStream<UnigramArithmetic::kClassic>>(*this, allow_control);
  }
  return std::make_unique<UnigramStream<UnigramArithmetic::k0_2_3>>(*this, allow_control);
}

UnigramModel::UnigramModel(std::shared_ptr<const PieceTable> table, UnigramArithmetic arithmetic)
    : table_(std::move(table)), arithmetic_(arithmetic) {
  float lowest = FLT_MAX;
  highest_score_ = FLT_MIN;
  for (size_t i = 0; i < table_->size(); ++i) {
    const TokenId id = static_cast<TokenId>(i);
    longest_ = std::max(longest_, table_->text(id).size());
    if (table_->type(id) != PieceType::kNormal) continue;
    lowest = std::min(lowest, table_->score(id));
    highest_score_ = std::max(highest_score_, table_->score(id));
  }
  unknown_score_ = lowest - kUnknownPenalty;
}

void UnigramModel::Encode(std::string_view text, bool allow_control,
                          std::vector<PieceToken>* out) const {
  if (text.empty()) return;
  if (arithmetic_ == UnigramArithmetic::kClassic) {
    UnigramLattice<UnigramArithmetic::kClassic>(*this, text, allow_control, out).Encode();
  } else {
    UnigramLattice<UnigramArithmetic::k0_2_3>(*this, text, allow_control, out).Encode();
  }
}

void UnigramModel::Describe(std::string* out) const {
  out->append(arithmetic_ == UnigramArithmetic::kClassic ? "sentencepiece.unigram.classic"
                                                         : "sentencepiece.unigram.0.2.3");
  table_->Describe(out);
}

}  // namespace penstock::internal::spm
