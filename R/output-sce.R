# Predictions as SingleCellExperiment or SummarizedExperiment.

# metadata(x)$cpa says what the numbers are; the weights stay in the fit. The user's rowData go on.
as_experiment <- function(values, about, fit, newdata, single_cell, proteins = NULL) {
  package <- if (single_cell) "SingleCellExperiment" else "SummarizedExperiment"
  check_package(package, "to return predictions in this container")
  make <- if (single_cell) {
    SingleCellExperiment::SingleCellExperiment
  } else {
    SummarizedExperiment::SummarizedExperiment
  }
  about <- S4Vectors::DataFrame(about, check.names = FALSE, row.names = rownames(about))
  out <- make(assays = values, colData = about, metadata = list(cpa = output_notes(fit)))
  if (!is.null(proteins) && single_cell) {
    part <- SummarizedExperiment::SummarizedExperiment(assays = proteins)
    SingleCellExperiment::altExp(out, protein_place(fit)) <- part
  } else if (!is.null(proteins)) {
    S4Vectors::metadata(out)$proteins <- proteins
  }
  if (!inherits(newdata, "SummarizedExperiment")) return(out)
  rows <- SummarizedExperiment::rowData(newdata)
  at <- match_feature_names(rownames(out), rownames(newdata))
  SummarizedExperiment::rowData(out) <- rows[at, , drop = FALSE]
  rownames(out) <- fit$meta$registry$genes
  out
}

# What is worth keeping beside predictions: settings and tables, never the weights.
output_notes <- function(fit) {
  meta <- fit$meta
  list(
    model = meta$model, settings = meta$settings, keys = Filter(Negate(is.null), meta$keys),
    assay = meta$assay, scale = meta$scale, seed = meta$seed,
    package_version = meta$package_version, history = fit$history
  )
}
