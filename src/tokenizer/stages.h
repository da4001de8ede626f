// SPDX-License-Identifier: Apache-2.0
//
// The stages of a tokenizer, in order: added tokens are cut out of the raw text (engine.h does
// that, for every format), then each run of plain text between them goes through
//
//   Normalizer      rewrites the run                     null = identity
//   PreTokenizer    cuts it into pieces                  null = the whole run is one piece
//   Model           turns a piece into tokens
//   PostProcessor   adds special tokens around the ids   plain data
//   Decoder         ids back to text
//
// Every file format compiles into these and shares the engine: a new format writes a reader, and a
// stage only where the existing ones do not fit. All stages are immutable after loading, safe to
// share, total on any bytes, and must not recurse on input.
#ifndef PENSTOCK_SRC_TOKENIZER_STAGES_H_
#define PENSTOCK_SRC_TOKENIZER_STAGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/token.h"
#include "tokenizer/aligned_text.h"

namespace penstock::internal {

// What a stage may know about the run it is given.
struct RunContext {
  size_t begin = 0;              // offset of the run in the whole input; 0: it starts the text
  bool ends_text = false;        // it ends the text
  bool allow_control = false;    // the whole run lies in one trusted segment
  bool reference_plain = false;  // EncodeOptions::added_tokens is kReferencePlain
  // A part of a run, cut at a split point (below): text of the same run precedes, or follows.
  bool continued = false;
  bool continues = false;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void Normalize(const RunContext& context, AlignedText* text) const = 0;
  // True if normalizing text[0, pos) and text[pos, …) apart gives the same as together, whatever
  // stands around. Used for safe cuts; false is always correct. `pos` is on a code point boundary,
  // strictly inside.
  virtual bool IsStableBoundary(std::string_view /*text*/, size_t /*pos*/) const { return false; }
  // True if normalizing text[0, pos) and text[pos, …) as parts of one run (RunContext::continues,
  // continued) gives what normalizing the whole gives, whatever follows `text`. Weaker than a
  // stable boundary: the stage is told that it is a part. false is always correct. `text` begins at
  // the begin of a run or at a split point; `pos` is on a code point boundary, strictly inside.
  virtual bool CanSplit(std::string_view text, size_t pos) const {
    return IsStableBoundary(text, pos);
  }
  // The last such position that is cheap to find; 0: none known. This one tries CanSplit() at the
  // last few hundred characters.
  virtual size_t SplitPoint(std::string_view text) const;
  // The stages of a sequence, which is split stage by stage; empty for all others.
  virtual std::vector<const Normalizer*> Stages() const { return {}; }
  // Everything that can change an id, in a canonical form, for the fingerprint.
  virtual void Describe(std::string* out) const = 0;
};

// A piece of a run: bytes [begin, end) of its text.
struct Piece {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// A run on its way through the pre-tokenizers. Pieces are in order and disjoint; text between them
// is dropped.
struct PreTokenizedRun {
  AlignedText text;
  std::vector<Piece> pieces;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Splits every piece of `run` further, and may rewrite its text.
  virtual void Split(const RunContext& context, PreTokenizedRun* run) const = 0;
  // Does it ever rewrite text? (ByteLevel and Metaspace of Hugging Face do.)
  virtual bool rewrites() const { return false; }
  // True if a piece boundary at `pos` of the run's text stays one, and the pieces on both sides
  // stay as they are, when the text is cut there. Used for safe cuts; false is always correct.
  virtual bool IsStableBoundary(std::string_view /*text*/, size_t /*pos*/) const { return false; }
  // True if it cuts nothing and can be given the run in parts, cut between any two characters.
  virtual bool only_rewrites() const { return false; }
  // A position strictly inside `text` where a piece begins and both sides split as they do together
  // (as parts of one run), whatever follows `text`: the last that is cheap to find; 0: none known.
  // `text` begins at the begin of a run or at such a position. O(text).
  virtual size_t SplitPoint(std::string_view /*text*/) const { return 0; }
  // The stages of a sequence; empty for all others.
  virtual std::vector<const PreTokenizer*> Stages() const { return {}; }
  virtual void Describe(std::string* out) const = 0;
};

// A token and the bytes of the piece that it stands for.
struct PieceToken {
  TokenId id;
  uint32_t begin;
  uint32_t end;
};

// Encodes one piece part by part. Thread-compatible: const calls may run concurrently, others need
// external synchronization.
class PieceStream {
 public:
  virtual ~PieceStream() = default;
  // Appends the tokens of the begin of `text` that nothing after `text` can change, all of them if
  // `last`, and returns how many bytes those stand for. `text` begins where the last call stopped
  // (positions of tokens count from there).
  virtual size_t Encode(std::string_view text, bool last, std::vector<PieceToken>* out) = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of one piece. Unless `allow_control`, ids for which Vocabulary::IsControl()
  // must not come out, but for the unk of the model: they are as if absent. O(n log n) or better in
  // the length of the piece, no recursion.
  virtual void Encode(std::string_view piece, bool allow_control,
                      std::vector<PieceToken>* out) const = 0;
  // The token, if any, that the reference spells as the text it stands for; trimming of offsets
  // looks at spellings.
  virtual TokenId verbatim_token() const { return -1; }
  // A position strictly inside `piece` that no token reaches across and that separates two pieces
  // encoded alone, whatever follows `piece` (at least another byte): the last that is cheap to
  // find; 0: none known.
  virtual size_t SplitPoint(std::string_view /*piece*/) const { return 0; }
  // A piece that arrives in parts, for models whose tokens depend on all text before; null: those
  // that have SplitPoint(), or nothing. For one piece; borrows the model.
  virtual std::unique_ptr<PieceStream> NewStream(bool /*allow_control*/) const { return nullptr; }
  virtual void Describe(std::string* out) const = 0;
};

// The template around the ids. kFirst and kSecond stand for the texts. Default: the texts alone.
struct TemplatePart {
  enum class Kind : uint8_t { kFirst, kSecond, kSpecial };
  static constexpr int32_t kByText = -1;

