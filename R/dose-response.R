#' How the response grows with the dose
#'
#' In latent space the response of perturbation j is the scalar h_j(dose) by which its embedding is
#' multiplied. It acts on the dose as the network sees it, usually the share of the highest dose that j
#' was measured at (see Doses in [cpa()]; with a linear doser h_j is this share). In gene space it is
#' what the model predicts: for every covariate combination, perturbation and dose the mean predicted
#' expression over the source cells, and the length of that change.
#'
#' @inheritParams evaluate_r2
#' @param fit A `compert_fit`, or for `space = "genes"` a baseline ("Dose responses" in [baseline_fit()]).
#' @param newdata For `space = "genes"`: cells in any container that [cpa()] takes, with controls.
#' @param space `"latent"`, or `"genes"` (needs `newdata`); `NULL` for `"genes"` of a baseline, and where
#'   `newdata`, `genes` or `features = "proteins"` is given, else `"latent"`.
#' @param perturbation Names; `NULL` for all but the control.
#' @param dose Numbers from 0; `NULL` for `n_points` equal steps from 0 to the highest trained dose
#'   of each perturbation (of one without training cells, what corresponds to that of the others, as in
#'   [perturbation_embedding()]). Where training saw several doses of it, they and as many steps of equal
#'   ratios between them are there too, so that low doses have a curve of their own.
#' @param dose_unit Unit of `dose`, such as `"nM"`, where it is not the fit's, in which the table is.
#' @param n_points Number of steps of the default grid.
#' @param continuous For `space = "genes"`: values of continuous covariates at which the response is asked for,
#'   `c(age = 50)`, or `list(age = c(30, 70))` for several, of which each has its rows. `NULL`: those of the
#'   source cells.
#' @param genes Names of genes to return one by one, for `space = "genes"`; of a fit of RNA and proteins
#'   proteins as well. A name that both have is the gene.
#' @param features For `space = "genes"`: `"genes"`, or of a fit of RNA and proteins `"proteins"`, for lengths over
#'   proteins and `genes` that are proteins.
#' @param source,residual As in [predict()][predict.compert_fit].
#' @param scale For fits on counts and `space = "genes"`: `"log"` (log-normalised) or `"model"` (raw counts),
#'   see Scale.
#' @return A tibble. `space = "latent"`: `perturbation`, `dose`, `response` (h, no unit).
#'   `space = "genes"`: the covariates, `perturbation`, `dose`, `n_cells` (source cells), and either
#'   `norm_of_mean` (Euclidean length of the mean predicted expression, the references' measure) and
#'   `norm_of_difference` (length of its change from the same cells under their own condition), or,
#'   with `genes`, one row per gene with `gene`, `mean` and `difference`. The mean is of the fit's kind of
#'   counterfactual (`residual`); changes are by difference. With `continuous` its covariates are columns behind
#'   the others, and changes are from the same cells as controls at these values: what the value itself changes is
#'   in the mean only. A covariate
#'   that has the name of a column of these tables, or those of [dose_response2d()] and
#'   [observed_response()], gets `own_` in front. Tables of genes say their scale in the attribute `scale`.
#' @section Scale:
#' Fits on log-normalised values answer on these. Means of counts depend on how many counts the cells have,
#' and treated cells may have more or fewer than their controls. So for fits on counts cells are brought to
#' the median total of the cells of `newdata`, and means are those of log(1 + value), as [evaluate_r2()] and
#' [plot_means()] have them (of decoded counterfactuals their expectation, without the noise of draws);
#' `scale = "model"` gives means of raw counts. Raw counts of proteins are log(1 + mean), as
#' `r2_mean_protein` of [evaluate_r2()] has them. Give
#' [observed_response()] the same cells and scale: plots refuse another scale and warn of another total.
#'
#' On the scale `"log"` predictions of fits on counts start from at most 2,000 of the source cells, the same
#' ones at every dose (`norm_of_mean` of decoded counterfactuals from 200 of these). Proteins are predicted
#' from the source cells that have proteins; where none has, their mean is that of all and the difference `NA`.
#' @section How sure a curve is:
#' A curve has no interval. Fits with several seeds tell how much of it the training settles,
#' [prediction_uncertainty()] how far its doses lie from those of training, and [observed_response()] the standard
#' errors of what was measured.
#'
#' @section Dose 0:
#' The control is a perturbation with a dose of its own. Where the screen's doses give the control
#' dose 0 (the `dose` argument of [cpa()]), dose 0 of any perturbation is the control (but for the parities
#' of theislab/chemCPA, whose networks act at dose 0). Without
#' doses the control has dose 1, as in the references, and dose 0 of a perturbation is a state
#' without either, which no cell was measured in; a message and the caption of plots say so.
#' @section Errors:
#' Unknown names, a negative dose, `space = "genes"` without `newdata`; a baseline with `space = "latent"`, or that
#' has an answer for no dose; `continuous` that names no continuous covariate of the fit, or of a baseline. Doses
#' above the trained range give one warning, and so do values outside of it.
#' @source `latent_dose_response` and `get_response` in `cpa/api.py` of facebookresearch/CPA.
#' @seealso [plot_dose_response()], [observed_response()] for what was measured, [dose_response2d()] for
#'   two perturbations
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", dose = "dose", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' dose_response(fit, n_points = 3)
#' dose_response(fit, screen, space = "genes", dose = c(0, 1))
#' @export
dose_response <- function(fit, newdata = NULL, ..., space = NULL,
                          perturbation = NULL, dose = NULL, dose_unit = NULL, n_points = 20L, continuous = NULL,
                          genes = NULL, features = c("genes", "proteins"), source = "matched",
                          residual = NULL, scale = c("log", "model"), assay = NULL, layer = NULL, col_data = NULL,
                          missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  features <- check_features(fit, features)
  space <- response_space(fit, space, newdata, genes, features)
  scale <- check_choice(scale, c("log", "model"), "scale")
  continuous <- check_values(fit, continuous, space)
  grid <- dose_grid(fit, perturbation, doses_from_unit(fit, dose, dose_unit), n_points)
  if (space == "latent") {
    return(with_single_dose(with_dose_unit(latent_response(fit, grid), fit), fit, grid$dose))
  }
  if (is.null(newdata)) need_newdata(TRUE, "dose_response")
  residual <- response_residual(fit, residual)
  of <- response_features(fit, genes, features)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes)
  gene_response(fit, screen, grid, source, residual, genes, of, scale, continuous = continuous)
}

