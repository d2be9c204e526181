# Writing .h5ad files: what each container has, as the parts that the core writes.

#' Write an .h5ad file
#'
#' Writes cells in the encoding of anndata 0.8, which this and all later versions read, without
#' Python. Columns (cells) become rows of the file. The file appears under its name when it is
#' complete; one that was there is replaced.
#'
#' @details
#' Numbers of matrices are stored in single precision when nothing is lost by it, else in double
#' precision; matrices are compressed with gzip, level 4. Factors become categoricals, text stays
#' text (with `NA`: a categorical), integer and logical columns with `NA` become nullable arrays,
#' dates become text. Where columns of a table share a name, the later ones get another. What the format
#' cannot hold is left out, and a warning names each of it.
#'
#' The assay that becomes `X` is, when `assay` does not say otherwise: for SingleCellExperiment and
#' SummarizedExperiment `X`, else `logcounts`, `counts`, or the `mean` of a prediction; for Seurat the layer `data`
#' of the default assay, or `counts` where nothing was normalised. All other assays (layers) of the same
#' genes become layers; an assay without a name of its own has its number as name. Reductions (those of
#' Seurat with the prefix `X_`, as scanpy has them) and, as `spatial`, the coordinates of a SpatialExperiment
#' go to `obsm`, `metadata()` and Seurat's `misc` to `uns`. Of an alternative experiment (such as antibodies), and
#' of another assay of Seurat that has one of the names under which [multicpa()] looks for proteins by itself,
#' `counts`, or the first assay (layer), go to `obsm` and the names of its features to `uns`, as `"ADT_names"`
#' for `"ADT"`: [multicpa()] finds proteins there. Other assays of Seurat are left out.
#'
#' @param x A SingleCellExperiment, SummarizedExperiment or Seurat object, a matrix, sparse or
#'   delayed matrix (genes x cells), or the list that [read_h5ad()] gives with `as = "list"`.
#' @param path Path of the file.
#' @param ... Must be empty; what follows is given by name.
#' @param assay Name of the assay that becomes `X`; for Seurat, the assay to write.
#' @param layer For Seurat: name of the layer that becomes `X`.
#' @param col_data,row_data With a matrix: data frames of the cells and of the genes, a row for each
#'   (or `NULL`). Row names, where both have them, decide which row is whose.
#'
#' @return `path`, invisibly.
#'
#' @section Errors:
#' An object of another kind, an assay that is not there, tables of other lengths than the matrix,
#' names with `"/"`, and a path that cannot be written, each stop with a message that says so.
#'
#' @references The format: <https://anndata.readthedocs.io/en/latest/fileformat-prose.html>
#' @seealso [read_h5ad()]; [write_h5mu()] for every modality as it is.
#' @examples
#' path <- tempfile(fileext = ".h5ad")
#' counts <- matrix(rpois(20, 1), 5, dimnames = list(paste0("gene", 1:5), paste0("cell", 1:4)))
#' write_h5ad(counts, path, col_data = data.frame(condition = factor(c("control", rep("drug", 3)))))
#' read_h5ad(path, as = "list")$obs
#' @export
write_h5ad <- function(x, path, ...) {
  UseMethod("write_h5ad")
}

#' @rdname write_h5ad
#' @export
write_h5ad.default <- function(x, path, ...) {
  abort_input(paste("`x` must be a SingleCellExperiment, SummarizedExperiment, Seurat object,",
                    "matrix, sparse or delayed matrix, or a list as read_h5ad() gives it."),
              paste0("It is ", describe(x), "."),
              "Matrices have genes in rows and cells in columns.", call = rlang::current_env())
}

#' @rdname write_h5ad
#' @export
write_h5ad.SummarizedExperiment <- function(x, path, ..., assay = NULL) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_package("SummarizedExperiment", "to read a SummarizedExperiment", call = call)
  parts <- se_parts(x, assay, call)
  if (inherits(x, "SingleCellExperiment")) {
    for (name in other_experiments(x)) {
      parts <- add_alt_exp(parts, SingleCellExperiment::altExp(x, name), name, call)
    }
  }
  write_h5ad_parts(parts, path, rownames(x), colnames(x), dim(x), call)
}

# The parts of a SummarizedExperiment, without alternative experiments.
se_parts <- function(x, assay, call) {
  names <- assay_names(x)
  matrices <- lapply(seq_along(names), function(k) {
    h5ad_values(SummarizedExperiment::assay(x, k, withDimnames = FALSE), call)
  })
  names(matrices) <- names
  top <- if (length(names)) {
    choose_assay(names, assay, NULL, c("X", "logcounts"), c("counts", "mean"), "assay", call)
  }
  parts <- list(X = if (!is.null(top)) matrices[[top]], layers = matrices[setdiff(names, top)],
                obs = SummarizedExperiment::colData(x), var = SummarizedExperiment::rowData(x),
                obsm = list(), uns = S4Vectors::metadata(x))
  if (inherits(x, "SingleCellExperiment")) parts <- add_sce_parts(parts, x, call)
  parts$notes <- c(parts$notes, ranges_notes(x))
  parts
}

