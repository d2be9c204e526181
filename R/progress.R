# What a fit says while it runs: one bar with epoch, losses, r2 and time left, or lines with them.

# TRUE: bar; an explicit FALSE is silent in everything. Never a bar while knitting.
show_progress <- function(verbose) {
  verbose <- verbose %||% getOption("compert.verbose")
  if (isTRUE(getOption("knitr.in.progress"))) return(FALSE)
  if (is.null(verbose)) rlang::is_interactive() else isTRUE(verbose)
}

# Whether the one line before and after the fit is said.
show_messages <- function(verbose) {
  !identical(verbose %||% getOption("compert.verbose"), FALSE) &&
    !isTRUE(getOption("knitr.in.progress"))
}

# Of a group of processes only the first, of rank 0, says what all would say, and writes checkpoints.
is_first_process <- function(settings) {
  !isTRUE(settings$distributed) ||
    identical(Sys.getenv("RANK", Sys.getenv("SLURM_PROCID", "0")), "0")
}

first_speaks <- function(settings) {
  if (!is_first_process(settings)) settings["verbose"] <- list(FALSE)
  settings
}

# A function for core_fit() that moves the bar, or where none can move writes lines as into a log, or NULL. It
# answers FALSE where Ctrl-C came meanwhile: the core then ends with the fit so far. The bar belongs to the frame
# `envir` and ends with it, after an error too.
progress_reporter <- function(verbose, envir = rlang::caller_env()) {
  force(envir)
  asked <- show_progress(verbose)
  show <- if (asked && cli::is_dynamic_tty()) bar_reporter(envir) else
    if (show_messages(verbose)) line_reporter(if (asked) 5 else 60)
  if (is.null(show)) return(NULL)
  r2 <- NA_real_
  function(step) tryCatch({
    if (is.na(step$r2)) step$r2 <- r2 else r2 <<- step$r2
    show(step)
    TRUE
  }, interrupt = function(cnd) FALSE)
}

bar_reporter <- function(envir) {
  bar <- NULL
  function(step) {
    text <- progress_text(step)
    if (is.null(bar)) {
      bar <<- cli::cli_progress_bar(
        total = max(step$epochs, 1), clear = TRUE, .envir = envir, extra = list(text = text),
        format = paste("{cli::pb_bar} epoch {cli::pb_current}/{cli::pb_total}",
                       "{cli::pb_extra$text}"))
    }
    cli::cli_progress_update(set = step$epoch, id = bar, extra = list(text = text),
                             .envir = envir)
  }
}

# After the first epoch how long the others may take, then a line whenever a twentieth of that has passed: a log
# of a long fit is short too. Nothing within `least` seconds.
line_reporter <- function(least, clock = function() proc.time()[["elapsed"]]) {
  every <- NULL
  due <- NULL
  function(step) {
    if (is.null(every)) {
      inform_time(step)
      every <<- max(least, step$seconds_left / 20, na.rm = TRUE)
    } else if (clock() >= due) {
      cli::cli_inform(paste0("Epoch ", step$epoch, " of ", step$epochs, ": ", progress_text(step), "."))
    } else {
      return(invisible())
    }
    due <<- clock() + every
  }
}

# Of a minute or more.
inform_time <- function(step) {
  if (!isTRUE(step$seconds_left >= 60)) return(invisible())
  others <- step$epochs - step$epoch
  cli::cli_inform(c(i = paste0(
    "The first epoch took ", duration_text(step$seconds_left / others), ": about ", duration_text(step$seconds_left),
    " for ", count_of(others, "more epoch"), ", or less where `patience` or `max_minutes` ends them."
  )))
}

# "loss 0.123, adversaries 0.69 1.95, r2 0.91, 3m left"
progress_text <- function(step) {
  number <- function(x) formatC(x, digits = 3, format = "fg", flag = "#")
  text <- paste("loss", number(step$loss_reconstruction))
  adversary <- c(step$loss_adv_perturbations, step$loss_adv_covariates)
  adversary <- adversary[!is.na(adversary)]
  if (length(adversary) > 0) {
    text <- paste0(text, ", adversaries ", paste(number(adversary), collapse = " "))
  }
  if (!is.null(step$r2) && !is.na(step$r2)) text <- paste0(text, ", r2 ", number(step$r2))
  left <- step$seconds_left
  if (!is.null(left) && !is.na(left)) text <- paste0(text, ", ", duration_text(left), " left")
  text
}

# The one line that says what is being fitted.
inform_task <- function(task) {
  screen <- task$screen
  n <- table(factor(screen$split, c("train", "test", "ood")))
  levels <- lengths(task$registry$covariates)
  text <- paste0(
    source_text(screen), ", loss = ", dQuote(screen$loss, FALSE), ": ",
    count_of(ncol(screen$x), "cell"), " x ", count_of(nrow(screen$x), "gene"), protein_text(screen),
    ", ", count_of(length(task$registry$perturbations) - 1, "perturbation"), " and ",
    control_words(screen$keys),
    if (length(levels) > 0) paste0(", ", paste0(names(levels), " (", levels, ")", collapse = ", ")),
    paste0(", ", names(task$registry$continuous), " (continuous)", recycle0 = TRUE, collapse = ""),
    "; ", count(n[["train"]]), " train, ", count(n[["test"]]), " test, ", count(n[["ood"]]), " ood",
    if (task$automatic) " (a random quarter of each condition tests: split = NULL)",
    "; seed ", task$settings$seed, "."
  )
  bullets <- c(i = text)
  if (task$chose_loss && is_count_loss(screen$loss)) {
    named <- intersect(c("assay", "layer"), names(Filter(Negate(is.null), screen$keys)))
    found <- if (length(named)) paste0("`", named[length(named)], "` names raw counts") else
      "Only raw counts were found"
    bullets <- c(bullets, i = paste0(found, ": the negative binomial likelihood is used. ",
                                     if (length(named)) "Name log-normalised values" else "Log-normalise",
                                     " for loss = \"gauss\"."))
  }
  if (task$automatic) bullets <- c(bullets, unused_split_words(screen$col_data))
  if (is.null(task$plan)) {
    bullets <- c(bullets, "!" = paste("No perturbed condition has 5 test cells: training is not",
                                      "validated and runs all its epochs."))
  }
  cli::cli_inform(escape_braces(bullets))
}

# A line, named as cli marks it, about a column that would hold cells out; NULL without one.
unused_split_words <- function(table) {
  spare <- unused_split(table)
  if (is.null(spare)) return(NULL)
  c("!" = paste0("Column ", dQuote(spare$name, FALSE), " holds out ", count_of(spare$n, "cell"),
                 ", which are not held out here: split = ", dQuote(spare$name, FALSE), " does."))
}

# The same of verbs that say nothing else.
tell_unused_split <- function(table) {
  spare <- unused_split_words(table)
  if (!is.null(spare)) cli::cli_inform(escape_braces(spare))
}
