// The sparse product of the first layer, and Adam.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

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

/// The stored values of the genes [first, last) of a batch, gene by gene: those of gene g are at
/// [start[g - first], start[g - first + 1]), in the order of cells.
template <class T>
struct ByGene {
  int64_t first, last;
  const int64_t* start;
  const int32_t* cell;
  const T* value;
};

/// grad_weight of these genes += what their cells' derivatives make of it. A gene's sum stays in registers.
template <class T>
COMPERT_INLINE void sum_slice(const ByGene<T>& x, const T* grad_out, T* grad_weight, const Slice<T>& slice) {
  constexpr int64_t size = Pack<T>::kSize;
  for (int64_t g = x.first; g < x.last; ++g) {
    T* w = grad_weight + g * slice.width + slice.first;
    const int64_t begin = x.start[g - x.first], end = x.start[g - x.first + 1];
    if (begin == end) continue;
    if (slice.n == Slice<T>::kFull) {
      typename Pack<T>::Values g0, g1, g2, g3, w0, w1, w2, w3;
      load(w, w0);
      load(w + size, w1);
      load(w + 2 * size, w2);
      load(w + 3 * size, w3);
      for (int64_t k = begin; k < end; ++k) {
        const T* row = grad_out + x.cell[k] * slice.width + slice.first;
        const T v = x.value[k];
        load(row, g0);
        load(row + size, g1);
        load(row + 2 * size, g2);
        load(row + 3 * size, g3);
        w0 += v * g0;
        w1 += v * g1;
        w2 += v * g2;
        w3 += v * g3;
      }
      store(w, w0);
      store(w + size, w1);
      store(w + 2 * size, w2);
      store(w + 3 * size, w3);
      continue;
    }
    for (int64_t k = begin; k < end; ++k) {
      const T* row = grad_out + x.cell[k] * slice.width + slice.first;
#pragma omp simd
      for (int64_t j = 0; j < slice.n; ++j) w[j] += x.value[k] * row[j];
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
  COMPERT_CLONES void sum_slice_of(const ByGene<T>& x, const T* grad_out, T* grad_weight,           \
                                   const Slice<T>& slice) {                                         \
    sum_slice<T>(x, grad_out, grad_weight, slice);                                                 \
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

constexpr int64_t kFewestStored = 1024;  // values, for a thread of its own

/// Where each gene's stored values begin once they are sorted by gene, and at last where all end.
std::vector<int64_t> begin_of_genes(const CellBatch& x) {
  std::vector<int64_t> begin(x.n_genes + 1, 0);
  for (const int32_t gene : x.genes) ++begin[static_cast<std::size_t>(gene) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  return begin;
}

/// Threads own genes, about as many stored values each: no two write the same place, and sums are over
/// cells in their order.
template <class T>
void linear_grad(const CellBatch& x, const T* values, const T* grad_out, T* grad_weight,
                 int64_t width) {
  const int64_t n_genes = static_cast<int64_t>(x.n_genes), n_stored = static_cast<int64_t>(x.n_stored());
  const std::vector<int64_t> start = begin_of_genes(x);
  const auto gene_at = [&start](int64_t stored) {
    return std::lower_bound(start.begin(), start.end() - 1, stored) - start.begin();
  };
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(sweep_threads(), n_stored / kFewestStored));
  in_parallel(parts, parts, [&](int64_t part, int64_t, int64_t) {
    const int64_t first = gene_at(n_stored * part / parts),
                  last = part + 1 == parts ? n_genes : gene_at(n_stored * (part + 1) / parts);
    thread_local std::vector<int32_t> cell;
    thread_local std::vector<T> value;
    thread_local std::vector<int64_t> begin, next;
    const int64_t offset = start[static_cast<std::size_t>(first)];
    const auto own = static_cast<std::size_t>(start[static_cast<std::size_t>(last)] - offset);
    if (cell.size() < own) cell.resize(own);
    if (value.size() < own) value.resize(own);
    begin.assign(start.begin() + first, start.begin() + last + 1);
    for (int64_t& at : begin) at -= offset;
    next = begin;
    const auto genes = static_cast<uint32_t>(last - first);
    for (std::size_t b = 0; b < x.n_cells(); ++b)
      for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k) {
        const auto gene = static_cast<uint32_t>(x.genes[static_cast<std::size_t>(k)] - first);
        if (gene >= genes) continue;  // of another thread
        const auto at = static_cast<std::size_t>(next[gene]++);
        cell[at] = static_cast<int32_t>(b);
        value[at] = values[k];
      }
    const ByGene<T> by_gene{first, last, begin.data(), cell.data(), value.data()};
    by_slices<T>(width, 0, width,
                 [&](const Slice<T>& slice) { sum_slice_of(by_gene, grad_out, grad_weight, slice); });
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
