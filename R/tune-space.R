# What tune_fit() draws from: for each setting some values, or a range.

#' What a search chooses from
#'
#' A search space names settings of [cpa_settings()], whatever the model, and says what each may be: a
#' vector (one of its values), or a range made by `uniform()`, `log_uniform()` or `integer_uniform()`. [tune_fit()]
#' takes it, and a plain list of the same form just as well.
#'
#' @param ... Settings by name, each with a vector or a range.
#' @param lower,upper Ends of the range, `lower` below `upper`. Both belong to it. `log_uniform()`
#'   needs them above 0, `integer_uniform()` whole.
#' @return `search_space()`: a list of class `compert_space`, checked. The others: an object of
#'   class `compert_range`.
#' @section Errors:
#' A name that is no setting, and a value that the setting can't have, with the message of
#' [cpa_settings()]; what contradicts other settings is an error of [tune_fit()], which knows all of
#' them. Settings that do not change the model (`verbose`, `checkpoint`, `distributed`), and `loss_ae`,
#' because scores on counts and on log-normalised values can't be compared.
#' @source The search spaces of Ray Tune, which `run_autotune` of theislab/cpa uses.
#' @seealso [default_space()]
#' @references Bergstra and Bengio (2012) Random search for hyper-parameter optimization. Journal of
#'   Machine Learning Research 13, 281-305.
#' @examples
#' search_space(dim = c(16, 32, 64), doser_type = c("sigm", "linear"),
#'              autoencoder_lr = log_uniform(1e-4, 1e-2), reg_adversary = uniform(0, 10),
#'              autoencoder_depth = integer_uniform(1, 4))
#' try(search_space(adversary_reg = uniform(0, 10)))
#' @export
search_space <- function(...) {
  new_space(rlang::list2(...))
}

#' @rdname search_space
#' @export
uniform <- function(lower, upper) {
  new_range(lower, upper, "uniform")
}

#' @rdname search_space
#' @export
log_uniform <- function(lower, upper) {
  range <- new_range(lower, upper, "log_uniform")
  if (lower > 0) return(range)
  abort_input("`lower` must be above 0: it has no logarithm.",
              paste0("It is ", describe(lower), "."),
              "Write log_uniform(1e-4, 1e-2), or uniform() for a range from 0.")
}

#' @rdname search_space
#' @export
integer_uniform <- function(lower, upper) {
  range <- new_range(lower, upper, "integer_uniform")
  check_count(lower, "lower", min = -.Machine$integer.max)
  check_count(upper, "upper", min = -.Machine$integer.max)
  range
}

new_range <- function(lower, upper, kind, call = rlang::caller_env()) {
  if (missing(lower) || missing(upper)) {
    abort_input("A range must have two ends.",
                paste0("`", if (missing(lower)) "lower" else "upper", "` is missing."),
                paste0("Write ", kind, "(1, 10)."), call)
  }
  check_number(lower, "lower", -1e300, 1e300, call = call)
  check_number(upper, "upper", -1e300, 1e300, call = call)
  if (lower >= upper) {
    abort_input("`lower` must be below `upper`.",
                paste0("They are ", number_text(lower), " and ", number_text(upper), "."),
                "Exchange them; for one value write the value.", call)
  }
  structure(list(lower = as.double(lower), upper = as.double(upper), kind = kind),
            class = "compert_range")
}

is_range <- function(x) inherits(x, "compert_range")

new_space <- function(values, call = rlang::caller_env()) {
  if (inherits(values, "compert_space")) values <- unclass(values)  # entries may have been changed since
  check_space_names(values, call)
  for (name in names(values)) check_entry(values[[name]], name, call)
  structure(as.list(values), class = "compert_space")
}

