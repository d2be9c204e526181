#' Put a fit's latent states into your own object
#'
#' Adds the cell embeddings where the tools of each ecosystem look for them. The object's
#' expression, columns and other reductions stay as they are; your `x` itself is not changed, the
#' enriched copy is returned.
#'
#' @section Reconstructed expression:
#' [reconstruct()] answers in the container of `x`, with its cells in their order, but with the genes of the fit, so
#' that the answer goes where such tables have a place of their own:
#' `SingleCellExperiment::altExp(x, "CPA") <- reconstruct(fit, x)`, or, of a Seurat object,
#' `x[["CPA"]] <- reconstruct(fit, x)[["mean"]]`. Predictions of [predict()][predict.compert_fit] have other columns
#' than `x`, and are objects by themselves.
#'
#' @inheritParams cell_embedding
#' @param x SingleCellExperiment or Seurat object with the cells to embed. (A matrix has no place
#'   for embeddings: use [cell_embedding()].)
#' @param which Embeddings to add, of `"basal"`, `"treated"` and `"corrected"`.
#' @param assay,layer As in [cpa()]: another assay or layer than training read.
#' @return `x` with `reducedDim(x, "CPA_basal")` and so on, and `metadata(x)$cpa`; for Seurat with
#'   reductions `cpa_basal` (key `CPAbasal_`) and so on, and `Misc(x, "cpa")`. That entry is a list
#'   of the fit's settings, column names, seed and history, never the weights.
#' @section Errors:
#' Other containers; cells or genes that do not go with the fit; no column of perturbations, unless only the
#' basal state is asked for.
#' @source `CPA.get_latent_representation` in `cpa/_model.py` of theislab/cpa.
#' @seealso [cell_embedding()], [reconstruct()], [write_h5ad()]
#' @concept get_latent_representation
#' @examplesIf requireNamespace("SingleCellExperiment", quietly = TRUE)
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' screen <- write_back(fit, screen)
#' SingleCellExperiment::reducedDimNames(screen)
#' @export
write_back <- function(fit, x, ..., which = c("basal", "treated", "corrected"), assay = NULL,
                       layer = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  need_newdata(missing(x), "write_back", arg = "x")
  check_among(which, c("basal", "treated", "corrected"), "which")
  can <- inherits(x, "SingleCellExperiment") || inherits(x, "Seurat")
  if (!can) {
    abort_input("`x` must be a SingleCellExperiment or a Seurat object.",
                paste0("It is ", describe(x), ", which has no place for embeddings."),
                "Use `cell_embedding(fit, x)`, which returns them as a matrix.")
  }
  screen <- read_newdata(fit, x, assay, layer, missing_genes = missing_genes,
                         labels = if (identical(which, "basal")) "unused" else "own")
  embeddings <- lapply(stats::setNames(nm = which), function(w) embed_screen(fit, screen, w))
  if (inherits(x, "Seurat")) add_reductions(x, embeddings, fit, screen$assay) else
    add_reduced_dims(x, embeddings, fit)
}

add_reduced_dims <- function(x, embeddings, fit) {
  check_package("SingleCellExperiment", "to write into a SingleCellExperiment")
  for (name in names(embeddings)) {
    z <- embeddings[[name]]
    rownames(z) <- colnames(x)
    SingleCellExperiment::reducedDim(x, paste0("CPA_", name)) <- z
  }
  notes <- S4Vectors::metadata(x)
  notes$cpa <- output_notes(fit)
  S4Vectors::`metadata<-`(x, value = notes)
}

# Keys are letters and digits, columns the key and a number, as SeuratObject demands.
add_reductions <- function(x, embeddings, fit, assay) {
  check_package("SeuratObject", "to write into a Seurat object")
  for (name in names(embeddings)) {
    z <- embeddings[[name]]
    key <- paste0("CPA", name, "_")
    colnames(z) <- paste0(key, seq_len(ncol(z)))
    x[[paste0("cpa_", name)]] <- SeuratObject::CreateDimReducObject(z, key = key, assay = assay)
  }
  suppressWarnings(SeuratObject::Misc(x, "cpa") <- output_notes(fit))
  x
}
