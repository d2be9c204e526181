# Matrices: plain, sparse of any Matrix class, and what all containers hold in the end.

#' @importClassesFrom Matrix dgCMatrix
NULL

#' @exportS3Method read_cells matrix
read_cells.matrix <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  for (arg in c("assay", "layer")) {
    refuse_argument(keys[[arg]], arg, "a matrix is all there is", "Leave it out.", call)
  }
  values <- as_columns(x, call)
  sparse <- methods::is(values, "dgCMatrix")
  list(x = values, col_data = match_col_data(col_data, colnames(x), ncol(x), call),
       container = if (inherits(x, "DelayedMatrix")) "DelayedMatrix" else "matrix",
       assay = "x", layer = NULL,
       log_hint = if (sparse) {
         "Log-normalise: x <- log1p(x %*% Matrix::Diagonal(x = 1e4 / Matrix::colSums(x)))."
       } else {
         "Log-normalise: x <- log1p(t(t(x) / colSums(x)) * 1e4)."
       },
       count_hint = "Give the matrix of raw counts as `x`.")
}

#' @exportS3Method read_cells Matrix
read_cells.Matrix <- function(x, keys, col_data = NULL, call = rlang::caller_env()) {
  read_cells.matrix(x, keys, col_data, call)
}

# A dgCMatrix or a double matrix of genes x cells from whatever an assay is, by blocks where the
# whole must not be made dense.
as_columns <- function(x, call = rlang::caller_env(), ...) {
  UseMethod("as_columns")
}

#' @exportS3Method as_columns matrix
as_columns.matrix <- function(x, call = rlang::caller_env(), ...) {
  if (!is.numeric(x) && !is.logical(x)) {
    abort_input("Expression values must be numbers.",
                paste0("The matrix holds ", typeof(x), " values."),
                "Keep names in row and column names, not in the matrix.", call = call)
  }
  if (is.double(x) && !is.object(x)) return(x)
  matrix(as.double(x), nrow(x), ncol(x), dimnames = dimnames(x))
}

#' @exportS3Method as_columns dgCMatrix
as_columns.dgCMatrix <- function(x, call = rlang::caller_env(), ...) x

#' @exportS3Method as_columns Matrix
as_columns.Matrix <- function(x, call = rlang::caller_env(), ...) {
  if (methods::is(x, "denseMatrix")) return(as_columns(as.matrix(x), call))
  # The steps work in Matrix 1.5 and 1.7 alike, where as(x, "dgCMatrix") does not.
  methods::as(methods::as(methods::as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
}

#' @exportS3Method as_columns default
as_columns.default <- function(x, call = rlang::caller_env(), ...) {
  sparse <- if (isS4(x)) tryCatch(methods::as(x, "dgCMatrix"), error = function(e) NULL)
  if (!is.null(sparse)) return(sparse)
  abort_input("Expression values must be a matrix, sparse matrix or delayed matrix.",
              paste0("They are ", describe(x), "."), "Convert them: as.matrix(x).", call = call)
}

# Columns of several dgCMatrix side by side, in one allocation.
bind_columns <- function(blocks) {
  if (length(blocks) == 1) return(blocks[[1]])
  sizes <- vapply(blocks, function(b) length(b@x), 0)
  if (sum(sizes) > .Machine$integer.max) {
    abort_input("A sparse matrix in R must have fewer than 2^31 entries.",
                paste0("This one has ", count(sum(sizes)), "."),
                "Keep the variable genes only, or fewer cells.")
  }
  shift <- c(0, cumsum(sizes))
  starts <- Map(function(b, s) b@p[-1] + s, blocks, shift[seq_along(blocks)])
  methods::new("dgCMatrix",
               i = unlist(lapply(blocks, function(b) b@i), use.names = FALSE),
               p = as.integer(c(0, unlist(starts, use.names = FALSE))),
               x = unlist(lapply(blocks, function(b) b@x), use.names = FALSE),
               Dim = c(nrow(blocks[[1]]), as.integer(sum(vapply(blocks, ncol, 0L)))),
               Dimnames = list(rownames(blocks[[1]]),
                               unlist(lapply(blocks, colnames), use.names = FALSE)))
}

# Some columns (numbers). `[` looks at the whole matrix to find them.
pick_columns <- function(x, columns) {
  if (!methods::is(x, "dgCMatrix")) return(x[, columns, drop = FALSE])
  size <- diff(x@p)[columns]
  stored <- sequence(size, x@p[columns] + 1L)
  replace_slots(x, x@i[stored], c(0L, cumsum(size)), x@x[stored],
                c(nrow(x), length(columns)), list(rownames(x), colnames(x)[columns]))
}

# Another dgCMatrix; new() would look through all of it.
replace_slots <- function(matrix, i, p, x, dim, dimnames) {
  matrix@i <- i
  matrix@p <- p
  matrix@x <- x
  matrix@Dim <- dim
  matrix@Dimnames <- dimnames
  matrix@factors <- list()
  matrix
}

# Some rows (numbers) as a dense matrix, and the others.
split_rows <- function(x, rows) {
  if (!methods::is(x, "dgCMatrix")) {
    return(list(dense = as.matrix(x[rows, , drop = FALSE]), others = x[-rows, , drop = FALSE]))
  }
  parts <- core_split_rows(x, rows - 1L)
  dimnames(parts$dense) <- list(rownames(x)[rows], colnames(x))
  list(dense = parts$dense,
       others = replace_slots(x, parts$i, parts$p, parts$x, dim(x) - c(length(rows), 0L),
                              list(rownames(x)[-rows], colnames(x))))
}

# One look at all values. `whole`: only whole numbers; `example`: the first value that is none.
inspect_values <- function(x) {
  if (is_stored(x)) return(inspect_stored(x))
  sparse <- methods::is(x, "dgCMatrix")
  v <- if (sparse) x@x else x
  at <- function(k) {
    if (length(k) == 0 || is.na(k)) return(list(gene = NA_character_, cell = NA_character_))
    row <- if (sparse) x@i[k] + 1L else (k - 1) %% nrow(x) + 1
    col <- if (sparse) findInterval(k - 1, x@p, left.open = FALSE) else (k - 1) %/% nrow(x) + 1
    list(gene = rownames(x)[row] %||% as.character(row),
         cell = colnames(x)[col] %||% as.character(col))
  }
  seen <- core_look_over(v)
  edge <- if (sparse && !is.na(seen$min)) 0
  lowest <- min(seen$min, edge)
  # An infinite value alone makes no negative one.
  is_negative <- !is.na(lowest) && lowest < 0
  negative <- if (is_negative) seen$negative else NA_real_
  odd <- if (is_negative) negative else seen$fraction
  list(min = lowest, max = max(seen$max, edge), whole = is.na(seen$fraction),
       example = if (is.na(odd)) NA_real_ else v[odd],
       example_gene = at(odd)$gene, example_cell = at(odd)$cell,
       n_bad = seen$n_bad, bad = if (seen$n_bad > 0) v[seen$bad], bad_at = at(seen$bad),
       n_negative = if (is_negative) seen$n_negative else 0L,
       negative = if (is_negative) v[negative], negative_at = at(negative))
}
