// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/prompt.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"

namespace penstock::internal {
namespace {

constexpr size_t kTokensAhead = 512;  // the processor's own prefetching ends with every page

}  // namespace

absl::Status ValidatePrompt(absl::Span<const TokenId> tokens,
                            absl::Span<const ExtraKey> extra_keys) {
  if (tokens.empty()) {
    return absl::InvalidArgumentError("tokens: the prompt is empty, expected at least one token");
  }
  // One pass without a branch, four ids at a time; the slow search only when something is wrong.
  uint64_t even = 0, odd = 0;
  size_t i = 0;
  for (; i + 4 <= tokens.size(); i += 4) {
    if (i % 16 == 0 && i + kTokensAhead < tokens.size()) {
      __builtin_prefetch(tokens.data() + i + kTokensAhead);
    }
    uint64_t words[2];
    std::memcpy(words, tokens.data() + i, sizeof(words));
    even |= words[0];
    odd |= words[1];
  }
  TokenId rest = 0;
  for (; i < tokens.size(); ++i) rest |= tokens[i];
  if (((even | odd) & 0x8000000080000000u) != 0 || rest < 0) {
    const auto bad = std::find_if(tokens.begin(), tokens.end(), [](TokenId id) { return id < 0; });
    return absl::InvalidArgumentError(
        absl::StrCat("tokens[", bad - tokens.begin(), "]: ", *bad, ", expected an id >= 0"));
  }
  size_t previous = 0;
  for (size_t k = 0; k < extra_keys.size(); ++k) {
    const ExtraKey& key = extra_keys[k];
    if (key.token_offset < previous) {
      return absl::InvalidArgumentError(absl::StrCat("extra_keys[", k, "]: token_offset ",
                                                     key.token_offset, " after ", previous,
                                                     ", expected them in order"));
    }
    if (key.token_offset > tokens.size() || key.token_len > tokens.size() - key.token_offset) {
      return absl::InvalidArgumentError(
          absl::StrCat("extra_keys[", k, "]: [", key.token_offset, ", +", key.token_len,
                       "), expected inside the prompt of ", tokens.size(), " tokens"));
    }
    previous = key.token_offset;
  }
  return absl::OkStatus();
}

std::vector<BlockExtra> ExtrasOf(absl::Span<const ExtraKey> extra_keys, size_t begin,
                                 size_t count) {
  std::vector<BlockExtra> result;
  for (const ExtraKey& key : extra_keys) {
    if (key.token_offset >= begin + count) break;
    const size_t end = key.token_offset + std::max<size_t>(key.token_len, 1);
    if (end <= begin) continue;
    result.push_back({static_cast<int64_t>(key.token_offset) - static_cast<int64_t>(begin),
                      key.token_len, key.content});
  }
  return result;
}

size_t AgreeingTokens(const std::vector<BlockExtra>& a, const std::vector<BlockExtra>& b,
                      size_t limit) {
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  for (const auto* list : {&a, &b}) {
    if (i < list->size())
      limit = std::min(limit, static_cast<size_t>(std::max<int64_t>((*list)[i].start, 0)));
  }
  return limit;
}

uint64_t RootName(const BlockHasher& hasher, const Scope& scope) {
  uint64_t name = hasher.Bytes(1, scope.model);
  name = hasher.Bytes(name, scope.adapter);
  name = hasher.Bytes(name, scope.tenant);
  return hasher.Bytes(name, scope.approximation);
}

namespace {

uint64_t DigestWithExtras(const BlockHasher& hasher, uint64_t digest,
                          const std::vector<BlockExtra>& extras) {
  for (const BlockExtra& extra : extras) {
    const uint64_t where = (static_cast<uint64_t>(extra.start) << 32) ^ extra.len;
    digest = hasher.Bytes(digest ^ where,
                          std::string_view(reinterpret_cast<const char*>(extra.content.data()),
                                           extra.content.size()));
  }
  return digest;
}

}  // namespace

uint64_t NameBlock(const BlockHasher& hasher, uint64_t parent_name,
                   absl::Span<const TokenId> tokens, const std::vector<BlockExtra>& extras) {
  return hasher.Chain(
      parent_name, DigestWithExtras(hasher, hasher.Digest(tokens.data(), tokens.size()), extras));
}

PromptBlocks::PromptBlocks(const BlockHasher* hasher_used, uint64_t parent_name,
                           absl::Span<const TokenId> all_tokens,
                           absl::Span<const ExtraKey> all_extra_keys, size_t tokens_per_block,
                           size_t first_block)
    : hasher(hasher_used),
      tokens(all_tokens),
      extra_keys(all_extra_keys),
      block_tokens(tokens_per_block) {
  const size_t blocks = tokens.size() / block_tokens;
  if (blocks <= first_block) return;
  names.resize(blocks - first_block);
  for (size_t i = first_block; i < blocks; ++i) {
    if (i * block_tokens + kTokensAhead < tokens.size()) {
      __builtin_prefetch(tokens.data() + i * block_tokens + kTokensAhead);
    }
    uint64_t digest = hasher->Digest(tokens.data() + i * block_tokens, block_tokens);
    if (!extra_keys.empty()) {
      digest =
          DigestWithExtras(*hasher, digest, ExtrasOf(extra_keys, i * block_tokens, block_tokens));
    }
    names[i - first_block] = digest;
  }
  uint64_t name = parent_name;
  for (uint64_t& n : names) n = name = hasher->Chain(name, n);
}

}  // namespace penstock::internal
