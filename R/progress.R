# What a fit says while it runs: one bar with epoch, losses, r2 and time left.

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

# A function for core_fit() that moves the bar, or NULL. It answers FALSE where Ctrl-C came meanwhile: the
# core then ends with the fit so far. The bar belongs to the frame `envir` and ends with it, after an
# error too.
progress_reporter <- function(verbose, envir = rlang::caller_env()) {
  force(envir)
  if (!show_progress(verbose)) return(NULL)
  bar <- NULL
  r2 <- NA_real_
  show <- function(step) {
    if (is.na(step$r2)) step$r2 <- r2 else r2 <<- step$r2
    text <- progress_text(step)
    if (is.null(bar)) {
      bar <<- cli::cli_progress_bar(
        total = max(step$epochs, 1), clear = TRUE, .envir = envir, extra = list(text = text),
        format = paste("{cli::pb_bar} epoch {cli::pb_current}/{cli::pb_total}",
                       "{cli::pb_extra$text}"))
    }
    cli::cli_progress_update(set = step$epoch, id = bar, extra = list(text = text),
                             .envir = envir)
    TRUE
  }
  function(step) tryCatch(show(step), interrupt = function(cnd) FALSE)
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

duration_text <- function(seconds) {
  seconds <- round(seconds)
  if (seconds < 60) return(paste0(seconds, "s"))
  if (seconds < 3600) return(paste0(seconds %/% 60, "m ", seconds %% 60, "s"))
  paste0(seconds %/% 3600, "h ", (seconds %% 3600) %/% 60, "m")
}
