#include <Rcpp.h>

#include <vector>

#include "compert/neighbours.h"
#include "glue_convert.h"
#include "glue_interrupt.h"
#include "glue_job.h"

using compert_glue::ask_for_interrupt;
using compert_glue::CellPoints;

namespace {

std::vector<int32_t> codes_of(const Rcpp::IntegerVector& labels) {
  return std::vector<int32_t>(labels.begin(), labels.end());
}

}  // namespace

// Cells are columns of `x`, `labels` their codes. Returns list(mean, by_label), the latter in
// ascending order of the codes that are there.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_knn_purity(SEXP x, const Rcpp::IntegerVector& labels, int k) {
  compert_glue::check_not_forked();
  const CellPoints cells(x, "embedding");
  const compert::Purity purity =
      compert::knn_purity(cells.points(), codes_of(labels), k, ask_for_interrupt);
  return Rcpp::List::create(Rcpp::Named("mean") = purity.mean,
                            Rcpp::Named("by_label") = Rcpp::NumericVector(purity.by_label.begin(),
                                                                          purity.by_label.end()));
}

// [[Rcpp::export(rng = false)]]
double core_batch_mixing(SEXP x, const Rcpp::IntegerVector& labels, int k, int pools,
                         int cells_per_pool, int seed) {
  compert_glue::check_not_forked();
  if (seed < 0) throw compert::Error("seed", "must not be negative");
  const CellPoints cells(x, "embedding");
  return compert::batch_mixing_entropy(cells.points(), codes_of(labels), k, pools, cells_per_pool,
                                       static_cast<uint64_t>(seed), ask_for_interrupt);
}
