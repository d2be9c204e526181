// Likelihoods whose parameters all come from the decoder, cell by cell.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "compert/likelihoods.h"
#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

/// Mantissas of so many numbers multiply without overflow.
constexpr int64_t kOneLogarithm = 128;
constexpr double kLog2 = 0.69314718055994530942;

/// What a Gaussian sweep writes and reads of a cell.
template <class T>
struct GaussianRow {
  T *mean, *scale;           // raw values, then derivatives
  const T* x;
  T *sum_mean, *sum_scale;   // sums of the derivatives over cells
  int64_t genes;
  bool relu;
  T weight;
};

template <Spread spread, class T>
COMPERT_INLINE double gaussian_row(const GaussianRow<T>& r) {
  using Exponent = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  T *mean = r.mean, *scale = r.scale, *sum_mean = r.sum_mean, *sum_scale = r.sum_scale;
  const T *x = r.x, weight = r.weight;
  const int32_t always = r.relu ? 0 : -1;
  double loss = 0;
  for (int64_t first = 0; first < r.genes; first += kOneLogarithm) {
    const int64_t end = std::min(first + kOneLogarithm, r.genes);
    T squares = 0, mantissas = 1;  // the sum of log(v) is the logarithm of a product
    Exponent exponents = 0;
#pragma omp simd reduction(+ : squares, exponents) reduction(* : mantissas)
    for (int64_t g = first; g < end; ++g) {
      const T raw = scale[g], t = exp_minus_abs(raw);
      T v, inverse, slope;
      if (spread == Spread::kExp) {
        slope = by_sign(raw, T(1) / t, t) + T(0) * raw;  // exp(raw), and not a number if raw is
        v = slope + T(1e-4);
        inverse = T(1) / v;
      } else {
        const T smooth = softplus_of(raw, t), u = T(1) + t;
        v = spread == Spread::kSoftplus ? smooth + T(1e-3) : (smooth < T(1e-6) ? T(1e-6) : smooth);
        const T both = T(1) / (u * v);  // one division instead of two
        inverse = u * both;
        slope = by_sign(raw, T(1), t) * (v * both);
      }
      const T m = mean[g], d = where_positive(m, m, always) - x[g], scaled = d * inverse;
      Exponent exponent;
      mantissas *= mantissa_of(v, exponent);
      exponents += exponent;
      squares += d * scaled;
      const T d_mean = where_positive(m, scaled * weight, always),
              d_scale = T(0.5) * (inverse - scaled * scaled) * slope * weight;
      mean[g] = d_mean;
      scale[g] = d_scale;
      sum_mean[g] += d_mean;
      sum_scale[g] += d_scale;
    }
    loss += static_cast<double>(squares) + std::log(static_cast<double>(mantissas)) +
            static_cast<double>(exponents) * kLog2;
  }
  return 0.5 * loss;
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
  COMPERT_CLONES double gaussian_softplus_row(const GaussianRow<T>& r) {                            \
    return gaussian_row<Spread::kSoftplus, T>(r);                                                   \
  }                                                                                                 \
  COMPERT_CLONES double gaussian_exp_row(const GaussianRow<T>& r) {                                 \
    return gaussian_row<Spread::kExp, T>(r);                                                        \
  }                                                                                                 \
  COMPERT_CLONES double gaussian_clamped_row(const GaussianRow<T>& r) {                             \
    return gaussian_row<Spread::kClampedSoftplus, T>(r);                                            \
  }                                                                                                 \
  COMPERT_CLONES double nb_zero_row_of(T* a, T* b, NbScratch<T>& scratch, int64_t n, T w) {         \
    return nb_zero_row<T>(a, b, scratch, n, w);                                                     \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
double gaussian(T* raw, const CellBatch& x, const T* values, bool relu, Spread spread, T* d_bias) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  using Sweep = double (*)(const GaussianRow<T>&);
  const auto sweep = spread == Spread::kExp         ? static_cast<Sweep>(gaussian_exp_row)
                     : spread == Spread::kSoftplus ? static_cast<Sweep>(gaussian_softplus_row)
                                                    : static_cast<Sweep>(gaussian_clamped_row);
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(sweep_threads(), cells));
  std::vector<double> losses(x.n_cells());
  std::vector<std::vector<T>> sums(static_cast<std::size_t>(parts));
  in_parallel(cells, parts, [&](int64_t part, int64_t begin, int64_t end) {
    std::vector<T> target(x.n_genes, T(0));
    std::vector<T>& sum = sums[static_cast<std::size_t>(part)];
    sum.assign(2 * x.n_genes, T(0));
    GaussianRow<T> r{nullptr, nullptr, target.data(), sum.data(), sum.data() + genes,
                     genes,   relu,    static_cast<T>(1 / n)};
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      expand_row(x, values, row, target);
      r.mean = raw + b * 2 * genes;
      r.scale = r.mean + genes;
      losses[row] = sweep(r);
      clear_row(x, row, target);
    }
  });
  if (d_bias != nullptr)
    for (std::size_t k = 0; k < 2 * x.n_genes; ++k) {
      d_bias[k] = 0;
      for (const auto& sum : sums) d_bias[k] += sum[k];
    }
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
  double gaussian_sweep(T* raw, const CellBatch& x, const T* values, bool relu, Spread spread,      \
                        T* d_bias) {                                                                \
    return gaussian<T>(raw, x, values, relu, spread, d_bias);                                       \
  }                                                                                                 \
  double nb_sweep(T* raw, const CellBatch& x, const T* values) { return nb<T>(raw, x, values); }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
