// The sparse product of the first layer, and Adam.
#include <cmath>
#include <cstring>

#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

/// 64 bytes of neighbouring values, which the compiler keeps in as many registers as they take.
template <class T>
struct Pack {
  typedef T Values __attribute__((vector_size(64)));
  static constexpr int64_t kSize = 64 / static_cast<int64_t>(sizeof(T));
};
constexpr int kPacks = 4;

template <class T>
COMPERT_INLINE void load(const T* from, typename Pack<T>::Values& v) {
  std::memcpy(&v, from, sizeof v);
}

template <class T>
COMPERT_INLINE void store(T* to, const typename Pack<T>::Values& v) {
  std::memcpy(to, &v, sizeof v);
}

/// The columns of one product, or of one gradient, from `first` on: `n` of them. A slice of the weight as
/// narrow as this stays in the second cache while the cells go by.
template <class T>
struct Slice {
  int64_t width, first, n;
  static constexpr int64_t kFull = kPacks * Pack<T>::kSize;
};

template <class T>
COMPERT_INLINE void gather_slice(const CellBatch& x, const T* values, const T* weight, const T* bias, T* out,
                                 const Slice<T>& slice, int64_t begin, int64_t end) {
  constexpr int64_t size = Pack<T>::kSize;
  for (int64_t b = begin; b < end; ++b) {
    T* row = out + b * slice.width + slice.first;
    const auto stored = x.offsets.data() + b;
    if (slice.n == Slice<T>::kFull) {
      const T* start = bias + slice.first;
      typename Pack<T>::Values s0, s1, s2, s3, w0, w1, w2, w3;
      load(start, s0);
      load(start + size, s1);
      load(start + 2 * size, s2);
      load(start + 3 * size, s3);
      for (int64_t k = stored[0]; k < stored[1]; ++k) {
        const T* w = weight + x.genes[static_cast<std::size_t>(k)] * slice.width + slice.first;
        const T v = values[k];
        load(w, w0);
        load(w + size, w1);
        load(w + 2 * size, w2);
        load(w + 3 * size, w3);
        s0 += v * w0;
        s1 += v * w1;
        s2 += v * w2;
        s3 += v * w3;
      }
      store(row, s0);
      store(row + size, s1);
      store(row + 2 * size, s2);
      store(row + 3 * size, s3);
      continue;
    }
    std::copy(bias + slice.first, bias + slice.first + slice.n, row);
    for (int64_t k = stored[0]; k < stored[1]; ++k) {
      const T* w = weight + x.genes[static_cast<std::size_t>(k)] * slice.width + slice.first;
#pragma omp simd
      for (int64_t j = 0; j < slice.n; ++j) row[j] += values[k] * w[j];
    }
  }
}

template <class T>
COMPERT_INLINE void scatter_slice(const CellBatch& x, const T* values, const T* grad_out, T* grad_weight,
                                  const Slice<T>& slice) {
  constexpr int64_t size = Pack<T>::kSize;
  for (std::size_t b = 0; b < x.n_cells(); ++b) {
    const T* row = grad_out + static_cast<int64_t>(b) * slice.width + slice.first;
    const int64_t begin = x.offsets[b], end = x.offsets[b + 1];
    if (slice.n == Slice<T>::kFull) {
      typename Pack<T>::Values g0, g1, g2, g3, w0, w1, w2, w3;
      load(row, g0);
      load(row + size, g1);
      load(row + 2 * size, g2);
      load(row + 3 * size, g3);
      for (int64_t k = begin; k < end; ++k) {
        T* w = grad_weight + x.genes[static_cast<std::size_t>(k)] * slice.width + slice.first;
        const T v = values[k];
        load(w, w0);
        load(w + size, w1);
        load(w + 2 * size, w2);
        load(w + 3 * size, w3);
        w0 += v * g0;
        w1 += v * g1;
        w2 += v * g2;
        w3 += v * g3;
        store(w, w0);
        store(w + size, w1);
        store(w + 2 * size, w2);
        store(w + 3 * size, w3);
      }
      continue;
    }
    for (int64_t k = begin; k < end; ++k) {
      T* w = grad_weight + x.genes[static_cast<std::size_t>(k)] * slice.width + slice.first;
#pragma omp simd
      for (int64_t j = 0; j < slice.n; ++j) w[j] += values[k] * row[j];
    }
  }
}

