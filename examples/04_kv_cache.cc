// SPDX-License-Identifier: Apache-2.0
//
// Two prompts that begin alike: the second computes only what is new, and gets the same logits bit
// for bit as from nothing.
#include <cstdio>
#include <cstring>
#include <vector>

#include "penstock/base/status_macros.h"
#include "penstock/kv_cache.h"
#include "penstock/kv_cache/memory_block_store.h"
#include "reference_runtime/transformer.h"

using namespace penstock;

namespace {

absl::StatusOr<std::vector<float>> Prefill(const ReferenceTransformer& model,
                                           MemoryBlockStore* blocks, KVCache* cache,
                                           const std::vector<TokenId>& ids, bool reuse) {
  KVRequest request;
  request.scope.model = "reference";
  request.tokens = ids;
  request.read = reuse;
  PENSTOCK_ASSIGN_OR_RETURN(Lease lease, cache->Acquire(request));
  const size_t start = lease.matched_tokens();
  std::vector<float> logits;
  PENSTOCK_RETURN_IF_ERROR(model.Prefill(
      blocks, {PrefillRow{absl::MakeConstSpan(ids).subspan(start), start, lease.blocks()}},
      &logits));
  PENSTOCK_RETURN_IF_ERROR(lease.Commit(ids.size()));  // from now on others can reuse it
  std::printf("  %zu tokens, %zu from the cache, %zu computed\n", ids.size(), start,
              ids.size() - start);
  return logits;
}

absl::Status Run() {
  PENSTOCK_ASSIGN_OR_RETURN(const ReferenceTransformer model,
                            ReferenceTransformer::Create(TransformerOptions()));
  PENSTOCK_ASSIGN_OR_RETURN(const auto blocks,
                            MemoryBlockStore::Create(model.StoreOptions(16, 256)));
  PENSTOCK_ASSIGN_OR_RETURN(KVCache cache, KVCache::Create(blocks.get()));

  std::vector<TokenId> first, second;
  for (TokenId i = 0; i < 200; ++i) first.push_back(i * 37 % 1000);
  second = first;
  for (size_t i = 170; i < second.size(); ++i) second[i] += 1;  // in the middle of a block

  std::printf("first prompt\n");
  PENSTOCK_RETURN_IF_ERROR(Prefill(model, blocks.get(), &cache, first, true).status());
  std::printf("second prompt, the first 170 tokens are the same\n");
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<float> reused,
                            Prefill(model, blocks.get(), &cache, second, true));
  std::printf("second prompt, from nothing\n");
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<float> fresh,
                            Prefill(model, blocks.get(), &cache, second, false));
  const bool equal = std::memcmp(reused.data(), fresh.data(), fresh.size() * sizeof(float)) == 0;
  std::printf("logits %s\n", equal ? "equal bit for bit" : "DIFFER");
  return equal ? absl::OkStatus() : absl::InternalError("reuse changed the logits");
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
