# Where proteins are found, and where they are given back.

screen_of <- function(x, ..., proteins = "", loss = NULL, protein_assay = NULL, names = NULL,
                      control = "control") {
  keys <- new_keys("drug", covariates = "cell_type", control = control, split = "split", loss = loss)
  keys$proteins <- proteins
  keys["protein_assay"] <- list(protein_assay)
  keys$of_fit <- list(proteins = names)
  as_screen(x, keys, ..., col_data = plain_cells(x))
}

test_that("every container gives the same screen", {
  cells <- cite_cells()
  same <- function(x, place, proteins = "") {
    screen <- screen_of(x, proteins = proteins)
    expect_identical(screen$proteins, cells$adt)
    expect_identical(as.matrix(screen$x), cells$genes)
    expect_identical(unname(screen$measured), rep(3L, 160))
    expect_identical(screen$keys$proteins, place)
    expect_identical(screen$keys$protein_loss, "nb_mixture")
  }
  rows <- rownames(cells$adt)
  same(cite_rows(), rows, rows)
  same(as_sparse(cite_rows()), rows, rows)
  same(cite_h5ad(), "protein_expression")
  same(cite_sce("Antibody Capture"), "Antibody Capture")
  same(cite_seurat(), "ADT")
})

test_that("rows that are proteins are told by name, in any order", {
  screen <- screen_of(cite_rows()[19:1, ], proteins = c("CD2", "CD1"))
  expect_identical(screen$proteins, cite_cells()$adt[c("CD2", "CD1"), ])
  expect_identical(nrow(screen$x), 17L)
  expect_refused(screen_of(cite_rows(), proteins = c("CD1", "CD9")), "It lacks \"CD9\"")
  expect_refused(screen_of(cite_rows(), proteins = "CD9"), "`x` has no \"CD9\"")
  expect_refused(screen_of(cite_rows()), "usual names")
})

test_that("rows of genes and proteins of one name are refused", {
  cells <- cite_cells()
  rows <- cite_rows(`rownames<-`(cells$adt, c("gene2", "CD2", "gene4", "CD4", "CD5")))
  proteins <- rownames(rows)[15:19]
  twice <- "names that no other row has.*\"gene2\", \"gene4\" are there more than once"
  expect_refused(screen_of(rows, proteins = proteins), twice)
  expect_refused(screen_of(as_sparse(rows), proteins = proteins), twice)
  expect_refused(screen_of(rows, names = proteins), twice)
  expect_identical(rownames(screen_of(rows[-c(2, 4), ], proteins = proteins)$proteins), proteins)
  expect_refused(screen_of(rows, proteins = c("CD2", "CD4")), "Names of genes must be different")
})

test_that("an altExp is found by its usual name, or named, with the assay asked for", {
  adt <- cite_cells()$adt
  screen <- screen_of(cite_sce())
  expect_identical(screen$proteins, adt)
  expect_identical(screen$keys[c("proteins", "protein_assay")],
                   list(proteins = "ADT", protein_assay = "counts"))
  expect_identical(screen_of(cite_sce("antibody capture"))$keys$proteins, "antibody capture")
  expect_identical(screen_of(cite_sce("mine"), proteins = "mine")$proteins, adt)
  expect_refused(screen_of(cite_sce("mine")), "usual names")
  expect_refused(screen_of(cite_sce("mine"), proteins = "ADT"), "`x` has no \"ADT\"")
  both <- cite_sce(adt = list(clr = log1p(adt) - 2, counts = adt))
  expect_identical(screen_of(both)$proteins, adt)
  screen <- screen_of(both, protein_assay = "clr")
  expect_identical(screen$proteins, log1p(adt) - 2)
  expect_identical(screen$keys$protein_loss, "gauss")
  expect_refused(screen_of(both, protein_assay = "count"), "no \"count\".*Did you mean \"counts\"")
  # A fit takes another name of the same kind, as a file's X has none.
  x <- cite_sce()
  fit <- multi_fit(x, proteins = NULL)
  expect_identical(fit$meta$keys$protein_assay, "counts")
  expect_equal(ask_both(fit, cite_sce(adt = list(X = adt))), ask_both(fit, x))
  normalised <- multi_fit(both, proteins = NULL, protein_assay = "clr")
  expect_equal(ask_both(normalised, cite_sce(adt = list(X = log1p(adt) - 2))), ask_both(normalised, both))
  expect_refused(ask_both(fit, cite_sce(adt = list(clr = adt))),
                 "assay of proteins that the fit.*no \"counts\".*\"clr\"")
})

