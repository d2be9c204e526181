// Writing .h5ad files: from R's vectors to the core's structures.
#include <Rcpp.h>

#include <string>
#include <utility>
#include <vector>

#include "compert/error.h"
#include "compert/h5ad.h"
#include "glue_convert.h"

namespace {

namespace h5ad = compert::h5ad;

std::vector<std::string> texts_of(SEXP x) {
  if (TYPEOF(x) != STRSXP) return {};
  std::vector<std::string> out;
  for (R_xlen_t k = 0; k < Rf_xlength(x); ++k) {
    if (Rf_getCharCE(STRING_ELT(x, k)) == CE_BYTES)
      throw compert::Error("x", "must hold texts whose encoding is known",
                           "Value " + std::to_string(k + 1) + " of one of its texts is marked as bytes",
                           "Name the encoding that they have, as in Encoding(x$column) <- \"latin1\"");
    out.emplace_back(Rf_translateCharUTF8(STRING_ELT(x, k)));
  }
  return out;
}

std::vector<std::string> names_of(SEXP x) { return texts_of(Rf_getAttrib(x, R_NamesSymbol)); }

h5ad::Matrix matrix_of(SEXP x) {
  h5ad::Matrix out;
  if (compert_glue::is_sparse(x)) {
    const compert_glue::SparseSlots s = compert_glue::sparse_slots(x, "x");
    out.layout = h5ad::Layout::csr;
    out.n_rows = s.n_cols;
    out.n_columns = s.n_rows;
    out.offsets.assign(s.p, s.p + s.n_cols + 1);
    out.indices.assign(s.i, s.i + s.p[s.n_cols]);
    out.values.assign(s.x, s.x + s.p[s.n_cols]);
    return out;
  }
  if (!compert_glue::is_dense(x)) compert_glue::refuse_matrix(x, "x");
  out.n_rows = static_cast<std::size_t>(Rf_ncols(x));
  out.n_columns = static_cast<std::size_t>(Rf_nrows(x));
  out.values.assign(REAL(x), REAL(x) + Rf_xlength(x));
  return out;
}

void integers_of(SEXP x, h5ad::Values& out) {
  const int* values = TYPEOF(x) == LGLSXP ? LOGICAL(x) : INTEGER(x);
  const bool is_factor = Rf_inherits(x, "factor");
  const auto n = static_cast<std::size_t>(Rf_xlength(x));
  out.integers.assign(values, values + n);
  if (is_factor) {
    out.type = h5ad::ValueType::categorical;
    out.texts = texts_of(Rf_getAttrib(x, R_LevelsSymbol));
    out.ordered = Rf_inherits(x, "ordered");
    for (int& code : out.integers) code = code == NA_INTEGER ? -1 : code - 1;
    return;
  }
  out.type = TYPEOF(x) == LGLSXP ? h5ad::ValueType::boolean : h5ad::ValueType::integer;
  for (std::size_t k = 0; k < n; ++k) {
    if (values[k] != NA_INTEGER) continue;
    if (out.missing.empty()) out.missing.assign(n, 0);
    out.missing[k] = 1;
  }
}

h5ad::Values values_of(SEXP x) {
  h5ad::Values out;
  const auto n = static_cast<std::size_t>(Rf_xlength(x));
  out.shape = {n};
  if (TYPEOF(x) == REALSXP) {
    out.numbers.assign(REAL(x), REAL(x) + n);
  } else if (TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) {
    integers_of(x, out);
  } else if (TYPEOF(x) == STRSXP) {
    out.type = h5ad::ValueType::text;
    out.texts = texts_of(x);
    for (std::size_t k = 0; k < n; ++k) {
      if (STRING_ELT(x, static_cast<R_xlen_t>(k)) != NA_STRING) continue;
      if (out.missing.empty()) out.missing.assign(n, 0);
      out.missing[k] = 1;
    }
  } else {
    throw compert::Error("x", "must have columns of numbers, truth values, text or factors",
                         std::string("One is of type ") + Rf_type2char(TYPEOF(x)) + ".");
  }
  return out;
}

h5ad::Table table_of(const Rcpp::List& x) {
  h5ad::Table out;
  const Rcpp::List columns = x["columns"];
  const std::vector<std::string> names = names_of(columns);
  out.index = texts_of(x["index"]);
  out.n_rows = static_cast<std::size_t>(Rcpp::as<double>(x["n"]));
  for (R_xlen_t k = 0; k < columns.size(); ++k) {
    out.columns.push_back({names.at(static_cast<std::size_t>(k)), values_of(columns[k])});
  }
  return out;
}

std::vector<h5ad::Item> items_of(const Rcpp::List& x) {
  std::vector<h5ad::Item> out;
  const std::vector<std::string> names = names_of(x);
  for (R_xlen_t k = 0; k < x.size(); ++k) {
    const Rcpp::List entry = x[k];
    const std::string kind = Rcpp::as<std::string>(entry["kind"]);
    h5ad::Item item;
    item.path = names.at(static_cast<std::size_t>(k));
    if (kind == "table") {
      item.content = table_of(entry);
    } else if (kind == "matrix") {
      item.content = matrix_of(entry["value"]);
    } else {
      h5ad::Values values = values_of(entry["value"]);
      const Rcpp::IntegerVector shape = entry["shape"];
      values.shape.assign(shape.begin(), shape.end());
      item.content = std::move(values);
    }
    out.push_back(std::move(item));
  }
  return out;
}

h5ad::Contents contents_of(const Rcpp::List& parts) {
  h5ad::Contents out;
  if (!Rf_isNull(parts["x"])) out.x = matrix_of(parts["x"]);
  const Rcpp::List layers = parts["layers"];
  const std::vector<std::string> names = names_of(layers);
  for (R_xlen_t k = 0; k < layers.size(); ++k) {
    out.layers.push_back({names.at(static_cast<std::size_t>(k)), matrix_of(layers[k])});
  }
  out.obs = table_of(parts["obs"]);
  out.var = table_of(parts["var"]);
  out.obsm = items_of(parts["obsm"]);
  out.uns = items_of(parts["uns"]);
  if (!Rf_isNull(parts["raw_x"])) {
    out.raw_x = matrix_of(parts["raw_x"]);
    out.raw_var = table_of(parts["raw_var"]);
  }
  return out;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
void core_write_h5ad(const std::string& path, const Rcpp::List& parts, int deflate) {
  h5ad::write(path, contents_of(parts), deflate);
}

// [[Rcpp::export(rng = false)]]
void core_write_h5mu(const std::string& path, const Rcpp::List& obs, const Rcpp::List& var,
                     const Rcpp::List& modalities, const std::string& creator, int deflate) {
  std::vector<h5ad::Modality> parts;
  const std::vector<std::string> names = names_of(modalities);
  for (R_xlen_t k = 0; k < modalities.size(); ++k) {
    const Rcpp::List part = modalities[k];
    parts.push_back({names.at(static_cast<std::size_t>(k)), contents_of(part["contents"]),
                     Rcpp::as<std::vector<std::int32_t>>(part["cells"]),
                     Rcpp::as<std::vector<std::int32_t>>(part["features"])});
  }
  h5ad::write_modalities(path, table_of(obs), table_of(var), parts, creator, deflate);
}
