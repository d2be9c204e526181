// The sparse product of the first layer, and Adam.
#include <cmath>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

template <class T>
COMPERT_INLINE void axpy4(T* out, const T* a, const T* b, const T* c, const T* d, T xa, T xb, T xc,
                          T xd, int64_t n) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) out[k] += xa * a[k] + xb * b[k] + xc * c[k] + xd * d[k];
}

template <class T>
COMPERT_INLINE void axpy1(T* out, const T* a, T xa, int64_t n) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) out[k] += xa * a[k];
}

template <class T>
COMPERT_INLINE void gather_row(T* out, const T* weight, const int32_t* genes, const T* values,
                               int64_t stored, int64_t width) {
  int64_t k = 0;
  for (; k + 4 <= stored; k += 4)
    axpy4(out, weight + genes[k] * width, weight + genes[k + 1] * width,
          weight + genes[k + 2] * width, weight + genes[k + 3] * width, values[k], values[k + 1],
          values[k + 2], values[k + 3], width);
  for (; k < stored; ++k) axpy1(out, weight + genes[k] * width, values[k], width);
}

template <class T>
COMPERT_INLINE void scatter_columns(const CellBatch& x, const T* values, const T* grad_out,
                                    T* grad_weight, int64_t width, int64_t begin, int64_t end) {
  for (std::size_t b = 0; b < x.n_cells(); ++b) {
    const T* row = grad_out + static_cast<int64_t>(b) * width;
    for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k)
      axpy1(grad_weight + x.genes[k] * width + begin, row + begin, values[k], end - begin);
  }
}

template <class T>
COMPERT_INLINE void adam_range(T* value, const T* grad, T* m, T* v, int64_t n, const AdamStep& s) {
  const T wd = static_cast<T>(s.weight_decay), b1 = static_cast<T>(s.beta1),
          b2 = static_cast<T>(s.beta2), c1 = static_cast<T>(1 - s.beta1),
          c2 = static_cast<T>(1 - s.beta2), step = static_cast<T>(s.step_size),
          root = static_cast<T>(s.sqrt_bias2), eps = static_cast<T>(s.epsilon);
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) {
    const T g = grad[k] + wd * value[k];
    m[k] = b1 * m[k] + c1 * g;
    v[k] = b2 * v[k] + c2 * g * g;
    value[k] -= step * m[k] / (sqrt_of(v[k]) / root + eps);
  }
}

#define COMPERT_FOR(T) \
  COMPERT_CLONES void gather_row_of(T* out, const T* weight, const int32_t* genes,                 \
                                    const T* values, int64_t stored, int64_t width) {              \
    gather_row<T>(out, weight, genes, values, stored, width);                                      \
  }                                                                                                \
  COMPERT_CLONES void scatter_columns_of(const CellBatch& x, const T* values, const T* grad_out,   \
                                         T* grad_weight, int64_t width, int64_t begin,             \
                                         int64_t end) {                                            \
    scatter_columns<T>(x, values, grad_out, grad_weight, width, begin, end);                       \
  }                                                                                                \
  COMPERT_CLONES void adam_range_of(T* p, const T* g, T* m, T* v, int64_t n, const AdamStep& s) {  \
    adam_range<T>(p, g, m, v, n, s);                                                               \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
void linear(const CellBatch& x, const T* values, const T* weight, const T* bias, T* out,
            int64_t width) {
  in_parallel(static_cast<int64_t>(x.n_cells()), sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      T* row = out + b * width;
      std::copy(bias, bias + width, row);
      const int64_t first = x.offsets[static_cast<std::size_t>(b)];
      gather_row_of(row, weight, x.genes.data() + first, values + first,
                    x.offsets[static_cast<std::size_t>(b) + 1] - first, width);
    }
  });
}

template <class T>
void linear_grad(const CellBatch& x, const T* values, const T* grad_out, T* grad_weight,
                 int64_t width) {
  // Threads own columns: no two write the same place, and the order of sums never changes.
  const int64_t parts = std::min<int64_t>(sweep_threads(), std::max<int64_t>(1, width / 16));
  in_parallel(width, parts, [&](int64_t, int64_t begin, int64_t end) {
    scatter_columns_of(x, values, grad_out, grad_weight, width, begin, end);
  });
}

template <class T>
void adam(T* value, const T* grad, T* m, T* v, int64_t n, const AdamStep& s) {
  in_parallel(n, n < 20000 ? 1 : sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    adam_range_of(value + begin, grad + begin, m + begin, v + begin, end - begin, s);
  });
}

template <class T>
void dense(const CellBatch& x, const T* values, T* out) {
  const auto genes = static_cast<int64_t>(x.n_genes);
  in_parallel(static_cast<int64_t>(x.n_cells()), sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      T* row = out + b * genes;
      std::fill(row, row + genes, T(0));
      for (int64_t k = x.offsets[static_cast<std::size_t>(b)];
           k < x.offsets[static_cast<std::size_t>(b) + 1]; ++k)
        row[x.genes[static_cast<std::size_t>(k)]] = values[k];
    }
  });
}

}  // namespace

#define COMPERT_FOR(T) \
  void adam_sweep(T* value, const T* grad, T* m, T* v, int64_t n, const AdamStep& s) {             \
    adam<T>(value, grad, m, v, n, s);                                                              \
  }                                                                                                \
  void sparse_linear(const CellBatch& x, const T* values, const T* weight, const T* bias, T* out,  \
                     int64_t width) {                                                              \
    linear<T>(x, values, weight, bias, out, width);                                                \
  }                                                                                                \
  void sparse_linear_grad(const CellBatch& x, const T* values, const T* grad_out, T* grad_weight,  \
                          int64_t width) {                                                         \
    linear_grad<T>(x, values, grad_out, grad_weight, width);                                       \
  }                                                                                                \
  void to_dense(const CellBatch& x, const T* values, T* out) { dense<T>(x, values, out); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
