// What predictions are made of: outputs of a Gaussian head, and moments of columns.
#include <algorithm>
#include <cmath>
#include <vector>

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

/// sums[j] += the sum over rows of softplus(raw), for n columns of a tile. As softplus(x) is
/// max(x, 0) + log(1 + exp(-|x|)), one logarithm of a product serves many rows: each factor is at
/// most 2, and in double precision 512 of them fit.
template <class T>
COMPERT_INLINE void softplus_tile(const T* raw, int64_t rows, int64_t genes, int64_t n, double* sums) {
  constexpr int64_t kFactors = 512;
  double product[kTile], positive[kTile];
  for (int64_t begin = 0; begin < rows; begin += kFactors) {
    std::fill_n(product, kTile, 1.0);
    std::fill_n(positive, kTile, 0.0);
    for (int64_t r = begin; r < std::min(rows, begin + kFactors); ++r) {
      const T* x = raw + r * genes;
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) {
        product[j] *= 1.0 + static_cast<double>(exp_minus_abs(x[j]));
        positive[j] += T(0.5) * (x[j] + std::abs(x[j]));
      }
    }
    for (int64_t j = 0; j < n; ++j) sums[j] += positive[j] + std::log(product[j]);
  }
}

#define COMPERT_FOR(T)                                                                              \
  COMPERT_CLONES void softplus_tile_of(const T* raw, int64_t rows, int64_t genes, int64_t n,        \
                                       double* sums) {                                              \
    softplus_tile<T>(raw, rows, genes, n, sums);                                                    \
  }                                                                                                 \
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
  const int64_t tiles = (genes + kTile - 1) / kTile;
  in_parallel(tiles, sweep_threads(), [&](int64_t, int64_t first, int64_t last) {
    std::vector<T> values(static_cast<std::size_t>(kTile));
    for (int64_t begin = first * kTile; begin < std::min(last * kTile, genes); begin += kTile) {
      const int64_t n = std::min(kTile, genes - begin);
      if (spread != Spread::kExp) {
        softplus_tile_of(raw + begin, rows, genes, n, sums + begin);
        const double least = spread == Spread::kSoftplus ? 1e-3 : 0;
        for (int64_t j = 0; j < n; ++j) sums[begin + j] += least * static_cast<double>(rows);
        continue;
      }
      for (int64_t r = 0; r < rows; ++r) {
        variances_exp(raw + r * genes + begin, n, values.data());
        for (int64_t j = 0; j < n; ++j) sums[begin + j] += values[static_cast<std::size_t>(j)];
      }
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
