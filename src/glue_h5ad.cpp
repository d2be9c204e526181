// Reading .h5ad files: from the core's structures to R's vectors.
#include <Rcpp.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compert/h5ad.h"
#include "glue_convert.h"

namespace {

namespace h5ad = compert::h5ad;

SEXP as_r_string(const std::string& text) {
  return Rf_mkCharLenCE(text.data(), static_cast<int>(text.size()), CE_UTF8);
}

Rcpp::CharacterVector as_r_texts(const std::vector<std::string>& texts) {
  Rcpp::CharacterVector out(static_cast<R_xlen_t>(texts.size()));
  for (std::size_t k = 0; k < texts.size(); ++k) {
    SET_STRING_ELT(out, static_cast<R_xlen_t>(k), as_r_string(texts[k]));
  }
  return out;
}

// The R matrix of the same values with rows and columns swapped: rows of the file become columns.
Rcpp::RObject as_r_matrix(h5ad::Matrix matrix) {
  const int n_rows = static_cast<int>(matrix.n_columns);
  const int n_columns = static_cast<int>(matrix.n_rows);
  if (matrix.layout == h5ad::Layout::dense) {
    Rcpp::NumericVector out(matrix.values.begin(), matrix.values.end());
    out.attr("dim") = Rcpp::IntegerVector::create(n_rows, n_columns);
    return out;
  }
  matrix = h5ad::to_csr(std::move(matrix));
  if (matrix.values.size() > static_cast<std::size_t>(INT_MAX)) {
    throw compert::Error("path", "must hold matrices with fewer than 2^31 entries",
                         "One has " + std::to_string(matrix.values.size()) + ".",
                         "Keep the variable genes only, or fewer cells.");
  }
  Rcpp::S4 out("dgCMatrix");
  out.slot("Dim") = Rcpp::IntegerVector::create(n_rows, n_columns);
  out.slot("p") = Rcpp::IntegerVector(matrix.offsets.begin(), matrix.offsets.end());
  out.slot("i") = Rcpp::IntegerVector(matrix.indices.begin(), matrix.indices.end());
  std::vector<std::int32_t>().swap(matrix.indices);
  out.slot("x") = Rcpp::NumericVector(matrix.values.begin(), matrix.values.end());
  return Rcpp::RObject(out);
}

Rcpp::RObject as_r_vector(const h5ad::Values& values) {
  const std::vector<std::uint8_t>& missing = values.missing;
  const auto n = static_cast<R_xlen_t>(values.size());
  const auto gone = [&](R_xlen_t k) {
    return !missing.empty() && missing[static_cast<std::size_t>(k)] != 0;
  };
  switch (values.type) {
    case h5ad::ValueType::real: {
      Rcpp::NumericVector out(values.numbers.begin(), values.numbers.end());
      for (R_xlen_t k = 0; k < n; ++k) out[k] = gone(k) ? NA_REAL : out[k];
      return out;
    }
    case h5ad::ValueType::text: {
      Rcpp::CharacterVector out = as_r_texts(values.texts);
      for (R_xlen_t k = 0; k < n; ++k) {
        if (gone(k)) SET_STRING_ELT(out, k, NA_STRING);
      }
      return out;
    }
    case h5ad::ValueType::boolean: {
      Rcpp::LogicalVector out(values.integers.begin(), values.integers.end());
      for (R_xlen_t k = 0; k < n; ++k) out[k] = gone(k) ? NA_LOGICAL : out[k];
      return out;
    }
    default:
      break;
  }
  const bool is_factor = values.type == h5ad::ValueType::categorical;
  Rcpp::IntegerVector out(n);
  for (R_xlen_t k = 0; k < n; ++k) {
    const int value = values.integers[static_cast<std::size_t>(k)];
    out[k] = gone(k) || (is_factor && value < 0) ? NA_INTEGER : value + (is_factor ? 1 : 0);
  }
  if (!is_factor) return out;
  out.attr("levels") = as_r_texts(values.texts);
  out.attr("class") = values.ordered ? Rcpp::CharacterVector::create("ordered", "factor")
                                     : Rcpp::CharacterVector::create("factor");
  return out;
}

Rcpp::List as_r_table(const h5ad::Table& table) {
  Rcpp::List columns(static_cast<R_xlen_t>(table.columns.size()));
  std::vector<std::string> names;
  for (std::size_t k = 0; k < table.columns.size(); ++k) {
    columns[static_cast<R_xlen_t>(k)] = as_r_vector(table.columns[k].values);
    names.push_back(table.columns[k].name);
  }
  columns.attr("names") = as_r_texts(names);
  return Rcpp::List::create(
      Rcpp::Named("kind") = "table", Rcpp::Named("n") = static_cast<double>(table.n_rows),
      Rcpp::Named("index") = as_r_texts(table.index), Rcpp::Named("columns") = columns);
}

Rcpp::List as_r_items(std::vector<h5ad::Item>& items) {
  Rcpp::List out(static_cast<R_xlen_t>(items.size()));
  std::vector<std::string> names;
  for (std::size_t k = 0; k < items.size(); ++k) {
    h5ad::Item& item = items[k];
    Rcpp::List entry;
    if (auto* matrix = std::get_if<h5ad::Matrix>(&item.content)) {
      entry = Rcpp::List::create(Rcpp::Named("kind") = "matrix",
                                 Rcpp::Named("value") = as_r_matrix(std::move(*matrix)));
    } else if (const auto* table = std::get_if<h5ad::Table>(&item.content)) {
      entry = as_r_table(*table);
    } else {
      const auto& values = std::get<h5ad::Values>(item.content);
      entry = Rcpp::List::create(
          Rcpp::Named("kind") = "values", Rcpp::Named("value") = as_r_vector(values),
          Rcpp::Named("shape") = Rcpp::IntegerVector(values.shape.begin(), values.shape.end()));
    }
    out[static_cast<R_xlen_t>(k)] = entry;
    names.push_back(item.path);
  }
  out.attr("names") = as_r_texts(names);
  return out;
}

Rcpp::RObject as_r_optional(std::optional<h5ad::Matrix>& matrix) {
  if (!matrix) return R_NilValue;
  return as_r_matrix(std::move(*matrix));
}

Rcpp::List as_r_layers(std::vector<h5ad::NamedMatrix>& layers) {
  Rcpp::List out(static_cast<R_xlen_t>(layers.size()));
  std::vector<std::string> names;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    out[static_cast<R_xlen_t>(k)] = as_r_matrix(std::move(layers[k].matrix));
    names.push_back(layers[k].name);
  }
  out.attr("names") = as_r_texts(names);
  return out;
}

