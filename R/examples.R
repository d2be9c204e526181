# The small real screens that come with the package.

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
#' @param ... Must be empty: later arguments are given by name.
#' @param donors `TRUE` for the cells with donors.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`), `"list"` (a list with `x`, the log-normalised values, genes x cells,
#'   `counts` and `col_data`), or `"path"` (the `.h5ad` file itself; that of the donors holds the
#'   counts only, as `X`).
#'
#' @return What `as` says.
#' @source Kang et al. (2018) Multiplexed droplet single-cell RNA-sequencing using natural genetic
#'   variation. Nature Biotechnology 36, 89-94 (GEO GSE96583). The 1,975 cells are taken from
#'   `data/valid.h5ad` of github.com/theislab/scgen (commit dd7e178, GPL-3.0), those with donors
#'   from `data/example_sce.rda` of github.com/HelenaLC/muscat (commit 017b290, GPL-3). How the
#'   genes were chosen: `system.file("extdata", "README.md", package = "compert")`.
#' @section Errors: SingleCellExperiment is asked for and not installed.
#' @seealso [drugseq_example()] for drugs and doses, [cite_example()] for proteins; `vignette("compert")`
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
  path <- example_file(if (donors) "kang_donors.h5ad" else "kang_pbmc.h5ad")
  if (as == "path") return(path)
  if (as == "list") {
    parts <- read_h5ad(path, as = "list")
    if (!donors) return(list(x = parts$X, counts = parts$layers$counts, col_data = parts$obs))
    return(list(x = log_per_10000(parts$X, parts$obs$total), counts = parts$X, col_data = parts$obs))
  }
  if (!donors) return(example_experiment(path))
  cells <- example_experiment(path, "counts")
  SummarizedExperiment::assay(cells, "logcounts") <-
    log_per_10000(SummarizedExperiment::assay(cells, "counts"), cells$total)
  cells
}

example_file <- function(name) system.file("extdata", name, package = "compert", mustWork = TRUE)

# `x`: what the matrix X of the file is called.
example_experiment <- function(path, x = "logcounts") {
  cells <- read_h5ad(path)
  names <- SummarizedExperiment::assayNames(cells)
  SummarizedExperiment::`assayNames<-`(cells, value = replace(names, names == "X", x))
}

# The file of the donors holds counts only, which is half the size.
log_per_10000 <- function(counts, total) {
  counts@x <- log1p(counts@x / rep(total, diff(counts@p)) * 1e4)
  counts
}

#' A small real drug screen: 27 drugs, three doses, with structures
#'
#' 308 wells of MCF10A breast cells after 24 hours with one of 27 drugs at 0.1, 1 or 10 micromolar
#' (three wells each) or with the vehicle (65 wells, `"control"`), counts of 368 genes by MAC-seq.
#' A well stands where single-cell data have a cell. The wells are shallow, about 840 counts over
#' these genes, so replicates agree poorly; the screen is for trying the verbs, not for a claim.
#'
#' @param ... Must be empty: later arguments are given by name.
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
#' @seealso [chemcpa()], `vignette("drugs")`; [kang_example()], [cite_example()]
#' @examples
#' screen <- drugseq_example(as = "list")
#' table(screen$col_data$dose)
#' screen$molecules["Trametinib"]
#' dim(screen$descriptors)
#' @export
drugseq_example <- function(..., as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  path <- example_file("drugseq_mcf10a.h5ad")
  if (as == "path") return(path)
  drugs <- drugseq_molecules()
  if (as == "list") {
    parts <- read_h5ad(path, as = "list")
    return(c(list(x = parts$X, counts = parts$layers$counts, col_data = parts$obs), drugs))
  }
  cells <- example_experiment(path)
  S4Vectors::`metadata<-`(cells, value = c(S4Vectors::metadata(cells), drugs))
}

# list(molecules, moa, descriptors), by drug.
drugseq_molecules <- function() {
  table <- utils::read.csv(example_file("drugseq_molecules.csv"), check.names = FALSE, encoding = "UTF-8")
  descriptors <- as.matrix(table[setdiff(names(table), c("drug", "smiles", "moa"))])
  rownames(descriptors) <- table$drug
  by_drug <- function(x) rlang::set_names(as.character(x), table$drug)
  moa <- by_drug(table$moa)
  moa[!nzchar(moa)] <- NA
  list(molecules = by_drug(table$smiles), moa = moa, descriptors = descriptors)
}

#' A small real CITE-seq screen: RNA and 49 surface proteins
#'
#' 673 peripheral blood cells of a healthy donor (`"control"`, 500) and of a patient with a cutaneous
#' T-cell lymphoma (`"CTCL"`, 173), 400 genes and 49 antibodies (ECCITE-seq). The condition is a
#' disease contrast between two people, not a treatment: the data serve the mechanics of a model of
#' both modalities, not a claim on perturbations.
#'
#' @param ... Must be empty: later arguments are given by name.
#' @param as `"SingleCellExperiment"` (assays `logcounts`: natural logarithm of 1 + counts per
#'   10,000; and `counts`; antibody counts in the alternative experiment `"ADT"`), `"list"`, or
#'   `"path"` (the `.h5ad` file, antibodies in `obsm`).
#' @return What `as` says. The list has `x` (log-normalised values, genes x cells), `counts`,
#'   `proteins` (antibody counts, proteins x cells) and `col_data` (among others `condition` and
#'   `cell_type`: B, CD4T, CD8T, Mono, NK, derived by clustering).
#' @section Errors: SingleCellExperiment is asked for and not installed.
#' @source github.com/SydneyBioX/CiteFuse (commit b607586, GPL-3); Mimitou et al. (2019) Nature Methods
#'   16, 409-412, GEO GSE126310. See `system.file("extdata", "README.md", package = "compert")`.
#' @seealso [multicpa()], `vignette("proteins")`; [kang_example()], [drugseq_example()]
#' @examples
#' screen <- cite_example(as = "list")
#' table(screen$col_data$cell_type, screen$col_data$condition)
#' screen$proteins[1:3, 1:5]
#' @export
cite_example <- function(..., as = c("SingleCellExperiment", "list", "path")) {
  check_no_dots(...)
  as <- check_choice(as, c("SingleCellExperiment", "list", "path"), "as")
  path <- example_file("citeseq.h5ad")
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
