// SPDX-License-Identifier: Apache-2.0
//
// CachedTokenizer: a Tokenizer that remembers whole results. An LRU bounded in bytes, shared by all
// threads.
//
//   auto cached = NewCachedTokenizer(tokenizer, CachedTokenizerOptions());
//   cached->EncodeIds(system_prompt);                 // encodes
//   cached->EncodeIds(system_prompt);                 // copies
//   cached->GetStats().hits == 1
//
// A hit returns exactly what a miss returned. The key is the text of every segment, its provenance
// and every option. Not for texts that never come again: each miss costs a copy of key and value.
// An entry larger than 1/16 of its shard's budget is not kept, so that one long document cannot
// empty the cache:
//
//   cached->EncodeIds(ten_megabytes);  cached->GetStats().oversize == 1
#ifndef PENSTOCK_TOKENIZER_CACHED_TOKENIZER_H_
#define PENSTOCK_TOKENIZER_CACHED_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/tokenizer.h"

namespace penstock {

struct CachedTokenizerOptions {
  size_t capacity_bytes = size_t{64} << 20;  // keys, values and bookkeeping; all shards together
  size_t shards = 16;                        // independent locks; rounded up to a power of two

  // kInvalidArgument: shards is 0 or over 4096.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

// Counters since construction; `entries` and `bytes` are of now. bytes <= capacity_bytes at every
// moment.
struct CachedTokenizerStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;
  uint64_t oversize = 0;  // misses too large to keep
  size_t entries = 0;
  size_t bytes = 0;
  size_t capacity_bytes = 0;
};

// Closed. Thread-safe. Encoding happens outside the locks: two threads that miss the same text at
// once both encode it.
class PENSTOCK_EXPORT CachedTokenizer final : public Tokenizer {
 public:
  ~CachedTokenizer() override;

  size_t Count(std::string_view plain_text) const override;
  const Vocabulary& vocabulary() const override;
  std::string_view fingerprint() const override;
  const internal::TokenizerEngine* engine() const override;

  CachedTokenizerStats GetStats() const;
  // Forgets everything; counters stay.
  void Clear() const;

 private:
  struct Rep;
  friend PENSTOCK_EXPORT std::shared_ptr<const CachedTokenizer> NewCachedTokenizer(
      TokenizerPtr tokenizer, const CachedTokenizerOptions& options);
  explicit CachedTokenizer(std::unique_ptr<Rep> rep);
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>* second,
                        const EncodeOptions& options, Encoding* encoding) const override;
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions& options) const override;

  std::unique_ptr<Rep> rep_;
};

// REQUIRES: tokenizer is not null and options.Validate().ok(). Keeps `tokenizer` alive.
PENSTOCK_EXPORT std::shared_ptr<const CachedTokenizer> NewCachedTokenizer(
    TokenizerPtr tokenizer, const CachedTokenizerOptions& options = {});

}  // namespace penstock

#endif  // PENSTOCK_TOKENIZER_CACHED_TOKENIZER_H_
