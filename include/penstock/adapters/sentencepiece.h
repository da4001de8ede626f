// SPDX-License-Identifier: Apache-2.0
//
// penstock::sentencepiece: a tokenizer over the sentencepiece library.
//
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr t, LoadSentencePieceTokenizer("spiece.model"));
//
//   LoadOptions options;                                  // or for every .model that is loaded
//   options.extra_readers.push_back(SentencePieceReader());
//   PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr t, LoadTokenizer("spiece.model", options));
//
//   LoadSentencePieceTokenizer("cut_short.model").status()
//   // DATA_LOSS: cut_short.model: pieces[17] at byte 341: a length runs past the end
//
// When not to use it: nearly always. LoadTokenizer() reads .model files itself, with the same ids,
// several times faster, with safe cuts, and without what the distribution's library brings along:
// its copy of protobuf, which aborts processes that also link protobuf, and its memory errors on
// crafted files (CVE-2026-1260). This one is for comparing the two, and for those who must run the
// reference itself. Files are checked by the native reader first; the library only sees files that
// passed.
//
// Differences from the native tokenizer: no safe cuts; pairs are not truncated; user-defined pieces
// cannot be told from text, so a model with any that are not white space is refused unless
// LoadOptions::content_tokens names them.
#ifndef PENSTOCK_ADAPTERS_SENTENCEPIECE_H_
#define PENSTOCK_ADAPTERS_SENTENCEPIECE_H_

#include <string>

#include "absl/status/statusor.h"
#include "penstock/base/export.h"
#include "penstock/tokenizer.h"

namespace penstock {

// Reads a SentencePiece `.model` from `path` and encodes with the library. The result is immutable
// and safe to share. Errors as LoadTokenizer(), and: kDataLoss if the library refuses what the
// native reader accepts; kUnimplemented for user-defined pieces as described above. Thread-safe.
// Blocking: reads the file.
PENSTOCK_EXPORT absl::StatusOr<TokenizerPtr> LoadSentencePieceTokenizer(
    const std::string& path, const LoadOptions& options = {});

// For LoadOptions::extra_readers: takes every SentencePiece `.model`.
PENSTOCK_EXPORT TokenizerReader SentencePieceReader();

}  // namespace penstock

#endif  // PENSTOCK_ADAPTERS_SENTENCEPIECE_H_