test_that("an assay of a Seurat object is found, with fewer cells where the version allows it", {
  adt <- cite_cells()$adt
  screen <- screen_of(cite_seurat())
  expect_identical(screen$proteins, adt)
  expect_identical(as.matrix(screen$x), cite_cells()$genes)
  expect_identical(screen$keys[c("proteins", "protein_assay")],
                   list(proteins = "ADT", protein_assay = "counts"))
  expect_identical(screen_of(cite_seurat(place = "mine"), proteins = "mine")$proteins, adt)
  expect_refused(screen_of(cite_seurat(), proteins = "RNA"), "\"RNA\", .* is read as the genes.*assay = \"ADT\"")
  expect_refused(screen_of(cite_seurat(), proteins = "CITE"), "`x` has no \"CITE\"")
  first <- cite_seurat()
  SeuratObject::DefaultAssay(first) <- "ADT"
  as_genes <- "`assay` must name.*\"ADT\", .* is read as the genes.*write assay = \"RNA\""
  expect_refused(screen_of(first), as_genes)
  expect_refused(ask_both(multi_fit(cite_sce(), proteins = NULL), first), as_genes)
  fewer <- tryCatch(cite_seurat(adt[, 1:100]), error = function(e) NULL)
  skip_without(!is.null(fewer), "SeuratObject with assays of some cells")
  screen <- screen_of(fewer)
  expect_identical(unname(screen$measured), rep(c(3L, 1L), c(100, 60)))
  expect_identical(screen$proteins[, 1:100], adt[, 1:100])
})

test_that("places are found under the valid names that Seurat gives them", {
  adt <- cite_cells()$adt
  named <- function(place) suppressWarnings(cite_seurat(place = place))
  screen <- screen_of(named("Antibody Capture"))
  expect_identical(screen$proteins, adt)
  expect_identical(screen$keys$proteins, "Antibody.Capture")
  expect_identical(screen_of(named("my own"), proteins = "my own")$proteins, adt)
  expect_identical(screen_of(named("my own"), proteins = "my own", names = rownames(adt))$proteins, adt)
  expect_identical(screen_of(cite_sce("my own"), proteins = "my.own", names = rownames(adt))$proteins, adt)
  fit <- multi_fit(cite_sce("Antibody Capture"), proteins = NULL)
  expect_warning(answer <- ask_both(fit, named("Antibody Capture")), NA)
  expect_setequal(SeuratObject::Assays(answer), c("mean", "Antibody.Capture"))
})

test_that("an array of an .h5ad is found, with the names that totalVI keeps", {
  adt <- cite_cells()$adt
  screen <- screen_of(cite_h5ad())
  expect_identical(screen$proteins, adt)
  expect_identical(screen$keys$proteins, "protein_expression")
  expect_identical(screen_of(cite_h5ad("cite"), proteins = "cite")$proteins |> unname(), unname(adt))
  bare <- screen_of(cite_h5ad("ADT", uns = FALSE))
  expect_identical(rownames(bare$proteins), paste0("ADT_", 1:5))
  expect_refused(screen_of(cite_h5ad("X_pca")), "usual names")
})

test_that("an array of obsm that is no table of cells is refused", {
  path <- test_path("fixtures", "everything.h5ad")
  keys <- list(proteins = "cube")
  expect_refused(read_proteins(path, read_cells(path, keys), keys), "\"cube\" of obsm is not a matrix of numbers")
})

