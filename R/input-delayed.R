# DelayedMatrix (HDF5Array, TENxMatrix ...): left in its file where it is large, else read by blocks of
# cells and kept sparse.

#' @exportS3Method read_cells DelayedMatrix
read_cells.DelayedMatrix <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  read_cells.matrix(x, keys, col_data, call)
}

#' @exportS3Method as_columns DelayedMatrix
as_columns.DelayedMatrix <- function(x, call = rlang::caller_env(), ...) {
  check_package("DelayedArray", "to read a DelayedMatrix", call = call)
  if (delayed_bytes(x) > in_memory_limit(call)) {
    return(small_to_memory(stored_delayed(x) %||% computed_delayed(x, call), call))
  }
  delayed_columns(x, ...)
}

# Read as a whole. `values`: how many values of a block are dense at one time (80 MB).
delayed_columns <- function(x, values = 1e7) {
  n <- ncol(x)
  width <- max(1L, as.integer(values / max(nrow(x), 1)))
  blocks <- lapply(seq.int(1L, max(n, 1L), by = width), function(start) {
    read_block_sparse(x, seq_len(n)[seq.int(start, length.out = min(width, n - start + 1))])
  })
  out <- bind_columns(blocks)
  dimnames(out) <- dimnames(x) %||% list(NULL, NULL)
  out
}

# What its values would take in memory; a sparse one is as full as its first cells are.
delayed_bytes <- function(x) {
  some <- seq_len(min(ncol(x), 256L))
  if (length(some) == 0 || nrow(x) == 0) return(0)
  filled <- length(read_block_sparse(x, some)@x) / length(some)
  ncol(x) * filled * 12
}

read_block_sparse <- function(x, cells) {
  block <- DelayedArray::extract_array(x, list(NULL, cells))
  as_sparse(as_columns.matrix(block))
}

# A dgCMatrix of a dense matrix.
as_sparse <- function(x) {
  if (methods::is(x, "dgCMatrix")) return(x)
  if (!is.matrix(x)) return(as_columns(x))
  hit <- which(x != 0 | is.na(x))
  row <- (hit - 1L) %% nrow(x)
  col <- (hit - 1L) %/% nrow(x)
  methods::new("dgCMatrix", i = as.integer(row), x = as.double(x[hit]), Dim = dim(x),
               p = as.integer(c(0, cumsum(tabulate(col + 1L, ncol(x))))),
               Dimnames = dimnames(x) %||% list(NULL, NULL))
}
