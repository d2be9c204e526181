test_that("the shipped cells are what their README says", {
  cells <- kang_example(as = "list")
  expect_identical(dim(cells$x), c(2000L, 1975L))
  expect_identical(dimnames(cells$counts), dimnames(cells$x))
  split <- table(cells$col_data$split)
  expect_identical(as.vector(split[c("ood", "test", "train")]), c(112L, 391L, 1472L))
  expect_identical(value_scale(inspect_values(cells$counts)), "counts")
  expect_identical(value_scale(inspect_values(cells$x)), "log")
  up <- Matrix::rowMeans(cells$x[c("ISG15", "IFIT1"), cells$col_data$condition == "IFNb"])
  expect_gt(min(up), 2)
  expect_lt(file.size(kang_example(as = "path")), 3 * 2^20)
  held <- cells$col_data[cells$col_data$split == "ood", ]
  expect_identical(as.character(unique(held$cell_type)), "B")
  expect_identical(as.character(unique(held$condition)), "IFNb")
})

test_that("it opens as a SingleCellExperiment, and refuses what it does not know", {
  expect_refused(kang_example(as = "Seurat"), "`as` must be one of")
  expect_refused(kang_example("list"), "by name")
  skip_without_package("SingleCellExperiment")
  cells <- kang_example()
  expect_s4_class(cells, "SingleCellExperiment")
  expect_setequal(SummarizedExperiment::assayNames(cells), c("logcounts", "counts"))
})
