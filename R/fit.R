# The fit: one HDF5 image of the model (`state`), and what is read back from it.

#' A fitted model
#'
#' What [cpa()] returns. The fit holds no cells. Everything in it comes from one raw vector, an HDF5
#' image of the weights, the optimisers and a description in JSON, so that `saveRDS()` and
#' [save_fit()] both keep the whole model.
#'
#' @section Elements:
#' \describe{
#'   \item{`state`}{raw vector, the HDF5 image ([save_fit()] describes it).}
#'   \item{`meta`}{list: `model`, `settings`, `registry` (genes, perturbations, covariate levels,
#'     trained dose ranges), `keys` (the user's column names), `container`, `assay`, `scale`,
#'     `n_cells` per split, `conditions` (what the screen held), `degs`, `seed`, `residual` (the
#'     default kind of counterfactual in [predict.compert_fit()]), `run` (`stopped`, why training ended:
#'     `"epochs"`, `"patience"`, `"max_minutes"`, `"interrupt"`, `"nan"` or `"unreadable"`; `message`, more
#'     about the last two; `device`, where it ran; not in a checkpoint), `test_scores`, the averages of
#'     [evaluate_r2()] over the test conditions, per method, and `test_comparison`, those that `print()`
#'     shows: over the conditions that model and baselines can all score.}
#'   \item{`history`}{tibble, one row per epoch, see History.}
#' }
#'
#' @param x,object A `compert_fit`.
#' @param ... Not used.
#' @return `print()` and `format()` give a few lines of text; `summary()` a list of class
#'   `summary.compert_fit` with the settings, the parameter count and the conditions (a covariate called
#'   `condition`, `split`, `control` or `n_cells` gets `own_` in front); `nobs()` the number of
#'   training cells.
#' @name compert_fit
#' @seealso [tidy(), glance(), augment()][tidiers]; [plot()][plot_history] for the history; [save_fit()],
#'   [resume_fit()]; [predict()][predict.compert_fit], [evaluate_r2()]
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' fit
#' nobs(fit)
#' summary(fit)
NULL

# Makes a fit from the HDF5 image that the core returns. Errors when the image is not a model.
new_fit <- function(state) {
  fit <- structure(
    list(
      state = state,
      meta = meta_from_json(core_state_meta(state)),
      history = NULL
    ),
    class = "compert_fit"
  )
  history <- tibble::as_tibble(core_state_history(state))
  of_proteins <- grepl("protein|background", names(history))
  fit$history <- if (is.null(fit$meta$registry$proteins)) history[!of_proteins] else history
  validate_fit(fit)
}

# Stops when `fit` is not a whole compert_fit. `baseline`: whether one without a network will do.
validate_fit <- function(fit, arg = "fit", call = rlang::caller_env(), baseline = FALSE) {
  if (missing(fit)) fit <- NULL
  if (!inherits(fit, "compert_fit")) {
    abort_input(
      paste0("`", arg, "` must be a fit made by `cpa()`."),
      paste0("It is ", describe(fit), "."),
      "Fit a model with `cpa()`, or read one with `load_fit()`.", call
    )
  }
  whole <- is.raw(fit$state) && is.list(fit$meta) && is.data.frame(fit$history) &&
    is.list(fit$meta$registry) && (!is_baseline(fit) || is.list(fit$learned))
  if (!whole) {
    abort_input(
      paste0("`", arg, "` must hold `state`, `meta` and `history`."),
      "Parts of it are gone or were changed.",
      "Read the fit again with `load_fit()` or `readRDS()`.", call
    )
  }
  if (is_baseline(fit) && !baseline) refuse_baseline(fit, arg, call)
  fit
}

#' @rdname compert_fit
#' @export
format.compert_fit <- function(x, ...) {
  meta <- x$meta
  registry <- meta$registry
  cells <- meta$n_cells
  held_out <- cells[setdiff(names(cells), "train")]
  held_out <- held_out[vapply(held_out, function(n) isTRUE(n > 0), TRUE)]
  c(
    if (is_baseline(x)) paste0("<compert_baseline> ", meta$model) else
      paste0("<compert_fit> ", model_title(meta$model), ", ", meta$settings$loss_ae, " loss"),
    paste0(
      "Cells:         ", if (knows_training(meta)) paste0(count(cells$train), " training") else "unknown",
      paste0(", ", vapply(held_out, count, ""), " ", names(held_out), collapse = "")[
        length(held_out) > 0L],
      "; ", count(length(registry$genes)), " genes (", meta$assay, ")"
    ),
    format_proteins(meta),
    paste0("Perturbations: ", enumerate(registry$perturbations, meta$keys),
           if (isTRUE(registry$n_features > 0)) paste0("; ", count_of(registry$n_features, "feature"), " each"),
           if (identical(registry$feature_kind, "graph")) " from molecular graphs"),
    if (!is.null(registry$dose_unit)) paste0("Doses:         in ", registry$dose_unit),
    format_covariates(registry),
    format_transfer(meta),
    if (!is_baseline(x)) format_training(x$history, meta),
    format_test_scores(meta),
    paste0("Predicts:      ", if (is_baseline(x)) baseline_words(meta$settings$method) else
      residual_words(isTRUE(meta$residual)))
  )
}

model_title <- function(model) {
  switch(model, chemcpa = "chemCPA", scgen = "scGen", multicpa = "MultiCPA", toupper(model))
}

