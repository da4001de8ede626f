// SPDX-License-Identifier: Apache-2.0
//
// The loops under the reference transformer. Each output is one chain of additions in the order of
// its index, so the result of a row does not depend on the rows beside it or on the width of the
// machine's vectors.
//
//   PackedMatrix w(/*in=*/256, /*out=*/704, seed);
//   MatMul(w, x, rows, y);                        // y[r][o] = sum over i of x[r][i] * w[i][o], i
//   ascending
#ifndef PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_KERNELS_H_
#define PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::reference {

inline constexpr size_t kLanes = 16;  // outputs computed side by side

// A number in [-1, 1) that depends on the key alone (SplitMix64's finalizer), the same on every
// machine.
float HashToUnit(uint64_t key);

// Weights [in, out], stored as panels of kLanes outputs: panel p holds in x kLanes floats. `out` is
// a multiple of kLanes. Uniform with standard deviation 1 / sqrt(in).
class PackedMatrix {
 public:
  PackedMatrix(size_t in, size_t out, uint64_t seed);
  size_t in() const { return in_; }
  size_t out() const { return out_; }
  const float* panel(size_t index) const { return data_.data() + index * in_ * kLanes; }

 private:
  size_t in_, out_;
  std::vector<float> data_;
};

// y float [rows, w.out()] = x float [rows, w.in()] times w. The weights are walked once for all
// rows.
void MatMul(const PackedMatrix& w, const float* x, size_t rows, float* y);

// y = x / sqrt(mean(x^2) + 1e-5), row by row; x and y float [rows, dim], may be the same.
void RmsNorm(const float* x, size_t rows, size_t dim, float* y);

// gate[i] = silu(gate[i]) * up[i].
void SwiGlu(float* gate, const float* up, size_t n);

// Scores of one query against `panels` panels of kLanes keys, keys transposed: float [panels, dim,
// kLanes]. scores[t] = scale * sum over d of query[d] * keys[t][d].
void Scores(const float* query, const float* keys, size_t panels, size_t dim, float scale,
            float* scores);

// scores[0, n) become their softmax.
void Softmax(float* scores, size_t n);

// out[d] += sum over t in [0, n) of weights[t] * values[t * stride + d], t ascending; out float
// [dim].
void Accumulate(const float* weights, const float* values, size_t n, size_t stride, size_t dim,
                float* out);

}  // namespace penstock::reference

#endif  // PENSTOCK_EXAMPLES_REFERENCE_RUNTIME_KERNELS_H_
