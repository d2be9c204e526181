# Reading .h5ad files. The core reads; here its parts become what R users work with.

#' Read an .h5ad file
#'
#' Reads the annotated matrices that Python's anndata writes (versions 0.6 to 0.12; compressed with gzip or
#' LZF, or not), without Python.
#' Rows of the file (cells) become columns, as everywhere in R: a file of 500 cells x 2,000 genes
#' gives 2,000 x 500.
#'
#' @details
#' Sparse matrices (by rows or by columns) become `dgCMatrix`, dense ones stay dense. Categorical
#' columns become factors (ordered ones stay ordered; categories that are numbers become text),
#' whole numbers integer, or double beyond 2^31; nullable columns have `NA` where the mask says so.
#' Numbers of tables and categories in single or half precision become the shortest decimal that is
#' stored so: a dose of 0.1 is 0.1, not 0.100000001490116.
#' The columns of an array of `obsm` have no names of their own: those of `"ADT"` are looked for in `uns` as
#' `"ADT_names"`, where [write_h5ad()] puts them, of `"protein_expression"` or `"protein_counts"` also as
#' `"protein_names"`, where totalVI has them.
#' `obsp`, `varp`, `varm` and what R cannot hold are left out, and a warning names each of them.
#' Names of cells or genes that occur more than once are made unique, with a warning.
#'
#' @param path Path of the file.
#' @param ... Must be empty: later arguments are given by name.
#' @param assays Names of the matrices to read: `"X"` and names of layers. `NULL` reads all.
#' @param obsm Read the per-cell arrays of `obsm` (`TRUE` or `FALSE`)?
#' @param raw Read `raw`, the matrix of all genes that scanpy keeps beside `X`?
#' @param as What to return, see below.
#'
#' @return
#' With `as = "SingleCellExperiment"`, such an object: assay `X` and one assay per layer, `obs` in
#' `colData()`, `var` in `rowData()`, `obsm` in `reducedDims()`, `uns` in `metadata()`, `raw` as the
#' alternative experiment `"raw"`. What [write_h5ad()] wrote from an assay `logcounts` (or from `counts`,
#' where there was nothing else) is the assay `X`: verbs read `X` for a fit that was made on `logcounts`,
#' and the other way round, where the assay of training is not there; `counts` and `X` for a fit on
#' counts. With `as = "list"`, a list: `X` (genes x cells), `layers` (named
#' list), `obs` and `var` (data frames), `obsm` (named list, cells in rows), `uns` (nested list) and
#' `raw` (`NULL`, or a list of `X` and `var`).
#'
#' @section Errors:
#' A path that names no file, a file that is truncated or damaged or has no `obs` and `var`, and a
#' layer that is not there, each stop with a message that says so.
#'
#' @references The format: <https://anndata.readthedocs.io/en/latest/fileformat-prose.html>
#' @seealso [write_h5ad()]; [read_h5mu()] for files of several modalities. [cpa()] takes the path of a file as well.
#' @examples
#' path <- tempfile(fileext = ".h5ad")
#' counts <- matrix(rpois(20, 1), 5, dimnames = list(paste0("gene", 1:5), paste0("cell", 1:4)))
#' write_h5ad(counts, path, col_data = data.frame(condition = c("control", "drug", "drug", "drug")))
#' cells <- read_h5ad(path, as = "list")
#' cells$X
#' cells$obs
#' @export
#' @importClassesFrom Matrix dgCMatrix
read_h5ad <- function(path, ..., assays = NULL, obsm = TRUE, raw = FALSE,
                      as = c("SingleCellExperiment", "list")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  as <- check_choice(as, c("SingleCellExperiment", "list"), "as", call = call)
  check_strings(assays, "assays", call = call)
  check_flag(obsm, "obsm", call = call)
  check_flag(raw, "raw", call = call)
  if (as == "SingleCellExperiment") {
    check_package("SingleCellExperiment", "to return one; or use as = \"list\"", call = call)
  }
  parts <- read_h5ad_parts(path, assays, obsm = obsm, raw = raw, call = call)
  if (raw && is.null(parts$raw)) {
    abort_input("`raw = TRUE` must be given a file that has a `raw` matrix.",
                paste0(dQuote(path, FALSE), " has none."), "Leave it out.", call = call)
  }
  warn_h5ad("Not all of the file was read as it is.", parts$skipped)
  parts <- unique_h5ad_names(parts)
  if (as == "list") return(parts[setdiff(names(parts), c("skipped", "index"))])
  h5ad_to_sce(parts)
}

# The parts of a file, or of a group of it like "mod/rna", names as they are: `obs` and `var` have
# row names only where these are unique, X and layers always have theirs, and `index` has all: cells,
# genes and those of raw. `skipped` (named by path) says what was left out.
read_h5ad_parts <- function(path, assays = NULL, obsm = TRUE, uns = TRUE, raw = FALSE,
                            group = "", call = rlang::caller_env()) {
  path <- check_h5ad_path(path, call)
  with_x <- is.null(assays) || "X" %in% assays
  layers <- if (!is.null(assays)) setdiff(assays, "X")
  file <- with_core_errors(core_read_h5ad(path, with_x, layers, obsm, uns, raw, group), call,
                           todo = "Write the file anew, or read it with Python's anndata.")
  if (is.null(file$x) && "X" %in% assays) {
    abort_input("`assays` must be \"X\" or layers that the file has.",
                paste0(dQuote(path, FALSE), " has no X."),
                paste0("Its layers: ", name_list(core_h5ad_outline(path, group)$layers), "."),
                call = call)
  }
  cells <- file$obs$index
  named <- function(x, genes) {
    if (!is.null(x)) dimnames(x) <- list(genes, cells)
    x
  }
  uns <- h5ad_nested(file$uns)
  list(X = named(file$x, file$var$index),
       layers = lapply(file$layers, named, genes = file$var$index),
       obs = h5ad_frame(file$obs), var = h5ad_frame(file$var),
       obsm = name_arrays(lapply(file$obsm, h5ad_obsm, cells = cells), uns),
       uns = uns,
       raw = if (!is.null(file$raw_x)) {
         list(X = named(file$raw_x, file$raw_var$index), var = h5ad_frame(file$raw_var))
       },
       index = list(cells = cells, genes = file$var$index, raw = file$raw_var$index),
       skipped = file$skipped)
}