format_proteins <- function(meta) {
  proteins <- meta$registry$proteins
  if (is.null(proteins)) return(NULL)
  place <- meta$keys$proteins
  read <- unique(c(if (length(place) == 1L) place, meta$keys$protein_assay))
  paste0("Proteins:      ", length(proteins), if (length(read)) paste0(" (", paste(read, collapse = ", "), ")"),
         if (!is.null(meta$settings$fusion)) {
           paste0(", ", meta$settings$protein_loss, " loss, fusion ", meta$settings$fusion)
         })
}

format_covariates <- function(registry) {
  levels <- registry$covariates
  names <- ifelse(names(levels) %in% registry$batch, paste(names(levels), "(batch)"), names(levels))
  text <- c(paste0(names, " (", lengths(levels), ")", recycle0 = TRUE),
            paste(names(registry$continuous), "(continuous)", recycle0 = TRUE))
  paste0("Covariates:    ", if (length(text)) paste(text, collapse = ", ") else "none")
}

format_training <- function(history, meta) {
  if (nrow(history) == 0L && !is.null(meta$reference)) return(paste0("Training:      by ", meta$reference))
  best <- paste0(", best ", last_best(history), recycle0 = TRUE)
  seconds <- training_seconds(history)
  time <- if (seconds < 10) sprintf("%.1fs", seconds) else duration_text(seconds)
  paste0("Training:      ", count_of(nrow(history), "epoch"), best, ", ", time, ", seed ", meta$seed,
         ended_text(meta$run), if (!is.null(meta$reference)) paste(", from weights of", meta$reference))
}

# Where training did not run all its epochs; a fit read from a checkpoint has no `run`.
ended_text <- function(run) {
  why <- switch(run$stopped %||% "checkpoint",
    checkpoint = "from a checkpoint",
    patience = "out of patience",
    max_minutes = "ended by max_minutes",
    interrupt = "interrupted",
    nan = "ended at a value that is not finite",
    unreadable = "ended where the cells could not be read"
  )
  if (is.null(why)) "" else paste0("; ", why)
}

# `seconds` counts up; should it begin anew after a resume, the runs are added.
training_seconds <- function(history) {
  now <- history$seconds[is.finite(history$seconds)]
  step <- diff(c(0, now))
  sum(ifelse(step < 0, now, step))
}

residual_words <- function(residual) {
  if (residual) "by difference: cell + decoded(new) - decoded(own)" else "the decoded expression"
}

# "2 (A, B), control \"DMSO\"", cut after `most` names, or before if they are long.
enumerate <- function(x, keys, most = 6L, letters = 120L) {
  others <- setdiff(x, keys$control)
  shown <- utils::head(others, max(1L, min(most, sum(cumsum(nchar(others) + 2L) <= letters))))
  rest <- length(others) - length(shown)
  more <- if (rest > 0L) paste0(" and ", count(rest), " more") else ""
  paste0(count(length(others)), " (", paste(shown, collapse = ", "), more, "), control ", control_words(keys))
}

#' @rdname compert_fit
#' @export
print.compert_fit <- function(x, ...) {
  writeLines(wrap_lines(format(x, ...), 15L))
  invisible(x)
}

#' @rdname compert_fit
#' @export
summary.compert_fit <- function(object, ...) {
  validate_fit(object, "object", baseline = TRUE)
  info <- state_info(object)
  structure(
    list(
      text = format(object),
      n_parameters = info$n_parameters,
      best_epoch = best_epoch(info),
      epochs = as.integer(info$epochs_done),
      settings = object$meta$settings,
      conditions = conditions_table(object),
      scores = last_scores(object$history)
    ),
    class = "summary.compert_fit"
  )
}

# The last epoch that was the best so far; none where none was scored.
last_best <- function(history) utils::tail(history$epoch[which(history$best %in% TRUE)], 1L)

# The core counts epochs from 1 and has 0 where none was scored.
best_epoch <- function(info) if (info$best_epoch > 0) as.integer(info$best_epoch) else NA_integer_

# One row per condition, covariates and split that the screen had.
conditions_table <- function(fit) {
  rows <- fit$meta$conditions
  own <- list2DF(as.list(rows$covariates), length(rows$label))
  tibble::as_tibble(beside_own(own, c(list(condition = rows$label),
                                      rows[c("split", "control", "n_cells")])))
}

# The four r2 of the last scored epoch that was the best so far; NULL when none was scored.
last_scores <- function(history) {
  scored <- history[which(history$best %in% TRUE), , drop = FALSE]
  if (nrow(scored) == 0L) return(NULL)
  as.list(scored[nrow(scored),
                   c("epoch", "r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg",
                     intersect(protein_metrics, names(history)))])
}

#' @export
print.summary.compert_fit <- function(x, ...) {
  writeLines(wrap_lines(x$text, 15L))
  if (x$n_parameters > 0) writeLines(paste0("Parameters:    ", count(x$n_parameters)))
  if (!is.null(x$scores)) {
    values <- vapply(x$scores[-1L], function(v) formatC(v, digits = 3, format = "f"), "")
    writeLines(paste0("Test r2:       ", paste(names(values), values, collapse = ", "),
                      " (decoded, epoch ", x$scores$epoch, ")"))
  }
  cat("\nConditions:\n")
  print(x$conditions, ...)
  invisible(x)
}

#' @rdname compert_fit
#' @importFrom stats nobs
#' @export
nobs.compert_fit <- function(object, ...) {
  validate_fit(object, "object", baseline = TRUE)
  if (knows_training(object$meta)) as.integer(object$meta$n_cells$train) else NA_integer_
}
