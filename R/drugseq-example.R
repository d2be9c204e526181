#' A small real drug screen: 27 drugs, three doses, with structures
#'
#' 308 wells of MCF10A breast cells after 24 hours with one of 27 drugs at 0.1, 1 or 10 micromolar
#' (three wells each) or with the vehicle (65 wells, `"control"`), counts of 368 genes by MAC-seq.
#' A well stands where single-cell data have a cell. The wells are shallow, about 840 counts over
#' these genes, so replicates agree poorly; the screen is for trying the verbs, not for a claim.
#'
#' @param ... Must be empty.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`; the molecules are in `S4Vectors::metadata()`), `"list"`, or `"path"` (the
#'   `.h5ad` file).
#' @return What `as` says. The list has `x` (log-normalised values, genes x wells), `counts`,
#'   `col_data` (among others `condition`, `dose` in micromolar with 0 for controls, `cell_type`,
#'   `control`), `molecules` (SMILES named by drug), `moa` (mechanism of action, named by drug,
#'   `NA` where unknown) and `descriptors` (27 drugs x RDKit's two-dimensional descriptors, as
#'   z-scores over 609 drug molecules, without unit), which need no RDKit at hand. These are 198
#'   columns of RDKit's own list, of which [smiles_features()] computes 110: to add molecules of your
#'   own to a fit later ([add_molecules()]), fit with `molecules`, the SMILES, instead.
#' @section Errors: SingleCellExperiment is asked for and not installed.
#' @source Plate PMMSq033 of github.com/PMCC-BioinformaticsCore/macpie (commit dc619f0, MIT);
#'   mechanisms from github.com/broadinstitute/lincs-cell-painting (CC0). See
#'   `system.file("extdata", "README.md", package = "compert")`.
#' @examples
#' screen <- drugseq_example(as = "list")
#' table(screen$col_data$dose)
#' screen$molecules["Trametinib"]
#' dim(screen$descriptors)
#' @export
drugseq_example <- function(..., as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  path <- system.file("extdata", "drugseq_mcf10a.h5ad", package = "compert", mustWork = TRUE)
  if (as == "path") return(path)
  drugs <- drugseq_molecules()
  if (as == "list") {
    parts <- read_h5ad(path, as = "list")
    return(c(list(x = parts$X, counts = parts$layers$counts, col_data = parts$obs), drugs))
  }
  cells <- read_h5ad(path)
  names <- SummarizedExperiment::assayNames(cells)
  names[names == "X"] <- "logcounts"
  cells <- SummarizedExperiment::`assayNames<-`(cells, value = names)
  S4Vectors::`metadata<-`(cells, value = c(S4Vectors::metadata(cells), drugs))
}

# list(molecules, moa, descriptors), by drug.
drugseq_molecules <- function() {
  file <- system.file("extdata", "drugseq_molecules.csv", package = "compert", mustWork = TRUE)
  table <- utils::read.csv(file, check.names = FALSE, encoding = "UTF-8")
  descriptors <- as.matrix(table[setdiff(names(table), c("drug", "smiles", "moa"))])
  rownames(descriptors) <- table$drug
  by_drug <- function(x) rlang::set_names(as.character(x), table$drug)
  moa <- by_drug(table$moa)
  moa[!nzchar(moa)] <- NA
  list(molecules = by_drug(table$smiles), moa = moa, descriptors = descriptors)
}
