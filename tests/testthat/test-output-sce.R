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

test_that("predicted cells stand beside measured ones as the help of predict() says", {
  x <- small_sce()
  SummarizedExperiment::assay(x, "counts") <- expm1(SummarizedExperiment::assay(x))
  predicted <- predict(small_fit(), x, condition(condition = "IFNb", cell_type = "B"))
  values <- SummarizedExperiment::assay(predicted, "mean")
  predicted$condition <- predicted$cpa_condition
  SummarizedExperiment::assayNames(predicted) <- "logcounts"
  colnames(predicted) <- paste0("predicted_", colnames(predicted))
  both <- S4Vectors::combineCols(x, predicted)
  expect_s4_class(both, "SingleCellExperiment")
  expect_identical(dim(both), dim(x) + c(0L, ncol(predicted)))
  expect_false(anyDuplicated(colnames(both)) > 0)
  new <- ncol(x) + seq_len(ncol(predicted))
  logs <- as.matrix(SummarizedExperiment::assay(both, "logcounts"))
  expect_equal(logs[, new], values, ignore_attr = TRUE)
  expect_equal(logs[, -new], as.matrix(SummarizedExperiment::assay(x, "logcounts")), ignore_attr = TRUE)
  expect_true(all(is.na(SummarizedExperiment::assay(both, "counts")[, new])))
  expect_identical(as.character(both$condition[new]), rep("IFNb", length(new)))
  expect_identical(is.na(both$cpa_source), rep(c(TRUE, FALSE), c(ncol(x), length(new))))
})
