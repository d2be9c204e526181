# How long training would take, by a few of its steps.

timed_steps <- 3L  # in each of nine short epochs, of which the first is no measure
most_seconds <- 3   # of all of them

# list(defects, training) of a screen without errors: what speaks against its fit after all, and the time of it.
time_training <- function(screen, settings, molecules, doses, call = rlang::caller_env()) {
  settings$seed <- settings$seed %||% 0L
  tryCatch({
    # Warnings of molecules are among the defects.
    task <- suppressWarnings(screen_task(screen, settings, molecules, doses, call),
                             classes = c("compert_same_molecules", "compert_unscaled_features"))
    list(training = task_time(task, call))
  }, compert_input_error = function(cnd) list(defects = as_defect(cnd, "settings")))
}

task_time <- function(task, call = rlang::caller_env()) {
  settings <- task$settings
  rows <- core_rows(task$screen)
  n <- length(task$train)
  steps <- ceiling(n / settings$batch_size)
  epochs <- with_core_errors(core_epochs(task$design, nrow(rows), task$train, !is.null(task$plan),
                                         settings_json(settings)), call)
  each <- step_time(task, rows, min(steps, timed_steps), call)
  per_epoch <- steps * each$seconds
  limit <- if (settings$max_minutes > 0) 60 * settings$max_minutes else Inf
  list(epochs = as.integer(epochs), epoch_seconds = per_epoch, seconds = min(limit, epochs * per_epoch),
       device = each$device)
}

# list(seconds, device) of one step, from short epochs of `n` steps.
step_time <- function(task, rows, n, call) {
  short <- utils::modifyList(task$settings, list(epochs = 9L, checkpoint_freq = 9L, max_minutes = most_seconds / 60,
                                                 checkpoint = "", distributed = FALSE))
  began <- proc.time()[["elapsed"]]
  result <- with_core_errors(core_fit(rows, task$design, some_training_cells(task), NULL, settings_json(short),
                                      meta_to_json(task$meta), NULL, NULL), call)
  spent <- proc.time()[["elapsed"]] - began
  if (result$stopped == "interrupt") rlang::interrupt()
  if (result$stopped == "nan") {
    abort_input("Training must keep to finite values.", paste0("After a few steps ", result$message, "."),
                "Look for values of `x` out of all proportion, or take smaller learning rates.", call)
  }
  if (result$stopped == "unreadable") {
    abort_input("The cells must be readable throughout.", result$message, "Look at the file, or copy it anew.", call)
  }
  ended <- core_state_history(result$state)$seconds
  # The middle one is hardly moved by what else the machine does for a moment.
  epoch <- if (length(ended) > 1L) stats::median(diff(ended)) else ended
  list(seconds = if (length(epoch)) epoch / n else spent / max(1, result$batches), device = result$device)
}

# As many as the timed steps have. Those of a file are read as training reads them, one after the other.
some_training_cells <- function(task) {
  n <- length(task$train)
  size <- min(n, timed_steps * task$settings$batch_size)
  if (is_stored(task$screen$x)) return(task$train[seq_len(size)])
  task$train[round(seq(1, n, length.out = size))]
}

training_text <- function(training) {
  text <- function(seconds) if (seconds < 10) paste0(signif(seconds, 2), "s") else duration_text(seconds)
  paste0("Training (", training$device, "): about ", text(training$seconds), ", for at most ",
         count_of(training$epochs, "epoch"), " of ", text(training$epoch_seconds), ".")
}
