test_that("a matrix of the type that was asked for carries its table", {
  values <- list(mean = matrix(1:4, 2), variance = matrix(5:8, 2))
  about <- data.frame(seen = c("condition", "drug new"), row.names = c("a", "b"))
  expect_identical(as_plain_matrix(values, about, "variance")[2, 2], 8L)
  expect_identical(attr(as_plain_matrix(values, about, "mean"), "col_data"), about)
  # Of a fit it says the scale of the training data.
  cells <- small_cells()
  scale_of <- function(fit, x) {
    attr(predict(fit, x, condition(condition = "IFNb", cell_type = "B"), summarise = "condition",
                 col_data = cells$col_data), "scale")
  }
  expect_identical(scale_of(small_fit(), cells$x), "log")
  expect_identical(scale_of(small_fit(loss = "nb"), cells$counts), "counts")
})

test_that("an .h5ad and a DelayedMatrix come back as SingleCellExperiment", {
  skip_without_package("SingleCellExperiment", "DelayedArray")
  path <- kang_example(as = "path")
  fit <- cpa(path, "condition", control = "control", covariates = "cell_type", split = "split",
             settings = quick_settings(1))
  answer <- predict(fit, path, condition(condition = "IFNb", cell_type = "B"))
  expect_s4_class(answer, "SingleCellExperiment")
  expect_identical(ncol(answer), 110L)
  cells <- small_cells()
  delayed <- DelayedArray::DelayedArray(cells$x)
  answer <- predict(small_fit(), delayed, condition(condition = "IFNb", cell_type = "B"),
                    col_data = cells$col_data)
  expect_s4_class(answer, "SingleCellExperiment")
})
