#include <Rcpp.h>

#include <string>
#include <vector>

#include "compert/chem.h"
#include "glue_interrupt.h"

using compert_glue::ask_for_interrupt;

namespace {

using Strings = std::vector<std::string>;

/// From rows that lie one after the other to R's columns.
template <class Value>
Rcpp::NumericMatrix as_matrix(const std::vector<Value>& rows, std::size_t width) {
  const std::size_t n = width == 0 ? 0 : rows.size() / width;
  Rcpp::NumericMatrix out(static_cast<int>(n), static_cast<int>(width));
  for (std::size_t c = 0; c < width; ++c) {
    for (std::size_t r = 0; r < n; ++r) out[static_cast<R_xlen_t>(c * n + r)] = rows[r * width + c];
  }
  return out;
}

Rcpp::NumericMatrix as_matrix(const compert::Array& array) {
  return as_matrix(array.values, static_cast<std::size_t>(array.shape[1]));
}

/// Atoms count from 1.
Rcpp::IntegerVector atom_numbers(const std::vector<int>& from_zero) {
  Rcpp::IntegerVector out(from_zero.begin(), from_zero.end());
  return out + 1;
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

// A list per molecule: atoms (atoms x features), begin and end (of each bond), bonds
// (bonds x features).
// [[Rcpp::export(rng = false)]]
Rcpp::List core_smiles_graphs(const std::vector<std::string>& smiles) {
  Rcpp::List out;
  for (const auto& graph : compert::smiles_graphs(smiles, ask_for_interrupt)) {
    out.push_back(
        Rcpp::List::create(Rcpp::Named("atoms") = as_matrix(graph.atoms, compert::kAtomFeatures),
                           Rcpp::Named("begin") = atom_numbers(graph.begin),
                           Rcpp::Named("end") = atom_numbers(graph.end),
                           Rcpp::Named("bonds") = as_matrix(graph.bonds, compert::kBondFeatures)));
  }
  return out;
}
