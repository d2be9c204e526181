// Likelihoods of counts with the library size: mean = total x softmax, one inverse dispersion per
// gene. lgamma is only needed where a count is stored.
#include <cmath>

#include "compert/likelihoods.h"
#include "kernels.h"
#include "kernels_detail.h"
#include "vector_math.h"

namespace compert {
namespace {

constexpr double kEps = 1e-8;  // of the references' logarithms

/// Inverse dispersions of all genes: theta, theta + eps and 1 / (theta + eps).
template <class T>
struct Dispersion {
  const T* theta;
  std::vector<T> with_eps, inverse;
  Dispersion(const T* values, std::size_t genes) : theta(values), with_eps(genes), inverse(genes) {
    for (std::size_t g = 0; g < genes; ++g) {
      with_eps[g] = values[g] + T(kEps);
      inverse[g] = T(1) / with_eps[g];
    }
  }
};

/// Per gene of one cell: the mean and the derivatives of the negative log-likelihood.
template <class T>
struct Scratch {
  std::vector<T> mean, d_mean;
  std::vector<T> plain_mean, plain_theta, sampled, stored_loss;  // zero-inflated only
  Scratch(std::size_t n, bool zero_inflated) : mean(n), d_mean(n) {
    if (!zero_inflated) return;
    for (auto* v : {&plain_mean, &plain_theta, &sampled, &stored_loss}) v->resize(n);
  }
};

/// exp(logit - largest) to `out`, and their sum.
template <class T>
COMPERT_INLINE T exp_row(const T* logits, T* out, int64_t genes) {
  T largest = logits[0], sum = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t g = 0; g < genes; ++g) largest = logits[g] > largest ? logits[g] : largest;
#pragma omp simd reduction(+ : sum)
  for (int64_t g = 0; g < genes; ++g) {
    out[g] = exp_minus_abs(logits[g] - largest);
    sum += out[g] + T(0) * logits[g];  // not a number if a logit is
  }
  return sum;
}

/// The likelihood of a cell as if every count were zero. `mean` holds exp_row() on entry.
template <class T>
COMPERT_INLINE double nb_row(T* mean, T* d_mean, T* d_theta, const Dispersion<T>& dispersion, T scale,
                             int64_t genes) {
  const T *theta = dispersion.theta, *with_eps = dispersion.with_eps.data(),
          *inverse = dispersion.inverse.data();
  T loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t g = 0; g < genes; ++g) {
    const T mu = mean[g] * scale, th = theta[g], over_total = T(1) / (with_eps[g] + mu);
    const T ratio = mu * inverse[g], log_share = log1p_of(ratio, with_eps[g] * over_total),
            share = th * over_total;
    loss += th * log_share;
    d_theta[g] += log_share - share * ratio;
    d_mean[g] = share;
    mean[g] = mu;
  }
  return static_cast<double>(loss);
}

/// The same, zero-inflated with the given logits, which become their gradient.
template <class T>
COMPERT_INLINE double zinb_row(Scratch<T>& s, T* zero_logit, T* d_theta,
                               const Dispersion<T>& dispersion, T scale, int64_t genes, T weight) {
  const T *theta = dispersion.theta, *with_eps = dispersion.with_eps.data(),
          *inverse = dispersion.inverse.data();
  T *mean = s.mean.data(), *d_mean = s.d_mean.data(), *plain_mean = s.plain_mean.data(),
    *plain_theta = s.plain_theta.data(), *sampled = s.sampled.data(), *stored = s.stored_loss.data();
  T loss = 0;
#pragma omp simd reduction(+ : loss)
  for (int64_t g = 0; g < genes; ++g) {
    const T mu = mean[g] * scale, th = theta[g], total = with_eps[g] + mu;
    const T pi = zero_logit[g], ep = exp_minus_abs(pi), both = T(1) / (total * (T(1) + ep));
    const T over_total = (T(1) + ep) * both;  // one division for two
    const T ratio = mu * inverse[g], log_share = log1p_of(ratio, with_eps[g] * over_total),
            share = th * over_total;
    const T nb = th * log_share, u = -nb - pi;
    const T eu = exp_minus_abs(u), softplus_u = softplus_of(u, eu), q = sigmoid_of(u, eu);
    const T softplus_p = softplus_of(-pi, ep), absent = by_sign(-pi, T(1), ep) * (total * both);
    const T slope = log_share - share * ratio;
    loss += softplus_p - softplus_u;
    d_theta[g] += q * slope;
    d_mean[g] = q * share;
    zero_logit[g] = (q - absent) * weight;
    mean[g] = mu;
    plain_mean[g] = share;
    plain_theta[g] = slope - q * slope;
    sampled[g] = q;
    stored[g] = pi + nb + softplus_u;  // what a stored count's loss has more, before its count term
  }
  return static_cast<double>(loss);
}

