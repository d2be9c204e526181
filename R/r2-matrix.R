#' How well every condition's prediction tells it from the others
#'
#' r2 between the means of all pairs of conditions: of every predicted condition (rows) against every
#' measured one (columns), or of the measured ones among each other. A prediction that is right is
#' closest to its own condition, so that the diagonal has the highest number of its column.
#'
#' @details
#' `r2 = 1 - sum((t - p)^2) / sum((t - mean(t))^2)` over genes, with t the means of the condition of the
#' column and p those of the row; it is not symmetric, and has no lower bound. Means and variances are
#' those that [evaluate_r2()] scores, over the cells of all splits together.
#'
#' @inheritParams evaluate_r2
#' @param newdata All cells of the screen, in any container that [cpa()] takes.
#' @param rows `"predicted"` or `"measured"`.
#' @param statistic `"mean"` or `"variance"`.
#' @param features Compare over `"genes"`, or of a fit of RNA and proteins over `"proteins"`, on the scale of
#'   `r2_mean_protein`; conditions without proteins have `NA`.
#' @param genes Names of the genes (proteins) to compare over; `NULL` for all.
#' @param n_degs Compare over this many DEGs of the condition of the column instead ([rank_degs()]).
#' @param condition A [condition()]: only these conditions, in rows and columns.
#' @param min_cells Fewest observed cells of a condition, of all splits together.
#' @param residual As in [predict()][predict.compert_fit].
#' @param controls `TRUE` takes the controls of every covariate combination (that a condition of
#'   `condition` has) as conditions as well.
#' @return A matrix, conditions x conditions, named by covariates, perturbation and dose as far as they
#'   differ; the attribute `rows` says what its rows are, and `of` in words what is compared (`"means of all 5
#'   proteins"`). Controls have no DEGs: with `n_degs` their
#'   columns are `NA`.
#' @section Errors:
#' Fewer than two conditions; `genes` and `n_degs` both; `n_degs` of proteins; unknown names.
#' @source `plot_r2_matrix` in `cpa/plotting.py` of facebookresearch/CPA, where the choice of genes has
#'   no effect.
#' @seealso [plot_r2_matrix()], [evaluate_r2()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control", split = "split",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' round(r2_matrix(fit, screen, n_degs = 50), 2)
#' @export
r2_matrix <- function(fit, newdata, ..., rows = c("predicted", "measured"),
                      statistic = c("mean", "variance"), features = c("genes", "proteins"),
                      genes = NULL, n_degs = NULL,
                      condition = NULL, controls = FALSE, min_cells = 5L, residual = NULL,
                      seed = NULL, assay = NULL, layer = NULL, col_data = NULL,
                      missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  need_newdata(missing(newdata), "r2_matrix")
  rows <- check_choice(rows, c("predicted", "measured"), "rows")
  statistic <- check_choice(statistic, c("mean", "variance"), "statistic")
  check_flag(controls, "controls")
  check_count(n_degs, "n_degs", min = 2, null_ok = TRUE)
  check_count(min_cells, "min_cells")
  check_seed(seed)
  features <- check_features(fit, features)
  genes <- check_genes(fit, genes, of = features)
  if (features == "proteins" && !is.null(n_degs)) {
    abort_input("`n_degs` must be left out for proteins.", "They have no DEGs.", "Name some by `genes`.")
  }
  if (!is.null(genes) && !is.null(n_degs)) {
    abort_input("`genes` and `n_degs` must not be given both.", "Both are.", "Leave one of them out.")
  }
  screen <- read_newdata(fit, newdata, assay, layer, col_data, missing_genes, need = measured_roles())
  means <- condition_means(fit, screen, condition, NULL, n_degs %||% 2L, residual, seed, min_cells = min_cells,
                           controls = controls, features = features)
  n <- length(means$names)
  if (n < 2L) {
    abort_input("There must be two conditions to compare.", paste0("There is ", n, "."),
                "Name more of them, or leave `condition` out.")
  }
  chosen <- if (is.null(genes)) TRUE else match(genes, fit$meta$registry[[features]])
  truth <- means$truth[[statistic]][chosen, , drop = FALSE]
  given <- if (rows == "predicted") means$predicted[[statistic]][chosen, , drop = FALSE] else truth
  r2 <- vapply(seq_len(n), function(j) {
    if (is.null(n_degs)) return(safe_r2_columns(truth[, j], given))
    deg <- means$degs[[j]]
    safe_r2_columns(truth[deg, j], given[deg, , drop = FALSE])
  }, numeric(n))
  structure(matrix(r2, n, dimnames = list(means$names, means$names)), rows = rows,
            of = compared_words(fit, statistic, features, genes, n_degs), constant = means$constant)
}

# "means of all 5 proteins", "variances of 50 DEGs"
compared_words <- function(fit, statistic, features, genes, n_degs) {
  over <- if (!is.null(n_degs)) paste(n_degs, "DEGs") else
    paste(c(if (is.null(genes)) "all",
            count_of(length(genes %||% fit$meta$registry[[features]]), sub("s$", "", features))), collapse = " ")
  paste0(statistic, "s of ", over)
}
