#include "latent_differences.h"

#include <algorithm>
#include <map>

namespace compert {

LatentDifferences::LatentDifferences(const Architecture& a, ParameterStore& store, Initialiser& init,
                                     int64_t dim)
    : control_(static_cast<int32_t>(a.control)),
      doses_(static_cast<std::size_t>(a.n_perturbations)) {
  const auto n = static_cast<int64_t>(a.measured_dose.size());
  for (int64_t k = 0; k < n; ++k) {
    const auto i = static_cast<std::size_t>(k);
    doses_[static_cast<std::size_t>(a.measured_perturbation[i])].emplace_back(a.measured_dose[i], k);
  }
  for (auto& list : doses_) std::sort(list.begin(), list.end());
  vectors_ = store.add_buffer("latent_differences", init.constant({n, dim}, 0));
}

void LatentDifferences::add_shares(int32_t p, double u, double factor, double* row) const {
  const auto& list = doses_[static_cast<std::size_t>(p)];
  double low_dose = 0;
  int64_t low = -1;
  for (const auto& [dose, k] : list) {
    if (u <= dose) {
      const double share = dose > low_dose ? (u - low_dose) / (dose - low_dose) : 1;
      row[k] += factor * share;
      if (low >= 0) row[low] += factor * (1 - share);
      return;
    }
    low_dose = dose;
    low = k;
  }
  if (low >= 0) row[low] += factor;
}

Tensor LatentDifferences::effect(const Slots& slots) const {
  const Tensor codes = slots.perturbation.to(at::kCPU).contiguous(),
               doses = slots.dose.to(at::kCPU, at::kDouble).contiguous(),
               filled = slots.filled.to(at::kCPU, at::kDouble).contiguous();
  const int64_t n = codes.size(0), m = codes.size(1), k = vectors_->value.size(0);
  const Tensor shares = at::zeros({n, k}, at::kDouble);
  double known = 0;
  for (const auto& list : doses_) known += list.empty() ? 0 : 1;
  for (int64_t s = 0; s < n * m; ++s) {
    const auto p = static_cast<int32_t>(codes.data_ptr<int64_t>()[s]);
    if (filled.data_ptr<double>()[s] == 0 || p == control_) continue;
    const double u = doses.data_ptr<double>()[s];
    double* row = shares.data_ptr<double>() + s / m * k;
    if (!doses_[static_cast<std::size_t>(p)].empty()) {
      add_shares(p, u, 1, row);
      continue;
    }
    for (std::size_t other = 0; other < doses_.size(); ++other)
      add_shares(static_cast<int32_t>(other), u, 1 / std::max(known, 1.0), row);
  }
  return at::matmul(shares.to(vectors_->value.options()), vectors_->value);
}

namespace {

/// The slots of row i that hold a perturbation.
std::vector<std::size_t> filled_slots(const Design& design, std::size_t i) {
  std::vector<std::size_t> out;
  for (std::size_t m = i * design.n_slots; m < (i + 1) * design.n_slots; ++m)
    if (design.perturbation[m] >= 0) out.push_back(m);
  return out;
}

}  // namespace

void LatentDifferences::check(const Design& training) const {
  bool control = false, perturbed = false;
  for (std::size_t i = 0; i < training.n; ++i) {
    const auto parts = filled_slots(training, i);
    if (parts.size() != 1) continue;
    (training.perturbation[parts[0]] == control_ ? control : perturbed) = true;
  }
  if (!control)
    throw Error("control", "must have training cells: differences of latent means start from them",
                "there is none", "Put some controls into the training part of the split");
  if (!perturbed)
    throw Error("perturbation", "must have training cells of single perturbations: their latent means are measured",
                "there are controls and combinations only",
                "Put cells of single perturbations into the training part of the split, or fit cpa()");
}

void LatentDifferences::measure(const Tensor& latent, const Design& design) {
  struct Mean {
    Tensor sum;
    double n = 0;
    void add(const Tensor& row) {
      sum = sum.defined() ? sum + row : row;
      n += 1;
    }
    Tensor value() const { return sum / n; }
  };
  const Tensor rows = latent.to(at::kCPU, at::kDouble);
  std::map<std::vector<int32_t>, std::map<int64_t, Mean>> strata;  // -1: controls
  Mean all_controls;
  for (std::size_t i = 0; i < design.n; ++i) {
    const auto parts = filled_slots(design, i);
    if (parts.size() != 1) continue;
    const int32_t p = design.perturbation[parts[0]];
    const double u = design.dose[parts[0]];
    const auto c = design.covariate.begin() + static_cast<std::ptrdiff_t>(i * design.n_covariates);
    auto& stratum = strata[{c, c + static_cast<std::ptrdiff_t>(design.n_covariates)}];
    const Tensor row = rows[static_cast<int64_t>(i)];
    if (p == control_) {
      stratum[-1].add(row);
      all_controls.add(row);
      continue;
    }
    for (const auto& [dose, k] : doses_[static_cast<std::size_t>(p)])
      if (dose == u) stratum[k].add(row);
  }
  std::map<int64_t, Mean> difference, without_controls;
  for (const auto& [levels, groups] : strata) {
    const auto own = groups.find(-1);
    const bool has = own != groups.end();
    const Tensor control = has ? own->second.value() : all_controls.value();
    for (const auto& [k, mean] : groups)
      if (k >= 0) (has ? difference : without_controls)[k].add(mean.value() - control);
  }
  difference.merge(without_controls);
  at::NoGradGuard no_grad;
  for (const auto& [k, mean] : difference) vectors_->value[k].copy_(mean.value());
}

}  // namespace compert
