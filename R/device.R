#' What a fit can run on
#'
#' `cpa_settings(device = "auto")` takes the first CUDA device when there is one, else the
#' processor; `"cpu"` never touches CUDA.
#'
#' @return A data frame of class `compert_devices` with one row per device: `device` (a value for
#'   `cpa_settings(device = )`), `available`, and `reason`, why it cannot be used (`""` when it
#'   can). Attributes `libtorch` (version) and `threads` (of one parallel region).
#' @source `torch.cuda.is_available()` in the references answers without a reason.
#' @seealso [compert_sitrep()]
#' @examples
#' device_info()
#' @export
device_info <- function() {
  info <- with_core_errors(core_device_info())
  cuda <- as.character(info$cuda_devices)
  none <- length(cuda) == 0L
  structure(
    data.frame(device = c("cpu", if (none) "cuda" else cuda),
               available = c(TRUE, rep(!none, max(1L, length(cuda)))),
               reason = c("", if (none) info$cuda_reason else rep("", length(cuda))),
               stringsAsFactors = FALSE),
    class = c("compert_devices", "data.frame"),
    libtorch = info$libtorch, threads = as.integer(info$threads)
  )
}

# A forked process can't compute, and would wait for ever in the first loop over cells.
check_process <- function(call = rlang::caller_env()) with_core_errors(core_check_process(), call)

#' @export
print.compert_devices <- function(x, ...) {
  for (k in seq_len(nrow(x))) {
    state <- if (x$available[k]) "available" else paste0("not available: ", x$reason[k])
    cat(format(x$device[k], width = 8L), state, "\n", sep = "")
  }
  cat("LibTorch ", attr(x, "libtorch"), ", ", attr(x, "threads"), " thread",
      if (!identical(attr(x, "threads"), 1L)) "s", "\n", sep = "")
  invisible(x)
}
