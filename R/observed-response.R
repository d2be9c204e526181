#' Measured responses, to lay over dose-response curves
#'
#' What [dose_response()] and [dose_response2d()] predict, measured: the mean expression of the cells
#' of every condition, and its change from the control cells of the same covariates. One row per
#' covariate combination, perturbation and dose that was measured; control cells are no row. The length
#' of a measured change holds the noise of all genes: with few cells it lies above any prediction, and
#' genes one by one say more.
#'
#' @inheritParams dose_response
#' @param newdata The cells of the screen, in any container that [cpa()] takes, with their
#'   perturbations, doses and controls.
#' @param perturbation Names of single perturbations; `NULL` for all. Their combinations are asked for
#'   by `pair`.
#' @param pair Two names, for [plot_dose_response2d()]: cells that had both of them, or one of them
#'   and nothing else, which has dose 0 of the other.
#' @param genes Names of genes (and proteins) to return one by one; `NULL` for the length of the response. A
#'   name that both have is the gene. Means of proteins are those over the cells that have them.
#' @param features `"genes"`, or of a fit of RNA and proteins `"proteins"`, for lengths over proteins and `genes`
#'   that are proteins.
#' @param min_cells Fewest cells of a condition.
#' @param scale For fits on counts, `"log"` (log-normalised) or `"model"` (raw counts), see Scale.
#' @return A tibble: the covariates; `perturbation` and `dose`, with `pair` `perturbation_1`, `dose_1`,
#'   `perturbation_2` and `dose_2`; `seen` (what training saw of the condition, see
#'   [predict()][predict.compert_fit]); `n_cells`; and then as in [dose_response()] either
#'   `norm_of_mean` and `norm_of_difference` or, with `genes`, `gene`, `mean` and `difference`, and their standard
#'   errors over cells, `se_mean` and `se_difference` (the controls' included; `NA` of a single cell). Cells of one
#'   well or donor are more alike than these say.
#'   Doses are in the unit of the dose column; the attribute `scale` says the scale of the numbers. A
#'   difference is `NA` where there are no controls of the same covariates.
#' @inheritSection dose_response Scale
#' @section Errors:
#' Unknown names; no cells of what is asked for; a screen without the dose column of the fit.
#' @source `get_response_reference` and `get_reference_from_combo` in `cpa/api.py` of
#'   facebookresearch/CPA, which give one row per split.
#' @seealso [dose_response()], [dose_response2d()], [plot_dose_response()], [plot_dose_response2d()]
#' @examples
#' wells <- drugseq_example()
#' fit <- cpa(wells, "condition", dose = "dose", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' observed_response(fit, wells, perturbation = "Trametinib")
#' observed_response(fit, wells, perturbation = "Trametinib", genes = "SELENBP1")
#' @export
observed_response <- function(fit, newdata, ..., perturbation = NULL, pair = NULL, genes = NULL,
                              features = c("genes", "proteins"),
                              min_cells = 1L, scale = c("log", "model"), assay = NULL, layer = NULL,
                              col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "observed_response")
  check_count(min_cells, "min_cells")
  scale <- check_choice(scale, c("log", "model"), "scale")
  if (!is.null(pair) && !is.null(perturbation)) {
    abort_input("`perturbation` and `pair` must not be given both.", "Both are.",
                "Leave `perturbation` out to ask for the two of `pair` together.")
  }
  stop_at_combination(fit, perturbation)
  wanted <- if (is.null(pair)) known_perturbations(fit, perturbation) else check_pair(fit, pair)
  of <- response_features(fit, genes, check_features(fit, features))
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = measured_roles())
  groups <- condition_groups(fit, screen)
  size <- tabulate(groups$of_cell, groups$n)
  inside <- vapply(groups$parts, function(p) all(p %in% wanted), NA)
  if (is.null(pair)) inside <- inside & lengths(groups$parts) == 1L
  at <- which(inside & !groups$control & size >= min_cells)
  stop_unmeasured(at, wanted, min_cells)
  at <- at[order(match(groups$place[at], groups$place), lengths(groups$parts[at]),
                 match(vapply(groups$parts[at], `[`, "", 1L), wanted),
                 vapply(groups$doses[at], `[`, 0, 1L), method = "radix")]
  rows <- groups$covariates[at, , drop = FALSE]
  rownames(rows) <- NULL
  names(rows) <- own_names(names(rows), response_names)
  rows <- cbind(rows, observed_doses(groups$parts[at], groups$doses[at], pair),
                seen = seen_in_training(fit, groups$parts[at], groups$doses[at],
                                        groups$covariates[at, , drop = FALSE]),
                n_cells = size[at])
  reference <- match(paste(groups$place[at], "\b", sep = "\f"), groups$key)
  means <- stack_features(of, function(features) {
    compared_groups(measured_groups(fit, screen, groups, scale, features), at, reference)
  })
  table <- tibble::as_tibble(add_response(rows, means, genes, fit$meta$registry, of))
  with_scale(table, fit, screen, scale, of)
}

