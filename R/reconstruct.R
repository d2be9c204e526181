#' Pass cells through the model under their own condition
#'
#' The other question than [predict()][predict.compert_fit]: encode every cell, add the embeddings
#' of the condition that it was measured under, decode. A good reconstruction says how much of the
#' data the model holds; it says nothing about unseen conditions, because the answer was shown.
#'
#' @inheritParams predict.compert_fit
#' @param fit A `compert_fit`.
#' @param newdata Cells in any container that [cpa()] takes.
#' @param add What is added to each cell's basal state before decoding: `TRUE`, everything; `NULL`,
#'   nothing; or names out of `"perturbation"` and the fit's covariates (its batch among them; one called
#'   `perturbation` is `"own_perturbation"` here).
#'   Leaving the batch out gives batch-corrected expression, leaving the perturbation out the cells
#'   as if untreated.
#' @param type `"mean"`, or `"variance"` for mean and variance.
#' @return Like [predict()][predict.compert_fit] with one column per cell of `newdata`, in its
#'   order, and `cpa_source` = `"reconstruction"`.
#' @section Errors:
#' Missing genes, and perturbations or covariate levels that are added and that the fit never saw; no
#' column of perturbations, unless `add` leaves the perturbation out.
#' @concept custom_predict
#' @source `ComPert.predict` in `cpa/model.py` of facebookresearch/CPA; `custom_predict` in
#'   `cpa/_model.py` of theislab/cpa.
#' @seealso [predict()][predict.compert_fit] for other conditions, [evaluate_cells()], [cell_embedding()],
#'   [write_back()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' reconstruct(fit, screen)
#' reconstruct(fit, screen, add = "cell_type")   # the cells as if untreated
#' @export
reconstruct <- function(fit, newdata, ..., add = TRUE, type = c("mean", "variance"),
                        from = c("all", "rna", "proteins"), assay = NULL, layer = NULL,
                        col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  type <- check_choice(type, c("mean", "variance"), "type")
  need_newdata(missing(newdata), "reconstruct")
  from <- check_from(fit, from)
  parts <- as_composition(fit, add)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes,
                         labels = if (parts$perturbation) "own" else "start", from = from)
  screen <- use_modality(screen, from)
  cells <- seq_len(ncol(screen$x))
  design <- encode_screen(fit$meta$registry, labels_in_use(fit, screen, parts))
  answer <- with_core_errors(
    core_reconstruct(fit$state, core_rows(screen), design, cells - 1L, parts$perturbation, parts$without,
                     type == "variance")
  )
  about <- beside_own(screen$col_data, c(
    list(cpa_condition = pair_labels(fit, screen$parts, screen$doses),
         cpa_source = rep("reconstruction", length(cells)), cpa_cell = colnames(screen$x)),
    columns_by_group(fit, screen$code, screen$parts, screen$doses, screen$covariates)
  ))
  rownames(about) <- colnames(screen$x)
  wrap_output(cell_values(answer, type), about, screen, fit, type, newdata)
}
