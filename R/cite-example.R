#' A small real CITE-seq screen: RNA and 49 surface proteins
#'
#' 673 peripheral blood cells of a healthy donor (`"control"`, 500) and of a patient with a cutaneous
#' T-cell lymphoma (`"CTCL"`, 173), 400 genes and 49 antibodies (ECCITE-seq). The condition is a
#' disease contrast between two people, not a treatment: the data serve the mechanics of a model of
#' both modalities, not a claim on perturbations.
#'
#' @param ... Must be empty.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`; antibody counts in the alternative experiment `"ADT"`), `"list"`, or
#'   `"path"` (the `.h5ad` file, antibodies in `obsm`).
#' @return What `as` says. The list has `x` (log-normalised values, genes x cells), `counts`,
#'   `proteins` (antibody counts, proteins x cells) and `col_data` (among others `condition` and
#'   `cell_type`: B, CD4T, CD8T, Mono, NK, derived by clustering).
#' @section Errors: SingleCellExperiment is asked for and not installed.
#' @source github.com/SydneyBioX/CiteFuse (commit b607586, GPL-3); Mimitou et al. (2019) Nature Methods
#'   16, 409-412, GEO GSE126310. See `system.file("extdata", "README.md", package = "compert")`.
#' @examples
#' screen <- cite_example(as = "list")
#' table(screen$col_data$cell_type, screen$col_data$condition)
#' screen$proteins[1:3, 1:5]
#' @export
cite_example <- function(..., as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  path <- system.file("extdata", "citeseq.h5ad", package = "compert", mustWork = TRUE)
  if (as == "path") return(path)
  parts <- read_h5ad(path, as = "list")
  proteins <- t(parts$obsm$protein_counts)
  dimnames(proteins) <- list(as.character(parts$uns$protein_names), colnames(parts$X))
  if (as == "list") {
    return(list(x = parts$X, counts = parts$layers$counts, proteins = proteins,
                col_data = parts$obs))
  }
  check_package("SingleCellExperiment", "to return one; or use as = \"list\"")
  cells <- SingleCellExperiment::SingleCellExperiment(
    list(logcounts = parts$X, counts = parts$layers$counts),
    colData = S4Vectors::DataFrame(parts$obs)
  )
  SingleCellExperiment::altExp(cells, "ADT") <-
    SummarizedExperiment::SummarizedExperiment(list(counts = proteins))
  cells
}