# Means of the groups `at` and their differences from those of `reference`, with standard errors.
compared_groups <- function(stats, at, reference) {
  error2 <- squared_errors(stats)
  of <- function(values, groups) values[, groups, drop = FALSE]
  list(mean = of(stats$mean, at), difference = of(stats$mean, at) - of(stats$mean, reference),
       se_mean = sqrt(of(error2, at)), se_difference = sqrt(of(error2, at) + of(error2, reference)))
}

# Of the means of groups, by the spread of their cells.
squared_errors <- function(stats) {
  rescale_variance(stats$variance, stats$n, 1L) / rep(stats$n, each = nrow(stats$variance))
}

# list(n, mean, variance) of the measured cells of all groups, on the scale of responses; of proteins those
# of the cells that have them. The variance of the logarithm of a mean is that of the mean, brought to its scale.
measured_groups <- function(fit, screen, groups, scale, features) {
  if (features == "genes") {
    values <- if (scores_logs(fit, scale)) log_values(screen) else screen$x
    return(core_group_stats(values, groups$of_cell - 1L, groups$n))
  }
  of_cell <- ifelse(has_proteins(screen), groups$of_cell, 0L)
  stats <- core_group_stats(screen$proteins, of_cell - 1L, groups$n)
  stats$mean[, stats$n == 0] <- NA
  if (protein_scale(fit, scale) == "log1p") stats$variance <- stats$variance / (1 + stats$mean)^2
  stats$mean <- protein_scaling(fit, scale)(stats$mean)
  stats
}

# A combination in the place of a perturbation.
stop_at_combination <- function(fit, perturbation, call = rlang::caller_env()) {
  registry <- fit$meta$registry
  if (!is.character(perturbation)) return(invisible())
  for (name in setdiff(perturbation, registry$perturbations)) {
    parts <- split_text(name, registry$sep)[[1L]]
    if (length(parts) < 2L || !all(parts %in% registry$perturbations)) next
    abort_input("`perturbation` must name single perturbations.",
                paste0(dQuote(name, FALSE), " is a combination of ", length(parts), "."),
                if (length(parts) == 2L) paste0("Write `pair = ", deparse(parts), "`.") else
                  "evaluate_r2() and rank_degs() tell of combinations of more than two.", call)
  }
}

# The columns that say the condition: of single perturbations, or of two of which one may be absent.
observed_doses <- function(parts, doses, pair) {
  if (is.null(pair)) {
    return(data.frame(perturbation = unlist(parts), dose = unlist(doses), stringsAsFactors = FALSE))
  }
  of <- function(name) {
    vapply(seq_along(parts), function(k) sum(doses[[k]][parts[[k]] == name]), 0)
  }
  data.frame(perturbation_1 = pair[1L], dose_1 = of(pair[1L]), perturbation_2 = pair[2L],
             dose_2 = of(pair[2L]), stringsAsFactors = FALSE)
}

stop_unmeasured <- function(at, wanted, min_cells, call = rlang::caller_env()) {
  if (length(at)) return(invisible())
  abort_input(
    paste0("`newdata` must hold at least ", min_cells, " cell", if (min_cells > 1) "s",
           " of some condition that is asked for."),
    paste0("It has none of ", name_list(wanted), "."),
    "Give the cells that were perturbed, not only the controls.", call
  )
}
