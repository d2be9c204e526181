# Writing .h5ad files: what each container has, as the parts that the core writes.

#' Write an .h5ad file
#'
#' Writes cells in the encoding of anndata 0.8, which this and all later versions read, without
#' Python. Columns (cells) become rows of the file. The file appears under its name when it is
#' complete; one that was there is replaced.
#'
#' @details
#' Numbers of matrices are stored in single precision when nothing is lost by it, else in double
#' precision; what is larger than a kilobyte is compressed with gzip, level 4, unless
#' `compression` says otherwise. Factors become categoricals, text stays
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
#'   delayed matrix (genes x cells), or the list that [read_h5ad()] gives with `as = "list"`. Of a list, parts that
#'   have names of cells (genes) are written in the order of those of its first matrix.
#' @param path Path of the file.
#' @param ... Must be empty: later arguments are given by name.
#' @param assay Name of the assay that becomes `X`; for Seurat, the assay to write.
#' @param layer For Seurat: name of the layer that becomes `X`.
#' @param col_data,row_data With a matrix: data frames of the cells and of the genes, a row for each
#'   (or `NULL`). Row names, where both have them, decide which row is whose.
#' @param compression `"gzip"`, or `"none"` (anndata's default): a file that is larger, and faster to write and read.
#'
#' @return `path`, invisibly.
#'
#' @section Errors:
#' An object of another kind, an assay that is not there, tables of other lengths than the matrix or with other
#' names of its cells or genes, names with `"/"`, a path that cannot be written or names something that is no file,
#' and a full disk, each stop with a message that says so.
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
write_h5ad.SummarizedExperiment <- function(x, path, ..., assay = NULL, compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_package("SummarizedExperiment", "to read a SummarizedExperiment", call = call)
  parts <- se_parts(x, assay, call)
  if (inherits(x, "SingleCellExperiment")) {
    for (name in other_experiments(x)) {
      parts <- add_alt_exp(parts, SingleCellExperiment::altExp(x, name), name, call)
    }
  }
  write_h5ad_parts(parts, path, rownames(x), colnames(x), dim(x), compression, call)
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
write_h5ad.Seurat <- function(x, path, ..., assay = NULL, layer = NULL, compression = c("gzip", "none")) {
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
  write_h5ad_parts(parts, path, genes, cells, c(length(genes), length(cells)), compression, call)
}

#' @rdname write_h5ad
#' @export
write_h5ad.matrix <- function(x, path, ..., col_data = NULL, row_data = NULL, compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  write_h5ad_matrix(x, path, col_data, row_data, compression, call)
}

#' @rdname write_h5ad
#' @export
write_h5ad.Matrix <- write_h5ad.matrix

#' @rdname write_h5ad
#' @export
write_h5ad.DelayedMatrix <- write_h5ad.matrix

#' @rdname write_h5ad
#' @export
write_h5ad.list <- function(x, path, ..., compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  part <- list_parts(x, "x", call)
  write_h5ad_parts(part$parts, path, part$genes, part$cells, part$size, compression, call)
}

write_h5ad_matrix <- function(x, path, col_data, row_data, compression, call) {
  obs <- match_rows(col_data, "col_data", colnames(x), ncol(x), "cell", call)
  var <- match_rows(row_data, "row_data", rownames(x), nrow(x), "gene", call)
  parts <- list(X = h5ad_values(x, call), layers = list(), obs = obs, var = var)
  write_h5ad_parts(parts, path, rownames(x) %||% frame_names(var),
                   colnames(x) %||% frame_names(obs), dim(x), compression, call)
}
