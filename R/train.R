# What the verbs that train a model share: their arguments as a list, and what is made of them.

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
