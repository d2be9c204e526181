# The file that a running fit is kept in.

# Before the first epoch: no epoch is trained in vain, and no file of the user's is lost.
check_checkpoint <- function(settings, call = rlang::caller_env()) {
  file <- settings$checkpoint %||% ""
  if (!nzchar(file) || !is_first_process(settings)) return(invisible())
  folder <- dirname(file)
  bad <- if (dir.exists(file)) {
    "is a folder"
  } else if (!dir.exists(folder)) {
    "is in a folder that does not exist"
  } else if (file.access(folder, 2L) != 0L) {
    "is in a folder that may not be written to"
  } else if (file.exists(file) && !is_fit_file(file)) {
    "holds something else, or a fit that can't be read"
  }
  if (is.null(bad)) return(invisible())
  abort_input(paste("`checkpoint` must be a new file in a folder that can be written to,",
                    "or hold a fit, to be replaced."),
              paste0(dQuote(file, FALSE), " ", bad, "."),
              "Give another path, or checkpoint = NULL.", call)
}

is_fit_file <- function(file) {
  tryCatch({
    load_fit(file)
    TRUE
  }, error = function(cnd) FALSE)
}

# The disk became full, or the folder went away: the fit is there all the same.
tell_unwritten <- function(result, settings, call = rlang::caller_env()) {
  if (result$unwritten == 0) return(invisible())
  bullets <- c(paste0("No checkpoint could be written from epoch ", result$unwritten, " on."),
               "!" = paste0("Writing ", dQuote(settings$checkpoint, FALSE), " failed."),
               i = "The fit is whole: keep it with save_fit().")
  cli::cli_warn(escape_braces(bullets), call = call,
                class = "compert_no_checkpoint")
}
