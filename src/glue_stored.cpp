// Matrices that stay in an HDF5 file: what R needs to know of them, and parts of them read.
#include <Rcpp.h>

#include <string>
#include <vector>

#include "compert/stored_cells.h"
#include "glue_convert.h"

// [[Rcpp::export(rng = false)]]
Rcpp::List core_stored_matrix(const std::string& path, const std::string& name) {
  const compert::StoredMatrix found = compert::stored_matrix(path, name);
  return Rcpp::List::create(
      Rcpp::Named("path") = path, Rcpp::Named("name") = name, Rcpp::Named("sparse") = found.sparse,
      Rcpp::Named("n_genes") = static_cast<double>(found.n_genes),
      Rcpp::Named("n_cells") = static_cast<double>(found.n_cells),
      Rcpp::Named("n_stored") = static_cast<double>(found.n_stored));
}

// [[Rcpp::export(rng = false)]]
Rcpp::List core_tenx_labels(const std::string& path) {
  const compert::TenxLabels labels = compert::tenx_labels(path);
  return Rcpp::List::create(
      Rcpp::Named("group") = labels.group, Rcpp::Named("cells") = labels.cells,
      Rcpp::Named("gene_ids") = labels.gene_ids, Rcpp::Named("gene_names") = labels.gene_names,
      Rcpp::Named("gene_types") = labels.gene_types);
}

// Slots of a dgCMatrix of the cells `cells` (0-based) of any source.
// [[Rcpp::export(rng = false)]]
Rcpp::List core_read_cells(SEXP x, const Rcpp::IntegerVector& cells) {
  const auto source = compert_glue::cell_source(x);
  const std::vector<int64_t> which(cells.begin(), cells.end());
  compert::CellBatch batch;
  source->fetch(which.data(), which.size(), batch);
  if (batch.n_stored() > static_cast<std::size_t>(INT_MAX)) {
    throw compert::Error("x", "must have fewer than 2^31 values that are read at once",
                         std::to_string(batch.n_stored()) + " were asked for",
                         "Read fewer cells at a time");
  }
  return Rcpp::List::create(
      Rcpp::Named("p") = Rcpp::IntegerVector(batch.offsets.begin(), batch.offsets.end()),
      Rcpp::Named("i") = Rcpp::IntegerVector(batch.genes.begin(), batch.genes.end()),
      Rcpp::Named("x") = Rcpp::NumericVector(batch.values.begin(), batch.values.end()));
}
