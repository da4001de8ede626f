// SPDX-License-Identifier: Apache-2.0
#include "reference_runtime/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// One body, compiled twice and chosen when the program starts: without contraction wider vectors
// give the same bits. Sanitizers run before the choice can be made, so there the portable body
// stands alone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PENSTOCK_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define PENSTOCK_WIDE
#endif

namespace penstock::reference {
namespace {

typedef float Vec __attribute__((vector_size(32), aligned(4), may_alias));  // 8 lanes, any address

constexpr size_t kRowTile = 4;  // rows that share one walk over a panel's registers

// e^x within a few ulp by Cody-Waite reduction and a polynomial (Cephes). Not libm's: results would
// change with it.
inline float Exp(float x) {
  x = std::min(std::max(x, -87.0F), 88.0F);
  const float z = x * 1.44269504F;
  const int n = static_cast<int>(z + (z < 0 ? -0.5F : 0.5F));
  const float f = static_cast<float>(n);
  const float r = (x - f * 0.693359375F) + f * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const float e = p * r * r + r + 1.0F;
  const int32_t bits = (n + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof(scale));
  return e * scale;
}

template <size_t kRows>
inline __attribute__((always_inline)) void Tile(const float* w, size_t in, const float* x, float* y,
                                                size_t y_stride) {
  Vec low[kRows] = {};
  Vec high[kRows] = {};
  for (size_t i = 0; i < in; ++i) {
    const Vec w_low = *reinterpret_cast<const Vec*>(w + i * kLanes);
    const Vec w_high = *reinterpret_cast<const Vec*>(w + i * kLanes + 8);
    for (size_t r = 0; r < kRows; ++r) {
      low[r] += w_low * x[r * in + i];
      high[r] += w_high * x[r * in + i];
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    *reinterpret_cast<Vec*>(y + r * y_stride) = low[r];
    *reinterpret_cast<Vec*>(y + r * y_stride + 8) = high[r];
  }
}

}  // namespace

float HashToUnit(uint64_t key) {
  key += 0x9E3779B97F4A7C15ULL;
  key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ULL;
  key = (key ^ (key >> 27)) * 0x94D049BB133111EBULL;
  key ^= key >> 31;
  return static_cast<float>(static_cast<int32_t>(key >> 40) - (1 << 23)) * 0x1p-23F;
}

PackedMatrix::PackedMatrix(size_t in, size_t out, uint64_t seed)
    : in_(in), out_(out), data_(in * out) {
  const float scale = std::sqrt(3.0F / static_cast<float>(in));
  for (size_t o = 0; o < out; ++o) {
    for (size_t i = 0; i < in; ++i) {
      const size_t at = (o / kLanes * in + i) * kLanes + o % kLanes;
      data_[at] = scale * HashToUnit(seed ^ ((i * out + o) * 0xD1342543DE82EF95ULL));
    }
  }
}

PENSTOCK_WIDE void MatMul(const PackedMatrix& w, const float* x, size_t rows, float* y) {
  const size_t in = w.in();
  const size_t out = w.out();
  for (size_t p = 0; p < out / kLanes; ++p) {
    const float* panel = w.panel(p);
    float* column = y + p * kLanes;
    size_t r = 0;
    for (; r + kRowTile <= rows; r += kRowTile) {
      Tile<kRowTile>(panel, in, x + r * in, column + r * out, out);
    }
    for (; r < rows; ++r) Tile<1>(panel, in, x + r * in, column + r * out, out);
  }
}

void RmsNorm(const float* x, size_t rows, size_t dim, float* y) {
  for (size_t r = 0; r < rows; ++r) {
    const float* in = x + r * dim;
    float* out = y + r * dim;
    float sum = 0;
    for (size_t i = 0; i < dim; ++i) sum += in[i] * in[i];
    const float scale = 1.0F / std::sqrt(sum / static_cast<float>(dim) + 1e-5F);
    for (size_t i = 0; i < dim; ++i) out[i] = in[i] * scale;
  }
}

PENSTOCK_WIDE void SwiGlu(float* gate, const float* up, size_t n) {
  for (size_t i = 0; i < n; ++i) gate[i] = gate[i] / (1.0F + Exp(-gate[i])) * up[i];
}

PENSTOCK_WIDE void Scores(const float* query, const float* keys, size_t panels, size_t dim,
                          float scale, float* scores) {
  for (size_t p = 0; p < panels; ++p) {
    const float* panel = keys + p * dim * kLanes;
    Vec low = {};
    Vec high = {};
    for (size_t d = 0; d < dim; ++d) {
      low += *reinterpret_cast<const Vec*>(panel + d * kLanes) * query[d];
      high += *reinterpret_cast<const Vec*>(panel + d * kLanes + 8) * query[d];
    }
    *reinterpret_cast<Vec*>(scores + p * kLanes) = low * scale;
    *reinterpret_cast<Vec*>(scores + p * kLanes + 8) = high * scale;
  }
}

PENSTOCK_WIDE void Softmax(float* scores, size_t n) {
  float max = scores[0];
  for (size_t t = 1; t < n; ++t) max = std::max(max, scores[t]);
  for (size_t t = 0; t < n; ++t) scores[t] = Exp(scores[t] - max);
  float sum = 0;
  for (size_t t = 0; t < n; ++t) sum += scores[t];
  const float inverse = 1.0F / sum;
  for (size_t t = 0; t < n; ++t) scores[t] *= inverse;
}

PENSTOCK_WIDE void Accumulate(const float* weights, const float* values, size_t n, size_t stride,
                              size_t dim, float* out) {
  for (size_t t = 0; t < n; ++t) {
    const float* value = values + t * stride;
    for (size_t d = 0; d < dim; ++d) out[d] += weights[t] * value[d];
  }
}

}  // namespace penstock::reference
