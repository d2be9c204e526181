# Writing .h5mu files: one structure of an .h5ad file per modality, and which cells each of them has.

#' Write an .h5mu file
#'
#' Writes RNA and what was measured beside it (surface proteins, say) as the multimodal file that
#' [read_h5mu()] and Python's mudata and muon read, each modality whole: with its layers, tables of cells and
#' features, reductions and notes. Python is not needed. The file appears under its name when it is complete;
#' one that was there is replaced.
#'
#' @details
#' Each modality is written as [write_h5ad()] writes an object. Of a SingleCellExperiment they are the main
#' experiment and every alternative experiment (one called `"raw"` that [read_h5ad()] made is the main one's
#' `raw`); of a Seurat object all assays, each with its own reductions. The first is the main one, which has
#' the columns of the cells, reductions without an assay and the `metadata()` (Seurat: `misc`).
#'
#' A cell that has `NA` in all features of a modality, or is none of a Seurat assay's, is not in that modality.
#' The table of all cells has every cell of `x`, with the columns of the main modality under names like
#' `"rna:condition"`.
#'
#' @inheritParams write_h5ad
#' @param x A SingleCellExperiment or Seurat object, also one that [predict()][predict.compert_fit] returns, or the
#'   list that [read_h5mu()] gives with `as = "list"`; its `obs` may be missing.
#' @param main Name of the modality of a SingleCellExperiment's own genes. `NULL`: `mainExpName(x)`, else
#'   `"rna"`.
#' @param assay Name of the assay that becomes `X` of the main modality, and of others that have one of this
#'   name; for Seurat, the assay that is the main modality.
#' @param layer For Seurat: name of the layer of the main modality that becomes `X`.
#'
#' @return `path`, invisibly.
#'
#' @section Errors:
#' An object of another kind, a modality whose name is that of another or has `"/"`, cells of a list without
#' names of their own or that its `obs` lacks, and what [write_h5ad()] refuses, each stop with a message that
#' says so.
#'
#' @references The format: <https://mudata.readthedocs.io/en/latest/io/spec.html>
#' @seealso [read_h5mu()], [write_h5ad()]
#' @examples
#' path <- tempfile(fileext = ".h5mu")
#' cells <- paste0("cell", 1:4)
#' rna <- matrix(rpois(20, 1), 5, dimnames = list(paste0("gene", 1:5), cells))
#' adt <- matrix(rpois(6, 9), 2, dimnames = list(c("CD3", "CD19"), cells[1:3]))
#' write_h5mu(list(modalities = list(rna = list(X = rna), prot = list(X = adt))), path)
#' read_h5mu(path, as = "list")$modalities$prot$X
#' if (requireNamespace("SingleCellExperiment", quietly = TRUE)) {
#'   write_h5mu(cite_example(), path)
#'   read_h5mu(path)
#' }
#' @export
write_h5mu <- function(x, path, ...) {
  UseMethod("write_h5mu")
}

#' @rdname write_h5mu
#' @export
write_h5mu.default <- function(x, path, ...) {
  abort_input("`x` must be a SingleCellExperiment or Seurat object, or a list as read_h5mu() gives it.",
              paste0("It is ", describe(x), "."),
              "Matrices: write_h5mu(list(modalities = list(rna = list(X = x), prot = list(X = proteins))), path).",
              call = rlang::current_env())
}

#' @rdname write_h5mu
#' @export
write_h5mu.SingleCellExperiment <- function(x, path, ..., main = NULL, assay = NULL,
                                            compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_package("SingleCellExperiment", "to read a SingleCellExperiment", call = call)
  check_string(main, "main", null_ok = TRUE, call = call)
  main <- main %||% SingleCellExperiment::mainExpName(x) %||% "rna"
  others <- other_experiments(x)
  if (main %in% others) {
    abort_input("`main` must be no name of an alternative experiment.", paste0("It is ", dQuote(main, FALSE), "."),
                "Write main = \"rna\".", call = call)
  }
  modalities <- lapply(rlang::set_names(others), function(name) {
    other_modality(SingleCellExperiment::altExp(x, name), assay, name, call)
  })
  first <- measured_part(se_parts(x, assay, call), x, main, call)
  write_h5mu_parts(c(rlang::set_names(list(first), main), modalities), path, cell_names(x),
                   own = SummarizedExperiment::colData(x), compression = compression, call = call)
}

#' @rdname write_h5mu
#' @export
write_h5mu.Seurat <- function(x, path, ..., assay = NULL, layer = NULL, compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  check_package("SeuratObject", "to read a Seurat object", call = call)
  names <- SeuratObject::Assays(x)
  main <- choose_assay(names, assay %||% SeuratObject::DefaultAssay(x), NULL, character(), character(), "assay",
                       call)
  names <- rlang::set_names(union(main, names))
  modalities <- lapply(names, function(name) seurat_modality(x, name, if (name == main) layer, main, call))
  write_h5mu_parts(modalities, path, colnames(x), own = x[[]], compression = compression, call = call)
}

#' @rdname write_h5mu
#' @export
write_h5mu.list <- function(x, path, ..., compression = c("gzip", "none")) {
  call <- rlang::current_env()
  check_no_dots(..., .call = call)
  unknown <- setdiff(rlang::names2(x), c("modalities", "obs"))
  if (length(unknown) > 0 || !is.list(x$modalities) || length(x$modalities) == 0) {
    abort_input("`x` must be a list of `modalities`, which is one of lists, and `obs`.",
                if (length(unknown)) paste0("It has ", name_list(unknown), ".") else "It has no `modalities`.",
                "read_h5mu(path, as = \"list\") gives such a list.", call = call)
  }
  check_part_names(x$modalities, "modalities", call)
  parts <- Map(function(part, name) list_parts(part, paste0("x$modalities$", name), call), x$modalities,
               names(x$modalities))
  cells <- if (is.null(x$obs)) unique(unlist(lapply(parts, `[[`, "cells"))) else frame_names(x$obs)
  for (name in names(parts)) {
    parts[[name]]$at <- list_positions(parts[[name]]$cells, cells, name, call)
  }
  write_h5mu_parts(parts, path, cells, x$obs, compression = compression, call = call)
}

