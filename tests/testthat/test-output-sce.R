test_that("a SingleCellExperiment comes back with assays, cells' columns and genes' columns", {
  sce <- small_sce()
  SummarizedExperiment::rowData(sce)$length <- seq_len(nrow(sce))
  answer <- predict(small_fit(), sce[rev(seq_len(nrow(sce))), ],
                    condition(condition = "IFNb", cell_type = "B"), type = "variance")
  expect_s4_class(answer, "SingleCellExperiment")
  expect_identical(SummarizedExperiment::assayNames(answer), c("mean", "variance"))
  expect_true(all(c(names(SummarizedExperiment::colData(sce)), "cpa_condition", "cpa_source",
                    "seen") %in% names(SummarizedExperiment::colData(answer))))
  expect_identical(SummarizedExperiment::rowData(answer)$length, seq_len(nrow(sce)))
  expect_identical(rownames(answer), rownames(sce))
  notes <- S4Vectors::metadata(answer)$cpa
  expect_identical(notes$seed, 11L, ignore_attr = TRUE)
  expect_false(any(vapply(notes, is.raw, TRUE)))
})

test_that("one column per condition on demand", {
  answer <- predict(small_fit(), small_sce(), condition_grid(condition = "IFNb",
                                                             cell_type = c("B", "NK")),
                    summarise = "condition")
  expect_identical(colnames(answer), c("IFNb, B", "IFNb, NK"))
  expect_identical(answer$n_cells, c(40L, 40L))
  expect_identical(answer$seen, c("drug new to covariate", "condition"))
  expect_identical(SummarizedExperiment::assayNames(answer), c("mean", "variance"))
})

test_that("a SummarizedExperiment stays one", {
  sce <- small_sce()
  se <- SummarizedExperiment::SummarizedExperiment(
    list(logcounts = SummarizedExperiment::assay(sce)),
    colData = SummarizedExperiment::colData(sce)
  )
  answer <- reconstruct(small_fit(), se)
  expect_s4_class(answer, "SummarizedExperiment")
  expect_false(methods::is(answer, "SingleCellExperiment"))
})
