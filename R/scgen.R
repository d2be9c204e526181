#' Fit the scGen baseline
#'
#' A variational autoencoder of the cells that knows neither perturbations nor covariates. What a
#' perturbation does is the difference of latent means between its cells and their controls, taken
#' within each set of covariates and averaged (sets without training controls are left out; where a
#' perturbation has no other, the controls of all sets stand in); it is added to a control cell's latent state and
#' decoded. Nothing of it is trained, so it is the baseline that a compositional model has to beat.
#'
#' Every dose that training cells had is measured by itself; doses between are interpolated, and the
#' vectors of a combination are added. A perturbation that training never met has the mean vector of
#' all others at its dose.
#'
#' @inheritParams cpa
#' @param settings Hyperparameters, from [scgen_settings()].
#' @return A `compert_fit` for [predict()][predict.compert_fit], [evaluate_r2()] and all other verbs.
#' @section Errors: As [cpa()]. Counts are refused: the baseline is Gaussian. Training must have controls and
#'   cells of single perturbations.
#' @references Lotfollahi, Wolf, Theis (2019) scGen predicts single-cell perturbation responses.
#'   Nature Methods 16, 715-721.
#' @seealso [baseline_fit()] for baselines without a network, [cpa()], [evaluate_r2()]
#' @examples
#' cells <- kang_example(as = "list")
#' fit <- scgen(cells$x, "condition", control = "control", covariates = "cell_type",
#'              split = "split", col_data = cells$col_data,
#'              settings = scgen_settings(epochs = 1, seed = 1, verbose = FALSE))
#' fit
#' @export
scgen <- function(x, perturbation, ..., dose = NULL, covariates = NULL, control, batch = NULL,
                  split = NULL, assay = NULL, layer = NULL, col_data = NULL, sep = "+",
                  dose_unit = NULL, settings = scgen_settings()) {
  check_no_dots(...)
  need_cells(missing(x))
  train_model("scgen", given_arguments())
}

#' @rdname scgen
#' @inheritParams cpa_settings
#' @param ... `scgen_settings()`: settings by the names of [cpa_settings()].
#' @export
scgen_settings <- function(..., seed = NULL, verbose = NULL) {
  model_settings("scgen", list(..., seed = seed), verbose)
}
