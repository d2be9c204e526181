test_that("scores are those of the cells' own reconstruction", {
  cells <- small_cells()
  fit <- small_fit()
  scores <- evaluate_cells(fit, cells$x, col_data = cells$col_data, split = "ood", n_degs = 10)
  expect_identical(nrow(scores), 1L)
  expect_identical(scores$cell_type, "B")
  held <- which(cells$col_data$split == "ood")
  expect_identical(scores$n_cells, length(held))
  own <- core_reconstruct(fit$state, cells$x, encode_screen(
    fit$meta$registry, read_newdata(fit, cells$x, col_data = cells$col_data)
  ), held - 1L, TRUE, as_composition(fit, TRUE)$without, TRUE)
  x <- as.matrix(cells$x[, held])
  each <- vapply(seq_along(held), function(i) {
    1 - sum((x[, i] - own$mean[, i])^2) / sum((x[, i] - mean(x[, i]))^2)
  }, 0)
  expect_equal(scores$r2_cells, mean(each), tolerance = 1e-6)
  spread <- apply(x, 1, stats::var)
  expect_equal(scores$r2_var, safe_r2(spread, rowMeans(own$variance)), tolerance = 1e-6)
})

test_that("perfect cells score 1, fewer than two genes nothing", {
  x <- matrix(c(1, 2, 3, 5, 4, 9), 3)
  answer <- list(mean = x, variance = matrix(row_variances(x, 1), 3, 2))
  scores <- score_own_cells(x, answer, 2:3)
  expect_equal(unlist(scores, use.names = FALSE), c(1, 1, 1, 1))
  expect_identical(score_own_cells(x, answer, 1L)$r2_cells_deg, NA_real_)
  expect_error(core_cell_r2(x, x[, 1, drop = FALSE], 0:1), "`prediction`", class = "compert::Error")
})

test_that("sums of squares near 0 may count as 0", {
  x <- matrix(c(1, 1.001, 0.999), 3)
  near <- x + c(0.001, 0, 0)
  expect_equal(core_cell_r2(x, near, 0:2), 0.5, tolerance = 1e-6)
  expect_identical(core_cell_r2(x, near, 0:2, 1e-4), 1)
  expect_identical(core_r2(x[, 1], c(2, 1, 1), 1e-4), 0)
})

test_that("nothing to score is a table without rows; counts have scores", {
  cells <- small_cells()
  none <- evaluate_cells(small_fit(), cells$x, col_data = cells$col_data, min_cells = 1e6)
  some <- evaluate_cells(small_fit(), cells$x, col_data = cells$col_data)
  expect_identical(nrow(none), 0L)
  expect_identical(names(none), names(some))
  counts <- evaluate_cells(small_fit(loss = "nb"), cells$counts, col_data = cells$col_data)
  expect_true(all(counts$r2_cells <= 1))
  expect_refused(evaluate_cells(small_fit()), "`newdata` must")
})
