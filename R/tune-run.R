# The trials: one of them, all of a rung, all rungs.

# Trains one trial to the end of a rung and leaves its fit and its record. Runs in this process or
# in another one, and needs nothing but `job`.
run_trial <- function(job) {
  data <- trial_data(job$data)
  start <- proc.time()[["elapsed"]]
  outcome <- fit_trial(job, data)
  record <- list(search = job$search, trial = job$trial, rung = job$rung, status = "failed",
                 message = outcome$message)
  if (!is.null(outcome$fit)) {
    save_fit(outcome$fit, trial_file(job$dir, job$trial, job$rung, "h5"), overwrite = TRUE)
    record$status <- "trained"
    record$epochs <- nrow(outcome$fit$history)
    record$scored <- outcome$scored
  }
  record$seconds <- proc.time()[["elapsed"]] - start
  if (!write_rds(record, trial_file(job$dir, job$trial, job$rung, "rds"))) {
    abort_input("`dir` must be writable.",
                paste0("Writing to ", dQuote(job$dir, FALSE), " failed."),
                "Look at its permissions and at the free space.")
  }
  if (outcome$interrupted) abort_interrupted()
  record
}

abort_interrupted <- function() {
  cli::cli_abort("The search was interrupted.", class = "compert_search_interrupted", call = NULL)
}

# list(fit, scored, message, interrupted): the fit is NULL when it failed. `scored` is the row of the
# history whose weights the fit keeps. Warnings of single trials say nothing new; how training stopped does,
# and Ctrl-C while the fit, which is whole, was scored.
fit_trial <- function(job, data) {
  stopped <- NULL
  interrupted <- FALSE
  before <- NULL
  fit <- tryCatch(withCallingHandlers({
    if (is.null(job$from)) {
      first_fit(job, data)
    } else {
      before <- load_fit(job$from)
      resume_fit(before, data$x, job$epochs - nrow(before$history), verbose = FALSE,
                 assay = data$assay, layer = data$layer, col_data = data$col_data)
    }
  }, warning = function(cnd) {
    if (any(startsWith(class(cnd), "compert_stopped_"))) stopped <<- cnd
    if (inherits(cnd, "compert_scoring_interrupted")) interrupted <<- TRUE
    tryInvokeRestart("muffleWarning")
  }), error = function(cnd) cnd)
  if (inherits(stopped, "compert_stopped_interrupt")) abort_interrupted()
  failed <- function(message) list(message = message, interrupted = interrupted)
  if (inherits(fit, "error")) return(failed(plain_message(fit)))
  history <- fit$history[seq_len(nrow(fit$history)) > NROW(before$history), , drop = FALSE]
  message <- if (is.null(stopped)) NA_character_ else plain_message(stopped)
  scored <- kept_epoch(history, fit$meta$settings$restore_best)
  if (is.null(before) && is.null(scored)) {
    return(failed(if (is.na(message)) paste0("No epoch was scored", ended_text(fit$meta$run), ".") else message))
  }
  list(fit = fit, scored = scored, message = message, interrupted = interrupted)
}

# The scored epoch whose weights a fit ends with: of the best score, or without `restore_best` the last.
kept_epoch <- function(history, restore_best) {
  rows <- which(if (restore_best) history$best %in% TRUE else !is.na(history$r2_mean))
  if (length(rows)) as.list(history[rows[length(rows)], , drop = FALSE])
}

first_fit <- function(job, data) {
  do.call(model_verb(job$model), c(
    list(data$x, col_data = data$col_data, assay = data$assay, layer = data$layer,
         settings = new_settings(job$settings, verbose = FALSE)),
    job$arguments
  ))
}

# All rungs. Returns the records, one list per trial. A trial that stopped before the end of its
# rung (patience) is not trained further, but stays in the contest.
run_search <- function(search) {
  alive <- seq_along(search$plan$seed)
  records <- lapply(alive, function(trial) list())
  reached <- alive
  for (rung in seq_along(search$rungs)) {
    reached[alive] <- rung
    due <- alive[vapply(records[alive], may_go_on, NA, search$rungs[rung])]
    for (record in run_rung(search, rung, due, records)) {
      records[[record$trial]] <- c(records[[record$trial]], list(record))
    }
    if (rung == length(search$rungs)) break
    score <- vapply(records[alive], function(r) trial_best(r, search$metric)$value, 0)
    alive <- promoted(alive, score, search$reduction)
  }
  list(records = records, alive = alive, reached = reached)
}

may_go_on <- function(records, epochs) {
  if (length(records) == 0) return(TRUE)
  last <- records[[length(records)]]
  last$status == "trained" && last$epochs < epochs && last$epochs >= last$target
}

# The rung of a trial whose weights scored best, list(rung, value, scored). NA for one that failed.
trial_best <- function(records, metric) {
  failed <- any(vapply(records, function(r) r$status == "failed", NA))
  value <- vapply(records, function(r) {
    if (failed || is.null(r$scored)) return(NA_real_)
    metric$sign * as.double(with_score(r$scored)[[metric$column]] %||% NA_real_)
  }, 0)
  if (all(is.na(value))) return(list(rung = NA_integer_, value = NA_real_))
  at <- which.max(value)
  list(rung = records[[at]]$rung, value = value[at], scored = with_score(records[[at]]$scored))
}

# The mean of the r2 of means, over all genes, over DEGs and over proteins, where there are some.
with_score <- function(scored) {
  parts <- c(scored$r2_mean, scored$r2_mean_deg, scored$r2_mean_protein)
  scored$score <- if (all(is.na(parts))) NA_real_ else mean(parts, na.rm = TRUE)
  scored
}

# The records of the trials `due` at the end of a rung: those in the folder, and what is missing.
run_rung <- function(search, rung, due, records) {
  found <- lapply(due, function(trial) read_record(search, trial, rung))
  missing <- due[vapply(found, is.null, NA)]
  jobs <- lapply(missing, function(trial) new_job(search, trial, rung, records[[trial]]))
  found[match(missing, due)] <- run_jobs(jobs, search)
  lapply(found, function(record) c(record, list(target = search$rungs[rung])))
}

new_job <- function(search, trial, rung, records) {
  epochs <- search$rungs[rung]
  from <- if (length(records)) trial_file(search$dir, trial, records[[length(records)]]$rung, "h5")
  list(search = search$id, dir = search$dir, trial = trial, rung = rung, epochs = epochs,
       from = from, settings = trial_settings(search$given, search$plan, trial, epochs),
       model = search$settings$model, arguments = search$arguments, data = search$data)
}
