#' How far a question lies from what training showed
#'
#' For every condition that is asked for, the nearest training condition in the model's latent
#' space. A condition far from all of them is an extrapolation, whatever the model predicts.
#'
#' @details
#' A condition's latent vector is `q = sum_j h_j(dose_j) v_j + sum_k e_k`, over its perturbations j
#' and covariates k (see [cell_embedding()]); the batch and continuous covariates are left out, as the cells
#' of all batches and values are one condition. It is compared with the vectors of all training conditions, controls
#' included, that have at least `min_cells` training cells. The cosine distance `1 - cos(q, t)` tells of
#' directions, from 0 to 2; the Euclidean distance also of strength. Each of these has distance 0 and names
#' itself; a training condition of fewer cells does not. Of others that are equally near by one distance, as
#' doses of one drug are by the cosine where there are no covariates, the nearest by the other distance is
#' named. Distances of different fits cannot be compared with each other.
#'
#' @param fit A `compert_fit`.
#' @param condition A [condition()] or [condition_grid()]. A covariate that it leaves open is asked
#'   for at every level; a dose that it leaves open is the only trained one ([condition()]). The batch and
#'   continuous covariates must be left out.
#' @param ... Must be empty: later arguments are given by name.
#' @param min_cells Fewest training cells (batches together) that a training condition must have.
#' @return A tibble with one row per condition: the covariates, perturbation and dose under your own
#'   column names, `seen` (see [predict()][predict.compert_fit]), `cosine` and `euclidean` (the
#'   smallest distances), and `nearest_cosine` and `nearest_euclidean` (the conditions at these
#'   distances). The cosine is `NA` for a vector of length 0. A column of yours that has one of these
#'   names gets `own_` in front, as in [evaluate_r2()].
#' @section Errors:
#' Unknown names; a batch or the value of a continuous covariate; no training condition with as many cells.
#' @source `compute_uncertainty` in `cpa/api.py` of facebookresearch/CPA, without its slips: there
#'   the threshold is ignored, and vectors of conditions below it repeat the one before.
#' @seealso [plot_uncertainty()]; `uncertainty = TRUE` of [predict()][predict.compert_fit] for the distances beside
#'   predictions; [cycle_uncertainty()], [molecular_uncertainty()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' prediction_uncertainty(fit, condition(condition = "IFNb", cell_type = c("B", "NK")))
#' @export
prediction_uncertainty <- function(fit, condition, ..., min_cells = 31L) {
  check_no_dots(...)
  validate_fit(fit)
  if (missing(condition)) {
    abort_input("`condition` must name the conditions that are asked for.", "It is missing.",
                paste0("Write ", example_condition(fit), "."))
  }
  check_count(min_cells, "min_cells")
  asked <- knowing_molecules(fit, condition)
  fit <- asked$fit
  targets <- make_targets(fit, asked$condition)
  stop_at_batch(fit, targets, cells = FALSE)
  asked <- every_level(fit, targets)
  far <- training_distances(fit, asked$parts, asked$doses, asked$covariates, min_cells)
  about <- describe_rows(fit, asked, data.frame(group = seq_along(asked$parts), split = "", n_cells = 0L))
  with_dose_unit(beside_own(about$own, c(list(seen = about$fixed$seen), far)), fit)
}

# `min_cells` of predict() where distances are asked for, else NULL.
asked_distances <- function(fit, uncertainty, min_cells, usual, call = rlang::caller_env()) {
  check_flag(uncertainty, "uncertainty", call = call)
  check_count(min_cells, "min_cells", call = call)
  if (!uncertainty) {
    if (usual) return(NULL)
    abort_input("`min_cells` must be left out unless `uncertainty = TRUE`.", paste0("It is ", min_cells, "."),
                "Write `uncertainty = TRUE`, or leave `min_cells` out.", call)
  }
  if (is_baseline(fit)) {
    abort_input("`uncertainty` must be FALSE for a baseline, which has no latent space.", "It is TRUE.",
                "Leave it out; the column `seen` says what training saw.", call)
  }
  reference_conditions(fit, min_cells, call)  # refuses what it cannot have before anything is predicted
  min_cells
}

# The columns of distances. `covariates` has no missing values, and may have the batch.
training_distances <- function(fit, parts, doses, covariates, min_cells, call = rlang::caller_env()) {
  asked <- list(parts = parts, doses = doses, covariates = covariates[condition_covariates(fit)])
  known <- reference_conditions(fit, min_cells, call)
  far <- latent_distances(condition_vectors(fit, asked), condition_vectors(fit, known),
                          match(place_key(asked), place_key(known)))
  names <- group_names(fit, known)
  list(cosine = far$cosine, nearest_cosine = names[far$at_cosine],
       euclidean = far$euclidean, nearest_euclidean = names[far$at_euclidean])
}

