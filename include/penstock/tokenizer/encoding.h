// SPDX-License-Identifier: Apache-2.0
//
// Encoding: what comes out of Tokenizer::Encode, and EncodeOptions: what to ask for.
//
//   EncodeOptions options;
//   options.offsets = true;
//   PENSTOCK_ASSIGN_OR_RETURN(Encoding e, t->Encode({Untrusted("Hello, 世界")}, options));
//   e.offsets[0].In("Hello, 世界") == "Hello"
//   e.type_ids.empty()                                // what was not asked for is empty
//
//   options.max_input_bytes = 4;
//   t->Encode({Untrusted("Hello")}, options).status()     // RESOURCE_EXHAUSTED: 5 bytes, …
//
// Per-token vectors that were asked for are as long as `ids`.
#ifndef PENSTOCK_TOKENIZER_ENCODING_H_
#define PENSTOCK_TOKENIZER_ENCODING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "penstock/base/token.h"
#include "penstock/tokenizer/truncation.h"

namespace penstock {

// A place where the text can be cut without changing a token. For any two safe cuts a < b of one
// untrusted text, {0, 0} and {text.size(), ids.size()} always among them:
//
//   EncodeIds(text.substr(a.byte, b.byte - a.byte)) == ids[a.token, b.token)
//
// Whether a place is one depends on what stands before it and on what stands after it, each by
// itself: if text[a, b) and text[a', b') both have a safe cut at the same byte, so has text[a, b').
//
// Chunker, TokenStream and caches live on these.
struct SafeCut {
  size_t byte = 0;   // of the input
  size_t token = 0;  // index into ids

  friend bool operator==(SafeCut a, SafeCut b) { return a.byte == b.byte && a.token == b.token; }
  friend bool operator!=(SafeCut a, SafeCut b) { return !(a == b); }
};

struct Encoding {
  std::vector<TokenId> ids;
  // Bytes of the original input (of a list of segments: of their concatenation; of a pair: of the
  // text that type id or sequence order names, each counted from its own 0). Special tokens that
  // the post-processor added have {0, 0}. A token that holds a part of a code point has the exact
  // bytes in byte-level vocabularies without a normalizer, else the whole code point. Offsets may
  // overlap where one character became several tokens.
  std::vector<ByteRange> offsets;
  std::vector<int32_t>
      type_ids;  // 0 for the first text, 1 for the second, unless the template says otherwise
  std::vector<uint8_t> special_tokens_mask;  // 1 where the post-processor added the token
  // Strictly ascending, without the two ends. Empty: no cut is known, which is always a correct
  // answer. Only for a single text without special tokens added and without truncation; an input
  // with trusted segments gets cuts too, and then both sides mean "the same segments, cut there".
  std::vector<SafeCut> safe_cuts;
  // What truncation cut off, window by window, each with its own special tokens. Empty without
  // truncation.
  std::vector<Encoding> overflowing;
};

// How added tokens are matched. See added_tokens.h and segment.h.
enum class AddedTokenMatching : uint8_t {
  kBySegment,       // control tokens in trusted segments, content tokens everywhere
  kReferencePlain,  // as the reference's "literal" mode: tiktoken encode_ordinary, SentencePiece
                    // Encode; no added token is matched, whoever wrote the text, but user-defined
                    // pieces of SentencePiece models are
};

struct EncodeOptions {
  // Runs the post-processor's template (BOS, EOS, [CLS] …). Off by default: a list of segments says
  // exactly what it contains, and templates usually spell their own BOS.
  bool add_special_tokens = false;
  std::optional<TruncationOptions> truncation;
  AddedTokenMatching added_tokens = AddedTokenMatching::kBySegment;
  std::optional<size_t> max_input_bytes;  // more is refused with kResourceExhausted before any work

  bool offsets = false;
  bool type_ids = false;
  bool special_tokens_mask = false;
  bool safe_cuts = false;
};

struct DecodeOptions {
  bool skip_special_tokens = false;  // leave out ids whose added token is special
  // Bytes that are no UTF-8 (half a character at the end of a stream, arbitrary ids) are returned
  // as they are; true puts U+FFFD for each maximal subpart, or for each byte of a run of
  // byte-fallback tokens of a tokenizer.json, as the reference implementations do.
  bool replace_invalid_utf8 = false;
  // The file's clean-up of spaces before punctuation: none = as the file says.
  std::optional<bool> clean_up_spaces;
};

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_ENCODING_H_
