# The table of cells of any container, to read and to write a column of it.

# The table of cells of an object, and the object with one more column in it.
cell_table <- function(x, call = rlang::caller_env()) {
  UseMethod("cell_table")
}

set_cell_column <- function(x, name, value) {
  UseMethod("set_cell_column")
}

#' @exportS3Method cell_table default
cell_table.default <- function(x, call = rlang::caller_env()) {
  if (inherits(x, "DataFrame")) return(plain_table(x))
  abort_input(paste("`x` must be a SingleCellExperiment, SummarizedExperiment, Seurat object or",
                    "data frame with one row per cell."),
              paste0("It is ", describe(x), "."),
              "Of a matrix, give the `col_data`; of an .h5ad file, read_h5ad(file).", call = call)
}

#' @exportS3Method cell_table data.frame
cell_table.data.frame <- function(x, call = rlang::caller_env()) as.data.frame(x)

#' @exportS3Method set_cell_column default
set_cell_column.default <- function(x, name, value) {
  x[[name]] <- value
  x
}

#' @exportS3Method cell_table SummarizedExperiment
cell_table.SummarizedExperiment <- function(x, call = rlang::caller_env()) {
  check_package("SummarizedExperiment", "to read a SummarizedExperiment", call = call)
  as.data.frame(SummarizedExperiment::colData(x), optional = TRUE)
}

#' @exportS3Method set_cell_column SummarizedExperiment
set_cell_column.SummarizedExperiment <- function(x, name, value) {
  table <- SummarizedExperiment::colData(x)
  table[[name]] <- value
  SummarizedExperiment::`colData<-`(x, value = table)
}

#' @exportS3Method cell_table Seurat
cell_table.Seurat <- function(x, call = rlang::caller_env()) {
  check_package("SeuratObject", "to read a Seurat object", call = call)
  as.data.frame(x[[]])
}

#' @exportS3Method set_cell_column Seurat
set_cell_column.Seurat <- function(x, name, value) {
  SeuratObject::AddMetaData(x, value, col.name = name)
}