test_that("an .h5ad that was read has its proteins in reducedDims, and makes the same fit as its path", {
  skip_without_package("SingleCellExperiment")
  path <- cite_h5ad("protein_counts")
  read <- read_h5ad(path)
  screen <- screen_of(read)
  expect_identical(screen$proteins, cite_cells()$adt)
  expect_identical(screen$keys$proteins, "protein_counts")
  expect_null(screen$keys$protein_assay)
  expect_identical(unname(screen_of(read_h5ad(cite_h5ad("mine")), proteins = "mine")$proteins),
                   unname(cite_cells()$adt))
  expect_refused(screen_of(read_h5ad(cite_h5ad("X_pca"))), "usual names.*reducedDim")
  S4Vectors::metadata(read)$protein_names <- NULL
  expect_identical(screen_of(read)$proteins, cite_cells()$adt)
  colnames(SingleCellExperiment::reducedDim(read, "protein_counts")) <- NULL
  expect_identical(rownames(screen_of(read)$proteins), paste0("protein_", 1:5))
  SingleCellExperiment::altExp(read, "ADT") <- SummarizedExperiment::SummarizedExperiment(
    list(counts = cite_cells()$adt + 1))
  expect_identical(screen_of(read)$proteins, cite_cells()$adt + 1)
  read <- read_h5ad(path)
  fits <- list(multi_fit(path, proteins = NULL), multi_fit(read, proteins = NULL))
  runs <- lapply(fits, run_of)
  expect_identical(runs[[2]], runs[[1]])
  values <- function(fit, x) {
    answer <- ask_both(fit, x)
    expect_identical(SingleCellExperiment::altExpNames(answer), "protein_counts")
    lapply(list(answer, SingleCellExperiment::altExp(answer)), SummarizedExperiment::assay, "mean")
  }
  wanted <- values(fits[[1]], path)
  for (fit in fits) for (x in list(path, read)) expect_equal(values(fit, x), wanted)
})

test_that("a modality of an .h5mu file is found; cells without it are known", {
  skip_without_package("SingleCellExperiment")
  path <- testthat::test_path("fixtures", "cite.h5mu")
  keys <- new_keys("condition", control = "control")
  keys$proteins <- ""
  screen <- suppressWarnings(as_screen(path, keys))
  expect_identical(rownames(screen$proteins), c("CD3", "CD19", "CD14"))
  expect_identical(unname(screen$measured), rep(c(3L, 1L), c(5, 2)))
  expect_identical(unname(screen$proteins),
                   outer(0:2, 0:6, function(protein, cell) (cell + protein / 4) * (cell < 5)))
  expect_identical(screen$keys[c("proteins", "protein_loss")],
                   list(proteins = "prot", protein_loss = "gauss"))
  fit <- suppressWarnings(multicpa(path, "condition", control = "control", fusion = "poe",
                                   settings = multi_settings(epochs = 1)))
  expect_match(format(fit), "Proteins: +3 \\(prot, X\\), gauss loss, fusion poe", all = FALSE)
  answer <- suppressWarnings(predict(fit, path, condition("drug"), source = "all"))
  expect_s4_class(answer, "SingleCellExperiment")
  expect_identical(rownames(SingleCellExperiment::altExp(answer, "prot")), c("CD3", "CD19", "CD14"))
})

test_that("each route gives the same fit and the same predictions, in its own container", {
  wanted <- ask_both(multi_fit())
  about <- attr(wanted, "col_data")
  expect_identical(dim(proteins_of(wanted)), c(5L, ncol(wanted)))
  expect_identical(dimnames(proteins_of(wanted)), list(paste0("CD", 1:5), colnames(wanted)))
  expect_identical(nrow(about), ncol(wanted))
  equal <- function(genes, adt) {
    expect_equal(unname(as.matrix(genes)), unname(wanted[, ]), tolerance = 1e-4, ignore_attr = TRUE)
    expect_equal(unname(as.matrix(adt)), unname(proteins_of(wanted)), tolerance = 1e-4)
    expect_identical(rownames(adt), paste0("CD", 1:5))
  }
  # a SingleCellExperiment
  sce <- ask_both(multi_fit(cite_sce(), proteins = NULL), cite_sce(), type = "variance")
  part <- SingleCellExperiment::altExp(sce, "ADT")
  equal(SummarizedExperiment::assay(sce, "mean"), SummarizedExperiment::assay(part, "mean"))
  expect_identical(SummarizedExperiment::assayNames(part), c("mean", "variance"))
  expect_true(all(SummarizedExperiment::assay(part, "variance") > 0))
  # an .h5ad
  path <- cite_h5ad()
  sce <- ask_both(multi_fit(path, proteins = NULL), path)
  equal(SummarizedExperiment::assay(sce, "mean"),
        SummarizedExperiment::assay(SingleCellExperiment::altExp(sce, "protein_expression"), "mean"))
  # Seurat
  fit <- multi_fit(cite_seurat(), proteins = NULL)
  object <- ask_both(fit, cite_seurat(), type = "variance")
  expect_identical(SeuratObject::Assays(object), c("mean", "variance", "ADT", "ADT_variance"))
  values <- function(assay) as.matrix(read_cells(object, list(assay = assay, layer = "data"))$x)
  equal(values("mean"), values("ADT"))
  expect_identical(rownames(values("ADT_variance")), paste0("CD", 1:5))
})

