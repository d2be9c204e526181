/// Conversions shared by the glue of models: states, designs, index lists, gene tables.
#pragma once
#include <Rcpp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "compert/design.h"

namespace compert_glue {

inline std::vector<uint8_t> bytes(const Rcpp::RawVector& raw) { return {raw.begin(), raw.end()}; }

inline Rcpp::RawVector raw(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

/// R's slots x n matrices are, column by column, the core's rows.
inline compert::Design design_of(const Rcpp::List& x) {
  const Rcpp::IntegerMatrix perturbation = x["perturbation"], covariates = x["covariates"];
  const Rcpp::NumericMatrix dose = x["dose"];
  compert::Design d;
  d.n = static_cast<std::size_t>(perturbation.ncol());
  d.n_slots = static_cast<std::size_t>(perturbation.nrow());
  d.n_covariates = static_cast<std::size_t>(covariates.nrow());
  d.perturbation.assign(perturbation.begin(), perturbation.end());
  d.dose.assign(dose.begin(), dose.end());
  d.covariate.assign(covariates.begin(), covariates.end());
  if (x.containsElementNamed("condition")) {
    const Rcpp::IntegerVector condition = x["condition"];
    d.condition.assign(condition.begin(), condition.end());
  }
  return d;
}

inline std::vector<std::vector<int64_t>> cell_lists(const Rcpp::List& lists) {
  std::vector<std::vector<int64_t>> out;
  for (R_xlen_t k = 0; k < lists.size(); ++k) {
    const Rcpp::IntegerVector v = lists[k];
    out.emplace_back(v.begin(), v.end());
  }
  return out;
}

inline Rcpp::NumericMatrix genes_by(const std::vector<double>& values, int64_t n_genes) {
  if (values.empty()) return Rcpp::NumericMatrix(static_cast<int>(n_genes), 0);
  Rcpp::NumericMatrix out(static_cast<int>(n_genes),
                    static_cast<int>(values.size() / static_cast<std::size_t>(n_genes)));
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

}  // namespace compert_glue
