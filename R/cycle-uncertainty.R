#' What a cell has lost after a round trip
#'
#' Predicts control cells under a condition, and the predicted cells under the control again. A model
#' that changes nothing but the condition gives back the cells that it was given. The way `"back"`
#' starts from measured cells of the condition: to the control, and to the condition again.
#'
#' @details
#' Both ways are decoded counterfactuals (`residual = FALSE`; a prediction by difference would give
#' back the difference that it took). With x a cell's expression and x' what came back: `mse` is the
#' mean of `(x - x')^2` over genes and cells, `r2_error` is 1 - r2 of the mean of x' over cells against
#' the mean of x. Most of both is what the autoencoder does not reconstruct, for any condition:
#' `mse_stay` and `r2_error_stay` are those of the same cells sent twice through the model under their
#' own condition. What exceeds these is due to the condition.
#'
#' Fits of RNA and proteins send both on the way, and have the same four numbers of proteins, over the
#' cells that have them. Raw counts are compared as log(1 + value).
#'
#' @inheritParams evaluate_r2
#' @param fit A `compert_fit`.
#' @param newdata Cells of the screen, in any container that [cpa()] takes: controls for `"forward"`,
#'   measured cells of the condition for `"back"`.
#' @param condition A [condition()] or [condition_grid()]. A covariate that it leaves open is asked for
#'   at every level, a dose that it leaves open at every dose that was measured.
#' @param direction `"forward"`, control to condition to control; `"back"`, condition to control to
#'   condition; or both.
#' @param n_cells Most cells that are sent on the way; of more, as many are drawn.
#' @param seed Whole number that fixes which cells are drawn; `NULL` takes one from R's stream.
#' @return A tibble with one row per condition and direction: the covariates, perturbation and dose
#'   under your own column names, `seen` (see [predict()][predict.compert_fit]), `direction`, `n_cells`
#'   (sent on the way), `mse` (squared units of the training data), `r2_error` (0 for a perfect return,
#'   no upper bound), `mse_stay` and `r2_error_stay`; for fits of RNA and proteins also `mse_protein`,
#'   `r2_error_protein`, `mse_stay_protein` and `r2_error_stay_protein`. Without cells (with proteins) to
#'   start from they are `NA`. A column of yours that has one of these names gets `own_` in front, as in
#'   [evaluate_r2()].
#' @section Errors:
#' Unknown names; no cells to start from for any condition; a batch or a continuous covariate in
#' `condition`.
#' @source `get_cycle_uncertainty` and `print_complete_cycle_uncertainty` in `cpa/api.py` of
#'   facebookresearch/CPA, theislab/cpa and theislab/multicpa. There controls of any covariates start,
#'   and there is nothing to compare the numbers with.
#' @seealso [prediction_uncertainty()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' cycle_uncertainty(fit, screen, condition(condition = "IFNb", cell_type = c("B", "NK")), seed = 1)
#' @export
cycle_uncertainty <- function(fit, newdata, condition, ..., direction = c("forward", "back"),
                              n_cells = 100L, seed = NULL, assay = NULL, layer = NULL,
                              col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  need_newdata(missing(newdata), "cycle_uncertainty")
  if (missing(condition)) {
    abort_input("`condition` must say where the round trip goes.", "It is missing.",
                paste0("Write ", example_condition(fit), "."))
  }
  check_among(direction, c("forward", "back"), "direction")
  check_count(n_cells, "n_cells")
  check_seed(seed)
  need <- c(if ("back" %in% direction) c("perturbation", "dose"), "covariates", "batch")
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = need)
  measured <- measured_conditions(fit, screen)
  asked <- knowing_molecules(fit, condition)
  fit <- asked$fit
  targets <- make_targets(fit, asked$condition, open_doses = any_dose(measured, only_dose(fit)))
  stop_at_batch(fit, targets, rlang::current_env())
  asked <- measured_levels(every_level(fit, targets), measured)
  trips <- data.frame(row = rep(seq_along(asked$parts), each = length(direction)),
                      direction = rep(direction, length(asked$parts)))
  cells <- trip_cells(fit, screen, asked, trips)
  stop_without_trips(cells, direction)
  cells <- some_source_cells(cells, resolve_seed(seed), n_cells)
  scores <- lapply(seq_len(nrow(trips)), function(k) {
    round_trip(fit, screen, cells[[k]], asked, trips$row[k], trips$direction[k])
  })
  about <- describe_rows(fit, asked, data.frame(group = trips$row, split = "", n_cells = 0L))
  tibble::as_tibble(beside_own(about$own, c(
    list(seen = about$fixed$seen, direction = trips$direction, n_cells = lengths(cells)),
    do.call(rbind, scores)
  )))
}

