# What containers have beside their matrices and tables: arrays, and what .h5ad files do not hold, as notes
# for the warning of write_h5ad(), named by part.

note_each <- function(names, text, prefix = "") {
  rlang::set_names(rep(text, length(names)), paste0(rep(prefix, length(names)), names))
}

ranges_notes <- function(x) {
  if (!methods::is(x, "RangedSummarizedExperiment")) return(NULL)
  ranges <- SummarizedExperiment::rowRanges(x)
  empty <- methods::is(ranges, "GRangesList") && sum(lengths(ranges)) == 0
  if (!empty) c(rowRanges = "ranges on the genome")
}

# Reductions, and the coordinates that a SpatialExperiment has beside them under the name that squidpy reads.
sce_arrays <- function(x) {
  arrays <- as.list(SingleCellExperiment::reducedDims(x))
  spatial <- SingleCellExperiment::int_colData(x)$spatialCoords
  if (length(spatial) && !"spatial" %in% names(arrays)) arrays$spatial <- spatial
  arrays
}

# What a SingleCellExperiment has beside a SummarizedExperiment and its alternative experiments.
add_sce_parts <- function(parts, x, call) {
  parts$obsm <- sce_arrays(x)
  parts$notes <- sce_notes(x)
  if (has_raw(x)) {
    raw <- SingleCellExperiment::altExp(x, "raw")
    parts$raw <- list(X = h5ad_values(SummarizedExperiment::assay(raw, "X"), call),
                      var = SummarizedExperiment::rowData(raw))
  }
  parts
}

has_raw <- function(x) {
  "raw" %in% SingleCellExperiment::altExpNames(x) &&
    "X" %in% SummarizedExperiment::assayNames(SingleCellExperiment::altExp(x, "raw"))
}

other_experiments <- function(x) {
  setdiff(SingleCellExperiment::altExpNames(x), if (has_raw(x)) "raw")
}

sce_notes <- function(x) {
  arrays <- sce_arrays(x)
  c(class_notes(x, arrays),
    note_each(SingleCellExperiment::colPairNames(x), "pairs of cells", "colPairs/"),
    note_each(SingleCellExperiment::rowPairNames(x), "pairs of genes", "rowPairs/"),
    unlist(Map(function(value, name) {
      lost <- reduction_loss(value, names_in_uns(name, S4Vectors::metadata(x), ncol(value)))
      if (length(lost)) rlang::set_names(paste("written without its", name_list(lost)), name)
    }, arrays, names(arrays), USE.NAMES = FALSE)))
}

# Classes made of SingleCellExperiment keep what is theirs in its internal tables: SpatialExperiment its
# coordinates, which are written as an array, and its images.
class_notes <- function(x, arrays) {
  cells <- SingleCellExperiment::int_colData(x)
  lost <- c(as.list(cells[setdiff(names(cells), c("reducedDims", "altExps", "colPairs"))]),
            SingleCellExperiment::int_metadata(x))
  lost <- lost[!names(lost) %in% c("version", "mainExpName", "spatialDataNames")]
  if (identical(arrays$spatial, lost$spatialCoords)) lost$spatialCoords <- NULL
  note_each(names(lost)[lengths(lost) > 0], paste("a part that only", class(x)[1], "has"))
}

# What a reduction has beside its numbers and the cells' names. `kept`: names of columns that are in `uns`.
reduction_loss <- function(x, kept) {
  if (is.data.frame(x) || methods::is(x, "DataFrame")) return(NULL)
  if (methods::is(x, "LinearEmbeddingMatrix")) return(c("loadings", "factor data"))
  beside <- if (is.matrix(x)) setdiff(names(attributes(x)), c("dim", "dimnames"))
  names <- colnames(x)
  # "PC1", "PC2" only number the columns.
  numbered <- all(sub("^.*?([0-9]+)$", "\\1", names) == seq_along(names))
  c(if (!numbered && !identical(names, kept)) "column names", beside)
}

seurat_notes <- function(x, object, genes) {
  reductions <- SeuratObject::Reductions(x)
  loaded <- Filter(function(name) length(SeuratObject::Loadings(x[[name]])) > 0, reductions)
  identity <- as.character(SeuratObject::Idents(x))
  repeats <- function(column) identical(as.character(column), identity)
  told <- length(unique(identity)) < 2 || any(vapply(x[[]], repeats, NA))
  c(note_each(SeuratObject::Graphs(x), "a graph of cells"),
    note_each(SeuratObject::Neighbors(x), "neighbours of cells"),
    note_each(SeuratObject::Images(x), "an image"),
    note_each(loaded, "written without its loadings"),
    variable_notes(object, genes),
    if (!told) c("Idents" = "classes that no column of the metadata has"))
}

variable_notes <- function(object, genes) {
  variable <- SeuratObject::VariableFeatures(object)
  # Version 5 writes the names themselves into a column.
  marks <- function(column) {
    setequal(if (is.logical(column)) genes[which(column)] else column[!is.na(column)], variable)
  }
  known <- length(variable) == 0 || any(vapply(object[[]], marks, NA))
  if (!known) c("variable features" = "a selection of genes")
}
