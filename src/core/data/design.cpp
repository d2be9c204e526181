#include "compert/design.h"

#include <cmath>

#include "compert/error.h"

namespace compert {

Design Design::rows(const int64_t* rows, std::size_t count) const {
  Design out;
  out.n = count;
  out.n_slots = n_slots;
  out.n_covariates = n_covariates;
  out.n_continuous = n_continuous;
  out.perturbation.reserve(count * n_slots);
  out.dose.reserve(count * n_slots);
  out.covariate.reserve(count * n_covariates);
  out.continuous.reserve(count * n_continuous);
  for (std::size_t b = 0; b < count; ++b) {
    if (rows[b] < 0 || static_cast<std::size_t>(rows[b]) >= n)
      throw Error("cells", "must be rows of the design",
                  "row " + std::to_string(rows[b]) + " of " + std::to_string(n));
    const auto i = static_cast<std::ptrdiff_t>(rows[b]);
    const auto s = static_cast<std::ptrdiff_t>(n_slots), c = static_cast<std::ptrdiff_t>(n_covariates);
    out.perturbation.insert(out.perturbation.end(), perturbation.begin() + i * s,
                            perturbation.begin() + (i + 1) * s);
    out.dose.insert(out.dose.end(), dose.begin() + i * s, dose.begin() + (i + 1) * s);
    out.covariate.insert(out.covariate.end(), covariate.begin() + i * c,
                         covariate.begin() + (i + 1) * c);
    const auto v = continuous.begin() + i * static_cast<std::ptrdiff_t>(n_continuous);
    out.continuous.insert(out.continuous.end(), v, v + static_cast<std::ptrdiff_t>(n_continuous));
    if (!bin.empty()) out.bin.push_back(bin[static_cast<std::size_t>(i)]);
    if (!condition.empty()) out.condition.push_back(condition[static_cast<std::size_t>(i)]);
    if (!measured.empty()) out.measured.push_back(measured[static_cast<std::size_t>(i)]);
  }
  return out;
}

Design Design::one_hot(int64_t n_perturbations) const {
  Design out = *this;
  out.n_slots = static_cast<std::size_t>(n_perturbations);
  out.perturbation.resize(n * out.n_slots);
  out.dose.assign(n * out.n_slots, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < out.n_slots; ++j)
      out.perturbation[i * out.n_slots + j] = static_cast<int32_t>(j);
    for (std::size_t m = i * n_slots; m < (i + 1) * n_slots; ++m)
      if (perturbation[m] >= 0)
        out.dose[i * out.n_slots + static_cast<std::size_t>(perturbation[m])] = dose[m];
  }
  return out;
}

void Design::check(int64_t n_perturbations, const std::vector<int64_t>& covariate_levels,
                   int64_t known_continuous, bool open_covariates) const {
  const auto same_number = [](std::size_t given, std::size_t known, const char* what) {
    if (given != known)
      throw Error("design", std::string("must have as many ") + what + " as the model",
                  std::to_string(given) + " given, the model has " + std::to_string(known));
  };
  same_number(n_covariates, covariate_levels.size(), "covariates");
  same_number(n_continuous, static_cast<std::size_t>(known_continuous), "continuous covariates");
  const auto one_per_row = [this](std::size_t size) { return size == 0 || size == n; };
  if (perturbation.size() != n * n_slots || dose.size() != n * n_slots || covariate.size() != n * n_covariates ||
      continuous.size() != n * n_continuous || !one_per_row(condition.size()) || !one_per_row(measured.size()) ||
      !one_per_row(bin.size()))
    throw Error("design", "must have one entry per row and slot");
  for (std::size_t k = 0; k < perturbation.size(); ++k) {
    if (perturbation[k] < -1 || perturbation[k] >= n_perturbations)
      throw Error("design", "must use perturbation codes of the model",
                  "code " + std::to_string(perturbation[k]) + " of " +
                      std::to_string(n_perturbations));
    if (!std::isfinite(dose[k]) || dose[k] < 0)
      throw Error("dose", "must be finite and not negative", "dose " + std::to_string(dose[k]));
  }
  for (std::size_t k = 0; k < covariate.size(); ++k) {
    const int64_t levels = covariate_levels[k % n_covariates];
    if (covariate[k] < (open_covariates ? -1 : 0) || covariate[k] >= levels)
      throw Error("design", "must use covariate codes of the model",
                  "code " + std::to_string(covariate[k]) + " of " + std::to_string(levels));
  }
  for (const double v : continuous)
    if (!std::isfinite(v) && !(open_covariates && std::isnan(v)))
      throw Error("continuous", "must have finite values", std::to_string(v));
}

}  // namespace compert