check_space_names <- function(values, call) {
  names <- rlang::names2(values)
  if (!is.list(values) || length(values) == 0 || any(!nzchar(names)) || anyDuplicated(names)) {
    abort_input("`space` must be a list of settings by name, each with what it may be.",
                if (!is.list(values)) paste0("It is ", describe(values), ".") else
                  if (length(values) == 0) "It is empty." else
                    if (any(!nzchar(names))) "An entry has no name." else
                      paste0(dQuote(names[anyDuplicated(names)], FALSE), " is there twice."),
                "Write space = list(dim = c(16, 32), autoencoder_lr = log_uniform(1e-4, 1e-2)).",
                call)
  }
  known <- rlang::fn_fmls_names(cpa_settings)
  unknown <- setdiff(names, known)
  if (length(unknown)) {
    abort_input("Entries of a search space must be settings, by their names in `cpa_settings()`.",
                paste0("There is no setting ", dQuote(unknown[1], FALSE), "."),
                reference_advice(unknown[1], known, NULL) %||%
                  paste0(did_you_mean(unknown[1], known), "Leave it out or correct its name."), call)
  }
  never <- intersect(names, c("verbose", "checkpoint", "distributed", "loss_ae"))
  if (length(never) == 0) return(invisible())
  why <- " does not change the model."
  if (never[1] == "loss_ae") {
    why <- " is the likelihood: scores of counts and of logarithms are on different scales."
  }
  abort_input("`space` must hold settings whose fits can be compared by their scores.",
              paste0(dQuote(never[1], FALSE), why),
              "Leave it out; `settings` and `loss` hold what is the same in all trials.", call)
}

# One entry: plain values without repeats, or a range; each value (of a range, both ends) must be
# one that the setting can have.
check_entry <- function(entry, name, call) {
  plain <- (is.numeric(entry) || is.character(entry) || is.logical(entry)) && !is.object(entry)
  if (!is_range(entry) && (!plain || length(entry) == 0 || anyNA(entry) || anyDuplicated(entry))) {
    abort_input(paste0("`", name, "` in `space` must be values without repeats, or a range."),
                if (plain && anyDuplicated(entry)) {
                  paste0(as.character(entry[anyDuplicated(entry)]), " is there twice.")
                } else if (plain && anyNA(entry)) {
                  "A value is missing (`NA`)."
                } else {
                  paste0("It is ", describe(entry), ".")
                },
                paste0("Write ", name, " = c(first, second), or uniform(), log_uniform(), ",
                       "integer_uniform()."), call)
  }
  ends <- if (is_range(entry)) c(entry$lower, entry$upper) else entry
  for (value in ends) check_value(value, name, call)
  table <- core_settings_table()
  whole <- table$type[match(name, table$name)] %in% "integer"
  if (!is_range(entry) || !whole || entry$kind == "integer_uniform") return(invisible())
  abort_input(paste0("`", name, "` must be a whole number."),
              paste0(format(entry), " would give fractions."),
              paste0("Write ", name, " = integer_uniform(", number_text(entry$lower), ", ",
                     number_text(entry$upper), "), or a vector of values."), call)
}

# Values at the numbers `u` in [0, 1). Four digits are as fine as a search can see, and a value that
# is read off a table is then the value that was tried.
draw_entry <- function(entry, u) {
  if (!is_range(entry)) return(entry[floor(u * length(entry)) + 1])
  span <- entry$upper - entry$lower
  drawn <- switch(entry$kind,
    uniform = round(entry$lower + u * span, 4 - ceiling(log10(span))),
    log_uniform = signif(exp(log(entry$lower) + u * log(entry$upper / entry$lower)), 4),
    integer_uniform = entry$lower + floor(u * (span + 1))
  )
  pmin(pmax(drawn, entry$lower), entry$upper)
}

# How many values an entry has; those of a range of fractions are as good as countless.
entry_size <- function(entry) {
  if (!is_range(entry)) return(length(entry))
  if (entry$kind == "integer_uniform") entry$upper - entry$lower + 1 else Inf
}

#' @export
format.compert_range <- function(x, ...) {
  paste0(x$kind, "(", number_text(x$lower), ", ", number_text(x$upper), ")")
}

#' @export
print.compert_range <- function(x, ...) {
  cli::cat_line(format(x))
  invisible(x)
}

#' @export
format.compert_space <- function(x, ...) {
  vapply(names(x), function(name) {
    entry <- x[[name]]
    what <- if (is_range(entry)) format(entry) else
      if (is.character(entry)) name_list(entry, 12) else
        paste(number_text(entry), collapse = ", ")
    paste0(name, ": ", what)
  }, "", USE.NAMES = FALSE)
}

#' @export
print.compert_space <- function(x, ...) {
  cli::cat_line("<search space of ", count_of(length(x), "setting"), ">")
  cli::cat_line("  ", format(x))
  invisible(x)
}
