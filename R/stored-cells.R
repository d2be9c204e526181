# Expression that stays in an HDF5 file, standing where a matrix of genes x cells would: the core reads
# the cells that it needs. What R itself has to see is read by blocks of cells.
#   where       list(path, name, sparse, n_genes, n_cells, n_stored) of the matrix in the file, and
#               `missing`, the number that stands for NA in it, where there is one
#   genes       rows of the file (from 1) in the order of the rows here, NA for a row of zeros; NULL: all
#   cells       cells of the file in the order of the columns here; NULL: all
#   log_factor  per cell, values are read as log1p(log_factor * value); NULL: as they are

new_stored_cells <- function(where, dimnames = list(NULL, NULL)) {
  where$path <- normalizePath(where$path)
  structure(list(where = where, genes = NULL, cells = NULL, log_factor = NULL,
                 dim = as.integer(c(where$n_genes, where$n_cells)), dimnames = dimnames),
            class = "stored_cells")
}

is_stored <- function(x) inherits(x, "stored_cells")

# Matrices that take more than this many bytes in memory stay in their file.
in_memory_limit <- function(call = rlang::caller_env()) {
  limit <- getOption("compert.in_memory", 1e9)
  if (is.numeric(limit) && length(limit) == 1 && !is.na(limit) && limit >= 0) return(limit)
  abort_input("Option `compert.in_memory` must be a number of bytes.",
              paste0("It is ", describe(limit), "."), "Write options(compert.in_memory = 1e9).",
              call = call)
}

# As dgCMatrix or double matrix.
memory_bytes <- function(where) where$n_stored * if (where$sparse) 12 else 8

# The whole as a matrix where it is small, else as it is.
small_to_memory <- function(x, call = rlang::caller_env()) {
  if (memory_bytes(x$where) <= in_memory_limit(call)) return(as_columns(x, call))
  cli::cli_inform(c(i = "Cells are read from {.file {basename(x$where$path)}} as they are needed:
                         {bytes_text(memory_bytes(x$where))} are more than option {.code compert.in_memory}."),
                  class = "compert_stored")
  x
}

#' @exportS3Method base::dim stored_cells
dim.stored_cells <- function(x) unclass(x)$dim

#' @exportS3Method base::dimnames stored_cells
dimnames.stored_cells <- function(x) unclass(x)$dimnames

#' @exportS3Method base::`dimnames<-` stored_cells
`dimnames<-.stored_cells` <- function(x, value) {
  x <- unclass(x)
  x["dimnames"] <- list(value %||% list(NULL, NULL))
  structure(x, class = "stored_cells")
}

# Columns by number or truth, rows by number: what the package asks for.
#' @exportS3Method base::`[` stored_cells
`[.stored_cells` <- function(x, i, j, drop = FALSE) {
  all <- unclass(x)
  pick <- function(before, at, n) (before %||% seq_len(n))[at]
  if (!missing(i)) {
    all$genes <- pick(all$genes, i, all$where$n_genes)
    all$dim[1] <- length(all$genes)
    all$dimnames[1] <- list(all$dimnames[[1]][i])
  }
  if (!missing(j)) {
    all$cells <- pick(all$cells, j, all$where$n_cells)
    all$dim[2] <- length(all$cells)
    all$dimnames[2] <- list(all$dimnames[[2]][j])
    if (!is.null(all$log_factor)) all$log_factor <- all$log_factor[j]
  }
  structure(all, class = "stored_cells")
}

# A dgCMatrix of some of the cells.
read_stored <- function(x, cells = seq_len(ncol(x)), call = rlang::caller_env()) {
  slots <- with_core_errors(core_read_cells(x, cells - 1L), call, argument = "x")
  methods::new("dgCMatrix", p = slots$p, i = slots$i, x = slots$x, Dim = c(nrow(x), length(cells)),
               Dimnames = list(rownames(x), colnames(x)[cells]))
}

#' @exportS3Method as_columns stored_cells
as_columns.stored_cells <- function(x, call = rlang::caller_env(), ...) read_stored(x, call = call)

#' @exportS3Method base::as.matrix stored_cells
as.matrix.stored_cells <- function(x, ...) as.matrix(read_stored(x))

# Applies `f` to blocks of cells, each a dgCMatrix of about 20 million values at most.
by_blocks <- function(x, f) {
  per_cell <- x$where$n_stored / max(x$where$n_cells, 1)
  size <- max(256, floor(2e7 / max(per_cell, 1)))
  starts <- seq(1, max(ncol(x), 1), by = size)
  lapply(starts, function(start) {
    cells <- seq(start, length.out = min(size, ncol(x) - start + 1))
    f(read_stored(x, as.integer(cells)))
  })
}

# See inspect_values(): what the blocks say together.
inspect_stored <- function(x) {
  blocks <- by_blocks(x, inspect_values)
  first <- function(has) blocks[[if (any(has)) which(has)[1] else 1]]
  number <- function(name) vapply(blocks, function(b) as.double(b[[name]]), 0)
  range_of <- function(v, f) if (all(is.na(v))) NA_real_ else f(v, na.rm = TRUE)
  odd <- first(!vapply(blocks, function(b) is.na(b$example), NA))
  bad <- first(number("n_bad") > 0)
  negative <- first(number("n_negative") > 0)
  list(min = range_of(number("min"), min), max = range_of(number("max"), max),
       whole = all(vapply(blocks, `[[`, NA, "whole")), example = odd$example,
       example_gene = odd$example_gene, example_cell = odd$example_cell,
       n_bad = sum(number("n_bad")), bad = bad$bad, bad_at = bad$bad_at,
       n_negative = sum(number("n_negative")), negative = negative$negative,
       negative_at = negative$negative_at)
}

# Sum of every cell's values.
cell_totals <- function(x) {
  if (!is_stored(x)) return(Matrix::colSums(x))
  unlist(by_blocks(x, Matrix::colSums))
}
