# Containers whose matrices lie in HDF5 files: which of them the core can read itself.

# The matrix `name` of an .h5ad file when its values are too many for memory and stored cell by cell;
# NULL where it is to be read whole.
stored_h5ad <- function(path, name, call) {
  inside <- if (name == "X") "X" else paste0("layers/", name)
  where <- tryCatch(core_stored_matrix(path.expand(path), inside), error = identity)
  if (inherits(where, "error")) {
    # What is wrong with the file the reading of the whole will say.
    if (file.size(path.expand(path)) > in_memory_limit(call)) {
      cli::cli_inform(c(i = "{.file {basename(path)}} is read whole: {plain_message(where)}"),
                      class = "compert_read_whole")
    }
    return(NULL)
  }
  if (memory_bytes(where) <= in_memory_limit(call)) return(NULL)
  small_to_memory(new_stored_cells(where), call)
}

# The filtered matrix of Cell Ranger, as a plain matrix would be given.
cells_of_tenx <- function(path, keys, col_data, call) {
  for (arg in c("assay", "layer")) {
    refuse_argument(keys[[arg]], arg, "a 10x file has one matrix", "Leave it out.", call)
  }
  labels <- with_core_errors(core_tenx_labels(path.expand(path)), call, argument = "x")
  where <- with_core_errors(core_stored_matrix(path.expand(path), labels$group), call,
                            argument = "x")
  genes <- seq_along(labels$gene_names)
  if (length(labels$gene_types)) genes <- which(labels$gene_types == "Gene Expression")
  if (length(genes) == 0L) {
    abort_input("`x` must have features of the type \"Gene Expression\".",
                if (length(labels$gene_types)) paste0("It has ", name_list(unique(labels$gene_types)), ".") else
                  "It has no features.",
                "Give a file of gene expression; other features are read beside it, as proteins.", call = call)
  }
  all <- new_stored_cells(where, list(tenx_names(labels, genes), labels$cells))
  x <- if (length(labels$gene_types)) all[genes, ] else all
  list(x = small_to_memory(x, call), col_data = match_col_data(col_data, labels$cells, ncol(x), call),
       container = "10x", assay = "matrix", layer = NULL,
       features = list(x = all, types = labels$gene_types),
       log_hint = "A 10x file has raw counts: read it into an object and log-normalise that.",
       count_hint = "Give the file that Cell Ranger wrote.")
}

# Symbols, or ids where two genes have one symbol. Other features keep their names.
tenx_names <- function(labels, genes) {
  named <- labels$gene_names
  again <- named[genes][duplicated(named[genes])]
  if (length(again) == 0) return(named)
  cli::cli_inform(c(i = "Genes are named by their ids, as {length(unique(again))} symbol{?s} {?is/are}
                         there more than once: {.val {utils::head(unique(again), 3)}}."),
                  class = "compert_gene_ids")
  replace(named, genes, labels$gene_ids[genes])
}

# What a DelayedMatrix is read from, when that is one matrix in an HDF5 file of which the delayed
# operations only choose genes and cells; else NULL.
stored_delayed <- function(x) {
  seed <- x@seed
  genes <- cells <- NULL
  repeat {
    if (methods::is(seed, "DelayedSubset")) {
      index <- seed@index
      if (!is.null(index[[1]])) genes <- if (is.null(genes)) index[[1]] else index[[1]][genes]
      if (!is.null(index[[2]])) cells <- if (is.null(cells)) index[[2]] else index[[2]][cells]
    } else if (!methods::is(seed, "DelayedSetDimnames")) {
      break
    }
    seed <- seed@seed
  }
  if (anyDuplicated(genes)) return(NULL)  # the core has one row for every gene of the file
  inside <- if (methods::is(seed, "CSC_H5SparseMatrixSeed")) seed@group else
    if (methods::is(seed, "HDF5ArraySeed") && length(dim(seed)) == 2) seed@name
  if (is.null(inside)) return(NULL)
  inside <- sub("^/+", "", inside)
  where <- tryCatch(core_stored_matrix(seed@filepath, inside), error = identity)
  if (inherits(where, "error")) return(NULL)
  if (!identical(as.double(dim(seed)), c(where$n_genes, where$n_cells))) return(NULL)
  # What NA is in files of R's whole numbers and truth values.
  kind <- typeof(DelayedArray::extract_array(x, list(integer(), integer())))
  where$missing <- switch(kind, integer = -2^31, logical = -128)
  out <- new_stored_cells(where)
  if (!is.null(genes)) out <- out[genes, ]
  if (!is.null(cells)) out <- out[, cells]
  dimnames(out) <- dimnames(x)
  out
}

# A large DelayedMatrix with other operations is computed once, into a file of its own.
computed_delayed <- function(x, call) {
  check_package("HDF5Array", "to compute a large DelayedMatrix", call = call)
  path <- tempfile("compert", fileext = ".h5")
  cli::cli_inform(c(i = "The DelayedMatrix is computed once, into {.file {path}}."),
                  class = "compert_stored")
  chunk <- c(nrow(x), max(1L, min(ncol(x), as.integer(1e6 / nrow(x)))))
  HDF5Array::writeHDF5Array(x, path, "x", H5type = "H5T_IEEE_F32LE", chunkdim = chunk, level = 1L)
  out <- new_stored_cells(core_stored_matrix(path, "x"))
  dimnames(out) <- dimnames(x)
  out
}
