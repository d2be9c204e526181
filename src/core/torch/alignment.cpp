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
#include "alignment.h"

#include <map>
#include <unordered_set>

#include "kernels.h"
#include "product.h"

namespace compert {
namespace {

/// With its derivatives, on a processor.
struct Alignment : public torch::autograd::Function<Alignment> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& basal, const AlignmentPairs& pairs) {
    const ReducedProducts unreduced(false);
    const Tensor centred = basal - basal.mean(0), squares = centred.square().sum(1);
    Tensor weights = product(centred, centred.t());
    double loss = 0;
    by_type(weights, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      loss = alignment_sweep(
          CellPairs<T>{weights.size(0), pairs.stratum.data_ptr<int32_t>(), pairs.condition.data_ptr<int32_t>(),
                       pairs.between.data_ptr<T>(), pairs.within.data_ptr<T>(), squares.data_ptr<T>()},
          weights.data_ptr<T>());
    });
    ctx->saved_data["gradient"] = centred * weights.sum(1, true) - product(weights, centred);
    return at::full({}, loss, basal.options());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    return {ctx->saved_data["gradient"].toTensor() * grads[0], Tensor()};
  }
};

/// The same by LibTorch's own operations.
Tensor composed_alignment(const Tensor& basal, const AlignmentPairs& pairs) {
  const Tensor &stratum = pairs.stratum, &condition = pairs.condition;
  const Tensor same = condition.unsqueeze(1) == condition.unsqueeze(0),
               apart = (stratum.unsqueeze(1) == stratum.unsqueeze(0)) & same.logical_not();
  const Tensor between = apart * pairs.between.unsqueeze(1);
  const Tensor within = (same * pairs.within.unsqueeze(1)).fill_diagonal_(0);
  const Tensor centred = basal - basal.detach().mean(0);
  const Tensor squares = centred.square().sum(1);
  const Tensor distance = (squares.unsqueeze(0) + squares.unsqueeze(1) -
                           exact_product(centred, centred.t()) * 2)
                              .clamp_min(0)
                              .add(1e-6)
                              .sqrt();
  return (distance * (between + within)).sum() / (distance * between).sum();
}

}  // namespace

AlignmentPairs alignment_pairs(const std::vector<int64_t>& stratum, const std::vector<int64_t>& condition,
                               at::ScalarType type) {
  const std::size_t n = condition.size();
  std::map<int64_t, double> size;
  for (const int64_t g : condition) ++size[g];
  // Conditions of a single cell have no distances within and are left out, with their strata's count.
  std::map<int64_t, double> total;
  for (std::size_t i = 0; i < n; ++i)
    if (size[condition[i]] >= 2) ++total[stratum[i]];
  AlignmentPairs out;
  std::vector<int32_t> strata, conditions;
  std::vector<double> between, within;
  for (std::size_t i = 0; i < n; ++i) {
    const double in_group = size[condition[i]];
    const bool counts = in_group >= 2;
    const double in_stratum = counts ? total[stratum[i]] : 1;
    conditions.push_back(static_cast<int32_t>(condition[i]));
    strata.push_back(counts ? static_cast<int32_t>(stratum[i]) : -1 - static_cast<int32_t>(i));
    between.push_back(1 / in_stratum);
    within.push_back(counts ? -(in_stratum - in_group) / (in_group - 1) / in_stratum : 0);
    out.any = out.any || (counts && in_stratum > in_group);
  }
  const auto cells = static_cast<int64_t>(n);
  out.between = to_tensor({{cells}, between}).to(type);
  out.within = to_tensor({{cells}, within}).to(type);
  out.stratum = at::tensor(strata, at::kInt);
  out.condition = at::tensor(conditions, at::kInt);
  return out;
}

void set_repeats_apart(const int64_t* cells, std::vector<int64_t>& condition) {
  std::unordered_set<int64_t> seen;
  int64_t next = static_cast<int64_t>(condition.size());  // no condition's number, see RowGroups
  for (std::size_t i = 0; i < condition.size(); ++i)
    if (!seen.insert(cells[i]).second) condition[i] = next++;
}

Tensor alignment_loss(const Tensor& basal, const AlignmentPairs& pairs, bool swept) {
  if (!pairs.any) return at::zeros({}, basal.options().requires_grad(false));
  return swept && basal.is_cpu() ? Alignment::apply(basal, pairs) : composed_alignment(basal, pairs);
}

}  // namespace compert
