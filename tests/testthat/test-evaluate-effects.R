test_that("a perfect prediction scores 1; no effect has no sign", {
  truth <- cbind(c(1, 3, 0.2, 2), c(2, 2, 2, 5))
  control <- cbind(c(2, 1, 0.5, 2.5), c(1, 3, 1, 1))
  same <- score_effects(truth, truth, control, list(1:4, 2:4), 1e-5)
  expect_identical(names(same), effect_names)
  expect_equal(unlist(same, use.names = FALSE), rep(1, 4))
  none <- score_effects(truth, control, control, list(1:4, 2:4), 1e-5)
  expect_identical(none$sign_deg, c(0, 0))
  expect_lt(none$r2_logfold_deg[1], 1)
})

test_that("folds are ratios with a pseudo value, negative means count as 0", {
  truth <- c(1, 3, 0.5)
  predicted <- c(2, 2, -0.3)
  control <- c(1.5, 1, 0.1)
  fold <- function(m) log2((pmax(m, 0) + 0.1) / (control + 0.1))
  scores <- score_effects(cbind(truth), cbind(predicted), cbind(control), list(1:3), 0.1)
  a <- fold(truth)
  b <- fold(predicted)
  expect_equal(scores$r2_logfold_deg, 1 - sum((a - b)^2) / sum((a - mean(a))^2))
  expect_equal(scores$sign_deg, mean(a * b > 0))
  few <- score_effects(cbind(truth), cbind(predicted), cbind(control), list(1L), 0.1)
  expect_true(all(is.na(few)))
  gone <- score_effects(cbind(truth), cbind(predicted * NA), cbind(control), list(1:3), 0.1)
  expect_true(all(is.na(gone)))
})

test_that("the table has the rows of evaluate_r2()", {
  cells <- small_cells()
  fit <- small_fit()
  effects <- evaluate_effects(fit, cells$x, col_data = cells$col_data, seed = 1)
  r2 <- evaluate_r2(fit, cells$x, col_data = cells$col_data, seed = 1, min_cells = 6)
  same <- c("cell_type", "condition", "dose", "method", "split", "seen", "n_cells", "n_controls")
  expect_equal(as.list(unclass_scores(effects)[same]), as.list(unclass_scores(r2)[same]))
  expect_true(all(effects$sign_deg[effects$method == "control"] == 0))
  model <- effects[effects$method == "model", ]
  expect_true(all(model$sign_deg >= 0 & model$sign_deg <= 1))
  expect_true(all(model$r2_logfold_deg <= 1))
  alone <- evaluate_effects(fit, cells$x, col_data = cells$col_data, baselines = FALSE, n_degs = 5)
  expect_false("control" %in% alone$method)
  counts <- evaluate_effects(small_fit(loss = "nb"), cells$counts, col_data = cells$col_data,
                             split = "ood", seed = 1)
  expect_true(all(is.finite(counts$r2_logfold_deg[counts$method == "model"])))
})

test_that("nothing to score is a table without rows", {
  cells <- small_cells()
  none <- evaluate_effects(small_fit(), cells$x, col_data = cells$col_data, min_cells = 1e6)
  expect_identical(nrow(none), 0L)
  some <- evaluate_effects(small_fit(), cells$x, col_data = cells$col_data, split = "ood")
  expect_identical(names(none), names(some))
})

test_that("wrong questions are refused", {
  cells <- small_cells()
  fit <- small_fit()
  expect_refused(evaluate_effects(fit), "`newdata` must")
  expect_refused(evaluate_effects(fit, cells$x, col_data = cells$col_data, pseudo = 0),
                 "`pseudo` must be")
  expect_refused(evaluate_effects(fit, cells$x, col_data = cells$col_data, n_degs = 1),
                 "`n_degs` must be")
  expect_refused(evaluate_effects(fit, cells$x, col_data = cells$col_data, split = "all"),
                 "`split` must be")
})
