# The class of condition() and what the verbs do with it.

# Pairs are sorted by name here. What else the user said of a row is a note (an attribute) on the
# row's own elements, so that `[`, rbind() and dplyr carry it along. On the perturbation: `key`, the
# column name that it was written under, and `written`, a text that was split, with the `sep` it was
# split at, whether that was `given`, and the name that it had; `crossed` where condition_grid() made the
# row. On the dose: `unit`, and `default` where none was given (where there is a dose column, holding out
# "A" without a dose means all its doses). Covariates have the names of condition_columns().
new_condition <- function(parts, doses, covariates = list()) {
  tidy <- tidy_pairs(parts, doses)
  out <- tibble::tibble(perturbation = Map(keep_notes, tidy$parts, parts),
                        dose = Map(keep_notes, tidy$doses, doses))
  for (name in names(covariates)) out[[name]] <- covariates[[name]]
  structure(out, class = c("compert_condition", class(out)))
}

keep_notes <- function(new, old) {
  for (name in c("key", "written", "crossed", "unit", "default")) attr(new, name) <- attr(old, name)
  new
}

no_dose <- function(parts) structure(rep(1, length(parts)), default = TRUE)

dose_given <- function(doses) vapply(doses, function(d) is.null(attr(d, "default")), NA)

# What covariates are called in a condition, beside its `perturbation` and `dose` and the arguments of
# condition(); named by them.
condition_columns <- function(keys) {
  names <- c(covariate_names(keys), keys$continuous)
  stats::setNames(own_names(names, c("perturbation", "dose", "dose_unit", "sep")), names)
}

# Texts alone name perturbations. What has names of its own may be meant as covariates.
texts_as_condition <- function(x, arg = "condition", call = rlang::caller_env()) {
  if (is.factor(x)) x <- as.character(x)
  if (!is.character(x)) return(x)
  if (!is.null(names(x))) {
    abort_input(paste0("`", arg, "` must be names of perturbations without names of their own, or a condition()."),
                paste0("They are called ", name_list(names(x)), "."),
                "Write condition(drug = \"A\", cell_type = \"B\") for one condition, unname() for several.", call)
  }
  condition(x)
}

# A condition of the fit as it is written, for errors.
example_condition <- function(fit) {
  keys <- fit$meta$keys
  registry <- fit$meta$registry
  levels <- vapply(registry$covariates[setdiff(names(registry$covariates), registry$batch)], `[`, "", 1L)
  column <- if (length(keys$perturbation) == 1L) keys$perturbation else "perturbation"
  first <- setdiff(registry$perturbations, keys$control)[1L]
  names <- c(column, condition_columns(keys)[names(levels)])
  asked <- rlang::set_names(as.list(unname(c(first, levels))), names)
  # Of several trained doses one must be chosen.
  if (diff(trained_ranges(registry, first)[1L, ]) %in% c(0, NA)) asked$dose <- NULL else
    asked$dose <- strongest_doses(fit, first)
  rlang::expr_text(rlang::call2("condition", !!!asked), width = 500L)
}

# Anything that says conditions -- a condition(), names of perturbations, or a data frame with the screen's
# own columns -- as a condition in the names of `keys`, its texts split as those of the screen are. The
# perturbation argument must be called as the screen's column is (or "perturbation").
as_condition <- function(x, keys, call = rlang::caller_env()) {
  x <- texts_as_condition(plain_table(x), call = call)
  if (is.data.frame(x)) stop_without_conditions(nrow(x), keys, call)
  ready <- inherits(x, "compert_condition")
  if (ready) {
    check_names_in_screen(x, keys, call)
  } else if (!is.data.frame(x)) {
    abort_input("`condition` must come from condition() or condition_grid(), or be names of perturbations.",
                paste0("It is ", describe(x), "."),
                paste0("Write condition(", keys$perturbation, " = \"...\"); rbind() puts several ",
                       "together."), call = call)
  }
  if (!ready) x <- with_joint_columns(x, keys)
  columns <- condition_columns(keys)
  # In a table of the user's a word stands for the column, unless another column has that name.
  others <- names(columns)
  column <- if (ready) "perturbation" else
    intersect(c(keys$perturbation, setdiff("perturbation", c(others, keys$dose))), names(x))[1]
  if (is.na(column)) {
    abort_input(paste0("`condition` must have a column ", dQuote(keys$perturbation, FALSE), "."),
                paste0("It has ", name_list(names(x)), "."),
                paste0("Use condition(", keys$perturbation, " = \"...\")."), call = call)
  }
  parts <- condition_parts(x[[column]], keys$sep, call)
  dose_column <- if (ready) "dose" else
    intersect(c(keys$dose, setdiff("dose", c(others, column))), names(x))[1]
  dose <- if (is.na(dose_column)) lapply(parts, no_dose) else x[[dose_column]]
  if (is.numeric(dose)) dose <- as.list(dose)
  asked <- split_as_screen(parts, dose, keys$sep, call)
  parts <- condition_parts(asked$parts, keys$sep, call)
  doses <- condition_doses(asked$dose, parts, keys$sep, call)
  if (!ready) names(x)[match(others, names(x), 0L)] <- columns[others %in% names(x)]
  covariates <- as.list(x[intersect(names(x), columns)])
  number <- names(covariates) %in% columns[keys$continuous]
  covariates[!number] <- lapply(covariates[!number], level_names)
  covariates[number] <- Map(condition_numbers, covariates[number], names(covariates)[number],
                            MoreArgs = list(call = call))
  new_condition(lapply(parts, as.vector), doses, covariates)
}

