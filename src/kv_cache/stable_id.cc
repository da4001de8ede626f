// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/stable_id.h"

#include <string>
#include <string_view>

#include "base/sha256.h"

namespace penstock {
namespace internal {
namespace {

void AppendLittleEndian(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

StableBlockId Sha256Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

}  // namespace

StableBlockId StableRootId(const Scope& scope, size_t block_tokens) {
  std::string bytes("penstock-kv-1\0", 14);
  AppendLittleEndian(block_tokens, 4, &bytes);
  for (const std::string* field :
       {&scope.model, &scope.adapter, &scope.tenant, &scope.approximation}) {
    AppendLittleEndian(field->size(), 8, &bytes);
    bytes += *field;
  }
  return Sha256Of(bytes);
}

StableBlockId StableChildId(const StableBlockId& parent, absl::Span<const TokenId> tokens,
                            const std::vector<BlockExtra>& extras) {
  std::string bytes(reinterpret_cast<const char*>(parent.data()), parent.size());
  bytes.reserve(bytes.size() + 4 * tokens.size());
  for (TokenId id : tokens) AppendLittleEndian(static_cast<uint32_t>(id), 4, &bytes);
  for (const BlockExtra& extra : extras) {
    AppendLittleEndian(static_cast<uint64_t>(extra.start), 8, &bytes);
    AppendLittleEndian(extra.len, 8, &bytes);
    bytes.append(reinterpret_cast<const char*>(extra.content.data()), extra.content.size());
  }
  return Sha256Of(bytes);
}

}  // namespace internal

std::vector<StableBlockId> StableBlockIds(const Scope& scope, absl::Span<const TokenId> tokens,
                                          absl::Span<const ExtraKey> extra_keys,
                                          size_t block_tokens) {
  std::vector<StableBlockId> ids;
  StableBlockId id = internal::StableRootId(scope, block_tokens);
  for (size_t begin = 0; begin + block_tokens <= tokens.size(); begin += block_tokens) {
    id = internal::StableChildId(id, tokens.subspan(begin, block_tokens),
                                 internal::ExtrasOf(extra_keys, begin, block_tokens));
    ids.push_back(id);
  }
  return ids;
}

}  // namespace penstock