response_space <- function(fit, space, newdata, genes, features, call = rlang::caller_env()) {
  of_cells <- !is.null(genes) || features == "proteins"
  usual <- if (is.null(newdata) && !of_cells && !is_baseline(fit)) "latent" else "genes"
  space <- check_choice(space %||% usual, c("latent", "genes"), "space", call)
  if (space == "genes") return(space)
  if (of_cells) {
    what <- if (is.null(genes)) "features" else "genes"
    abort_input(paste0("`", what, "` must be left out for `space = \"latent\"`."), "It was given.",
                "Write space = \"genes\" for the response of genes and proteins.", call)
  }
  validate_fit(fit, call = call)  # baselines have no latent space
  space
}

response_residual <- function(fit, residual, call = rlang::caller_env()) {
  if (is_baseline(fit)) check_baseline_question("mean", "condition", residual, call = call)
  pick_residual(fit, residual, call)
}

# What a table is of: "genes", "proteins", or both where such genes are asked for by name.
response_features <- function(fit, genes, features, call = rlang::caller_env()) {
  genes <- check_genes(fit, genes, call, of = if (features == "proteins") features else c("genes", "proteins"))
  if (is.null(genes) || features == "proteins") return(features)
  own <- genes %in% fit$meta$registry$genes
  c("genes", "proteins")[c(any(own), !all(own))]
}

# Columns of the tables of responses, of which plots find the covariates by what is left.
response_names <- c("perturbation", "dose", "perturbation_1", "dose_1", "perturbation_2", "dose_2", "seen",
                    "n_cells", "gene", "mean", "difference", "response", "norm_of_shift",
                    "norm_of_mean", "norm_of_difference", "se_mean", "se_difference")

# Pairs of a perturbation and a dose, perturbation by perturbation.
dose_grid <- function(fit, perturbation, dose, n_points, call = rlang::caller_env()) {
  check_count(n_points, "n_points", min = 2, call = call)
  if (!is.null(dose)) check_grid(dose, call)
  names <- known_perturbations(fit, perturbation, call)
  doses <- if (is.null(dose)) {
    Map(function(trained, equal) answered_doses(fit, dose_curve(equal, trained, n_points), trained),
        trained_doses(fit, names)[names], dose_steps(fit, names, n_points))
  } else {
    rep(list(dose), length(names))
  }
  data.frame(perturbation = rep(names, lengths(doses)), dose = as.numeric(unlist(doses)),
             stringsAsFactors = FALSE)
}

# Doses for a grid that were given in `unit`, in that of the fit.
doses_from_unit <- function(fit, dose, unit, call = rlang::caller_env()) {
  unit <- check_unit_of(dose, unit, call)
  if (is.null(unit)) return(dose)
  each <- if (is.list(dose)) dose else list(dose)
  for (one in each) check_grid(one, call)
  each <- doses_in_unit(in_unit(each, unit), fit$meta$registry, call)
  if (is.list(dose)) each else each[[1L]]
}

