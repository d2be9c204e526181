// Alignment of basal states: a term that strips the perturbation from them without a game.
//
// The adversaries of CPA are weak on small screens: the basal state keeps the perturbation, the
// embedding stays unused and the counterfactual equals the control. This term measures the same
// dependence directly, as the between-sample share of energy distances (the statistic of DISCO
// analysis, Rizzo and Szekely 2010, doi:10.1214/09-AOAS245; energy distance: Szekely and Rizzo
// 2013, doi:10.1016/j.jspi.2013.03.018), within cells of equal covariates:
//
//   numerator   = sum over strata s of 1/N_s [ sum_{g(i) != g(j)} D_ij
//                 - sum_g (N_s - n_g) / (n_g - 1) sum_{i != j in g} D_ij ]
//   denominator = sum over strata s of 1/N_s sum_{g(i) != g(j)} D_ij
//
// with D the Euclidean distance of basal states and g the condition of a cell. The ratio is 0 in
// expectation when the basal state does not depend on the condition, at most 1, and free of scale:
// the encoder gains nothing by shrinking its output.
#include <map>

#include "network.h"
#include "product.h"

namespace compert {
namespace {

struct Weights {
  std::vector<float> numerator, denominator;  // cells x cells
  bool any = false;
};

Weights pair_weights(const Batch& batch) {
  const auto n = static_cast<std::size_t>(batch.size());
  std::map<int64_t, double> size;
  for (const int64_t g : batch.condition) ++size[g];
  // Conditions of a single cell have no distances within and are left out, with their strata's count.
  std::map<int64_t, double> total;
  for (std::size_t i = 0; i < n; ++i)
    if (size[batch.condition[i]] >= 2) ++total[batch.stratum[i]];
  Weights w;
  w.numerator.assign(n * n, 0);
  w.denominator.assign(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const double in_group = size[batch.condition[i]];
    if (in_group < 2) continue;
    const double in_stratum = total[batch.stratum[i]];
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j || batch.stratum[j] != batch.stratum[i] || size[batch.condition[j]] < 2) continue;
      if (batch.condition[j] == batch.condition[i]) {
        w.numerator[i * n + j] =
            static_cast<float>(-(in_stratum - in_group) / (in_group - 1) / in_stratum);
      } else {
        w.numerator[i * n + j] = w.denominator[i * n + j] = static_cast<float>(1 / in_stratum);
        w.any = true;
      }
    }
  }
  return w;
}

Tensor square_tensor(const std::vector<float>& values, int64_t n, const at::TensorOptions& options) {
  Tensor t = at::empty({n, n}, at::kFloat);
  std::copy(values.begin(), values.end(), t.data_ptr<float>());
  return t.to(options);
}

}  // namespace

Tensor Network::alignment_loss(const Tensor& basal, const Batch& batch) const {
  const Weights weights = pair_weights(batch);
  if (!weights.any) return at::zeros({}, options_);
  const int64_t n = batch.size();
  const Tensor centred = basal - basal.detach().mean(0);
  const Tensor squares = centred.square().sum(1);
  const Tensor distance = (squares.unsqueeze(0) + squares.unsqueeze(1) -
                           exact_product(centred, centred.t()) * 2)
                              .clamp_min(0)
                              .add(1e-6)
                              .sqrt();
  return (distance * square_tensor(weights.numerator, n, options_)).sum() /
         (distance * square_tensor(weights.denominator, n, options_)).sum();
}

}  // namespace compert
