toy_sce <- function(...) {
  skip_without_package("SingleCellExperiment")
  SingleCellExperiment::SingleCellExperiment(
    list(...), colData = S4Vectors::DataFrame(toy_cells(), check.names = FALSE))
}

test_that("logcounts are taken by default, counts for nb, and the choice is recorded", {
  sce <- toy_sce(counts = as_sparse(toy_counts()), logcounts = as_sparse(toy_log()))
  screen <- as_screen(sce, toy_keys())
  expect_identical(screen[c("container", "assay", "scale", "loss")],
                   list(container = "SingleCellExperiment", assay = "logcounts", scale = "log",
                        loss = "gauss"))
  counts <- as_screen(sce, toy_keys(loss = "nb"))
  expect_identical(counts[c("assay", "scale")], list(assay = "counts", scale = "counts"))
  expect_identical(as.matrix(counts$x), toy_counts())
  expect_identical(screen$col_data, toy_cells())
})

test_that("only counts means nb; the names of zellkonverter and unnamed assays are known", {
  expect_identical(as_screen(toy_sce(counts = toy_counts()), toy_keys())$loss, "nb")
  x <- as_screen(toy_sce(X = toy_log(), counts = toy_counts()), toy_keys())
  expect_identical(x$assay, "X")
  skip_without_package("SummarizedExperiment")
  se <- SummarizedExperiment::SummarizedExperiment(
    list(toy_log()), colData = S4Vectors::DataFrame(toy_cells()))
  expect_identical(as_screen(se, toy_keys())$x, toy_log())
  expect_identical(as_screen(se, toy_keys())[c("container", "assay")],
                   list(container = "SummarizedExperiment", assay = "1"))
  expect_identical(as_screen(se, toy_keys(assay = "1"))$x, toy_log())
  two <- SummarizedExperiment::SummarizedExperiment(
    list(toy_counts(), toy_log()), colData = S4Vectors::DataFrame(toy_cells()))
  expect_refused(as_screen(two, toy_keys()), "`assay` must say what to read.*\"1\", \"2\"")
  expect_identical(as_screen(two, toy_keys(assay = "2"))$x, toy_log())
})

test_that("an assay is chosen by name; wrong names list what is there", {
  sce <- toy_sce(spliced = toy_log(), counts = toy_counts())
  expect_identical(as_screen(sce, toy_keys(assay = "spliced"))$assay, "spliced")
  expect_refused(as_screen(sce, toy_keys(assay = "splced")),
                 "Did you mean \"spliced\".*\"spliced\", \"counts\"")
  two <- toy_sce(a = toy_log(), b = toy_log())
  expect_refused(as_screen(two, toy_keys()), "`assay` must say what to read")
  expect_refused(as_screen(sce, toy_keys(layer = "counts")), "`layer` must be left out")
  expect_refused(as_screen(sce, toy_keys(), toy_cells()), "`col_data` must be left out")
})

test_that("the wrong scale comes with the line that cures it", {
  sce <- toy_sce(counts = toy_counts(), logcounts = toy_log())
  expect_refused(as_screen(sce, toy_keys(loss = "gauss", assay = "counts")),
                 "raw counts.*Use assay = \"logcounts\"")
  expect_refused(as_screen(sce, toy_keys(loss = "nb", assay = "logcounts")),
                 "log-normalised.*Use assay = \"counts\"")
  expect_refused(as_screen(toy_sce(counts = toy_counts()), toy_keys(loss = "gauss")),
                 "scuttle::logNormCounts")
})

test_that("column names of colData are not changed", {
  cells <- toy_cells()
  names(cells)[3] <- "cell type (v2)"
  skip_without_package("SingleCellExperiment")
  sce <- SingleCellExperiment::SingleCellExperiment(
    list(logcounts = toy_log()), colData = S4Vectors::DataFrame(cells, check.names = FALSE))
  screen <- as_screen(sce, toy_keys(covariates = "cell type (v2)"))
  expect_identical(names(screen$covariates), "cell type (v2)")
})
