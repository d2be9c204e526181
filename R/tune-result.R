# What a search returns: its class, its tables, its print.

new_tuning <- function(state, search, dir) {
  settings <- search$settings
  trials <- trials_table(state, search)
  value <- search$metric$sign * trials[[search$metric$column]]
  value[trials$status == "failed"] <- NA
  if (all(is.na(value))) abort_search(trials, search)
  best <- order(-value, trials$trial)[1]
  at <- trial_best(state$records[[best]], search$metric)$rung
  given <- trial_settings(as.list(attr(settings, "given")), search$plan, best,
                          search$rungs[length(search$rungs)])
  structure(
    list(
      trials = trials, rungs = rungs_table(state, search),
      best = load_fit(trial_file(search$dir, best, at, "h5")), best_trial = best,
      best_settings = new_settings(given, settings$verbose, search$call), space = search$space,
      metric = search$metric$name, method = search$method,
      rung_epochs = if (search$method == "halving") search$rungs, seed = search$seed,
      sample_cells = search$sample_cells, dir = if (!is.null(dir)) search$dir
    ),
    class = "compert_tuning"
  )
}

abort_search <- function(trials, search) {
  failed <- trials$status == "failed"
  reasons <- unique(trials$message[failed])
  first <- trials$trial[match(reasons, trials$message)]
  given <- if (any(failed)) {
    paste0("Trial ", first, ": ", reasons)[seq_len(min(3, length(reasons)))]
  } else {
    paste0("`metric = ", dQuote(search$metric$name, FALSE), "` is missing in all of them.")
  }
  abort_input("At least one trial must end with a value of the metric.",
              c(paste0(sum(failed), " of ", count_of(nrow(trials), "trial"), " failed."), given),
              if (any(failed)) paste0("Try one of these settings with `", search$settings$model, "()`.") else
                "Write metric = \"score\".", search$call, class = "compert_search_failed")
}

score_names <- function(proteins) {
  c("score", "r2_mean", "r2_mean_deg", "r2_var", "r2_var_deg", if (proteins) protein_r2)
}

# One row per trial.
trials_table <- function(state, search) {
  all <- seq_along(state$records)
  last <- lapply(state$records, function(r) r[[length(r)]])
  best <- lapply(state$records, trial_best, search$metric)
  number <- function(list, name) {
    vapply(list, function(x) as.double(x[[name]] %||% NA_real_), 0)
  }
  failed <- vapply(last, function(r) r$status == "failed", NA)
  scored <- lapply(best, `[[`, "scored")
  metrics <- union(score_names(search$proteins), search$metric$column)
  values <- search$plan$values
  values$seed <- NULL
  out <- c(
    list(trial = all), values, list(seed = search$plan$seed),
    # `epochs` may be one of the searched settings.
    list(rung = state$reached,
         epochs_trained = as.integer(vapply(state$records, epochs_trained, 0)),
         best_epoch = as.integer(number(scored, "epoch"))),
    stats::setNames(lapply(metrics, number, list = scored), metrics),
    list(status = ifelse(failed, "failed", ifelse(all %in% state$alive, "finished", "stopped")),
         message = vapply(last, function(r) r$message, ""),
         seconds = vapply(state$records, function(r) sum(number(r, "seconds")), 0))
  )
  tibble::as_tibble(out)
}

# Epochs of the last record that has some: a trial that failed has those of the rungs before.
epochs_trained <- function(records) {
  max(0, unlist(lapply(records, `[[`, "epochs")))
}

# One row per trial and rung that was trained.
rungs_table <- function(state, search) {
  rows <- unlist(state$records, recursive = FALSE)
  order <- order(vapply(rows, function(r) r$rung, 0), vapply(rows, function(r) r$trial, 0))
  rows <- rows[order]
  number <- function(name) vapply(rows, function(r) as.double(r[[name]] %||% NA_real_), 0)
  value <- vapply(rows, function(r) {
    if (is.null(r$scored)) NA_real_ else
      as.double(with_score(r$scored)[[search$metric$column]] %||% NA_real_)
  }, 0)
  out <- list(trial = as.integer(number("trial")), rung = as.integer(number("rung")),
              epochs = as.integer(number("epochs")), value = value, seconds = number("seconds"))
  names(out)[4] <- search$metric$column
  tibble::as_tibble(out)
}

#' Look at a search
#'
#' @param x A `compert_tuning`, from [tune_fit()].
#' @param ... Must be empty: later arguments are given by name.
#' @param n How many of the best trials are printed.
#' @return `tidy()`: the table of the trials, one row each, as [tune_fit()] describes it. `print()`:
#'   `x`, invisibly, after some lines with the best trials.
#' @source The generics of the generics package, as broom has them.
#' @seealso [tune_fit()], [plot_tuning]
#' @examples
#' cells <- kang_example(as = "list")
#' found <- tune_fit(cells$x, "condition", control = "control", covariates = "cell_type",
#'                   split = "split", col_data = cells$col_data, trials = 2, seed = 1,
#'                   space = list(dim = c(4, 8, 16)),
#'                   settings = cpa_settings(epochs = 1, verbose = FALSE))
#' tidy(found)
#' @name tuning_methods
NULL

#' @rdname tuning_methods
#' @export
tidy.compert_tuning <- function(x, ...) {
  check_no_dots(...)
  x$trials
}

#' @rdname tuning_methods
#' @export
print.compert_tuning <- function(x, ..., n = 5) {
  check_no_dots(...)
  cli::cat_line(wrap_lines(format_tuning(x)))
  metric <- read_metric(x$metric)
  ranked <- order(-metric$sign * x$trials[[metric$column]], x$trials$trial, na.last = NA)
  ranked <- ranked[x$trials$status[ranked] != "failed"]
  shown <- x$trials[utils::head(ranked, n),
                    unique(c("trial", names(x$space), if (x$method == "halving") "rung",
                             "epochs_trained", metric$column))]
  text <- lapply(shown, function(v) if (is.double(v)) number_text(v) else as.character(v))
  columns <- Map(function(v, name) format(c(name, v), justify = "right"), text, names(shown))
  cli::cat_line("  ", do.call(paste, c(unname(columns), sep = "  ")))
  invisible(x)
}

format_tuning <- function(x) {
  metric <- read_metric(x$metric)
  states <- table(factor(x$trials$status, c("finished", "stopped", "failed")))
  states <- states[states > 0]
  value <- x$trials[[metric$column]][x$best_trial]
  c(
    paste0("<compert_tuning> ", count_of(nrow(x$trials), "trial"), " of ",
           paste(names(x$space), collapse = ", "), "; seed ", x$seed),
    paste0("Method: ", if (x$method == "random") "random, each trained in full" else
      paste0("halving at ", paste(x$rung_epochs, collapse = ", "), " epochs"), "; ",
      paste(states, names(states), collapse = ", ")),
    paste0("Best:   trial ", x$best_trial, ", ", metric$column, " = ", number_text(value),
           if (!is.null(x$sample_cells)) paste0(" (on ", count(x$sample_cells), " cells)"))
  )
}