# Conditions with every covariate but the batch named: one row per level of those left open. `from`: the
# row of `targets` that each is of.
every_level <- function(fit, targets) {
  from <- seq_along(targets$parts)
  covariates <- as.list(targets$covariates[condition_covariates(fit)])
  for (name in rev(names(covariates))) {
    levels <- fit$meta$registry$covariates[[name]]
    open <- is.na(covariates[[name]])
    at <- rep(seq_along(from), ifelse(open, length(levels), 1L))
    from <- from[at]
    covariates <- lapply(covariates, `[`, at)
    covariates[[name]][open[at]] <- rep(levels, sum(open))
  }
  list(parts = targets$parts[from], doses = targets$doses[from],
       covariates = list2DF(covariates, length(from)), from = from, row = targets$row[from],
       open = targets$open[from])
}

# Distinct training conditions, batches together, that have enough cells.
reference_conditions <- function(fit, min_cells, call = rlang::caller_env()) {
  need_known_training(fit, call)
  known <- trained_conditions(fit)
  n <- fit$meta$conditions$n_cells[fit$meta$conditions$split == "train"]
  covariates <- known$covariates[condition_covariates(fit)]
  key <- place_key(list(parts = known$parts, doses = known$doses, covariates = covariates))
  cells <- vapply(split(n, factor(key, unique(key))), sum, 0)
  first <- which(!duplicated(key))
  # Distances to the controls alone would say nothing about what training saw.
  perturbed <- !vapply(known$parts[first], identical, NA, fit$meta$registry$control)
  first <- first[cells >= min_cells]
  if (!any(perturbed & cells >= min_cells)) {
    cells <- cells[perturbed]
    usual <- floor(stats::median(cells))
    abort_input(paste0("Some perturbed training condition must have at least ", count_of(min_cells, "cell"), "."),
                paste0("The largest has ", max(cells), ", half of the ", length(cells), " have ", usual, " or more."),
                paste0("Write `min_cells = ", usual, "`."), call)
  }
  list(parts = known$parts[first], doses = known$doses[first],
       covariates = covariates[first, , drop = FALSE])
}

# One latent vector per condition (rows).
condition_vectors <- function(fit, conditions) {
  z <- perturbation_vectors(fit, conditions$parts, conditions$doses)
  names <- names(conditions$covariates)
  if (length(names) == 0L) return(z)
  tables <- covariate_embedding(fit)
  for (name in names) {
    level <- as.character(conditions$covariates[[name]])
    z <- z + tables[[name]][match(level, rownames(tables[[name]])), , drop = FALSE]
  }
  unname(z)
}

# Smallest distances of every row of `asked` to rows of `known`, and which rows these are. `own`: the row
# of `known` that is the same condition, or NA. Some rows at a time: a screen may have 10^4 conditions.
latent_distances <- function(asked, known, own = rep(NA_integer_, nrow(asked)), pairs = 2e6) {
  rows <- seq_len(nrow(asked))
  squares <- list(asked = rowSums(asked^2), known = rowSums(known^2))
  columns <- t(known)
  parts <- lapply(unname(split(rows, ceiling(rows * nrow(known) / pairs))), function(i) {
    cross <- tcrossprod(asked[i, , drop = FALSE], known)
    vapply(seq_along(i), function(k) {
      nearest_vector(asked[i[k], ], columns, cross[k, ], squares$asked[i[k]], squares$known, own[i[k]])
    }, numeric(4L))
  })
  of <- do.call(cbind, parts)
  none <- of[1L, ] > 3
  list(cosine = ifelse(none, NA_real_, pmax(of[1L, ], 0)), at_cosine = as.integer(ifelse(none, NA, of[2L, ])),
       euclidean = of[3L, ], at_euclidean = as.integer(of[4L, ]))
}

# The smallest distance by cosine and which of `columns` has it, and the same of Euclidean distances. `cross`:
# products with the columns; `square`, `squares`: squared lengths.
nearest_vector <- function(asked, columns, cross, square, squares, own) {
  cosine <- 1 - cross / (sqrt(square) * sqrt(squares))
  # No distance of directions is as large as 4.
  cosine[!is.finite(cosine)] <- 4
  # Rounding would leave some 1e-16.
  if (!is.na(own)) cosine[own] <- if (cosine[own] > 3) 4 else 0
  squares <- square + squares
  euclidean <- pmax(squares - 2 * cross, 0)
  # Of vectors that nearly coincide the difference of squares is rounding.
  close <- which(euclidean <= min(euclidean) + 1e-10 * squares)
  euclidean[close] <- colSums((asked - columns[, close, drop = FALSE])^2)
  euclidean <- sqrt(euclidean)
  # Nor is it to decide between equally near ones.
  pick <- function(d, other) {
    at <- which(d <= min(d) + 1e-10)
    if (length(at) > 1L) at <- at[which.min(ifelse(at %in% own, -1, other[at]))]
    c(d[at], at)
  }
  c(pick(cosine, euclidean), pick(euclidean, cosine))
}
