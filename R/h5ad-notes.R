# What containers have and .h5ad files do not hold: notes for the warning of write_h5ad(), named by part.

note_each <- function(names, text, prefix = "") {
  rlang::set_names(rep(text, length(names)), paste0(rep(prefix, length(names)), names))
}

ranges_notes <- function(x) {
  if (!methods::is(x, "RangedSummarizedExperiment")) return(NULL)
  ranges <- SummarizedExperiment::rowRanges(x)
  empty <- methods::is(ranges, "GRangesList") && sum(lengths(ranges)) == 0
  if (!empty) c(rowRanges = "ranges on the genome")
}

sce_notes <- function(x) {
  reductions <- as.list(SingleCellExperiment::reducedDims(x))
  c(note_each(SingleCellExperiment::colPairNames(x), "pairs of cells", "colPairs/"),
    note_each(SingleCellExperiment::rowPairNames(x), "pairs of genes", "rowPairs/"),
    unlist(Map(function(value, name) {
      lost <- reduction_loss(value)
      if (length(lost)) rlang::set_names(paste("written without its", name_list(lost)), name)
    }, reductions, names(reductions), USE.NAMES = FALSE)))
}

# What a reduction has beside its numbers and the cells' names.
reduction_loss <- function(x) {
  if (is.data.frame(x) || methods::is(x, "DataFrame")) return(NULL)
  if (methods::is(x, "LinearEmbeddingMatrix")) return(c("loadings", "factor data"))
  beside <- if (is.matrix(x)) setdiff(names(attributes(x)), c("dim", "dimnames"))
  names <- colnames(x)
  # "PC1", "PC2" only number the columns.
  numbered <- all(sub("^.*?([0-9]+)$", "\\1", names) == seq_along(names))
  c(if (!numbered) "column names", beside)
}

seurat_notes <- function(x, object, genes) {
  reductions <- SeuratObject::Reductions(x)
  loaded <- Filter(function(name) length(SeuratObject::Loadings(x[[name]])) > 0, reductions)
  variable <- SeuratObject::VariableFeatures(object)
  marks <- function(column) is.logical(column) && setequal(genes[which(column)], variable)
  known <- length(variable) == 0 || any(vapply(object[[]], marks, NA))
  identity <- as.character(SeuratObject::Idents(x))
  repeats <- function(column) identical(as.character(column), identity)
  told <- length(unique(identity)) < 2 || any(vapply(x[[]], repeats, NA))
  c(note_each(SeuratObject::Graphs(x), "a graph of cells"),
    note_each(SeuratObject::Neighbors(x), "neighbours of cells"),
    note_each(SeuratObject::Images(x), "an image"),
    note_each(loaded, "written without its loadings"),
    if (!known) c("variable features" = "a selection of genes"),
    if (!told) c("Idents" = "classes that no column of the metadata has"))
}