# condition() splits texts at "+" where no `sep` is given. Where the screen's `sep` gives other
# parts the text is split anew, unless that goes against a `sep` or doses that were given.
split_as_screen <- function(parts, dose, sep, call) {
  for (k in seq_along(parts)) {
    written <- attr(parts[[k]], "written")
    if (is.null(written)) next
    here <- split_text(written$text, sep)[[1]]
    own <- split_text(written$text, written$sep)[[1]]
    if (identical(here, own)) next
    if (written$given || dose_given(dose[k])) abort_other_sep(written, own, sep, call)
    parts[[k]] <- here
    dose[[k]] <- no_dose(here)
  }
  list(parts = parts, dose = dose)
}

abort_other_sep <- function(written, own, sep, call) {
  say <- function(sep) paste("sep =", if (is.null(sep)) "NULL" else dQuote(sep, FALSE))
  listed <- paste0("list(", deparse(own), ")")
  abort_input(
    "The text of a condition must be written with the `sep` of the screen.",
    paste0(dQuote(written$text, FALSE), " is read with ", say(written$sep), "; the screen has ",
           say(sep), "."),
    c(paste0("Write ", say(sep), "."),
      paste0("Or give the perturbations that it means as a list: ", listed, ".")), call = call)
}

check_names_in_screen <- function(x, keys, call) {
  key <- setdiff(unlist(lapply(x$perturbation, attr, "key")), c("perturbation", keys$perturbation))
  known <- condition_columns(keys)
  given <- c(key, names(x))
  smiles <- setdiff(given[lower_case(given) == "smiles"], known)
  if (length(smiles) > 0) {
    abort_input("A condition must name perturbations, not their molecules.",
                paste0("`", smiles[1], "` is no column of the fit."),
                paste0("Only one state of a fit, as of predict(), is asked for by `smiles`; elsewhere write ",
                       "condition(", keys$perturbation, " = \"New drug\"), which ",
                       "add_molecules(fit, c(\"New drug\" = \"CCO\")) makes known."), call = call)
  }
  if (length(key) > 0) {
    abort_input("The perturbation of a condition must come first, under the name of its column.",
                paste0("The column is ", dQuote(keys$perturbation, FALSE),
                       ", the condition begins with ", dQuote(key[1], FALSE), "."),
                if (key[1] %in% keys$columns$perturbation)
                  paste0("Write condition(\"A\"), and of combinations condition(\"A+B\").") else
                    paste0("Write condition(", keys$perturbation, " = ..., ", key[1], " = ...)."),
                call = call)
  }
  unknown <- setdiff(names(x), c("perturbation", "dose", known))
  if (length(unknown) == 0) return(invisible())
  abort_input("Covariates of a condition must be covariates of the screen.",
              paste0(dQuote(unknown[1], FALSE), " is none."),
              if (unknown[1] %in% keys$dose) {
                paste0("It is the column of doses: write dose = ... instead of ", unknown[1],
                       " = ....")
              } else if (length(known)) {
                paste0(did_you_mean(unknown[1], known), "The covariates are ", name_list(known), ".")
              } else {
                "The screen has none: they are the columns that `covariates` names."
              }, call = call)
}

stop_without_conditions <- function(n, keys, call, arg = "condition") {
  if (n > 0L) return(invisible())
  abort_input(paste0("`", arg, "` must name at least one condition."), "It has no rows.",
              paste0("Write condition(", keys$perturbation, " = \"...\")."), call = call)
}

