#' A small real screen: blood cells under interferon-beta
#'
#' 1,975 peripheral blood mononuclear cells of lupus patients, seven cell types, after six hours
#' without (`"control"`) or with (`"IFNb"`) interferon-beta, and 2,000 genes. Columns of the cells'
#' table: `condition`, `dose` (0 for controls, 1), `cell_type`, `control` (0 or 1) and `split`, in
#' which the stimulated B cells are held out (`"ood"`), a fifth of the others tests (`"test"`).
#'
#' @param ... Must be empty.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`), `"list"` (a list with `x`, the log-normalised values, genes x cells,
#'   `counts` and `col_data`), or `"path"` (the `.h5ad` file itself).
#'
#' @return What `as` says. It is an error when SingleCellExperiment is asked for and not installed.
#' @source Kang et al. (2018) Multiplexed droplet single-cell RNA-sequencing using natural genetic
#'   variation. Nature Biotechnology 36, 89-94 (GEO GSE96583); taken from
#'   `data/valid.h5ad` of github.com/theislab/scgen (commit dd7e178, GPL-3.0). How the genes were
#'   chosen: `system.file("extdata", "README.md", package = "compert")`.
#' @examples
#' cells <- kang_example(as = "list")
#' dim(cells$x)
#' table(cells$col_data$cell_type, cells$col_data$condition)
#' kang_example(as = "path")
#' @export
kang_example <- function(..., as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  path <- system.file("extdata", "kang_pbmc.h5ad", package = "compert", mustWork = TRUE)
  if (as == "path") return(path)
  if (as == "list") {
    parts <- read_h5ad(path, as = "list")
    return(list(x = parts$X, counts = parts$layers$counts, col_data = parts$obs))
  }
  cells <- read_h5ad(path)
  names <- SummarizedExperiment::assayNames(cells)
  names[names == "X"] <- "logcounts"
  SummarizedExperiment::`assayNames<-`(cells, value = names)
}
