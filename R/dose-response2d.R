#' The response to two perturbations over a grid of doses
#'
#' [dose_response()] for two perturbations given together: every dose of the one with every dose of
#' the other. In latent space the responses add up by the model's construction; in gene space the
#' decoder may make more or less of them than their sum.
#'
#' @inheritParams dose_response
#' @param newdata For `space = "genes"`: cells in any container that [cpa()] takes, with controls. Only
#'   covariate combinations that these have are answered, so `cells[, cells$cell_type == "B"]` asks
#'   for one.
#' @param perturbation Two names; `NULL` where the fit has only two perturbations besides the control.
#' @param dose Doses from 0: a vector for both, or a list of two vectors in the order of
#'   `perturbation`. `NULL`: `n_points` equal steps from 0 to the highest trained dose of each.
#' @param dose_unit Unit of `dose` and `fixed`, such as `"nM"`, where it is not the fit's, in which the table is.
#' @param n_points Length of the default grid, per perturbation.
#' @param fixed Further perturbations that are given at one dose throughout: a named vector,
#'   `c(C = 0.5)`. For `space = "genes"`.
#' @return A tibble with a row per point of the grid, the first dose slowest: `perturbation_1`,
#'   `dose_1`, `perturbation_2`, `dose_2`, and for `space = "latent"` `response` (h_1 + h_2, as in the
#'   references) and `norm_of_shift` (length of h_1 v_1 + h_2 v_2, the shift of the latent state). For
#'   `space = "genes"`, with the covariates before and `n_cells` (source cells) behind the doses, as in
#'   [dose_response()] `norm_of_mean` and `norm_of_difference` or, with `genes`, `gene`, `mean` and
#'   `difference`, and the attribute `scale`.
#' @inheritSection dose_response Scale
#' @inheritSection dose_response Dose 0
#' @section Errors:
#' Not two names of perturbations; a negative dose; `space = "genes"` without `newdata`. Doses above the
#' trained range give one warning.
#' @source `latent_dose_response2D` and `get_response2D` in `cpa/api.py` of facebookresearch/CPA
#'   (`fixed`: theislab/cpa).
#' @seealso [plot_dose_response2d()], [observed_response()]
#' @examples
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' two <- c("Trametinib", "Abemaciclib")
#' dose_response2d(fit, perturbation = two, n_points = 3)
#' dose_response2d(fit, wells, perturbation = two, space = "genes", dose = c(0, 1), genes = "CASK")
#' @export
dose_response2d <- function(fit, newdata = NULL, ..., space = NULL,
                            perturbation = NULL, dose = NULL, dose_unit = NULL, n_points = 10L, fixed = NULL,
                            continuous = NULL, genes = NULL, features = c("genes", "proteins"), source = "matched",
                            residual = NULL, scale = c("log", "model"), assay = NULL, layer = NULL,
                            col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  features <- check_features(fit, features)
  space <- response_space(fit, space, newdata, genes, features)
  scale <- check_choice(scale, c("log", "model"), "scale")
  pair <- check_pair(fit, perturbation)
  grid <- dose_grid2d(fit, pair, doses_from_unit(fit, dose, dose_unit), n_points)
  fixed <- check_fixed(fit, fixed, pair, space)
  if (!is.null(fixed)) fixed[] <- doses_from_unit(fit, fixed, dose_unit)
  continuous <- check_values(fit, continuous, space)
  if (space == "latent") {
    table <- with_dose_unit(latent_response2d(fit, grid), fit)
    return(with_single_dose(table, fit, c(grid$dose_1, grid$dose_2)))
  }
  if (is.null(newdata)) need_newdata(TRUE, "dose_response2d")
  residual <- response_residual(fit, residual)
  of <- response_features(fit, genes, features)
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes)
  parts <- rep(list(c(pair, names(fixed))), nrow(grid))
  doses <- Map(function(a, b) c(a, b, unname(fixed)), grid$dose_1, grid$dose_2)
  gene_response(fit, screen, grid, source, residual, genes, of, scale, parts, unname(doses), continuous)
}

# Two different perturbations of the fit.
check_pair <- function(fit, pair, call = rlang::caller_env()) {
  known <- setdiff(fit$meta$registry$perturbations, fit$meta$registry$control)
  pair <- known_perturbations(fit, pair, call)
  if (length(pair) == 2L && all(pair %in% known)) return(pair)
  given <- if (length(pair) == 2L) "One of them is the control." else
    paste0("There ", if (length(pair) == 1L) "is " else "are ", length(pair), ": ", name_list(pair),
           ".")
  abort_input("Two perturbations besides the control must be named.", given,
              if (length(known) < 2L) "The fit has one: `dose_response()` gives its curve." else
                paste0("Write `c(\"", known[1L], "\", \"", known[2L], "\")`."), call)
}

dose_grid2d <- function(fit, pair, dose, n_points, call = rlang::caller_env()) {
  check_count(n_points, "n_points", min = 2, call = call)
  if (is.null(dose)) {
    trained <- trained_doses(fit, pair)
    dose <- Map(answered_doses, list(fit), dose_steps(fit, pair, n_points), trained[pair])
  }
  if (!is.list(dose)) dose <- list(dose, dose)
  if (length(dose) != 2L) {
    abort_input("`dose` must be one vector of doses, or a list of two.",
                paste0("It is a list of ", length(dose), "."),
                "Write `dose = list(c(0, 1), c(0, 5, 10))`.", call)
  }
  for (one in dose) check_grid(one, call)
  data.frame(perturbation_1 = pair[1L], dose_1 = rep(as.numeric(dose[[1L]]), each = length(dose[[2L]])),
             perturbation_2 = pair[2L], dose_2 = rep(as.numeric(dose[[2L]]), length(dose[[1L]])),
             stringsAsFactors = FALSE)
}

check_fixed <- function(fit, fixed, pair, space, call = rlang::caller_env()) {
  if (is.null(fixed)) return(NULL)
  good <- is.numeric(fixed) && !is.null(names(fixed)) && all(is.finite(fixed)) && all(fixed >= 0)
  if (!good || space == "latent" || any(names(fixed) %in% pair)) {
    abort_input("`fixed` must be doses named by further perturbations, for `space = \"genes\"`.",
                if (!good) paste0("It is ", describe(fixed), ".") else
                  if (space == "latent") "`space` is \"latent\"." else
                    paste0("It names ", name_list(intersect(names(fixed), pair)), "."),
                "Write `fixed = c(C = 0.5)`, or leave it out.", call)
  }
  known_perturbations(fit, names(fixed), call)
  fixed
}

latent_response2d <- function(fit, grid) {
  one <- function(k) {
    name <- grid[[paste0("perturbation_", k)]]
    dose <- grid[[paste0("dose_", k)]]
    h <- latent_response(fit, data.frame(perturbation = name, dose = dose))$response
    list(h = h, z = perturbation_vectors(fit, as.list(name), as.list(dose)))
  }
  first <- one(1L)
  second <- one(2L)
  grid$response <- first$h + second$h
  grid$norm_of_shift <- sqrt(rowSums((first$z + second$z)^2))
  tibble::as_tibble(grid)
}
