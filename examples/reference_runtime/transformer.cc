// SPDX-License-Identifier: Apache-2.0
#include "reference_runtime/transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "reference_runtime/kernels.h"

namespace penstock {
namespace {

using reference::kLanes;
using reference::PackedMatrix;

struct Layer {
  Layer(const TransformerOptions& o, size_t kv_dim, uint64_t seed)
      : query(o.model_dim, o.model_dim, seed + 1),
        key(o.model_dim, kv_dim, seed + 2),
        value(o.model_dim, kv_dim, seed + 3),
        output(o.model_dim, o.model_dim, seed + 4),
        gate(o.model_dim, o.ffn_dim, seed + 5),
        up(o.model_dim, o.ffn_dim, seed + 6),
        down(o.ffn_dim, o.model_dim, seed + 7) {}

  PackedMatrix query, key, value, output, gate, up, down;
};

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Status Check(const TransformerOptions& o) {
  if (o.layers == 0 || o.heads == 0 || o.kv_heads == 0 || o.max_positions == 0) {
    return Bad("layers, heads, kv_heads and max_positions must be at least 1");
  }
  if (o.window_tokens.has_value() && *o.window_tokens == 0) {
    return Bad("window_tokens must be at least 1, or unset");
  }
  if (o.heads % o.kv_heads != 0) return Bad("heads must be a multiple of kv_heads");
  if (o.model_dim % o.heads != 0 || o.model_dim / o.heads % 2 != 0) {
    return Bad("model_dim / heads must be an even whole number");
  }
  const size_t kv_dim = o.model_dim / o.heads * o.kv_heads;
  for (const size_t n : {o.model_dim, o.ffn_dim, o.logits, kv_dim}) {
    if (n == 0 || n % kLanes != 0) {
      return Bad(
          "model_dim, ffn_dim, logits and kv_heads * head_dim must be multiples of 16, got " +
          std::to_string(n));
    }
  }
  return absl::OkStatus();
}

void AddInto(const std::vector<float>& from, std::vector<float>* to) {
  for (size_t i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

}  // namespace

struct ReferenceTransformer::Rep {
  explicit Rep(const TransformerOptions& o)
      : options(o),
        head_dim(o.model_dim / o.heads),
        kv_dim(head_dim * o.kv_heads),
        head(o.model_dim, o.logits, o.seed * 0x100 + 0xFF) {
    layers.reserve(o.layers);
    for (size_t l = 0; l < o.layers; ++l) layers.emplace_back(o, kv_dim, (o.seed + l + 1) * 0x1000);
    for (size_t position = 0; position < o.max_positions; ++position) {
      for (size_t i = 0; i < head_dim / 2; ++i) {
        const double angle =
            static_cast<double>(position) *
            std::pow(o.rope_base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
        rope.push_back(static_cast<float>(std::cos(angle)));
        rope.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  bool Windowed(size_t layer) const { return options.window_tokens.has_value() && layer % 2 == 1; }
  void Embed(absl::Span<const PrefillRow> rows, std::vector<float>* x) const;
  void Rotate(size_t position, size_t heads, float* x) const;
  void Attend(MemoryBlockStore* store, size_t layer, const PrefillRow& row, const float* query,
              float* out) const;
  void WriteKV(MemoryBlockStore* store, size_t layer, const PrefillRow& row, const float* key,
               const float* value) const;
  absl::Status CheckRow(const MemoryBlockStoreOptions& store, size_t index,
                        const PrefillRow& row) const;

  TransformerOptions options;
  size_t head_dim, kv_dim;
  std::vector<Layer> layers;
  PackedMatrix head;
  std::vector<float> rope;  // [max_positions, head_dim / 2, (cos, sin)]
};

void ReferenceTransformer::Rep::Embed(absl::Span<const PrefillRow> rows,
                                      std::vector<float>* x) const {
  float* out = x->data();
  for (const PrefillRow& row : rows) {
    for (const TokenId id : row.ids) {
      const uint64_t key = (static_cast<uint64_t>(id) + 1) * 0xA0761D6478BD642FULL + options.seed;
      for (size_t i = 0; i < options.model_dim; ++i) *out++ = reference::HashToUnit(key + i);
    }
  }
}

void ReferenceTransformer::Rep::Rotate(size_t position, size_t heads, float* x) const {
  const size_t half = head_dim / 2;
  const float* table = rope.data() + position * head_dim;
  for (size_t h = 0; h < heads; ++h, x += head_dim) {
    for (size_t i = 0; i < half; ++i) {
      const float a = x[i], b = x[i + half], cos = table[2 * i], sin = table[2 * i + 1];
      x[i] = a * cos - b * sin;
      x[i + half] = a * sin + b * cos;
    }
  }
}

void ReferenceTransformer::Rep::WriteKV(MemoryBlockStore* store, size_t layer,
                                        const PrefillRow& row, const float* key,
                                        const float* value) const {
  const size_t block_tokens = store->options().block_tokens;
  for (size_t t = 0; t < row.ids.size(); ++t) {
    const size_t position = row.start + t;
    const BlockId block =
        (Windowed(layer) ? row.window_blocks : row.blocks)[position / block_tokens];
    const size_t slot = position % block_tokens * kv_dim;
    std::memcpy(store->Keys(block, layer).data() + slot, key + t * kv_dim, kv_dim * sizeof(float));
    std::memcpy(store->Values(block, layer).data() + slot, value + t * kv_dim,
                kv_dim * sizeof(float));
  }
}

// Attention of one sequence's new tokens over everything before and including them, read from the
// blocks.
void ReferenceTransformer::Rep::Attend(MemoryBlockStore* store, size_t layer, const PrefillRow& row,
                                       const float* query, float* out) const {
  const size_t block_tokens = store->options().block_tokens;
  const absl::Span<const BlockId> blocks = Windowed(layer) ? row.window_blocks : row.blocks;
  // The first position that the token before `visible` attends to.
  const auto begin_of = [&](size_t visible) {
    if (!Windowed(layer) || visible <= *options.window_tokens) return size_t{0};
    return visible - *options.window_tokens;
  };
  const size_t length = row.start + row.ids.size();
  const size_t panels = (length + kLanes - 1) / kLanes;
  const size_t group = options.heads / options.kv_heads;
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  std::vector<float> keys(panels * kLanes * head_dim);  // [panels, head_dim, kLanes]
  std::vector<float> scores(panels * kLanes);
  for (size_t kv_head = 0; kv_head < options.kv_heads; ++kv_head) {
    const size_t column = kv_head * head_dim;
    for (size_t t = begin_of(row.start + 1); t < length; ++t) {
      const float* key =
          store->Keys(blocks[t / block_tokens], layer).data() + t % block_tokens * kv_dim + column;
      float* panel = keys.data() + t / kLanes * kLanes * head_dim + t % kLanes;
      for (size_t d = 0; d < head_dim; ++d) panel[d * kLanes] = key[d];
    }
    for (size_t q = 0; q < row.ids.size(); ++q) {
      const size_t visible = row.start + q + 1, begin = begin_of(visible);
      for (size_t g = 0; g < group; ++g) {
        const size_t at = q * options.model_dim + (kv_head * group + g) * head_dim;
        reference::Scores(query + at, keys.data(), (visible + kLanes - 1) / kLanes, head_dim, scale,
                          scores.data());
        reference::Softmax(scores.data() + begin, visible - begin);
        std::fill_n(out + at, head_dim, 0.0F);
        for (size_t t = begin; t < visible; t += block_tokens - t % block_tokens) {
          const size_t slot = t % block_tokens;
          const float* values = store->Values(blocks[t / block_tokens], layer).data() + column;
          reference::Accumulate(scores.data() + t, values + slot * kv_dim,
                                std::min(block_tokens - slot, visible - t), kv_dim, head_dim,
                                out + at);
        }
      }
    }
  }
}

absl::Status ReferenceTransformer::Rep::CheckRow(const MemoryBlockStoreOptions& store, size_t index,
                                                 const PrefillRow& row) const {
  const std::string where = "row " + std::to_string(index) + ": ";
  const size_t end = row.start + row.ids.size();
  if (row.ids.empty()) return Bad(where + "no ids; expected at least one (matched < tokens)");
  if (*std::min_element(row.ids.begin(), row.ids.end()) < 0) return Bad(where + "negative id");
  if (end > options.max_positions) {
    return Bad(where + "ends at position " + std::to_string(end) + ", expected at most " +
               std::to_string(options.max_positions));
  }
  const bool windows = options.window_tokens.has_value();
  if (windows && row.window_blocks.size() * store.block_tokens < end) {
    return Bad(where + std::to_string(row.window_blocks.size()) + " window_blocks of " +
               std::to_string(store.block_tokens) + " tokens cannot hold " + std::to_string(end));
  }
  if (row.blocks.size() * store.block_tokens < end) {
    return Bad(where + std::to_string(row.blocks.size()) + " blocks of " +
               std::to_string(store.block_tokens) + " tokens cannot hold " + std::to_string(end));
  }
  return absl::OkStatus();
}

ReferenceTransformer::ReferenceTransformer(std::unique_ptr<const Rep> rep) : rep_(std::move(rep)) {}
ReferenceTransformer::ReferenceTransformer(ReferenceTransformer&&) noexcept = default;
ReferenceTransformer& ReferenceTransformer::operator=(ReferenceTransformer&&) noexcept = default;
ReferenceTransformer::~ReferenceTransformer() = default;

absl::StatusOr<ReferenceTransformer> ReferenceTransformer::Create(
    const TransformerOptions& options) {
  if (absl::Status status = Check(options); !status.ok()) return status;
  return ReferenceTransformer(std::make_unique<const Rep>(options));
}

MemoryBlockStoreOptions ReferenceTransformer::StoreOptions(size_t block_tokens,
                                                           size_t capacity_blocks) const {
  MemoryBlockStoreOptions store;
  store.layers = rep_->options.layers;
  store.kv_floats_per_token = rep_->kv_dim;
  store.groups = rep_->options.window_tokens.has_value() ? 2 : 1;
  store.block_tokens = block_tokens;
  store.capacity_blocks = capacity_blocks;
  return store;
}

absl::Status ReferenceTransformer::Prefill(MemoryBlockStore* store,
                                           absl::Span<const PrefillRow> rows,
                                           std::vector<float>* logits) const {
  const TransformerOptions& o = rep_->options;
  const MemoryBlockStoreOptions& shape = store->options();
  if (shape.layers != o.layers || shape.kv_floats_per_token != rep_->kv_dim) {
    return Bad("the store's layers and kv_floats_per_token are not this model's (StoreOptions)");
  }
  size_t tokens = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    if (absl::Status status = rep_->CheckRow(shape, r, rows[r]); !status.ok()) return status;
    tokens += rows[r].ids.size();
  }

  const size_t dim = o.model_dim;
  std::vector<float> x(tokens * dim), normed(tokens * dim), query(tokens * dim),
      attended(tokens * dim), key(tokens * rep_->kv_dim), value(tokens * rep_->kv_dim),
      gate(tokens * o.ffn_dim), up(tokens * o.ffn_dim);
  rep_->Embed(rows, &x);
  for (size_t l = 0; l < o.layers; ++l) {
    const Layer& layer = rep_->layers[l];
    reference::RmsNorm(x.data(), tokens, dim, normed.data());
    reference::MatMul(layer.query, normed.data(), tokens, query.data());
    reference::MatMul(layer.key, normed.data(), tokens, key.data());
    reference::MatMul(layer.value, normed.data(), tokens, value.data());
    size_t first = 0;
    for (const PrefillRow& row : rows) {
      for (size_t t = 0; t < row.ids.size(); ++t) {
        rep_->Rotate(row.start + t, o.heads, query.data() + (first + t) * dim);
        rep_->Rotate(row.start + t, o.kv_heads, key.data() + (first + t) * rep_->kv_dim);
      }
      rep_->WriteKV(store, l, row, key.data() + first * rep_->kv_dim,
                    value.data() + first * rep_->kv_dim);
      rep_->Attend(store, l, row, query.data() + first * dim, attended.data() + first * dim);
      first += row.ids.size();
    }
    reference::MatMul(layer.output, attended.data(), tokens, normed.data());
    AddInto(normed, &x);
    reference::RmsNorm(x.data(), tokens, dim, normed.data());
    reference::MatMul(layer.gate, normed.data(), tokens, gate.data());
    reference::MatMul(layer.up, normed.data(), tokens, up.data());
    reference::SwiGlu(gate.data(), up.data(), gate.size());
    reference::MatMul(layer.down, gate.data(), tokens, normed.data());
    AddInto(normed, &x);
  }

  std::vector<float> last(rows.size() * dim);
  size_t end = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    end += rows[r].ids.size();
    reference::RmsNorm(x.data() + (end - 1) * dim, 1, dim, last.data() + r * dim);
  }
  logits->resize(rows.size() * o.logits);
  reference::MatMul(rep_->head, last.data(), rows.size(), logits->data());
  return absl::OkStatus();
}

const TransformerOptions& ReferenceTransformer::options() const { return rep_->options; }

size_t ReferenceTransformer::parameters() const {
  const TransformerOptions& o = rep_->options;
  const size_t layer =
      2 * o.model_dim * o.model_dim + 2 * o.model_dim * rep_->kv_dim + 3 * o.model_dim * o.ffn_dim;
  return o.layers * layer + o.model_dim * o.logits;
}

}  // namespace penstock
