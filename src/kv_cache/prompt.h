// SPDX-License-Identifier: Apache-2.0
//
// A prompt cut into blocks and hashed: all the work of a lookup that needs no lock.
//
//   PENSTOCK_RETURN_IF_ERROR(ValidatePrompt(tokens, extra_keys));
//   PromptBlocks prompt(hasher, root_name, tokens, extra_keys, 16);
//   prompt.names[i]                               // of the prefix [0, (i+1)*16)
#ifndef PENSTOCK_SRC_KV_CACHE_PROMPT_H_
#define PENSTOCK_SRC_KV_CACHE_PROMPT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kv_cache/token_hash.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/request.h"

namespace penstock::internal {

// An extra key as a block sees it: where it begins relative to the block (negative if before).
struct BlockExtra {
  int64_t start = 0;
  uint64_t len = 0;
  std::array<uint8_t, 32> content{};

  friend bool operator==(const BlockExtra& a, const BlockExtra& b) {
    return a.start == b.start && a.len == b.len && a.content == b.content;
  }
};

absl::Status ValidatePrompt(absl::Span<const TokenId> tokens,
                            absl::Span<const ExtraKey> extra_keys);

// The keys that overlap tokens [begin, begin + count), relative to begin. Empty keys count where
// they stand.
std::vector<BlockExtra> ExtrasOf(absl::Span<const ExtraKey> extra_keys, size_t begin, size_t count);

// The first min(a, b) position at which two lists of keys disagree: the start of the first key that
// is not in both.
size_t AgreeingTokens(const std::vector<BlockExtra>& a, const std::vector<BlockExtra>& b,
                      size_t limit);

uint64_t RootName(const BlockHasher& hasher, const Scope& scope);

// The name of one block below `parent_name`.
uint64_t NameBlock(const BlockHasher& hasher, uint64_t parent_name,
                   absl::Span<const TokenId> tokens, const std::vector<BlockExtra>& extras);

struct PromptBlocks {
  // Names blocks [first_block, tokens.size() / block_tokens), `parent_name` being that of block
  // first_block - 1.
  PromptBlocks(const BlockHasher* hasher_used, uint64_t parent_name,
               absl::Span<const TokenId> tokens, absl::Span<const ExtraKey> extra_keys,
               size_t block_tokens, size_t first_block = 0);

  const BlockHasher* hasher;
  absl::Span<const TokenId> tokens;
  absl::Span<const ExtraKey> extra_keys;
  size_t block_tokens;
  std::vector<uint64_t> names;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_PROMPT_H_
