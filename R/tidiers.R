#' A fit as tibbles
#'
#' The broom verbs. `tidy()` gives the perturbation embeddings, `glance()` one row about the whole
#' fit, `augment()` one row per cell. Scores are tibbles already: `tidy()` takes off their class.
#'
#' @param x A `compert_fit`; for `tidy()` also what [evaluate_r2()], [evaluate_effects()], [evaluate_cells()] or
#'   [compare_r2()] returns.
#' @param data For `augment()`: cells in any container that [cpa()] takes.
#' @param ... Must be empty: later arguments are given by name.
#' @param dose Doses at which perturbations are embedded; `NULL` for the highest trained dose of each
#'   ([perturbation_embedding()]).
#' @inheritParams cell_embedding
#' @return `tidy()`: a tibble with one row per perturbation and latent dimension: `perturbation`,
#'   `dose`, `dimension`, `estimate`; of scores, their rows as a plain tibble. `glance()`: one row with
#'   `model`, `loss`, `n_cells`
#'   (training), `n_genes`, `n_perturbations` (without the control), `n_covariates`,
#'   `n_parameters`, `epochs`, `best_epoch` (the last one with `best` in the history of the
#'   [fit][compert_fit]; its weights are the fit's unless `restore_best` is `FALSE`), `seconds`, `seed`,
#'   and the scores `r2_mean`, `r2_mean_deg`, `r2_var`, `r2_var_deg` of that epoch on the test cells, of
#'   the decoded expression. Without test cells, `best_epoch` and the scores are `NA`. `augment()`: the
#'   table of the cells with `.cell`, `.condition`, `.seen` (see [predict()][predict.compert_fit])
#'   and `.r2`, the r2 over genes between the cell and its reconstruction, for fits of RNA and proteins also
#'   `.r2_protein` (of raw counts over log(1 + value); `NA` for a cell without proteins); a column of yours
#'   that has one of these names gets `own_` in front.
#' @source The generics of the generics package, as broom has them.
#' @section Errors: For `augment()`, what [reconstruct()] refuses of the cells.
#' @seealso [compert_fit], [perturbation_embedding()], [evaluate_r2()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' glance(fit)
#' tidy(fit)
#' augment(fit, screen)
#' @name tidiers
NULL

#' @importFrom generics tidy
#' @export
generics::tidy

#' @importFrom generics glance
#' @export
generics::glance

#' @importFrom generics augment
#' @export
generics::augment

#' @rdname tidiers
#' @export
tidy.compert_fit <- function(x, ..., dose = NULL) {
  check_no_dots(...)
  validate_fit(x, "x")
  dose <- dose %||% strongest_doses(x, x$meta$registry$perturbations)
  z <- perturbation_embedding(x, dose = dose)
  tibble::tibble(
    perturbation = rep(rownames(z), each = ncol(z)),
    dose = rep(rep_len(as.numeric(dose), nrow(z)), each = ncol(z)),
    dimension = rep(seq_len(ncol(z)), nrow(z)),
    estimate = as.vector(t(z))
  )
}

#' @rdname tidiers
#' @export
tidy.compert_scores <- function(x, ...) {
  check_no_dots(...)
  tibble::as_tibble(unclass_scores(x))
}

#' @rdname tidiers
#' @export
tidy.compert_comparison <- function(x, ...) {
  check_no_dots(...)
  class(x) <- setdiff(class(x), "compert_comparison")
  for (name in c("by", "reference", "scores", "groups", "words", "unit", "dose", "baselines")) {
    attr(x, name) <- NULL
  }
  x
}

#' @rdname tidiers
#' @export
glance.compert_fit <- function(x, ...) {
  check_no_dots(...)
  validate_fit(x, "x", baseline = TRUE)
  meta <- x$meta
  info <- state_info(x)
  scores <- last_scores(x$history) %||%
    list(r2_mean = NA_real_, r2_mean_deg = NA_real_, r2_var = NA_real_, r2_var_deg = NA_real_)
  scores$epoch <- NULL
  about <- tibble::tibble(
    model = meta$model, loss = meta$settings$loss_ae, n_cells = nobs(x),
    n_genes = length(meta$registry$genes),
    n_perturbations = length(setdiff(meta$registry$perturbations, meta$registry$control)),
    n_covariates = length(covariate_parts(meta$registry)), n_parameters = info$n_parameters,
    epochs = nrow(x$history), best_epoch = best_epoch(info),
    seconds = training_seconds(x$history), seed = meta$seed
  )
  tibble::as_tibble(c(about, scores))
}

#' @rdname tidiers
#' @export
augment.compert_fit <- function(x, data, ..., assay = NULL, layer = NULL, col_data = NULL,
                                missing_genes = c("error", "zero")) {
  check_no_dots(...)
  validate_fit(x, "x")
  need_newdata(missing(data), "augment", arg = "data")
  screen <- read_newdata(x, data, assay, layer, col_data, missing_genes, labels = "own")
  tibble::as_tibble(beside_own(screen$col_data, c(list(
    .cell = colnames(screen$x), .condition = pair_labels(x, screen$parts, screen$doses),
    .seen = columns_by_group(x, screen$code, screen$parts, screen$doses, screen$covariates)$seen
  ), reconstruction_r2(x, screen))))
}

# r2 over genes (and over proteins) of every cell, a block of cells at a time so that no whole dense matrix is
# made.
reconstruction_r2 <- function(fit, screen, block = 1000L, call = rlang::caller_env()) {
  n <- ncol(screen$x)
  starts <- seq(1L, max(n, 1L), by = block)
  scale <- if (!is.null(screen$proteins)) protein_scaling(fit, "log")
  blocks <- lapply(starts, function(start) {
    some <- subset_screen(screen, start:min(n, start + block - 1L))
    cells <- seq_len(ncol(some$x))
    own <- encode_screen(fit$meta$registry, some, call)
    answer <- with_core_errors(core_reconstruct(fit$state, core_rows(some), own, cells - 1L, TRUE,
                                                integer(), FALSE), call = call)
    by_cell <- function(truth, mean) vapply(cells, function(i) safe_r2(truth[, i], mean[, i]), 0)
    r2 <- list(.r2 = by_cell(as.matrix(some$x), gene_rows(fit$meta$registry, answer$mean)))
    if (is.null(scale)) return(r2)
    proteins <- by_cell(scale(some$proteins), scale(protein_rows(fit$meta$registry, answer$mean)))
    c(r2, list(.r2_protein = ifelse(has_proteins(some), proteins, NA_real_)))
  })
  do.call(Map, c(list(c), blocks))
}
