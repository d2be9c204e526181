# The class of condition() and what the verbs do with it.

# Pairs are sorted by name here; `key` is the column name that the user wrote the perturbation
# under, `dosed` whether he gave doses (holding out "A" without a dose means all its doses).
new_condition <- function(parts, doses, covariates = list(), key = "perturbation",
                          dosed = TRUE, dose_unit = NULL) {
  tidy <- tidy_pairs(parts, doses)
  out <- tibble::tibble(perturbation = tidy$parts, dose = tidy$doses)
  for (name in names(covariates)) out[[name]] <- covariates[[name]]
  structure(out, class = c("compert_condition", class(out)), key = key, dosed = dosed,
            dose_unit = dose_unit)
}

# Anything that says conditions -- a condition(), or a data frame with the screen's own columns --
# as a condition in the names of `keys`. The perturbation argument must be called as the screen's
# column is (or "perturbation").
as_condition <- function(x, keys, call = rlang::caller_env()) {
  if (inherits(x, "compert_condition")) return(match_keys(x, keys, call))
  if (!is.data.frame(x)) {
    abort_input("`condition` must come from condition() or condition_grid().",
                paste0("It is ", describe(x), "."),
                paste0("Write condition(", keys$perturbation, " = \"...\")."), call = call)
  }
  column <- intersect(c(keys$perturbation, "perturbation"), names(x))[1]
  if (is.na(column)) {
    abort_input(paste0("`condition` must have a column ", dQuote(keys$perturbation, FALSE), "."),
                paste0("It has ", name_list(names(x)), "."),
                paste0("Use condition(", keys$perturbation, " = \"...\")."), call = call)
  }
  dose_column <- intersect(c(keys$dose, "dose"), names(x))[1]
  dose <- if (!is.na(dose_column)) x[[dose_column]]
  parts <- condition_parts(x[[column]], keys$sep, call)
  doses <- condition_doses(if (is.numeric(dose)) as.list(dose) else dose, parts, keys$sep, call)
  covariates <- as.list(x[intersect(names(x), covariate_names(keys))])
  new_condition(parts, doses, lapply(covariates, as.character), keys$perturbation,
                dosed = !is.null(dose))
}

match_keys <- function(x, keys, call) {
  key <- attr(x, "key") %||% "perturbation"
  covariates <- setdiff(names(x), c("perturbation", "dose"))
  if (!key %in% c("perturbation", keys$perturbation)) {
    abort_input("The perturbation of a condition must come first, under the name of its column.",
                paste0("The column is ", dQuote(keys$perturbation, FALSE),
                       ", the condition begins with ", dQuote(key, FALSE), "."),
                paste0("Write condition(", keys$perturbation, " = ..., ", key, " = ...)."),
                call = call)
  }
  unknown <- setdiff(covariates, covariate_names(keys))
  if (length(unknown) > 0) {
    known <- covariate_names(keys)
    abort_input("Covariates of a condition must be covariates of the screen.",
                paste0(dQuote(unknown[1], FALSE), " is none."),
                paste0(did_you_mean(unknown[1], known), "The covariates are ", name_list(known),
                       "."), call = call)
  }
  x
}

# Conditions ready for the core: parts and doses, covariates (NA where not asked for), labels, and
# the design `target` in the registry's codes. A control that was asked for without a dose has the
# dose that it had in training.
resolve_conditions <- function(condition, registry, keys, call = rlang::caller_env()) {
  unit <- attr(condition, "dose_unit")
  condition <- as_condition(condition, keys, call)
  condition$dose <- doses_in_unit(condition$dose, unit, registry, call)
  tidy <- tidy_pairs(condition$perturbation, condition$dose, registry$control)
  if (!isTRUE(attr(condition, "dosed"))) {
    control <- vapply(tidy$parts, identical, NA, registry$control)
    tidy$doses[control] <- list(max(registry$dose_range[[registry$control]], 0))
  }
  covariates <- lapply(rlang::set_names(names(registry$covariates)), function(name) {
    condition[[name]] %||% rep(NA_character_, nrow(condition))
  })
  list(parts = tidy$parts, doses = tidy$doses, covariates = covariates,
       label = condition_label(tidy$parts, if (!is.null(keys$dose)) tidy$doses, registry$sep),
       target = encode_design(registry, tidy$parts, tidy$doses, covariates, call))
}

#' @export
format.compert_condition <- function(x, ...) {
  label <- condition_label(x$perturbation, x$dose)
  for (name in setdiff(names(x), c("perturbation", "dose"))) {
    level <- x[[name]]
    label <- paste0(label, ifelse(is.na(level), "", paste0(", ", name, " = ", level)))
  }
  label
}

#' @export
print.compert_condition <- function(x, ..., n = 20) {
  cli::cat_line("<", count_of(nrow(x), "condition"), ">")
  cli::cat_line("  ", utils::head(format(x), n))
  if (nrow(x) > n) cli::cat_line("  ... and ", nrow(x) - n, " more")
  invisible(x)
}
