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

test_that("of many source cells some are drawn under the seed, the same for every condition", {
  source <- list(1:3, 101:5000, integer(), 101:5000)
  some <- some_source_cells(source, 7)
  expect_identical(lengths(some), c(3L, 2000L, 0L, 2000L))
  expect_identical(some[c(1, 3)], source[c(1, 3)])
  expect_identical(some[[2]], some[[4]])
  expect_true(all(some[[2]] %in% source[[2]]) && !anyDuplicated(some[[2]]))
  expect_lt(abs(mean(some[[2]]) - mean(source[[2]])), 100)
  expect_false(identical(some[[2]], some_source_cells(source, 8)[[2]]))
})

test_that("scores of counts start from so many cells at most; what is measured is of all cells", {
  cells <- small_cells()
  fit <- small_fit(loss = "nb", layer = NULL)
  run <- function(...) {
    evaluate_r2(fit, cells$counts, col_data = cells$col_data, split = "ood", seed = 1, ...)
  }
  whole <- run()
  original <- some_source_cells
  local_replaced("some_source_cells", function(source, seed) original(source, seed, most = 9L))
  few <- run()
  expect_identical(unique(whole$n_controls), 40L)
  expect_identical(unique(few$n_controls), 9L)
  expect_identical(few$r2_mean[few$method == "control"], whole$r2_mean[whole$method == "control"])
  expect_identical(few, run())
  chosen <- which(cells$col_data$condition == "control")
  expect_identical(unique(run(controls = chosen)$n_controls), length(chosen))
  expect_identical(unique(run(scale = "model")$n_controls), 40L)
})

test_that("variances of rows have the denominator n - ddof", {
  x <- rbind(c(1, 2, 6))
  expect_equal(row_variances(x, 1), var(c(1, 2, 6)))
  expect_equal(row_variances(x, 0), var(c(1, 2, 6)) * 2 / 3)
  expect_identical(row_variances(cbind(c(1, 2)), 1), c(NA_real_, NA_real_))
})

test_that("what a condition scores does not depend on the others that are scored", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  scores <- function(..., seed = 3) {
    table <- evaluate_r2(fit, cells$counts, col_data = cells$col_data, split = "train", seed = seed, ...)
    as.data.frame(table[table$cell_type == "NK" & table$condition == "IFNb", ])
  }
  alone <- scores(condition = condition("IFNb", cell_type = "NK"))
  expect_identical(nrow(alone), 4L)
  expect_identical(alone$r2_mean, scores()$r2_mean)
  expect_false(identical(alone$r2_mean, scores(condition = condition("IFNb", cell_type = "NK"), seed = 4)$r2_mean))
})

test_that("so are the draws that the references score", {
  fit <- small_fit(loss = "nb", layer = NULL)
  cells <- small_cells()
  screen <- read_newdata(fit, cells$counts, col_data = cells$col_data)
  targets <- make_targets(fit, condition_grid(condition = "IFNb", cell_type = c("B", "NK")))
  source <- source_cells(fit, screen, targets, "matched")
  both <- sampled_moments(fit, screen, targets, source, 1, 5)
  alone <- sampled_moments(fit, screen, subset_targets(targets, 2), source[2], 1, 5)
  expect_identical(both$mean[, 2], drop(alone$mean))
  expect_identical(both$variance[, 2], drop(alone$variance))
})
