# What is left of an object in the warning of write_h5ad().
notes_of <- function(x) {
  path <- withr::local_tempfile(fileext = ".h5ad")
  text <- ""
  withCallingHandlers(write_h5ad(x, path), compert_h5ad_warning = function(w) {
    text <<- gsub("\\s+", " ", conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  text
}

toy_experiment <- function() {
  SingleCellExperiment::SingleCellExperiment(
    list(counts = as_sparse(toy_counts(8))), colData = S4Vectors::DataFrame(toy_cells(8)))
}

# With a version 4 assay: those of version 5 have a column of the selected genes.
old_seurat <- function() {
  assay <- SeuratObject::CreateAssayObject(as_sparse(toy_counts(8)))
  SeuratObject::Key(assay) <- "rna_"
  SeuratObject::CreateSeuratObject(assay, meta.data = toy_cells(8))
}

test_that("a SingleCellExperiment: ranges, pairs and what reductions have beside their numbers", {
  skip_without_package("SingleCellExperiment")
  sce <- toy_experiment()
  pca <- matrix(as.double(1:16), 8, dimnames = list(colnames(sce), c("PC1", "PC2")))
  SingleCellExperiment::reducedDim(sce, "PCA") <- pca
  expect_identical(notes_of(sce), "")
  attr(pca, "percentVar") <- c(60, 40)
  SingleCellExperiment::reducedDim(sce, "PCA") <- pca
  SingleCellExperiment::reducedDim(sce, "two") <- `colnames<-`(unname(pca)[, 1:2], c("left", "right"))
  hits <- S4Vectors::SelfHits(1:3, 2:4, nnode = 8)
  SingleCellExperiment::colPair(sce, "near") <- hits
  SingleCellExperiment::rowPair(sce, "linked") <- S4Vectors::SelfHits(1:3, 2:4, nnode = 12)
  names <- rownames(sce)
  # GenomicRanges comes with SummarizedExperiment.
  SummarizedExperiment::rowRanges(sce) <- getExportedValue("GenomicRanges", "GRanges")(
    paste0("chr1:", 1:12, "-", 5:16))
  rownames(sce) <- names
  for (part in c("PCA: written without its \"percentVar\"", "two: written without its \"column names\"",
                 "colPairs/near: pairs of cells", "rowPairs/linked: pairs of genes",
                 "rowRanges: ranges on the genome")) {
    expect_match(notes_of(sce), part, fixed = TRUE)
  }
})

test_that("coordinates of a SpatialExperiment are an array of obsm; what else a class has is told", {
  skip_without_package("SingleCellExperiment")
  # Where SpatialExperiment, which need not be installed, keeps them.
  sce <- toy_experiment()
  at <- matrix(as.double(1:16), 8, dimnames = list(NULL, c("x", "y")))
  SingleCellExperiment::int_colData(sce)$spatialCoords <- at
  SingleCellExperiment::int_metadata(sce)$imgData <- S4Vectors::DataFrame()
  expect_match(notes_of(sce), "spatial: written without its \"column names\"[.]$")
  path <- withr::local_tempfile(fileext = ".h5ad")
  suppressWarnings(write_h5ad(sce, path))
  expect_equal(read_h5ad(path, as = "list")$obsm$spatial, at, ignore_attr = TRUE)
  SingleCellExperiment::int_metadata(sce)$imgData <- S4Vectors::DataFrame(sample_id = "s1")
  SingleCellExperiment::int_colData(sce)$mine <- 1:8
  SingleCellExperiment::reducedDim(sce, "spatial") <- unname(at) + 1
  for (part in c("imgData", "mine", "spatialCoords")) {
    expect_match(notes_of(sce), paste0(part, ": a part that only SingleCellExperiment has"), fixed = TRUE)
  }
})

test_that("columns of one name are all written, the later ones under another", {
  skip_without_package("SummarizedExperiment")
  se <- SummarizedExperiment::SummarizedExperiment(
    list(counts = toy_counts(3)),
    colData = S4Vectors::DataFrame(a = 1:3, a = c("x", "y", "z"), check.names = FALSE))
  expect_match(notes_of(se), "obs/a.1: another column \"a\", written under this name")
  path <- withr::local_tempfile(fileext = ".h5ad")
  suppressWarnings(write_h5ad(se, path))
  obs <- read_h5ad(path, as = "list")$obs
  expect_identical(as.list(obs), list(a = 1:3, a.1 = c("x", "y", "z")))
})

test_that("a Seurat object: graphs, loadings, selected genes and classes", {
  skip_without_package("SeuratObject")
  x <- old_seurat()
  expect_identical(notes_of(x), "")
  SeuratObject::Idents(x) <- "drug"
  expect_identical(notes_of(x), "")  # the column is there
  SeuratObject::Idents(x) <- factor(rep(c("u", "v"), 4))
  SeuratObject::VariableFeatures(x) <- rownames(x)[1:4]
  near <- Matrix::sparseMatrix(1:8, 8:1, x = 1, dimnames = list(colnames(x), colnames(x)))
  graph <- SeuratObject::as.Graph(near)
  SeuratObject::DefaultAssay(graph) <- "RNA"
  x[["RNA_nn"]] <- graph
  parts <- function(names) matrix(0.5, length(names), 2, dimnames = list(names, c("PC_1", "PC_2")))
  x[["pca"]] <- SeuratObject::CreateDimReducObject(parts(colnames(x)), loadings = parts(rownames(x)),
                                                   key = "PC_", assay = "RNA")
  for (part in c("RNA_nn: a graph of cells", "pca: written without its loadings",
                 "variable features: a selection of genes", "Idents: classes that no column")) {
    expect_match(notes_of(x), part, fixed = TRUE)
  }
})

test_that("selected genes that a column of the assay has are not lost", {
  skip_without_package("SeuratObject")
  x <- old_seurat()
  SeuratObject::VariableFeatures(x) <- rownames(x)[1:4]
  named <- ifelse(seq_len(nrow(x)) < 5, rownames(x), NA)
  with_column <- function(name, value) {
    x[["RNA"]][[name]] <- rlang::set_names(value, rownames(x))
    x
  }
  lost <- "variable features: a selection of genes"
  expect_identical(notes_of(with_column("selected", !is.na(named))), "")
  expect_identical(notes_of(with_column("var.features", named)), "")
  expect_match(notes_of(with_column("other", replace(named, 1, NA))), lost, fixed = TRUE)
})
