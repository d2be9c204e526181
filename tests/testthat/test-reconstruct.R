test_that("every cell is decoded under its own condition, in its own place", {
  cells <- small_cells()
  again <- reconstruct(small_fit(), cells$x, col_data = cells$col_data)
  expect_identical(dim(again), dim(cells$x))
  expect_identical(dimnames(again), dimnames(cells$x))
  nk <- which(cells$col_data$cell_type == "NK" & cells$col_data$condition == "control")
  own <- predict(small_fit(), cells$x, condition(condition = "control", cell_type = "NK"),
                 residual = FALSE, col_data = cells$col_data)
  expect_equal(again[, nk], own, tolerance = 1e-5, ignore_attr = TRUE)
  table <- attr(again, "col_data")
  expect_identical(table$cpa_condition, cells$col_data$condition)
  expect_setequal(table$seen, c("condition", "drug new to covariate"))
})

test_that("variances are positive", {
  cells <- small_cells()
  variance <- reconstruct(small_fit(), cells$x, type = "variance", col_data = cells$col_data)
  expect_true(all(variance > 0))
})

test_that("cells without any control can be reconstructed; unknown perturbations cannot", {
  cells <- small_cells()
  treated <- cells$col_data$condition == "IFNb"
  again <- reconstruct(small_fit(), cells$x[, treated], col_data = cells$col_data[treated, ])
  expect_identical(ncol(again), sum(treated))
  strange <- cells$col_data
  strange$condition[1] <- "IFNg"
  expect_error(reconstruct(small_fit(), cells$x, col_data = strange), "never perturbed in training")
  expect_error(reconstruct(small_fit()), "`newdata` must be given")
})
