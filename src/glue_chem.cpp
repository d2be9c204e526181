#include <Rcpp.h>

#include <string>
#include <vector>

#include "compert/chem.h"
#include "glue_interrupt.h"

using compert_glue::ask_for_interrupt;

namespace {

using Strings = std::vector<std::string>;

/// From rows that lie one after the other to R's columns.
Rcpp::NumericMatrix as_matrix(const compert::Array& array) {
  const auto n = static_cast<std::size_t>(array.shape[0]), width = static_cast<std::size_t>(array.shape[1]);
  Rcpp::NumericMatrix out(static_cast<int>(n), static_cast<int>(width));
  for (std::size_t c = 0; c < width; ++c) {
    for (std::size_t r = 0; r < n; ++r) out[static_cast<R_xlen_t>(c * n + r)] = array.values[r * width + c];
  }
  return out;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
bool core_has_rdkit() { return compert::has_rdkit(); }

// [[Rcpp::export(rng = false)]]
std::string core_rdkit_version() { return compert::rdkit_version(); }

// One entry per SMILES in both; the one that does not apply is "".
// [[Rcpp::export(rng = false)]]
Rcpp::List core_canonical_smiles(const std::vector<std::string>& smiles, bool strip_salts) {
  Strings canonical, problem;
  for (auto& one : compert::canonical_smiles(smiles, strip_salts, ask_for_interrupt)) {
    canonical.push_back(one.canonical);
    problem.push_back(one.problem);
  }
  return Rcpp::List::create(Rcpp::Named("canonical") = canonical, Rcpp::Named("problem") = problem);
}

// [[Rcpp::export(rng = false)]]
Rcpp::NumericMatrix core_smiles_descriptors(const std::vector<std::string>& smiles) {
  Rcpp::NumericMatrix out = as_matrix(compert::smiles_descriptors(smiles, ask_for_interrupt));
  Rcpp::colnames(out) = Rcpp::wrap(compert::descriptor_names());
  return out;
}

// [[Rcpp::export(rng = false)]]
Rcpp::NumericMatrix core_smiles_morgan(const std::vector<std::string>& smiles, int radius,
                                       int n_bits) {
  return as_matrix(compert::smiles_morgan(smiles, radius, n_bits, ask_for_interrupt));
}
