# Every argument check and the one form that an error has: what must hold, what was given, what to
# do about it. Checks take the user's frame as `call`, so that the error names the verb he called.

# Stops with the three-part message. `given` and `todo` may have several entries (one bullet each);
# text is taken literally (braces in names of cells or drugs are no markup).
abort_input <- function(must, given = NULL, todo = NULL, call = rlang::caller_env(),
                        class = NULL) {
  marks <- rep(c("", "x", "i"), c(length(must), length(given), length(todo)))
  bullets <- rlang::set_names(escape_braces(as_called(c(must, given, todo), call)), marks)
  cli::cli_abort(bullets, call = call, class = c(class, "compert_input_error"))
}

# What verbs share calls the cells `newdata` or `x`; told is the argument that the verb `call` has.
as_called <- function(text, call) {
  call <- tryCatch(call, error = function(cnd) NULL)  # of a helper that no verb called
  has <- function(name) is.environment(call) && exists(name, envir = call, inherits = FALSE)
  own <- Find(has, c("newdata", "data", "x"))
  # `x` of augment() is the fit; the name of an unknown argument stays as it was given.
  other <- setdiff(c("newdata", "x"), if (!identical(own, "data")) Filter(has, c("newdata", "x")))
  if (is.null(own) || length(other) == 0L) return(text)
  gsub(paste0("(?<!argument )`(", paste(other, collapse = "|"), ")`"), paste0("`", own, "`"), text, perl = TRUE)
}

# For texts that cli lays out, and that are to be taken literally.
escape_braces <- function(text) {
  out <- gsub("}", "}}", gsub("{", "{{", text, fixed = TRUE), fixed = TRUE)
  rlang::set_names(out, names(text))
}

# Runs a call into the core and lays its error out in the same form, at the user's call. The core
# writes what must hold on the first line, then lines that begin with "x " and "i ". `todo` stands
# in where the core has no advice; `argument` is what the user knows the core's argument as.
with_core_errors <- function(expr, call = rlang::caller_env(), todo = NULL, argument = NULL) {
  tryCatch(expr, `compert::Error` = function(cnd) {
    lines <- strsplit(conditionMessage(cnd), "\n", fixed = TRUE)[[1]]
    lines <- sub("([^.!?:])$", "\\1.", lines)
    bullet <- function(mark) sub("^. ", "", grep(paste0("^", mark, " "), lines, value = TRUE))
    must <- lines[1]
    if (!is.null(argument)) must <- sub("^`[^`]*`", paste0("`", argument, "`"), must)
    advice <- bullet("i")
    abort_input(must, bullet("x"), if (length(advice) > 0) advice else todo, call = call,
                class = "compert_core_error")
  })
}

# How cli marks the lines of a message, in plain text and in others.
line_marks <- "([x!i*]|\u2716|\u2139|\u2022)"

# The text of a condition on one line, without the marks of its lines and colours that depend on the terminal.
plain_message <- function(cnd) {
  text <- if (is.character(cnd$body)) c(cnd$message, cnd$body) else {
    sub(paste0("^", line_marks, " "), "", strsplit(cli::ansi_strip(conditionMessage(cnd)), "\n")[[1L]])
  }
  trimws(gsub("\\s+", " ", cli::ansi_strip(paste(unname(text), collapse = " "))))
}

check_string <- function(x, arg, null_ok = FALSE, call = rlang::caller_env()) {
  if (null_ok && is.null(x)) return(invisible())
  if (is.character(x) && length(x) == 1 && !is.na(x) && nzchar(x)) return(invisible())
  abort_input(paste0("`", arg, "` must be one text", if (null_ok) " or `NULL`", "."),
              paste0("It is ", describe(x), "."), call = call,
              paste0("Write ", arg, " = \"...\"."))
}

check_strings <- function(x, arg, null_ok = TRUE, call = rlang::caller_env(), min = 0L) {
  if (null_ok && is.null(x)) return(invisible())
  if (is.character(x) && length(x) >= min && !anyNA(x) && all(nzchar(x)) && !anyDuplicated(x)) return(invisible())
  given <- if (is.character(x) && anyDuplicated(x)) {
    paste0(dQuote(x[duplicated(x)][1], FALSE), " is there twice.")
  } else if (is.character(x) && length(x) > 1L && length(blank <- which(is.na(x) | !nzchar(x)))) {
    paste0("Text ", blank[1L], " of ", length(x), " is ", if (is.na(x[blank[1L]])) "missing (`NA`)." else "empty.")
  } else {
    paste0("It is ", describe(x), ".")
  }
  abort_input(paste0("`", arg, "` must be a character vector without repeats",
                     if (null_ok) ", or `NULL`", "."), given,
              paste0("Write ", arg, " = c(\"first\", \"second\")."), call = call)
}

check_flag <- function(x, arg, null_ok = FALSE, call = rlang::caller_env()) {
  if (null_ok && is.null(x)) return(invisible())
  if (is.logical(x) && length(x) == 1 && !is.na(x)) return(invisible())
  abort_input(paste0("`", arg, "` must be `TRUE` or `FALSE`", if (null_ok) " or `NULL`", "."),
              paste0("It is ", describe(x), "."),
              paste0("Write ", arg, " = TRUE or ", arg, " = FALSE."), call = call)
}

check_number <- function(x, arg, min = -Inf, max = Inf, null_ok = FALSE,
                         call = rlang::caller_env()) {
  if (null_ok && is.null(x)) return(invisible())
  if (is.numeric(x) && length(x) == 1 && !is.na(x) && x >= min && x <= max) return(invisible())
  abort_input(paste0("`", arg, "` must be one number", range_text(min, max), "."),
              paste0("It is ", describe(x), "."),
              paste0("Give `", arg, "` a number", range_text(min, max), "."), call = call)
}