# For each of all cells its position in a modality, 0 where it has not the cell.
list_positions <- function(own, all, name, call) {
  bad <- if (is.null(own)) "have no names" else
    if (anyDuplicated(own)) paste0("have ", dQuote(own[duplicated(own)][1L], FALSE), " more than once") else
    if (!all(own %in% all)) paste0("have ", dQuote(setdiff(own, all)[1L], FALSE), ", which `x$obs` lacks")
  if (is.null(bad) && !anyDuplicated(all)) return(match(all, own, 0L))
  abort_input("Cells of modalities must have names of their own, which are row names of `x$obs` where that is given.",
              paste0("Those of ", dQuote(name, FALSE), " ", bad %||% "are not unique in `x$obs`", "."),
              "Cells are matched between modalities by name.", call = call)
}

cell_names <- function(x) colnames(x) %||% as.character(seq_len(ncol(x)))

# An alternative experiment; where none of its assays has a usual name, the first is X.
other_modality <- function(x, assay, name, call) {
  known <- intersect(c(assay, "X", "logcounts", "counts", "mean"), assay_names(x))
  parts <- se_parts(x, c(known, assay_names(x))[1L], call)
  nested <- if (inherits(x, "SingleCellExperiment")) other_experiments(x)
  parts$notes <- c(parts$notes, note_each(nested, "an alternative experiment of an alternative experiment"))
  measured_part(parts, x, name, call)
}

# Of an assay of a Seurat object, with the object's own parts where it is the main one.
seurat_modality <- function(x, name, layer, main, call) {
  object <- x[[name]]
  cells <- intersect(colnames(x), colnames(object))
  genes <- rownames(object)
  found <- seurat_matrices(object, layer, cells, genes, call)
  of <- vapply(SeuratObject::Reductions(x), function(reduction) {
    assay <- SeuratObject::DefaultAssay(x[[reduction]])
    if (length(assay) == 1L && assay %in% SeuratObject::Assays(x)) assay else main
  }, "")
  obsm <- seurat_reductions(x, cells, names(of)[of == name])
  first <- name == main
  parts <- list(X = found$matrices[[found$top]],
                layers = found$matrices[setdiff(names(found$matrices), found$top)],
                obs = x[[]][cells, if (first) TRUE else 0L, drop = FALSE], var = object[[]], obsm = obsm$arrays,
                uns = if (first) methods::slot(x, "misc"),
                notes = c(found$notes, obsm$notes,
                          if (first) seurat_notes(x, object, genes) else variable_notes(object, genes)))
  list(parts = parts, genes = genes, cells = cells, size = c(length(genes), length(cells)),
       at = match(colnames(x), cells, 0L))
}

# A modality of an experiment as those of its cells that have values in it.
measured_part <- function(parts, x, name, call) {
  cells <- cell_names(x)
  has <- measured_columns(parts$X, ncol(x))
  if (!all(has)) parts <- spread_part(parts, which(has), cells[has], name, call)
  list(parts = parts, genes = rownames(x), cells = cells[has], size = c(nrow(x), sum(has)),
       at = ifelse(has, cumsum(has), 0L))
}

measured_columns <- function(x, n) {
  if (length(x) == 0L || !anyNA(x)) return(rep(TRUE, n))
  unname(Matrix::colSums(is.na(x)) < nrow(x))
}

# `modalities`: named, the main one first, each with `parts`, `genes`, `cells`, `size` and `at`, for each of all
# cells its position in the modality. The table of all cells is `obs`, or has the columns of the main modality under its
# name: `own`, where that has them for cells that the modality lacks.
write_h5mu_parts <- function(modalities, path, cells, obs = NULL, own = NULL, compression, call) {
  full <- check_new_path(path, call)
  deflate <- deflate_level(compression, call)
  packed <- lapply(modalities, function(m) pack_parts(m$parts, m$genes, m$cells, m$size, call))
  table <- if (!is.null(obs)) pack_table(obs, cells, "obs") else {
    at <- replace(modalities[[1L]]$at, modalities[[1L]]$at == 0L, NA)
    columns <- if (is.null(own)) lapply(packed[[1L]]$contents$obs$columns, `[`, at) else
      pack_table(own, cells, "obs")$table$columns
    names(columns) <- sprintf("%s:%s", names(modalities)[1L], names(columns))
    list(table = list(kind = "table", n = as.double(length(cells)), index = cells, columns = columns))
  }
  sizes <- vapply(packed, function(p) length(p$contents$var$index), 0L)
  of <- rep(names(packed), sizes)
  parts <- Map(function(p, m, name) {
    list(contents = p$contents, cells = m$at, features = ifelse(of == name, cumsum(of == name), 0L))
  }, packed, modalities, names(packed))
  features <- unlist(lapply(packed, function(p) p$contents$var$index), use.names = FALSE)
  var <- pack_table(data.frame(row.names = seq_along(features)), features, "var")
  with_core_errors(core_write_h5mu(full, table$table, var$table, parts, "compert", deflate), call,
                   todo = todo_write)
  warn_not_written(path, c(table$notes, unlist(lapply(names(packed), function(name) {
    notes <- packed[[name]]$notes
    rlang::set_names(notes, if (length(notes)) paste0("mod/", name, "/", names(notes)))
  }))))
  invisible(path)
}