# What the screen of the fit and the cells at hand hold, without batches.
measured_conditions <- function(fit, screen) {
  known <- known_conditions(fit)
  names <- condition_covariates(fit)
  here <- which(!duplicated(row_codes(c(list(screen$code), screen$covariates[names]))))
  list(parts = c(known$parts, screen$parts[here]), doses = c(known$doses, screen$doses[here]),
       covariates = list2DF(Map(function(a, b) c(a, as.character(b[here])), known$covariates[names],
                                screen$covariates[names]), length(known$parts) + length(here)))
}

# What the screen of the fit held, in all splits.
known_conditions <- function(fit) {
  known <- fit$meta$conditions
  list(parts = known$parts, doses = known$doses,
       covariates = list2DF(known$covariates[condition_covariates(fit)], length(known$parts)))
}

# Of conditions that leave the dose open, the doses that were measured at each level; all where none was.
measured_levels <- function(asked, measured) {
  there <- place_key(asked) %in% place_key(measured)
  level <- paste(asked$row, row_keys(asked$covariates), sep = "\f")
  keep <- there | !asked$open | !level %in% level[there]
  list(parts = asked$parts[keep], doses = asked$doses[keep],
       covariates = asked$covariates[keep, , drop = FALSE], row = asked$row[keep])
}

# The cells that can start each trip: controls, or cells of the condition, of its covariates.
trip_cells <- function(fit, screen, asked, trips) {
  names <- condition_covariates(fit)
  same_place <- row_keys(screen$covariates[names])
  place <- row_keys(asked$covariates[names])
  what <- condition_key(screen$parts, screen$doses)
  goal <- condition_key(asked$parts, asked$doses)
  control <- vapply(asked$parts, identical, NA, fit$meta$registry$control)
  lapply(seq_len(nrow(trips)), function(k) {
    row <- trips$row[k]
    start <- if (trips$direction[k] == "forward" || control[row]) screen$control else
      what == goal[row]
    which(start & same_place == place[row])
  })
}

stop_without_trips <- function(cells, direction, call = rlang::caller_env()) {
  if (any(lengths(cells) > 0L)) return(invisible())
  abort_input(
    paste0("`newdata` must hold cells to start from: ",
           paste(c(forward = "controls of the covariates", back = "cells of the condition")[direction],
                 collapse = ", or "), "."),
    "There is none for any condition.", "Give the cells of the screen, with their covariates.", call
  )
}

# The four numbers of one row of `asked`, of genes and of proteins.
round_trip <- function(fit, screen, cells, asked, row, direction) {
  registry <- fit$meta$registry
  small <- subset_screen(screen, cells)
  if (length(cells) == 0L) return(trip_scores(fit, small, small, small))
  goal <- trip_target(fit, asked$parts[[row]], asked$doses[[row]])
  home <- trip_target(fit, registry$control, control_dose(registry))
  if (direction == "back") {
    there <- home
    home <- goal
  } else {
    there <- goal
  }
  go <- function(start, target) {
    answer <- run_predict(fit, start, target, list(seq_along(cells)), FALSE)$mean
    start$x <- gene_rows(registry, answer)
    dimnames(start$x) <- dimnames(small$x)
    if (!is.null(small$proteins)) {
      start$proteins <- protein_rows(registry, answer)
      dimnames(start$proteins) <- dimnames(small$proteins)
    }
    start
  }
  trip_scores(fit, small, go(go(small, there), home), go(go(small, home), home))
}

# What the screens `back` and `stay` have lost of `start`.
trip_scores <- function(fit, start, back, stay) {
  genes <- lost_values(as.matrix(start$x), as.matrix(back$x), as.matrix(stay$x))
  if (is.null(start$proteins)) return(genes)
  scale <- protein_scaling(fit, "log")
  of <- function(screen) scale(screen$proteins[, has_proteins(start), drop = FALSE])
  proteins <- lost_values(of(start), of(back), of(stay))
  cbind(genes, stats::setNames(proteins, paste0(names(proteins), "_protein")))
}

# NA without cells.
lost_values <- function(x, back, stay) {
  loss <- function(y) if (ncol(x)) mean((x - y)^2) else NA_real_
  error <- function(y) 1 - safe_r2(rowMeans(x), rowMeans(y))
  data.frame(mse = loss(back), r2_error = error(back), mse_stay = loss(stay), r2_error_stay = error(stay))
}

# A perturbation at a dose; every cell keeps its own covariates.
trip_target <- function(fit, parts, doses) {
  registry <- fit$meta$registry
  list(design = encode_design(registry, list(parts), list(doses)))
}