// What the core says about parts that it left out or changed, by path.
Rcpp::CharacterVector as_r_notes(const std::vector<h5ad::Skipped>& skipped) {
  std::vector<std::string> paths, reasons;
  for (const h5ad::Skipped& one : skipped) {
    paths.push_back(one.path);
    reasons.push_back(one.reason);
  }
  Rcpp::CharacterVector out = as_r_texts(reasons);
  out.attr("names") = as_r_texts(paths);
  return out;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
Rcpp::List core_h5ad_outline(const std::string& path, const std::string& group = "") {
  const h5ad::Outline outline = h5ad::outline(path, group);
  return Rcpp::List::create(Rcpp::Named("x") = outline.x, Rcpp::Named("raw") = outline.raw,
                            Rcpp::Named("layers") = as_r_texts(outline.layers),
                            Rcpp::Named("obsm") = as_r_texts(outline.obsm));
}

// [[Rcpp::export(rng = false)]]
Rcpp::List core_read_h5ad(const std::string& path, bool x,
                          Rcpp::Nullable<Rcpp::CharacterVector> layers, bool obsm, bool uns,
                          bool raw, const std::string& group = "") {
  h5ad::ReadOptions options;
  options.x = x;
  options.obsm = obsm;
  options.uns = uns;
  options.raw = raw;
  if (layers.isNotNull()) options.layers = Rcpp::as<std::vector<std::string>>(layers.get());
  h5ad::Contents in = h5ad::read(path, options, group);
  return Rcpp::List::create(
      Rcpp::Named("x") = as_r_optional(in.x), Rcpp::Named("layers") = as_r_layers(in.layers),
      Rcpp::Named("obs") = as_r_table(in.obs), Rcpp::Named("var") = as_r_table(in.var),
      Rcpp::Named("obsm") = as_r_items(in.obsm), Rcpp::Named("uns") = as_r_items(in.uns),
      Rcpp::Named("raw_x") = as_r_optional(in.raw_x),
      Rcpp::Named("raw_var") = as_r_table(in.raw_var),
      Rcpp::Named("skipped") = as_r_notes(in.skipped));
}

// [[Rcpp::export(rng = false)]]
Rcpp::CharacterVector core_h5ad_modalities(const std::string& path) {
  return as_r_texts(h5ad::modalities(path));
}

// [[Rcpp::export(rng = false)]]
std::vector<int> core_h5ad_obsmap(const std::string& path, const std::string& modality) {
  return h5ad::obsmap(path, modality);
}
