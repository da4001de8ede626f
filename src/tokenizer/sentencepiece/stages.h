// SPDX-License-Identifier: Apache-2.0
//
// SentencePiece as stages of the engine (tokenizer/stages.h): normalizer, word boundaries, decoder.
//
//   EngineParts parts;
//   parts.normalizer = std::make_unique<NormalizerStage>(normalizer);
//   parts.pre_tokenizer = std::make_unique<WordBoundaries>(normalizer, bpe);      // BPE only
//   parts.decoder = std::make_unique<DecoderStage>(spec, denormalizer);
//
// All immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_STAGES_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_STAGES_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/sentencepiece/bpe_model.h"
#include "tokenizer/sentencepiece/normalizer.h"
#include "tokenizer/stages.h"

namespace penstock::internal::spm {

// When a run of text gets the dummy prefix of the model.
enum class DummyPrefix : uint8_t {
  // After a control token too: what encoding the runs one by one gives (Hugging Face's "legacy",
  // llama.cpp).
  kEveryRun,
  kFirstRun,  // only where the text begins
};

class NormalizerStage : public Normalizer {
 public:
  NormalizerStage(std::shared_ptr<const SentencePieceNormalizer> normalizer,
                  std::string description, DummyPrefix dummy_prefix)
      : normalizer_(std::move(normalizer)),
        description_(std::move(description)),
        dummy_prefix_(dummy_prefix) {}

  void Normalize(const RunContext& context, AlignedText* text) const override;
  bool IsStableBoundary(std::string_view text, size_t pos) const override;
  bool CanSplit(std::string_view text, size_t pos) const override {
    return normalizer_->CanSplit(text, pos);
  }
  void Describe(std::string* out) const override { out->append(description_); }

 private:
  std::shared_ptr<const SentencePieceNormalizer> normalizer_;
  std::string description_;
  DummyPrefix dummy_prefix_;
};

// Cuts a run before and after its space symbols where no piece reaches across. Never changes a
// token: it makes pieces small, and where the normalizer agrees they are safe cuts. For BPE;
// unigram sums run through the whole text.
class WordBoundaries : public PreTokenizer {
 public:
  // REQUIRES: the space symbol is a known piece or byte fallback is on (unknown neighbours would
  // join across a cut).
  WordBoundaries(std::string_view space, std::shared_ptr<const BpeModel> model)
      : space_(space), model_(std::move(model)) {}

  void Split(const RunContext& context, PreTokenizedRun* run) const override;
  bool IsStableBoundary(std::string_view text, size_t pos) const override;
  size_t SplitPoint(std::string_view text) const override { return model_->SplitPoint(text); }
  void Describe(std::string*) const override {}

 private:
  bool Cuts(std::string_view text, size_t pos) const;

  std::string space_;
  std::shared_ptr<const BpeModel> model_;
};

// A model owned by several stages.
class SharedModel : public Model {
 public:
  explicit SharedModel(std::shared_ptr<const Model> model) : model_(std::move(model)) {}
  void Encode(std::string_view piece, bool allow_control,
              std::vector<PieceToken>* out) const override {
    model_->Encode(piece, allow_control, out);
  }
  size_t SplitPoint(std::string_view piece) const override { return model_->SplitPoint(piece); }
  void Describe(std::string* out) const override { model_->Describe(out); }

 private:
  std::shared_ptr<const Model> model_;
};

// Spellings that DecoderStage understands: control pieces are empty, byte pieces are 0xFF and the
// byte.
std::vector<std::string> DecoderSpellings(const SentencePieceSpec& spec);

// Space symbols become spaces, the dummy prefix goes, runs of byte pieces become characters (U+FFFD
// for each byte that is none). Source: SentencePieceProcessor::Decode, sentencepiece 0.1.97 to
// 0.2.3.
class DecoderStage : public Decoder {
 public:
  DecoderStage(const SentencePieceSpec& spec,
               std::shared_ptr<const SentencePieceNormalizer> denormalizer)
      : strips_first_space_(spec.normalizer.add_dummy_prefix ||
                            spec.normalizer.remove_extra_whitespaces),
        strips_all_leading_(spec.normalizer.remove_extra_whitespaces),
        denormalizer_(std::move(denormalizer)) {}

  void Decode(std::vector<std::string>* tokens) const override;

 private:
  const bool strips_first_space_, strips_all_leading_;
  std::shared_ptr<const SentencePieceNormalizer> denormalizer_;  // null: none
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_STAGES_H_