/// Derivatives by the means to those by the logits of the softmax.
template <class T>
COMPERT_INLINE void softmax_row(T* logits, const T* mean, const T* d_mean, T library, int64_t genes,
                                T weight) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t g = 0; g < genes; ++g) sum += mean[g] * d_mean[g];
  const T average = library > 0 ? sum / library : 0;
#pragma omp simd
  for (int64_t g = 0; g < genes; ++g) logits[g] = mean[g] * (d_mean[g] - average) * weight;
}

#define COMPERT_FOR(T)                                                                             \
  COMPERT_CLONES T exp_row_of(const T* logits, T* out, int64_t genes) {                            \
    return exp_row<T>(logits, out, genes);                                                         \
  }                                                                                                \
  COMPERT_CLONES double nb_row_of(T* mean, T* d_mean, T* d_theta, const Dispersion<T>& dispersion, \
                                  T scale, int64_t genes) {                                        \
    return nb_row<T>(mean, d_mean, d_theta, dispersion, scale, genes);                             \
  }                                                                                                \
  COMPERT_CLONES double zinb_row_of(Scratch<T>& s, T* zero, T* d_theta,                            \
                                    const Dispersion<T>& dispersion, T scale, int64_t genes,       \
                                    T weight) {                                                    \
    return zinb_row<T>(s, zero, d_theta, dispersion, scale, genes, weight);                        \
  }                                                                                                \
  COMPERT_CLONES void softmax_row_of(T* logits, const T* mean, const T* d_mean, T library,         \
                                     int64_t genes, T weight) {                                    \
    softmax_row<T>(logits, mean, d_mean, library, genes, weight);                                  \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

template <class T>
double library_sweep(T* raw, const CellBatch& x, const T* values, const T* library, const T* theta,
                     T* d_theta, bool zero_inflated) {
  const auto cells = static_cast<int64_t>(x.n_cells()), genes = static_cast<int64_t>(x.n_genes);
  const double n = static_cast<double>(cells) * static_cast<double>(genes);
  const auto weight = static_cast<T>(1 / n);
  const int64_t stride = zero_inflated ? 2 * genes : genes;
  const int64_t parts = std::max<int64_t>(1, std::min<int64_t>(sweep_threads(), cells));
  std::vector<double> losses(x.n_cells());
  std::vector<std::vector<T>> theta_parts(static_cast<std::size_t>(parts));
  const Dispersion<T> dispersion(theta, x.n_genes);
  in_parallel(cells, parts, [&](int64_t part, int64_t begin, int64_t end) {
    Scratch<T> s(x.n_genes, zero_inflated);
    std::vector<T>& by_theta = theta_parts[static_cast<std::size_t>(part)];
    by_theta.assign(x.n_genes, T(0));
    for (int64_t b = begin; b < end; ++b) {
      const auto row = static_cast<std::size_t>(b);
      T *logits = raw + b * stride, *zero = logits + genes;
      const T scale = library[b] / exp_row_of(logits, s.mean.data(), genes);
      double loss = zero_inflated ? zinb_row_of(s, zero, by_theta.data(), dispersion, scale, genes, weight)
                                  : nb_row_of(s.mean.data(), s.d_mean.data(), by_theta.data(),
                                              dispersion, scale, genes);
      for (int64_t k = x.offsets[row]; k < x.offsets[row + 1]; ++k) {
        if (!(values[k] > 0)) continue;
        const auto g = static_cast<std::size_t>(x.genes[static_cast<std::size_t>(k)]);
        const NbTerm count = nb_count_term(values[k], s.mean[g], theta[g]);
        loss -= count.log_prob;
        by_theta[g] -= static_cast<T>(count.d_theta);
        if (zero_inflated) {
          loss += s.stored_loss[g];
          by_theta[g] += s.plain_theta[g];
          s.d_mean[g] = s.plain_mean[g];
          zero[g] += (1 - s.sampled[g]) * weight;
        }
        s.d_mean[g] -= static_cast<T>(count.d_mu);
      }
      softmax_row_of(logits, s.mean.data(), s.d_mean.data(), library[b], genes, weight);
      losses[row] = loss;
    }
  });
  for (int64_t g = 0; g < genes; ++g) {
    T sum = 0;
    for (const auto& part : theta_parts) sum += part[static_cast<std::size_t>(g)];
    d_theta[g] = sum * weight;
  }
  return sum_rows(losses) / n;
}

}  // namespace

#define COMPERT_FOR(T)                                                                             \
  double nb_library_sweep(T* raw, const CellBatch& x, const T* values, const T* library,           \
                          const T* theta, T* d_theta) {                                            \
    return library_sweep<T>(raw, x, values, library, theta, d_theta, false);                       \
  }                                                                                                \
  double zinb_library_sweep(T* raw, const CellBatch& x, const T* values, const T* library,         \
                            const T* theta, T* d_theta) {                                          \
    return library_sweep<T>(raw, x, values, library, theta, d_theta, true);                        \
  }
COMPERT_FOR(float)
COMPERT_FOR(double)
#undef COMPERT_FOR

}  // namespace compert
