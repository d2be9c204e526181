#' Score predicted fold changes and their signs
#'
#' [evaluate_r2()] scores effects as differences of means. Here they are log2 ratios of means, as
#' chemCPA's "log-fold" experiment has them, over each condition's DEGs, beside the same baselines.
#'
#' @details
#' With m a mean (observed or predicted), c that of the observed controls of the same covariates,
#' and e = `pseudo`: `fold = log2((max(m, 0) + e) / (max(c, 0) + e))` per gene. A Gaussian model may
#' predict negative means, which count as 0. `r2_logfold_deg` is the r2 of predicted against
#' observed folds; `sign_deg` is the share of DEGs whose fold has the observed sign (0 has none), so
#' that the control baseline always gets 0. Means are of log-normalised values, also for fits on
#' counts. Predictions start from the controls of the same covariates.
#'
#' Fits of RNA and proteins have the same scores of proteins, over all of them and over the cells that
#' have them. There a fold is the change of what `r2_mean_protein` of [evaluate_r2()] compares: of raw counts
#' `log((m + 1) / (c + 1))`, of values that were normalised before the fit `m - c`. `pseudo` has no part in it.
#'
#' @inheritParams evaluate_r2
#' @param min_cells Fewest observed cells of a condition.
#' @param pseudo Added to every mean before the ratio is taken.
#' @return A tibble of class `compert_scores` with one row per condition and method, as [evaluate_r2()] returns it:
#'   the covariates, perturbation and dose under your own column names, `method`, `split`, `seen`, `n_cells`,
#'   `n_controls` and `note`, with the scores `r2_logfold_deg` and `sign_deg`, for fits of RNA and proteins also
#'   `r2_logfold_protein` and `sign_protein` (`NA` for conditions or controls of which no cell has proteins).
#'   `print()` says how it was made.
#' @section Errors:
#' As in [evaluate_r2()]; `pseudo` that is not above 0.
#' @source `evaluate_logfold_r2` in `chemCPA/train.py` of theislab/chemCPA v2.0, where a negative mean
#'   gives `NaN`, and controls are those of the split: the training controls for training conditions, the
#'   test controls for others. Here they are those of all splits, as far as `newdata` holds them.
#' @seealso [evaluate_r2()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' evaluate_effects(fit, screen, split = "ood")
#' @export
evaluate_effects <- function(fit, newdata, ..., split = c("test", "ood"), condition = NULL,
                             baselines = TRUE, n_degs = 50L, degs = NULL, min_cells = 6L,
                             pseudo = 1e-5, residual = NULL, seed = NULL, assay = NULL,
                             layer = NULL, col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "evaluate_effects")
  options <- r2_options(fit, "compert", list(min_cells = min_cells, residual = residual))
  options <- with_degs(options, n_degs, degs)
  baselines <- check_baselines(baselines)
  check_number(pseudo, "pseudo", min = .Machine$double.xmin)
  check_seed(seed)
  split <- check_split_names(split)
  screen <- read_to_score(fit, newdata, assay, layer, col_data, missing_genes, condition)
  rows <- evaluation_rows(fit, screen, split, condition, options, rlang::current_env())
  if (nrow(rows$table) == 0L) {
    return(new_effects(table_of_none(fit, effect_names, protein_effect_names), rows, split, options, pseudo))
  }
  rows$degs <- evaluation_degs(fit, screen, rows, degs, n_degs, rlang::current_env())
  parts <- row_statistics(fit, screen, rows, options, baselines, resolve_seed(seed))
  table <- table_of_methods(fit, rows, parts, function(method, name) {
    scores <- score_draws(method, function(m) {
      score_effects(parts$truth$mean, m$mean, parts$reference$mean, rows$degs, pseudo)
    })
    second <- parts$proteins
    if (is.null(second)) return(scores)
    cbind(scores, score_draws(second$methods[[name]], function(m) {
      score_protein_effects(second$truth$mean - second$reference$mean, m$mean - second$reference$mean)
    }))
  })
  new_effects(table, rows, split, options, pseudo)
}

# No variance is scored, and every table says its fewest cells.
new_effects <- function(table, rows, split, options, pseudo) {
  options$changed <- setdiff(options$changed, "min_cells")
  options["ddof"] <- list(NULL)
  new_scores(table, rows, split, "Fold changes of predicted means and their signs",
             preset_words(options, more = paste(", pseudo", format(pseudo))))
}

effect_names <- c("r2_logfold_deg", "sign_deg")

# One row of the two scores per condition (column).
score_effects <- function(truth, prediction, reference, degs, pseudo) {
  scores <- vapply(seq_along(degs), function(k) {
    deg <- degs[[k]]
    values <- cbind(truth[deg, k], prediction[deg, k], reference[deg, k])
    if (nrow(values) < 2L || anyNA(values)) return(c(NA_real_, NA_real_))
    unname(core_log_fold(values[, 1L], values[, 2L], values[, 3L], pseudo))
  }, numeric(2L))
  as.data.frame(t(matrix(scores, 2L, dimnames = list(effect_names, NULL))))
}
