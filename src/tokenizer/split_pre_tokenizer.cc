// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/split_pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "tokenizer/fingerprint.h"

namespace penstock::internal {
namespace {

struct Part {
  Piece piece;
  bool match;
};

// [0, size) as alternating matches and gaps.
std::vector<Part> Partition(const std::vector<Piece>& matches, uint32_t size, bool invert) {
  std::vector<Part> parts;
  uint32_t done = 0;
  for (const Piece& m : matches) {
    if (m.begin > done) parts.push_back({{done, m.begin}, invert});
    parts.push_back({m, !invert});
    done = m.end;
  }
  if (done < size) parts.push_back({{done, size}, invert});
  return parts;
}

// A match joins its left neighbour unless that neighbour ends with a match.
std::vector<Piece> MergedWithPrevious(const std::vector<Part>& parts) {
  std::vector<Piece> pieces;
  bool previous = false;
  for (const Part& part : parts) {
    if (part.match && !previous && !pieces.empty()) {
      pieces.back().end = part.piece.end;
    } else {
      pieces.push_back(part.piece);
    }
    previous = part.match;
  }
  return pieces;
}

std::vector<Piece> MergedWithNext(const std::vector<Part>& parts) {
  std::vector<Piece> pieces;
  bool previous = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->match && !previous && !pieces.empty()) {
      pieces.back().begin = part->piece.begin;
    } else {
      pieces.push_back(part->piece);
    }
    previous = part->match;
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<Piece> Contiguous(const std::vector<Part>& parts) {
  std::vector<Piece> pieces;
  bool previous = false;
  for (const Part& part : parts) {
    if (part.match == previous && !pieces.empty()) {
      pieces.back().end = part.piece.end;
    } else {
      pieces.push_back(part.piece);
    }
    previous = part.match;
  }
  return pieces;
}

std::vector<Piece> Apply(SplitBehavior behavior, const std::vector<Part>& parts) {
  std::vector<Piece> pieces;
  switch (behavior) {
    case SplitBehavior::kMergedWithPrevious:
      return MergedWithPrevious(parts);
    case SplitBehavior::kMergedWithNext:
      return MergedWithNext(parts);
    case SplitBehavior::kContiguous:
      return Contiguous(parts);
    case SplitBehavior::kRemoved:
    case SplitBehavior::kIsolated:
      break;
  }
  for (const Part& part : parts) {
    if (behavior == SplitBehavior::kIsolated || !part.match) pieces.push_back(part.piece);
  }
  return pieces;
}

class SplitPreTokenizer final : public PreTokenizer {
 public:
  SplitPreTokenizer(std::unique_ptr<const TextPattern> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void Split(const RunContext&, PreTokenizedRun* run) const override {
    const std::string_view text = run->text.text();
    std::vector<Piece> pieces;
    std::vector<Piece> matches;
    for (const Piece& piece : run->pieces) {
      matches.clear();
      const uint32_t size = piece.end - piece.begin;
      pattern_->FindAll(text.substr(piece.begin, size), &matches);
      if (matches.empty()) {  // most pieces of the stages behind the first
        if (behavior_ != SplitBehavior::kRemoved || !invert_) pieces.push_back(piece);
        continue;
      }
      for (const Piece& p : Apply(behavior_, Partition(matches, size, invert_))) {
        if (p.end > p.begin) pieces.push_back({piece.begin + p.begin, piece.begin + p.end});
      }
    }
    run->pieces = std::move(pieces);
  }
  size_t SplitPoint(std::string_view text) const override {
    std::vector<Piece> matches;
    pattern_->FindDecided(text, &matches);
    for (size_t i = matches.size(); i-- > 0;) {
      const size_t point = PointAt(matches, i, text.size());
      if (point > 0) return point;
    }
    return 0;
  }
  void Describe(std::string* out) const override {
    out->append("split;");
    DescribeNumber(static_cast<int64_t>(behavior_), out);
    DescribeNumber(invert_, out);
    pattern_->Describe(out);
  }

 private:
  // A boundary at match i, or 0. At both its ends there is one, but for those that a behaviour
  // removes; what becomes of the last match may depend on what follows.
  size_t PointAt(const std::vector<Piece>& matches, size_t i, size_t size) const {
    const Piece match = matches[i];
    const bool gap_before = match.begin > (i == 0 ? 0 : matches[i - 1].end);
    const bool gap_after = i + 1 < matches.size() && matches[i + 1].begin > match.end;
    switch (behavior_) {
      case SplitBehavior::kRemoved:
      case SplitBehavior::kIsolated:
        if (match.end < size) return match.end;
        return match.begin;
      case SplitBehavior::kMergedWithPrevious:
        return gap_after && !invert_ ? match.end : 0;
      case SplitBehavior::kMergedWithNext:
        return gap_before && !invert_ ? match.begin : 0;
      case SplitBehavior::kContiguous:
        return gap_before ? match.begin : gap_after ? match.end : 0;
    }
    return 0;
  }

  std::unique_ptr<const TextPattern> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class GrammarPreTokenizer final : public PreTokenizer {
 public:
  explicit GrammarPreTokenizer(const SplitGrammar* grammar) : grammar_(grammar) {}

  void Split(const RunContext&, PreTokenizedRun* run) const override {
    const std::string_view text = run->text.text();
    std::vector<Piece> pieces;
    for (const Piece& piece : run->pieces) {
      const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
      for (size_t pos = 0; pos < part.size();) {
        const size_t end = grammar_->NextPiece(part, pos);
        pieces.push_back(
            {static_cast<uint32_t>(piece.begin + pos), static_cast<uint32_t>(piece.begin + end)});
        pos = end;
      }
    }
    run->pieces = std::move(pieces);
  }
  bool IsStableBoundary(std::string_view text, size_t pos) const override {
    return grammar_->CanCut(text, pos);
  }
  size_t SplitPoint(std::string_view text) const override { return grammar_->SplitPoint(text); }
  void Describe(std::string* out) const override {
    out->append("grammar;");
    DescribeString(grammar_->name(), out);
  }

 private:
  const SplitGrammar* grammar_;
};

class PreTokenizerSequence final : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(std::vector<std::unique_ptr<const PreTokenizer>> stages)
      : stages_(std::move(stages)) {}

  void Split(const RunContext& context, PreTokenizedRun* run) const override {
    for (const auto& stage : stages_) stage->Split(context, run);
  }
  bool rewrites() const override {
    return std::any_of(stages_.begin(), stages_.end(), [](const auto& s) { return s->rewrites(); });
  }
  // Every later stage keeps the boundaries of the first.
  size_t SplitPoint(std::string_view text) const override {
    return stages_[0]->only_rewrites() ? 0 : stages_[0]->SplitPoint(text);
  }
  std::vector<const PreTokenizer*> Stages() const override {
    std::vector<const PreTokenizer*> stages;
    for (const auto& stage : stages_) stages.push_back(stage.get());
    return stages;
  }
  void Describe(std::string* out) const override {
    out->append("sequence;");
    for (const auto& stage : stages_) stage->Describe(out);
  }

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> stages_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> NewSplitPreTokenizer(std::unique_ptr<const TextPattern> pattern,
                                                         SplitBehavior behavior, bool invert) {
  return std::make_unique<SplitPreTokenizer>(std::move(pattern), behavior, invert);
}

std::unique_ptr<const PreTokenizer> NewGrammarPreTokenizer(const SplitGrammar* grammar) {
  return std::make_unique<GrammarPreTokenizer>(grammar);
}

std::unique_ptr<const PreTokenizer> NewPreTokenizerSequence(
    std::vector<std::unique_ptr<const PreTokenizer>> stages) {
  if (stages.size() == 1) return std::move(stages[0]);
  return std::make_unique<PreTokenizerSequence>(std::move(stages));
}

}  // namespace penstock::internal