check_count <- function(x, arg, min = 1, max = .Machine$integer.max, null_ok = FALSE,
                        call = rlang::caller_env()) {
  if (null_ok && is.null(x)) return(invisible())
  whole <- is.numeric(x) && length(x) == 1 && !is.na(x) && is.finite(x) && x == round(x)
  if (whole && x >= min && x <= max) return(invisible())
  # That a number must be an integer of R's is told to whom it concerns.
  range <- if (whole && x > max) paste(" from", format(min), "to", format(max)) else
    range_text(min, max)
  abort_input(paste0("`", arg, "` must be one whole number", range, "."),
              paste0("It is ", describe(x), "."),
              paste0("Give `", arg, "` a whole number", range, "."), call = call)
}

range_text <- function(min, max) {
  if (is.finite(min) && is.finite(max) && max < .Machine$integer.max) {
    return(paste0(" from ", format(min), " to ", format(max)))
  }
  if (is.finite(min)) return(paste0(" of at least ", format(min)))
  if (is.finite(max)) return(paste0(" of at most ", format(max)))
  ""
}

# One of `choices`; returns it. A default argument that lists all choices means the first.
check_choice <- function(x, choices, arg, call = rlang::caller_env()) {
  if (identical(x, choices)) return(choices[1])
  if (is.character(x) && length(x) == 1 && !is.na(x) && x %in% choices) return(x)
  near <- if (is.character(x) && length(x) == 1) nearest_name(x, choices)
  abort_input(paste0("`", arg, "` must be one of ", name_list(choices, 20), "."),
              paste0("It is ", describe(x), "."),
              paste0("Write ", arg, " = ", dQuote(near %||% choices[1], FALSE), "."), call = call)
}

# Some of `choices`, at least one.
check_among <- function(x, choices, arg, call = rlang::caller_env()) {
  if (is.character(x) && length(x) > 0L && all(x %in% choices)) return(invisible())
  unknown <- if (is.character(x)) setdiff(x, choices)
  abort_input(
    paste0("`", arg, "` must be some of ", name_list(choices, 20L), "."),
    if (length(unknown)) paste0("Not among them: ", name_list(unknown), ".") else
      paste0("It is ", describe(x), "."),
    paste0("Write ", arg, " = ", dQuote((if (length(unknown)) nearest_name(unknown[1L], choices)) %||% choices[1L],
                                        FALSE), "."), call
  )
}

# `...` is there so that all later arguments are written by name; it must be empty.
# Names with a dot are none that a user's argument has by mistake.
check_no_dots <- function(..., .call = rlang::caller_env(),
                          .valid = rlang::fn_fmls_names(rlang::caller_fn()),
                          .settings = rlang::fn_fmls(rlang::caller_fn())$settings) {
  extra <- rlang::exprs(...)
  if (length(extra) == 0) return(invisible())
  valid <- setdiff(.valid, "...")
  name <- rlang::names2(extra)[1]
  if (!nzchar(name)) {
    abort_input("Every argument after the first ones must be given by name.",
                paste0("One without a name was given: `", rlang::as_label(extra[[1]]), "`."),
                paste0("Write name = value; the names are ", name_list(valid, 40), "."),
                call = .call)
  }
  extra <- utils::head(extra[nzchar(rlang::names2(extra))], 12L)
  advice <- vapply(names(extra), function(name) unknown_argument(name, extra[[name]], valid, .settings), "")
  abort_input(paste0("Arguments must be ", valid_words(valid, .call), "."),
              paste0("There is no argument `", names(extra), "`."), unique(unname(advice)), call = .call)
}

unknown_argument <- function(name, value, valid, settings) {
  setting_advice(name, value, settings) %||% (if (is.null(settings)) argument_of_verbs(name)) %||%
    reference_advice(name, valid, settings) %||%
    paste0(did_you_mean(name, valid), "Leave it out or correct its name.")
}

# The names, or where they stand if they are many.
valid_words <- function(valid, call) {
  verb <- if (is.environment(call)) rlang::call_name(rlang::frame_call(call))
  if (length(valid) <= 20L || is.null(verb)) return(paste("among", name_list(valid, 40)))
  paste0("those of `", verb, "()`, see `?", verb, "`")
}

# The cells, which every verb on a screen begins with.
need_cells <- function(gone, call = rlang::caller_env()) {
  if (!gone) return(invisible())
  abort_input("`x` must be given: the cells of the screen.", "It is missing.",
              paste("Give a SingleCellExperiment, a Seurat object, a matrix with `col_data`, or the",
                    "path of an .h5ad file."), call = call)
}

# A package that only some inputs need.
check_package <- function(package, why, call = rlang::caller_env()) {
  if (requireNamespace(package, quietly = TRUE)) return(invisible())
  bioc <- c("SingleCellExperiment", "SummarizedExperiment", "S4Vectors", "DelayedArray",
            "HDF5Array", "BiocParallel")
  line <- if (package %in% bioc) {
    paste0("BiocManager::install(\"", package, "\")")
  } else {
    paste0("install.packages(\"", package, "\")")
  }
  abort_input(paste0("Package `", package, "` must be installed ", why, "."),
              "It is not.", paste0("Run `", line, "`."), call = call)
}

# The seed of a run: the user's, or one drawn from R's own stream so that set.seed() governs.
# An integer that was given leaves R's stream untouched.
check_seed <- function(seed, call = rlang::caller_env()) {
  check_count(seed, "seed", min = 0, null_ok = TRUE, call = call)
}

# Moves R's generator where `seed` is NULL: only where the number is used.
resolve_seed <- function(seed, call = rlang::caller_env()) {
  check_seed(seed, call)
  if (is.null(seed)) sample.int(.Machine$integer.max, 1) else as.integer(seed)
}
