test_that("cells of any size are brought to one total, then to logarithms", {
  x <- cbind(c(1, 3), c(10, 30), c(0, 0))
  y <- log_normalise(x, 8)
  expect_equal(y[, 1], log1p(c(2, 6)))
  expect_equal(y[, 2], y[, 1])
  expect_identical(y[, 3], c(0, 0))
})

test_that("draws stand for cells, and by difference controls are themselves", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition(condition = "control", cell_type = "B"))
  source <- source_cells(fit, screen, targets, "matched")
  options <- r2_options(fit_of_loss("nb"), "compert", list())
  both <- predict_log_rows(fit, screen, targets, source, options, 1)
  observed <- log_values(screen)[, source[[1]]]
  expect_equal(both$difference$mean[, 1], unname(rowMeans(as.matrix(observed))), tolerance = 1e-4)
  expect_gt(core_r2(rowMeans(as.matrix(observed)), both$decoded$mean[, 1]), 0.2)
  expect_true(all(both$decoded$variance >= 0))
  none <- predict_log_rows(fit, screen, targets, list(integer()), options, 1)
  expect_true(all(is.na(none$decoded$mean)))
})

test_that("few cells are drawn from more often", {
  expect_identical(vapply(c(1, 40, 200, 900), draws_per_cell, 0), c(5, 5, 3, 1))
})

test_that("variances of rows have the denominator n - ddof", {
  x <- rbind(c(1, 2, 6))
  expect_equal(row_variances(x, 1), var(c(1, 2, 6)))
  expect_equal(row_variances(x, 0), var(c(1, 2, 6)) * 2 / 3)
  expect_identical(row_variances(cbind(c(1, 2)), 1), c(NA_real_, NA_real_))
})
