/// From R objects to the core's types, without copying where R's memory can be viewed.
/// A view lives no longer than the R object it looks at: never keep one past the call.
#pragma once
#include <Rcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compert/cells.h"
#include "compert/error.h"
#include "compert/metrics.h"
#include "compert/stored_cells.h"

namespace compert_glue {

inline bool is_sparse(SEXP x) { return Rf_isS4(x) && Rf_inherits(x, "dgCMatrix"); }
inline bool is_dense(SEXP x) { return TYPEOF(x) == REALSXP && Rf_isMatrix(x); }

[[noreturn]] inline void refuse_matrix(SEXP x, const char* argument) {
  SEXP type = Rf_getAttrib(x, R_ClassSymbol);
  const std::string given = TYPEOF(type) == STRSXP && Rf_length(type) > 0
                                ? CHAR(STRING_ELT(type, 0))
                                : Rf_type2char(TYPEOF(x));
  throw compert::Error(argument, "must be a dgCMatrix or a double matrix, genes x cells",
                       "It is of class " + given + ".");
}

/// Slots of a dgCMatrix, checked to fit together: the core indexes with them unchecked.
struct SparseSlots {
  const double* x;
  const int* i;
  const int* p;
  std::size_t n_rows, n_cols;
};

inline SparseSlots sparse_slots(SEXP matrix, const char* argument) {
  SEXP x = R_do_slot(matrix, Rf_install("x"));
  SEXP i = R_do_slot(matrix, Rf_install("i"));
  SEXP p = R_do_slot(matrix, Rf_install("p"));
  SEXP dim = R_do_slot(matrix, Rf_install("Dim"));
  const bool typed = TYPEOF(x) == REALSXP && TYPEOF(i) == INTSXP && TYPEOF(p) == INTSXP &&
                     TYPEOF(dim) == INTSXP && Rf_length(dim) == 2;
  if (!typed) {
    throw compert::Error(argument, "must be a valid dgCMatrix", "A slot has a wrong type.");
  }
  const int n_rows = INTEGER(dim)[0], n_cols = INTEGER(dim)[1];
  const int *offsets = INTEGER(p), *rows = INTEGER(i);
  bool valid = n_rows >= 0 && n_cols >= 0 && Rf_xlength(p) == static_cast<R_xlen_t>(n_cols) + 1 &&
               Rf_xlength(x) == Rf_xlength(i) && offsets[0] == 0 &&
               offsets[n_cols] <= Rf_xlength(x);
  for (int c = 0; valid && c < n_cols; ++c) valid = offsets[c] <= offsets[c + 1];
  const R_xlen_t stored = Rf_xlength(i);
  for (R_xlen_t k = 0; k < stored; ++k) valid &= rows[k] >= 0 && rows[k] < n_rows;
  if (!valid) {
    throw compert::Error(argument, "must be a valid dgCMatrix",
                         "Its slots `i`, `p`, `x` and `Dim` contradict each other.");
  }
  return {REAL(x), rows, offsets, static_cast<std::size_t>(n_rows),
          static_cast<std::size_t>(n_cols)};
}

/// Cells in a file, as R/stored-cells.R describes them.
inline std::unique_ptr<compert::CellSource> stored_source(const Rcpp::List& x) {
  const Rcpp::List where(x["where"]);
  compert::StoredMatrix matrix;
  matrix.path = Rcpp::as<std::string>(where["path"]);
  matrix.name = Rcpp::as<std::string>(where["name"]);
  matrix.sparse = Rcpp::as<bool>(where["sparse"]);
  matrix.n_genes = static_cast<std::size_t>(Rcpp::as<double>(where["n_genes"]));
  matrix.n_cells = static_cast<std::size_t>(Rcpp::as<double>(where["n_cells"]));
  matrix.n_stored = static_cast<std::size_t>(Rcpp::as<double>(where["n_stored"]));
  auto cells = std::make_unique<compert::StoredCells>(matrix);
  compert::CellView::Changes changes;
  if (!Rf_isNull(x["cells"])) {
    const Rcpp::IntegerVector chosen(x["cells"]);
    changes.cells.emplace();
    for (const int cell : chosen) changes.cells->push_back(cell - 1);
  }
  if (!Rf_isNull(x["genes"])) {
    const Rcpp::IntegerVector chosen(x["genes"]);  // of the file, in the order of the rows here
    changes.genes.assign(matrix.n_genes, -1);
    changes.n_genes = static_cast<std::size_t>(chosen.size());
    for (R_xlen_t row = 0; row < chosen.size(); ++row)
      if (chosen[row] != NA_INTEGER)
        changes.genes.at(static_cast<std::size_t>(chosen[row] - 1)) = static_cast<int32_t>(row);
  }
  if (!Rf_isNull(x["log_factor"]))
    changes.log_factor = Rcpp::as<std::vector<double>>(x["log_factor"]);
  if (where.containsElementNamed("missing")) changes.missing = Rcpp::as<float>(where["missing"]);
  return std::make_unique<compert::CellView>(std::move(cells), std::move(changes));
}

/// A view of a dgCMatrix, a double matrix or cells in a file, genes x cells.
inline std::unique_ptr<compert::CellSource> cell_source(SEXP x, const char* argument = "x") {
  if (is_sparse(x)) {
    const SparseSlots s = sparse_slots(x, argument);
    return std::make_unique<compert::SparseCells>(s.x, s.i, s.p, s.n_rows, s.n_cols);
  }
  if (is_dense(x)) {
    return std::make_unique<compert::DenseCells>(REAL(x), static_cast<std::size_t>(Rf_nrows(x)),
                                                 static_cast<std::size_t>(Rf_ncols(x)));
  }
  if (Rf_inherits(x, "stored_cells")) return stored_source(x);
  refuse_matrix(x, argument);
}

/// The cells of a genes x cells matrix as points: a view when dense, expanded once when sparse.
class CellPoints {
 public:
  explicit CellPoints(SEXP x, const char* argument = "x") {
    if (is_dense(x)) {
      view_ = {REAL(x), static_cast<std::size_t>(Rf_ncols(x)),
               static_cast<std::size_t>(Rf_nrows(x))};
      return;
    }
    if (!is_sparse(x)) refuse_matrix(x, argument);
    const SparseSlots s = sparse_slots(x, argument);
    own_.assign(s.n_rows * s.n_cols, 0.0);
    for (std::size_t c = 0; c < s.n_cols; ++c) {
      for (int k = s.p[c]; k < s.p[c + 1]; ++k) {
        own_[c * s.n_rows + static_cast<std::size_t>(s.i[k])] = s.x[k];
      }
    }
    view_ = {own_.data(), s.n_cols, s.n_rows};
  }
  CellPoints(const CellPoints&) = delete;
  CellPoints& operator=(const CellPoints&) = delete;
  const compert::Points& points() const { return view_; }

 private:
  std::vector<double> own_;
  compert::Points view_;
};

}  // namespace compert_glue
