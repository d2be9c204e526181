#' Score the reconstruction of single cells
#'
#' Every cell of a condition passes through the model under its own condition, as [reconstruct()]
#' does it, and is compared with itself. The scores say how much of single cells the model holds,
#' not how well it predicts: the answer was shown. For predictions see [evaluate_r2()].
#'
#' @details
#' `r2_cells` is the mean over the condition's cells of `r2(cell, its reconstructed mean)`, over
#' genes (the coefficient of determination, see [evaluate_r2()]); `r2_cells_deg` the same over the
#' condition's DEGs. `r2_var` and `r2_var_deg` compare the variances over cells (denominator n - 1)
#' with the mean of the decoder's variances. Values are on the model's own scale: log-normalised
#' for Gaussian fits, counts for others. Noise of single cells bounds these scores far below 1.
#'
#' Fits of RNA and proteins have `r2_cells_protein` and `r2_var_protein`, over the cells that have
#' proteins and, of raw counts, of log(1 + value).
#'
#' @inheritParams evaluate_r2
#' @param fit A `compert_fit`.
#' @param newdata The cells to score, and controls, which DEGs are found against, in any container
#'   that [cpa()] takes.
#' @param min_cells Fewest cells of a condition.
#' @return A tibble of class `compert_scores` with one row per condition: the covariates, perturbation and dose
#'   under your own column names, `split`, `seen`, `n_cells` and the scores `r2_cells`, `r2_cells_deg`, `r2_var` and
#'   `r2_var_deg`, for fits of RNA and proteins also `r2_cells_protein` and `r2_var_protein` (`NA` where no cell
#'   has them). A column of yours that has one of these names gets
#'   `own_` in front, as in [evaluate_r2()]. `print()` says how it was made.
#' @section Errors:
#' As in [evaluate_r2()].
#' @source `evaluate_r2_sc` in `chemCPA/train.py` of theislab/chemCPA.
#' @seealso [evaluate_r2()], [reconstruct()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' evaluate_cells(fit, screen, split = "ood")
#' @export
evaluate_cells <- function(fit, newdata, ..., split = c("test", "ood"), condition = NULL,
                           n_degs = 50L, degs = NULL, min_cells = 6L, assay = NULL, layer = NULL,
                           col_data = NULL, missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit)
  need_newdata(missing(newdata), "evaluate_cells")
  options <- r2_options(fit, "compert", list(min_cells = min_cells))
  options <- with_degs(options, n_degs, degs)
  split <- check_split_names(split)
  screen <- read_to_score(fit, newdata, assay, layer, col_data, missing_genes, condition)
  rows <- evaluation_rows(fit, screen, split, condition, options, rlang::current_env())
  if (nrow(rows$table) == 0L) {
    about <- describe_no_rows(fit)
    scores <- no_values(fit, c("r2_cells", "r2_cells_deg", "r2_var", "r2_var_deg"),
                        c("r2_cells_protein", "r2_var_protein"))
    return(new_cell_scores(beside_own(about$own, c(about$fixed, scores)), rows, split, options))
  }
  rows$degs <- evaluation_degs(fit, screen, rows, degs, n_degs, rlang::current_env())
  about <- describe_rows(fit, rows$groups, rows$table)
  new_cell_scores(beside_own(about$own, c(about$fixed, score_cells(fit, screen, rows))), rows, split, options)
}

# Nothing starts from controls, and counts stay as they are.
new_cell_scores <- function(table, rows, split, options) {
  options$changed <- setdiff(options$changed, "min_cells")
  options$log_counts <- FALSE
  new_scores(table, rows, split, "r2 of reconstructed cells",
             preset_words(options, source = "every cell under its own condition"))
}

# Some conditions at a time, so that only their cells are dense: about as many `cells`, or those of one condition.
score_cells <- function(fit, screen, rows, call = rlang::caller_env(), cells = 4096) {
  screen <- subset_screen(screen, order(rows$of_cell, na.last = NA))
  own <- encode_screen(fit$meta$registry, screen, call)
  x <- core_rows(screen)
  parts <- as_composition(fit, TRUE)
  of_condition <- split(seq_len(ncol(screen$x)), sort(rows$of_cell))
  some <- unname(split(seq_along(of_condition), ceiling(cumsum(lengths(of_condition)) / cells)))
  scores <- lapply(some, function(conditions) {
    asked <- unlist(of_condition[conditions], use.names = FALSE)
    answer <- with_core_errors(
      core_reconstruct(fit$state, x, own, asked - 1L, parts$perturbation, parts$without, TRUE), call = call
    )
    measured <- as.matrix(screen$x[, asked, drop = FALSE])
    lapply(conditions, function(k) {
      place <- match(of_condition[[k]], asked)
      its <- function(m) m[, place, drop = FALSE]
      its_answer <- lapply(answer, its)
      c(score_own_cells(its(measured), lapply(its_answer, gene_rows, registry = fit$meta$registry), rows$degs[[k]]),
        if (!is.null(screen$proteins)) score_own_proteins(fit, screen, of_condition[[k]], its_answer))
    })
  })
  as.data.frame(do.call(rbind, unlist(scores, recursive = FALSE)))
}

score_own_cells <- function(cells, answer, deg) {
  every <- seq_len(nrow(cells))
  spread <- row_variances(cells, 1)
  predicted <- rowMeans(answer$variance)
  by_cell <- function(genes) {
    if (length(genes) < 2L) return(NA_real_)
    core_cell_r2(cells, answer$mean, genes - 1L)
  }
  c(r2_cells = by_cell(every), r2_cells_deg = by_cell(deg),
    r2_var = safe_r2(spread, predicted), r2_var_deg = safe_r2(spread[deg], predicted[deg]))
}

# The same of the proteins of these cells of the screen.
score_own_proteins <- function(fit, screen, cells, answer) {
  has <- has_proteins(screen)[cells]
  measured <- screen$proteins[, cells[has], drop = FALSE]
  if (ncol(measured) == 0L) return(c(r2_cells_protein = NA_real_, r2_var_protein = NA_real_))
  predicted <- lapply(answer, function(m) protein_rows(fit$meta$registry, m)[, has, drop = FALSE])
  scale <- protein_scaling(fit, "log")
  c(r2_cells_protein = if (nrow(measured) < 2L) NA_real_ else
      core_cell_r2(scale(measured), scale(predicted$mean), seq_len(nrow(measured)) - 1L),
    r2_var_protein = safe_r2(scale(row_variances(measured, 1)), scale(rowMeans(predicted$variance))))
}