#' @rdname write_h5ad
#' @export
write_h5ad.Seurat <- function(x, path, ..., assay = NULL, layer = NULL) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_package("SeuratObject", "to read a Seurat object", call = call)
  assays <- SeuratObject::Assays(x)
  assay <- choose_assay(assays, assay %||% SeuratObject::DefaultAssay(x), NULL, character(),
                        character(), "assay", call)
  object <- x[[assay]]
  cells <- colnames(x)
  genes <- rownames(object)
  found <- seurat_matrices(object, layer, cells, genes, call)
  obsm <- seurat_reductions(x, cells)
  notes <- c(found$notes, obsm$notes, seurat_notes(x, object, genes))
  parts <- list(X = found$matrices[[found$top]],
                layers = found$matrices[setdiff(names(found$matrices), found$top)],
                obs = x[[]][cells, , drop = FALSE], var = object[[]], obsm = obsm$arrays,
                uns = methods::slot(x, "misc"), notes = notes)
  parts <- add_protein_assays(parts, x, setdiff(assays, assay), call)
  write_h5ad_parts(parts, path, genes, cells, c(length(genes), length(cells)), call)
}

#' @rdname write_h5ad
#' @export
write_h5ad.matrix <- function(x, path, ..., col_data = NULL, row_data = NULL) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  write_h5ad_matrix(x, path, col_data, row_data, call)
}

#' @rdname write_h5ad
#' @export
write_h5ad.Matrix <- write_h5ad.matrix

#' @rdname write_h5ad
#' @export
write_h5ad.DelayedMatrix <- write_h5ad.matrix

#' @rdname write_h5ad
#' @export
write_h5ad.list <- function(x, path, ...) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  part <- list_parts(x, "x", call)
  write_h5ad_parts(part$parts, path, part$genes, part$cells, part$size, call)
}

# A list as read_h5ad() gives it: its parts, names and size.
list_parts <- function(x, arg, call) {
  known <- c("X", "layers", "obs", "var", "obsm", "uns", "raw")
  unknown <- setdiff(rlang::names2(x), known)
  # All names are there from here on, so that `$` cannot take "obsm" for a missing "obs".
  x <- lapply(rlang::set_names(known), function(name) x[[name]])
  matrices <- c(if (!is.null(x$X)) list(X = x$X), x$layers)
  if (length(unknown) > 0 || (length(matrices) == 0 && (is.null(x$obs) || is.null(x$var)))) {
    abort_input(paste0("`", arg, "` must be a list of `X`, `layers`, `obs`, `var`, `obsm`, `uns` and `raw`."),
                if (length(unknown)) paste0("It has ", name_list(unknown), ".") else
                  "It has neither a matrix nor both `obs` and `var`.",
                "read_h5ad(path, as = \"list\") gives such a list.", call = call)
  }
  size <- if (length(matrices)) dim(matrices[[1]]) else c(nrow(x$var), nrow(x$obs))
  names_of <- function(k) if (length(matrices)) dimnames(matrices[[1]])[[k]]
  obs <- match_rows(x$obs, paste0(arg, "$obs"), names_of(2), size[2], "cell", call)
  var <- match_rows(x$var, paste0(arg, "$var"), names_of(1), size[1], "gene", call)
  parts <- list(X = if (!is.null(x$X)) h5ad_values(x$X, call),
                layers = lapply(x$layers, h5ad_values, call = call), obs = obs, var = var,
                obsm = x$obsm, uns = x$uns,
                raw = if (!is.null(x$raw)) list(X = h5ad_values(x$raw$X, call), var = x$raw$var))
  list(parts = parts, genes = names_of(1) %||% frame_names(x$var), cells = names_of(2) %||% frame_names(x$obs),
       size = size)
}

write_h5ad_matrix <- function(x, path, col_data, row_data, call) {
  obs <- match_rows(col_data, "col_data", colnames(x), ncol(x), "cell", call)
  var <- match_rows(row_data, "row_data", rownames(x), nrow(x), "gene", call)
  parts <- list(X = h5ad_values(x, call), layers = list(), obs = obs, var = var)
  write_h5ad_parts(parts, path, rownames(x) %||% frame_names(var),
                   colnames(x) %||% frame_names(obs), dim(x), call)
}

# A table with a row per cell (gene), in the order of the matrix; row names decide where both have
# them.
match_rows <- function(data, arg, names, n, what, call) {
  if (is.null(data)) return(data.frame(row.names = seq_len(n)))
  is_table <- is.data.frame(data) || inherits(data, "DataFrame")
  if (!is_table || nrow(data) != n) {
    given <- if (is_table) {
      paste0("It has ", nrow(data), " rows; there are ", n, " ", what, "s.")
    } else {
      paste0("It is ", describe(data), ".")
    }
    abort_input(paste0("`", arg, "` must be a data frame with one row per ", what, "."), given,
                "Matrices have genes in rows and cells in columns.", call = call)
  }
  own <- frame_names(data)
  if (is.null(own) || is.null(names) || identical(own, names)) return(data)
  if (identical(own, make.unique(names))) return(data)
  place <- match(names, own)
  if (anyNA(place) || anyDuplicated(place)) {
    given <- if (anyNA(place)) {
      paste0("The matrix has ", dQuote(names[is.na(place)][1], FALSE), ", `", arg, "` has not.")
    } else {
      paste0("The matrix has ", dQuote(names[duplicated(names)][1], FALSE), " more than once.")
    }
    abort_input(paste0("`", arg, "` must have the ", what, "s of `x` as row names, or none."), given,
                paste0("Write rownames(", arg, ") <- NULL if the order is the same."), call = call)
  }
  data[place, , drop = FALSE]
}
