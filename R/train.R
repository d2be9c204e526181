# What the verbs that train a model share: their arguments as a list, what is made of them, and the training.

# The arguments of the verb that calls this, by name, without those that must be given and were not.
given_arguments <- function(verb = rlang::caller_fn(), frame = rlang::caller_env()) {
  needed <- vapply(formals(verb), identical, NA, quote(expr = ))
  gone <- vapply(names(needed), function(name) needed[[name]] && eval(call("missing", as.name(name)), frame), NA)
  mget(setdiff(names(needed)[!gone], "..."), envir = frame)
}

# The fit of a `model` with the arguments of its verb.
train_model <- function(model, given, call = rlang::caller_env()) {
  check_settings(given$settings, model, call)
  loss <- agreed_loss(given$settings, given$loss, call)
  how <- read_own(keys_of(given, loss, call), given$settings, given, call)
  task <- new_task(given$x, how$keys, given$col_data, how$settings, how$molecules, call, how$doses)
  weights <- how$encoder$weights
  if (is.null(weights)) return(run_task(task))
  run_task(task, with_core_errors(core_new_model(task$design, nrow(task$screen$x), settings_json(task$settings),
                                                 weights, meta_to_json(task$meta)), call))
}

# What a model makes of its own arguments before cells are read: list(keys, settings, molecules, doses), the
# arguments of new_task(), and `encoder`, see check_encoder().
read_own <- function(keys, settings, given, call = rlang::caller_env()) {
  keys$degs <- check_own_degs(given$degs, call)
  doses <- list(unit = check_dose_unit(given$dose_unit, call), transform = given$dose_transform)
  how <- list(keys = keys, settings = settings, doses = doses)
  if (settings$model == "chemcpa") how <- read_chemcpa(how, given, call)
  if (settings$model == "multicpa") how <- read_multicpa(how, given, call)
  how$molecules <- read_molecules(given$molecules, encoder = how$encoder, call = call)
  how
}

# Trains what new_task() has prepared; `state`: the model to start from, or NULL for a new one.
run_task <- function(task, state = NULL) {
  settings <- first_speaks(task$settings)
  check_checkpoint(settings, task$call)
  if (show_messages(settings$verbose)) {
    inform_task(task)
    warn_slow_blas()
  }
  # R collects by itself once a share of the session's memory has been used again: beside a large screen
  # that lets what reading its labels left lie through the whole fit.
  if (ncol(task$screen$x) > 10000) gc()
  result <- with_core_errors(core_fit(
    core_rows(task$screen), task$design, task$train, task$plan, settings_json(settings),
    meta_to_json(task$meta), state, progress_reporter(settings$verbose)
  ), call = task$call)
  finish_fit(result, settings, task$screen, task$call)
}

# What the core trained as a fit, which keeps how that ended, where it ran, and its scores on the test cells.
finish_fit <- function(result, settings, screen, call = rlang::caller_env()) {
  tell_stop(result, settings, call)
  tell_unwritten(result, settings, call)
  fit <- new_fit(result$state)
  fit$meta$run <- list(stopped = result$stopped, message = result$message, device = result$device)
  fit <- with_test_scores(fit, screen, result$stopped, call)
  new_fit(with_core_errors(core_state_with_meta(fit$state, meta_to_json(fit$meta)), call = call))
}

# Everything that a fit needs, checked: screen, registry, coded design, training cells (0-based),
# evaluation plan, complete settings and what the fit remembers.
# `doses`: unit and transform, see pick_dose_transform(). `molecules`: see read_molecules(). `before`: a fit whose
# scales stay.
new_task <- function(x, keys, col_data, settings, molecules, call, doses = list(), before = NULL) {
  check_process(call)
  doses$transform <- pick_dose_transform(doses$transform, settings, call)
  read <- read_screen(x, model_keys(keys, settings, call), col_data, call = call)
  molecules <- molecules_of_cells(molecules, read, call)
  defects <- model_defects(read, settings, known_molecules(molecules), doses$transform)
  abort_defects(defects, call)
  warn_defects(defects, call)
  settings$seed <- resolve_seed(settings$seed, call)
  task <- screen_task(read$screen, settings, molecules, doses, call, before)
  task$chose_loss <- is.null(keys$loss)
  task
}

model_keys <- function(keys, settings, call = rlang::caller_env()) {
  check_continuous(keys, settings, call)
  # The networks of theislab/chemCPA act at dose 0; with others nothing does where controls have it.
  if (settings$parity %in% c("chemcpa", "chemcpa_v2")) keys$idle_zero <- FALSE
  keys
}

# What is wrong with a screen for the model of the settings. `described`: perturbations with molecules.
model_defects <- function(read, settings, described, transform) {
  scgen <- settings$model == "scgen"
  defects <- all_defects(read, described, transform == "none" && !scgen)
  # scGen takes the mean of others for a perturbation that training never meets.
  if (scgen) defects[defects$check != "untrained perturbation", ] else defects
}

# The task of a screen without errors; `settings` have a seed.
screen_task <- function(screen, settings, molecules, doses, call, before = NULL) {
  settings$loss_ae <- screen$loss
  if (!is.null(screen$proteins)) {
    check_fusion(screen, settings$fusion, call)
    settings$protein_loss <- screen$keys$protein_loss
  }
  automatic <- is.null(screen$split)
  if (automatic) screen$split <- auto_split(screen, settings$seed)
  registry <- new_registry(screen, doses, known_molecules(molecules))
  registry$n_features <- molecules$n %||% 0L
  registry$feature_kind <- molecules$kind
  registry$feature_names <- molecules$columns
  if (!is.null(before)) registry <- same_scales(registry, screen, before, call)
  warn_same_molecules(molecules, registry$perturbations, call)
  warn_unscaled_features(molecules, registry$perturbations, call)
  plan <- new_plan(screen, registry, call = call)
  list(screen = screen, registry = registry, settings = settings, plan = plan, molecules = molecules,
       design = training_design(registry, screen, molecules, settings$model,
                                settings$reg_multi_task > 0, call), call = call,
       train = which(screen$split == "train") - 1L, automatic = automatic,
       meta = new_meta(screen, registry, settings, plan))
}

# A run that did not end by its number of epochs, or by patience, says so. A time limit was the
# user's own wish; the rest is a warning.
tell_stop <- function(result, settings, call = rlang::caller_env()) {
  why <- result$stopped
  if (why %in% c("epochs", "patience")) return(invisible())
  reason <- switch(why,
    interrupt = "Training was interrupted",
    max_minutes = paste0("Training reached max_minutes = ", format(settings$max_minutes)),
    nan = "Training stopped at a value that is not finite",
    unreadable = "Training stopped because the cells could not be read any more"
  )
  more <- if (result$batches > 0) paste0(" and ", count_of(result$batches, "step"))
  text <- paste0(reason, " after ", count_of(result$epochs, "epoch"), more, ".")
  detail <- if (nzchar(result$message)) sub("([^.!?])$", "\\1.", result$message)
  holds <- if (result$epochs + result$batches == 0) "The fit is as it began: untrained." else
    "The fit holds the best state so far; resume_fit() goes on."
  bullets <- escape_braces(c(text, "!" = detail, i = holds))
  class <- paste0("compert_stopped_", why)
  if (why != "max_minutes") return(cli::cli_warn(bullets, call = call, class = class))
  if (show_messages(settings$verbose)) cli::cli_inform(bullets, class = class)
}
