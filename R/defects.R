# A defect of a screen: the same three parts as an error, kept as one row of a table so that a
# screen can be looked at as a whole before anything stops.

# `severity` is "error" (a fit is impossible), "warning" (a fit is possible, but read this) or
# "note"; `n` counts the cells, genes or conditions concerned.
new_defect <- function(check, must, given, todo, severity = "error", n = NA_integer_) {
  tibble::tibble(severity = severity, check = check, n = as.integer(n), must = must,
                 given = given, todo = todo)
}

# Every screen that is read passes through here some ten times: without tibble::tibble(), which takes
# as long as reading ten thousand cells.
no_defects <- function() {
  tibble::new_tibble(list(severity = character(), check = character(), n = integer(),
                          must = character(), given = character(), todo = character()), nrow = 0L)
}

# Binds defects given one by one or in lists; NULL entries and empty tables vanish.
bind_defects <- function(...) {
  rows <- lapply(list(...), function(x) if (is.data.frame(x) || is.null(x)) list(x) else x)
  rows <- Filter(NROW, unlist(rows, recursive = FALSE))
  if (length(rows) == 0) return(no_defects())
  do.call(rbind, rows)
}

# One error for all defects of severity "error"; nothing when there are none.
abort_defects <- function(defects, call = rlang::caller_env(), max = 6) {
  if (!any(defects$severity == "error")) return(invisible())
  errors <- defects[defects$severity == "error", ]
  if (nrow(errors) == 1) {
    abort_input(errors$must, errors$given, errors$todo, call = call, class = "compert_screen_error")
  }
  shown <- utils::head(errors, max)
  given <- paste(shown$must, shown$given, shown$todo)
  todo <- if (nrow(errors) > max) {
    paste0("These are ", max, " of ", nrow(errors), " defects; check_screen() lists all of them.")
  } else {
    "check_screen() shows them as a table."
  }
  abort_input(paste0("The screen must be free of defects; it has ", nrow(errors), "."), given, todo,
              call = call, class = "compert_screen_error")
}

# One warning for all defects of severity "warning".
warn_defects <- function(defects, call = rlang::caller_env(), max = 6) {
  if (!any(defects$severity == "warning")) return(invisible())
  warnings <- defects[defects$severity == "warning", ]
  shown <- utils::head(warnings, max)
  bullets <- rlang::set_names(paste(shown$must, shown$given, shown$todo), rep("!", nrow(shown)))
  head <- paste0("The screen can be fitted, with ",
                 if (nrow(warnings) == 1) "one reservation." else
                   paste(nrow(warnings), "reservations."))
  more <- if (nrow(warnings) > max) {
    c(i = paste0("And ", nrow(warnings) - max, " more: see check_screen()."))
  }
  text <- c(head, bullets, more)
  cli::cli_warn(escape_braces(text), call = call, class = "compert_screen_warning")
}

# An error, or a warning, of the package as a defect. Warnings have their bullets as lines of the message.
as_defect <- function(cnd, check, severity = "error") {
  body <- cnd$body
  message <- strsplit(cli::ansi_strip(cnd$message), paste0("\n(?=", line_marks, " )"), perl = TRUE)[[1L]]
  if (length(message) > 1L) {
    sign <- substr(message[-1L], 1L, 1L)
    body <- stats::setNames(substring(message[-1L], 3L), ifelse(sign %in% c("i", cli::symbol$info), "i", "x"))
  }
  one_line <- function(text) gsub("[[:space:]]+", " ", paste(cli::ansi_strip(text), collapse = " "))
  new_defect(check, one_line(message[1L]), one_line(body[names(body) == "x"]), one_line(body[names(body) == "i"]),
             severity = severity)
}