check_h5ad_path <- function(path, call, kind = "h5ad") {
  check_string(path, "path", call = call)
  full <- path.expand(path)
  if (file.exists(full) && !dir.exists(full)) return(enc2native(full))
  given <- if (dir.exists(full)) "is a folder" else "does not exist"
  near <- list.files(dirname(full), paste0("[.]", kind, "$"))
  abort_input(paste0("`path` must name an .", kind, " file."),
              paste0(dQuote(path, FALSE), " ", given, "."),
              paste0("Files of this kind in that folder: ", name_list(near), "."), call = call)
}

h5ad_frame <- function(table) {
  rows <- table$index
  if (length(rows) != table$n || anyDuplicated(rows)) rows <- .set_row_names(table$n)
  structure(table$columns, class = "data.frame", row.names = rows)
}

# An array of obsm with cells in rows. The core hands matrices over with cells in columns.
h5ad_obsm <- function(item, cells) {
  unique_cells <- if (anyDuplicated(cells)) NULL else cells
  if (item$kind == "table") {
    frame <- h5ad_frame(item)
    if (!is.null(unique_cells)) rownames(frame) <- unique_cells
    return(frame)
  }
  value <- if (item$kind == "matrix") Matrix::t(item$value) else as.matrix(item$value)
  dimnames(value) <- list(cells, NULL)
  value
}

# uns as nested lists: "neighbors/params/n" becomes uns$neighbors$params$n.
h5ad_nested <- function(items) {
  out <- list()
  for (path in names(items)) {
    out <- set_nested(out, strsplit(path, "/", fixed = TRUE)[[1]], h5ad_uns(items[[path]]))
  }
  out
}

set_nested <- function(into, keys, value) {
  if (length(keys) == 1) {
    into[[keys]] <- value
  } else {
    into[[keys[1]]] <- set_nested(as.list(into[[keys[1]]]), keys[-1], value)
  }
  into
}

h5ad_uns <- function(item) {
  if (item$kind == "table") return(h5ad_frame(item))
  if (item$kind == "matrix") return(Matrix::t(item$value))
  # The file counts through the last dimension first, R through the first.
  if (length(item$shape) < 2 || is.factor(item$value)) return(item$value)
  aperm(array(item$value, rev(item$shape)))
}

warn_h5ad <- function(text, notes) {
  if (length(notes) == 0) return(invisible())
  lines <- paste0(names(notes), ": ", notes, ".")
  if (length(lines) > 12) lines <- c(lines[1:11], paste0("and ", length(lines) - 11, " more."))
  lines <- rlang::set_names(escape_braces(lines), rep("x", length(lines)))
  cli::cli_warn(c(text, lines), class = "compert_h5ad_warning")
}

# `of`: whose names these are, for the warning.
unique_h5ad_names <- function(parts, of = "") {
  again <- lapply(parts$index, function(x) unique(x[duplicated(x)]))
  again <- again[lengths(again) > 0]
  if (length(again) == 0) return(parts)
  names(again) <- paste0(sub("raw", "genes of raw", names(again)), of)
  warn_h5ad("Names that occur more than once were made unique.",
            vapply(again, function(x) paste0("first ", name_list(x, 3)), ""))
  cells <- make.unique(parts$index$cells)
  genes <- make.unique(parts$index$genes)
  rename <- function(x) {
    if (!is.null(x)) dimnames(x) <- list(genes, cells)
    x
  }
  parts$X <- rename(parts$X)
  parts$layers <- lapply(parts$layers, rename)
  rownames(parts$obs) <- cells
  rownames(parts$var) <- genes
  parts$obsm <- lapply(parts$obsm, function(x) {
    rownames(x) <- cells
    x
  })
  if (!is.null(parts$raw)) {
    dimnames(parts$raw$X) <- list(make.unique(parts$index$raw), cells)
    rownames(parts$raw$var) <- rownames(parts$raw$X)
  }
  parts
}

h5ad_to_sce <- function(parts) {
  frame <- function(x) S4Vectors::DataFrame(x, row.names = rownames(x), check.names = FALSE)
  assays <- c(if (!is.null(parts$X)) list(X = parts$X), parts$layers)
  out <- SingleCellExperiment::SingleCellExperiment(
    assays = assays, colData = frame(parts$obs), rowData = frame(parts$var),
    reducedDims = lapply(parts$obsm, function(x) if (is.data.frame(x)) frame(x) else x),
    metadata = parts$uns
  )
  if (!is.null(parts$raw)) {
    SingleCellExperiment::altExp(out, "raw") <- SummarizedExperiment::SummarizedExperiment(
      assays = list(X = parts$raw$X), rowData = frame(parts$raw$var)
    )
  }
  out
}
