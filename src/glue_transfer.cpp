#include <Rcpp.h>

#include "compert/model.h"
#include "compert/transfer.h"
#include "glue_convert.h"
#include "glue_design.h"

using Rcpp::List;
using Rcpp::RawVector;

namespace {

/// R's integer vectors, -1 where there is no counterpart.
std::vector<int64_t> indices(SEXP x) {
  const Rcpp::IntegerVector v(x);
  return {v.begin(), v.end()};
}

compert::Correspondence correspondence_of(const List& x) {
  compert::Correspondence map;
  map.gene = indices(x["gene"]);
  map.perturbation = indices(x["perturbation"]);
  map.covariate = indices(x["covariate"]);
  map.level = compert_glue::cell_lists(x["level"]);
  return map;
}

}  // namespace

/// A new model for `design` that starts from what a trained one knows. `map`: see
/// compert::Correspondence; `n_genes_inner`: genes between layers for other genes, or 0.
// [[Rcpp::export(rng = false)]]
List core_transfer(const RawVector& state, const List& design, double n_genes, double n_genes_inner,
                   const std::string& settings, const List& map, const std::string& meta) {
  const compert::Model trained = compert::Model::from_state(compert_glue::bytes(state));
  compert::Architecture sizes =
      compert_glue::architecture_of(design, static_cast<std::size_t>(n_genes));
  sizes.n_genes_inner = static_cast<int64_t>(n_genes_inner);
  compert::Model fresh(sizes, compert::settings_from_json(settings));
  std::vector<std::string> name;
  std::vector<double> values, kept;
  std::vector<bool> frozen;
  for (const auto& each : compert::transfer(trained, fresh, correspondence_of(map))) {
    name.push_back(each.name);
    values.push_back(static_cast<double>(each.values));
    kept.push_back(static_cast<double>(each.kept));
    frozen.push_back(each.frozen);
  }
  return List::create(
      Rcpp::Named("state") = compert_glue::raw(fresh.state(meta)),
      Rcpp::Named("table") = Rcpp::DataFrame::create(
          Rcpp::Named("name") = name, Rcpp::Named("values") = values, Rcpp::Named("kept") = kept,
          Rcpp::Named("frozen") = frozen, Rcpp::Named("stringsAsFactors") = false));
}

/// The same fit with further perturbations; `features` is features x new perturbations.
// [[Rcpp::export(rng = false)]]
RawVector core_add_perturbations(const RawVector& state, const Rcpp::NumericMatrix& features,
                                 const std::string& meta) {
  const compert::Model trained = compert::Model::from_state(compert_glue::bytes(state));
  const std::vector<double> values(features.begin(), features.end());
  return compert_glue::raw(compert::with_perturbations(trained, values).state(meta));
}

/// Parameters and running statistics by name, each with its shape (row-major) as attribute `shape`.
// [[Rcpp::export(rng = false)]]
List core_weights(const RawVector& state) {
  const auto values = compert::Model::from_state(compert_glue::bytes(state)).values();
  List out(static_cast<R_xlen_t>(values.size()));
  Rcpp::CharacterVector names(out.size());
  R_xlen_t k = 0;
  for (const auto& [name, array] : values) {
    Rcpp::NumericVector v(array.values.begin(), array.values.end());
    v.attr("shape") = Rcpp::NumericVector(array.shape.begin(), array.shape.end());
    out[k] = v;
    names[k++] = name;
  }
  out.names() = names;
  return out;
}
