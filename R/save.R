#' Keep a fit in a file
#'
#' `save_fit()` writes one HDF5 file, `load_fit()` reads it back; predictions of the loaded fit are
#' equal to the bit. `saveRDS()` and `readRDS()` keep a fit just as well; the HDF5 file can also be
#' read without R.
#'
#' @section The file:
#' It is the fit's `state`, byte for byte, followed by 40 bytes that guard it (the text `compert:`
#' and the MD5 sum of what comes before; HDF5 readers ignore them). In it:
#'
#' | path | content |
#' |---|---|
#' | attributes of `/` | `format` (`"compert-fit"`) and `version` (1) |
#' | `weights/<name>` | weights that predictions use, float32 or float64 as trained |
#' | `last/<name>` | the last weights, where the best ones are of an earlier epoch |
#' | `optimizer/<group>` | state of Adam, for [resume_fit()] |
#' | `history/<column>` | one value per epoch |
#' | `training` | attributes: counters of the schedule and of early stopping |
#' | `meta` | JSON text: names of genes, perturbations and levels, columns, what was seen |
#' | `settings`, `architecture` | JSON texts: hyperparameters, sizes |
#'
#' Weights have the names that facebookresearch/CPA gives its layers, (out, in) as in PyTorch. In
#' Python:
#' `h5py.File("fit.h5")["weights"]`, `json.loads(h5py.File("fit.h5")["meta"][()])`.
#'
#' A baseline of [baseline_fit()] has no weights: its file is the object as [serialize()] writes it, with
#' the same guard.
#'
#' @param fit A `compert_fit`, or a baseline of [baseline_fit()].
#' @param file Path of the file, conventionally ending in `.h5`.
#' @param ... Must be empty: later arguments are given by name.
#' @param overwrite `TRUE` replaces an existing file. The new file is written beside it first and
#'   renamed when it is whole, so that an interruption leaves the old one.
#' @return `save_fit()`: `file`, invisibly. `load_fit()`: what was saved.
#' @section Errors:
#' `load_fit()` stops with one message when there is no file, when it is cut off or changed, when it
#' is no fit of this package, and when a later version of the package wrote it.
#' @source `API.load` and the checkpoint of `cpa/train.py` in facebookresearch/CPA, which keep a
#'   Python pickle.
#' @seealso [read_reference_fit()] for models that the references saved; [write_h5ad()] for cells and predictions
#' @examples
#' screen <- kang_example()
#' fit <- cpa(screen, "condition", covariates = "cell_type", control = "control",
#'            settings = cpa_settings(epochs = 2, verbose = FALSE))
#' file <- tempfile(fileext = ".h5")
#' save_fit(fit, file)
#' identical(load_fit(file), fit)
#' @export
save_fit <- function(fit, file, ..., overwrite = FALSE) {
  check_no_dots(...)
  validate_fit(fit, baseline = TRUE)
  check_string(file, "file")
  check_new_file(file, overwrite)
  write_whole(if (is_baseline(fit)) serialize(fit, NULL, version = 3L) else fit$state, file)
  invisible(file)
}

# A path in a folder that exists, of a file that does not, unless it may be replaced.
check_new_file <- function(file, overwrite, call = rlang::caller_env()) {
  check_flag(overwrite, "overwrite", call = call)
  if (dir.exists(file) || !dir.exists(dirname(file))) {
    abort_input("`file` must be a path in a folder that exists.",
                paste0("It is ", dQuote(file, FALSE), "."),
                "Create the folder first, or choose another path.", call)
  }
  if (file.exists(file) && !overwrite) {
    abort_input("`file` must not exist yet.", paste0(dQuote(file, FALSE), " does."),
                "Choose another name, or set `overwrite = TRUE`.", call)
  }
}

guard_mark <- function() charToRaw("compert:")

guard_size <- function() 40L

# The image, and the guard behind it.
write_whole <- function(bytes, file, call = rlang::caller_env()) {
  put_file(file, function(part) {
    writeBin(bytes, part)
    con <- file(part, open = "ab")
    tryCatch(writeBin(c(guard_mark(), charToRaw(md5_of(bytes))), con), finally = close(con))
    file.size(part) == length(bytes) + guard_size()
  }, call)
}

put_file <- function(file, write, call = rlang::caller_env()) {
  if (!replace_file(file, write)) abort_unwritable(file, call)
}

