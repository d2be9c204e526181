#include <Rcpp.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <climits>
#include <cstdint>
#include <string>
#include <vector>

#include "compert/model.h"
#include "glue_convert.h"
#include "glue_design.h"
#include "glue_fitted.h"
#include "glue_interrupt.h"

using compert_glue::ask_for_interrupt;
using compert_glue::cell_source;
using compert_glue::design_of;
using compert_glue::fitted;
using compert_glue::genes_by;
using Rcpp::IntegerMatrix;
using Rcpp::List;
using Rcpp::NumericMatrix;
using Rcpp::RawVector;

namespace {

/// `without` holds 0-based covariates.
compert::Composition composition(bool perturbation, const Rcpp::IntegerVector& without) {
  return {perturbation, {without.begin(), without.end()}};
}

compert::Decoding decoding(const compert::Model& model, compert::Composition parts) {
  compert::Decoding out;
  out.composition = std::move(parts);
  out.ignore_zeros = model.settings().parity == "theislab";
  return out;
}

/// Of all lists, each `copies` times: columns of a matrix, which R counts with an int.
std::size_t columns_of(const std::vector<std::vector<int64_t>>& lists, std::size_t copies) {
  std::size_t n = 0;
  for (const auto& list : lists) n += list.size();
  n *= copies;
  if (n > static_cast<std::size_t>(INT_MAX))
    throw compert::Error("condition", "must ask for fewer than 2^31 cells", std::to_string(n) + " were asked for",
                         "Give fewer conditions, source cells or draws at a time");
  return n;
}

/// A matrix of which every element will be written. Large ones ask for large pages: the kernel clears
/// and maps a page at a time when it is first touched.
NumericMatrix unset_matrix(int64_t rows, std::size_t columns) {
  NumericMatrix out(Rcpp::no_init(static_cast<int>(rows), static_cast<int>(columns)));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = 1 << 21;
  const auto begin = (reinterpret_cast<std::uintptr_t>(out.begin()) + kPage - 1) / kPage * kPage,
             end = reinterpret_cast<std::uintptr_t>(out.end()) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
  return out;
}

}  // namespace

// Means of the source cells per condition; `spread`, `difference` and `variance` ask for more.
// [[Rcpp::export(rng = false)]]
List core_summarise(const RawVector& state, SEXP x, const List& design, const List& target,
                    const List& source, bool spread, bool difference, bool variance,
                    const Rcpp::IntegerVector& without) {
  const compert::Model& model = fitted(state);
  const auto cells = cell_source(x);
  const int64_t genes = model.architecture().n_rows();
  const auto s = model.summarise(*cells, design_of(design), design_of(target),
                                 compert_glue::cell_lists(source),
                                 decoding(model, composition(true, without)),
                                 {spread, difference, variance}, ask_for_interrupt);
  List out = List::create(Rcpp::Named("n") = Rcpp::NumericVector(s.n.begin(), s.n.end()),
                          Rcpp::Named("mean") = genes_by(s.mean, genes));
  if (variance) out["variance"] = genes_by(s.variance, genes);
  if (spread) out["variance_of_means"] = genes_by(s.variance_of_means, genes);
  if (difference) out["mean_difference"] = genes_by(s.mean_difference, genes);
  if (difference && variance) {
    out["variance_difference"] = genes_by(s.variance_difference, genes);
    out["variance_shift"] = genes_by(s.variance_shift, genes);
  }
  return out;
}

// Cell by cell; `variance` is NULL unless that is the `type`.
// [[Rcpp::export(rng = false)]]
List core_predict(const RawVector& state, SEXP x, const List& design, const List& target,
                  const List& source, bool residual, const std::string& type, int n_samples,
                  double seed, const Rcpp::IntegerVector& without) {
  const compert::Model& model = fitted(state);
  const auto cells = cell_source(x);
  const auto lists = compert_glue::cell_lists(source);
  const int64_t genes = model.architecture().n_rows();
  const compert::Decoding parts = decoding(model, composition(true, without));
  compert::CellPrediction how;
  how.type = type == "sample" ? compert::CellPrediction::Type::kSample
                              : compert::CellPrediction::Type::kMean;
  how.residual = residual;
  how.n_samples = n_samples;
  how.seed = static_cast<int64_t>(seed);
  how.variance_as_deviation = model.settings().parity == "fb";
  const std::size_t n = columns_of(lists, type == "sample" ? static_cast<std::size_t>(n_samples) : 1);
  NumericMatrix mean = unset_matrix(genes, n);
  List out = List::create(Rcpp::Named("mean") = mean);
  double* variance_out = nullptr;
  if (type == "variance") {
    NumericMatrix variance = unset_matrix(genes, n);
    variance_out = variance.begin();
    out["variance"] = variance;
  }
  model.predict_cells(*cells, design_of(design), design_of(target), lists, how, mean.begin(),
                      variance_out, parts, ask_for_interrupt);
  return out;
}

