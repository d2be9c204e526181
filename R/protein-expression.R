#' Denoised proteins, and what is background
#'
#' What the mixture of a [multicpa()] fit says of the proteins of cells under their own condition.
#'
#' @inheritParams reconstruct
#' @param what `"denoised"`: the foreground's share of the mean, `(1 - sigmoid(pi)) f`, counts without
#'   background; `"foreground_probability"`: `1 - sigmoid(pi)`, between 0 and 1; `"background"` and
#'   `"foreground"`: the means b and f of the two components, in counts.
#' @param from As in [predict()][predict.compert_fit].
#' @return A matrix of proteins x cells, with the cells of `newdata` in their order.
#' @section Errors: A fit without proteins, or with another likelihood than the mixture.
#' @source `get_normalized_expression` and `get_protein_foreground_probability` of totalVI in
#'   scvi-tools.
#' @seealso [multicpa()], [reconstruct()]
#' @examplesIf requireNamespace("SingleCellExperiment", quietly = TRUE)
#' screen <- cite_example()   # antibodies in its alternative experiment "ADT"
#' fit <- multicpa(screen, "condition", control = "control", covariates = "cell_type",
#'                 assay = "logcounts",
#'                 settings = multicpa_settings(epochs = 2, seed = 1, verbose = FALSE))
#' protein_expression(fit, screen, "foreground_probability")[1:5, 1:3]
#' @export
protein_expression <- function(fit, newdata,
                               what = c("denoised", "foreground_probability", "background",
                                        "foreground"),
                               ..., add = TRUE, from = c("all", "rna", "proteins"), assay = NULL,
                               layer = NULL, col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  need_newdata(missing(newdata), "protein_expression")
  what <- check_choice(what, c("denoised", "foreground_probability", "background", "foreground"),
                       "what")
  from <- check_from(fit, from)
  parts <- as_composition(fit, add)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes,
                         labels = if (parts$perturbation) "own" else "unused", from = from)
  screen <- use_modality(screen, from)
  design <- encode_screen(fit$meta$registry, labels_in_use(fit, screen, parts))
  answer <- with_core_errors(
    core_proteins(fit$state, core_rows(screen), design, seq_len(ncol(screen$x)) - 1L, parts$perturbation,
                  parts$without)
  )[[what]]
  dimnames(answer) <- list(fit$meta$registry$proteins, colnames(screen$x))
  answer
}
