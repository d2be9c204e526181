test_that("a SingleCellExperiment gets reduced dimensions and keeps the rest", {
  sce <- small_sce()
  SingleCellExperiment::reducedDim(sce, "PCA") <- matrix(0, ncol(sce), 2)
  rich <- write_back(small_fit(), sce)
  expect_identical(SingleCellExperiment::reducedDimNames(rich),
                   c("PCA", "CPA_basal", "CPA_treated", "CPA_corrected"))
  expect_equal(SingleCellExperiment::reducedDim(rich, "CPA_basal"),
               cell_embedding(small_fit(), sce), ignore_attr = TRUE)
  expect_identical(SummarizedExperiment::assay(rich), SummarizedExperiment::assay(sce))
  expect_identical(SingleCellExperiment::reducedDimNames(sce), "PCA")
  expect_false(any(vapply(S4Vectors::metadata(rich)$cpa, is.raw, TRUE)))
  some <- write_back(small_fit(), sce, which = "basal")
  expect_identical(SingleCellExperiment::reducedDimNames(some), c("PCA", "CPA_basal"))
})

test_that("a Seurat object gets reductions with legal keys", {
  object <- small_seurat()
  expect_warning(rich <- write_back(small_fit(), object), NA)
  expect_identical(SeuratObject::Reductions(rich), c("cpa_basal", "cpa_treated", "cpa_corrected"))
  expect_identical(SeuratObject::Key(rich[["cpa_basal"]]), "CPAbasal_", ignore_attr = TRUE)
  expect_identical(colnames(SeuratObject::Embeddings(rich, "cpa_treated"))[2], "CPAtreated_2")
  expect_identical(SeuratObject::Misc(rich, "cpa")$model, "cpa")
  expect_identical(SeuratObject::Reductions(object) %||% character(), character())
})

test_that("other containers have no place for embeddings", {
  expect_error(write_back(small_fit(), small_cells()$x), "Use `cell_embedding\\(fit, x\\)`")
  expect_error(write_back(small_fit(), small_sce(), which = "latent"), "`which` must be some of")
  expect_error(write_back(small_fit()), "`x` must be given")
})

test_that("reconstructions go beside the cells that they are of", {
  sce <- small_sce()
  fit <- small_fit()
  SingleCellExperiment::altExp(sce, "CPA") <- reconstruct(fit, sce)
  expect_identical(SummarizedExperiment::assay(SingleCellExperiment::altExp(sce, "CPA"), "mean"),
                   SummarizedExperiment::assay(reconstruct(fit, sce), "mean"))
  object <- small_seurat()
  object[["CPA"]] <- reconstruct(fit, object)[["mean"]]
  expect_identical(SeuratObject::Assays(object), c("RNA", "CPA"))
  expect_identical(SeuratObject::DefaultAssay(object), "RNA")
  expect_equal(as.matrix(SeuratObject::GetAssayData(object[["CPA"]], "data")),
               SummarizedExperiment::assay(SingleCellExperiment::altExp(sce, "CPA"), "mean"), ignore_attr = TRUE)
})
