// SPDX-License-Identifier: Apache-2.0
//
// One reader per file format, found by LoadTokenizer() through the table in load.cc. To add a
// format: write a reader and declare it here, add its row to the table.
#ifndef PENSTOCK_SRC_TOKENIZER_READERS_H_
#define PENSTOCK_SRC_TOKENIZER_READERS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"

namespace penstock::internal {

// A file to read. Messages begin with `name`.
struct SourceFile {
  std::string_view bytes;  // the whole file
  std::string_view name;   // path, or what the caller called it
  std::string path;        // empty: from memory, no siblings may be read
  // Ids of added tokens are as the model has them; a tokenizer.json's are numbered anew.
  bool keeps_ids = false;
};

// Recognisers see at most the first 4096 bytes.
bool LooksLikeHuggingFaceJson(std::string_view head);
bool LooksLikeTiktoken(std::string_view head);
bool LooksLikeSentencePiece(std::string_view head);
bool LooksLikeGguf(std::string_view head);
bool LooksLikeVocabJson(std::string_view head);
bool LooksLikeWordPieceVocab(std::string_view head);
absl::StatusOr<TokenizerPtr> ReadHuggingFaceJson(const SourceFile& file,
                                                 const LoadOptions& options);
absl::StatusOr<TokenizerPtr> ReadTiktoken(const SourceFile& file, const LoadOptions& options);
absl::StatusOr<TokenizerPtr> ReadSentencePiece(const SourceFile& file, const LoadOptions& options);
absl::StatusOr<TokenizerPtr> ReadGguf(const SourceFile& file, const LoadOptions& options);
// Reads the metadata of a file of any size, and no more.
absl::StatusOr<TokenizerPtr> ReadGgufFile(const std::string& path, const LoadOptions& options);
absl::StatusOr<TokenizerPtr> ReadVocabAndMerges(const SourceFile& file, const LoadOptions& options);
// The same with the bytes of merges.txt at hand.
absl::StatusOr<TokenizerPtr> ParseVocabAndMerges(const SourceFile& file, std::string_view merges,
                                                 const LoadOptions& options);
absl::StatusOr<TokenizerPtr> ReadWordPieceVocab(const SourceFile& file, const LoadOptions& options);

// Reads a sibling of `file` ("tokenizer_config.json"). kNotFound if there is none or the file is
// from memory.
absl::StatusOr<std::string> ReadSibling(const SourceFile& file, const std::string& sibling,
                                        const LoadLimits& limits);
// Whole file, at most `max_bytes`.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, uint64_t max_bytes);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_READERS_H_
