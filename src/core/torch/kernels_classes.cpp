// The losses of the adversaries, each with its derivatives in one sweep, and sums of squares.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

template <class T>
COMPERT_INLINE double bce(const T* logits, const T* target, int64_t n, T* gradient) {
  const T share = T(1) / static_cast<T>(n);
  double loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t k = 0; k < n; ++k) {
    const T x = logits[k], t = target[k], e = exp_minus_abs(x);
    loss += softplus_of(x, e) - x * t;
    gradient[k] = (sigmoid_of(x, e) - t) * share;
  }
  return loss / static_cast<double>(n);
}

template <class T>
COMPERT_INLINE double cross_entropy(const T* logits, const int64_t* label, const T* weight,
                                    int64_t rows, int64_t classes, T* gradient) {
  double loss = 0, total = 0;
  for (int64_t i = 0; i < rows; ++i) total += weight != nullptr ? weight[label[i]] : T(1);
  for (int64_t i = 0; i < rows; ++i) {
    const T* x = logits + i * classes;
    T* d = gradient + i * classes;
    T most = x[0], sum = 0;
    for (int64_t c = 1; c < classes; ++c) most = std::max(most, x[c]);
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < classes; ++c) {
      const T below = x[c] - most;
      d[c] = exp_minus_abs(below) + T(0) * below;  // not a number if x is not
      sum += d[c];
    }
    const double w = weight != nullptr ? weight[label[i]] : T(1);
    loss += w * (std::log(static_cast<double>(sum)) + most - x[label[i]]);
    const T share = static_cast<T>(w / total), scale = share / sum;
#pragma omp simd
    for (int64_t c = 0; c < classes; ++c) d[c] *= scale;
    d[label[i]] -= share;
  }
  return loss / total;
}

template <class T>
COMPERT_INLINE double squares(const T* value, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(value[k]) * value[k];
  return sum;
}

#define COMPERT_FOR(T)                                                                           \
  COMPERT_CLONES double bce_of(const T* logits, const T* target, int64_t n, T* gradient) {       \
    return bce<T>(logits, target, n, gradient);                                                  \
  }                                                                                              \
  COMPERT_CLONES double cross_entropy_of(const T* logits, const int64_t* label, const T* weight, \
                                         int64_t rows, int64_t classes, T* gradient) {           \
    return cross_entropy<T>(logits, label, weight, rows, classes, gradient);                     \
  }                                                                                              \
  COMPERT_CLONES double squares_of(const T* value, int64_t n) { return squares<T>(value, n); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
double all_squares(const T* value, int64_t n) {
  const int64_t parts = n < 100000 ? 1 : sweep_threads();
  std::vector<double> sums(static_cast<std::size_t>(parts));
  in_parallel(n, parts, [&](int64_t part, int64_t begin, int64_t end) {
    sums[static_cast<std::size_t>(part)] = squares_of(value + begin, end - begin);
  });
  return sum_rows(sums);
}

}  // namespace

#define COMPERT_FOR(T)                                                                             \
  double bce_sweep(const T* logits, const T* target, int64_t n, T* gradient) {                     \
    return bce_of(logits, target, n, gradient);                                                    \
  }                                                                                                \
  double cross_entropy_sweep(const T* logits, const int64_t* label, const T* weight, int64_t rows, \
                             int64_t classes, T* gradient) {                                       \
    return cross_entropy_of(logits, label, weight, rows, classes, gradient);                       \
  }                                                                                                \
  double square_sum(const T* value, int64_t n) { return all_squares<T>(value, n); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
