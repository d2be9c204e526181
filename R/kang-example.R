#' Small real screens: blood cells under interferon-beta
#'
#' 1,975 peripheral blood mononuclear cells of lupus patients, seven cell types, after six hours
#' without (`"control"`) or with (`"IFNb"`) interferon-beta, and 2,000 genes. Columns of the cells'
#' table: `condition`, `dose` (0 for controls, 1), `cell_type`, `control` (0 or 1) and `split`, in
#' which the stimulated B cells are held out (`"ood"`), a fifth of the others tests (`"test"`).
#'
#' `donors = TRUE` gives other cells of the same experiment, whose donors are known, to try a batch
#' with: 1,450 cells of two donors and five cell types, 700 genes. Columns: `condition`, `dose`,
#' `cell_type`, `donor` (`"101"`, `"107"`), `control` and `total`, the cell's counts over the 1,267
#' genes of the source. There is no split.
#'
#' @param ... Must be empty.
#' @param donors `TRUE` for the cells with donors.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`), `"list"` (a list with `x`, the log-normalised values, genes x cells,
#'   `counts` and `col_data`), or `"path"` (the `.h5ad` file itself; that of the donors holds the
#'   counts only, as `X`).
#'
#' @return What `as` says. It is an error when SingleCellExperiment is asked for and not installed.
#' @source Kang et al. (2018) Multiplexed droplet single-cell RNA-sequencing using natural genetic
#'   variation. Nature Biotechnology 36, 89-94 (GEO GSE96583). The 1,975 cells are taken from
#'   `data/valid.h5ad` of github.com/theislab/scgen (commit dd7e178, GPL-3.0), those with donors
#'   from `data/example_sce.rda` of github.com/HelenaLC/muscat (commit 017b290, GPL-3). How the
#'   genes were chosen: `system.file("extdata", "README.md", package = "compert")`.
#' @examples
#' cells <- kang_example(as = "list")
#' dim(cells$x)
#' table(cells$col_data$cell_type, cells$col_data$condition)
#' kang_example(as = "path")
#' donors <- kang_example(donors = TRUE, as = "list")
#' table(donors$col_data$donor, donors$col_data$condition)
#' @export
kang_example <- function(..., donors = FALSE, as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  check_flag(donors, "donors")
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  file <- if (donors) "kang_donors.h5ad" else "kang_pbmc.h5ad"
  path <- system.file("extdata", file, package = "compert", mustWork = TRUE)
  if (as == "path") return(path)
  if (as == "list") {
    parts <- read_h5ad(path, as = "list")
    if (donors) parts <- with_logcounts(parts)
    return(list(x = parts$X, counts = parts$layers$counts, col_data = parts$obs))
  }
  cells <- read_h5ad(path)
  names <- SummarizedExperiment::assayNames(cells)
  names[names == "X"] <- if (donors) "counts" else "logcounts"
  cells <- SummarizedExperiment::`assayNames<-`(cells, value = names)
  if (!donors) return(cells)
  counts <- SummarizedExperiment::assay(cells, "counts")
  SummarizedExperiment::assay(cells, "logcounts") <- log_per_10000(counts, cells$total)
  cells
}

with_logcounts <- function(parts) {
  parts$layers$counts <- parts$X
  parts$X <- log_per_10000(parts$X, parts$obs$total)
  parts
}

# The file of the donors holds counts only, which is half the size.
log_per_10000 <- function(counts, total) {
  counts@x <- log1p(counts@x / rep(total, diff(counts@p)) * 1e4)
  counts
}