template <class T>
COMPERT_INLINE void adam_range(T* value, T* grad, T* m, T* v, int64_t n, const AdamStep& s) {
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
    grad[k] = 0;
  }
}

COMPERT_CLONES void round_values(const float* values, int64_t n, uint16_t* out) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) {
    const auto bits = static_cast<uint32_t>(bits_of(values[k]));
    const uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    // What is not a number stays so, though its last bits are lost.
    out[k] = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : nearest);
  }
}

#define COMPERT_FOR(T) \
  COMPERT_CLONES void gather_slice_of(const CellBatch& x, const T* values, const T* weight,        \
                                      const T* bias, T* out, const Slice<T>& slice, int64_t begin, \
                                      int64_t end) {                                               \
    gather_slice<T>(x, values, weight, bias, out, slice, begin, end);                              \
  }                                                                                                \
  COMPERT_CLONES void scatter_slice_of(const CellBatch& x, const T* values, const T* grad_out,     \
                                       T* grad_weight, const Slice<T>& slice) {                    \
    scatter_slice<T>(x, values, grad_out, grad_weight, slice);                                     \
  }                                                                                                \
  COMPERT_CLONES void adam_range_of(T* p, T* g, T* m, T* v, int64_t n, const AdamStep& s) {  \
    adam_range<T>(p, g, m, v, n, s);                                                               \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

/// body(slice) for the columns [begin, end) of `width`.
template <class T, class Body>
void by_slices(int64_t width, int64_t begin, int64_t end, Body&& body) {
  for (int64_t c = begin; c < end; c += Slice<T>::kFull)
    body(Slice<T>{width, c, std::min(Slice<T>::kFull, end - c)});
}

template <class T>
void linear(const CellBatch& x, const T* values, const T* weight, const T* bias, T* out,
            int64_t width) {
  in_parallel(static_cast<int64_t>(x.n_cells()), sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    by_slices<T>(width, 0, width, [&](const Slice<T>& slice) {
      gather_slice_of(x, values, weight, bias, out, slice, begin, end);
    });
  });
}

template <class T>
void linear_grad(const CellBatch& x, const T* values, const T* grad_out, T* grad_weight,
                 int64_t width) {
  // Threads own columns: no two write the same place, and the order of sums never changes.
  const int64_t blocks = (width + 15) / 16, parts = std::min<int64_t>(sweep_threads(), blocks);
  in_parallel(blocks, parts, [&](int64_t, int64_t begin, int64_t end) {
    by_slices<T>(width, begin * 16, std::min(width, end * 16), [&](const Slice<T>& slice) {
      scatter_slice_of(x, values, grad_out, grad_weight, slice);
    });
  });
}

template <class T>
void zero(T* value, int64_t n) {
  in_parallel(n, n < 100000 ? 1 : sweep_threads(),
              [&](int64_t, int64_t begin, int64_t end) { std::fill(value + begin, value + end, T(0)); });
}

template <class T>
void adam(T* value, T* grad, T* m, T* v, int64_t n, const AdamStep& s) {
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

void round_sweep(const float* values, int64_t rows, int64_t width, int64_t leading, uint16_t* out) {
  if (leading == width) {  // one long row, to be shared by all threads
    in_parallel(rows * width, rows * width < 20000 ? 1 : sweep_threads(),
                [&](int64_t, int64_t begin, int64_t end) { round_values(values + begin, end - begin, out + begin); });
    return;
  }
  for (int64_t r = 0; r < rows; ++r) round_values(values + r * leading, width, out + r * width);
}

#define COMPERT_FOR(T) \
  void adam_sweep(T* value, T* grad, T* m, T* v, int64_t n, const AdamStep& s) {             \
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
  void zero_sweep(T* value, int64_t n) { zero<T>(value, n); }                                      \
  void to_dense(const CellBatch& x, const T* values, T* out) { dense<T>(x, values, out); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
