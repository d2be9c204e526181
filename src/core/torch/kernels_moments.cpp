// Moments of columns, as predictions are summarised.
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

#define COMPERT_FOR(T)                                                                              \
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

}  // namespace

void column_moments(const Shifted<float>& x, double* mean, double* squares) { moments(x, mean, squares); }
void column_moments(const Shifted<double>& x, double* mean, double* squares) { moments(x, mean, squares); }

}  // namespace compert
