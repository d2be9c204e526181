// Batch norm with what follows it, forwards and backwards.
#include <cmath>
#include <vector>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

template <class T>
COMPERT_INLINE void hidden_block(const HiddenLayer<T>& h, int64_t first, int64_t n) {
  const T *a = h.in, *keep = h.keep;
  T *x = h.normalised, *out = h.out;
  double mean[kColumnBlock] = {}, square[kColumnBlock] = {};
  walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) { mean[j] += a[at]; });
  const double count = static_cast<double>(h.rows);
  for (int64_t j = 0; j < n; ++j) mean[j] /= count;
  // The second pass keeps the digits that mean(a^2) - mean(a)^2 would lose.
  walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) {
    const double d = a[at] - mean[j];
    square[j] += d * d;
  });
  T inverse[kColumnBlock] = {}, scale[kColumnBlock] = {}, offset[kColumnBlock] = {};
  for (int64_t j = 0; j < n; ++j) {
    const double variance = square[j] / count;
    h.mean[first + j] = mean[j];
    h.variance[first + j] = variance;
    h.inverse[first + j] = inverse[j] = static_cast<T>(1 / std::sqrt(variance + h.epsilon));
    scale[j] = h.scale[first + j];
    offset[j] = h.offset[first + j];
  }
  const auto value = [&](int64_t at, int64_t j) {
    x[at] = static_cast<T>((a[at] - mean[j]) * inverse[j]);
    return x[at] * scale[j] + offset[j];
  };
  if (keep != nullptr)
    walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) {
      const T v = value(at, j);
      out[at] = v * (v > 0 ? keep[at] : T(0));
    });
  else
    walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) {
      const T v = value(at, j);
      out[at] = v * (v > 0 ? T(1) : T(0));
    });
}

template <class T>
COMPERT_INLINE void hidden_grad_block(const HiddenGradient<T>& h, int64_t first, int64_t n) {
  const T *d_out = h.d_out, *out = h.out, *x = h.normalised;
  T* d_in = h.d_in;
  const T kept = h.kept;
  double mean[kColumnBlock] = {}, along[kColumnBlock] = {};
  walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) {
    const T d = d_out[at] * (out[at] > 0 ? kept : T(0));
    d_in[at] = d;
    mean[j] += d;
    along[j] += static_cast<double>(d) * x[at];
  });
  T centre[kColumnBlock] = {}, shared[kColumnBlock] = {}, factor[kColumnBlock] = {};
  const double count = static_cast<double>(h.rows);
  for (int64_t j = 0; j < n; ++j) {
    if (h.d_offset != nullptr) {
      h.d_offset[first + j] += static_cast<T>(mean[j]);
      h.d_scale[first + j] += static_cast<T>(along[j]);
    }
    centre[j] = static_cast<T>(mean[j] / count);
    shared[j] = static_cast<T>(along[j] / count);
    factor[j] = h.scale[first + j] * h.inverse[first + j];
  }
  walk(h.rows, h.width, first, n, [&](int64_t at, int64_t j) {
    d_in[at] = factor[j] * (d_in[at] - centre[j] - x[at] * shared[j]);
  });
}

template <class T>
COMPERT_INLINE void sums_block(const T* values, int64_t rows, int64_t width, T* out, int64_t first,
                               int64_t n) {
  double sum[kColumnBlock] = {};
  walk(rows, width, first, n, [&](int64_t at, int64_t j) { sum[j] += values[at]; });
  for (int64_t j = 0; j < n; ++j) out[first + j] += static_cast<T>(sum[j]);
}

#define COMPERT_FOR(T)                                                                             \
  COMPERT_CLONES void hidden_block_of(const HiddenLayer<T>& h, int64_t first, int64_t n) {         \
    hidden_block<T>(h, first, n);                                                                  \
  }                                                                                                \
  COMPERT_CLONES void hidden_grad_block_of(const HiddenGradient<T>& h, int64_t first, int64_t n) { \
    hidden_grad_block<T>(h, first, n);                                                             \
  }                                                                                                \
  COMPERT_CLONES void sums_block_of(const T* values, int64_t rows, int64_t width, T* out,          \
                                    int64_t first, int64_t n) {                                    \
    sums_block<T>(values, rows, width, out, first, n);                                             \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace

#define COMPERT_FOR(T)                                                                            \
  void hidden_sweep(const HiddenLayer<T>& h) {                                                    \
    by_columns(h.rows, h.width, [&](int64_t first, int64_t n) { hidden_block_of(h, first, n); }); \
  }                                                                                               \
  void hidden_sweep_grad(const HiddenGradient<T>& h) {                                            \
    by_columns(h.rows, h.width,                                                                   \
               [&](int64_t first, int64_t n) { hidden_grad_block_of(h, first, n); });             \
  }                                                                                               \
  void add_column_sums(const T* values, int64_t rows, int64_t width, T* out) {                    \
    by_columns(rows, width, [&](int64_t first, int64_t n) {                                       \
      sums_block_of(values, rows, width, out, first, n);                                          \
    });                                                                                           \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