# `write` writes beside `file` and says whether all of it is there; then it is renamed: the file is there
# whole or not at all. Whether it is. A link stays a link; links may lead in a circle.
replace_file <- function(file, write, links = 40L) {
  to <- Sys.readlink(file)  # NA where nothing is there
  if (!to %in% c("", NA)) {
    if (links == 0L) return(FALSE)
    return(replace_file(if (startsWith(to, "/")) to else file.path(dirname(file), to), write, links - 1L))
  }
  part <- temporary_in(dirname(file), paste0(".", basename(file), "-"))
  on.exit(unlink(part))
  failed <- function(cnd) FALSE
  isTRUE(tryCatch(write(part) && file.rename(part, file), error = failed, warning = failed))
}

abort_unwritable <- function(file, call) {
  abort_input("`file` must be writable.", paste0("Writing ", dQuote(file, FALSE), " failed."),
              "Look at the folder's permissions and at the free space.", call)
}

# MD5 of raw bytes by way of a file, which works in every R since 4.2.
md5_of <- function(bytes) {
  file <- tempfile("compert-md5-")
  on.exit(unlink(file))
  writeBin(bytes, file)
  unname(tools::md5sum(file))
}

#' @rdname save_fit
#' @export
load_fit <- function(file, ...) {
  check_no_dots(...)
  check_string(file, "file")
  if (!file.exists(file) || dir.exists(file)) {
    abort_input("`file` must be a file written by `save_fit()`.",
                paste0("There is no file ", dQuote(file, FALSE), "."),
                "Check the path; the working directory is `getwd()`.")
  }
  bytes <- tryCatch(readBin(file, "raw", file.size(file)), error = function(cnd) raw())
  bytes <- strip_guard(bytes, file)
  here <- rlang::current_env()
  fit <- tryCatch(with_core_errors(fit_of_bytes(bytes)),
                  error = function(cnd) stop_unreadable(file, cnd, here))
  check_format(fit$meta, file)
  fit
}

# A baseline is an object of R in R's own form, which begins so.
fit_of_bytes <- function(bytes) {
  if (!identical(bytes[1:2], charToRaw("X\n"))) return(new_fit(bytes))
  validate_fit(unserialize(bytes), baseline = TRUE)
}

# The image without its guard. Checkpoints of a running fit have none; a wrong one, or a part of
# one, is an error.
strip_guard <- function(bytes, file, call = rlang::caller_env()) {
  n <- length(bytes) - guard_size()
  marked <- n > 0 && identical(bytes[n + seq_len(8L)], guard_mark())
  if (!marked && !isTRUE(length(bytes) > image_size(bytes))) return(bytes)
  image <- bytes[seq_len(max(n, 0))]
  sum <- bytes[length(image) + 8L + seq_len(32L)]
  if (marked && identical(sum, charToRaw(md5_of(image)))) return(image)
  abort_input("`file` must be as `save_fit()` wrote it.",
              paste0(dQuote(file, FALSE), " was changed afterwards (its check sum differs)."),
              "Copy it again from where it is whole, or fit again.", call)
}

# The size that an HDF5 file says it has, in its superblock (versions 0 to 3); NA for other files.
image_size <- function(bytes) {
  mark <- as.raw(c(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a))
  if (length(bytes) < 48L || !identical(bytes[1:8], mark)) return(NA_real_)
  at <- switch(as.character(as.integer(bytes[9L])), `0` = 40L, `1` = 44L, `2` = 28L, `3` = 28L)
  if (is.null(at)) return(NA_real_)
  sum(as.integer(bytes[at + 1:8]) * 256^(0:7))
}

# The core's reason with the file's name; the one error for everything that could not be read.
stop_unreadable <- function(file, cnd, call) {
  given <- unname(cnd$body[names(cnd$body) == "x"])
  todo <- unname(cnd$body[names(cnd$body) == "i"])
  must <- if (inherits(cnd, "compert_input_error")) unname(cnd$message) else
    "`file` must be a whole fit saved by compert."
  abort_input(
    must, c(paste0("Reading ", dQuote(file, FALSE), " failed."), given),
    if (grepl("[.]rds$", file, ignore.case = TRUE)) "readRDS() reads what saveRDS() has written." else
      if (length(todo) && !grepl("truncated", todo[1L])) todo else
      "Copy it again from where it is whole, or fit again.",
    call
  )
}

# A later format than this package knows is named with the version that wrote it.
check_format <- function(meta, file, call = rlang::caller_env()) {
  known <- 1L
  if (is.numeric(meta$format) && meta$format <= known) return(invisible())
  abort_input(
    paste0("`file` must have a format that this version of compert knows (up to ", known, ")."),
    paste0(dQuote(file, FALSE), " has format ", meta$format %||% "unknown",
           ", written by compert ", meta$package_version %||% "unknown", "."),
    "Update compert.", call
  )
}
