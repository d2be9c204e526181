/// The likelihood sweeps of the core at given means and variances (or inverse dispersions), whose
/// pre-images under softplus + 1e-3 they are given.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "compert/likelihoods.h"
#include "torch/kernels.h"

namespace sweep {

/// Only values above this can come out of softplus + 1e-3 in single precision.
constexpr double kReachable = 1.001e-3;

inline double before_softplus(double v) {
  const double s = v - 1e-3;
  return s > 30 ? s : std::log(std::expm1(s));
}

/// One cell with the given genes; zeros are not stored.
inline compert::CellBatch one_cell(const std::vector<double>& x) {
  compert::CellBatch batch;
  batch.n_genes = x.size();
  for (std::size_t g = 0; g < x.size(); ++g) {
    if (x[g] == 0) continue;
    batch.genes.push_back(static_cast<int32_t>(g));
    batch.values.push_back(static_cast<float>(x[g]));
  }
  batch.offsets.push_back(static_cast<int64_t>(batch.values.size()));
  return batch;
}

/// What is stored in a batch, in the precision of a sweep.
template <class T>
std::vector<T> stored_as(const compert::CellBatch& x) {
  return std::vector<T>(x.values.begin(), x.values.end());
}

/// Negative log-likelihoods and their derivatives by the two parameters, per gene.
struct Elements {
  std::vector<double> loss, d_first, d_second;
};

enum class Family { kGaussian, kNegativeBinomial };

/// T is the precision of the sweep. Losses come from sweeps over one gene each (a sweep gives their
/// mean), derivatives from one sweep over all genes.
template <class T>
Elements elements(Family family, const std::vector<double>& x, const std::vector<double>& first,
                  const std::vector<double>& second) {
  const bool gaussian = family == Family::kGaussian;
  const std::size_t n = x.size();
  const auto run = [&](T* raw, const compert::CellBatch& batch) {
    const auto values = stored_as<T>(batch);
    return gaussian ? compert::gaussian_sweep(raw, batch, values.data(), false, compert::Spread::kSoftplus)
                    : compert::nb_sweep(raw, batch, values.data());
  };
  std::vector<T> raw(2 * n);
  for (std::size_t g = 0; g < n; ++g) {
    raw[g] = static_cast<T>(gaussian ? first[g] : before_softplus(first[g]));
    raw[n + g] = static_cast<T>(before_softplus(second[g]));
  }
  Elements out;
  for (std::size_t g = 0; g < n; ++g) {
    T pair[2] = {raw[g], raw[n + g]};
    out.loss.push_back(run(pair, one_cell({x[g]})));
  }
  std::vector<T> gradient = raw;
  run(gradient.data(), one_cell(x));
  for (std::size_t g = 0; g < n; ++g) {
    const double scale = static_cast<double>(n);
    const double chain = gaussian ? 1 : compert::sigmoid(raw[g]);
    out.d_first.push_back(gradient[g] * scale / chain);
    out.d_second.push_back(gradient[n + g] * scale / compert::sigmoid(raw[n + g]));
  }
  return out;
}

}  // namespace sweep
