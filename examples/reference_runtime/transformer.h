// SPDX-License-Identifier: Apache-2.0
//
// A small real decoder-only transformer on the CPU: what the demo, tests and benchmarks run where
// no server is at hand.
//
//   ReferenceTransformer model = *ReferenceTransformer::Create(TransformerOptions());
//   auto store = *MemoryBlockStore::Create(model.StoreOptions(/*block_tokens=*/16,
//   /*blocks=*/1024)); PrefillRow row{ids, /*start=*/0, blocks};     // blocks: ceil(ids /
//   block_tokens) of the store's std::vector<float> logits;                    // float [rows,
//   options.logits], of each row's last token absl::Status s = model.Prefill(store.get(), {row},
//   &logits);   // kInvalidArgument: a row that its blocks cannot hold
//
// RMSNorm, RoPE, grouped-query attention, SwiGLU; fp32; random weights from a fixed seed. Keys and
// values live nowhere but in the blocks, so a wrong block table shows in the logits.
//
// Exactness: every number is computed by one fixed sequence of operations that depends on the
// tokens before it and on nothing else. Weights are walked once for all tokens of a batch (that is
// why batching pays), work is vectorised across outputs and never across a reduction, and the
// compiler may not contract a*b+c. Therefore the logits are the same bit for bit whatever else is
// in the batch, wherever the prefill is split, and whether K/V was reused or recomputed.
#ifndef PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_TRANSFORMER_H_
#define PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_TRANSFORMER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/memory_block_store.h"

namespace penstock {

struct TransformerOptions {
  size_t layers = 4;
  size_t model_dim = 256;  // multiple of 16
  size_t heads = 8;        // model_dim / heads is even; a multiple of kv_heads
  size_t kv_heads = 2;
  size_t ffn_dim = 704;  // multiple of 16
  size_t max_positions = 16384;
  // Layers 1, 3, 5, … attend to so many last tokens only, their own included, and keep their K/V in
  // blocks of their own (group 1 of the store). At least 1. Unset: all attend to everything.
  std::optional<size_t> window_tokens;
  // The output head covers the ids [0, logits) only, so that a vocabulary of 200 000 costs no more
  // than a small one. Multiple of 16. (Embeddings are computed from the id: any id has one, and
  // none is stored.)
  size_t logits = 256;
  float rope_base = 10000.0F;
  uint64_t seed = 20240229;
};

// The tokens of one sequence that are not in the cache yet.
struct PrefillRow {
  absl::Span<const TokenId> ids;  // at positions [start, start + ids.size()); at least one
  size_t start = 0;               // K/V of [0, start) is in `blocks` already
  absl::Span<const BlockId>
      blocks;  // position p is slot p % block_tokens of blocks[p / block_tokens]
  // The same for layers with a window; any block that no token of `ids` attends to may be missing.
  absl::Span<const BlockId> window_blocks{};
};

// Immutable; safe to share. Prefill calls may run concurrently when no block that one writes is in
// another's table.
class ReferenceTransformer {
 public:
  // kInvalidArgument: sizes that do not fit together (the message says which).
  static absl::StatusOr<ReferenceTransformer> Create(const TransformerOptions& options);

  ReferenceTransformer(ReferenceTransformer&&) noexcept;
  ReferenceTransformer& operator=(ReferenceTransformer&&) noexcept;
  ~ReferenceTransformer();

  // Options of a store that can hold this model's K/V.
  MemoryBlockStoreOptions StoreOptions(size_t block_tokens, size_t capacity_blocks) const;

  // Writes K/V of every row's ids into its blocks and sets logits to float [rows, options().logits]
  // of the last tokens. A row reads [0, start) from its blocks; rows of one batch may share what
  // they read, not what they write. kInvalidArgument (nothing is written): a row without ids, with
  // a negative id, past max_positions or its blocks. Thread-safe as said above. Cost: about 2 *
  // parameters() + 4 * layers * model_dim * position floating-point operations a token.
  absl::Status Prefill(MemoryBlockStore* store, absl::Span<const PrefillRow> rows,
                       std::vector<float>* logits) const;

  const TransformerOptions& options() const;
  size_t parameters() const;  // stored ones: embeddings are computed, not stored

 private:
  struct Rep;
  explicit ReferenceTransformer(std::unique_ptr<const Rep> rep);
  std::unique_ptr<const Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_TRANSFORMER_H_