# Conditions ready for the core: parts and doses, covariates (NA where not asked for), labels, and
# the design `target` in the registry's codes. A control that was asked for without a dose has the
# dose that it had in training. `open_doses` tells the doses of others that have none (a function of
# their parts, see open-doses.R); `row` is the row of `condition` that each comes from, and `open`
# whether it has a dose from there. `measured`: the doses of the fit's screen.
resolve_conditions <- function(condition, registry, keys, call = rlang::caller_env(),
                               open_doses = NULL, measured = list()) {
  condition <- as_condition(condition, keys, call)
  tidy <- tidy_pairs(one_control(condition$perturbation, keys), doses_in_unit(condition$dose, registry, call),
                     registry$control, keys$idle_zero)
  control <- vapply(tidy$parts, identical, NA, registry$control)
  given <- dose_given(condition$dose)
  tidy$doses[control & !given] <- list(control_dose(registry))
  columns <- condition_columns(keys)
  covariates <- lapply(rlang::set_names(covariate_parts(registry)), function(name) {
    condition[[columns[[name]]]] %||% rep(if (name %in% keys$continuous) NA_real_ else NA_character_, nrow(condition))
  })
  open <- !given & !control & !is.null(keys$dose) & !is.null(open_doses)
  # Names are checked before their doses are looked for.
  target <- encode_design(registry, tidy$parts, tidy$doses, covariates, call)
  row <- seq_along(open)
  if (any(open)) {
    choices <- lapply(tidy$doses, list)
    choices[open] <- lapply(tidy$parts[open], open_doses, call)
    row <- rep(row, lengths(choices))
    tidy <- list(parts = tidy$parts[row], doses = unlist(choices, recursive = FALSE))
    covariates <- lapply(covariates, `[`, row)
    target <- encode_design(registry, tidy$parts, tidy$doses, covariates, call)
  }
  shown <- shown_doses(tidy$doses, keys, c(measured, tidy$doses))
  list(parts = tidy$parts, doses = tidy$doses, covariates = covariates,
       label = condition_label(tidy$parts, shown, registry$sep),
       target = target, row = row, open = open[row])
}

# A covariate that some do not name is NA in their rows: it may have any value there.
#' @export
rbind.compert_condition <- function(..., deparse.level = 1) {
  tables <- list(...)
  covariates <- setdiff(unlist(lapply(tables, names)), c("perturbation", "dose"))
  tables <- lapply(tables, function(table) {
    for (name in setdiff(covariates, names(table))) table[[name]] <- rep(NA, NROW(table))
    table
  })
  do.call(rbind.data.frame, tables)
}

#' @export
format.compert_condition <- function(x, ...) {
  given <- dose_given(x$dose)
  named <- vapply(x$perturbation, function(p) if (is_smiles_key(p)) attr(p, "written")$name %||% "" else "", "")
  smiles <- ifelse(nzchar(named), paste0(", smiles = ", vapply(x$perturbation, `[`, "", 1L)), "")
  x$perturbation[nzchar(named)] <- Map(keep_notes, as.list(named), x$perturbation)[nzchar(named)]
  # An open dose is the number of times that the name was written.
  label <- condition_label(Map(rep, x$perturbation, ifelse(given, 1, x$dose)))
  label[given] <- condition_label(x$perturbation[given], x$dose[given])
  for (k in seq_along(x$dose)) {
    unit <- attr(x$dose[[k]], "unit")
    if (is.null(unit)) next
    dose <- paste(format_dose(x$dose[[k]]), unit)
    label[k] <- paste0(x$perturbation[[k]], "@", dose, collapse = "+")
  }
  for (name in setdiff(names(x), c("perturbation", "dose"))) {
    level <- x[[name]]
    label <- paste0(label, ifelse(is.na(level), "", paste0(", ", name, " = ", level)))
  }
  paste0(label, smiles)
}

#' @export
print.compert_condition <- function(x, ..., n = 20) {
  if (!all(c("perturbation", "dose") %in% names(x))) {  # columns were taken out of it
    print(structure(x, class = setdiff(class(x), "compert_condition")), ..., n = n)
    return(invisible(x))
  }
  cli::cat_line("<", count_of(nrow(x), "condition"), ">")
  cli::cat_line(sprintf("  %s", utils::head(format(x), n)))
  if (nrow(x) > n) cli::cat_line("  ... and ", nrow(x) - n, " more")
  invisible(x)
}