  Kind kind = Kind::kFirst;
  int32_t type_id = 0;
  std::vector<TokenId> ids = {};  // kSpecial
  // The type id in windows that truncation cut off; kByText: the number of the text. Without
  // special tokens always the latter.
  int32_t cut_type_id = kByText;
  // kSpecial: the text that it was put around, whose windows say which type id it has; kSpecial:
  // none, it has one.
  Kind around = Kind::kSpecial;
  bool masked = true;  // kSpecial: special in the mask
};

struct PostProcessor {
  std::vector<TemplatePart> single = {{TemplatePart::Kind::kFirst, 0, {}}};
  std::vector<TemplatePart> pair = {{TemplatePart::Kind::kFirst, 0, {}},
                                    {TemplatePart::Kind::kSecond, 1, {}}};
  // Hugging Face's ByteLevel and Roberta: leave leading and trailing white space of a token out of
  // its offsets, once for each element.
  struct Trim {
    // A leading space at offset 0, or of the first token, was added and is not trimmed.
    bool add_prefix_space;
    // A special token of an earlier processor is first in the first and second text.
    bool behind_special[2];
  };
  std::vector<Trim> trims;
  // Several templates, one after the other. What they make of a text without special tokens is not
  // what they make of it with them, less those; truncation leaves room for the tokens that each of
  // them says it adds; and a template has no answer to what another has made more than two of.
  struct Chain {
    std::optional<std::vector<TemplatePart>> with_special, without_special;
    size_t room = 0;
  };
  std::optional<Chain> single_chain, pair_chain;  // instead of single and pair
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the spellings of the tokens to decode, in order; the text is their concatenation. May
  // merge or drop entries.
  virtual void Decode(std::vector<std::string>* tokens) const = 0;
  // The same for DecodeOptions::replace_invalid_utf8, where a stage has its own way to do so. What
  // it leaves is replaced in the finished text.
  virtual void DecodeReplacing(std::vector<std::string>* tokens) const { Decode(tokens); }
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_STAGES_H_
