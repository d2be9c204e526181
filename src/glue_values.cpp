// What R has to know of the values of a matrix before a model sees them.
#include <Rcpp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "glue_convert.h"

namespace {

/// Doubles of 2^53 and more have no fraction, and smaller ones fit into an int64_t.
bool whole(double v) {
  return std::fabs(v) >= 9007199254740992.0 || v == static_cast<double>(static_cast<int64_t>(v));
}

/// A position as R counts, NA for none.
double position(R_xlen_t k) { return k < 0 ? NA_REAL : static_cast<double>(k) + 1; }

/// As R's length(): an integer where one is large enough.
SEXP count(R_xlen_t n) {
  if (n > std::numeric_limits<int>::max()) return Rcpp::wrap(static_cast<double>(n));
  return Rcpp::wrap(static_cast<int>(n));
}

/// Range of the values, and whether all are finite and none is negative: otherwise the range may be
/// wrong. Four chains side by side, because each comparison waits for the one before it.
bool all_plain(const double* v, R_xlen_t n, double& lowest, double& highest) {
  constexpr int kChains = 4;
  double low[kChains], high[kChains], zero[kChains] = {};
  std::fill_n(low, kChains, lowest);
  std::fill_n(high, kChains, highest);
  const auto look = [&](double value, int j) {
    low[j] = value < low[j] ? value : low[j];
    high[j] = value > high[j] ? value : high[j];
    zero[j] += 0 * value;  // NaN from the first value on that is not finite
  };
  R_xlen_t k = 0;
  for (; k + kChains <= n; k += kChains)
    for (int j = 0; j < kChains; ++j) look(v[k + j], j);
  for (; k < n; ++k) look(v[k], 0);
  lowest = *std::min_element(low, low + kChains);
  highest = *std::max_element(high, high + kChains);
  return lowest >= 0 && std::accumulate(zero, zero + kChains, 0.0) == 0;
}

}  // namespace

// Of all values: how many are not finite, how many are negative; the range of the finite ones. `bad`,
// `negative` and `fraction` are the positions of the first that is not finite, below 0, no whole number.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_look_over(const Rcpp::NumericVector& values) {
  const double* v = values.begin();
  const R_xlen_t n = values.size();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  double lowest = kInf, highest = -kInf;
  R_xlen_t n_bad = 0, n_negative = 0, bad = -1, negative = -1, fraction = -1;
  const bool plain = all_plain(v, n, lowest, highest);
  if (!plain) {
    lowest = kInf;
    highest = -kInf;
  }
  for (R_xlen_t k = 0; k < n && !plain; ++k) {
    if (v[k] < 0 && n_negative++ == 0) negative = k;
    if (!std::isfinite(v[k])) {
      if (n_bad++ == 0) bad = k;
      continue;
    }
    if (v[k] < lowest) lowest = v[k];
    if (v[k] > highest) highest = v[k];
  }
  for (R_xlen_t k = 0; k < n && fraction < 0; ++k)
    if (std::isfinite(v[k]) && !whole(v[k])) fraction = k;
  const bool any = n_bad < n;
  return Rcpp::List::create(
      Rcpp::Named("min") = any ? lowest : NA_REAL, Rcpp::Named("max") = any ? highest : NA_REAL,
      Rcpp::Named("n_bad") = count(n_bad), Rcpp::Named("bad") = position(bad),
      Rcpp::Named("n_negative") = count(n_negative),
      Rcpp::Named("negative") = position(negative), Rcpp::Named("fraction") = position(fraction));
}

// Some rows (different ones, 0-based) of a dgCMatrix as a dense matrix, and the slots of the others.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_split_rows(SEXP x, const Rcpp::IntegerVector& rows) {
  const compert_glue::SparseSlots s = compert_glue::sparse_slots(x, "x");
  std::vector<int> chosen(s.n_rows, -1), place(s.n_rows);
  for (R_xlen_t k = 0; k < rows.size(); ++k)
    chosen.at(static_cast<std::size_t>(rows[k])) = static_cast<int>(k);
  int n_others = 0;
  for (std::size_t r = 0; r < s.n_rows; ++r) place[r] = chosen[r] < 0 ? n_others++ : -1;
  const int n_stored = s.p[s.n_cols];
  int kept = 0;
  for (int k = 0; k < n_stored; ++k) kept += chosen[static_cast<std::size_t>(s.i[k])] < 0;
  Rcpp::NumericMatrix dense(static_cast<int>(rows.size()), static_cast<int>(s.n_cols));
  Rcpp::IntegerVector i(Rcpp::no_init(kept)), p(static_cast<R_xlen_t>(s.n_cols) + 1);
  Rcpp::NumericVector values(Rcpp::no_init(kept));
  double *column = dense.begin(), *value = values.begin();
  int *other = i.begin(), *end = p.begin();
  for (std::size_t c = 0; c < s.n_cols; ++c, column += rows.size()) {
    for (int k = s.p[c]; k < s.p[c + 1]; ++k) {
      const auto row = static_cast<std::size_t>(s.i[k]);
      if (chosen[row] >= 0) {
        column[chosen[row]] = s.x[k];
        continue;
      }
      *other++ = place[row];
      *value++ = s.x[k];
    }
    *++end = static_cast<int>(other - i.begin());
  }
  return Rcpp::List::create(Rcpp::Named("dense") = dense, Rcpp::Named("i") = i,
                            Rcpp::Named("p") = p, Rcpp::Named("x") = values);
}
