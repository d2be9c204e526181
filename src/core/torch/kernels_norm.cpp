// Batch norm with what follows it, and the projection that its derivatives of any order are made of.
#include <cmath>
#include <vector>

#include "kernels.h"
#include "vector_math.h"

namespace compert {
namespace {

/// Means over the rows of a (and of a * b), columns side by side. Sums are in double precision.
template <class T>
COMPERT_INLINE void column_means(const T* a, const T* b, int64_t rows, int64_t width, double* mean,
                                 double* product) {
  for (int64_t j = 0; j < width; ++j) mean[j] = product[j] = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const T *x = a + i * width, *y = b + i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      mean[j] += x[j];
      product[j] += static_cast<double>(x[j]) * y[j];
    }
  }
  const double n = static_cast<double>(rows);
  for (int64_t j = 0; j < width; ++j) {
    mean[j] /= n;
    product[j] /= n;
  }
}

template <class T>
COMPERT_INLINE void normalise(const T* a, int64_t rows, int64_t width, double epsilon, T* out,
                              T* inverse, double* mean, double* variance) {
  column_means(a, a, rows, width, mean, variance);
  std::vector<double> square(static_cast<std::size_t>(width), 0.0);
  // The second pass keeps the digits that mean(a^2) - mean(a)^2 would lose.
  for (int64_t i = 0; i < rows; ++i) {
    const T* x = a + i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      const double d = x[j] - mean[j];
      square[static_cast<std::size_t>(j)] += d * d;
    }
  }
  for (int64_t j = 0; j < width; ++j) {
    variance[j] = square[static_cast<std::size_t>(j)] / static_cast<double>(rows);
    inverse[j] = static_cast<T>(1 / std::sqrt(variance[j] + epsilon));
  }
  for (int64_t i = 0; i < rows; ++i) {
    const T* x = a + i * width;
    T* y = out + i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j)
      y[j] = static_cast<T>((x[j] - mean[j]) * inverse[j]);
  }
}

template <class T>
COMPERT_INLINE void scale_and_cut(const T* x, const T* scale, const T* offset, int64_t rows,
                                  int64_t width, T* slope, T* out) {
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t at = i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      const T h = x[at + j] * scale[j] + offset[j];
      const T keep = h > 0 ? slope[at + j] : T(0);
      slope[at + j] = keep;
      out[at + j] = h * keep;
    }
  }
}

template <class T>
COMPERT_INLINE void project(const T* r, const T* x, int64_t rows, int64_t width, T* out, T* shared) {
  std::vector<double> mean(static_cast<std::size_t>(width)), along(mean.size());
  column_means(r, x, rows, width, mean.data(), along.data());
  for (int64_t j = 0; j < width; ++j) shared[j] = static_cast<T>(along[static_cast<std::size_t>(j)]);
  std::vector<T> centre(mean.begin(), mean.end());
  const T* c = centre.data();
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t at = i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) out[at + j] = r[at + j] - c[j] - x[at + j] * shared[j];
  }
}

template <class T>
COMPERT_INLINE void hidden_grad(const T* d_out, const T* slope, const T* x, const T* scale,
                                const T* inverse, int64_t rows, int64_t width, T* d_in, T* d_scale,
                                T* d_offset) {
  for (int64_t k = 0; k < rows * width; ++k) d_in[k] = d_out[k] * slope[k];
  std::vector<double> mean(static_cast<std::size_t>(width)), along(mean.size());
  column_means(d_in, x, rows, width, mean.data(), along.data());
  std::vector<T> centre(mean.begin(), mean.end()), shared(along.begin(), along.end()), factor(mean.size());
  const double n = static_cast<double>(rows);
  for (int64_t j = 0; j < width; ++j) {
    const auto k = static_cast<std::size_t>(j);
    d_offset[j] = static_cast<T>(mean[k] * n);
    d_scale[j] = static_cast<T>(along[k] * n);
    factor[k] = scale[j] * inverse[j];
  }
  const T *c = centre.data(), *s = shared.data(), *f = factor.data();
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t at = i * width;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) d_in[at + j] = f[j] * (d_in[at + j] - c[j] - x[at + j] * s[j]);
  }
}

#define COMPERT_FOR(T)                                                                              \
  COMPERT_CLONES void hidden_grad_of(const T* d, const T* slope, const T* x, const T* scale,        \
                                     const T* inverse, int64_t rows, int64_t width, T* d_in,        \
                                     T* d_scale, T* d_offset) {                                     \
    hidden_grad<T>(d, slope, x, scale, inverse, rows, width, d_in, d_scale, d_offset);              \
  }                                                                                                 \
  COMPERT_CLONES void normalise_of(const T* a, int64_t rows, int64_t width, double epsilon, T* out, \
                                   T* inverse, double* mean, double* variance) {                    \
    normalise<T>(a, rows, width, epsilon, out, inverse, mean, variance);                            \
  }                                                                                                 \
  COMPERT_CLONES void scale_and_cut_of(const T* x, const T* scale, const T* offset, int64_t rows,   \
                                       int64_t width, T* slope, T* out) {                           \
    scale_and_cut<T>(x, scale, offset, rows, width, slope, out);                                    \
  }                                                                                                 \
  COMPERT_CLONES void project_of(const T* r, const T* x, int64_t rows, int64_t width, T* out,       \
                                 T* shared) {                                                       \
    project<T>(r, x, rows, width, out, shared);                                                     \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace

#define COMPERT_FOR(T)                                                                              \
  void norm_sweep(const T* a, int64_t rows, int64_t width, double epsilon, T* out, T* inverse,      \
                  double* mean, double* variance) {                                                 \
    normalise_of(a, rows, width, epsilon, out, inverse, mean, variance);                            \
  }                                                                                                 \
  void relu_sweep(const T* x, const T* scale, const T* offset, int64_t rows, int64_t width,         \
                  T* slope, T* out) {                                                               \
    scale_and_cut_of(x, scale, offset, rows, width, slope, out);                                    \
  }                                                                                                 \
  void hidden_sweep_grad(const T* d, const T* slope, const T* x, const T* scale, const T* inverse,  \
                         int64_t rows, int64_t width, T* d_in, T* d_scale, T* d_offset) {           \
    hidden_grad_of(d, slope, x, scale, inverse, rows, width, d_in, d_scale, d_offset);              \
  }                                                                                                 \
  void norm_projection(const T* r, const T* x, int64_t rows, int64_t width, T* out, T* shared) {    \
    project_of(r, x, rows, width, out, shared);                                                     \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
