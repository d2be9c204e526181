// Likelihoods whose parameters all come from the decoder, cell by cell.
#include <cmath>

#include "compert/likelihoods.h"
#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

template <Spread spread, class T>
COMPERT_INLINE double gaussian_row(T* mean, T* scale, const T* x, int64_t genes, bool relu,
                                   T weight) {
  const int32_t always = relu ? 0 : -1;
  T loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t g = 0; g < genes; ++g) {
    const T raw = scale[g], t = exp_minus_abs(raw);
    const T grown = by_sign(raw, T(1) / t, t) + T(0) * raw;  // exp(raw), and not a number if raw is
    const T smooth = softplus_of(raw, t);
    const T v = spread == Spread::kExp         ? grown + T(1e-4)
                : spread == Spread::kSoftplus ? smooth + T(1e-3)
                                               : (smooth < T(1e-6) ? T(1e-6) : smooth);
    const T inverse = T(1) / v, slope = spread == Spread::kExp ? grown : sigmoid_of(raw, t);
    const T m = mean[g], d = where_positive(m, m, always) - x[g], scaled = d * inverse;
    loss += log_of(v) + d * scaled;
    mean[g] = where_positive(m, scaled * weight, always);
    scale[g] = T(0.5) * (inverse - scaled * scaled) * slope * weight;
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

#define COMPERT_FOR(T)                                                                              \
  COMPERT_CLONES double gaussian_softplus_row(T* m, T* s, const T* x, int64_t n, bool relu, T w) {  \
    return gaussian_row<Spread::kSoftplus, T>(m, s, x, n, relu, w);                                 \
  }                                                                                                 \
  COMPERT_CLONES double gaussian_exp_row(T* m, T* s, const T* x, int64_t n, bool relu, T w) {       \
    return gaussian_row<Spread::kExp, T>(m, s, x, n, relu, w);                                      \
  }                                                                                                 \
  COMPERT_CLONES double gaussian_clamped_row(T* m, T* s, const T* x, int64_t n, bool relu, T w) {   \
    return gaussian_row<Spread::kClampedSoftplus, T>(m, s, x, n, relu, w);                          \
  }                                                                                                 \
  COMPERT_CLONES double nb_zero_row_of(T* a, T* b, NbScratch<T>& scratch, int64_t n, T w) {         \
    return nb_zero_row<T>(a, b, scratch, n, w);                                                     \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
using Row = double (*)(T*, T*, const T*, int64_t, bool, T);

template <class T>
double gaussian(T* raw, const CellBatch& x, const T* values, bool relu, Spread spread) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  std::vector<double> losses(x.n_cells());
  in_parallel(cells, sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    std::vector<T> target(x.n_genes, T(0));
    const auto weight = static_cast<T>(1 / n);
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      expand_row(x, values, row, target);
      T *mean = raw + b * 2 * genes, *scale = mean + genes;
      const auto sweep = spread == Spread::kExp         ? static_cast<Row<T>>(gaussian_exp_row)
                         : spread == Spread::kSoftplus ? static_cast<Row<T>>(gaussian_softplus_row)
                                                        : static_cast<Row<T>>(gaussian_clamped_row);
      losses[row] = sweep(mean, scale, target.data(), genes, relu, weight);
      clear_row(x, row, target);
    }
  });
  return sum_rows(losses) / n;
}

template <class T>
double nb(T* raw, const CellBatch& x, const T* values) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  std::vector<double> losses(x.n_cells());
  in_parallel(cells, sweep_threads(), [&](int64_t, int64_t begin, int64_t end) {
    NbScratch<T> scratch(x.n_genes);
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      T* d_mu = raw + b * 2 * genes;
      T* d_theta = d_mu + genes;
      double loss = nb_zero_row_of(d_mu, d_theta, scratch, genes, static_cast<T>(1 / n));
      for (int64_t k = x.offsets[row]; k < x.offsets[row + 1]; ++k) {
        const auto g = static_cast<std::size_t>(x.genes[k]);
        const NbTerm count = nb_count_term(values[k], scratch.mu[g],
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

}  // namespace

#define COMPERT_FOR(T)                                                                              \
  double gaussian_sweep(T* raw, const CellBatch& x, const T* values, bool relu, Spread spread) {    \
    return gaussian<T>(raw, x, values, relu, spread);                                               \
  }                                                                                                 \
  double nb_sweep(T* raw, const CellBatch& x, const T* values) { return nb<T>(raw, x, values); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
