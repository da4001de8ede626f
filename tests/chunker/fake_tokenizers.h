// SPDX-License-Identifier: Apache-2.0
//
// Small tokenizers of every kind the chunker must work with, none of which needs a file.
//
//   FakePtr t = MakeFake(FakeKind::kSpaceWords);
//   t->EncodeIds("ab cd") …
#ifndef PENSTOCK_TESTS_CHUNKER_FAKE_TOKENIZERS_H_
#define PENSTOCK_TESTS_CHUNKER_FAKE_TOKENIZERS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/tokenizer.h"

namespace penstock {

enum class FakeKind {
  kBytes,         // one token a byte; every place is a safe cut
  kBytesBlind,    // the same, but it knows no safe cut (a host's own tokenizer)
  kSpaceWords,    // byte-level style: " word" pieces of tokens up to three bytes; cuts at pieces
  kNewlineEater,  // as kSpaceWords, but line ends stick to what is before them (cl100k)
  kDummyPrefix,   // SentencePiece style: a token is added in front of every text; no safe cuts
  kNotMonotone,   // longer text may have fewer tokens; safe cuts only after line ends
  kFewCuts,       // kSpaceWords that reports only every third of its safe cuts
};

inline const std::vector<FakeKind>& AllFakeKinds() {
  static const std::vector<FakeKind> kinds = {FakeKind::kBytes,       FakeKind::kBytesBlind,
                                              FakeKind::kSpaceWords,  FakeKind::kNewlineEater,
                                              FakeKind::kDummyPrefix, FakeKind::kNotMonotone,
                                              FakeKind::kFewCuts};
  return kinds;
}

// Ids are hashes of a token's bytes: equal bytes, equal ids.
class FakeTokenizer final : public Tokenizer {
 public:
  explicit FakeTokenizer(FakeKind kind)
      : kind_(kind), fingerprint_("fake " + std::to_string(static_cast<int>(kind))) {}

  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string_view fingerprint() const override { return fingerprint_; }

 private:
  static TokenId Id(std::string_view bytes) {
    uint32_t h = 2166136261u;
    for (const char c : bytes) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
    return static_cast<TokenId>(h & 0x3FFFFFFF);
  }

  static bool Space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool Line(char c) { return c == '\n' || c == '\r'; }

  // End of the piece that begins at i: white space but its last blank, or [blank] word, where a
  // word is letters or else; as in GPT-2, with its look-ahead.
  size_t PieceEnd(std::string_view t, size_t i) const {
    size_t j = i;
    while (j < t.size() && Space(t[j])) ++j;
    if (kind_ == FakeKind::kNewlineEater) {
      size_t k = j;
      while (k > i && !Line(t[k - 1])) --k;
      if (k > i) return k;  // \s*[\r\n]+
    }
    if (j == t.size()) return j;
    if (j > i + 1) return j - 1;
    if (j == i + 1 && t[i] != ' ') return j;
    const bool letter = Letter(t[j]);
    while (j < t.size() && !Space(t[j]) && Letter(t[j]) == letter) ++j;
    if (kind_ == FakeKind::kNewlineEater && !letter) {
      while (j < t.size() && Line(t[j])) ++j;  // [^\s\p{L}\p{N}]+[\r\n]*
    }
    return j;
  }
  static bool Letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80;
  }

  void EncodeText(std::string_view t, const EncodeOptions& options, Encoding* e) const {
    const auto cut = [&](size_t byte) {
      if (options.safe_cuts && byte > 0 && byte < t.size())
        e->safe_cuts.push_back({byte, e->ids.size()});
    };
    switch (kind_) {
      case FakeKind::kBytes:
      case FakeKind::kBytesBlind:
        for (size_t i = 0; i < t.size(); ++i) {
          if (kind_ == FakeKind::kBytes) cut(i);
          e->ids.push_back(Id(t.substr(i, 1)));
        }
        return;
      case FakeKind::kDummyPrefix: {
        if (t.empty()) return;
        const std::string with = " " + std::string(t);
        for (size_t i = 0; i < with.size();) {
          size_t j = i + 1;
          while (j < with.size() && j - i < 4 && with[j] != ' ') ++j;
          e->ids.push_back(Id(std::string_view(with).substr(i, j - i)));
          i = j;
        }
        return;
      }
      case FakeKind::kNotMonotone:
        // Each line is one token if its length is a multiple of five, else one per two bytes.
        for (size_t i = 0; i < t.size();) {
          size_t j = t.find('\n', i);
          j = j == std::string_view::npos ? t.size() : j + 1;
          cut(i);
          if ((j - i) % 5 == 0) {
            e->ids.push_back(Id(t.substr(i, j - i)));
          } else {
            for (size_t k = i; k < j; k += 2)
              e->ids.push_back(Id(t.substr(k, std::min<size_t>(2, j - k))));
          }
          i = j;
        }
        return;
      case FakeKind::kSpaceWords:
      case FakeKind::kNewlineEater:
      case FakeKind::kFewCuts: {
        size_t pieces = 0;
        for (size_t i = 0; i < t.size();) {
          const size_t j = PieceEnd(t, i);
          // Inside white space the end of the text changes the pieces: no cut there.
          const bool apart = i > 0 && (!Space(t[i - 1]) || (kind_ == FakeKind::kNewlineEater &&
                                                            Line(t[i - 1]) && !Space(t[i])));
          if (apart && (kind_ != FakeKind::kFewCuts || pieces++ % 3 == 0)) cut(i);
          for (size_t k = i; k < j; k += 3)
            e->ids.push_back(Id(t.substr(k, std::min<size_t>(3, j - k))));
          i = j;
        }
        return;
      }
    }
  }

  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>* second,
                        const EncodeOptions& options, Encoding* encoding) const override {
    std::string text;
    for (const Segment& s : first) text += s.text();
    if (second != nullptr) {
      for (const Segment& s : *second) text += s.text();
    }
    EncodeText(text, options, encoding);
    return absl::OkStatus();
  }
  std::string DoDecode(absl::Span<const TokenId>, const DecodeOptions&) const override {
    return "";
  }

  FakeKind kind_;
  std::string fingerprint_;
  Vocabulary vocabulary_;
};

inline TokenizerPtr MakeFake(FakeKind kind) { return std::make_shared<FakeTokenizer>(kind); }

}  // namespace penstock

#endif  // PENSTOCK_TESTS_CHUNKER_FAKE_TOKENIZERS_H_
