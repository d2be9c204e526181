// Dropout masks. A hash of place and seed is drawn for every value: places do not wait for each other.
#include <algorithm>
#include <cmath>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

/// A bijection of 32 bits in which every bit of the input moves half of the output's: multipliers and shifts
/// of C. Wellons' "lowbias32" (nullprogram.com/blog/2018/07/31, public domain).
COMPERT_INLINE uint32_t mixed(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

template <class T>
COMPERT_INLINE void factors(uint32_t first, uint32_t second, uint32_t dropped_below, T kept, int64_t begin,
                            int64_t end, T* out) {
#pragma omp simd
  for (int64_t k = begin; k < end; ++k) {
    const uint32_t drawn = mixed(mixed(static_cast<uint32_t>(k) ^ first) + second);
    out[k] = drawn < dropped_below ? T(0) : kept;
  }
}

#define COMPERT_FOR(T)                                                                              \
  COMPERT_CLONES void factors_of(uint32_t first, uint32_t second, uint32_t below, T kept,           \
                                 int64_t begin, int64_t end, T* out) {                              \
    factors<T>(first, second, below, kept, begin, end, out);                                        \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
void dropout(uint64_t seed, double probability, int64_t n, T* out) {
  const auto below = static_cast<uint32_t>(std::min(std::round(probability * 4294967296.0), 4294967295.0));
  in_parallel(n, n < 100000 ? 1 : sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    factors_of(static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), below,
               static_cast<T>(1 / (1 - probability)), begin, end, out);
  });
}

}  // namespace

void dropout_sweep(uint64_t seed, double probability, int64_t n, float* out) {
  dropout<float>(seed, probability, n, out);
}
void dropout_sweep(uint64_t seed, double probability, int64_t n, double* out) {
  dropout<double>(seed, probability, n, out);
}

}  // namespace compert