test_that("a fit on one container predicts from another", {
  wanted <- ask_both(multi_fit())
  path <- cite_h5ad()
  fits <- list(multi_fit(cite_sce(), proteins = NULL), multi_fit(path, proteins = NULL),
               multi_fit(cite_seurat(), proteins = NULL), multi_fit())
  others <- list(cite_sce("prot"), path, cite_seurat(), cite_rows())
  for (fit in fits) {
    for (x in others) {
      answer <- ask_both(fit, x, summarise = "condition")
      if (is.matrix(answer)) expect_equal(rowMeans(wanted), answer[, 1], tolerance = 1e-4)
      else expect_identical(dim(answer), c(14L, 1L))
    }
  }
})

test_that("a row that is named as a gene of the fit is that gene, not a protein", {
  cells <- cite_cells()
  named <- function(shared) {
    adt <- cells$adt
    rownames(adt)[shared] <- rownames(cells$genes)[shared]
    adt
  }
  rna <- function(fit, x = cells$genes) {
    expect_warning(screen <- read_newdata(fit, x, col_data = cells$col_data),
                   class = "compert_rna_only")
    expect_identical(screen$x, cells$genes)
    expect_identical(unique(screen$measured), rna_only)
  }
  fit_of <- function(adt) {
    multi_fit(cite_sce(adt = list(counts = adt)), proteins = NULL, fusion = "poe")
  }
  rna(fit_of(named(2)))
  rna(fit_of(named(1:5)))
  expect_refused(read_newdata(fit_of(named(2)), rbind(cells$genes, cells$adt[-2, ]),
                              col_data = cells$col_data), "lacks \"gene2\".*is that gene")
  expect_refused(read_newdata(fit_of(named(2)), rbind(cells$genes, named(2)),
                              col_data = cells$col_data), "lacks \"gene2\".*is that gene")
})

test_that("a SummarizedExperiment has its proteins among its rows, and back in the metadata", {
  skip_without_package("SummarizedExperiment")
  x <- SummarizedExperiment::SummarizedExperiment(list(counts = cite_rows()),
                                                  colData = cite_cells()$col_data)
  answer <- ask_both(multi_fit(), x)
  expect_identical(rownames(answer), paste0("gene", 1:14))
  expect_equal(S4Vectors::metadata(answer)$proteins$mean, proteins_of(ask_both(multi_fit())),
               tolerance = 1e-5, ignore_attr = TRUE)
})

test_that("values that cannot be proteins are refused, each with one error", {
  adt <- cite_cells()$adt
  put <- function(value, at = cbind(2, 7), x = adt) {
    x[at] <- value
    x
  }
  fit_of <- function(adt, ...) multi_fit(cite_sce(adt = list(counts = adt)), proteins = NULL, ...)
  expect_refused(fit_of(put(NA)), "all proteins, or none.*\"cell7\" lacks 1 of 5")
  expect_refused(fit_of(put(Inf)), "must be finite.*\"CD2\" in cell \"cell7\" is Inf")
  expect_refused(fit_of(put(0.5), protein_loss = "nb_mixture"), "must be given raw counts.*0.5")
  expect_refused(fit_of(put(-1), protein_loss = "nb"), "\"ADT\" hold -1")
  expect_identical(fit_of(put(-1))$meta$settings$protein_loss, "gauss")
  expect_refused(fit_of(`rownames<-`(adt, paste0("CD", c(1, 1:4)))), "\"CD1\" is there twice")
  expect_refused(fit_of(`rownames<-`(adt, NULL)), "must have names.*They have none")
  expect_refused(fit_of(with_gaps(adt)), "poe")
  expect_refused(fit_of(replace(adt, TRUE, NA), fusion = "poe"), "must be measured")
  expect_refused(multi_fit(proteins = 3), "`proteins`")
  expect_refused(multi_fit(proteins = c("CD1", "CD1")), "there twice|different")
})
