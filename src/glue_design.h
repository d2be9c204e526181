/// Conversions shared by the glue of models: states, designs, index lists, gene tables.
#pragma once
#include <Rcpp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "compert/chem.h"
#include "compert/design.h"
#include "compert/model.h"

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
  if (x.containsElementNamed("continuous")) {
    const Rcpp::NumericMatrix continuous = x["continuous"];
    d.n_continuous = static_cast<std::size_t>(continuous.nrow());
    d.continuous.assign(continuous.begin(), continuous.end());
  }
  if (x.containsElementNamed("bin")) {
    const Rcpp::IntegerVector bin = x["bin"];
    d.bin.assign(bin.begin(), bin.end());
  }
  if (x.containsElementNamed("condition")) {
    const Rcpp::IntegerVector condition = x["condition"];
    d.condition.assign(condition.begin(), condition.end());
  }
  if (x.containsElementNamed("measured")) {
    const Rcpp::IntegerVector measured = x["measured"];
    d.measured.assign(measured.begin(), measured.end());
  }
  return d;
}

/// Graphs of SMILES; one without atoms for NA.
inline std::vector<compert::MoleculeGraph> graphs_of(const Rcpp::CharacterVector& smiles) {
  std::vector<std::string> known;
  for (const auto& one : smiles)
    if (!Rcpp::CharacterVector::is_na(one)) known.push_back(Rcpp::as<std::string>(one));
  // Without molecules there is nothing that would need RDKit.
  const auto graphs =
      known.empty() ? std::vector<compert::MoleculeGraph>() : compert::smiles_graphs(known);
  std::vector<compert::MoleculeGraph> out;
  auto next = graphs.begin();
  for (const auto& one : smiles)
    out.push_back(Rcpp::CharacterVector::is_na(one) ? compert::MoleculeGraph() : *next++);
  return out;
}

/// Sizes of a new model: `design` carries them beside the codes. The last of `n_rows` are proteins.
inline compert::Architecture architecture_of(const Rcpp::List& design, std::size_t n_rows) {
  compert::Architecture a;
  a.n_proteins = Rcpp::as<int>(design["n_proteins"]);
  a.n_genes = static_cast<int64_t>(n_rows) - a.n_proteins;
  if (design.containsElementNamed("n_genes_inner")) a.n_genes_inner = Rcpp::as<int>(design["n_genes_inner"]);
  a.n_perturbations = Rcpp::as<int>(design["n_perturbations"]);
  const Rcpp::IntegerVector levels = design["covariate_levels"];
  a.covariate_levels.assign(levels.begin(), levels.end());
  if (design.containsElementNamed("continuous"))
    a.n_continuous = Rcpp::as<Rcpp::NumericMatrix>(design["continuous"]).nrow();
  a.batch_covariate = Rcpp::as<int>(design["batch_covariate"]);
  const Rcpp::NumericVector weight = design["condition_weight"];
  a.condition_weight.assign(weight.begin(), weight.end());
  if (design.containsElementNamed("graphs")) {
    a.graphs = graphs_of(design["graphs"]);
    a.n_features = Rcpp::as<int>(design["n_features"]);
  }
  if (design.containsElementNamed("has_features")) {
    const Rcpp::NumericVector has = design["has_features"];
    a.has_features.assign(has.begin(), has.end());
  }
  if (design.containsElementNamed("features")) {
    const Rcpp::NumericMatrix features = design["features"];  // features x perturbations
    a.n_features = features.nrow();
    a.features.assign(features.begin(), features.end());
  }
  if (design.containsElementNamed("measured_dose")) {
    a.control = Rcpp::as<int>(design["control"]);
    const Rcpp::IntegerVector measured = design["measured_perturbation"];
    a.measured_perturbation.assign(measured.begin(), measured.end());
    const Rcpp::NumericVector dose = design["measured_dose"];
    a.measured_dose.assign(dose.begin(), dose.end());
  }
  return a;
}

/// Arrays as a named list of vectors, row by row, each with its `shape`.
inline Rcpp::List list_of(const compert::NamedArrays& arrays) {
  Rcpp::List out(static_cast<R_xlen_t>(arrays.size()));
  Rcpp::CharacterVector names(out.size());
  R_xlen_t k = 0;
  for (const auto& [name, array] : arrays) {
    Rcpp::NumericVector v(array.values.begin(), array.values.end());
    v.attr("shape") = Rcpp::NumericVector(array.shape.begin(), array.shape.end());
    out[k] = v;
    names[k++] = name;
  }
  out.names() = names;
  return out;
}

inline compert::NamedArrays arrays_of(const Rcpp::List& list) {
  compert::NamedArrays out;
  const Rcpp::CharacterVector names = list.names();
  for (R_xlen_t k = 0; k < list.size(); ++k) {
    const Rcpp::NumericVector v = list[k], shape = v.attr("shape");
    compert::Array& array = out[Rcpp::as<std::string>(names[k])];
    array.values.assign(v.begin(), v.end());
    array.shape.assign(shape.begin(), shape.end());
  }
  return out;
}

inline std::vector<std::vector<int64_t>> cell_lists(const Rcpp::List& lists) {
  std::vector<std::vector<int64_t>> out;
  for (R_xlen_t k = 0; k < lists.size(); ++k) {
    const Rcpp::IntegerVector v = lists[k];
    out.emplace_back(v.begin(), v.end());
  }
  return out;
}

/// DEGs of the cells' conditions, where the design has them.
inline compert::DegTargets deg_targets_of(const Rcpp::List& design) {
  compert::DegTargets out;
  if (!design.containsElementNamed("degs")) return out;
  const Rcpp::List targets = design["degs"];
  const Rcpp::IntegerVector group = targets["group"];
  out.group.assign(group.begin(), group.end());
  out.genes = cell_lists(targets["genes"]);
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
