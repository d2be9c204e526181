#include <Rcpp.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compert/metrics.h"
#include "compert/statistics.h"
#include "glue_convert.h"
#include "glue_interrupt.h"

using compert_glue::ask_for_interrupt;
using compert_glue::cell_source;
using compert_glue::CellPoints;

namespace {

compert::GroupStats stats_of_groups(SEXP x, const Rcpp::IntegerVector& group, int n_groups) {
  if (n_groups < 0) throw compert::Error("n_groups", "must not be negative");
  return compert::group_stats(*cell_source(x), std::vector<int32_t>(group.begin(), group.end()),
                              static_cast<std::size_t>(n_groups), ask_for_interrupt);
}

Rcpp::NumericMatrix genes_by_groups(const std::vector<double>& values,
                                    const compert::GroupStats& stats) {
  Rcpp::NumericMatrix out(static_cast<int>(stats.n_genes), static_cast<int>(stats.n_groups));
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

Rcpp::NumericVector pick(const double* values, const std::vector<int64_t>& genes) {
  Rcpp::NumericVector out(static_cast<R_xlen_t>(genes.size()));
  for (std::size_t k = 0; k < genes.size(); ++k) {
    out[static_cast<R_xlen_t>(k)] = values[static_cast<std::size_t>(genes[k])];
  }
  return out;
}

/// Two-sided p-values of all genes: adjustment counts every gene, not only the listed ones.
std::vector<double> two_sided_p(const compert::WelchTest& test, const double* mean, const double* control) {
  std::vector<double> p(test.t.size());
  for (std::size_t g = 0; g < p.size(); ++g) {
    if (std::isnan(mean[g]) || std::isnan(control[g]))
      p[g] = NA_REAL;
    else if (std::isnan(test.df[g]))  // constant in both groups: at different values, or at the same one
      p[g] = std::isinf(test.t[g]) ? 0 : 1;
    else
      p[g] = 2 * R::pt(-std::fabs(test.t[g]), test.df[g], 1, 0);
  }
  return p;
}

Rcpp::List ranking(const compert::GroupStats& stats, std::size_t group, int reference,
                   std::size_t n_top, bool p_values) {
  if (!compert::comparable(stats, group, reference)) {
    return Rcpp::List::create(Rcpp::Named("genes") = Rcpp::IntegerVector(0));
  }
  const std::size_t control = static_cast<std::size_t>(reference);
  const compert::WelchTest test = compert::welch_test(stats, group, control);
  const std::vector<int64_t> top = compert::rank_by_magnitude(test.t, n_top);
  Rcpp::List out = Rcpp::List::create(
      Rcpp::Named("genes") = Rcpp::IntegerVector(top.begin(), top.end()),
      Rcpp::Named("score") = pick(test.t.data(), top),
      Rcpp::Named("mean") = pick(stats.mean_of(group), top),
      Rcpp::Named("mean_control") = pick(stats.mean_of(control), top));
  if (p_values) {
    const std::vector<double> p = two_sided_p(test, stats.mean_of(group), stats.mean_of(control));
    out["p_value"] = pick(p.data(), top);
    out["p_adjusted"] = pick(compert::adjust_p_values(p).data(), top);
  }
  return out;
}

std::vector<double> values_of(const Rcpp::NumericVector& x) {
  return std::vector<double>(x.begin(), x.end());
}

}  // namespace

// Mean and population variance per gene and group; `group` 0-based, -1 leaves a cell out.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_group_stats(SEXP x, const Rcpp::IntegerVector& group, int n_groups) {
  const compert::GroupStats stats = stats_of_groups(x, group, n_groups);
  return Rcpp::List::create(Rcpp::Named("n") = Rcpp::IntegerVector(stats.n.begin(), stats.n.end()),
                            Rcpp::Named("mean") = genes_by_groups(stats.mean, stats),
                            Rcpp::Named("variance") = genes_by_groups(stats.variance, stats));
}

// Genes of every group ranked by |Welch t| against group `reference[k]` (0-based, -1 for none).
// Returns list(n, groups = one list(genes, score, mean, mean_control[, p_value, p_adjusted]) per
// group); a group that cannot be compared has no genes and no other element.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_rank_degs(SEXP x, const Rcpp::IntegerVector& group, int n_groups,
                          const Rcpp::IntegerVector& reference, int n_top, bool p_values = false) {
  const compert::GroupStats stats = stats_of_groups(x, group, n_groups);
  if (reference.size() != n_groups) {
    throw compert::Error("reference", "must have one value per group");
  }
  if (n_top < 0) throw compert::Error("n_top", "must not be negative");
  Rcpp::List groups(n_groups);
  for (int k = 0; k < n_groups; ++k) {
    groups[k] = ranking(stats, static_cast<std::size_t>(k), reference[k],
                        static_cast<std::size_t>(n_top), p_values);
    ask_for_interrupt();
  }
  return Rcpp::List::create(Rcpp::Named("n") = Rcpp::IntegerVector(stats.n.begin(), stats.n.end()),
                            Rcpp::Named("groups") = groups);
}

