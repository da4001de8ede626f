// SPDX-License-Identifier: Apache-2.0
//
// Loading: any vocabulary file, recognised by its content.
//
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr t, LoadTokenizer("model/tokenizer.json"));
//
//   LoadOptions options;
//   options.encoding = "llama3";          // a bare rank file carries no pattern, no special tokens
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr u, LoadTokenizer("model/tokenizer.model", options));
//
//   LoadTokenizer("damaged/tokenizer.json").status()
//   // DATA_LOSS: damaged/tokenizer.json: model.merges[18660]: "▁a" is not in the vocabulary
//
// Every malformed file is refused with file, place and expectation, in bounded time and memory
// (LoadLimits).
#ifndef PENSTOCK_TOKENIZER_LOAD_H_
#define PENSTOCK_TOKENIZER_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/tokenizer/added_tokens.h"

namespace penstock {

class Tokenizer;
using TokenizerPtr = std::shared_ptr<const Tokenizer>;
struct LoadOptions;

enum class FileFormat : uint8_t {
  kHuggingFaceJson,  // tokenizer.json
  kTiktoken,         // rank file: lines of base64, space, rank
  kSentencePiece,    // .model
  kGguf,             // tokenizer.ggml.* of a GGUF file, tensor data never read
  kVocabAndMerges,   // vocab.json, with merges.txt beside it
  kWordPieceVocab,   // vocab.txt
};

// How a SentencePiece unigram model adds up scores. Releases of sentencepiece differ where two ways
// to write a text are equally good, as in long runs of one character.
enum class SentencePieceScores : uint8_t {
  kClassic,  // up to 0.2.0, with which most models in use were trained
  k0_2_3,
};

// What a file may cost. More is refused with kResourceExhausted, never an abort.
struct LoadLimits {
  uint64_t max_file_bytes = uint64_t{512} << 20;  // of GGUF: of the metadata
  size_t max_vocabulary = size_t{4} << 20;
  size_t max_merges = size_t{8} << 20;
  size_t max_added_tokens = size_t{64} << 10;
  size_t max_token_bytes = size_t{64} << 10;
  size_t max_nesting = 64;                     // of JSON and of component sequences
  size_t max_pattern_bytes = size_t{4} << 10;  // source of one regular expression
  size_t max_charsmap_bytes = size_t{16} << 20;
};

// A format that the library does not know, or another engine for one that it knows.
//   options.extra_readers.push_back(SentencePieceReader());       // adapters/sentencepiece.h
struct TokenizerReader {
  std::string_view name;  // for messages; static storage
  // Does this look like a file of mine? `head` holds at most the first 4096 bytes.
  bool (*recognizes)(std::string_view head) = nullptr;
  // Reads a whole file. `name` is for messages.
  absl::StatusOr<TokenizerPtr> (*read)(std::string_view file, std::string_view name,
                                       const LoadOptions& options) = nullptr;
};

struct LoadOptions {
  std::optional<FileFormat> format;  // none: recognised by content

  // Rank files: pattern and special tokens by name, see KnownEncodings().
  std::optional<std::string> encoding;
  // Or spelled out: the pre-tokenizer's regular expression (PCRE syntax) …
  std::optional<std::string> pattern;
  // … and special tokens, added to those of `encoding` if both are given. Rank files only.
  std::vector<std::pair<std::string, TokenId>> special_tokens;

  // Control tokens that shall be matched in untrusted text too, by content ("<table>").
  // kInvalidArgument if the file has no such added token.
  std::vector<std::string> content_tokens;

  // merges.txt of a vocab.json; none: the file of that name beside it.
  std::optional<std::string> merges_path;
  SentencePieceScores sentencepiece_scores = SentencePieceScores::kClassic;
  // Read tokenizer_config.json beside the file where it changes ids (add_bos_token, add_eos_token,
  // legacy, clean-up).
  bool read_tokenizer_config = true;

  LoadLimits limits;
  std::vector<TokenizerReader> extra_readers;  // asked first, in order
};

// Reads a tokenizer from `path`: a file of any FileFormat, or a folder that holds one
// (tokenizer.json, then tokenizer.model, vocab.json, vocab.txt). kNotFound: no such file.
// kInvalidArgument: format not recognised, or a rank file without encoding or pattern. kDataLoss:
// damaged. kResourceExhausted: a limit. kUnimplemented: a component of the file that is not
// supported. Thread-safe. Blocking: reads the file.
PENSTOCK_EXPORT absl::StatusOr<TokenizerPtr> LoadTokenizer(const std::string& path,
                                                           const LoadOptions& options = {});

// The same from memory; `name_for_messages` stands for the path. Nothing else is read.
PENSTOCK_EXPORT absl::StatusOr<TokenizerPtr> ParseTokenizer(std::string_view file_bytes,
                                                            std::string_view name_for_messages,
                                                            const LoadOptions& options = {});

// Names that LoadOptions::encoding accepts ("gpt2", "cl100k_base", "o200k_base", "llama3", …),
// sorted.
PENSTOCK_EXPORT std::vector<std::string> KnownEncodings();

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_LOAD_H_
