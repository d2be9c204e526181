# What a search is going to do, settled before the first trial: epochs of the rungs, settings and
# seed of every trial.

# Epochs in total at the end of each rung. One rung, of the settings' own epochs (0 where they do
# not say), is the search that trains every trial in full.
rung_epochs <- function(method, grace, reduction, max_epochs, settings,
                        call = rlang::caller_env()) {
  given <- list(grace = grace, reduction = reduction, max_epochs = max_epochs)
  own <- attr(settings, "given")[["epochs"]]
  if (method == "random") {
    for (arg in names(given)) {
      refuse_argument(given[[arg]], arg, "method = \"random\" trains every trial in full",
                      paste0("Use method = \"halving\", or settings = ", settings$model, "_settings(epochs = ...)."),
                      call)
    }
    return(own %||% 0)
  }
  check_count(grace, "grace", null_ok = TRUE, call = call)
  check_number(reduction, "reduction", 1.01, null_ok = TRUE, call = call)
  check_count(max_epochs, "max_epochs", null_ok = TRUE, call = call)
  if (!is.null(max_epochs) && !is.null(own) && own != max_epochs) {
    abort_input("`max_epochs` and `epochs` of the settings must agree.",
                paste0("They are ", max_epochs, " and ", own, "."), "Give one of the two only.",
                call)
  }
  last <- max_epochs %||% (if (isTRUE(own > 0)) own) %||% 100
  grace <- grace %||% min(5, last)
  reduction <- reduction %||% 3
  if (grace > last) {
    abort_input("`grace` must be at most `max_epochs`.",
                paste0("They are ", grace, " and ", last, "."),
                "`grace` is the epochs of the first rung, `max_epochs` those of the last.", call)
  }
  k <- seq(0, ceiling(log(last / grace) / log(reduction)))
  steps <- unique(round(grace * reduction^k))
  c(steps[steps < last], last)
}

# Settings and seed of every trial: list(values = one vector per setting, seed). Entry i does not
# depend on the number of trials. R's own stream is left alone.
draw_trials <- function(space, trials, seed, fixed_seed = NULL) {
  streams <- search_streams(seed, length(space))
  values <- draw_distinct(space, trials, streams$settings)
  fit_seed <- as.integer(floor(seeded_uniform(trials, streams$fits) * .Machine$integer.max))
  if (!is.null(fixed_seed)) fit_seed <- rep(as.integer(fixed_seed), trials)
  list(values = values, seed = if (is.null(values$seed)) fit_seed else as.integer(values$seed))
}

# What was drawn before is drawn again only when the space has nothing else: of equal seeds it would be the
# same fit once more.
draw_distinct <- function(space, trials, streams) {
  wanted <- min(trials, prod(vapply(unclass(space), entry_size, 0)))
  n <- trials
  repeat {
    values <- Map(function(entry, stream) draw_entry(entry, seeded_uniform(n, stream)), unclass(space), streams)
    first <- which(!duplicated(as.data.frame(values)))
    # Ranges of fractions may be narrower than the digits that are drawn.
    if (length(first) >= wanted || n >= 1000 * trials) break
    n <- 2 * n
  }
  lapply(values, `[`, rep_len(first, trials))
}

# Seeds of everything that is drawn, apart from each other.
search_streams <- function(seed, n) {
  all <- floor(seeded_uniform(n + 2, seed) * .Machine$integer.max)
  list(fits = all[1], cells = all[2], settings = all[-(1:2)])
}

# The settings of one trial, as the arguments of cpa_settings().
trial_settings <- function(given, plan, trial, epochs) {
  own <- lapply(plan$values, `[[`, trial)
  out <- utils::modifyList(as.list(given), c(own, list(seed = plan$seed[trial])))
  if (epochs > 0) out$epochs <- epochs
  out
}

# Trials that go on to the next rung: the best share of those that are here, at least one. Ties go
# to the lower number. Failed ones take a place and lose it.
promoted <- function(trial, score, reduction) {
  places <- max(1, floor(length(trial) / reduction))
  order <- order(-score, trial, na.last = NA)
  sort(trial[utils::head(order, places)])
}

# Settings that the space and the fixed part must not contradict. `own`: see own_arguments().
check_search <- function(space, settings, method, split, own = list(), call = rlang::caller_env()) {
  given <- attr(settings, "given")
  check_searched(names(space), settings$model, names(given), own, call)
  if (nzchar(given[["checkpoint"]] %||% "")) {
    abort_input("`settings` must have no `checkpoint`: all trials would write to that file.",
                paste0("It is ", describe(given[["checkpoint"]]), "."),
                "Leave it out; `dir` keeps the fits of all trials.", call)
  }
  if (isTRUE(given[["distributed"]])) {
    abort_input("`settings` must have no `distributed`: each trial is trained by one process.",
                "It is TRUE.", "Leave it out; `BPPARAM` runs several trials at a time.", call)
  }
  check_protein_losses(space$protein_loss, call)
  if (method == "halving" && "epochs" %in% names(space)) {
    abort_input("`space` must leave `epochs` out with method = \"halving\".",
                "It has \"epochs\", which the rungs decide.",
                "Write max_epochs = ..., or method = \"random\".", call)
  }
  if ("seed" %in% names(space) && is.null(split)) {
    abort_input("`space` may have `seed` only together with `split`.",
                "Without `split` the seed draws the test cells, and trials could not be compared.",
                "Make a split column with split_cells(), or leave `seed` out.", call)
  }
}

# Values that are good by themselves may contradict each other, or what is the same in all trials.
check_trials <- function(plan, given, call = rlang::caller_env()) {
  for (trial in seq_along(plan$seed)) {
    new_settings(trial_settings(given, plan, trial, 0), call = call)
  }
}
