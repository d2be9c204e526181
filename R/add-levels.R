#' Add levels of covariates to a fit
#'
#' A fit predicts cells of the levels that its training saw. `add_levels()` makes others known to it, such as a
#' cell type, a donor or a batch that no training cell had, so that their cells can be asked about. Nothing is
#' trained, and all other predictions stay as they are, to the bit.
#'
#' The model has a vector for each level of a covariate (those of [scgen()] are 0). A new level gets the mean of the
#' vectors of the trained levels. What is known of it beside that is in the cells that predictions start from: give
#' [predict()][predict.compert_fit] controls of that level. Counterfactuals by difference (the default) keep what these
#' have of their own, and take the effect from the model; decoded ones do not, and lie near the average level. `seen`
#' is `"drug new to covariate"` for all perturbations.
#'
#' It is a guess that the new level responds as the trained ones do. Of the seven cell types of [kang_example()], each
#' left out of a fit of its own (`cpa_settings(seed = 1)`), r2 of the effects on 50 DEGs was 0.82 on average, from 0.75
#' to 0.92; the additive baseline of [evaluate_r2()], which has the mean effect on the other types, had 0.62. Leave
#' measured levels out of a fit, add them, and score them by [evaluate_r2()] to know how good it is in yours; where
#' there are treated cells of the level, learn it by [fine_tune()].
#'
#' @param fit A `compert_fit` with covariates, also one of [add_molecules()] or [add_levels()] itself.
#' @param covariates Named list of the new levels of each covariate: `list(cell_type = c("Mast", "pDC"))`. The
#'   batch is a covariate too.
#' @return A `compert_fit` that knows the new levels. Its history and settings are those of `fit`.
#' @section Errors: A fit without covariates; names that are no covariates of the fit, continuous ones among them;
#'   levels that it knows already, by name; `NA` and empty names.
#' @references Lotfollahi et al. (2023) Molecular Systems Biology 19, e11517. In the reference implementations a new
#'   level has no embedding.
#' @seealso [fine_tune()], [add_molecules()], [covariate_embedding()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen[, screen$cell_type != "B"], "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, seed = 1, verbose = FALSE))
#' more <- add_levels(fit, list(cell_type = "B"))
#' predict(more, screen, condition(condition = "IFNb", cell_type = "B"), summarise = "condition")
#' @export
add_levels <- function(fit, covariates) {
  validate_fit(fit)
  check_new_levels(fit, covariates)
  for (name in names(covariates)) {
    fit <- with_new_levels(fit, name, enc2utf8(level_names(covariates[[name]])))
  }
  fit
}

with_new_levels <- function(fit, name, levels, call = rlang::caller_env()) {
  meta <- fit$meta
  known <- meta$registry$covariates[[name]]
  # The vectors of levels without training cells are what they were drawn as.
  trained <- if (knows_training(meta)) known %in% trained_conditions(fit)$covariates[[name]] else TRUE
  meta$registry$covariates[[name]] <- c(known, levels)
  place <- match(name, names(meta$registry$covariates)) - 1L
  new_fit(with_core_errors(core_add_levels(fit$state, place, length(levels), seq_along(known)[trained] - 1L,
                                           meta_to_json(meta)), call = call))
}

check_new_levels <- function(fit, covariates, call = rlang::caller_env()) {
  known <- fit$meta$registry$covariates
  if (length(known) == 0L) {
    abort_input("`fit` must have covariates.", "It has none, and predicts from any cells.",
                "Predict from the new cells as they are.", call)
  }
  todo <- paste0("Write `covariates = list(", names(known)[1L], " = \"new\")`.")
  names <- rlang::names2(covariates)
  whole <- is.list(covariates) && length(covariates) > 0L && all(nzchar(names)) && !anyDuplicated(names) &&
    all(vapply(covariates, function(v) is.atomic(v) && length(v) > 0L, NA))
  if (!whole) {
    abort_input("`covariates` must be a named list of new levels, each covariate once.",
                paste0("It is ", describe(covariates), "."), todo, call)
  }
  strange <- setdiff(names, names(known))
  if (length(strange)) {
    what <- if (strange[1L] %in% names(fit$meta$registry$continuous)) " is continuous, without levels." else " is none."
    abort_input("`covariates` must be named by covariates of the fit.", paste0(dQuote(strange[1L], FALSE), what),
                paste0(did_you_mean(strange[1L], names(known)), "Covariates are ", name_list(names(known)), "."), call)
  }
  for (name in names) {
    levels <- level_names(covariates[[name]])
    check_strings(levels, name, FALSE, call)
    old <- intersect(levels, known[[name]])
    if (length(old) == 0L) next
    abort_input(paste0("`", name, "` must be levels that the fit does not know."),
                paste0("It knows ", name_list(old), "."), "Leave them out.", call)
  }
}
