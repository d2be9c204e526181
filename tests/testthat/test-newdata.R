test_that("newdata may lack what a question does not need", {
  cells <- small_cells()
  fit <- small_fit()
  bare <- cells$col_data["cell_type"]
  screen <- read_newdata(fit, cells$x, col_data = bare)
  expect_true(all(screen$control))
  expect_null(screen$split)
  expect_error(read_newdata(fit, cells$x, col_data = cells$col_data["condition"]),
               "There is no column \"cell_type\"")
})

test_that("the fit's assay is for its own kind of container", {
  sce <- small_sce()
  fit <- cpa(sce, "condition", control = "control", covariates = "cell_type", split = "split",
             assay = "logcounts", settings = quick_settings(1))
  cells <- small_cells()
  what <- condition(condition = "IFNb", cell_type = "B")
  from_matrix <- predict(fit, cells$x, what, col_data = cells$col_data)
  from_sce <- predict(fit, sce, what)
  expect_equal(SummarizedExperiment::assay(from_sce, "mean"), from_matrix, ignore_attr = TRUE)
  expect_error(predict(fit, sce, what, assay = "normcounts"), "There is no assay \"normcounts\"")
})

test_that("row keys tell rows apart and ignore nothing", {
  expect_identical(row_keys(data.frame(a = c("x", "x"), b = c("y", "z")))[1] ==
                     row_keys(data.frame(a = c("x", "x"), b = c("y", "z")))[2], FALSE)
  expect_identical(row_keys(data.frame(row.names = 1:3)), rep("", 3))
})

test_that("row codes number equal rows alike, in the order in which they appear", {
  expect_identical(row_codes(list(c(7, 7, 2, 7), c("x", "y", "x", "x"))), c(1L, 2L, 3L, 1L))
  expect_identical(row_codes(list(c("b", NA, "b", NA))), c(1L, 2L, 1L, 2L))
  expect_identical(row_codes(list(integer(), character())), integer())
  table <- expand.grid(a = 1:4, b = letters[1:3], c = c(TRUE, FALSE))[c(1:24, 24:1), ]
  expect_identical(row_codes(table), c(1:24, 24:1))
})