check_grid <- function(dose, call = rlang::caller_env()) {
  if (is.numeric(dose) && length(dose) && all(is.finite(dose)) && all(dose >= 0)) return(invisible())
  abort_input("`dose` must be numbers of at least 0.",
              paste0("It is ", if (length(dose)) describe_dose(dose) else describe(dose), "."),
              "Write `dose = c(0, 0.5, 1)`.", call)
}

# Equal steps, the trained doses, and equal ratios from the lowest of these to the highest: doses of
# screens are decades apart, and equal steps hardly reach the lower ones.
dose_curve <- function(equal, trained, n_points) {
  doses <- unique(trained[trained > 0])
  if (length(doses) < 2L) return(equal)
  ratios <- exp(seq(log(min(doses)), log(max(doses)), length.out = n_points + 2L))
  all <- sort(c(equal, doses, ratios[-c(1L, n_points + 2L)]))
  # Steps that meet but for rounding are one.
  all[c(TRUE, diff(all) > 1e-9 * max(all))]
}

# All doses that training saw of each perturbation.
trained_doses <- function(fit, names) {
  seen <- trained_conditions(fit)
  split(as.double(unlist(seen$doses)), factor(as.character(unlist(seen$parts)), unique(names)))
}

# For a baseline without those of training, at which it answers as if they had not been measured.
answered_doses <- function(fit, doses, trained) {
  if (!is_baseline(fit)) return(doses)
  measured <- vapply(doses, function(d) any(abs(trained - d) <= 1e-9 * d), NA)
  doses[!measured | doses == 0]
}

# Per name, from 0 to the highest dose that training saw, of a perturbation that it did not see to what corresponds
# to that of the others.
dose_steps <- function(fit, names, n_points) {
  lapply(trained_ranges(fit$meta$registry, names)[, 2L], function(highest) seq(0, highest, length.out = n_points))
}

# Names of perturbations, checked; all but the control for `NULL`.
known_perturbations <- function(fit, perturbation, call = rlang::caller_env()) {
  registry <- fit$meta$registry
  check_strings(perturbation, "perturbation", call = call, min = 1L)
  names <- perturbation %||% setdiff(registry$perturbations, registry$control)
  names <- unique(one_control(names, fit$meta$keys))
  unknown <- setdiff(names, registry$perturbations)
  if (length(unknown) == 0L) return(names)
  abort_input(
    "`perturbation` must name perturbations of the fit.",
    paste0(name_list(unknown), " was not in training."),
    paste0(did_you_mean(unknown[1L], registry$perturbations), "Known: ",
           name_list(registry$perturbations), "."), call
  )
}

latent_response <- function(fit, grid) {
  registry <- fit$meta$registry
  code <- match(grid$perturbation, registry$perturbations)
  dose <- scaled_dose(registry, code, grid$dose)
  grid$response <- with_core_errors(core_doser_response(fit$state, code - 1L, dose))
  tibble::as_tibble(grid)
}

# `of`: the parts of the registry that they may be from; `features`: whether the verb has such an argument for others.
check_genes <- function(fit, genes, call = rlang::caller_env(), of = c("genes", "proteins")) {
  check_strings(genes, "genes", call = call, min = 1L)
  of <- intersect(of, names(Filter(length, fit$meta$registry)))
  known <- unlist(fit$meta$registry[of], use.names = FALSE)
  unknown <- setdiff(genes, known)
  if (length(unknown) == 0L) return(genes)
  other <- setdiff(c("genes", "proteins"), of)
  abort_input(
    paste0("`genes` must be ", paste(of, collapse = " or "), " of the fit."),
    paste0(name_list(unknown), " ", if (length(unknown) == 1L) "is" else "are", " not."),
    if (any(unknown %in% unlist(fit$meta$registry[other]))) {
      paste0("Of ", other, " write features = \"", other, "\".")
    } else {
      column_advice(unknown, known, call) %||%
        paste0(did_you_mean(unknown[1L], known), paste0("`fit$meta$registry$", of, "`", collapse = " and "),
               if (length(of) == 1L) " lists them." else " list them.")
    }, call
  )
}

check_features <- function(fit, features, call = rlang::caller_env()) {
  features <- check_choice(features, c("genes", "proteins"), "features", call)
  if (features == "genes" || !is.null(fit$meta$registry$proteins)) return(features)
  abort_input("`features` must be \"genes\" for a fit of RNA alone.", "It is \"proteins\".",
              "Leave it out.", call)
}