// Cells and genes (from 1) without any value but 0, reading the cells in blocks.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_empty_margins(SEXP x) {
  const auto cells = cell_source(x);
  constexpr std::size_t kBlock = 4096;
  std::vector<char> gene_has(cells->n_genes(), 0);
  std::vector<int> empty_cells, empty_genes;
  std::vector<int64_t> which;
  compert::CellBatch batch;
  for (std::size_t begin = 0; begin < cells->n_cells(); begin += kBlock) {
    which.clear();
    for (std::size_t c = begin; c < std::min(begin + kBlock, cells->n_cells()); ++c)
      which.push_back(static_cast<int64_t>(c));
    ask_for_interrupt();
    cells->fetch(which.data(), which.size(), batch);
    for (std::size_t b = 0; b < which.size(); ++b) {
      bool any = false;
      for (auto k = static_cast<std::size_t>(batch.offsets[b]);
           k < static_cast<std::size_t>(batch.offsets[b + 1]); ++k) {
        if (batch.values[k] == 0) continue;
        any = true;
        gene_has[static_cast<std::size_t>(batch.genes[k])] = 1;
      }
      if (!any) empty_cells.push_back(static_cast<int>(begin + b) + 1);
    }
  }
  for (std::size_t g = 0; g < gene_has.size(); ++g)
    if (gene_has[g] == 0) empty_genes.push_back(static_cast<int>(g) + 1);
  return Rcpp::List::create(Rcpp::Named("cells") = empty_cells, Rcpp::Named("genes") = empty_genes);
}

// [[Rcpp::export(rng = false)]]
double core_r2(const Rcpp::NumericVector& truth, const Rcpp::NumericVector& prediction,
               double flat = 0) {
  return compert::r2(values_of(truth), values_of(prediction), flat);
}

// core_r2() of every column of `prediction`, which come faster together.
// [[Rcpp::export(rng = false)]]
Rcpp::NumericVector core_r2_columns(const Rcpp::NumericVector& truth,
                                    const Rcpp::NumericMatrix& prediction) {
  if (truth.size() != prediction.nrow() || truth.size() < 2)
    throw compert::Error("prediction", "must have a row for each of at least two values of `truth`");
  Rcpp::NumericVector out(prediction.ncol());
  const auto n = static_cast<std::size_t>(truth.size());
  for (R_xlen_t k = 0; k < out.size(); ++k)
    out[k] = compert::r2(truth.begin(), &prediction[k * truth.size()], n);
  return out;
}

// Mean r2 of single cells (columns) over `genes`, 0-based.
// [[Rcpp::export(rng = false)]]
double core_cell_r2(SEXP truth, SEXP prediction, const Rcpp::IntegerVector& genes,
                    double flat = 0) {
  const CellPoints a(truth, "truth"), b(prediction, "prediction");
  return compert::cell_r2(a.points(), b.points(), std::vector<int64_t>(genes.begin(), genes.end()),
                          flat);
}

// [[Rcpp::export(rng = false)]]
double core_pearson(const Rcpp::NumericVector& a, const Rcpp::NumericVector& b) {
  return compert::pearson(values_of(a), values_of(b));
}

// r2 of log2 folds over a control and share of equal signs of these folds.
// [[Rcpp::export(rng = false)]]
Rcpp::NumericVector core_log_fold(const Rcpp::NumericVector& truth,
                                  const Rcpp::NumericVector& prediction,
                                  const Rcpp::NumericVector& control, double pseudo = 1e-5) {
  const std::vector<double> base = values_of(control);
  const std::vector<double> observed = compert::log_fold(values_of(truth), base, pseudo);
  const std::vector<double> predicted = compert::log_fold(values_of(prediction), base, pseudo);
  return Rcpp::NumericVector::create(
      Rcpp::Named("r2") = compert::r2(observed, predicted),
      Rcpp::Named("sign") = compert::sign_agreement(observed, predicted));
}

// Squared MMD with the sum of 19 Gaussian kernels; cells are columns.
// [[Rcpp::export(rng = false)]]
double core_mmd(SEXP x, SEXP y) {
  const CellPoints a(x, "x"), b(y, "y");
  return compert::mmd(a.points(), b.points(), compert::mmd_bandwidths(), ask_for_interrupt);
}

// [[Rcpp::export(rng = false)]]
double core_wasserstein(SEXP x, SEXP y) {
  const CellPoints a(x, "x"), b(y, "y");
  return compert::wasserstein(a.points(), b.points(), ask_for_interrupt);
}

// [[Rcpp::export(rng = false)]]
double core_energy(SEXP x, SEXP y) {
  const CellPoints a(x, "x"), b(y, "y");
  return compert::energy_distance(a.points(), b.points(), ask_for_interrupt);
}
