// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/stages.h"

#include <utility>

#include "tokenizer/sentencepiece/utf8_units.h"

namespace penstock::internal::spm {
namespace {

constexpr char kByteMark = '\xFF';

class RewriterSink : public NormalizedSink {
 public:
  explicit RewriterSink(AlignedText* text) : text_(text), rewriter_(*text) {}

  void Keep(size_t begin, size_t end) override {
    SkipTo(begin);
    rewriter_.Keep(end - begin);
  }
  void Put(std::string_view bytes, size_t begin, size_t end) override {
    rewriter_.Insert(bytes, {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    SkipTo(end);
  }
  void Finish() {
    SkipTo(text_->text().size());
    rewriter_.Finish(text_);
  }

 private:
  void SkipTo(size_t position) {
    if (position > rewriter_.position()) rewriter_.Skip(position - rewriter_.position());
  }
  AlignedText* text_;
  AlignedText::Rewriter rewriter_;
};

}  // namespace

void NormalizerStage::Normalize(const RunContext& context, AlignedText* text) const {
  const bool all = context.allow_control || context.reference_plain;
  RewriterSink sink(text);
  const bool part = normalizer_->suffix() ? context.continues : context.continued;
  normalizer_->Normalize(text->text(), all ? UserPieceMode::kAll : UserPieceMode::kContentOnly,
                         !part && (dummy_prefix_ == DummyPrefix::kEveryRun || context.begin == 0),
                         &sink);
  sink.Finish();
}

bool NormalizerStage::IsStableBoundary(std::string_view text, size_t pos) const {
  return normalizer_->IsStableBoundary(text, pos);
}

bool WordBoundaries::Cuts(std::string_view text, size_t pos) const {
  // The character before: at most four bytes back, none of them a lead byte but the first.
  size_t before = pos - 1;
  while (before > 0 && pos - before < 4 && (text[before] & '\xC0') == '\x80') --before;
  return model_->CutsBetween(CharPairs::CharAt(text.substr(0, pos), before),
                             CharPairs::CharAt(text, pos));
}

void WordBoundaries::Split(const RunContext&, PreTokenizedRun* run) const {
  const std::string_view text = run->text.text();
  std::vector<Piece> pieces;
  for (const Piece& piece : run->pieces) {
    size_t begin = piece.begin;
    for (size_t at = text.find(space_, begin); at < piece.end; at = text.find(space_, at)) {
      if (at > begin && Cuts(text, at)) {
        pieces.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
        begin = at;
      }
      at += space_.size();
      if (at < piece.end && Cuts(text, at)) {
        pieces.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
        begin = at;
      }
    }
    if (begin < piece.end) pieces.push_back({static_cast<uint32_t>(begin), piece.end});
  }
  run->pieces = std::move(pieces);
}

bool WordBoundaries::IsStableBoundary(std::string_view text, size_t pos) const {
  return pos > 0 && pos < text.size() && Cuts(text, pos);
}

std::vector<std::string> DecoderSpellings(const SentencePieceSpec& spec) {
  std::vector<std::string> spellings;
  spellings.reserve(spec.pieces.size());
  for (const ModelPiece& piece : spec.pieces) {
    switch (piece.type) {
      case PieceType::kControl:
        spellings.emplace_back();
        break;
      case PieceType::kUnknown:
        spellings.emplace_back(spec.unk_surface);
        break;
      case PieceType::kByte:
        spellings.push_back({kByteMark, static_cast<char>(ByteOfPiece(piece.text))});
        break;
      default:
        spellings.emplace_back(piece.text);
    }
  }
  return spellings;
}

void DecoderStage::Decode(std::vector<std::string>* tokens) const {
  std::string text, bytes;
  bool at_begin = strips_first_space_;
  const auto write_bytes = [&] {
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = ValidUtf8Length(std::string_view(bytes).substr(at));
      text.append(length == 0 ? std::string_view("\xEF\xBF\xBD")
                              : std::string_view(bytes).substr(at, length));
      at += length == 0 ? 1 : length;
    }
    bytes.clear();
  };
  for (const std::string& token : *tokens) {
    if (token.size() == 2 && token[0] == kByteMark) {
      bytes.push_back(token[1]);
      continue;
    }
    write_bytes();
    if (!text.empty()) at_begin = false;
    std::string_view rest = token;
    if (at_begin && rest.substr(0, kSpaceSymbol.size()) == kSpaceSymbol) {
      rest.remove_prefix(kSpaceSymbol.size());
      if (!strips_all_leading_) at_begin = false;
    }
    for (size_t space; (space = rest.find(kSpaceSymbol)) != std::string_view::npos;) {
      text.append(rest.substr(0, space)).push_back(' ');
      rest.remove_prefix(space + kSpaceSymbol.size());
    }
    text.append(rest);
  }
  write_bytes();
  if (denormalizer_ != nullptr) text = denormalizer_->NormalizeToString(text, UserPieceMode::kAll);
  tokens->assign(1, std::move(text));
}

}  // namespace penstock::internal::spm