// `variance` asks for variances as well.
// [[Rcpp::export(rng = false)]]
List core_reconstruct(const RawVector& state, SEXP x, const List& design,
                      const Rcpp::IntegerVector& cells, bool perturbation,
                      const Rcpp::IntegerVector& without, bool variance) {
  const compert::Model& model = fitted(state);
  const auto source = cell_source(x);
  const int64_t genes = model.architecture().n_rows();
  const auto n = static_cast<std::size_t>(cells.size());
  NumericMatrix mean = unset_matrix(genes, n);
  List out = List::create(Rcpp::Named("mean") = mean);
  double* variance_out = nullptr;
  if (variance) {
    NumericMatrix values = unset_matrix(genes, n);
    variance_out = values.begin();
    out["variance"] = values;
  }
  model.reconstruct(*source, design_of(design), {cells.begin(), cells.end()}, mean.begin(),
                    variance_out, decoding(model, composition(perturbation, without)), ask_for_interrupt);
  return out;
}

// [[Rcpp::export(rng = false)]]
List core_proteins(const RawVector& state, SEXP x, const List& design,
                   const Rcpp::IntegerVector& cells, bool perturbation,
                   const Rcpp::IntegerVector& without) {
  const compert::Model& model = fitted(state);
  const auto source = cell_source(x);
  const auto p = model.proteins(*source, design_of(design), {cells.begin(), cells.end()},
                                composition(perturbation, without), ask_for_interrupt);
  const int64_t n = model.architecture().n_proteins;
  return List::create(Rcpp::Named("denoised") = genes_by(p.denoised, n),
                      Rcpp::Named("foreground_probability") = genes_by(p.foreground_probability, n),
                      Rcpp::Named("background") = genes_by(p.background, n),
                      Rcpp::Named("foreground") = genes_by(p.foreground, n));
}

// [[Rcpp::export(rng = false)]]
NumericMatrix core_embed(const RawVector& state, SEXP x, const List& design, bool perturbation,
                         const Rcpp::IntegerVector& without) {
  const compert::Model& model = fitted(state);
  const auto cells = cell_source(x);
  NumericMatrix out(static_cast<int>(model.dim()), static_cast<int>(cells->n_cells()));
  model.embed(*cells, design_of(design), composition(perturbation, without), out.begin(),
              ask_for_interrupt);
  return out;
}

// The same of source cells under conditions.
// [[Rcpp::export(rng = false)]]
NumericMatrix core_embed_targets(const RawVector& state, SEXP x, const List& design, const List& target,
                                 const List& source, bool perturbation, const Rcpp::IntegerVector& without) {
  const compert::Model& model = fitted(state);
  const auto cells = cell_source(x);
  const auto lists = compert_glue::cell_lists(source);
  const std::size_t n = columns_of(lists, 1);
  NumericMatrix out(static_cast<int>(model.dim()), static_cast<int>(n));
  model.embed(*cells, design_of(design), design_of(target), lists, composition(perturbation, without), out.begin(),
              ask_for_interrupt);
  return out;
}

// [[Rcpp::export(rng = false)]]
NumericMatrix core_perturbation_embedding(const RawVector& state, const IntegerMatrix& perturbation,
                                          const NumericMatrix& dose) {
  const compert::Model& model = fitted(state);
  compert::Design rows;
  rows.n = static_cast<std::size_t>(perturbation.ncol());
  rows.n_slots = static_cast<std::size_t>(perturbation.nrow());
  rows.n_covariates = model.architecture().covariate_levels.size();
  rows.perturbation.assign(perturbation.begin(), perturbation.end());
  rows.dose.assign(dose.begin(), dose.end());
  rows.covariate.assign(rows.n * rows.n_covariates, -1);
  return genes_by(model.perturbation_embedding(rows), model.dim());
}

// [[Rcpp::export(rng = false)]]
Rcpp::NumericVector core_doser_response(const RawVector& state,
                                        const Rcpp::IntegerVector& perturbation,
                                        const Rcpp::NumericVector& dose) {
  const compert::Model& model = fitted(state);
  return Rcpp::wrap(model.dose_response({perturbation.begin(), perturbation.end()},
                                        {dose.begin(), dose.end()}));
}

// [[Rcpp::export(rng = false)]]
List core_covariate_embedding(const RawVector& state) {
  const compert::Model& model = fitted(state);
  List out;
  const compert::Architecture& a = model.architecture();
  for (std::size_t k = 0; k < a.covariate_levels.size() + static_cast<std::size_t>(a.n_continuous); ++k)
    out.push_back(genes_by(model.covariate_embedding(k), model.dim()));
  return out;
}
