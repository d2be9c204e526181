// What predictions are made of: outputs of a Gaussian head, and moments of columns.
#include <algorithm>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

constexpr int64_t kTile = 64;  // columns whose sums stay in registers and the nearest cache

/// Row r of the values of which moments are taken, columns [begin, begin + n), into `out`.
template <class T>
COMPERT_INLINE void row_of(const Shifted<T>& x, int64_t r, int64_t begin, int64_t n, double* out) {
  const T* value = x.values + r * x.columns + begin;
  if (x.plus == nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) out[j] = value[j];
    return;
  }
  const T *plus = x.plus + x.which[r] * x.columns + begin, *minus = x.minus + x.which[r] * x.columns + begin;
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) out[j] = static_cast<double>(plus[j] + value[j] - minus[j]);
}

template <class T>
COMPERT_INLINE void tile_moments(const Shifted<T>& x, int64_t begin, int64_t n, double* mean,
                                 double* squares) {
  double row[kTile], sum[kTile] = {}, square[kTile] = {};
  for (int64_t r = 0; r < x.rows; ++r) {
    row_of(x, r, begin, n, row);
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) sum[j] += row[j];
  }
  for (int64_t j = 0; j < n; ++j) sum[j] /= static_cast<double>(x.rows);
  for (int64_t r = 0; r < x.rows; ++r) {
    row_of(x, r, begin, n, row);
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) square[j] += (row[j] - sum[j]) * (row[j] - sum[j]);
  }
  std::copy(sum, sum + n, mean + begin);
  std::copy(square, square + n, squares + begin);
}

template <Spread spread, class T>
COMPERT_INLINE T variance_of(T raw) {
  const T t = exp_minus_abs(raw);
  // NaN stays NaN.
  if (spread == Spread::kExp) return by_sign(raw, T(1) / t, t) + T(0) * raw + T(1e-4);
  return softplus_of(raw, t) + (spread == Spread::kSoftplus ? T(1e-3) : T(0));
}

template <Spread spread, class T>
COMPERT_INLINE void variances(const T* raw, int64_t n, T* out) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) out[j] = variance_of<spread>(raw[j]);
}

#define COMPERT_FOR(T)                                                                              \
  COMPERT_CLONES void variances_softplus(const T* raw, int64_t n, T* out) {                         \
    variances<Spread::kSoftplus, T>(raw, n, out);                                                   \
  }                                                                                                 \
  COMPERT_CLONES void variances_exp(const T* raw, int64_t n, T* out) {                              \
    variances<Spread::kExp, T>(raw, n, out);                                                        \
  }                                                                                                 \
  COMPERT_CLONES void variances_plain(const T* raw, int64_t n, T* out) {                            \
    variances<Spread::kClampedSoftplus, T>(raw, n, out);                                            \
  }                                                                                                 \
  COMPERT_CLONES void tile_moments_of(const Shifted<T>& x, int64_t begin, int64_t n, double* mean,  \
                                      double* squares) {                                            \
    tile_moments<T>(x, begin, n, mean, squares);                                                    \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
void moments(const Shifted<T>& x, double* mean, double* squares) {
  const int64_t tiles = (x.columns + kTile - 1) / kTile;
  in_parallel(tiles, sweep_threads(), [&](int64_t, int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t)
      tile_moments_of(x, t * kTile, std::min(kTile, x.columns - t * kTile), mean, squares);
  });
}

template <class T>
using Variances = void (*)(const T*, int64_t, T*);
template <class T>
Variances<T> variances_by(Spread spread) {
  return spread == Spread::kExp        ? static_cast<Variances<T>>(variances_exp)
         : spread == Spread::kSoftplus ? static_cast<Variances<T>>(variances_softplus)
                                       : static_cast<Variances<T>>(variances_plain);
}

template <class T>
void outputs(const T* raw, int64_t rows, int64_t genes, bool relu, Spread spread, T* mean, T* variance) {
  const auto fill = variances_by<T>(spread);
  in_parallel(rows, sweep_threads(), [&](int64_t, int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const T* from = raw + r * 2 * genes;
      T* to = mean + r * genes;
      std::copy(from, from + genes, to);
      // A comparison that NaN passes by.
      if (relu)
        for (int64_t g = 0; g < genes; ++g) to[g] = to[g] < 0 ? T(0) : to[g];
      fill(from + genes, genes, variance + r * genes);
    }
  });
}

template <class T>
void sum_variances(const T* raw, int64_t rows, int64_t genes, Spread spread, double* sums) {
  const auto fill = variances_by<T>(spread);
  const int64_t tiles = (genes + kTile - 1) / kTile;
  in_parallel(tiles, sweep_threads(), [&](int64_t, int64_t first, int64_t last) {
    const int64_t begin = first * kTile, n = std::min(last * kTile, genes) - begin;
    std::vector<T> values(static_cast<std::size_t>(n));
    for (int64_t r = 0; r < rows; ++r) {
      fill(raw + r * genes + begin, n, values.data());
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) sums[begin + j] += values[static_cast<std::size_t>(j)];
    }
  });
}

}  // namespace

#define COMPERT_FOR(T)                                                                              \
  void gaussian_outputs(const T* raw, int64_t rows, int64_t genes, bool relu, Spread spread,        \
                        T* mean, T* variance) {                                                     \
    outputs(raw, rows, genes, relu, spread, mean, variance);                                        \
  }                                                                                                 \
  void add_variances(const T* raw, int64_t rows, int64_t genes, Spread spread, double* sums) {      \
    sum_variances(raw, rows, genes, spread, sums);                                                  \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

void column_moments(const Shifted<float>& x, double* mean, double* squares) { moments(x, mean, squares); }
void column_moments(const Shifted<double>& x, double* mean, double* squares) { moments(x, mean, squares); }

}  // namespace compert
