#include "kernels.h"

#include <algorithm>
#include <cmath>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "compert/likelihoods.h"
#include "vector_math.h"

namespace compert {
namespace {

// ---- rows --------------------------------------------------------------------------------------

template <class T>
COMPERT_INLINE double gaussian_row(T* mean, T* scale, const T* x, int64_t genes, bool relu, T weight) {
  const int32_t always = relu ? 0 : -1;
  T loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t g = 0; g < genes; ++g) {
    const T raw = scale[g], t = exp_minus_abs(raw);
    const T v = softplus_of(raw, t) + T(1e-3), inverse = T(1) / v;
    const T m = mean[g], d = where_positive(m, m, always) - x[g], scaled = d * inverse;
    loss += log_of(v) + d * scaled;
    mean[g] = where_positive(m, scaled * weight, always);
    scale[g] = T(0.5) * (inverse - scaled * scaled) * sigmoid_of(raw, t) * weight;
  }
  return 0.5 * static_cast<double>(loss);
}

template <class T>
struct NbScratch {
  std::vector<T> mu, theta, chain_mu, chain_theta;
  explicit NbScratch(std::size_t n) : mu(n), theta(n), chain_mu(n), chain_theta(n) {}
};

/// The likelihood as if every count were zero; fills the scratch for the stored counts.
template <class T>
COMPERT_INLINE double nb_zero_row(T* raw_mu, T* raw_theta, NbScratch<T>& scratch, int64_t genes,
                                  T weight) {
  T* mu_out = scratch.mu.data();
  T* theta_out = scratch.theta.data();
  T* chain_mu = scratch.chain_mu.data();
  T* chain_theta = scratch.chain_theta.data();
  const T eps = T(1e-8);
  T loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t g = 0; g < genes; ++g) {
    const T a = raw_mu[g], ta = exp_minus_abs(a), b = raw_theta[g], tb = exp_minus_abs(b);
    const T mu = softplus_of(a, ta) + T(1e-3), theta = softplus_of(b, tb) + T(1e-3);
    const T da = sigmoid_of(a, ta) * weight, db = sigmoid_of(b, tb) * weight;
    const T total = theta + mu + eps, ratio = mu / (theta + eps);
    const T log_share = log1p_of(ratio);
    loss += theta * log_share;
    raw_mu[g] = theta / total * da;
    raw_theta[g] = (log_share - theta * ratio / total) * db;
    mu_out[g] = mu;
    theta_out[g] = theta;
    chain_mu[g] = da;
    chain_theta[g] = db;
  }
  return static_cast<double>(loss);
}

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

// ---- the same, compiled for several processors -------------------------------------------------

#define COMPERT_FOR(T)                                                                             \
  COMPERT_CLONES double gaussian_row_of(T* m, T* s, const T* x, int64_t n, bool relu, T w) {       \
    return gaussian_row<T>(m, s, x, n, relu, w);                                                   \
  }                                                                                                \
  COMPERT_CLONES double nb_zero_row_of(T* a, T* b, NbScratch<T>& scratch, int64_t n, T w) {        \
    return nb_zero_row<T>(a, b, scratch, n, w);                                                    \
  }                                                                                                \
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

// ---- sweeps ------------------------------------------------------------------------------------

int threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Splits [0, n) into `parts` runs and calls body(part, begin, end) for each, in parallel.
template <class Body>
void in_parallel(int64_t n, int64_t parts, Body&& body) {
  parts = std::max<int64_t>(1, std::min(parts, n));
#pragma omp parallel for schedule(static) if (parts > 1)
  for (int64_t p = 0; p < parts; ++p) body(p, n * p / parts, n * (p + 1) / parts);
}

template <class T>
void expand_row(const CellBatch& x, std::size_t b, std::vector<T>& row) {
  for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k)
    row[static_cast<std::size_t>(x.genes[k])] = static_cast<T>(x.values[k]);
}

template <class T>
void clear_row(const CellBatch& x, std::size_t b, std::vector<T>& row) {
  for (int64_t k = x.offsets[b]; k < x.offsets[b + 1]; ++k)
    row[static_cast<std::size_t>(x.genes[k])] = 0;
}

double sum_rows(const std::vector<double>& rows) {
  double sum = 0;
  for (double r : rows) sum += r;
  return sum;
}

template <class T>
double gaussian(T* raw, const CellBatch& x, bool relu) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  std::vector<double> losses(x.n_cells());
  in_parallel(cells, threads(), [&](int64_t, int64_t begin, int64_t end) {
    std::vector<T> target(x.n_genes, T(0));
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      expand_row(x, row, target);
      T* mean = raw + b * 2 * genes;
      losses[row] = gaussian_row_of(mean, mean + genes, target.data(), genes, relu,
                                    static_cast<T>(1 / n));
      clear_row(x, row, target);
    }
  });
  return sum_rows(losses) / n;
}

template <class T>
double nb(T* raw, const CellBatch& x) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  std::vector<double> losses(x.n_cells());
  in_parallel(cells, threads(), [&](int64_t, int64_t begin, int64_t end) {
    NbScratch<T> scratch(x.n_genes);
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      T* d_mu = raw + b * 2 * genes;
      T* d_theta = d_mu + genes;
      double loss = nb_zero_row_of(d_mu, d_theta, scratch, genes, static_cast<T>(1 / n));
      for (int64_t k = x.offsets[row]; k < x.offsets[row + 1]; ++k) {
        const auto g = static_cast<std::size_t>(x.genes[k]);
        const NbTerm count = nb_count_term(x.values[static_cast<std::size_t>(k)], scratch.mu[g],
                                           scratch.theta[g]);
        loss -= count.log_prob;
        d_mu[g] -= static_cast<T>(count.d_mu) * scratch.chain_mu[g];
        d_theta[g] -= static_cast<T>(count.d_theta) * scratch.chain_theta[g];
      }
      losses[row] = loss;
    }
  });
  return sum_rows(losses) / n;
}

template <class T>
void linear(const CellBatch& x, const T* values, const T* weight, const T* bias, T* out,
            int64_t width) {
  in_parallel(static_cast<int64_t>(x.n_cells()), threads(), [&](int64_t, int64_t begin, int64_t end) {
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
  const int64_t parts = std::min<int64_t>(threads(), std::max<int64_t>(1, width / 16));
  in_parallel(width, parts, [&](int64_t, int64_t begin, int64_t end) {
    scatter_columns_of(x, values, grad_out, grad_weight, width, begin, end);
  });
}

template <class T>
void adam(T* value, const T* grad, T* m, T* v, int64_t n, const AdamStep& s) {
  in_parallel(n, n < 20000 ? 1 : threads(), [&](int64_t, int64_t begin, int64_t end) {
    adam_range_of(value + begin, grad + begin, m + begin, v + begin, end - begin, s);
  });
}

template <class T>
void dense(const CellBatch& x, const T* values, T* out) {
  const auto genes = static_cast<int64_t>(x.n_genes);
  in_parallel(static_cast<int64_t>(x.n_cells()), threads(), [&](int64_t, int64_t begin, int64_t end) {
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

#define COMPERT_FOR(T)                                                                             \
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
  void to_dense(const CellBatch& x, const T* values, T* out) { dense<T>(x, values, out); }         \
  double gaussian_sweep(T* raw, const CellBatch& x, bool relu_mean) {                              \
    return gaussian<T>(raw, x, relu_mean);                                                         \
  }                                                                                                \
  double nb_sweep(T* raw, const CellBatch& x) { return nb<T>(raw, x); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
